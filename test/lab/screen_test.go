//go:build lab

package lab

// The certificate journey in the real window: Fyne under Xvfb, touched by X events, with ID reader and slip printer on USB.

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLabScreenJourney needs the program that `make lab` builds outside: there is no compiler's cache in the machine.
func TestLabScreenJourney(t *testing.T) {
	Inside(t)
	program, err := filepath.Abs("../../bin/kiosk")
	if err != nil {
		t.Fatal(err)
	}
	framings := []string{"split", "joined"}
	if testing.Short() {
		framings = framings[:1]
	}
	for _, framing := range framings {
		t.Run(framing, func(t *testing.T) {
			dir := t.TempDir()
			defer keep(t, dir, "journey-"+framing)
			// An emulated processor draws for a second where a real one takes a tenth of it.
			out, err := exec.Command(program, "demo", "--headless", "--journey", "slip-unplugged", "--usb", framing, "--slow", "6",
				"--width", "540", "--height", "960", "--out", dir).CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				log, _ := os.ReadFile(filepath.Join(dir, "terminal.log"))
				t.Fatalf("%v\nterminal:\n%s", err, log)
			}
			b, err := os.ReadFile(filepath.Join(dir, "summary.json"))
			if err != nil {
				t.Fatal(err)
			}
			var s struct {
				Totals struct{ Cases, Acknowledged, Duplicates, Lost int }
				Cases  []struct {
					State   string
					Effects []struct{ Kind, State string }
				}
				Screens []string
				Notes   []string
			}
			if err := json.Unmarshal(b, &s); err != nil {
				t.Fatal(err)
			}
			if s.Totals.Cases != 2 || s.Totals.Acknowledged != 2 || s.Totals.Duplicates+s.Totals.Lost > 0 {
				t.Errorf("%+v", s.Totals)
			}
			var slips []string
			for _, c := range s.Cases {
				for _, e := range c.Effects {
					if e.Kind == "print-receipt" {
						slips = append(slips, e.State)
					}
				}
			}
			if strings.Join(slips, " ") != "unknown done" {
				t.Errorf("slips are %q, expected one that nobody knows whole and one that is", slips)
			}
			t.Logf("%d pictures, %q", len(s.Screens), s.Notes)
		})
	}
}

// keep copies pictures, papers, summary and log to the host, if it gave the machine a folder for it.
func keep(t *testing.T, dir, name string) {
	to := os.Getenv("LAB_OUT")
	if to == "" {
		return
	}
	for _, pattern := range []string{"screens/*.png", "*.png", "summary.json", "terminal.log"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range files {
			rel, err := filepath.Rel(dir, f)
			must(t, err)
			b, err := os.ReadFile(f)
			must(t, err)
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(to, name, rel)), 0o755))
			must(t, os.WriteFile(filepath.Join(to, name, rel), b, 0o644))
		}
	}
}
