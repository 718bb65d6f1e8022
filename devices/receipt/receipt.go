// Package receipt drives receipt heads that speak ESC/POS, over any bus.
//
// What a model can do is data ([Profile]); a slip is laid out by package slip and encoded here ([Encode]); and after a slip
// was sent, the driver answers honestly whether it is on paper: by the head's process id where it has one, else by a fence
// (a question that the head answers only after it printed what came before) together with real-time status, else Unknown.
// A job of which one byte was sent is never sent again by itself.
package receipt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/slip"
)

// A Bus is what the head hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

// Options of [Open].
type Options struct {
	Profile Profile
	Face    *slip.Face // draws what the head has no glyphs for
	// Quiet is how long a head may be silent while it prints before it counts as stuck; 0 means 20 s.
	Quiet time.Duration
	// Torn, if not nil, is kept by the caller from one opening of the head to the next: a slip may be half on paper, and is cut off
	// before the next one.
	Torn *atomic.Bool
}

const (
	statusTime = 700 * time.Millisecond
	// slice is written at once, unless the bus takes larger pieces: a head that takes none of it for as long as it may be quiet
	// is stuck.
	slice = 512
	// slowest head, in bytes a second, for the time that a large piece may take.
	slowest = 2048
	// lateTime is how long an answer that nobody waited for any more may take to come, and the silence after which none will.
	lateTime = 300 * time.Millisecond
	// idleTime is how long a head with nothing to do may take to answer a question in its queue.
	idleTime = 2 * time.Second
	// twoUnknown in a row stop the printer until a person looked.
	twoUnknown = 2
)

// Printer is an open head. It implements [devices.ReceiptPrinter].
type Printer struct {
	bus   Bus
	opt   Options
	slice int // bytes written at once

	mu      sync.Mutex
	in      replies
	heard   []reply // came together with what was waited for, and after it
	late    int     // real-time questions that were given up: their answers may still come and look like any other
	queued  bool    // the same of a fence: an old answer must not prove a new slip
	unknown int     // results in a row of which nobody knows
	owed    int     // bytes that the head may still take for the rest of a picture that was cut short
	torn    bool    // a slip that nobody confirmed may be half on paper
	jobs    map[string]devices.PrintResult
}

// Open opens a head: it asks for its status and prints nothing.
func Open(ctx context.Context, b Bus, opt Options) (*Printer, error) {
	if opt.Quiet == 0 {
		opt.Quiet = 20 * time.Second
	}
	// Whoever used the head before may have left questions, and half a picture.
	p := &Printer{bus: b, opt: opt, jobs: map[string]devices.PrintResult{}, queued: true, owed: picture(opt.Profile)}
	p.in.mouth7 = opt.Profile.Mouth == "dle-eot-1-bit-7"
	p.slice = slice
	if large, ok := b.(interface{ Piece() int }); ok {
		p.slice = max(slice, large.Piece())
	}
	p.torn = opt.Torn != nil && opt.Torn.Load()
	if _, err := p.Probe(ctx); err != nil {
		return nil, fmt.Errorf("receipt printer: %w", err)
	}
	return p, nil
}

// Close implements [devices.Device].
func (p *Printer) Close() error { return p.bus.Close() }

// fresh is a status of nothing known yet.
func (p *Printer) fresh() devices.Status {
	s := devices.Status{Role: devices.RoleReceiptPrinter, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyUnknown, Toner: devices.SupplyNotSupported, Cover: devices.CoverUnknown,
		Identity: devices.Identity{Model: "ESC/POS"}}
	if b, ok := p.bus.(bus.Identified); ok {
		id := b.Identity()
		s.Identity = devices.Identity{Maker: id.Maker, Model: cmp.Or(id.Model, s.Identity.Model), Serial: id.Serial}
	}
	return s
}

// Probe implements [devices.Device]: DLE EOT 1 to 4, and the mouth where the head can tell.
func (p *Printer) Probe(ctx context.Context) (devices.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.status(ctx)
	if err == nil && p.unknown >= twoUnknown {
		s.Connection, s.Reasons = devices.ConnectionHardwareError, append(s.Reasons, "two-unknown")
	}
	return s, err
}

