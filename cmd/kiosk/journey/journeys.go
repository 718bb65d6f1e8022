//go:build !release

package journey

// The journeys: what a citizen does at each screen, and what happens around them meanwhile.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
)

// A Journey is one way through the terminal.
type Journey struct {
	Name  string
	Tells string // one line for --help and the manual
	// Bare begins with a machine that has no configuration: it shows kiosk provision, and First brings it into service.
	Bare  bool
	First func(context.Context, *Stage) error
	// Before runs when the terminal shows its first screen.
	Before func(context.Context, *Stage) error
	// At is what the citizen does at a screen, by its name; "" names are not used. A missing entry takes usual.
	At map[string]Act
	// After runs when the last visit is over, before the terminal is stopped.
	After func(context.Context, *Stage) error
	// Tile is the item chosen at home.
	Tile string
	// Visits is how many visits in a row; 0 means 1.
	Visits int
	// Crash names a crash point of the terminal's first life, armed when the citizen is about to confirm the review.
	Crash string
	// Declared are the times of devices and people that a journey's length is made of; what is beyond them is the terminal's own.
	Declared []Declared
	// Blanks: blank cards are loaded, and written down, before the terminal starts.
	Blanks bool
	// Fingers: the terminal has a fingerprint sensor, and the city compares.
	Fingers bool
	// Elsewhere goes on at a second terminal of the same hall, when all visits here are over.
	Elsewhere *Journey
	// Fee changes the prices; nil leaves them.
	Fee func(*platform.Prices)
	// Rare is played with the others only by who asks for all (make journeys ALL=1).
	Rare bool
	// Quick shortens the visit's patience, for journeys about walking away.
	Quick bool
	// Check looks at the summary; nil means [everyCaseAcked].
	Check func(*Summary) error
}

// An Act is what the citizen does at a screen. It is called once each time the screen appears anew.
type Act func(ctx context.Context, s *Stage, now Screen) error

// Journeys are all journeys, the main one first.
func Journeys() []Journey {
	return []Journey{
		certificate(), query(), guideOffline(), hotlineOffline(), walkAway(), cardPulled(), paperOut(), cardLeft(),
		outputLeft(), powerCut(), linkDown(), temporaryID(), slipUnplugged(), technician(), provision(), temporaryIDLater(), temporaryIDByCode(), temporaryIDByFinger(), temporaryIDByStaff(), temporaryIDLeft(), temporaryIDRibbon(),
		temporaryIDSecond(), temporaryIDRejected(), temporaryIDTwice(), temporaryIDJam(), temporaryIDPower(), temporaryIDSmeared(), temporaryIDVoucher(),
		temporaryIDLate(), temporaryIDUnpaid(), temporaryIDPaysLater(), temporaryIDExempt(), temporaryIDChild(), temporaryIDOther(), temporaryIDBadVoucher(), temporaryIDEBillLater(), temporaryIDTicket(),
	}
}

// Find returns the journey with a name.
func Find(name string) (Journey, error) {
	if point, kill := strings.CutPrefix(name, "kill:"); kill {
		return killedAt(point)
	}
	var names []string
	for _, j := range Journeys() {
		if j.Name == name {
			return j, nil
		}
		names = append(names, j.Name)
	}
	return Journey{}, fmt.Errorf("no journey %q: there are %v", name, names)
}

// Points are all points of the certificate journey at which the terminal can be killed.
func Points() []string { return append(journal.CrashPoints(), service.Points...) }

// killedAt is the certificate journey with the terminal killed at a named point ("point" or "point:2").
func killedAt(point string) (Journey, error) {
	name, _, _ := strings.Cut(point, ":")
	if !slices.Contains(Points(), name) {
		return Journey{}, fmt.Errorf("no point %q: there are %v", name, Points())
	}
	return Journey{Name: "kill:" + point, Tells: "killed at " + point, Tile: "SB-P", Crash: point,
		Check: all(nothingLost, onePaperEach)}, nil
}

