//go:build !release

package journey

// From nothing to "in service", at the touch screen.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

func provision() Journey {
	return Journey{Name: "provision", Tells: "a technician brings a bare machine into service at its own screen; then a citizen is served",
		Tile: "SB-P", Bare: true, First: bringIntoService}
}

// bringIntoService goes through every step of kiosk provision --screen.
func bringIntoService(ctx context.Context, s *Stage) error {
	code, err := os.ReadFile(filepath.Join(filepath.Dir(s.config), "code"))
	if err != nil {
		return err
	}
	if err := s.props.PutCard("李晓雯"); err != nil {
		return err
	}
	port := func(name string) string {
		return "option.serial:" + filepath.Join(s.portsDir(), name) + "?baud=115200"
	}
	type field struct{ id, text string }
	steps := []struct {
		screen string
		fill   []field
		tap    string
	}{
		{"tech-provision", nil, "continue"}, {"choose", nil, "option." + s.opt.Language},
		{"tech-provision", nil, "continue"}, {"form", []field{{"id", terminalID}, {"no", "03"}, {"site", hallName}}, "next"},
		{"tech-provision", nil, "continue"}, {"choose", nil, "option.normal"}, {"form", nil, "next"},
		{"tech-provision", nil, "continue"}, {"tech-time", nil, "next"},
		{"tech-provision", nil, "continue"}, {"form", []field{{"url", "https://" + s.link.Addr()}}, "next"}, {"tech-network", nil, "next"},
		{"tech-provision", nil, "continue"}, {"form", []field{{"once", strings.TrimSpace(string(code))}}, "next"},
		{"tech-provision", nil, "continue"}, {"form", []field{{"operator", "op.zhang"}, {"code", serviceCode}, {"pin", servicePIN}}, "next"},
		{"tech-provision", nil, "continue"},
		{"tech-devices", nil, "id-reader"}, {"choose", nil, port("usb-reader")}, {"tech-told", nil, "understood"},
		{"tech-devices", nil, "receipt-printer"}, {"choose", nil, port("usb-slips")}, {"choose", nil, "option.cashino-kp628e"}, {"tech-told", nil, "understood"},
		{"tech-devices", nil, "document-printer"}, {"choose", nil, "option.by-hand"}, {"form", []field{{"uri", s.props.Document.URI()}}, "next"}, {"tech-told", nil, "understood"},
		{"tech-devices", nil, "next"},
		{"tech-provision", nil, "continue"}, {"form", []field{{"sheet", "500"}, {"slip", "400"}}, "next"},
		{"tech-provision", nil, "continue"}, {"tech-items", nil, "next"},
		{"tech-provision", nil, "continue"}, {"tech-report", nil, "next"},
		{"tech-provision", nil, "serve"},
	}
	var last uint64
	for i, step := range steps {
		now, err := s.await(ctx, func(n Screen) bool { return n.Screen == step.screen && n.Seq > last })
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.screen, err)
		}
		last = now.Seq
		for n, f := range step.fill {
			if n > 0 {
				if err := s.turn(ctx, "field."+f.id); err != nil {
					return err
				}
			}
			if err := s.write(ctx, f.text); err != nil {
				return fmt.Errorf("step %d, field %s: %w", i+1, f.id, err)
			}
		}
		s.picture(ctx, now)
		if err := s.Tap(ctx, step.tap); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return s.props.TakeCard()
}

// turn touches what changes the keyboard, and waits until it has.
func (s *Stage) turn(ctx context.Context, id string) error {
	if err := s.Tap(ctx, id); err != nil {
		return err
	}
	return sleep(ctx, 250*time.Millisecond)
}

// hallName is the name of the hall, and spelled how it is typed.
const hallName = "示例区政务大厅"

var spelled = map[rune]string{'示': "shi", '例': "li", '区': "qu", '政': "zheng", '务': "wu", '大': "da", '厅': "ting"}

// spell types a Chinese character: the letters of its syllable, then the character among the candidates.
func (s *Stage) spell(ctx context.Context, c rune) error {
	now, err := Look(s.probe)
	if err != nil {
		return err
	}
	if _, han := now.Find("key.'"); !han {
		if err := s.turn(ctx, "key.script"); err != nil {
			return err
		}
	}
	letters := spelled[c]
	if letters == "" {
		return fmt.Errorf("nobody said how %c is spelled", c)
	}
	if err := s.write(ctx, letters); err != nil {
		return err
	}
	// The last letter may still be on its way, and then the first page was another's: forward to the end, then back.
	for _, way := range []string{"candidate.after", "candidate.before"} {
		for range 40 { // pages
			if err := sleep(ctx, 250*time.Millisecond); err != nil {
				return err
			}
			if now, err = Look(s.probe); err != nil {
				return err
			}
			for _, x := range now.Controls {
				if strings.HasPrefix(x.ID, "candidate.") && x.Label == string(c) {
					return s.turn(ctx, x.ID)
				}
			}
			if x, there := now.Find(way); !there || !x.Enabled {
				break
			}
			if err := s.Tap(ctx, way); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%c is not among the candidates of %s", c, letters)
}

// write types a text on the screen's keyboard, turning to capitals and signs, and spelling Chinese, as a person does.
func (s *Stage) write(ctx context.Context, text string) error {
	for _, c := range text {
		if unicode.Is(unicode.Han, c) {
			if err := s.spell(ctx, c); err != nil {
				return err
			}
			continue
		}
		key := "key." + string(unicode.ToLower(c))
		if c == ' ' {
			key = "key.space"
		}
		now, err := Look(s.probe)
		if err != nil {
			return err
		}
		if _, there := now.Find(key); !there {
			if err := s.turn(ctx, "key.signs"); err != nil {
				return err
			}
		}
		if unicode.IsUpper(c) {
			if err := s.turn(ctx, "key.shift"); err != nil {
				return err
			}
		}
		if err := s.Tap(ctx, key); err != nil {
			return err
		}
		if unicode.IsUpper(c) {
			if err := s.turn(ctx, "key.shift"); err != nil {
				return err
			}
		}
	}
	return nil
}
