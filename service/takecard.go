// The citizen's own card at the end of a visit: nobody leaves without it if asking helps (domain.md F12).

package service

import (
	"context"
	"errors"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// reader is the id reader, in use until release is called.
func (e *Engine) reader() (devices.IDReader, func(), bool) {
	dev, release, err := e.cfg.Devices.Use(devices.RoleIDReader)
	if err != nil {
		return nil, nil, false
	}
	r, ok := dev.(devices.IDReader)
	if !ok {
		release()
		return nil, nil, false
	}
	return r, release, true
}

// cardLies asks the reader once.
func (e *Engine) cardLies(ctx context.Context) devices.Media {
	r, release, ok := e.reader()
	if !ok {
		return devices.MediaUnknown
	}
	defer release()
	ctx, stop := context.WithTimeout(ctx, e.t.LookForCard)
	defer stop()
	m, err := r.Present(ctx)
	if err != nil {
		return devices.MediaUnknown
	}
	return m
}

// cardFromBefore keeps the first citizen after a start from being served on a card that somebody left when the power went.
func (e *Engine) cardFromBefore(ctx context.Context, c Citizen) {
	if e.cardLies(ctx) == devices.MediaPresent {
		e.takeCard(ctx, c, &visit{cardRead: true})
	}
}

// takeCard keeps the terminal for a card that lies on the reader: calmly, then urgently, then closed until somebody takes
// it. A reader that cannot tell is not waited for longer than the urgent phase.
func (e *Engine) takeCard(ctx context.Context, c Citizen, v *visit) {
	if !v.cardRead {
		return
	}
	lies := e.cardLies(ctx)
	if lies != devices.MediaPresent && lies != devices.MediaUnknown {
		return
	}
	r, release, ok := e.reader()
	if !ok {
		return
	}
	defer release()
	// The citizen's data are not needed to ask for the card.
	v.wipe()

	waitCtx, stop := context.WithTimeout(ctx, e.t.CardGiveUp)
	defer stop()
	removed := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r.AwaitRemoval(waitCtx) == nil {
			close(removed)
		}
	}()
	defer func() { stop(); <-ended }()

	ask := func(urgent bool, limit time.Duration) (over bool) {
		askCtx, cancel := context.WithTimeoutCause(ctx, limit, errCame)
		defer cancel()
		go func() {
			select {
			case <-ended:
				cancel()
			case <-askCtx.Done():
			}
		}()
		_, err := c.Ask(askCtx, TakeCard{Page: Page{At: -1}, Urgent: urgent})
		if err == nil || errors.Is(err, ErrLeft) || errors.Is(err, ErrTimedOut) || errors.Is(err, ErrBack) {
			// Nobody answers any more; the card still lies there.
			<-askCtx.Done()
		}
		return isClosed(ended) || ctx.Err() != nil
	}
	if ask(false, e.t.CardUrgent) || ask(true, e.t.CardBlock-min(e.t.CardUrgent, e.t.CardBlock)) {
		return
	}
	if lies == devices.MediaUnknown {
		return
	}
	e.audit(journal.EventCardLeft, "citizen", nil)
	c.Tell(OutOfService{Page: Page{At: -1}, Why: T("svc.out.card"), Code: "E-CARD-LEFT"})
	<-ended
	if !isClosed(removed) {
		e.audit(journal.EventCardGivenUp, "system", nil)
		return
	}
	e.audit(journal.EventCardRemoved, "citizen", nil)
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