// onePaperEach: neither certificate nor slip is ever on paper twice for one case.
func onePaperEach(s *Summary) error {
	if t := s.Totals; max(t.Certificates, t.Receipts) > t.Cases {
		return fmt.Errorf("%d certificates and %d slips for %d cases", t.Certificates, t.Receipts, t.Cases)
	}
	return nil
}

// usual is what a cooperative citizen does at each screen.
var usual = map[string]Act{
	"attract":     tap("begin"),
	"home":        func(ctx context.Context, s *Stage, _ Screen) error { return s.Tap(ctx, "tile."+s.journey.Tile) },
	"consent":     tap("next"),
	"identify":    func(ctx context.Context, s *Stage, _ Screen) error { return s.props.PutCard("李晓雯") },
	"verify":      enterCode,
	"form":        fillForm,
	"choose":      chooseFirst,
	"ink":         draw,
	"review":      tap("next"),
	"result":      tap("next"),
	"guide":       tap("next"),
	"wait":        nothing,
	"progress":    nothing,
	"take-card":   func(ctx context.Context, s *Stage, _ Screen) error { return s.props.TakeCard() },
	"take-output": func(ctx context.Context, s *Stage, _ Screen) error { return s.props.TakeOutput() },
	"done":        rate,
	"photo":       watchPreview, // the camera sees somebody who sits well
	"pick-photo":  tap("pick.0"),
	"decision":    approve,
	"pay":         scanCode,
	"trouble":     tap("next"),
	"ticket":      tap("next"),
}

func nothing(context.Context, *Stage, Screen) error { return nil }

func tap(id string) Act {
	return func(ctx context.Context, s *Stage, _ Screen) error { return s.Tap(ctx, id) }
}

func keys(ctx context.Context, s *Stage, digits string) error {
	for _, d := range digits {
		if err := s.Tap(ctx, "key."+string(d)); err != nil {
			return err
		}
	}
	return nil
}

func enterCode(ctx context.Context, s *Stage, _ Screen) error {
	code, err := s.Code(ctx)
	if err != nil {
		return err
	}
	if err := keys(ctx, s, code); err != nil {
		return err
	}
	return s.Tap(ctx, "next")
}

// fillForm picks the first option where something must still be chosen, and goes on.
func fillForm(ctx context.Context, s *Stage, now Screen) error {
	if c, ok := now.Find("next"); ok && !c.Enabled {
		if err := chooseFirst(ctx, s, now); err != nil {
			return err
		}
	}
	return s.Tap(ctx, "next")
}

func chooseFirst(ctx context.Context, s *Stage, now Screen) error {
	for _, c := range now.Controls {
		if len(c.ID) > 7 && c.ID[:7] == "option." && c.Enabled {
			return s.Tap(ctx, c.ID)
		}
	}
	return errors.New("choose: no option on the screen")
}

func draw(ctx context.Context, s *Stage, now Screen) error {
	pad, ok := now.Find("ink")
	if !ok {
		return errors.New("ink: no pad on the screen")
	}
	x, y, w, h := int(pad.X), int(pad.Y), int(pad.W), int(pad.H)
	strokes := [][][2]int{
		{{x + w/4, y + h/4}, {x + w/2, y + h/4}, {x + 3*w/4, y + h/4}},
		{{x + w/2, y + h/4}, {x + w/2, y + h/2}, {x + w/2, y + 3*h/4}},
		{{x + w/4, y + 3*h/4}, {x + w/2, y + 3*h/4}, {x + 3*w/4, y + 3*h/4}},
	}
	for _, line := range strokes {
		if err := s.display.Stroke(ctx, line); err != nil {
			return err
		}
	}
	return s.Tap(ctx, "next")
}

// rate takes the card and the paper, as a person would, and rates the service.
func rate(ctx context.Context, s *Stage, _ Screen) error {
	if err := s.props.TakeOutput(); err != nil {
		return err
	}
	if err := s.props.TakeCard(); err != nil {
		return err
	}
	return s.TapFirst(ctx, "rate.5", "rate.very-satisfied", "next")
}

