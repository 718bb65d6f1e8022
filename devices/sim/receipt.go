package sim

// The receipt printer: a head on a line, its paper, and the slip at its mouth.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ReceiptOptions of [StartReceiptPrinter].
type ReceiptOptions struct {
	Line LineOptions
	Head string // one of [Heads]; "" is "epson"
	// Font is an OpenType or TrueType face for the built-in characters. Without one Latin is drawn in a plain face and Han
	// as boxes; the transcript is whole either way.
	Font []byte
	// Speed of the paper in mm/s; 0 means 150, negative is at once.
	Speed int
	// Buffer is the receive buffer in bytes; 0 means 4096. A full one stops the line.
	Buffer int
	// XonXoff makes the head tell with 13h and 11h that it is full; otherwise it stops taking bytes (hardware flow control).
	XonXoff bool
	// Dir receives every slip as receipt-NN.png.
	Dir string
	// OnSlip is called for every slip that was cut, from the printer's goroutine.
	OnSlip func(Paper)
	Now    func() time.Time
}

// ReceiptPrinter is a simulated receipt printer.
type ReceiptPrinter struct {
	opt    ReceiptOptions
	head   head
	cable  *cable
	faults *faults
	glyphs *glyphs
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change of anything below
	held      condition     // state that came about by itself
	buffer    []byte        // received, not yet executed
	full      bool          // the host was told to stop
	resets    int           // counts clearings of the buffer, so that the interpreter drops its command
	received  int           // bytes since the fault unplug-mid-job was set
	paperLeft int           // dots until the roll ends, -1 is endless
	asb       byte
	host      *conn
	slips     []Paper
	count     int
	retracted int
	taken     int
	unknown   int // commands that this head does not have
	trouble   string
}

// StartReceiptPrinter plugs a printer in.
func StartReceiptPrinter(opt ReceiptOptions) (*ReceiptPrinter, error) {
	h, err := headNamed(opt.Head)
	if err != nil {
		return nil, err
	}
	if opt.Speed == 0 {
		opt.Speed = 150
	}
	if opt.Buffer <= 0 {
		opt.Buffer = 4096
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Dir != "" {
		if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("sim %s: %w", DeviceReceiptPrinter, err)
		}
	}
	g, err := newGlyphs(opt.Font)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &ReceiptPrinter{opt: opt, head: h, faults: newFaults(receiptFaults), glyphs: g, cancel: cancel, done: make(chan struct{}),
		changed: make(chan struct{}), paperLeft: -1}
	if p.cable, err = newCable(DeviceReceiptPrinter, opt.Line, p.serve, p.portStatus); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.interpret(ctx)
	}()
	return p, nil
}

// URI is how a driver opens the printer.
func (p *ReceiptPrinter) URI() string { return p.cable.URI() }

// Close takes the printer away and waits for its goroutines.
func (p *ReceiptPrinter) Close() error {
	err := p.cable.close()
	p.cancel()
	<-p.done
	p.glyphs.close()
	return err
}

// change does something to the state under the lock and wakes whoever waits for a change. The automatic status goes out
// first: what a head answers because it may go on comes after the news that it may.
func (p *ReceiptPrinter) change(do func()) {
	p.mu.Lock()
	before := p.conditionLocked()
	do()
	after := p.conditionLocked()
	host, asb := p.host, p.asb
	p.mu.Unlock()
	if asb != 0 && host != nil && !slices.Equal(p.head.automatic(before), p.head.automatic(after)) {
		p.reply(host, p.head.automatic(after))
	}
	p.mu.Lock()
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
}

// conditionLocked adds what is broken on purpose to what came about by itself.
func (p *ReceiptPrinter) conditionLocked() condition {
	c := p.held
	c.nearEnd = c.nearEnd || p.faults.has("paper-near-end")
	c.paperOut = p.faults.has("paper-out") || p.paperLeft == 0
	c.coverOpen = p.faults.has("cover-open")
	c.cutter = p.faults.has("cutter-error")
	c.hot = p.faults.has("overheated")
	c.jam = p.faults.has("jam")
	c.offline = p.faults.has("offline")
	return c
}

func (p *ReceiptPrinter) condition() condition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conditionLocked()
}

// Present reports whether a slip is at the mouth.
func (p *ReceiptPrinter) Present() bool { return p.condition().mouth }

// Take takes the slip from the mouth, and reports whether there was one.
func (p *ReceiptPrinter) Take() (was bool) {
	p.change(func() {
		if was = p.held.mouth; was {
			p.held.mouth = false
			p.taken++
		}
	})
	return was
}

// Slips are the last slips that were cut, oldest first.
func (p *ReceiptPrinter) Slips() []Paper {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.slips)
}

// ReceiptState is what a printer looks like from outside.
type ReceiptState struct {
	Head      string   `json:"head"`
	Plugged   bool     `json:"plugged"`
	Mouth     bool     `json:"mouth"`   // a slip is at the mouth
	Stopped   bool     `json:"stopped"` // it waits for a person
	Printed   int      `json:"printed"` // slips cut
	Taken     int      `json:"taken"`
	Retracted int      `json:"retracted"`
	Buffered  int      `json:"buffered"` // bytes received and not yet executed
	Unknown   int      `json:"unknown"`  // commands that this head does not have
	Trouble   string   `json:"trouble,omitempty"`
	Faults    []string `json:"faults,omitempty"`
	URI       string   `json:"uri"`
}

// State tells how the printer is.
func (p *ReceiptPrinter) State() ReceiptState {
	s := ReceiptState{Head: p.head.name, Plugged: p.cable.plugged(), Faults: p.faults.names(), URI: p.URI()}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.conditionLocked()
	s.Mouth, s.Stopped = c.mouth, c.stopped()
	s.Printed, s.Taken, s.Retracted, s.Buffered = p.count, p.taken, p.retracted, len(p.buffer)
	s.Unknown, s.Trouble = p.unknown, p.trouble
	return s
}

// finish keeps a slip that was cut.
func (p *ReceiptPrinter) finish(r *roll) {
	data, err := r.picture()
	slip := Paper{At: p.opt.Now(), Text: r.text.String(), Length: r.total, Data: data}
	p.mu.Lock()
	p.count++
	slip.N = p.count
	p.mu.Unlock()
	if err == nil && p.opt.Dir != "" {
		slip.File = fmt.Sprintf("receipt-%02d.png", slip.N)
		err = writeWhole(filepath.Join(p.opt.Dir, slip.File), data)
	}
	p.change(func() {
		if err != nil {
			p.trouble = err.Error()
		}
		p.held.mouth = true
		p.slips = append(p.slips, slip)
		p.slips = p.slips[max(0, len(p.slips)-keep):]
	})
	if p.opt.OnSlip != nil {
		p.opt.OnSlip(slip)
	}
}

// writeWhole writes a file that appears complete or not at all, because others watch the directory.
func writeWhole(name string, data []byte) error {
	part := name + ".part"
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return err
	}
	return os.Rename(part, name)
}
