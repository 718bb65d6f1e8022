package uplink

// The audit chain's witnesses: the terminal's signature under its head, and the platform's under an acknowledgement.

import (
	"context"
	"errors"

	"github.com/budayang/kiosk/sync/wire"
)

// Sign signs with the terminal's key; the audit chain's head is what asks for it.
func (id *Identity) Sign(b []byte) ([]byte, error) { return wire.Sign(id.now.Load().sign, b) }

// Signed says whether an audit head carries this terminal's signature, by its present key or by one that was rotated away.
func (id *Identity) Signed(h wire.AuditHead) error {
	if h.Terminal != id.Terminal {
		return wire.ErrSignature
	}
	c := id.now.Load()
	present, err := wire.MarshalPublicKey(c.sign)
	if err != nil {
		return err
	}
	for _, der := range append([][]byte{present}, c.file.Past...) {
		if pub, _, err := wire.ParsePublicKey(der); err == nil && wire.Verify(pub, h.SigningBytes(), h.Signature) {
			return nil
		}
	}
	return wire.ErrSignature
}

// Acknowledged says whether an acknowledgement for this terminal carries the platform's signature.
func (id *Identity) Acknowledged(a wire.Ack) error {
	if a.Terminal != id.Terminal {
		return wire.ErrSignature
	}
	return id.verify(a.SigningBytes(), a.Signature)
}

// Deliver sends what waits in a lane once more, until nothing waits or ctx ends: for a program that is about to end. It does
// nothing while the link is not up. Call it when Run has ended.
func (u *Uplink) Deliver(ctx context.Context, lane wire.Lane) error {
	if u.State() != Up {
		return errors.New("the link is not up")
	}
	for ctx.Err() == nil {
		n, err := u.pushLane(ctx, lane)
		if err != nil || n == 0 {
			return err
		}
	}
	return ctx.Err()
}