// What people and devices take in the journeys of cards.
const (
	officialTime = 3 * time.Second
	phoneTime    = 2 * time.Second
	cardTime     = 20 * time.Second // the simulator's, from data sheets
	motionTime   = 900 * time.Millisecond
)

// approve is the official, a while after the application came.
func approve(_ context.Context, s *Stage, _ Screen) error {
	s.later(officialTime, func() {
		if err := s.world.Approve(); err != nil {
			s.Note("not approved: " + err.Error())
			return
		}
		s.Note("an official approved the application")
	})
	return nil
}

// scanCode is a phone that pays what the screen shows.
func scanCode(_ context.Context, s *Stage, _ Screen) error {
	s.later(phoneTime, func() {
		if err := s.world.Pay(); err != nil {
			s.Note("not paid: " + err.Error())
			return
		}
		s.Note("the fee was paid")
	})
	return nil
}

// watchPreview counts the pictures that the terminal shows of whoever sits there.
func watchPreview(ctx context.Context, s *Stage, now Screen) error {
	began := time.Now()
	if err := sleep(ctx, 900*time.Millisecond); err != nil {
		return err
	}
	then, err := Look(s.probe)
	if err == nil && then.Seq == now.Seq {
		s.Note(fmt.Sprintf("preview: %.1f pictures a second", float64(then.Pictures-now.Pictures)/time.Since(began).Seconds()))
	}
	return nil
}

// card is the way of a card's journey but for what the citizen does differently.
func card(j Journey, at map[string]Act) Journey {
	j.Tile, j.Blanks = "TID", true
	j.At = map[string]Act{"take-output": func(_ context.Context, s *Stage, _ Screen) error {
		s.later(handTime, func() { s.world.Cards.Take() })
		return nil
	}}
	for name, act := range at {
		j.At[name] = act
	}
	return j
}

// handTime is how long somebody takes to take a card.
const handTime = time.Second

func temporaryID() Journey {
	return card(Journey{Name: "temporary-id", Tells: "a temporary identity card: face, photo, signature, approval, fee, card",
		Declared: []Declared{{"printing a card", cardTime.Seconds()}, {"dispenser, two motions", 2 * motionTime.Seconds()}, {"official", officialTime.Seconds()},
			{"phone that pays", phoneTime.Seconds()}, {"hand that takes the card", handTime.Seconds()}},
		Check: all(everyCaseAcked, papers(0, 2), finals(journal.Closed), ratings(1), untroubled, cardsIssued(1), money(fee, 0), ebills(receipted), inTime, seen("photo"), seen("pick-photo"), seen("decision"), seen("pay"))}, nil)
}

// temporaryIDLater: nobody waits for the official.
func temporaryIDLater() Journey {
	return card(Journey{Name: "temporary-id-later", Tells: "the citizen leaves during the audit wait, comes back and gets the card: one application, one bill", Visits: 2,
		Check: all(everyCaseAcked, cases(1), papers(0, 2), finals(journal.Closed), untroubled, cardsIssued(1), seen("decision"))},
		map[string]Act{"decision": leaveUndecided, "attract": comeLater})
}

// leaveUndecided leaves during the audit wait; the official approves a moment later.
func leaveUndecided(ctx context.Context, s *Stage, _ Screen) error {
	s.later(time.Second, func() {
		if err := s.world.Approve(); err == nil {
			s.Note("an official approved the application while nobody was there")
		}
	})
	return s.Tap(ctx, "cancel")
}

// comeLater takes the card from the visit before along, and begins after a while.
func comeLater(ctx context.Context, s *Stage, _ Screen) error {
	if err := s.props.TakeCard(); err != nil {
		return err
	}
	if err := sleep(ctx, 4*time.Second); err != nil {
		return err
	}
	return s.TapFirst(ctx, "begin")
}

func temporaryIDByCode() Journey {
	return card(Journey{Name: "temporary-id-code", Tells: "a temporary identity card without one's face compared: a code on the phone",
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), seen("verify"))},
		map[string]Act{"consent": otherwise})
}

