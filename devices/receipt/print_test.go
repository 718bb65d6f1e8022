package receipt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/slip"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pairs are the simulated heads and the profiles that a technician would choose for them.
var pairs = []struct {
	head, profile, by string
	mouth             bool
}{
	{"epson", "epson-tm", "process-id", false},
	{"generic", "generic-80", "fence", false},
	{"kp628e", "cashino-kp628e", "fence", true},
	{"custom", "custom-vkp80", "fence", true},
}

func simulated(t *testing.T, head string) *sim.ReceiptPrinter {
	t.Helper()
	p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Head: head, Speed: -1, Line: sim.LineOptions{Unpaced: true}})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// A tap lets a test act when the first bytes of a slip reach the line.
type tap struct {
	bus.Bus
	mu      sync.Mutex
	written int
	first   func() // before the first text of the next slip goes out
}

func (b *tap) onSlip(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first = do
}

func (b *tap) Write(ctx context.Context, p []byte) (int, error) {
	b.mu.Lock()
	do := b.first
	if do != nil && bytes.Contains(p, []byte{0x1B, '3', 30}) {
		b.first = nil
	} else {
		do = nil
	}
	b.written += len(p)
	b.mu.Unlock()
	if do != nil {
		do()
	}
	return b.Bus.Write(ctx, p)
}

func (b *tap) sent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written
}

func line(t *testing.T, p *sim.ReceiptPrinter) *tap {
	t.Helper()
	u, err := bus.Parse(p.URI())
	must(t, err)
	b, err := bus.Open(t.Context(), u)
	must(t, err)
	return &tap{Bus: b}
}

func options(t *testing.T, profile string) receipt.Options {
	t.Helper()
	p, err := receipt.LoadProfile(profile)
	must(t, err)
	return receipt.Options{Profile: p, Quiet: 400 * time.Millisecond}
}

