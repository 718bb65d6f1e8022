// Package idcard reads second-generation identity cards through the SAM module that every Chinese reader embeds.
//
// The module does the cryptography with the card and delivers a plain text record and a compressed photo; the driver
// speaks its frames ([SAM protocol], GA/T 467) over any bus: ask for the module's state, look for a card, select it, read
// it, and see it leave. What the field has taught is in the state machine of [Reader.Read]: one "no card" proves nothing, a
// card that moves is looked for anew, and a card that was read is not read again until it left.
//
// The photo is decoded by a plug-in ([PhotoDecoder]); a photo that cannot be decoded never hides the text.
package idcard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A Bus is what the reader hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

// Options of [Open].
type Options struct {
	Photo       PhotoDecoder  // nil decodes nothing
	Fingerprint bool          // read templates too (30 10)
	Address     bool          // read added addresses (30 03)
	RFSize      byte          // bytes per RF frame, 0 means 0x50
	Poll        time.Duration // between looks for a card, 0 means 200 ms
	Baud        int           // of the line, for the time a long answer takes; 0 means 115200
	Framing     string        // on USB: bus.FramingSplit or bus.FramingWhole; "" finds out
	Now         func() time.Time
}

// Patience with the module (id-readers reference 2.7).
const (
	statusTime = 1000 * time.Millisecond
	findTime   = 1000 * time.Millisecond
	selectTime = 1500 * time.Millisecond
	readTime   = 3000 * time.Millisecond
	gapTime    = 200 * time.Millisecond // between bytes of one answer
	tries      = 3
	// leftAfter looks without a card prove that it left: a card that was read answers "none" once or twice while it lies.
	leftAfter = 3
)

// Reader is an open reader. It implements [devices.IDReader].
type Reader struct {
	bus  Bus // what the module was heard on
	line Bus // what Open was given, to be closed
	opt  Options

	mu     sync.Mutex // held for one command, or one card
	dec    decoder
	id     devices.Identity
	settle time.Duration // after a find; grows from nothing when a module shows that it needs it
	lies   bool          // a card was read and has not been seen to leave
}

