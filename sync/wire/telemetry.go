package wire

// Telemetry: how a terminal is, for whoever looks after many. It goes last, may be lost, and has no place for a text: numbers,
// and words of one fixed list.

import (
	"fmt"
	"time"
)

// PathTelemetry takes samples: POST Samples → SamplesHeld.
const PathTelemetry = "/v1/telemetry"

// MaxSamples is how many samples one request carries.
const MaxSamples = 100

// terms are all that a Term can be. New ones are put at the end; the first is whatever is none of the others.
var terms = [...]string{"other",
	"id-reader", "receipt-printer", "document-printer", "card-printer", "card-dispenser", "camera", "code-scanner", "smart-card",
	"fingerprint", "signature", "sound", "lights", "door", "ups",
	"ready", "no-device", "starting", "other-device", "broken", "jammed", "cover-open", "paper-out", "toner-out", "offline",
	"card-check", "card", "ribbon",
}

// Term is one of a fixed list of words for devices and their states. It cannot hold another text: what is not on the list is
// "other", in whichever direction it goes.
type Term uint8

// TermOf is the word for a text; "" is "ready".
func TermOf(s string) Term {
	if s == "" {
		s = "ready"
	}
	for i, w := range terms {
		if w == s {
			return Term(i)
		}
	}
	return 0
}

// String is the word.
func (w Term) String() string {
	if int(w) < len(terms) {
		return terms[w]
	}
	return terms[0]
}

// MarshalText writes the word.
func (w Term) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads a word; an unknown one, of a later version, is "other".
func (w *Term) UnmarshalText(b []byte) error {
	if len(b) > 64 {
		return fmt.Errorf("a word of %d bytes", len(b))
	}
	*w = TermOf(string(b))
	return nil
}

// Telemetry is one look at a terminal. All numbers are 0 or more, but the clock's.
type Telemetry struct {
	Devices  map[Term]Term `json:"devices"`       // role → what keeps it from working, "ready" when nothing does
	Waiting  uint64        `json:"waiting"`       // records not acknowledged
	Pictures uint64        `json:"pictures"`      // not sent
	Oldest   int64         `json:"oldest_s"`      // age of the oldest record that waits, seconds
	Journal  int64         `json:"journal_bytes"` // used
	Quota    int64         `json:"quota_bytes"`   // of the journal
	Disk     int64         `json:"disk_bytes"`    // free beside the journal; 0 where it is not known
	Memory   int64         `json:"memory_bytes"`  // of the program
	Up       int64         `json:"up_s"`          // since the program's start, seconds
	Routines uint64        `json:"routines"`      // goroutines
	ClockOff int64         `json:"clock_off_ms"`  // the platform's clock minus the terminal's, as estimated
	// Locked are the kinds of stock of which nothing is made: a count was off, and two people have not cleared it.
	Locked []Term `json:"locked,omitempty"`
}

// Sample is telemetry with its place in the ring.
type Sample struct {
	Seq       uint64    `json:"seq"`  // from 1; what is missing between two was lost
	Wall      time.Time `json:"wall"` // the terminal's clock, millisecond UTC
	Telemetry Telemetry `json:"telemetry"`
}

// Samples are a run of the ring, oldest first.
type Samples struct {
	V        int      `json:"v"`
	Terminal string   `json:"terminal"`
	Epoch    uint32   `json:"epoch"` // a ring of another epoch is another ring
	Samples  []Sample `json:"samples"`
}

// Check says what is wrong with samples.
func (s Samples) Check() error {
	switch {
	case s.V != Version:
		return fmt.Errorf("samples: version %d, expected %d", s.V, Version)
	case s.Epoch == 0:
		return fmt.Errorf("samples: epoch 0")
	case len(s.Samples) == 0 || len(s.Samples) > MaxSamples:
		return fmt.Errorf("samples: %d, expected 1 to %d", len(s.Samples), MaxSamples)
	}
	last := uint64(0)
	for i, x := range s.Samples {
		t := x.Telemetry
		if x.Seq <= last || x.Seq > 1<<62 {
			return fmt.Errorf("sample %d: sequence %d after %d", i, x.Seq, last)
		}
		if y := x.Wall.Year(); y < 1970 || y > 9999 || len(t.Devices) > len(terms) || len(t.Locked) > len(terms) {
			return fmt.Errorf("sample %d: time or devices out of range", i)
		}
		for _, n := range []int64{t.Oldest, t.Journal, t.Quota, t.Disk, t.Memory, t.Up, int64(t.Waiting), int64(t.Pictures), int64(t.Routines)} {
			if n < 0 {
				return fmt.Errorf("sample %d: a number is negative", i)
			}
		}
		last = x.Seq
	}
	return nil
}

// SamplesHeld answers samples.
type SamplesHeld struct {
	High uint64 `json:"high"` // sequence of the last one that is held
	Lost uint64 `json:"lost"` // how many never came, in this epoch
}
