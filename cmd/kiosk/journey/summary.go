//go:build !release

package journey

// The summary: what a journey did, read afterwards from the terminal's own journal and from the platform.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// A Summary is summary.json.
type Summary struct {
	Journey  string        `json:"journey"`
	Began    time.Time     `json:"began"`
	Took     string        `json:"took"`
	Cases    []CaseSummary `json:"cases"`
	Totals   Totals        `json:"totals"`
	Screens  []string      `json:"screens"`
	Times    []StepTime    `json:"times"`           // how long each screen stood
	Stock    *StockSummary `json:"stock,omitempty"` // of blank cards
	Money    MoneySummary  `json:"money"`           // at the payment channel, in fen
	EBills   EBillSummary  `json:"ebills"`          // at their issuer
	Declared []Declared    `json:"declared,omitempty"`
	Papers   []string      `json:"papers"`
	Kills    int           `json:"kills"`           // how often the terminal died at its crash point and was started again
	Verify   []string      `json:"verify_problems"` // empty when chains and ledgers hold
	Notes    []string      `json:"notes,omitempty"` // what the journey saw happen (process killed, link cut)
	Failed   string        `json:"failed,omitempty"`
	Second   *Summary      `json:"second,omitempty"` // of a second terminal
}

// MoneySummary is what the payment channel took and gave back, in fen.
type MoneySummary struct {
	Paid     int64 `json:"paid"`
	Returned int64 `json:"returned"`
}

// EBillSummary counts e-bills: issued, cancelled by a red one, named on a slip, with the code to scan besides, and slips that say that one
// comes later.
type EBillSummary struct {
	Issued  int `json:"issued"`
	Red     int `json:"red"`
	Named   int `json:"named"`
	Scanned int `json:"scanned"`
	Later   int `json:"later"`
	// Nameless are those whose issuer was told no payer.
	Nameless int `json:"nameless"`
}

// Declared is a time that a device or a person takes.
type Declared struct {
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"`
}

// machine are the screens on which the terminal decides when they go: what is on them beyond the declared times is its own.
var machine = map[string]bool{"wait": true, "progress": true, "decision": true, "pay": true, "take-output": true}

// WriteTimes writes how long each screen stood, where a journey declares what its devices and people take.
func (s *Summary) WriteTimes(to io.Writer) {
	if len(s.Declared) == 0 {
		return
	}
	var all, own float64
	for _, t := range s.Times {
		fmt.Fprintf(to, "  %-12s %6.2f s", t.Screen, t.Seconds)
		if t.Judged > 0 {
			fmt.Fprintf(to, "   photo judged %.2f s after the shutter (at most %.2f)", t.Judged, mostJudged)
		}
		fmt.Fprintln(to)
		if all += t.Seconds; machine[t.Screen] {
			own += t.Seconds
		}
	}
	fmt.Fprintf(to, "  all screens  %6.2f s; those that the terminal ends itself %.2f s (at most %.0f), of which declared:\n", all, own, mostMachine.Seconds())
	for _, d := range s.Declared {
		fmt.Fprintf(to, "    %-26s %6.2f s\n", d.What, d.Seconds)
		own -= d.Seconds
	}
	fmt.Fprintf(to, "  the terminal's own %.2f s (at most %.0f)\n", own, mostOwn)
	for _, c := range s.Cases {
		for i, h := range c.History {
			if i > 0 {
				fmt.Fprintf(to, "    %6.2f s  %s\n", h.At.Sub(c.History[0].At).Seconds(), h.State)
			}
		}
	}
	if d, made := s.made(); made {
		fmt.Fprintf(to, "  from the blank, whose permit is asked for next, to the card in the hand %.2f s (at most %.0f)\n", d.Seconds(), mostMade.Seconds())
	}
}

// What a card may take, in seconds beyond the declared times, and from its permit to the hand.
const (
	mostOwn     = 5.0
	mostJudged  = 0.3 // from the shutter, on a machine that has nothing else to do
	mostMachine = 6 * time.Minute
	mostMade    = 90 * time.Second
)

// made is how long the first card took from the moment when its blank was bound to it.
func (s *Summary) made() (d time.Duration, made bool) {
	for _, c := range s.Cases {
		var bound time.Time
		for _, h := range c.History {
			switch {
			case h.State == journal.Bound:
				bound = h.At
			case h.State == journal.Delivered && !bound.IsZero():
				return h.At.Sub(bound), true
			}
		}
	}
	return 0, false
}

