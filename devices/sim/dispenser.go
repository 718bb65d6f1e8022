package sim

// The card dispenser: a hopper, a path with room for one card, a retain bin, and motors that take their time.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// DeviceCardDispenser is the dispenser's name. It stands beside the [Bench], not on it.
const DeviceCardDispenser = "card-dispenser"

// DispenserOptions of [StartCardDispenser].
type DispenserOptions struct {
	Line   LineOptions // 9600 baud is usual; 0 means that
	Family string      // "k720", "d1000" (frames without a length) or "crt"
	Cards  int         // in the hopper at the start
	Low    int         // cards in the hopper at which it counts as low; 0 means 10
	Bin    int         // cards that the retain bin holds; 0 means 50
	// Motion is how long one act takes; 0 means 900 ms.
	Motion time.Duration
}

// CardDispenser is a simulated dispenser.
type CardDispenser struct {
	opt    DispenserOptions
	cable  *cable
	faults *faults

	mu      sync.Mutex
	hopper  int
	out     int // cards that ever left the hopper
	bin     int
	taken   int
	at      string // "", "reader", "mouth", "between"
	jam     bool
	failed  bool
	ready   bool // CRT: was initialised since it has its supply
	motions []motion
	// awaited: motors of a K720 that nobody has seen to run yet do not stop. A real one's run for several looks of its driver, and a
	// simulator on a busy machine must not look like one whose motors did not run.
	awaited bool
	pending string // K720: the command that waits for its 05
}

// A motion is something that happens at a moment. Motors run on their own supply: they finish whether or not anybody
// listens, so what is due is caught up with whenever somebody looks.
type motion struct {
	at time.Time
	do func() bool // false stops the rest
}

// StartCardDispenser plugs a dispenser in.
func StartCardDispenser(opt DispenserOptions) (*CardDispenser, error) {
	serve := map[string]func(*CardDispenser, context.Context, *conn){"k720": (*CardDispenser).serveK720, "d1000": (*CardDispenser).serveK720, "crt": (*CardDispenser).serveCRT}[opt.Family]
	if serve == nil {
		return nil, fmt.Errorf("%w: dispenser %q; there are crt, d1000, k720", ErrUnknown, opt.Family)
	}
	if opt.Line.Baud == 0 {
		opt.Line.Baud = 9600
	}
	if opt.Low == 0 {
		opt.Low = 10
	}
	if opt.Bin == 0 {
		opt.Bin = 50
	}
	if opt.Motion == 0 {
		opt.Motion = 900 * time.Millisecond
	}
	d := &CardDispenser{opt: opt, faults: newFaults(dispenserFaults), hopper: opt.Cards}
	c, err := newCable(DeviceCardDispenser, opt.Line, func(ctx context.Context, c *conn) { serve(d, ctx, c) })
	if err != nil {
		return nil, err
	}
	d.cable = c
	return d, nil
}

// URI is how a driver opens the dispenser.
func (d *CardDispenser) URI() string { return d.cable.URI() }

// Close takes the dispenser away and waits for its goroutines.
func (d *CardDispenser) Close() error { return d.cable.close() }

// DispenserState is what a dispenser looks like from outside and, unlike for its driver, from inside.
type DispenserState struct {
	Hopper  int      `json:"hopper"`
	Out     int      `json:"out"` // cards that ever left the hopper
	Bin     int      `json:"bin"`
	Taken   int      `json:"taken"`
	At      string   `json:"at,omitempty"` // reader, mouth, between
	Jam     bool     `json:"jam"`
	Moving  bool     `json:"moving"`
	Plugged bool     `json:"plugged"`
	Faults  []string `json:"faults,omitempty"`
	URI     string   `json:"uri"`
}

// State tells how the dispenser is.
func (d *CardDispenser) State() DispenserState {
	s := DispenserState{Plugged: d.cable.plugged(), Faults: d.faults.names(), URI: d.URI()}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.catchUp()
	s.Hopper, s.Out, s.Bin, s.Taken, s.At, s.Jam, s.Moving = d.hopper, d.out, d.bin, d.taken, d.at, d.jam, len(d.motions) > 0
	d.awaited = false
	return s
}

// Take takes the card from the mouth and reports whether there was one.
func (d *CardDispenser) Take() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.catchUp()
	if d.at != "mouth" || d.jam {
		return false
	}
	d.at = ""
	d.taken++
	return true
}

// Unjam is a technician's hand: whatever stands in the path is taken out.
func (d *CardDispenser) Unjam() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.catchUp()
	if d.at != "" {
		d.taken++
	}
	d.at, d.jam, d.failed, d.motions = "", false, false, nil
}

// Fault breaks the dispenser; value "" takes the fault's default. See [Faults].
func (d *CardDispenser) Fault(name, value string) error {
	n, err := d.faults.parse(name, value)
	if err != nil {
		return err
	}
	if name == "unplug" {
		d.cable.unplug()
		d.mu.Lock()
		d.awaited = false
		d.mu.Unlock()
	}
	d.faults.set(name, n)
	return nil
}

