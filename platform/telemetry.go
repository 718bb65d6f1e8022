package platform

// Telemetry: the latest sample of each terminal and a bounded history. It is taken when there is a place at once, and whatever
// else waits goes before it.

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// samplesKept of each terminal: a day of one every five minutes.
const samplesKept = 288

// spare admits a request only while nobody waits for a place.
func (s *Server) spare(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		leave, ok := s.gate.spare()
		if !ok {
			s.refuseAfter(w, errBusy, "other requests are worked on first", time.Minute)
			return
		}
		defer leave()
		h(w, r)
	}
}

func (s *Server) telemetry(w http.ResponseWriter, r *http.Request, body []byte) {
	var in wire.Samples
	if err := decode(body, &in); err != nil {
		s.fail(w, err)
		return
	}
	id := terminalOf(r.Context())
	if err := in.Check(); err != nil || in.Terminal != id {
		s.refuse(w, errMalformed, "samples are not as they must be, or another terminal's")
		return
	}
	var held wire.SamplesHeld
	err := s.store.Update(r.Context(), func(tx Tx) error {
		if err := s.spend(r.Context(), tx); err != nil {
			return err
		}
		t, err := tx.Terminal(id)
		if err != nil {
			return err
		}
		if in.Epoch != t.Epoch {
			return errFork
		}
		last, err := tx.LatestSample(id)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		if errors.Is(err, ErrNoRow) || last.Epoch != in.Epoch {
			last = SampleRow{Terminal: id, Epoch: in.Epoch} // a ring that begins here: what was before is not known
			last.Seq = in.Samples[0].Seq - 1
		}
		held = wire.SamplesHeld{High: last.Seq, Lost: last.Lost}
		var rows []SampleRow
		for _, x := range in.Samples {
			if x.Seq <= held.High {
				continue // held, or counted as lost
			}
			held.Lost += x.Seq - held.High - 1
			held.High = x.Seq
			rows = append(rows, SampleRow{Terminal: id, Epoch: in.Epoch, Sample: x, Received: s.now(), Lost: held.Lost})
		}
		return tx.PutSamples(rows, samplesKept)
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, held)
}

// Telemetry is what a terminal said of itself, newest first.
func (s *Server) Telemetry(ctx context.Context, terminal string, newest int) (all []SampleRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error { all, err = tx.Samples(terminal, newest); return err })
	return all, err
}