// ask sends a question and waits for the first reply of a kind.
func (p *Printer) ask(ctx context.Context, patience time.Duration, question []byte, want replyKind) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.forget()
	_, err := p.bus.Write(ctx, question)
	var answer []byte
	if err == nil {
		answer, err = p.await(ctx, want)
	}
	if err != nil {
		p.late++
	}
	return answer, err
}

// hush lets answers that nobody waits for any more come and go: until that many came or nothing comes for lateTime, and for
// two of it at most from a head that talks by itself.
func (p *Printer) hush(ctx context.Context, answers int) error {
	var buf [256]byte
	for end := time.Now().Add(2 * lateTime); answers > 0 && time.Now().Before(end); {
		quiet, cancel := context.WithTimeout(ctx, lateTime)
		n, err := p.bus.Read(quiet, buf[:])
		silent := quiet.Err() != nil
		cancel()
		switch {
		case err == nil:
			for _, r := range p.in.push(buf[:n]) {
				if r.kind == replyRealTime || r.kind == replyFull {
					answers--
				}
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case silent || errors.Is(err, devices.ErrSilent):
			return nil
		default:
			return err
		}
	}
	return nil
}

// await reads until a reply of a kind comes; others on the way are dropped.
func (p *Printer) await(ctx context.Context, want replyKind) ([]byte, error) {
	var buf [256]byte
	for {
		for i, r := range p.heard {
			if r.kind == want {
				p.heard = p.heard[i+1:]
				return r.data, nil
			}
		}
		p.heard = nil
		n, err := p.bus.Read(ctx, buf[:])
		if err != nil {
			return nil, err
		}
		p.heard = p.in.push(buf[:n])
	}
}

// forget drops what was heard before a question: it cannot be the answer.
func (p *Printer) forget() { p.heard = nil }

// status asks everything there is to ask in real time.
func (p *Printer) status(ctx context.Context) (devices.Status, error) {
	s := p.fresh()
	if p.late > 0 {
		if err := p.hush(ctx, p.late); err != nil {
			return s, err
		}
		p.late = 0
	}
	p.bus.Drain()
	p.in = replies{mouth7: p.in.mouth7}
	if !p.opt.Profile.DLEEOT {
		return s, p.portStatus(&s)
	}
	var four [5]byte
	for n := byte(1); n <= 4; n++ {
		b, err := p.ask(ctx, statusTime, []byte{0x10, 0x04, n}, replyRealTime)
		if err != nil {
			return s, err
		}
		four[n] = b[0]
	}
	translate(&s, p.opt.Profile, four)
	if p.opt.Profile.Mouth == "full-status" {
		if b, err := p.ask(ctx, statusTime, []byte{0x10, 0x04, 0x14}, replyFull); err == nil {
			translateFull(&s, [4]byte(b))
		} else {
			s.Media = devices.MediaUnknown
		}
	}
	return s, nil
}

// portStatus asks a head that knows no ESC/POS questions what USB's printer class has: paper and error. Good news are no
// news: many answer so whatever happens. A head that refuses the question has told nothing.
func (p *Printer) portStatus(s *devices.Status) error {
	port, ok := p.bus.(bus.PrinterPort)
	if !ok {
		return nil
	}
	st, err := port.PortStatus()
	switch {
	case errors.Is(err, devices.ErrNoDevice):
		return err
	case err != nil:
		return nil
	case st.PaperOut:
		s.Paper, s.Reasons = devices.SupplyOut, append(s.Reasons, "paper-out")
	case st.Error:
		s.Connection, s.Reasons = devices.ConnectionHardwareError, append(s.Reasons, "error")
	}
	return nil
}

// translate turns the four real-time bytes into status words.
//
//	n=1  b3 off line            (b7 ticket in the mouth: 1, on heads that have it)
//	n=2  b2 cover open, b5 paper end stop, b6 error
//	n=3  b2 mechanical, b3 cutter, b5 unrecoverable, b6 recovers by itself (head hot)
//	n=4  b2+b3 near end, b5+b6 paper end
func translate(s *devices.Status, p Profile, b [5]byte) {
	s.Cover, s.Paper = devices.CoverClosed, devices.SupplyFull
	if b[1]&0x08 != 0 {
		s.Connection = devices.ConnectionOffline
	}
	if b[2]&0x04 != 0 {
		s.Cover, s.Connection = devices.CoverOpen, devices.ConnectionUserError
		s.Reasons = append(s.Reasons, "cover-open")
	}
	if b[4]&0x0C != 0 {
		s.Paper = devices.SupplyLow
	}
	if b[4]&0x60 != 0 || b[2]&0x20 != 0 {
		s.Paper = devices.SupplyOut
		s.Reasons = append(s.Reasons, "paper-out")
	}
	for _, f := range []struct {
		bit  byte
		word string
	}{{0x04, "mechanical"}, {0x08, "cutter"}, {0x20, "unrecoverable"}, {0x40, "overheated"}} {
		if b[3]&f.bit != 0 {
			s.Connection = devices.ConnectionHardwareError
			s.Reasons = append(s.Reasons, f.word)
		}
	}
	if b[2]&0x40 != 0 && s.Connection == devices.ConnectionOnline {
		s.Connection = devices.ConnectionHardwareError
		s.Reasons = append(s.Reasons, "error")
	}
	if p.Mouth == "dle-eot-1-bit-7" {
		s.Media = devices.MediaNotPresent
		if b[1]&0x80 != 0 {
			s.Media = devices.MediaPresent
		}
	}
}

// translateFull adds what FULL STATUS (DLE EOT 14h) tells beyond the four real-time bytes.
//
//	1st  b0 no paper, b2 near end, b5 ticket at the output
//	2nd  b0 head up, b1 cover open
//	3rd  b0 head temperature, b3 voltage, b6 paper jam
//	4th  b0 cutter
func translateFull(s *devices.Status, b [4]byte) {
	s.Media = devices.MediaNotPresent
	if b[0]&0x20 != 0 {
		s.Media = devices.MediaPresent
	}
	if b[2]&0x40 != 0 {
		s.Paper = devices.SupplyJammed
		s.Reasons = append(s.Reasons, "jam")
	}
}

// Output implements [devices.ReceiptPrinter].
func (p *Printer) Output(ctx context.Context) (devices.Media, error) {
	if p.opt.Profile.Mouth == "" {
		return devices.MediaNotSupported, nil
	}
	s, err := p.Probe(ctx)
	return s.Media, err
}

// Retract takes a slip that nobody took back in, where the head can.
func (p *Printer) Retract(ctx context.Context) error {
	if len(p.opt.Profile.Retract) == 0 {
		return errors.New("receipt printer: this head cannot retract")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.bus.Write(ctx, p.opt.Profile.Retract)
	return err
}

// Settle implements [devices.ReceiptPrinter]: what this very process printed it remembers; heads themselves forget.
func (p *Printer) Settle(_ context.Context, id string) devices.PrintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, known := p.jobs[id]; known {
		return r
	}
	return devices.PrintResult{Outcome: devices.PrintUnknown, Sheets: -1, Detail: "heads forget"}
}

// Print implements [devices.ReceiptPrinter].
func (p *Printer) Print(ctx context.Context, job devices.ReceiptJob) devices.PrintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, known := p.jobs[job.ID]; known && r.Outcome != devices.PrintNotSent {
		return r
	}
	r := p.print(ctx, job)
	switch {
	case r.Outcome == devices.PrintConfirmed:
		p.unknown = 0
	case r.Outcome == devices.PrintUnknown && p.opt.Profile.Fence != "" && (r.Why == devices.UnreadyNot || r.Why == devices.UnreadyNoDevice):
		// A head that says what stopped it is understood, and one that cannot answer at all never is.
		p.unknown++
	}
	if len(p.jobs) > 200 {
		clear(p.jobs)
	}
	p.jobs[job.ID] = r
	return r
}