func opened(t *testing.T, b receipt.Bus, opt receipt.Options) *receipt.Printer {
	t.Helper()
	d, err := receipt.Open(t.Context(), b, opt)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func job(id string, blocks ...slip.Block) devices.ReceiptJob {
	if blocks == nil {
		blocks = []slip.Block{slip.Text{Text: "受理回执 " + id}}
	}
	return devices.ReceiptJob{ID: id, Slip: slip.Slip{Blocks: blocks}}
}

// long takes many centimetres of paper and more bytes than one slice.
func long(id string) devices.ReceiptJob {
	var b []slip.Block
	for i := range 60 {
		b = append(b, slip.Text{Text: fmt.Sprintf("%s 第%d行 打开大门", id, i)})
	}
	return job(id, b...)
}

func expect(t *testing.T, got devices.PrintResult, outcome devices.PrintOutcome, by string, why devices.Unready) {
	t.Helper()
	if got.Outcome != outcome || got.By != by || got.Why != why {
		t.Fatalf("%+v, expected %s by %q because %q", got, outcome, by, why)
	}
	if sheets := map[bool]int{true: 1, false: -1}[outcome == devices.PrintConfirmed]; got.Sheets != sheets {
		t.Fatalf("%d sheets, expected %d", got.Sheets, sheets)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// printed waits until a head cut so many slips and returns their transcripts.
func printed(t *testing.T, p *sim.ReceiptPrinter, n int) []string {
	t.Helper()
	eventually(t, fmt.Sprintf("%d slips", n), func() bool { return len(p.Slips()) >= n })
	var all []string
	for _, s := range p.Slips() {
		all = append(all, s.Text)
	}
	if len(all) != n {
		t.Fatalf("%d slips, expected %d: %q", len(all), n, all)
	}
	return all
}

func TestSlipIsConfirmedByWhatTheHeadCanSay(t *testing.T) {
	for _, x := range pairs {
		t.Run(x.head, func(t *testing.T) {
			t.Parallel()
			p := simulated(t, x.head)
			d := opened(t, line(t, p), options(t, x.profile))
			r := d.Print(t.Context(), job("a", slip.Text{Text: "受理回执", Align: slip.Center, Bold: true, Size: 2}, slip.Rule{},
				slip.Table{Columns: []slip.Column{{Share: 1}, {Share: 1, Align: slip.Right}}, Rows: [][]string{{"合计", "0.00"}}},
				slip.QR{Data: "CASE-42"}))
			expect(t, r, devices.PrintConfirmed, x.by, "")
			want := devices.MediaNotSupported
			if x.mouth {
				want = devices.MediaPresent
			}
			if out, err := d.Output(t.Context()); err != nil || out != want || r.Output != want {
				t.Errorf("at the mouth: %s, then %s, %v; expected %s", r.Output, out, err, want)
			}
			text := printed(t, p, 1)[0]
			for _, s := range []string{"受理回执\n", "合计", "0.00"} {
				if !strings.Contains(text, s) {
					t.Errorf("%q is not on paper: %q", s, text)
				}
			}
			if s := p.State(); s.Unknown != 0 || s.Trouble != "" {
				t.Errorf("the head does not know %d commands %s", s.Unknown, s.Trouble)
			}
			if x.mouth {
				p.Take()
				if out, err := d.Output(t.Context()); err != nil || out != devices.MediaNotPresent {
					t.Errorf("after it was taken: %s, %v", out, err)
				}
			}
			expect(t, d.Print(t.Context(), job("b")), devices.PrintConfirmed, x.by, "")
			printed(t, p, 2)
		})
	}
}

func TestStatusTellsEveryFaultAndNothingIsSent(t *testing.T) {
	for _, x := range pairs {
		t.Run(x.head, func(t *testing.T) {
			t.Parallel()
			p := simulated(t, x.head)
			b := line(t, p)
			d := opened(t, b, options(t, x.profile))
			jammed := devices.UnreadyBroken
			if x.head == "custom" {
				jammed = devices.UnreadyJammed // it tells paper from mechanism
			}
			for n, f := range []struct {
				fault string
				why   devices.Unready
			}{
				{"paper-near-end", devices.UnreadyNot}, {"paper-out", devices.UnreadyPaperOut}, {"cover-open", devices.UnreadyCoverOpen},
				{"cutter-error", devices.UnreadyBroken}, {"overheated", devices.UnreadyBroken}, {"jam", jammed},
				{"offline", devices.UnreadyOffline},
			} {
				must(t, p.Fault(f.fault, ""))
				s, err := d.Probe(t.Context())
				must(t, err)
				if s.Unready() != f.why || s.Role != devices.RoleReceiptPrinter {
					t.Errorf("%s: %+v cannot work because %q, expected %q", f.fault, s, s.Unready(), f.why)
				}
				if low := s.Paper == devices.SupplyLow; low != (f.fault == "paper-near-end") {
					t.Errorf("%s: paper %s", f.fault, s.Paper)
				}
				id := f.fault
				if f.why != devices.UnreadyNot {
					before := b.sent()
					expect(t, d.Print(t.Context(), job(id)), devices.PrintNotSent, "", f.why)
					if more := b.sent() - before; more > 20 {
						t.Errorf("%s: %d bytes went out", f.fault, more)
					}
					must(t, p.Clear(""))
				}
				// A job of which nothing was sent may be sent again.
				r := d.Print(t.Context(), job(id))
				expect(t, r, devices.PrintConfirmed, x.by, "")
				if again := d.Settle(t.Context(), id); again != r {
					t.Errorf("%s: settled as %+v", f.fault, again)
				}
				printed(t, p, n+1)
			}
		})
	}
}

func TestHeadThatStopsInTheMiddleNeverPrintsTheRestForTheNext(t *testing.T) {
	for _, x := range pairs {
		for fault, why := range map[string]devices.Unready{"paper-out-mid-job": devices.UnreadyPaperOut, "cover-open": devices.UnreadyCoverOpen} {
			t.Run(x.head+"/"+fault, func(t *testing.T) {
				t.Parallel()
				p := simulated(t, x.head)
				b := line(t, p)
				d := opened(t, b, options(t, x.profile))
				b.onSlip(func() { must(t, p.Fault(fault, "")) })
				r := d.Print(t.Context(), long("a"))
				outcome := devices.PrintUnknown
				if x.head == "epson" {
					outcome = devices.PrintFailed // it acknowledges that it dropped the rest
				}
				expect(t, r, outcome, "", why)
				eventually(t, "the head drops the rest", func() bool { return p.State().Buffered == 0 })

				must(t, p.Clear(""))
				before := b.sent()
				if again := d.Print(t.Context(), long("a")); again != r || b.sent() != before {
					t.Errorf("the same job was sent twice: %+v", again)
				}
				expect(t, d.Print(t.Context(), job("b")), devices.PrintConfirmed, x.by, "")
				all := p.Slips()
				last := all[len(all)-1].Text
				if !strings.Contains(last, "受理回执 b") || strings.Contains(last, "行") {
					t.Errorf("the next slip says %q", last)
				}
				for _, s := range all[:len(all)-1] {
					if strings.Contains(s.Text, "第59行") {
						t.Errorf("the first slip came out after all")
					}
				}
			})
		}
	}
}

func TestUnpluggedInTheMiddleIsUnknownForEver(t *testing.T) {
	for _, x := range pairs {
		t.Run(x.head, func(t *testing.T) {
			t.Parallel()
			p := simulated(t, x.head)
			b := line(t, p)
			d := opened(t, b, options(t, x.profile))
			b.onSlip(func() { must(t, p.Fault("unplug-mid-job", "300")) })
			expect(t, d.Print(t.Context(), long("a")), devices.PrintUnknown, "", devices.UnreadyNoDevice)
			if _, err := d.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
				t.Errorf("probing a pulled plug: %v", err)
			}
			expect(t, d.Print(t.Context(), job("b")), devices.PrintNotSent, "", devices.UnreadyNoDevice)
			must(t, d.Close())

			must(t, p.Clear(""))
			d = opened(t, line(t, p), options(t, x.profile))
			if r := d.Settle(t.Context(), "a"); r.Outcome != devices.PrintUnknown {
				t.Errorf("after opening again: %+v", r)
			}
			expect(t, d.Print(t.Context(), job("c")), devices.PrintConfirmed, x.by, "")
			if all := p.Slips(); !strings.Contains(all[len(all)-1].Text, "受理回执 c\n") {
				t.Errorf("%q", all[len(all)-1].Text)
			}
		})
	}
}

func TestUnpluggedBeforeTheSlipIsNotSent(t *testing.T) {
	p := simulated(t, "generic")
	d := opened(t, line(t, p), options(t, "generic-80"))
	must(t, p.Fault("unplug", ""))
	expect(t, d.Print(t.Context(), job("a")), devices.PrintNotSent, "", devices.UnreadyNoDevice)
}

func TestSilentHeadIsNotOpenedAndNotSentTo(t *testing.T) {
	p := simulated(t, "epson")
	b := line(t, p)
	d := opened(t, b, options(t, "epson-tm"))
	must(t, p.Fault("silent", ""))
	if _, err := d.Probe(t.Context()); !errors.Is(err, devices.ErrSilent) {
		t.Errorf("probing it: %v", err)
	}
	expect(t, d.Print(t.Context(), job("a")), devices.PrintNotSent, "", devices.UnreadyNoDevice)
	if _, err := receipt.Open(t.Context(), b, options(t, "epson-tm")); !errors.Is(err, devices.ErrSilent) {
		t.Errorf("opening it: %v", err)
	}
	must(t, p.Clear(""))
	expect(t, d.Print(t.Context(), job("a")), devices.PrintConfirmed, "process-id", "")
	printed(t, p, 1)
}

func TestTwoSlipsOfWhichNobodyKnowsStopThePrinter(t *testing.T) {
	for _, x := range pairs {
		t.Run(x.head, func(t *testing.T) {
			t.Parallel()
			p := simulated(t, x.head)
			b := line(t, p)
			d := opened(t, b, options(t, x.profile))
			for _, id := range []string{"a", "b"} {
				b.onSlip(func() { must(t, p.Fault("silent", "")) })
				expect(t, d.Print(t.Context(), job(id)), devices.PrintUnknown, "", devices.UnreadyNoDevice)
				must(t, p.Clear(""))
			}
			before := b.sent()
			expect(t, d.Print(t.Context(), job("c")), devices.PrintNotSent, "", devices.UnreadyBroken)
			if b.sent() != before {
				t.Error("something was sent")
			}
			s, err := d.Probe(t.Context())
			must(t, err)
			if s.Unready() != devices.UnreadyBroken || !slices.Contains(s.Reasons, "two-unknown") {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestHeadThatStopsTakingBytesIsGivenUp(t *testing.T) {
	p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Head: "generic", Speed: -1, Buffer: 128,
		Line: sim.LineOptions{TCP: "127.0.0.1:0", Unpaced: true}})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	b := line(t, p)
	d := opened(t, b, options(t, "generic-80"))
	b.onSlip(func() { must(t, p.Fault("stop-reading", "")) })
	r := d.Print(t.Context(), long("a")) // or this test never ends
	expect(t, r, devices.PrintUnknown, "", devices.UnreadyNoDevice)
}

func TestCalledOffInTheMiddleIsUnknownAndItsHalfIsCutOff(t *testing.T) {
	for _, x := range pairs {
		t.Run(x.head, func(t *testing.T) {
			t.Parallel()
			p := simulated(t, x.head)
			b := line(t, p)
			d := opened(t, b, options(t, x.profile))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b.onSlip(func() {
				// the first slice gets through, the rest does not
				_, _ = b.Bus.Write(t.Context(), []byte("secret\n\x1dv0\x00\x30\x00\x80\x00half"))
				cancel()
			})
			r := d.Print(ctx, long("a"))
			if r.Outcome != devices.PrintUnknown {
				t.Fatalf("%+v", r)
			}
			expect(t, d.Print(t.Context(), job("b")), devices.PrintConfirmed, x.by, "")
			all := p.Slips()
			if last := all[len(all)-1].Text; !strings.Contains(last, "受理回执 b\n") || strings.Contains(last, "secret") {
				t.Errorf("the next slip says %q", last)
			}
			if x.head == "custom" && p.State().Retracted != 1 {
				t.Error("the half was not taken back")
			}
		})
	}
}

func TestHalfAPictureOfWhoeverCameBeforeDoesNotSwallowTheSlip(t *testing.T) {
	for _, x := range pairs {
		t.Run(x.head, func(t *testing.T) {
			t.Parallel()
			p := simulated(t, x.head)
			before := line(t, p)
			_, err := before.Bus.Write(t.Context(), append([]byte("\x1dv0\x00\x30\x00\x80\x00"), bytes.Repeat([]byte{0xAA}, 700)...))
			must(t, err)
			time.Sleep(50 * time.Millisecond)
			must(t, before.Close())
			d := opened(t, line(t, p), options(t, x.profile))
			expect(t, d.Print(t.Context(), job("a")), devices.PrintConfirmed, x.by, "")
			if text := printed(t, p, 1)[0]; !strings.Contains(text, "受理回执 a\n") {
				t.Errorf("%q", text)
			}
		})
	}
}

func TestAnswerToAnOlderFenceProvesNothing(t *testing.T) {
	t.Run("of whoever used the head before", func(t *testing.T) {
		p := simulated(t, "generic")
		b := line(t, p)
		must(t, p.Fault("cover-open", ""))
		_, err := b.Bus.Write(t.Context(), []byte("\x1dr\x01\x1dr\x01\x1dr\x01"))
		must(t, err)
		opt := options(t, "generic-80")
		d := opened(t, b, opt)
		must(t, p.Clear(""))
		b.onSlip(func() { must(t, p.Fault("cover-open", "")) })
		expect(t, d.Print(t.Context(), job("a")), devices.PrintUnknown, "", devices.UnreadyCoverOpen)
	})
	t.Run("of a slip that came out late", func(t *testing.T) {
		p := simulated(t, "generic")
		b := line(t, p)
		opt := options(t, "generic-80")
		opt.Profile.Clear = nil // a head that cannot be told to drop it
		d := opened(t, b, opt)
		b.onSlip(func() { must(t, p.Fault("cover-open", "")) })
		expect(t, d.Print(t.Context(), job("a")), devices.PrintUnknown, "", devices.UnreadyCoverOpen)
		must(t, p.Clear(""))
		printed(t, p, 1)
		b.onSlip(func() { must(t, p.Fault("cover-open", "")) })
		expect(t, d.Print(t.Context(), job("b")), devices.PrintUnknown, "", devices.UnreadyCoverOpen)
	})
}

func TestSlipIsTakenBackWhereTheHeadCan(t *testing.T) {
	p := simulated(t, "custom")
	d := opened(t, line(t, p), options(t, "custom-vkp80"))
	expect(t, d.Print(t.Context(), job("a")), devices.PrintConfirmed, "fence", "")
	must(t, d.Retract(t.Context()))
	if out, err := d.Output(t.Context()); err != nil || out != devices.MediaNotPresent || p.State().Retracted != 1 {
		t.Errorf("%s, %v, %+v", out, err, p.State())
	}
	d = opened(t, line(t, simulated(t, "epson")), options(t, "epson-tm"))
	if err := d.Retract(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot retract") {
		t.Errorf("%v", err)
	}
}

func TestHeadThatCannotProveIsNeverConfirmedAndNeverStopped(t *testing.T) {
	p := simulated(t, "generic")
	opt := options(t, "generic-80")
	opt.Profile.Fence = ""
	d := opened(t, line(t, p), opt)
	for i := range 4 {
		r := d.Print(t.Context(), job(fmt.Sprint(i)))
		if r.Outcome != devices.PrintUnknown || r.Detail != "head has no fence" {
			t.Fatalf("%+v", r)
		}
	}
}

func TestSlipThatCannotBeLaidOutIsNotSent(t *testing.T) {
	p := simulated(t, "generic")
	b := line(t, p)
	d := opened(t, b, options(t, "generic-80"))
	before := b.sent()
	r := d.Print(t.Context(), job("a", slip.QR{Data: strings.Repeat("x", 5000)}))
	expect(t, r, devices.PrintNotSent, "", devices.UnreadyBroken)
	if b.sent() != before {
		t.Error("something was sent")
	}
}

func TestPortraitThatLooksLikeACommandIsPrinted(t *testing.T) {
	// 10 05 02 as dots: as bytes it would empty the buffer.
	img := image.NewGray(image.Rect(0, 0, 576, 64))
	for y := range 64 {
		for x := range 576 {
			img.Pix[y*576+x] = 255
			if i := x / 8 % 3; []byte{0x10, 0x05, 0x02}[i]&(0x80>>(x%8)) != 0 {
				img.Pix[y*576+x] = 0
			}
		}
	}
	for _, x := range pairs {
		p := simulated(t, x.head)
		d := opened(t, line(t, p), options(t, x.profile))
		expect(t, d.Print(t.Context(), job("a", slip.Image{Image: img}, slip.Text{Text: "end"})), devices.PrintConfirmed, x.by, "")
		if text := printed(t, p, 1)[0]; !strings.HasSuffix(text, "end\n") || p.State().Unknown != 0 {
			t.Errorf("%s: %q, %d unknown commands", x.head, text, p.State().Unknown)
		}
	}
}

func TestNameWithARareCharacterIsDrawn(t *testing.T) {
	b, err := os.ReadFile("../../assets/fonts/wide-regular.ttf")
	must(t, err)
	face, err := slip.NewFace(b)
	must(t, err)
	for _, x := range pairs {
		p := simulated(t, x.head)
		opt := options(t, x.profile)
		opt.Face = face
		d := opened(t, line(t, p), opt)
		expect(t, d.Print(t.Context(), job("a", slip.Text{Text: "姓名"}, slip.Text{Text: "𠮷野家"}, slip.Text{Text: "完"})), devices.PrintConfirmed, x.by, "")
		if text := printed(t, p, 1)[0]; strings.Contains(text, "□") || !strings.Contains(text, "姓名\n") || !strings.Contains(text, "完\n") {
			t.Errorf("%s: %q", x.head, text)
		}
	}
}

func TestSlowLineIsNotTakenForADeadHead(t *testing.T) {
	p, err := sim.StartReceiptPrinter(sim.ReceiptOptions{Head: "kp628e", Speed: -1, Line: sim.LineOptions{Baud: 19200}})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	opt := options(t, "cashino-kp628e")
	opt.Quiet = 20 * time.Second
	t.Parallel()
	d := opened(t, line(t, p), opt)
	expect(t, d.Print(t.Context(), job("a")), devices.PrintConfirmed, "fence", "")
}
