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
	Declared []Declared    `json:"declared,omitempty"`
	Papers   []string      `json:"papers"`
	Kills    int           `json:"kills"`           // how often the terminal died at its crash point and was started again
	Verify   []string      `json:"verify_problems"` // empty when chains and ledgers hold
	Notes    []string      `json:"notes,omitempty"` // what the journey saw happen (process killed, link cut)
	Failed   string        `json:"failed,omitempty"`
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
		fmt.Fprintf(to, "  %-12s %6.2f s\n", t.Screen, t.Seconds)
		if all += t.Seconds; machine[t.Screen] {
			own += t.Seconds
		}
	}
	fmt.Fprintf(to, "  all screens  %6.2f s; those that the terminal ends itself %.2f s, of which declared:\n", all, own)
	for _, d := range s.Declared {
		fmt.Fprintf(to, "    %-26s %6.2f s\n", d.What, d.Seconds)
		own -= d.Seconds
	}
	fmt.Fprintf(to, "  the terminal's own %.2f s\n", own)
}

// StepTime is how long a screen stood, by the terminal's probe.
type StepTime struct {
	Screen  string  `json:"screen"`
	Seconds float64 `json:"seconds"`
}

// StockSummary is the ledger of blank cards beside what the machine holds.
type StockSummary struct {
	Balance wire.StockBalance `json:"balance"`
	Blanks  []journal.Blank   `json:"blanks"`
	Hopper  int               `json:"hopper"` // in the simulated machine
	Bin     int               `json:"bin"`
	Taken   int               `json:"taken"`
}

// readStock fills the ledger.
func (s *Summary) readStock(j *journal.Journal, machine sim.DispenserState) error {
	b, err := j.StockBalance("card")
	if err != nil || b.Loaded == 0 {
		return err
	}
	blanks, err := j.Blanks(nil)
	s.Stock = &StockSummary{b, blanks, machine.Hopper, machine.Bin, machine.Taken}
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