// otherwise takes the other way where a consent offers one.
func otherwise(ctx context.Context, s *Stage, now Screen) error {
	if _, other := now.Find("otherwise"); other {
		return s.Tap(ctx, "otherwise")
	}
	return s.Tap(ctx, "next")
}

// temporaryIDByFinger: a dry finger first, then a good one.
func temporaryIDByFinger() Journey {
	j := card(Journey{Name: "temporary-id-fingerprint", Tells: "a temporary identity card without one's face compared: a finger on the sensor, too dry at first", Rare: true, Fingers: true,
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), money(fee, 0), seen("finger"))},
		map[string]Act{"consent": func(ctx context.Context, s *Stage, now Screen) error {
			s.bump("consent")
			if _, other := now.Find("otherwise"); other && s.count("consent") == 2 { // the face's; the finger's comes after it
				return s.Tap(ctx, "otherwise")
			}
			return s.Tap(ctx, "next")
		}, "choose": func(ctx context.Context, s *Stage, now Screen) error {
			if _, ways := now.Find("option.fingerprint"); ways {
				return s.Tap(ctx, "option.fingerprint")
			}
			return chooseFirst(ctx, s, now)
		}, "finger": layFinger})
	j.After = func(_ context.Context, s *Stage) error {
		seen, sensor := s.world.Prints(), s.world.Sensor.State()
		if len(seen) != 1 || !seen[0].Same || sensor.Sent != 2 || len(s.world.Codes()) != 0 {
			return fmt.Errorf("%d comparisons, %d pictures sent, %d codes: expected one comparison of the second of two pictures, and no code", len(seen), sensor.Sent, len(s.world.Codes()))
		}
		s.Note(fmt.Sprintf("the city compared one finger, likeness %.2f", seen[0].Score))
		return nil
	}
	return j
}

// layFinger does what stands on the screen: it is laid down, left there while its picture comes, lifted, and laid down again.
func layFinger(_ context.Context, s *Stage, _ Screen) error {
	finger := sim.FingerOf(sim.People()[1].Number, 1) // the right thumb of whoever's card lay on the reader
	s.bump("finger")
	switch s.count("finger") {
	case 1:
		s.Note("a dry finger")
		s.world.Sensor.PutFinger(finger, sim.Press{Dry: true})
	case 3, 5:
		s.world.Sensor.LiftFinger()
	case 4:
		s.Note("a good one, laid down aslant")
		s.world.Sensor.PutFinger(finger, sim.Press{X: 12, Y: -8, Turn: 11, Stretch: 0.5})
	}
	return nil
}

func temporaryIDLeft() Journey {
	return card(Journey{Name: "temporary-id-left", Tells: "the card is not taken: it is drawn back, and the ledger keeps it", Rare: true, Quick: true,
		Check: all(everyCaseAcked, finals(journal.Retained), func(s *Summary) error {
			if s.Stock == nil || s.Stock.Balance.Retained != 1 || s.Stock.Bin != 1 || s.Stock.Taken != 0 {
				return fmt.Errorf("ledger %+v: expected one card retained, and in the bin", s.Stock)
			}
			return nil
		})}, map[string]Act{"take-output": nothing})
}

// temporaryIDRibbon: the first blank is spoiled.
func temporaryIDRibbon() Journey {
	return card(Journey{Name: "temporary-id-ribbon", Tells: "the ribbon tears: the blank is spoiled and put away, the ribbon is exchanged, the next blank has its own permit",
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), func(s *Summary) error {
			if s.Stock.Balance.Spoiled != 1 || s.Stock.Bin != 1 || s.Stock.Ribbon.Spoiled != 1 {
				return fmt.Errorf("ledger %+v: expected one blank spoiled, with its ribbon, and in the bin", s.Stock)
			}
			return nil
		})}, map[string]Act{"pay": func(ctx context.Context, s *Stage, now Screen) error {
		if err := s.props.Fault("card-printer", "ribbon-breaks", ""); err != nil {
			return err
		}
		s.later(35*time.Second, func() { // it tears at the end of the print
			s.Note("the ribbon was exchanged")
			_ = s.props.Clear("card-printer")
		})
		return scanCode(ctx, s, now)
	}})
}