func notSent(why devices.Unready, detail string) devices.PrintResult {
	return devices.PrintResult{Outcome: devices.PrintNotSent, Why: why, Sheets: -1, Detail: detail}
}

func (p *Printer) print(ctx context.Context, job devices.ReceiptJob) devices.PrintResult {
	l, err := slip.Lay(job.Slip, slip.Metrics{Dots: p.opt.Profile.Dots})
	if err != nil {
		return notSent(devices.UnreadyBroken, "layout")
	}
	data := Encode(l, p.opt.Profile, p.opt.Face)
	if p.unknown >= twoUnknown {
		return notSent(devices.UnreadyBroken, "two results in a row are unknown: a person must look")
	}
	if p.opt.Profile.DLEEOT {
		s, err := p.status(ctx)
		if err != nil {
			return notSent(devices.UnreadyNoDevice, brief(err))
		}
		if why := s.Unready(); why != devices.UnreadyNot {
			return notSent(why, "")
		}
	}
	if err := p.ready(ctx, job.ID); err != nil {
		return notSent(devices.UnreadyNoDevice, brief(err))
	}
	sent, r := p.send(ctx, data)
	switch {
	case r != nil && sent == 0:
		return notSent(r.Why, r.Detail)
	case r == nil:
		r = new(p.prove(ctx, job.ID))
	}
	if r.Outcome != devices.PrintConfirmed {
		p.torn = true
		if sent < len(data) {
			p.owed = picture(p.opt.Profile)
		}
		p.tell()
	}
	return *r
}

