package platform

// The way down: what terminals are told to do, and what they answered.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrOrder: an order was refused before it was sent; the message says why.
var ErrOrder = errors.New("order refused")

var commands = []string{wire.CommandPause, wire.CommandResume, wire.CommandRestart, wire.CommandLogs, wire.CommandRotateKey, wire.CommandResync}

// Command sends a command to a terminal, good for so long, and returns the order's id. by says who sends it.
func (s *Server) Command(ctx context.Context, terminal string, c wire.Command, good time.Duration, by string) (id string, err error) {
	if !slices.Contains(commands, c.Name) {
		return "", fmt.Errorf("%w: command %.40q, expected one of %s", ErrOrder, c.Name, strings.Join(commands, ", "))
	}
	if good <= 0 || good > 30*24*time.Hour {
		return "", fmt.Errorf("%w: a command is good for more than nothing and at most 30 days", ErrOrder)
	}
	return id, s.telling(ctx, func(tx Tx) error {
		id, err = s.send(tx, OrderRow{Terminal: terminal, Type: wire.MessageCommand, Name: c.Name, By: by, Expires: s.now().Add(good)}, c)
		return err
	})
}

// Release makes a new revision of a configuration, the items or the notices, and sends it to terminals. A configuration is
// one terminal's. It returns the revision.
func (s *Server) Release(ctx context.Context, kind string, body any, terminals []string, by string) (revision int64, err error) {
	owner := ""
	if kind == wire.MessageConfig {
		if len(terminals) != 1 {
			return 0, fmt.Errorf("%w: a configuration names its terminal: it goes to one", ErrOrder)
		}
		owner = terminals[0]
	}
	return revision, s.telling(ctx, func(tx Tx) error {
		n, err := tx.Next("release/" + kind + "/" + owner)
		if err != nil {
			return err
		}
		revision = int64(n)
		switch b := body.(type) {
		case wire.ConfigDocument:
			b.Revision = revision
			body = b
		case wire.ItemsRelease:
			b.Revision = revision
			body = b
		case wire.NoticesRelease:
			b.Revision = revision
			body = b
		default:
			return fmt.Errorf("%w: %T cannot be released", ErrOrder, body)
		}
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		if err := tx.PutRelease(ReleaseRow{Kind: kind, Terminal: owner, Revision: revision, Body: string(raw), By: by, Made: s.now()}); err != nil {
			return err
		}
		for _, t := range terminals {
			if _, err := s.send(tx, OrderRow{Terminal: t, Type: kind, By: by, Revision: revision}, json.RawMessage(raw)); err != nil {
				return err
			}
		}
		return nil
	})
}

// RollBack sends an earlier revision again: the given one, or with 0 the one before what the terminal works with.
func (s *Server) RollBack(ctx context.Context, kind, terminal string, revision int64, by string) (int64, error) {
	owner := ""
	if kind == wire.MessageConfig {
		owner = terminal
	}
	asked := revision
	return revision, s.telling(ctx, func(tx Tx) error {
		if revision = asked; revision == 0 {
			w, err := tx.Working(terminal)
			if err != nil {
				return err
			}
			revision = map[string]int64{wire.MessageConfig: w.Config, wire.MessageItems: w.Items, wire.MessageNotices: w.Notices}[kind] - 1
		}
		r, err := tx.ReleaseOf(kind, owner, revision)
		if errors.Is(err, ErrNoRow) {
			return fmt.Errorf("%w: there is no revision %d of %.20s", ErrOrder, revision, kind)
		}
		if err != nil {
			return err
		}
		_, err = s.send(tx, OrderRow{Terminal: terminal, Type: kind, By: by, Revision: revision}, json.RawMessage(r.Body))
		return err
	})
}

// Orders lists what a terminal was told, newest first; "" is every terminal.
func (s *Server) Orders(ctx context.Context, terminal string, newest int) (all []OrderRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error { all, err = tx.Orders(terminal, newest); return err })
	return all, err
}

// Working is what a terminal last said of itself.
func (s *Server) Working(ctx context.Context, terminal string) (w WorkingRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error { w, err = tx.Working(terminal); return err })
	return w, err
}