func certificate() Journey {
	return Journey{Name: "certificate", Tells: "a certificate of insurance, from the card to the rating", Tile: "SB-P",
		Check: all(everyCaseAcked, papers(1, 1), finals(journal.Closed), ratings(1), untroubled)}
}

func query() Journey {
	return Journey{Name: "query", Tells: "one's own insurance on the screen", Tile: "SB-Q", Check: all(everyCaseAcked, papers(0, 0), seen("result"), seen("done"), untroubled)}
}

func guideOffline() Journey {
	return Journey{Name: "guide-offline", Tells: "the guide while the link is down, with a slip", Tile: "GUIDE",
		Before: cutLink,
		At:     map[string]Act{"guide": once("slip", "next")},
		After:  restoreLink,
		Check:  all(nothingLost, papers(0, 1), seen("guide"), untroubled)}
}

func hotlineOffline() Journey {
	return Journey{Name: "hotline-offline", Tells: "a request to 12345 while the link is down, delivered when it is back",
		Tile: "12345", Before: cutLink, At: map[string]Act{"form": phone}, After: restoreLink,
		Check: all(everyCaseAcked, papers(0, 1), untroubled)}
}

func walkAway() Journey {
	return Journey{Name: "walk-away", Tells: "the citizen leaves at the review: everything is wiped, no case remains",
		Tile: "SB-P", Quick: true, At: map[string]Act{"review": nothing, "take-card": usual["take-card"]},
		Check: all(nothingLost, papers(0, 0), cases(0), untroubled)}
}

func cardPulled() Journey {
	return Journey{Name: "card-pulled", Tells: "the card is pulled away while it is read, and put down again", Tile: "SB-P",
		At: map[string]Act{"identify": func(ctx context.Context, s *Stage, now Screen) error {
			if s.count("pulled") > 0 {
				return nil
			}
			s.bump("pulled")
			if err := s.props.PutCard("李晓雯"); err != nil {
				return err
			}
			if err := sleep(ctx, 250*time.Millisecond); err != nil {
				return err
			}
			if err := s.props.TakeCard(); err != nil {
				return err
			}
			s.Note("the card was pulled away 250 ms after it was put down")
			if err := sleep(ctx, 1500*time.Millisecond); err != nil {
				return err
			}
			return s.props.PutCard("李晓雯")
		}},
		Check: all(everyCaseAcked, papers(1, 1), untroubled)}
}

func paperOut() Journey {
	return Journey{Name: "paper-out", Tells: "the certificate printer runs out of paper in the middle; it is refilled and goes on",
		Tile: "SB-P", At: map[string]Act{
			"review": func(ctx context.Context, s *Stage, _ Screen) error {
				if err := s.props.Fault("document-printer", "paper-out-mid-job", ""); err != nil {
					return err
				}
				s.later(6*time.Second, func() {
					s.Note("paper was refilled")
					_ = s.props.Clear("document-printer")
				})
				return s.Tap(ctx, "next")
			},
		},
		Check: all(everyCaseAcked, papers(1, 1), untroubled)}
}

func cardLeft() Journey {
	return Journey{Name: "card-left", Tells: "the citizen forgets the ID card: reminded, and the next visit is blocked until it is taken",
		Tile: "SB-P", At: map[string]Act{
			"done": func(ctx context.Context, s *Stage, _ Screen) error {
				if err := s.props.TakeOutput(); err != nil {
					return err
				}
				return s.TapFirst(ctx, "rate.5", "rate.very-satisfied", "next")
			},
			"take-card": func(ctx context.Context, s *Stage, now Screen) error {
				if s.count("left") == 0 {
					s.bump("left")
					s.Note("reminded to take the card; it stays")
					s.later(14*time.Second, func() {
						s.Note("the card is taken after all")
						_ = s.props.TakeCard()
					})
				}
				return nil
			},
		},
		Check: all(everyCaseAcked, papers(1, 1), seen("take-card"), untroubled)}
}