// Clear mends one fault, or everything for "". A jam stays until [CardDispenser.Unjam]. A plug that is out goes in again.
func (d *CardDispenser) Clear(name string) error {
	if name != "" {
		if _, err := d.faults.parse(name, ""); err != nil {
			return err
		}
	}
	d.faults.clear(name)
	if name == "" || name == "unplug" || name == "unplug-mid-move" {
		return d.cable.plug()
	}
	return nil
}

func (d *CardDispenser) catchUp() {
	now := time.Now()
	for len(d.motions) > 0 && !d.motions[0].at.After(now) {
		if d.awaited && len(d.motions) == 1 {
			return
		}
		m := d.motions[0]
		d.motions = d.motions[1:]
		if !m.do() {
			d.motions = nil
			if d.awaited {
				d.motions = []motion{{now, func() bool { return true }}}
			}
		}
	}
}

// run starts the motors: from where the card is, or the hopper, to reader, mouth or bin.
func (d *CardDispenser) run(to string) {
	d.failed, d.awaited = false, d.opt.Family != "crt"
	start := time.Now()
	step := d.opt.Motion / 3
	plan := func(do func() bool) { start = start.Add(step); d.motions = append(d.motions, motion{start, do}) }
	arrive := func(at, jam string) func() bool {
		return func() bool {
			if d.faults.once(jam) {
				d.at, d.jam, d.failed = "between", true, true
				return false
			}
			d.at = at
			return true
		}
	}
	if d.faults.once("nothing-comes") {
		plan(func() bool { return true })
		plan(func() bool { return true })
		return
	}
	if d.at == "" {
		plan(func() bool {
			switch {
			case d.faults.once("jam-hopper"):
				d.jam, d.failed = true, true
				return false
			case d.hopper == 0 || d.faults.has("empty"):
				d.failed = true
				return false
			}
			d.hopper--
			d.out++
			d.at = "between"
			return true
		})
		plan(arrive("reader", "jam-reader"))
	}
	switch to {
	case "reader":
		plan(arrive("reader", "jam-reader"))
	case "mouth":
		plan(arrive("mouth", "jam-mouth"))
		plan(func() bool {
			if d.at == "mouth" && d.faults.once("grabbed") {
				d.at = ""
				d.taken++
			}
			return true
		})
	case "bin":
		plan(func() bool {
			if d.faults.once("jam-bin") {
				d.at, d.jam, d.failed = "between", true, true
				return false
			}
			d.at = ""
			d.bin++
			return true
		})
	}
	// The motors stop a moment after the card stands.
	plan(func() bool { return true })
}

func (d *CardDispenser) levels() (empty, low, full bool) {
	empty = d.hopper == 0 || d.faults.has("empty")
	return empty, !empty && (d.hopper <= d.opt.Low || d.faults.has("low")), d.bin >= d.opt.Bin || d.faults.has("bin-full")
}

var dispenserFaults = []FaultInfo{
	{Name: "silent", About: "the dispenser does not answer"},
	{Name: "unplug", About: "the cable is pulled; clear puts it back"},
	{Name: "unplug-mid-move", Value: times, Default: 1, max: 1000, About: "the cable is pulled when the motors start, which finish all the same; clear puts it back"},
	{Name: "silent-after-taken", Value: times, Default: 1, max: 1000, About: "an act is acknowledged and done, and nothing is said of it"},
	{Name: "dead-after-taken", Value: times, Default: 1, max: 1000, About: "an act is acknowledged and neither done nor answered"},
	{Name: "nothing-comes", Value: times, Default: 1, max: 1000, About: "the motors run, no card moves, and the device says that all is well"},
	{Name: "grabbed", Value: times, Default: 1, max: 1000, About: "the card is taken a moment after it stands at the mouth"},
	{Name: "other-answer", Value: times, Default: 1, max: 1000, About: "the answer is to another command"},
	{Name: "wrong-bcc", Value: times, Default: 1, max: 1000, About: "an answer's check is wrong"},
	{Name: "nak", Value: times, Default: 1, max: 1000, About: "a command is not understood"},
	{Name: "jam-hopper", Value: times, Default: 1, max: 1000, About: "a card jams before it leaves the hopper"},
	{Name: "jam-reader", Value: times, Default: 1, max: 1000, About: "a card jams on its way to the reader"},
	{Name: "jam-mouth", Value: times, Default: 1, max: 1000, About: "a card jams on its way to the mouth"},
	{Name: "jam-bin", Value: times, Default: 1, max: 1000, About: "a card jams on its way to the bin"},
	{Name: "empty", About: "the hopper's sensor sees no card"},
	{Name: "low", About: "the hopper's sensor sees few cards"},
	{Name: "bin-full", About: "the retain bin's sensor sees it full"},
}

// disturb lets an answer out as the faults have it; other is an answer to another command.
func (d *CardDispenser) disturb(c *conn, answer, other []byte) error {
	if d.faults.once("other-answer") {
		answer = other
	}
	if d.faults.once("wrong-bcc") {
		answer = slices.Clone(answer)
		answer[len(answer)-1] ^= 0x40
	}
	_, err := c.Write(answer)
	return err
}
