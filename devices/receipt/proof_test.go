package receipt_test

import (
	"bytes"
	"context"
	"hash/crc32"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/receipt"
)

// A fakeHead answers questions byte for byte as a test says; for heads that talk in ways the simulator does not.
type fakeHead struct {
	mu     sync.Mutex
	out    []byte
	came   chan struct{}
	fence  func(n int, question []byte) string // answer to GS r 1 or GS ( H, counted from 1
	status string                              // answers to DLE EOT 1 to 4
	asked  int
	slip   []byte
}

func newHead(fence func(int, []byte) string) *fakeHead {
	return &fakeHead{came: make(chan struct{}, 1), fence: fence, status: "\x12\x12\x12\x12"}
}

func (h *fakeHead) say(s string) {
	h.mu.Lock()
	h.out = append(h.out, s...)
	h.mu.Unlock()
	select {
	case h.came <- struct{}{}:
	default:
	}
}

func (h *fakeHead) Write(_ context.Context, p []byte) (int, error) {
	switch {
	case len(p) == 3 && p[0] == 0x10 && p[1] == 4:
		h.say(h.status[p[2]-1 : p[2]])
	case bytes.HasPrefix(p, []byte("\x1dr\x01")), bytes.HasPrefix(p, []byte("\x1d(H")):
		h.asked++
		if a := h.fence(h.asked, p); a != "" {
			h.say(a)
		}
	default:
		h.slip = append(h.slip, p...)
	}
	return len(p), nil
}

func (h *fakeHead) Read(ctx context.Context, p []byte) (int, error) {
	for {
		h.mu.Lock()
		n := copy(p, h.out)
		h.out = h.out[n:]
		h.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-h.came:
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				return 0, bus.ErrTimeout
			}
			return 0, ctx.Err()
		}
	}
}

func (h *fakeHead) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.out = nil
}

func (h *fakeHead) Close() error { return nil }

// echo is the answer to a process id.
func echo(q []byte) string { return "\x37\x22" + string(q[7:11]) + "\x00" }

func TestWhatProvesASlip(t *testing.T) {
	for _, tt := range []struct {
		name, profile string
		answer        func(question []byte) string
		status        string // afterwards
		outcome       devices.PrintOutcome
		why           devices.Unready
	}{
		{"the fence", "generic-80", func([]byte) string { return "\x00" }, "", devices.PrintConfirmed, ""},
		{"the fence, near end", "generic-80", func([]byte) string { return "\x03" }, "\x12\x12\x12\x1e", devices.PrintConfirmed, ""},
		{"the fence after automatic status", "generic-80", func([]byte) string { return "\x10\x00\x03\x00\x14\x00\x00\x0f\x00" }, "",
			devices.PrintConfirmed, ""},
		{"automatic status alone", "generic-80", func([]byte) string { return "\x10\x00\x03\x00\x10\x00\x00\x00" }, "", devices.PrintUnknown, ""},
		{"half an automatic status", "generic-80", func([]byte) string { return "\x18\x00\x00" }, "", devices.PrintUnknown, ""},
		{"flow control alone", "generic-80", func([]byte) string { return "\x13\x11" }, "", devices.PrintUnknown, ""},
		{"flow control around the fence", "generic-80", func([]byte) string { return "\x13\x00\x11" }, "", devices.PrintConfirmed, ""},
		{"a late real-time answer", "generic-80", func([]byte) string { return "\x12\x12" }, "", devices.PrintUnknown, ""},
		{"extended automatic status, then the fence", "generic-80", func([]byte) string { return "\x39\x00\x40\x00\x00" }, "",
			devices.PrintConfirmed, ""},
		{"nothing", "generic-80", func([]byte) string { return "" }, "", devices.PrintUnknown, ""},
		{"noise", "generic-80", func([]byte) string { return "\xff\x90\x80" }, "", devices.PrintUnknown, ""},
		{"the fence with paper end", "generic-80", func([]byte) string { return "\x0c" }, "\x1a\x32\x12\x7e", devices.PrintUnknown, devices.UnreadyPaperOut},
		{"the fence, the last of the roll", "generic-80", func([]byte) string { return "\x03" }, "\x1a\x32\x12\x7e", devices.PrintConfirmed, ""},
		{"the fence, and a cutter that is stuck", "generic-80", func([]byte) string { return "\x00" }, "\x1a\x52\x1a\x12",
			devices.PrintUnknown, devices.UnreadyBroken},

		{"its process id", "epson-tm", echo, "", devices.PrintConfirmed, ""},
		{"its process id with flow control inside", "epson-tm", func(q []byte) string {
			e := echo(q)
			return e[:3] + "\x13\x11" + e[3:]
		}, "", devices.PrintConfirmed, ""},
		{"its process id after automatic status and a late answer", "epson-tm", func(q []byte) string {
			return "\x12\x10\x00\x00\x00" + echo(q)
		}, "", devices.PrintConfirmed, ""},
		{"an older process id, then its own", "epson-tm", func(q []byte) string { return "\x37\x22abcd\x00" + echo(q) }, "",
			devices.PrintConfirmed, ""},
		{"an older process id", "epson-tm", func([]byte) string { return "\x37\x22abcd\x00" }, "", devices.PrintUnknown, ""},
		{"a process id without end", "epson-tm", func(q []byte) string { return echo(q)[:6] }, "", devices.PrintUnknown, ""},
		{"a process id that is too long", "epson-tm", func(q []byte) string { return echo(q)[:6] + "x\x00" }, "", devices.PrintUnknown, ""},
		{"an off-line response", "epson-tm", func([]byte) string { return "\x37\x23\x31\x00" }, "", devices.PrintUnknown, ""},
		{"a byte from the queue", "epson-tm", func([]byte) string { return "\x00" }, "", devices.PrintUnknown, ""},
		{"its process id, and a jam behind the head", "epson-tm", echo, "\x1a\x52\x16\x12", devices.PrintUnknown, devices.UnreadyBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h *fakeHead
			h = newHead(func(n int, q []byte) string {
				if n == 1 { // whether the queue is empty
					if tt.profile == "epson-tm" {
						return echo(q)
					}
					return "\x00"
				}
				if tt.status != "" {
					h.status = tt.status
				}
				return tt.answer(q)
			})
			opt := options(t, tt.profile)
			opt.Quiet = 150 * time.Millisecond
			d := opened(t, h, opt)
			r := d.Print(t.Context(), job("a"))
			by := ""
			if tt.outcome == devices.PrintConfirmed {
				by = map[string]string{"generic-80": "fence", "epson-tm": "process-id"}[tt.profile]
			}
			expect(t, r, tt.outcome, by, tt.why)
		})
	}
}