func outputLeft() Journey {
	return Journey{Name: "output-left", Tells: "the last citizen's slip is still in the mouth: the next print waits until it is taken",
		Tile: "SB-P", Visits: 2, At: map[string]Act{
			"done": func(ctx context.Context, s *Stage, _ Screen) error {
				if err := s.props.TakeCard(); err != nil {
					return err
				}
				return s.TapFirst(ctx, "rate.5", "rate.very-satisfied", "next")
			},
			"take-output": func(ctx context.Context, s *Stage, _ Screen) error {
				s.later(4*time.Second, func() { _ = s.props.TakeOutput() })
				return nil
			},
		},
		Check: all(everyCaseAcked, papers(2, 2), seen("take-output"), untroubled)}
}

// slipUnplugged pulls the slip printer's plug some hundred bytes into the slip, behind the 6176 that a first slip begins with to fill up
// what an earlier program may have left of a picture.
func slipUnplugged() Journey {
	return Journey{Name: "slip-unplugged", Tells: "the slip printer's plug is pulled in mid-slip and put back; the next citizen's slip is whole",
		Tile: "SB-P", Visits: 2, At: map[string]Act{
			"review": func(ctx context.Context, s *Stage, _ Screen) error {
				if s.count("pulled") == 0 {
					s.bump("pulled")
					if err := s.props.Fault("receipt-printer", "unplug-mid-job", "6550"); err != nil {
						return err
					}
				}
				return s.Tap(ctx, "next")
			},
			"trouble": func(ctx context.Context, s *Stage, _ Screen) error {
				if s.count("back") == 0 {
					s.bump("back")
					s.Note("the slip printer's plug is put back")
					if err := sleep(ctx, time.Second); err != nil {
						return err
					}
					if err := s.props.Clear("receipt-printer"); err != nil {
						return err
					}
				}
				return s.Tap(ctx, "next")
			},
		},
		Check: all(everyCaseAcked, papers(2, -1), seen("trouble"), finals(journal.Closed))}
}

func powerCut() Journey {
	return Journey{Name: "power-cut", Tells: "power is cut after the certificate left the printer and before that was written down",
		Tile: "SB-P", Crash: "effect.acted", Check: all(everyCaseAcked, papers(1, -1), settled("print-document"))}
}

func linkDown() Journey {
	return Journey{Name: "link-down", Tells: "ten requests while the link is down; it comes back, each is acknowledged once",
		Tile: "12345", Visits: 10, Before: cutLink, At: map[string]Act{"form": phone}, After: restoreLink,
		Check: all(everyCaseAcked, cases(10), papers(0, 10), untroubled)}
}

