// Package smartcard reads what social-security cards tell without keys, through pcscd.
//
//	r, err := smartcard.Open(ctx, "/run/pcscd/pcscd.comm", "")
//	card, err := r.Read(ctx, nil)
//	defer card.Wipe()
//
// The driver speaks pcscd's socket itself: no C code, and every exchange is bounded. It reads the public fields of EF05 and EF06
// of the application SSSE; what a region protects is told as protected, and no secret is ever tried. Real installations read
// more with their province's certified library; that is another driver for the same role.
//
// A daemon that was asked and did not answer in time is asked on a new connection: answers carry no number.
package smartcard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

const (
	pollEvery = 150 * time.Millisecond // how often the reader's state is asked while a card is waited for
	askTime   = 2 * time.Second        // one question to the daemon
	cardTime  = 15 * time.Second       // one card, all its files
	tries     = 3                      // before a card is called unreadable
)

// Reader is an open reader. It implements [devices.SocialCardReader].
type Reader struct {
	path, want string
	now        func() time.Time

	mu     sync.Mutex // held for one exchange with the daemon, or one card
	c      *client    // nil: to be dialled anew
	name   string
	closed bool
}

var _ devices.SocialCardReader = (*Reader)(nil)

// Open finds the reader whose name contains want; "" is the only one. Errors: [devices.ErrNoDevice] without daemon or reader,
// [devices.ErrUnusable] when several fit or the daemon speaks another language.
func Open(ctx context.Context, path, want string) (*Reader, error) {
	r := &Reader{path: path, want: want, now: time.Now}
	if _, err := r.state(ctx); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("smart card: %w", err)
	}
	return r, nil
}

// Close lets the daemon go.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.drop()
}

// drop gives the connection up. Called with the mutex held.
func (r *Reader) drop() error {
	c := r.c
	if r.c = nil; c == nil {
		return nil
	}
	return c.close()
}

// with does something over a connection that is of use; after an error of the connection the next caller gets a new one.
func (r *Reader) with(ctx context.Context, do func(*client) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("reader is closed: %w", devices.ErrNoDevice)
	}
	if r.c == nil {
		c, err := dial(ctx, r.path)
		if err != nil {
			return err
		}
		r.c = c
	}
	err := do(r.c)
	if errors.Is(err, devices.ErrSilent) || errors.Is(err, devices.ErrNoDevice) || errors.Is(err, devices.ErrProtocol) {
		c := r.c
		r.c = nil
		_ = c.conn.Close()
	}
	return err
}

// state asks for the reader's state.
func (r *Reader) state(ctx context.Context) (now reader, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err = r.with(ctx, func(c *client) error {
		all, err := c.readers(ctx)
		if err != nil {
			return err
		}
		var fit []reader
		for _, x := range all {
			if strings.Contains(x.name, r.want) {
				fit = append(fit, x)
			}
		}
		switch {
		case len(fit) == 0:
			return fmt.Errorf("no such reader among %d: %w", len(all), devices.ErrNoDevice)
		case len(fit) > 1 && fit[0].name != r.want:
			return fmt.Errorf("%d readers fit; say which with ?reader=: %w", len(fit), devices.ErrUnusable)
		}
		now, r.name = fit[0], fit[0].name
		return nil
	})
	return now, err
}

func (x reader) media() devices.Media {
	switch {
	case x.state&statePresent != 0:
		return devices.MediaPresent
	case x.state&stateUnknown != 0:
		return devices.MediaUnknown
	}
	return devices.MediaNotPresent
}

// Probe implements [devices.Device].
func (r *Reader) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: devices.RoleSmartCard, Connection: devices.ConnectionOnline, Paper: devices.SupplyNotSupported,
		Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Media: devices.MediaUnknown}
	now, err := r.state(ctx)
	if err != nil {
		st.Connection = devices.ConnectionNoDevice
		return st, fmt.Errorf("smart card: %w", err)
	}
	st.Media, st.Identity.Model = now.media(), ascii(now.name)
	return st, nil
}

// ascii keeps what is fit for a list.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// Present implements [devices.SocialCardReader].
func (r *Reader) Present(ctx context.Context) (devices.Media, error) {
	now, err := r.state(ctx)
	if err != nil {
		return devices.MediaUnknown, fmt.Errorf("smart card: %w", err)
	}
	return now.media(), nil
}

// Read implements [devices.SocialCardReader].
func (r *Reader) Read(ctx context.Context, on func(devices.ReadEvent)) (*devices.SocialCard, error) {
	tell := func(e devices.ReadEvent) {
		if on != nil {
			on(e)
		}
	}
	for failed := 0; ; {
		now, err := r.state(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("smart card: %w", err)
		}
		if now.media() == devices.MediaPresent {
			tell(devices.ReadFound)
			card, err := r.once(ctx, now.name)
			switch {
			case err == nil:
				return card, nil
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case errors.Is(err, devices.ErrNotIDCard):
				tell(devices.ReadNotACard)
				return nil, fmt.Errorf("smart card: %w", err)
			case !errors.Is(err, devices.ErrCardUnreadable):
				return nil, fmt.Errorf("smart card: %w", err)
			}
			if failed++; failed == tries {
				return nil, fmt.Errorf("smart card: %w", err)
			}
			tell(devices.ReadAgain)
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// once reads the card that is there.
func (r *Reader) once(ctx context.Context, name string) (out *devices.SocialCard, err error) {
	ctx, cancel := context.WithTimeout(ctx, cardTime)
	defer cancel()
	err = r.with(ctx, func(c *client) error {
		k, err := c.connect(ctx, name)
		if err != nil {
			return err
		}
		out, err = read(ctx, k, r.now())
		if err == nil || errors.Is(err, devices.ErrNotIDCard) || errors.Is(err, devices.ErrCardUnreadable) {
			k.free()
		}
		return err
	})
	return out, err
}
