package sim

// What every small device on a serial line has in common: a cable, faults, and the ways it can stop making sense.

import (
	"context"
	"sync"
)

// Faults that every small device on a line knows.
var plainFaults = []FaultInfo{
	{Name: "silent", About: "the device does not answer"},
	{Name: "unplug", About: "the cable is pulled; clear puts it back"},
	{Name: "garbage", Value: "bytes", Default: 64, max: 1 << 20, About: "binary noise comes instead of every answer"},
	{Name: "other-answer", Value: times, Default: 0, max: 1000, About: "the answer to another command comes"},
	{Name: "split", About: "answers come byte by byte with pauses"},
	{Name: "cut-short", Value: times, Default: 0, max: 1000, About: "answers stop in the middle"},
}

// plain is a device that answers requests; answer makes of what came so far an answer and how many bytes it used.
type plain struct {
	cable  *cable
	faults *faults
	answer func(in []byte) (used int, out []byte)
	other  []byte // the answer to another command

	mu   sync.Mutex
	line *conn // the host that is connected, nil without one
	cut  bool  // the cable is pulled once the next answer is out
}

// cutAfter pulls the cable once the next answer is out.
func (p *plain) cutAfter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
}

func startPlain(name string, opt LineOptions, known []FaultInfo, other []byte, answer func([]byte) (int, []byte)) (*plain, error) {
	p := &plain{faults: newFaults(known), answer: answer, other: other}
	c, err := newCable(name, opt, p.serve)
	if err != nil {
		return nil, err
	}
	p.cable = c
	return p, nil
}

// URI is how a driver opens the device.
func (p *plain) URI() string { return p.cable.URI() }

// Close takes the device away and waits for its goroutines.
func (p *plain) Close() error { return p.cable.close() }

// Fault breaks the device; value "" takes the fault's default. See [Faults].
func (p *plain) Fault(name, value string) error {
	n, err := p.faults.parse(name, value)
	if err != nil {
		return err
	}
	if name == "unplug" {
		p.cable.unplug()
	}
	p.faults.set(name, n)
	return nil
}

// Clear mends one fault, or everything for "".
func (p *plain) Clear(name string) error {
	p.faults.clear(name)
	if name == "" || name == "unplug" || name == "unplug-mid-picture" {
		return p.cable.plug()
	}
	return nil
}

// maxRequest bounds what a device keeps of a host that makes no sense.
const maxRequest = 512

func (p *plain) serve(ctx context.Context, c *conn) {
	p.mu.Lock()
	p.line = c
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.line = nil
		p.mu.Unlock()
	}()
	var held []byte
	in := make([]byte, 256)
	for {
		n, err := c.Read(in)
		if err != nil {
			return
		}
		held = append(held, in[:n]...)
		for {
			used, out := p.answer(held)
			if used == 0 {
				break
			}
			held = held[used:]
			if len(out) > 0 && p.send(ctx, c, out) != nil {
				return
			}
			p.mu.Lock()
			cut := p.cut
			p.cut = false
			p.mu.Unlock()
			if cut {
				p.cable.cut()
				return
			}
		}
		if len(held) > maxRequest {
			held = nil
		}
	}
}

// send lets an answer out, disturbed by what is wrong.
func (p *plain) send(ctx context.Context, c *conn, out []byte) error {
	if p.faults.has("silent") {
		return nil
	}
	if p.faults.once("other-answer") {
		out = p.other
	}
	if n, on := p.faults.value("garbage"); on {
		out = make([]byte, n)
		for i := range out {
			out[i] = byte(i*167+i>>8) | 0x80
		}
	}
	if p.faults.once("cut-short") {
		out = out[:len(out)/2]
	}
	if !p.faults.has("split") {
		_, err := c.Write(out)
		return err
	}
	for i := range out {
		if _, err := c.Write(out[i : i+1]); err != nil {
			return err
		}
		if err := sleep(ctx, splitPause/5); err != nil {
			return err
		}
	}
	return nil
}

// say sends without being asked; false when nobody is connected or the line broke.
func (p *plain) say(out []byte) bool {
	p.mu.Lock()
	c := p.line
	p.mu.Unlock()
	return c != nil && p.send(c.ctx, c, out) == nil
}
