package journal

// Orders: what the platform told this terminal to do, each taken once, done once, and answered once and for all.

import (
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// Order is a message of the platform and what became of it.
type Order struct {
	wire.Message
	Received time.Time         `json:"received"`
	Result   *wire.OrderResult `json:"result,omitempty"` // nil while it waits
}

// TakeOrder keeps a message until it is done. One that came before, under whatever number, is not kept again: when it has
// a result already, that first result is sent once more. It reports whether the message is new.
func (tx *Tx) TakeOrder(m wire.Message) (bool, error) {
	if m.ID == "" || len(m.ID) > 64 || len(m.Type) > 64 || len(m.Body) > wire.MaxMessageBytes {
		return false, fmt.Errorf("order %.64q: malformed: %w", m.ID, ErrState)
	}
	old, err := readOrder(tx.tx, m.ID)
	switch {
	case err == nil && old.Result == nil:
		return false, nil
	case err == nil:
		again := *old.Result
		again.Again = true
		_, err := tx.Emit(wire.LaneCtl, "", wire.TypeResult, 1, again)
		return false, err
	case !errors.Is(err, ErrNotFound):
		return false, err
	}
	if err := tx.putOrder(Order{Message: m, Received: tx.j.now()}); err != nil {
		return false, err
	}
	return true, tx.Audit(EventOrderReceived, wire.WhoPlatform, map[string]string{"id": wire.Word(m.ID), "type": wire.Word(m.Type)})
}

// EndOrder writes what became of an order and answers the platform. A second end of the same order is [ErrState].
func (tx *Tx) EndOrder(id string, r wire.OrderResult) error {
	o, err := readOrder(tx.tx, id)
	if err != nil {
		return err
	}
	if o.Result != nil {
		return fmt.Errorf("order %s has a result: %w", id, ErrState)
	}
	r.Message, r.Type, r.At, r.Again = id, o.Type, tx.j.now(), false
	o.Result = &r
	// The body has done its work; a configuration of 1 MiB is not kept for the sake of its id.
	o.Body, o.Signature = nil, nil
	if err := tx.putOrder(o); err != nil {
		return err
	}
	if _, err := tx.Emit(wire.LaneCtl, "", wire.TypeResult, 1, r); err != nil {
		return err
	}
	return tx.Audit(EventOrderEnded, wire.WhoSystem, map[string]string{"id": wire.Word(id), "type": wire.Word(o.Type), "name": wire.Word(r.Name), "status": wire.Word(string(r.Status))})
}

// Orders are those that wait, in the order of their numbers.
func (j *Journal) Orders() (all []Order, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketOrders).ForEach(func(k, _ []byte) error {
			o, err := readOrder(tx, string(k))
			if err == nil && o.Result == nil {
				all = append(all, o)
			}
			return err
		})
	})
	slices.SortFunc(all, func(a, b Order) int {
		if a.No < b.No {
			return -1
		}
		return 1
	})
	return all, err
}

// Order returns one by its message's id.
func (j *Journal) Order(id string) (o Order, err error) {
	err = j.view(func(tx *bolt.Tx) error {
		o, err = readOrder(tx, id)
		return err
	})
	return o, err
}

// TrimOrders forgets orders that ended before a time, and tells how many. A message that came again after that would be
// done again, so that the time must lie far behind any message's expiry.
func (j *Journal) TrimOrders(before time.Time) (n int, err error) {
	err = j.Update(func(tx *Tx) error {
		n = 0
		b := tx.bucket(bucketOrders)
		var old [][]byte
		err := b.ForEach(func(k, _ []byte) error {
			o, err := readOrder(tx.tx, string(k))
			if err == nil && o.Result != nil && o.Result.At.Before(before) {
				old = append(old, slices.Clone(k))
			}
			return err
		})
		for _, k := range old {
			err = errors.Join(err, b.Delete(k))
		}
		n = len(old)
		return err
	})
	return n, err
}

func readOrder(tx *bolt.Tx, id string) (o Order, err error) {
	v := tx.Bucket(bucketOrders).Get([]byte(id))
	if v == nil {
		return o, fmt.Errorf("order: %w", ErrNotFound)
	}
	if err := decode(v, &o); err != nil {
		return o, fmt.Errorf("order %s: %w", id, errors.Join(ErrDamaged, err))
	}
	return o, nil
}

func (tx *Tx) putOrder(o Order) error {
	v, err := encode(o)
	if err != nil {
		return err
	}
	return tx.bucket(bucketOrders).Put([]byte(o.ID), v)
}
