package idcard

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
)

// pipes are a module's on USB, in a bubble with a clock of its own: the driver's side is what package usb gives it.
type pipes struct {
	mainIn, mainOut byte
	module          *slow
	ins             map[byte]*inPipe
}

type inPipe struct {
	*bus.Pump
	came chan []byte
	rest []byte
}

// Receive implements [bus.Source].
func (p *inPipe) Receive(to []byte) (int, error) {
	if len(p.rest) == 0 {
		b, ok := <-p.came
		if !ok {
			return 0, bus.ErrHangup
		}
		p.rest = b
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// slow is a module that answers late: question n, from 0, late(n) after it was done with the one before. Without late it is mute.
type slow struct {
	split bool
	out   byte // of a whole one: where it takes questions, and where it answers
	in    byte
	late  func(n int) time.Duration
	gap   time.Duration // between head and body of the first answer

	mu   sync.Mutex
	head []byte
	n    int
	last time.Time // when the answer before goes out
}

func newPipes(t *testing.T, m *slow, mainIn, mainOut byte) *pipes {
	p := &pipes{mainIn: mainIn, mainOut: mainOut, module: m, ins: map[byte]*inPipe{}}
	for _, in := range []byte{headIn, bodyIn} {
		i := &inPipe{came: make(chan []byte, 64)}
		i.Pump = bus.NewPump(i)
		p.ins[in] = i
	}
	t.Cleanup(func() {
		for _, i := range p.ins {
			close(i.came)
		}
	})
	return p
}

type pair struct {
	*inPipe
	all *pipes
	out byte
}

func (p pair) Write(_ context.Context, b []byte) (int, error) {
	p.all.module.take(p.all, p.out, append([]byte(nil), b...))
	return len(b), nil
}
func (pair) Close() error { return nil }

func (p *pipes) Pair(in, out byte) (bus.Bus, error) { return pair{p.ins[in], p, out}, nil }
func (p *pipes) Pipes() (in, out byte)              { return p.mainIn, p.mainOut }
func (p *pipes) main() bus.Bus                      { b, _ := p.Pair(p.mainIn, p.mainOut); return b }
func (p *pipes) Read(ctx context.Context, b []byte) (int, error) {
	return p.main().Read(ctx, b)
}
func (p *pipes) Write(ctx context.Context, b []byte) (int, error) { return p.main().Write(ctx, b) }
func (p *pipes) Drain()                                           { p.main().Drain() }
func (p *pipes) Close() error                                     { return nil }

// take is what a module does with what comes on a pipe: what is no question in its own form is nothing to it.
func (m *slow) take(p *pipes, out byte, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var q []byte
	switch {
	case m.split && out == headOut:
		if m.head = nil; len(b) == headLen {
			m.head = b
		}
		return
	case m.split:
		if m.head != nil {
			q, m.head = append(m.head, b...), nil
		}
	case out == m.out:
		q = b
	}
	if len(q) < headLen+3 || string(q[:len(preamble)]) != string(preamble) {
		return
	}
	a := answerFrame(0x90)
	if (command{q[7], q[8]}) == cmdSAMID {
		id, _ := hex.DecodeString("0500010009b8320105be1200adc5b111")
		a = answerFrame(0x90, id...)
	}
	if m.late == nil {
		return // mute
	}
	d := time.Until(m.last)
	d = max(d, 0) + m.late(m.n)
	m.n++
	m.last = time.Now().Add(d)
	send := func(in byte, b []byte, d time.Duration) { time.AfterFunc(d, func() { p.ins[in].came <- b }) }
	if m.split {
		send(headIn, a[:headLen], d)
		send(bodyIn, a[headLen:], d+m.gap)
		m.gap = 0
		return
	}
	send(m.in, a, d)
}

// kinds are modules and the order in which a device may list its pipes.
var kinds = map[string]func() *slow{
	"split":          func() *slow { return &slow{split: true} },
	"whole on 85/06": func() *slow { return &slow{in: bodyIn, out: bodyOut} },
	"whole on 81/02": func() *slow { return &slow{in: headIn, out: headOut} },
}

var mains = [][2]byte{{headIn, headOut}, {bodyIn, bodyOut}}

// A module is told by its answer, however late that is, and the machine's speed is not in it.
func TestLateAnswerTellsTheWay(t *testing.T) {
	for kind, build := range kinds {
		for _, main := range mains {
			for late := time.Duration(0); late < 3*time.Second; late += 130 * time.Millisecond {
				if kind == "whole on 81/02" && main[0] != headIn {
					continue // not a pair that anybody was told of
				}
				t.Run(fmt.Sprintf("%s, first pipe %02X, %v", kind, main[0], late), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := build()
						m.gap = 300 * time.Millisecond
						m.late = func(n int) time.Duration {
							if n > 0 {
								return 20 * time.Millisecond
							}
							return late
						}
						r, err := Open(t.Context(), newPipes(t, m, main[0], main[1]), Options{})
						if err != nil {
							t.Fatal(err)
						}
						if r.id.Serial != "05.01-20101129-0001228293-0296863149" {
							t.Errorf("identity %+v", r.id)
						}
						if s, err := r.Probe(t.Context()); err != nil || s.Connection != devices.ConnectionOnline {
							t.Errorf("%+v, %v", s, err)
						}
					})
				})
			}
		}
	}
}

