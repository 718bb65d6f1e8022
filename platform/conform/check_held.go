package conform

// Answers that may be held back while a state lasts: a citizen waits before the screen for what is asked.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Times of held answers. A platform that cannot wait answers at once, which is no fault.
const (
	heldLong  = 30              // seconds that are waited for a change
	heldShort = 1               // seconds after which an answer comes without one
	heldSlack = 8 * time.Second // that an answer may be late, for the line and a busy server
	heldEarly = time.Second     // what is asked is at the platform by then
)

// came is a held answer, and how long it took.
type came struct {
	state string
	took  time.Duration
	err   error
}

// held asks once how path stands, with the state that is known and the seconds that the answer may be held back.
func (t *terminal) held(ctx context.Context, path, known string, wait int) came {
	began := time.Now()
	a, err := t.get(ctx, fmt.Sprintf("%s?while=%s&wait=%d", path, url.QueryEscape(known), wait))
	var is struct{ State string }
	if err == nil {
		err = a.read(&is)
	}
	return came{is.State, time.Since(began), err}
}

// held examines the answers about path, whose state is now.
func (s *session) held(ctx context.Context, path, now string) error {
	for _, wait := range []string{"-1", "x", "1.5", "99999999999999999999"} {
		a, err := s.mine.get(ctx, path+"?while="+url.QueryEscape(now)+"&wait="+wait)
		if err := refused(a, err, "E-MALFORMED"); err != nil {
			return fmt.Errorf("wait=%s: %w", wait, err)
		}
	}
	for _, c := range []struct {
		what, known string
		wait        int
		most        time.Duration
	}{
		{"another state is known", "conform-other", heldLong, heldSlack},
		{"the state lasts", now, heldShort, heldShort*time.Second + heldSlack},
	} {
		switch is := s.mine.held(ctx, path, c.known, c.wait); {
		case is.err != nil:
			return fmt.Errorf("%s: %w", c.what, is.err)
		case is.state != now:
			return fmt.Errorf("%s: state %.20q and not %.20q", c.what, is.state, now)
		case is.took > c.most:
			return fmt.Errorf("%s: answered after %.0f s", c.what, is.took.Seconds())
		}
	}
	return nil
}

func checkBillHeld(ctx context.Context, s *session) error {
	if err := s.priced(); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathBills, wire.BillRequest{Case: newID(), Item: s.cfg.Priced})
	if err != nil {
		return err
	}
	var b wire.Bill
	if err := a.read(&b); err != nil {
		return err
	}
	path := wire.PathBills + "/" + b.Number
	err = s.held(ctx, path, string(b.State))
	a, cerr := s.mine.post(ctx, path+"/cancel", json.RawMessage("{}"))
	if cerr == nil {
		cerr = a.read(&b)
	}
	return errors.Join(err, cerr)
}

func checkCardHeld(ctx context.Context, s *session) error {
	if err := s.cards(); err != nil {
		return err
	}
	a, end, err := s.begunCard(ctx)
	if err != nil {
		return err
	}
	c, err := readCard(s.mine.post(ctx, wire.PathCards, a))
	if err != nil {
		return errors.Join(err, end())
	}
	path, now := wire.PathCards+"/"+a.Key, string(c.State)
	if err := s.held(ctx, path, now); err != nil {
		return errors.Join(err, end())
	}
	answer := make(chan came, 1)
	go func() { answer <- s.mine.held(ctx, path, now, heldLong) }()
	time.Sleep(heldEarly)
	err, changed := end(), time.Now()
	is := <-answer
	late := time.Since(changed)
	switch {
	case err != nil || is.err != nil:
		return errors.Join(err, is.err)
	case is.state == now && is.took > heldEarly:
		return fmt.Errorf("the case ended while the answer was held back, and it says %.20q", is.state)
	case late > heldSlack:
		return fmt.Errorf("the case ended while the answer was held back, and it came %.0f s later", late.Seconds())
	}
	if is = s.mine.held(ctx, path, now, heldLong); is.err == nil && is.state != string(wire.CardEnded) {
		is.err = fmt.Errorf("state %.20q after its case was cancelled", is.state)
	}
	return is.err
}
