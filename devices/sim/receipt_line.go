package sim

// The printer's side of the line: bytes go into the receive buffer; what is asked in real time is answered past it.

import (
	"context"
	"time"
)

// serve receives from one host until it leaves or the plug is pulled.
func (p *ReceiptPrinter) serve(ctx context.Context, c *conn) {
	p.change(func() { p.host, p.full = c, false })
	defer p.change(func() {
		if p.host == c {
			p.host, p.asb = nil, 0
		}
	})
	var rt realTime
	in := make([]byte, 512)
	for {
		n, err := c.Read(in)
		if err != nil {
			return
		}
		got := in[:n]
		if limit, on := p.faults.value("unplug-mid-job"); on {
			p.mu.Lock()
			left := limit - p.received
			p.received += n
			p.mu.Unlock()
			if left <= n {
				if left > 0 && p.store(ctx, c, got[:left]) != nil {
					return
				}
				p.cable.cut()
				return
			}
		}
		// Real-time questions are answered when they arrive, however full the buffer is.
		cleared := 0
		for _, q := range rt.feed(got) {
			p.answerNow(c, q)
			if q.kind == asksClear {
				cleared = q.end
			}
		}
		got = got[cleared:]
		if p.store(ctx, c, got) != nil {
			return
		}
	}
}

// Software flow control.
const (
	xon  = 0x11
	xoff = 0x13
)

// store puts bytes into the buffer, waiting while it is full.
func (p *ReceiptPrinter) store(ctx context.Context, c *conn, in []byte) error {
	for len(in) > 0 {
		p.mu.Lock()
		room, changed := p.opt.Buffer-len(p.buffer), p.changed
		if p.faults.has("stop-reading") {
			room = 0
		}
		n := min(room, len(in))
		bps, slow := p.faults.value("slow")
		if slow = slow && bps > 0; slow {
			n = min(n, max(1, bps/20))
		}
		p.buffer = append(p.buffer, in[:n]...)
		in = in[n:]
		stop := p.opt.XonXoff && !p.full && p.opt.Buffer-len(p.buffer) < p.opt.Buffer/16
		p.full = p.full || stop
		p.mu.Unlock()
		if n > 0 {
			p.change(func() {})
		}
		if stop {
			p.reply(c, []byte{xoff})
		}
		if slow {
			if err := sleep(ctx, time.Duration(n)*time.Second/time.Duration(bps)); err != nil {
				return err
			}
		}
		if n > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
	return nil
}

// reply says something to the host; nobody listening is nobody's trouble.
func (p *ReceiptPrinter) reply(c *conn, b []byte) {
	switch {
	case c == nil || p.faults.has("silent"):
		return
	case p.faults.has("garbage-replies"):
		b = append([]byte(nil), b...)
		garble(b)
	}
	_, _ = c.Write(b)
}

// replyInOrder answers a command that stood in the buffer.
func (p *ReceiptPrinter) replyInOrder(b ...byte) {
	p.mu.Lock()
	c := p.host
	p.mu.Unlock()
	p.reply(c, b)
}

// answerNow answers a real-time question.
func (p *ReceiptPrinter) answerNow(c *conn, q question) {
	st := p.condition()
	switch {
	case q.kind == asksStatus && q.n == 0x14 && p.head.fullStatus:
		p.reply(c, p.head.full(st))
	case q.kind == asksStatus && q.n == 0x11 && p.head.fullStatus:
		p.reply(c, []byte{bit(st.moving, 1<<2)})
	case q.kind == asksStatus:
		if b, ok := p.head.realTime(q.n, st); ok {
			p.reply(c, []byte{b})
		}
	case q.kind == asksClear:
		p.change(func() {
			p.buffer = nil
			p.resets++
		})
		if q.n == 8 {
			p.reply(c, []byte{0x37, 0x25, 0})
		}
	}
}

type questionKind int

const (
	asksStatus questionKind = iota // DLE EOT n
	asksClear                      // DLE ENQ 2 (n=2), DLE DC4 8 … (n=8)
)

type question struct {
	kind questionKind
	n    byte
	end  int // index behind it in the bytes fed
}

// clearAll is the real-time command that empties the buffers; its tail is a safeguard against chance.
var clearAll = [10]byte{0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8}

// realTime finds questions in the stream, without knowing where commands begin: so does a real head, and a picture that
// looks like a question is answered.
type realTime struct {
	last [10]byte
}

func (r *realTime) feed(in []byte) []question {
	var all []question
	for i, b := range in {
		copy(r.last[:], r.last[1:])
		r.last[9] = b
		switch tail := [2]byte(r.last[7:9]); {
		case tail == [2]byte{0x10, 0x04}:
			all = append(all, question{asksStatus, b, i + 1})
		case tail == [2]byte{0x10, 0x05} && b == 2:
			all = append(all, question{asksClear, 2, i + 1})
		case r.last == clearAll:
			all = append(all, question{asksClear, 8, i + 1})
		}
	}
	return all
}