// One whose every answer is slow opens too, and knows its number: an answer to the question before is not taken for it.
func TestEveryAnswerLate(t *testing.T) {
	for kind, build := range kinds {
		for late := time.Duration(0); late <= 1500*time.Millisecond; late += 130 * time.Millisecond {
			t.Run(fmt.Sprintf("%s, %v", kind, late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := build()
					m.late = func(int) time.Duration { return late }
					r, err := Open(t.Context(), newPipes(t, m, headIn, headOut), Options{})
					if err != nil {
						t.Fatal(err)
					}
					if r.id.Serial != "05.01-20101129-0001228293-0296863149" {
						t.Errorf("identity %+v", r.id)
					}
				})
			})
		}
	}
}

// A reader that says nothing, or is spoken to otherwise than it was told, is given up, and when is what the documentation says.
func TestMuteReaderIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		m       *slow
		framing string
		want    error
		after   time.Duration
	}{
		{"mute", &slow{split: true}, "", devices.ErrSilent, 9 * time.Second},
		{"mute, told split", &slow{split: true}, bus.FramingSplit, devices.ErrSilent, 3 * time.Second},
		{"mute, told whole", &slow{in: bodyIn, out: bodyOut}, bus.FramingWhole, devices.ErrSilent, 6 * time.Second},
		{"split, told whole", &slow{split: true, late: func(int) time.Duration { return 0 }}, bus.FramingWhole, devices.ErrSilent, 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := Open(t.Context(), newPipes(t, c.m, headIn, headOut), Options{Framing: c.framing})
				if !errors.Is(err, c.want) || time.Since(began) != c.after {
					t.Errorf("%v after %v, expected %v after %v", err, time.Since(began), c.want, c.after)
				}
				ctx, cancel := context.WithTimeoutCause(t.Context(), 2500*time.Millisecond, context.DeadlineExceeded)
				defer cancel()
				began = time.Now()
				if _, err := Open(ctx, newPipes(t, c.m, headIn, headOut), Options{Framing: c.framing}); err == nil || time.Since(began) != 2500*time.Millisecond {
					t.Errorf("called off: %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// Noise alone is no answer, and what is behind noise is one.
func TestNoiseTellsNoWay(t *testing.T) {
	good := answerFrame(0x90)
	for _, c := range []struct {
		name       string
		head, body []byte
		split      bool
		whole      bool
	}{
		{"split", good[:7], good[7:], true, false},
		{"split behind the rest of a card's answer", append([]byte{0xAA, 0xAA, 0x96}, good[:7]...), append(make([]byte, 900), good[7:]...), true, false},
		{"whole", nil, good, false, true},
		{"whole behind a beginning that never ends", nil, append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0x0F, 0xFF}, good...), false, true},
		{"a head without its body", good[:7], nil, false, false},
		{"a body of another head", good[:7], answerFrame(0x90, 1)[7:], false, false},
		{"a head without an end", []byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0}, good[7:], false, false},
		{"a length that none has", []byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0, 1}, []byte{1}, false, false},
		{"cut off", nil, good[:10], false, false},
		{"nothing", nil, nil, false, false},
	} {
		e := &ears{heard: map[byte][]byte{}}
		e.keep(headIn, append([]byte(nil), c.head...))
		e.keep(bodyIn, append([]byte(nil), c.body...))
		if split, whole := e.hears(way{split: true}), e.hears(way{in: bodyIn}); split != c.split || whole != c.whole {
			t.Errorf("%s: split %v, whole %v", c.name, split, whole)
		}
	}
}

func FuzzWay(f *testing.F) {
	good := answerFrame(0x90)
	f.Add(good[:7], good[7:])
	f.Add([]byte{}, good)
	f.Add(append([]byte{0xAA, 0xAA}, good...), []byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, head, body []byte) {
		e := &ears{heard: map[byte][]byte{}}
		for _, pipe := range []struct {
			in byte
			b  []byte
		}{{headIn, head}, {bodyIn, body}} {
			for len(pipe.b) > 0 {
				n := min(len(pipe.b), 4096)
				e.keep(pipe.in, append([]byte(nil), pipe.b[:n]...))
				pipe.b = pipe.b[n:]
			}
			if len(e.heard[pipe.in]) > maxHeard {
				t.Fatal("too much is kept")
			}
		}
		// What is told of a pipe is what the decoder of frames finds there.
		d := decoder{buf: append([]byte(nil), e.heard[bodyIn]...)}
		_, found := d.next()
		if !found {
			_, found = d.rescue()
		}
		if told := e.hears(way{in: bodyIn}); told != found {
			t.Errorf("told %v, found %v", told, found)
		}
		e.hears(way{split: true})
	})
}