func TestLateAnswersOfOlderFencesAreWaitedOut(t *testing.T) {
	h := newHead(nil)
	h.fence = func(n int, _ []byte) string {
		switch n {
		case 1: // two old answers come one after the other before this one's
			go func() {
				for range 2 {
					time.Sleep(100 * time.Millisecond)
					h.say("\x00")
				}
			}()
			return "\x00"
		}
		return "" // the slip's own never comes
	}
	d := opened(t, h, options(t, "generic-80"))
	expect(t, d.Print(t.Context(), job("a")), devices.PrintUnknown, "", "")
}

func TestHeadThatDoesNotEmptyItsQueueIsNotSentTo(t *testing.T) {
	h := newHead(func(int, []byte) string { return "" })
	d := opened(t, h, options(t, "generic-80"))
	expect(t, d.Print(t.Context(), job("a")), devices.PrintNotSent, "", devices.UnreadyNoDevice)
	if bytes.Contains(h.slip, []byte{0x1C, 0x26}) {
		t.Error("text went out")
	}
}

func TestProcessIDIsFourPrintableCharactersOfTheJob(t *testing.T) {
	seen := map[string]bool{}
	for i := range 20 {
		var asked []byte
		h := newHead(func(_ int, q []byte) string { asked = q; return echo(q) })
		d := opened(t, h, options(t, "epson-tm"))
		id := string(rune('a' + i))
		expect(t, d.Print(t.Context(), job(id)), devices.PrintConfirmed, "process-id", "")
		if !bytes.HasPrefix(asked, []byte{0x1D, 0x28, 0x48, 0x06, 0x00, 0x30, 0x30}) || len(asked) != 11 {
			t.Fatalf("% X", asked)
		}
		for _, c := range asked[7:] {
			if c < 0x20 || c > 0x7E {
				t.Errorf("%s: %02X is no character of a process id", id, c)
			}
		}
		if sum := crc32.ChecksumIEEE([]byte(id)); asked[7] != 0x20+byte(sum)%0x5F {
			t.Errorf("%s: its process id changes from run to run", id)
		}
		seen[string(asked[7:])] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 jobs have %d process ids", len(seen))
	}
}

func TestHeadWithoutRealTimeStatusIsTrustedByItsFence(t *testing.T) {
	h := newHead(func(int, []byte) string { return "\x00" })
	opt := options(t, "generic-80")
	opt.Profile.DLEEOT = false
	d := opened(t, h, opt)
	s, err := d.Probe(t.Context())
	must(t, err)
	if s.Paper != devices.SupplyUnknown || s.Cover != devices.CoverUnknown {
		t.Errorf("%+v", s)
	}
	expect(t, d.Print(t.Context(), job("a")), devices.PrintConfirmed, "fence", "")
	if out, err := d.Output(t.Context()); err != nil || out != devices.MediaNotSupported {
		t.Errorf("%s, %v", out, err)
	}
}

var _ devices.ReceiptPrinter = (*receipt.Printer)(nil)
