// Reading the code of a printed card before anybody gets it: it must be the one that its permit names.

package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/cardface"
	"github.com/budayang/kiosk/sync/journal"
)

// Bounds of reading. To read again moves and prints nothing.
const (
	checkTries = 3
	checkTime  = 4 * time.Second // of one try
	checkAwait = time.Minute     // for a reader that went away to come back
)

// errOtherCode: the printed card carries another code than its permit.
var errOtherCode = errors.New("card carries another code than its permit")

// check reads the code of the printed card, where a device can. A card with another code, or with one that cannot be read, goes into
// the bin and to the desk, in doubt: people say whether it is a good one, and nothing is printed again before.
func (m *making) check(ctx context.Context, want string) error {
	j := m.j
	if !j.e.cfg.CardCheck {
		return nil
	}
	j.stage("check", StageRunning, Text{})
	j.show(Text{})
	err := j.readsCode(ctx, want)
	j.e.reached("card.checked")
	if err == nil {
		j.stage("check", StageDone, Text{})
		j.show(Text{})
		return nil
	}
	what := "code-unread"
	if errors.Is(err, errOtherCode) {
		what = "code-other"
	}
	j.e.audit(journal.EventStockContradiction, "system", map[string]string{"case": j.kase.ID, "what": what})
	if berr := m.doubted(ctx, what); berr != nil {
		return berr
	}
	return m.desk("the printed card did not pass its check", "card-check", "E-CARD-CODE", err)
}

// readsCode reads until a code was read, as often as is allowed.
func (j *Journey) readsCode(ctx context.Context, want string) (err error) {
	for range checkTries {
		var got string
		if got, err = j.e.cardCode(ctx); err == nil {
			if got != want {
				return errOtherCode
			}
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, devices.ErrNoDevice) || errors.Is(err, devices.ErrSilent) || errors.Is(err, devices.ErrProtocol) {
			back, stop := context.WithTimeout(ctx, checkAwait)
			j.awaitReady(back, devices.RoleCardCheck)
			stop()
			j.show(Text{})
		}
	}
	return fmt.Errorf("code of the printed card: %w", err)
}

// cardCode reads the code of the card that lies inside, once.
func (e *Engine) cardCode(ctx context.Context) (string, error) {
	dev, release, err := e.cfg.Devices.Use(devices.RoleCardCheck)
	if err != nil {
		return "", err
	}
	defer release()
	ctx, stop := graceful(ctx, checkTime, e.t.Grace)
	defer stop()
	switch d := dev.(type) {
	case devices.CodeScanner:
		c, err := d.Scan(ctx)
		defer c.Wipe()
		return strings.TrimSpace(string(c.Data)), err
	case devices.Camera:
		return seenCode(ctx, d)
	}
	return "", errors.New("device reads no codes")
}

// seenCode looks at pictures of the card until one shows a code. They show a person, and are wiped.
func seenCode(ctx context.Context, cam devices.Camera) (string, error) {
	stream, err := cam.Stream(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var f devices.Frame
	defer func() { f.Wipe() }()
	seen := error(devices.ErrCodeUnreadable)
	for {
		if err := stream.Next(ctx, &f, devices.View{}); err != nil {
			if ctx.Err() != nil {
				return "", seen
			}
			return "", err
		}
		text, err := cardface.ReadCode(f.Image())
		if err == nil {
			return text, nil
		}
		seen = err
	}
}
