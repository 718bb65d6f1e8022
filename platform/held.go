package platform

// Answers that are held back until something changes: a terminal before which a citizen waits, for a decision or for money, asks once and
// hears of it at once. What changes at this server rings; what changes at another is found by looking.

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/sync/wire"
)

// heldLook is how often what is asked about is read while an answer is held back.
const heldLook = 500 * time.Millisecond

// held reads again and again while read tells the state that the terminal knows already (the query's while), until the time is over
// that it waits (wait, in seconds, at most [wire.MaxInboxWait]) or it goes away. The last read counts. Without wait it reads once.
func (s *Server) held(r *http.Request, key string, read func(Tx) (state string, err error)) error {
	wait, known := 0, r.URL.Query().Get("while")
	if text := r.URL.Query().Get("wait"); text != "" {
		var err error
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 {
			return errMalformed
		}
	}
	deadline := time.NewTimer(min(time.Duration(wait)*time.Second, wire.MaxInboxWait))
	defer deadline.Stop()
	id := terminalOf(r.Context())
	for last := wait == 0; ; {
		bell, away := s.bells.wait(key, 0)
		state := ""
		err := s.store.View(r.Context(), func(tx Tx) error {
			// A terminal that was put out while it waited hears nothing more.
			if st, err := standing(tx, id); err != nil {
				return err
			} else if st.State != Active {
				return errRevoked
			}
			var err error
			state, err = read(tx)
			return err
		})
		if err != nil || state != known || last {
			away()
			return err
		}
		select {
		case <-bell:
		case <-time.After(heldLook):
		case <-deadline.C:
			last = true
		case <-r.Context().Done():
			last = true
			err = r.Context().Err()
		}
		away()
		if err != nil {
			return err
		}
	}
}

// rang tells whoever waits for a bill's end at this server.
func (s *Server) rang(a *pay.Account) {
	if a.Bill.State != pay.BillOpen {
		s.bells.wake(a.Bill.Number)
	}
}

// wentAway says that nobody waits for an answer any more.
func wentAway(r *http.Request, err error) bool {
	return err != nil && errors.Is(err, r.Context().Err())
}