// tell lets the caller keep what the next opening must know.
func (p *Printer) tell() {
	if p.opt.Torn != nil {
		p.opt.Torn.Store(p.torn)
	}
}

// picture is the longest that one image command of a profile can be, in bytes.
func picture(p Profile) int { return p.Band*((p.Dots+7)/8) + 32 }

// ready leaves the head with an empty line, an empty buffer and no answer on its way.
func (p *Printer) ready(ctx context.Context, id string) error {
	patience := idleTime
	parted := p.owed > 0 || p.torn
	if parted {
		if err := p.part(ctx); err != nil {
			return err
		}
		patience += p.opt.Quiet // for what is still on the line
	}
	idle, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch {
	case p.opt.Profile.Fence == "process-id" && parted:
		// A buffer that is full of what came before would hide why a head stopped.
		return p.processID(idle, "before "+id)
	case p.opt.Profile.Fence == "gs-r" && p.queued:
		return p.emptied(idle)
	}
	return nil
}

// part ends what came before: a picture that was cut short is filled with white, or it would swallow the beginning of the
// next slip, and a slip that may be half on paper is cut off, or the next citizen would get it.
func (p *Printer) part(ctx context.Context) error {
	end := make([]byte, p.owed, p.owed+128)
	if p.torn {
		end = append(append(append(end, 0x0A), escInit...), p.opt.Profile.Cut...)
		if len(p.opt.Profile.Retract) > 0 {
			end = append(end, p.opt.Profile.Retract...)
		} else {
			end = append(end, p.opt.Profile.Present...)
		}
	}
	for len(end) > 0 {
		n, err := p.write(ctx, end[:min(len(end), p.slice)])
		if err != nil {
			return err
		}
		end = end[n:]
	}
	p.owed, p.torn = 0, false
	p.tell()
	return nil
}

// write hands over a slice, for as long as a head may be quiet.
func (p *Printer) write(ctx context.Context, b []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, p.opt.Quiet+time.Duration(len(b))*time.Second/slowest)
	defer cancel()
	return p.bus.Write(ctx, b)
}

// send writes the job in slices. ESC @ goes first and alone: it prints nothing, so while nothing else was tried, nothing of
// the slip can be on paper.
func (p *Printer) send(ctx context.Context, data []byte) (int, *devices.PrintResult) {
	sent := 0
	for next := len(escInit); sent < len(data); next = min(len(data), sent+p.slice) {
		n, err := p.write(ctx, data[sent:next])
		sent += n
		if err != nil {
			return sent, p.lost(ctx, err)
		}
	}
	return sent, nil
}

// lost is what an error in the middle means.
func (p *Printer) lost(ctx context.Context, err error) *devices.PrintResult {
	r := &devices.PrintResult{Outcome: devices.PrintUnknown, Sheets: -1, Why: devices.UnreadyNoDevice, Detail: brief(err)}
	if errors.Is(err, devices.ErrNoDevice) || ctx.Err() != nil {
		return r
	}
	if s, serr := p.status(ctx); serr == nil {
		p.stopped(ctx, r, s.Unready())
	}
	return r
}

// stopped is for a head that said why it stopped in the middle of a slip. It keeps the rest in its buffer and would print it
// when it is mended, perhaps for somebody else, so it is told to drop it. Only where it acknowledges that, the slip will
// certainly not come out any more.
func (p *Printer) stopped(ctx context.Context, r *devices.PrintResult, why devices.Unready) {
	if why == devices.UnreadyNot {
		return
	}
	r.Why = why
	clearing := p.opt.Profile.Clear
	if len(clearing) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	p.forget()
	if _, err := p.bus.Write(ctx, clearing); err != nil || !acknowledged(clearing) {
		return
	}
	for {
		switch b, err := p.await(ctx, replyBlock); {
		case err != nil:
			return
		case string(b) == "\x37\x25":
			r.Outcome = devices.PrintFailed
			return
		}
	}
}

