package sim

// The identity-card reader: a SAM module on a line, and the card that lies on it or not.

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// ReaderOptions of [StartIDReader].
type ReaderOptions struct {
	Line LineOptions
	// How long the module takes; 0 means 30 ms to find, 60 ms to select, 500 ms to read, as field reports have it. Negative is at once.
	Find, Select, Read time.Duration
	// NoneAfterRead is how often the module answers "no card" after a read although the card lies there; 0 means once, negative never.
	NoneAfterRead int
}

// IDReader is a simulated reader.
type IDReader struct {
	opt    ReaderOptions
	cable  *cable
	faults *faults

	mu       sync.Mutex
	card     *Card
	stage    stage
	blind    int // looks for which a card that was read stays unseen
	reads    int
	asleep   bool
	modified chan struct{} // closed and replaced when the card changes, so that a read notices
}

// stage is how far module and card have come.
type stage int

const (
	apart stage = iota
	found
	selected
)

// samID is the module's number, from the public description of the protocol: 05.01-20101129-0001228293-0296863149.
var samID = []byte{0x05, 0, 0x01, 0, 0x09, 0xB8, 0x32, 0x01, 0x05, 0xBE, 0x12, 0, 0xAD, 0xC5, 0xB1, 0x11}

// SAMID is the module's number in the form in which drivers show it.
const SAMID = "05.01-20101129-0001228293-0296863149"

// StartIDReader plugs a reader in.
func StartIDReader(opt ReaderOptions) (*IDReader, error) {
	for _, d := range []struct {
		at    *time.Duration
		usual time.Duration
	}{{&opt.Find, 30 * time.Millisecond}, {&opt.Select, 60 * time.Millisecond}, {&opt.Read, 500 * time.Millisecond}} {
		if *d.at == 0 {
			*d.at = d.usual
		}
	}
	if opt.NoneAfterRead == 0 {
		opt.NoneAfterRead = 1
	}
	r := &IDReader{opt: opt, faults: newFaults(readerFaults), modified: make(chan struct{})}
	c, err := newCable(DeviceIDReader, opt.Line, r.serve)
	if err != nil {
		return nil, err
	}
	r.cable = c
	return r, nil
}

// URI is how a driver opens the reader.
func (r *IDReader) URI() string { return r.cable.URI() }

// Close takes the reader away and waits for its goroutines.
func (r *IDReader) Close() error { return r.cable.close() }

// PutCard lays a card on the reader; one that lies there already is replaced.
func (r *IDReader) PutCard(c Card) error {
	if err := c.check(); err != nil {
		return err
	}
	r.lay(&c)
	return nil
}

// TakeCard takes the card away, also in the middle of a read; without a card it does nothing.
func (r *IDReader) TakeCard() { r.lay(nil) }

func (r *IDReader) lay(c *Card) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.card, r.stage, r.blind = c, apart, 0
	close(r.modified)
	r.modified = make(chan struct{})
}

// ReaderState is what a reader looks like from outside.
type ReaderState struct {
	Card    string   `json:"card,omitempty"` // label of the card that lies there
	Plugged bool     `json:"plugged"`
	Reads   int      `json:"reads"` // records delivered
	Faults  []string `json:"faults,omitempty"`
	URI     string   `json:"uri"`
}

// State tells how the reader is.
func (r *IDReader) State() ReaderState {
	s := ReaderState{Plugged: r.cable.plugged(), Faults: r.faults.names(), URI: r.URI()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Reads = r.reads
	if r.card != nil {
		s.Card = r.card.Label()
	}
	return s
}

// Fault breaks the reader; value "" takes the fault's default. See [Faults].
func (r *IDReader) Fault(name, value string) error {
	n, err := r.faults.parse(name, value)
	if err != nil {
		return err
	}
	switch name {
	case "baud-mismatch":
		if _, ok := speeds[n]; !ok {
			return fmt.Errorf("%w: %d baud", ErrValue, n)
		}
		r.cable.setBaud(n)
	case "unplug":
		r.cable.unplug()
	}
	r.faults.set(name, n)
	return nil
}

// Clear mends one fault, or everything for "".
func (r *IDReader) Clear(name string) error {
	if name != "" {
		if _, err := r.faults.parse(name, ""); err != nil {
			return err
		}
	}
	mends := func(f string) bool { return (name == "" || name == f) && r.faults.has(f) }
	if mends("baud-mismatch") {
		r.cable.setBaud(r.cable.opt.Baud)
	}
	replug := mends("unplug")
	r.faults.clear(name)
	if replug {
		r.powerUp()
		return r.cable.plug()
	}
	return nil
}

// powerUp is what a module forgets with its supply. Its speed is not among it.
func (r *IDReader) powerUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage, r.blind, r.asleep = apart, 0, false
}

// serve answers one host until the plug is pulled. A module does one thing at a time: while it works, requests wait in
// the line.
func (r *IDReader) serve(ctx context.Context, c *conn) {
	var p samParser
	in := make([]byte, 256)
	last := time.Now()
	for {
		n, err := c.Read(in)
		if err != nil {
			return
		}
		// A frame that stopped for longer than this is not taken up again, or one lost byte would cost the next request too.
		if time.Since(last) > 500*time.Millisecond {
			p.drop()
		}
		last = time.Now()
		for _, req := range p.feed(in[:n]) {
			if r.faults.has("silent") {
				continue
			}
			answer, after := r.execute(ctx, req)
			if answer == nil {
				continue
			}
			if r.send(ctx, c, answer) != nil {
				return
			}
			if after != nil {
				after()
			}
		}
	}
}
