// What an item is: the parts of its file that every item has, and the steps it consists of.

package service

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level is how surely a person must be known for an item.
type Level string

// Identity levels.
const (
	L0 Level = "L0" // nobody is asked who they are
	L1 Level = "L1" // a number only (a bill, a case)
	L2 Level = "L2" // a card was read
	L3 Level = "L3" // a card was read and the person was verified
	L4 Level = "L4" // L3, and a signature
)

// Offline is what an item does without the platform.
type Offline string

// Offline policies.
const (
	OfflineNone  Offline = "none"              // not available: the tile says so
	OfflineFull  Offline = "full"              // works the same
	OfflineStore Offline = "store-and-forward" // accepted here, sent when the link is back
)

// An Item (事项) is one entry of the catalogue of services.
type Item struct {
	Code      string
	Schema    int
	Zone      string
	Icon      string
	Order     int
	Name      Words
	Hint      Words
	Level     Level
	Hours     Hours
	Offline   Offline
	Retention time.Duration // how long sealed personal data stays after everything was acknowledged
	Outputs   []string      // "document", "receipt", "screen"
	Needs     []Consumable
	Steps     []Named
	// Hash is the SHA-256 of the file: a case pins it.
	Hash [32]byte
	File string
}

// Named is a step with its name: unique in the item, and part of an effect's name.
type Named struct {
	Name string // the kind, with a number from the second on: "form", "form2"
	Kind string
	Bar  Words // its place in the progress bar; empty when it shares the place of the step before
	Step Step
}

// Consumable is what one case uses up.
type Consumable struct {
	Device string `yaml:"device"`
	Sheets int    `yaml:"sheets"`
}

// Words is wording by language.
type Words map[string]string

// Text makes the wording a message.
func (w Words) Text() Text { return Worded(w) }

// Languages every wording must have.
var Languages = []string{"zh", "en"}

// Hours is when an item is offered, in the terminal's time zone. The zero value is always.
type Hours struct {
	From time.Duration // since midnight
	To   time.Duration
	Days []time.Weekday // empty: every day
}

// Open says whether t lies in the hours.
func (h Hours) Open(t time.Time) bool {
	if len(h.Days) > 0 && !slices.Contains(h.Days, t.Weekday()) {
		return false
	}
	if h.From == h.To {
		return true
	}
	y, m, d := t.Date()
	since := t.Sub(time.Date(y, m, d, 0, 0, 0, 0, t.Location()))
	return since >= h.From && since < h.To
}

// clock writes a time of day.
func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// parseHours reads "08:30-17:00", or "always".
func parseHours(s string) (from, to time.Duration, err error) {
	if s == "" || s == "always" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, fmt.Errorf("hours %q, expected \"always\" or \"08:30-17:00\"", s)
	}
	if from, err = parseClock(a); err != nil {
		return 0, 0, err
	}
	if to, err = parseClock(b); err != nil {
		return 0, 0, err
	}
	if from >= to {
		return 0, 0, fmt.Errorf("hours %q end before they begin", s)
	}
	return from, to, nil
}

func parseClock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return 0, fmt.Errorf("time of day %q, expected \"HH:MM\"", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// Items are all items by their order on the home screen.
type Items []*Item

// Item finds an item by code.
func (is Items) Item(code string) (*Item, bool) {
	for _, it := range is {
		if it.Code == code {
			return it, true
		}
	}
	return nil, false
}

// bar is the item's progress bar: its visible steps, and for every step the place it has there.
func (it *Item) bar() (labels []Text, at []int) {
	at = make([]int, len(it.Steps))
	for i, s := range it.Steps {
		if len(s.Bar) > 0 {
			labels = append(labels, s.Bar.Text())
		}
		at[i] = len(labels) - 1
	}
	return labels, at
}