// acknowledged says whether heads answer a clearing command: DLE DC4 8 with 37 25 00, DLE ENQ 2 not at all.
func acknowledged(clearing []byte) bool {
	return len(clearing) > 2 && clearing[0] == dle && clearing[1] == 0x14 && clearing[2] == 8
}

// prove finds out whether the slip is on paper.
func (p *Printer) prove(ctx context.Context, id string) devices.PrintResult {
	r := devices.PrintResult{Outcome: devices.PrintUnknown, Sheets: -1, Output: devices.MediaNotSupported}
	wait, cancel := context.WithTimeout(ctx, p.opt.Quiet)
	defer cancel()
	var err error
	switch p.opt.Profile.Fence {
	case "process-id":
		err = p.processID(wait, id)
		r.By = "process-id"
	case "gs-r":
		err = p.fence(wait)
		r.By = "fence"
	default:
		r.Detail = "head has no fence"
		return r
	}
	if err != nil {
		r.By = ""
		r.Why, r.Detail = devices.UnreadyNoDevice, brief(err)
		if s, serr := p.status(ctx); serr == nil {
			r.Why = devices.UnreadyNot
			p.stopped(ctx, &r, s.Unready())
		}
		return r
	}
	s, err := p.status(ctx)
	if err != nil {
		r.By, r.Why, r.Detail = "", devices.UnreadyNoDevice, brief(err)
		return r
	}
	r.Output = s.Media
	if why := s.Unready(); why != devices.UnreadyNot && why != devices.UnreadyPaperOut {
		// It answered the fence and is in trouble all the same: a jam behind the head looks like this.
		r.By, r.Why = "", why
		return r
	}
	r.Outcome, r.Sheets = devices.PrintConfirmed, 1
	return r
}

// processID asks the head to echo a number when everything before it is on paper (GS ( H fn 48).
func (p *Printer) processID(ctx context.Context, id string) error {
	sum := crc32.ChecksumIEEE([]byte(id))
	// four printable characters, 20h to 7Eh
	var d [4]byte
	for i := range d {
		d[i] = 0x20 + byte(sum>>(8*i))%0x5F
	}
	p.forget()
	if _, err := p.bus.Write(ctx, append([]byte{0x1D, 0x28, 0x48, 0x06, 0x00, 0x30, 0x30}, d[:]...)); err != nil {
		return err
	}
	for {
		b, err := p.await(ctx, replyBlock)
		if err != nil {
			return err
		}
		if len(b) == 6 && b[0] == 0x37 && b[1] == 0x22 && [4]byte(b[2:]) == d {
			return nil
		}
	}
}

// emptied makes sure that no answer to an older fence is on its way: one more is asked, and when it is quiet after the
// answers that come, the last of them was that one's.
func (p *Printer) emptied(ctx context.Context) error {
	p.forget()
	if _, err := p.bus.Write(ctx, []byte{0x1D, 0x72, 0x01}); err != nil {
		return err
	}
	if _, err := p.await(ctx, replyFIFO); err != nil {
		return err
	}
	p.forget()
	if err := p.hush(ctx, math.MaxInt); err != nil {
		return err
	}
	p.queued = false
	p.in = replies{mouth7: p.in.mouth7}
	return nil
}

// fence asks a question that the head answers in order (GS r 1).
func (p *Printer) fence(ctx context.Context) error {
	p.queued = true
	p.forget()
	if _, err := p.bus.Write(ctx, []byte{0x1D, 0x72, 0x01}); err != nil {
		return err
	}
	b, err := p.await(ctx, replyFIFO)
	if err != nil {
		return err
	}
	p.queued = false
	if b[0]&0x0C != 0 {
		// paper ended: the answer came from the queue, what stands before it may not be whole
		return fmt.Errorf("paper ended: %w", devices.ErrSilent)
	}
	return nil
}

// brief is an error as ASCII without addresses.
func brief(err error) string {
	switch {
	case errors.Is(err, devices.ErrNoDevice):
		return "hung up"
	case errors.Is(err, devices.ErrSilent), errors.Is(err, context.DeadlineExceeded):
		return "silent"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "bus error"
}