// Open asks the module who it is. A module that refuses to work is [devices.ErrUnusable]. One that says nothing is
// [devices.ErrSilent] after 3 s, or after 9 s where it must be found out how it is spoken to ([Options].Framing).
func Open(ctx context.Context, b Bus, opt Options) (*Reader, error) {
	if opt.RFSize == 0 {
		opt.RFSize = 0x50
	}
	if opt.Poll == 0 {
		opt.Poll = 200 * time.Millisecond
	}
	if opt.Baud == 0 {
		opt.Baud = 115200
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	ways, pipes, err := framings(b, opt.Framing)
	if err != nil {
		return nil, err
	}
	r := &Reader{bus: ways[0].line, line: b, opt: opt}
	if len(ways) > 1 {
		if r.bus, err = tell(ctx, ways, pipes); err != nil {
			return nil, err
		}
	}
	if err := r.greet(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// greet asks for state and number and sets what reading needs.
func (r *Reader) greet(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bus.Drain()
	a, err := r.insist(ctx, answer.isStatus, cmdStatus)
	if err != nil {
		return fmt.Errorf("id reader: %w", err)
	}
	if a.sw3 != 0x90 {
		return fmt.Errorf("id reader: self-test: %w", a.fault())
	}
	if a, err = r.insist(ctx, answer.isSAMID, cmdSAMID); err != nil {
		return fmt.Errorf("id reader: SAM id: %w", err)
	}
	if a.isSAMID() {
		r.id = devices.Identity{Model: "SAM", Serial: samID(a.data)}
	}
	if _, err = r.insist(ctx, nil, cmdSetRFSize, r.opt.RFSize); err != nil {
		return fmt.Errorf("id reader: RF frame size: %w", err)
	}
	return nil
}

// isStatus: answers do not say what they answer, but a module's state is one of these.
func (a answer) isStatus() bool { return a.sw3 == 0x90 || a.sw3 == 0x60 || a.sw3 == 0x66 }

func (a answer) isSAMID() bool { return a.sw3 == 0x90 && len(a.data) == 16 }

// insist asks up to tries times: a module that did not answer within statusTime may be slow, and its answer to the question before
// may come now. An answer that does not fit is returned when no other came.
func (r *Reader) insist(ctx context.Context, fits func(answer) bool, c command, data ...byte) (a answer, err error) {
	for range tries {
		a, err = r.askFor(ctx, statusTime, fits, c, data...)
		if err == nil && (fits == nil || fits(a)) {
			return a, nil
		}
		if ctx.Err() != nil || err != nil && !errors.Is(err, devices.ErrSilent) && !errors.Is(err, devices.ErrProtocol) {
			return a, err
		}
	}
	return a, err
}

// samID is the module's identity as it is printed on its papers: two u16, then three u32, little-endian.
func samID(b []byte) string {
	u16 := func(i int) uint32 { return uint32(b[i]) | uint32(b[i+1])<<8 }
	u32 := func(i int) uint32 { return u16(i) | u16(i+2)<<16 }
	return fmt.Sprintf("%02d.%02d-%08d-%010d-%010d", u16(0), u16(2), u32(4), u32(8), u32(12))
}

// SAMError is a status of the module that is not good.
type SAMError struct{ SW1, SW2, SW3 byte }

func (e SAMError) Error() string {
	return fmt.Sprintf("module says %02X %02X %02X", e.SW1, e.SW2, e.SW3)
}

// fault is an answer's status as an error.
func (a answer) fault() error {
	e := SAMError{a.sw1, a.sw2, a.sw3}
	switch a.sw3 {
	case 0x60, 0x66: // self-test failed; not authorised
		return errors.Join(devices.ErrUnusable, e)
	case 0x31, 0x32, 0x33:
		return errors.Join(devices.ErrCardRejected, e)
	case 0x40:
		return errors.Join(devices.ErrNotIDCard, e)
	}
	return e
}

// ask sends a command and waits for its answer. Statuses that say that the module did not understand are sent again once.
func (r *Reader) ask(ctx context.Context, patience time.Duration, c command, data ...byte) (answer, error) {
	return r.askFor(ctx, patience, nil, c, data...)
}

// askFor is ask where it is known what an answer can be: another one, to a question that was given up, is passed over, and returned
// only when no better one came.
func (r *Reader) askFor(ctx context.Context, patience time.Duration, fits func(answer) bool, c command, data ...byte) (answer, error) {
	for again := range 2 {
		a, err := r.askOnce(ctx, patience, fits, c, data...)
		if err != nil {
			return a, err
		}
		if a.notUnderstood() {
			if again == 0 {
				continue
			}
			return a, errors.Join(devices.ErrProtocol, SAMError{a.sw1, a.sw2, a.sw3})
		}
		return a, nil
	}
	panic("unreachable")
}

// notUnderstood: the module saw a wrong checksum, length or command.
func (a answer) notUnderstood() bool { return a.sw3 == 0x10 || a.sw3 == 0x11 || a.sw3 == 0x21 }

func (r *Reader) askOnce(ctx context.Context, patience time.Duration, fits func(answer) bool, c command, data ...byte) (answer, error) {
	r.bus.Drain()
	r.dec.reset()
	whole, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := r.bus.Write(whole, encode(c, data...)); err != nil {
		return answer{}, err
	}
	var buf [4096]byte
	defer func() { clear(buf[:]) }()
	heard := 0 // of the answer at hand
	var other *answer
	for {
		wait, stop := whole, context.CancelFunc(func() {})
		if heard > 0 {
			wait, stop = context.WithTimeout(whole, gapTime)
		}
		n, err := r.bus.Read(wait, buf[:])
		stop()
		if err != nil {
			if ctx.Err() != nil {
				return answer{}, context.Cause(ctx)
			}
			if errors.Is(err, devices.ErrSilent) && heard > 0 {
				why := r.dec.last
				if why == nil {
					why = errNoise
				}
				if m := r.dec.missing(); m > 0 {
					why = fmt.Errorf("stopped %d bytes before the end", m)
				}
				if a, ok := r.dec.rescue(); ok {
					return a, nil
				}
				return answer{}, fmt.Errorf("%w: %w", devices.ErrProtocol, why)
			}
			if errors.Is(err, devices.ErrSilent) && other != nil {
				return *other, nil
			}
			return answer{}, err
		}
		heard += n
		r.dec.push(buf[:n])
		for a, ok := r.dec.next(); ok; a, ok = r.dec.next() {
			if fits == nil || fits(a) || a.notUnderstood() {
				return a, nil
			}
			clear(a.data) // it may be of a card
			a.data = nil
			other, heard = &a, len(r.dec.buf)
		}
	}
}

// wire is how long so many bytes take on the line, ten bits each.
func (r *Reader) wire(n int) time.Duration {
	return time.Duration(n*10) * time.Second / time.Duration(r.opt.Baud)
}

// Probe implements [devices.Device]: it asks for the module's state (11 FF).
func (r *Reader) Probe(ctx context.Context) (devices.Status, error) {
	s := devices.Status{Role: devices.RoleIDReader, Connection: devices.ConnectionOnline, Media: devices.MediaUnknown,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: r.id}
	r.mu.Lock()
	defer r.mu.Unlock()
	a, err := r.askFor(ctx, statusTime, answer.isStatus, cmdStatus)
	switch {
	case errors.Is(err, devices.ErrProtocol):
		s.Connection, s.Reasons = devices.ConnectionHardwareError, []string{"garbled"}
		return s, nil
	case err != nil:
		return s, err
	case a.sw3 != 0x90:
		s.Connection, s.Reasons = devices.ConnectionHardwareError, []string{fmt.Sprintf("sam-%02x", a.sw3)}
	}
	return s, nil
}

// Close implements [devices.Device].
func (r *Reader) Close() error { return r.line.Close() }

// errAgain: start again at find.
var errAgain = errors.New("card moved")

// Read implements [devices.IDReader].
func (r *Reader) Read(ctx context.Context, on func(devices.ReadEvent)) (*devices.IDCard, error) {
	if on == nil {
		on = func(devices.ReadEvent) {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// Looks that failed in a row and cards that could not be read are counted apart: a line that is disturbed now and then
	// while nobody is there must not end the waiting.
	mute, failed := 0, 0
	var why error
	for {
		found, err := r.find(ctx)
		if err != nil {
			if !soft(err) {
				return nil, err
			}
			if mute++; mute >= 2*tries {
				return nil, err
			}
		} else {
			mute = 0
		}
		if !found {
			if err := pause(ctx, r.opt.Poll); err != nil {
				return nil, err
			}
			continue
		}
		on(devices.ReadFound)
		card, err := r.readFound(ctx)
		if err == nil {
			r.lies = true
			return card, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		switch {
		case errors.Is(err, devices.ErrNotIDCard):
			on(devices.ReadNotACard)
		case soft(err):
			on(devices.ReadAgain)
		default:
			return nil, err
		}
		why = err
		if failed++; failed >= tries {
			return nil, tired(why)
		}
		// A module that fails right after a find may need the card to come to rest; one that never fails is never slowed.
		r.settle = min(r.settle+200*time.Millisecond, 500*time.Millisecond)
		if err := pause(ctx, r.settle); err != nil {
			return nil, err
		}
	}
}

// tired is what three failures in a row mean.
func tired(why error) error {
	for _, e := range []error{devices.ErrNotIDCard, devices.ErrCardRejected} {
		if errors.Is(why, e) {
			return why
		}
	}
	return errors.Join(devices.ErrCardUnreadable, why)
}

// soft errors are tried again with the same card.
func soft(err error) bool {
	return errors.Is(err, errAgain) || errors.Is(err, devices.ErrProtocol) || errors.Is(err, devices.ErrSilent) ||
		errors.Is(err, devices.ErrCardRejected) || errors.Is(err, errRecord) || errors.Is(err, errEmptyRecord)
}

// find looks for a card. One "none" is asked again at once: a card at the edge of the field answers every other time.
func (r *Reader) find(ctx context.Context) (bool, error) {
	for range 2 {
		a, err := r.ask(ctx, findTime, cmdFind)
		if err != nil {
			return false, err
		}
		switch a.sw3 {
		case 0x9F:
			return true, nil
		case 0x80:
		case 0x60, 0x66:
			return false, a.fault()
		default:
			return false, fmt.Errorf("%w: %w", errAgain, a.fault())
		}
	}
	return false, nil
}

// readFound selects and reads the card that was just found.
func (r *Reader) readFound(ctx context.Context) (*devices.IDCard, error) {
	a, err := r.ask(ctx, selectTime, cmdSelect)
	if err == nil && a.sw3 == 0x81 {
		a, err = r.ask(ctx, selectTime, cmdSelect)
	}
	if err != nil {
		return nil, err
	}
	if err := step(a); err != nil {
		return nil, err
	}
	c := cmdRead
	if r.opt.Fingerprint {
		c = cmdReadFull
	}
	if a, err = r.ask(ctx, readTime+r.wire(2321), c); err != nil {
		return nil, err
	}
	if err := step(a); err != nil {
		return nil, err
	}
	text, photo, finger, err := parseRead(a.data)
	if err != nil {
		return nil, err
	}
	card, err := parseRecord(text, r.opt.Now())
	if err != nil {
		return nil, err
	}
	if len(photo) > 0 {
		card.WLT = slices.Clone(photo)
	}
	if len(finger) > 0 {
		card.Fingerprint = slices.Clone(finger)
	}
	if r.opt.Address {
		// 91 is the normal answer of a card without added address; any failure here costs nothing of what was read.
		if a, err := r.ask(ctx, readTime, cmdAddress); err == nil && a.sw3 == 0x90 {
			card.AddedAddress = addresses(a.data)
		}
	}
	clear(a.data)
	r.dec.reset()
	r.decode(ctx, card)
	return card, nil
}

// step turns a status after select or read into what to do.
func step(a answer) error {
	switch a.sw3 {
	case 0x90:
		return nil
	case 0x81, 0x41, 0x47, 0x80:
		return fmt.Errorf("%w: %w", errAgain, a.fault())
	case 0x31, 0x32, 0x33, 0x40, 0x60, 0x66:
		return a.fault()
	}
	return fmt.Errorf("%w: %w", errAgain, a.fault())
}

// decode asks the plug-in for the picture; whatever happens, the text stays.
func (r *Reader) decode(ctx context.Context, card *devices.IDCard) {
	if card.WLT == nil {
		return
	}
	if !photoOK(card.WLT) {
		card.Warnings = append(card.Warnings, "photo")
		return
	}
	if r.opt.Photo == nil {
		return
	}
	picture, err := r.opt.Photo.Decode(ctx, card.WLT)
	if err != nil {
		card.Warnings = append(card.Warnings, "photo")
		return
	}
	card.Photo = picture
}

// Present implements [devices.IDReader]. A card that was read may answer "none" while it still lies there, so only several
// such answers in a row are MediaNotPresent.
func (r *Reader) Present(ctx context.Context) (devices.Media, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	looks := 1
	if r.lies {
		looks = leftAfter
	}
	for i := range looks {
		found, err := r.find(ctx)
		if err != nil {
			if soft(err) {
				return devices.MediaUnknown, nil
			}
			return devices.MediaUnknown, err
		}
		if found {
			return devices.MediaPresent, nil
		}
		if i < looks-1 {
			if err := pause(ctx, r.opt.Poll/2); err != nil {
				return devices.MediaUnknown, err
			}
		}
	}
	r.lies = false
	return devices.MediaNotPresent, nil
}

// AwaitRemoval implements [devices.IDReader].
func (r *Reader) AwaitRemoval(ctx context.Context) error {
	for {
		m, err := r.Present(ctx)
		if err != nil {
			return err
		}
		if m == devices.MediaNotPresent {
			return nil
		}
		if err := pause(ctx, r.opt.Poll); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
