package sim

// The printer's mechanism, as the interpreter sees it: bytes from the buffer, paper that moves or does not, the cutter.

import (
	"context"
	"errors"
	"time"
)

// errReset: the buffer was cleared while a command was being taken from it.
var errReset = errors.New("receive buffer cleared")

// interpret executes what arrives until ctx ends.
func (p *ReceiptPrinter) interpret(ctx context.Context) {
	e := newEscpos(p.head, p.glyphs, &mechanism{ReceiptPrinter: p, ctx: ctx})
	for {
		switch err := e.command(); {
		case errors.Is(err, errReset):
			e.reset()
		case err != nil:
			return
		}
	}
}

// mechanism implements machine.
type mechanism struct {
	*ReceiptPrinter
	ctx    context.Context
	resets int
}

// begin takes a command's first byte, which a stopped head leaves in its buffer.
func (m *mechanism) begin() (byte, error) {
	for {
		m.mu.Lock()
		waits := m.conditionLocked().stopped() || len(m.buffer) == 0
		reset := m.resets != m.ReceiptPrinter.resets
		changed := m.changed
		m.mu.Unlock()
		if !waits || reset {
			var b [1]byte
			err := m.read(b[:])
			return b[0], err
		}
		if err := m.wait(changed); err != nil {
			return 0, err
		}
	}
}

// read fills b from the buffer, waiting for what has not come.
func (m *mechanism) read(b []byte) error {
	for len(b) > 0 {
		m.mu.Lock()
		if m.resets != m.ReceiptPrinter.resets {
			m.resets = m.ReceiptPrinter.resets
			m.mu.Unlock()
			return errReset
		}
		n := copy(b, m.buffer)
		m.buffer = m.buffer[n:]
		if len(m.buffer) == 0 {
			m.buffer = nil // lets go of what was sliced off in front
		}
		resume := m.full && len(m.buffer) < m.opt.Buffer/2
		if resume {
			m.full = false
		}
		changed, host := m.changed, m.host
		m.mu.Unlock()
		b = b[n:]
		if resume {
			m.reply(host, []byte{xon})
		}
		if n > 0 {
			m.change(func() {})
			continue
		}
		if err := m.wait(changed); err != nil {
			return err
		}
	}
	return nil
}

func (m *mechanism) wait(changed <-chan struct{}) error {
	select {
	case <-m.ctx.Done():
		return m.ctx.Err()
	case <-changed:
		return nil
	}
}

// ready waits until nothing stops the head.
func (m *mechanism) ready() error {
	for {
		m.mu.Lock()
		stopped, changed := m.conditionLocked().stopped(), m.changed
		reset := m.resets != m.ReceiptPrinter.resets
		m.mu.Unlock()
		switch {
		case reset:
			m.resets = m.ReceiptPrinter.resetCount()
			return errReset
		case !stopped:
			return nil
		}
		if err := m.wait(changed); err != nil {
			return err
		}
	}
}

func (p *ReceiptPrinter) resetCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resets
}

// stride is how far paper moves between two looks at the sensors: 3 mm.
const stride = 3 * dotsPerMM

// move feeds paper, stopping where it ends until there is new.
func (m *mechanism) move(dots int) error {
	for dots > 0 {
		if err := m.ready(); err != nil {
			return err
		}
		n := min(dots, stride)
		m.mu.Lock()
		ends := m.paperLeft > 0 && m.paperLeft <= n
		if ends {
			n = m.paperLeft
		} else if m.paperLeft > 0 {
			m.paperLeft -= n
		}
		m.mu.Unlock()
		if ends {
			m.change(func() { m.paperLeft = 0 })
		}
		dots -= n
		if m.opt.Speed > 0 {
			if err := sleep(m.ctx, time.Duration(n)*time.Second/time.Duration(m.opt.Speed*dotsPerMM)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *mechanism) cut(r *roll) { m.finish(r) }

// away removes the slip from the mouth: into the bin (retract) or out to the person.
func (m *mechanism) away(retract bool) {
	m.change(func() {
		if m.held.mouth && retract {
			m.retracted++
		}
		m.held.mouth = false
	})
}

func (m *mechanism) say(b ...byte) { m.replyInOrder(b...) }

func (m *mechanism) state() condition { return m.condition() }

// setASB arms the automatic status; arming sends a block at once.
func (m *mechanism) setASB(n byte) {
	m.change(func() { m.asb = n })
	if n != 0 {
		m.say(m.head.automatic(m.condition())...)
	}
}

func (m *mechanism) missed() { m.change(func() { m.unknown++ }) }
