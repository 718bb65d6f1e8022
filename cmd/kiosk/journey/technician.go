//go:build !release

package journey

// The technician's journey: at the same screen, by the same touches.

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/service/maintain"
)

// A technician of the demonstration.
const (
	serviceCode = "1001"
	servicePIN  = "481516"
)

func technician() Journey {
	return Journey{Name: "technician", Tells: "a technician tests the slip printer, loads paper, prints the day's end and resumes; then a citizen is served",
		Tile: "SB-P", Before: maintenance}
}

// TechniciansFile is where the terminal looks for its technicians.
func (w *World) TechniciansFile() maintain.File {
	return maintain.File{Path: filepath.Join(filepath.Dir(w.JournalPath()), maintain.KeeperFile)}
}

// maintenance is a technician's round, from the emblem to "resume".
func maintenance(ctx context.Context, s *Stage) error {
	if err := s.world.TechniciansFile().Add(maintain.Technician{Code: serviceCode, Operator: "op.zhang", Name: "张工"}, servicePIN); err != nil {
		return err
	}
	for range 5 {
		if err := s.Tap(ctx, "emblem"); err != nil {
			return err
		}
	}
	return s.walk(ctx, "form:"+serviceCode+"/pin:"+servicePIN, "tech-home:test.receipt-printer", "tech-told:understood",
		"tech-home:test.document-printer", "tech-told:understood",
		"tech-home:supplies", "tech-supplies:sheet", "tech-supply:load", "form:500", "tech-supply:back", "tech-supplies:slip", "tech-supply:load", "form:400", "tech-supply:back", "tech-supplies:back",
		"tech-home:network", "tech-network:back", "tech-home:logs", "tech-logs:verify", "tech-told:understood", "tech-logs:bundle", "tech-told:understood", "tech-logs:back",
		"tech-home:desk", "tech-desk:back", "tech-home:found", "tech-found:back", "tech-home:board", "tech-board:back",
		"tech-home:settle", "tech-settle:print", "tech-told:understood", "tech-settle:shift", "tech-sure:yes", "tech-told:understood",
		"tech-settle:shifts", "tech-shifts:1", "tech-told:understood", "tech-shifts:back", "tech-settle:back", "tech-home:leave", "out-of-service:",
		"emblem", "form:"+serviceCode+"/pin:"+servicePIN, "tech-home:resume")
}

// walk goes from screen to screen: "screen:control" waits for a screen, takes its picture and touches a control; "form:" types
// digits into the first field and, behind a slash, into another; a control alone is touched five times.
func (s *Stage) walk(ctx context.Context, steps ...string) error {
	var last uint64
	for _, step := range steps {
		screen, control, named := strings.Cut(step, ":")
		if !named {
			for range 5 {
				if err := s.Tap(ctx, step); err != nil {
					return err
				}
			}
			continue
		}
		now, err := s.await(ctx, func(n Screen) bool { return n.Screen == screen && n.Seq > last })
		if err != nil {
			return fmt.Errorf("step %q: %w", step, err)
		}
		last = now.Seq
		s.picture(ctx, now)
		switch {
		case screen == "form":
			err = s.fill(ctx, control)
		case control != "":
			err = s.Tap(ctx, control)
		}
		if err != nil {
			return fmt.Errorf("step %q: %w", step, err)
		}
	}
	return nil
}

// fill types "first/name:second" and goes on.
func (s *Stage) fill(ctx context.Context, what string) error {
	for i, part := range strings.Split(what, "/") {
		digits := part
		if i > 0 {
			var field string
			field, digits, _ = strings.Cut(part, ":")
			if err := s.Tap(ctx, "field."+field); err != nil {
				return err
			}
		}
		if err := keys(ctx, s, digits); err != nil {
			return err
		}
	}
	return s.Tap(ctx, "next")
}