// inTime wants the limits of a card's journey kept.
func inTime(s *Summary) error {
	var all float64
	for _, t := range s.Times {
		if machine[t.Screen] {
			all += t.Seconds
		}
	}
	if all > mostMachine.Seconds() {
		return fmt.Errorf("%.0f s on screens that the terminal ends itself, expected %v at most", all, mostMachine)
	}
	if d, made := s.made(); !made || d > mostMade {
		return fmt.Errorf("card made: %v, after %v, expected %v at most", made, d, mostMade)
	}
	return nil
}

// StepTime is how long a screen stood, by the terminal's probe.
type StepTime struct {
	Screen  string  `json:"screen"`
	Seconds float64 `json:"seconds"`
	Judged  float64 `json:"judged_seconds,omitempty"` // from the shutter until this screen with the photos stood
}

// StockSummary is the ledger of blank cards beside what the machine holds.
type StockSummary struct {
	Balance wire.StockBalance `json:"balance"`
	Blanks  []journal.Blank   `json:"blanks"`
	Hopper  int               `json:"hopper"` // in the simulated machine
	Bin     int               `json:"bin"`
	Taken   int               `json:"taken"`
	// Ribbon is its balance in faces, RibbonLeft what the simulated printer has left.
	Ribbon     wire.StockBalance `json:"ribbon"`
	RibbonLeft int               `json:"ribbon_left"`
}

// readStock fills the ledger.
func (s *Summary) readStock(j *journal.Journal, machine sim.DispenserState, ribbonLeft int) error {
	b, err := j.StockBalance("card")
	if err != nil || b.Loaded == 0 {
		return err
	}
	blanks, err := j.Blanks(nil)
	if err != nil {
		return err
	}
	ribbon, err := j.StockBalance(journal.StockRibbon)
	s.Stock = &StockSummary{b, blanks, machine.Hopper, machine.Bin, machine.Taken, ribbon, ribbonLeft}
	return err
}

// A CaseSummary is one case as the terminal's journal has it, and whether the platform holds it.
type CaseSummary struct {
	Item        string              `json:"item"`
	Case        string              `json:"case"`
	ReceiptCode string              `json:"receipt_code"`
	State       journal.State       `json:"state"`
	History     []journal.CaseEvent `json:"history"`
	Effects     []EffectSummary     `json:"effects"`
	Acked       bool                `json:"acked"`
	AtPlatform  int                 `json:"at_platform"` // how many cases with this id the platform holds: 1
}

// An EffectSummary is one act on the world.
type EffectSummary struct {
	Kind    string              `json:"kind"`
	Attempt int                 `json:"attempt"`
	State   journal.EffectState `json:"state"`
	Detail  string              `json:"detail,omitempty"`
	Settled bool                `json:"settled,omitempty"`
}

// Totals count the journey's cases and papers.
type Totals struct {
	Cases        int `json:"cases"`
	Acknowledged int `json:"acknowledged"`
	Duplicates   int `json:"duplicates"` // cases or papers that exist more than once
	Lost         int `json:"lost"`       // cases of the terminal that the platform does not hold
	Certificates int `json:"certificates_printed"`
	Receipts     int `json:"receipts_printed"`
	Cards        int `json:"cards_printed"`
	Ratings      int `json:"ratings"`
	Quarantined  int `json:"quarantined"`
}

func (s *Summary) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "summary.json"), append(b, '\n'), 0o644)
}

// readJournal fills the cases from a journal that no terminal holds any more.
func (s *Summary) readJournal(j *journal.Journal, atPlatform map[string]int) error {
	cases, err := j.Cases(nil)
	if err != nil {
		return err
	}
	for _, c := range cases {
		acked, err := j.CaseAcked(c.ID)
		if err != nil {
			return err
		}
		effects, err := j.Effects(c.ID)
		if err != nil {
			return err
		}
		one := CaseSummary{Item: c.Item, Case: c.ID, ReceiptCode: c.ReceiptCode, State: c.State, History: c.History,
			Acked: acked, AtPlatform: atPlatform[c.ID]}
		for _, e := range effects {
			one.Effects = append(one.Effects, EffectSummary{e.Kind, e.Attempt, e.State, e.Detail, e.Settled})
		}
		s.Cases = append(s.Cases, one)
		s.Totals.Cases++
		if acked {
			s.Totals.Acknowledged++
		}
		switch one.AtPlatform {
		case 0:
			s.Totals.Lost++
		case 1:
		default:
			s.Totals.Duplicates++
		}
	}
	return nil
}