// send puts an order and its message into the store.
func (s *Server) send(tx Tx, o OrderRow, body any) (string, error) {
	if _, err := tx.Terminal(o.Terminal); errors.Is(err, ErrNoRow) {
		return "", fmt.Errorf("%w: there is no terminal %.40q", ErrOrder, o.Terminal)
	} else if err != nil {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	if len(raw) > wire.MaxMessageBytes {
		return "", fmt.Errorf("%w: %d bytes, limit %d", ErrOrder, len(raw), wire.MaxMessageBytes)
	}
	o.ID, o.Sent = id.String(), s.now()
	if o.No, err = s.post(tx, o.Terminal, o.ID, o.Type, raw, o.Expires); err != nil {
		return "", err
	}
	return o.ID, tx.PutOrder(o)
}

// post signs a message and puts it behind the last one, also behind the last that the terminal says it took: a platform
// that was restored from an old copy must not use a number twice.
func (s *Server) post(tx Tx, terminal, id, typ string, raw json.RawMessage, expires time.Time) (uint64, error) {
	last, err := tx.InboxLast(terminal)
	if err != nil {
		return 0, err
	}
	w, err := tx.Working(terminal)
	if err != nil {
		return 0, err
	}
	m := wire.Message{No: max(last, w.Inbox) + 1, ID: id, Type: typ, Expires: expires.UTC().Truncate(time.Millisecond), Body: raw}
	p, err := profileOf(tx, terminal)
	if err != nil {
		return 0, err
	}
	if m.Signature, err = s.keys.signature(p, m.SigningBytes(terminal)); err != nil {
		return 0, err
	}
	return m.No, tx.PutMessage(terminal, m)
}

// greeted notes what a hello says of orders. A terminal that took messages which this store never sent met it before it was
// restored from an old copy: what is open is sent again under numbers that it has not seen, with the ids it may know.
func (s *Server) greeted(tx Tx, h wire.Hello) error {
	was, err := tx.Working(h.Terminal)
	if err != nil {
		return err
	}
	now := WorkingRow{Paused: h.Paused, Inbox: h.Inbox}
	if h.Applied != nil {
		now.Applied = *h.Applied
	}
	if was == now {
		return nil
	}
	if err := tx.PutWorking(h.Terminal, now); err != nil {
		return err
	}
	if h.Inbox == 0 || h.Inbox > 1<<40 || h.InboxID == "" {
		return nil
	}
	last, err := tx.Inbox(h.Terminal, h.Inbox-1, 1)
	if err != nil || len(last) == 1 && last[0].No == h.Inbox && last[0].ID == h.InboxID {
		return err
	}
	open, err := tx.OpenOrders(h.Terminal)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.No > h.Inbox {
			continue
		}
		box, err := tx.Inbox(h.Terminal, o.No-1, 1)
		if err != nil {
			return err
		}
		if len(box) == 0 || box[0].ID != o.ID {
			continue
		}
		if o.No, err = s.post(tx, h.Terminal, o.ID, o.Type, box[0].Body, o.Expires); err != nil {
			return err
		}
		if err := tx.PutOrder(o); err != nil {
			return err
		}
	}
	return nil
}

// answered notes a terminal's answer. The first one stays.
func answered(tx Tx, terminal string, b wire.OrderResult) error {
	o, err := tx.Order(terminal, b.Message)
	if errors.Is(err, ErrNoRow) || err == nil && o.Status != "" {
		return nil
	}
	if err != nil {
		return err
	}
	o.Status, o.Detail, o.Blob, o.Ended = b.Status, clip(b.Detail, 2000), b.Blob, b.At
	return tx.PutOrder(o)
}

// inboxBytes is how much of an inbox one answer carries, well below what a terminal accepts.
const inboxBytes = 2 << 20

// fitting are the first messages that fit into one answer, at least one.
func fitting(all []wire.Message) []wire.Message {
	total := 0
	for i, m := range all {
		if total += len(m.Body) + 1024; total > inboxBytes && i > 0 {
			return all[:i]
		}
	}
	return all
}