func cutLink(ctx context.Context, s *Stage) error {
	// A terminal that never met its platform has no categories to offer: let it come that far first.
	for deadline := time.Now().Add(20 * time.Second); s.world.Records() == 0 && time.Now().Before(deadline); {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	s.link.Cut()
	s.Note("the link to the platform is cut")
	return sleep(ctx, 12*time.Second) // tiles follow the link within 10 s
}

func restoreLink(_ context.Context, s *Stage) error {
	s.link.Restore()
	s.Note("the link to the platform is back")
	return nil
}

// phone types a synthetic number and goes on.
func phone(ctx context.Context, s *Stage, now Screen) error {
	if err := s.TapFirst(ctx, "field.phone", "key.1"); err != nil {
		return err
	}
	number := "13800000002"
	if _, ok := now.Find("field.phone"); !ok {
		number = number[1:]
	}
	if err := keys(ctx, s, number); err != nil {
		return err
	}
	return s.Tap(ctx, "next")
}

// once taps the first control the first time and the second from then on.
func once(first, then string) Act {
	return func(ctx context.Context, s *Stage, _ Screen) error {
		if s.count("once."+first) == 0 {
			s.bump("once." + first)
			return s.Tap(ctx, first)
		}
		return s.Tap(ctx, then)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ---- checks ----

type check = func(*Summary) error

func all(checks ...check) check {
	return func(s *Summary) error {
		var errs []error
		for _, c := range append([]check{sound}, checks...) {
			errs = append(errs, c(s))
		}
		return errors.Join(errs...)
	}
}

// sound holds for every journey.
func sound(s *Summary) error {
	if len(s.Verify) > 0 {
		return fmt.Errorf("journal does not verify: %v", s.Verify)
	}
	if s.Totals.Lost+s.Totals.Duplicates+s.Totals.Quarantined > 0 {
		return fmt.Errorf("lost %d, duplicates %d, quarantined %d: expected none", s.Totals.Lost, s.Totals.Duplicates, s.Totals.Quarantined)
	}
	return nil
}

func nothingLost(s *Summary) error {
	if s.Totals.Acknowledged != s.Totals.Cases {
		return fmt.Errorf("%d of %d cases acknowledged", s.Totals.Acknowledged, s.Totals.Cases)
	}
	return nil
}

func everyCaseAcked(s *Summary) error {
	if s.Totals.Cases == 0 {
		return errors.New("no case at all")
	}
	return nothingLost(s)
}

func cases(n int) check {
	return func(s *Summary) error {
		if s.Totals.Cases != n {
			return fmt.Errorf("%d cases, expected %d", s.Totals.Cases, n)
		}
		return nil
	}
}

// papers expects so many certificates and receipts; -1 expects any number.
func papers(certificates, receipts int) check {
	return func(s *Summary) error {
		if certificates >= 0 && s.Totals.Certificates != certificates {
			return fmt.Errorf("%d certificates printed, expected %d", s.Totals.Certificates, certificates)
		}
		if receipts >= 0 && s.Totals.Receipts != receipts {
			return fmt.Errorf("%d receipts printed, expected %d", s.Totals.Receipts, receipts)
		}
		return nil
	}
}

func finals(state journal.State) check {
	return func(s *Summary) error {
		for _, c := range s.Cases {
			if c.State != state {
				return fmt.Errorf("case %s is %s, expected %s", c.ReceiptCode, c.State, state)
			}
		}
		return nil
	}
}

// cardsIssued wants so many cards printed, taken, and the same in the ledger.
func cardsIssued(n int) check {
	return func(s *Summary) error {
		if s.Stock == nil {
			return errors.New("no ledger of blanks")
		}
		if err := s.Stock.Balance.Check(); err != nil {
			return err
		}
		if s.Totals.Cards != n || s.Stock.Balance.Issued != uint64(n) || s.Stock.Taken != n {
			return fmt.Errorf("%d cards printed, %d issued in the ledger, %d taken: expected %d", s.Totals.Cards, s.Stock.Balance.Issued, s.Stock.Taken, n)
		}
		r, left := s.Stock.Ribbon, uint64(s.Stock.RibbonLeft)
		if r.Check() != nil || r.Issued != uint64(n) || left > r.Loaded-r.Issued || left < r.Remaining+r.Reserved {
			return fmt.Errorf("ribbon %+v, the printer has %d faces left: expected %d used", r, left, n)
		}
		return nil
	}
}

func ratings(n int) check {
	return func(s *Summary) error {
		if s.Totals.Ratings != n {
			return fmt.Errorf("%d ratings at the platform, expected %d", s.Totals.Ratings, n)
		}
		return nil
	}
}

func seen(screen string) check {
	return func(s *Summary) error {
		if !slices.ContainsFunc(s.Screens, func(name string) bool { return len(name) > 3 && name[3:] == screen+".png" }) {
			return fmt.Errorf("screen %q was never shown", screen)
		}
		return nil
	}
}

// untroubled: nothing went wrong in front of the citizen.
func untroubled(s *Summary) error {
	if seen("trouble")(s) == nil {
		return errors.New("the citizen was shown a trouble")
	}
	return nil
}

func settled(kind string) check {
	return func(s *Summary) error {
		for _, c := range s.Cases {
			for _, e := range c.Effects {
				if e.Kind == kind && e.Settled && e.State == journal.EffectDone {
					return nil
				}
			}
		}
		return fmt.Errorf("no effect %s was settled as done after the restart", kind)
	}
}
