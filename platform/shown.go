package platform

// What a terminal showed last: the platform is the second witness of every disk. A terminal that comes back with less than it had
// shown, or had delivered, runs on a disk that was set back, cloned, replaced or that lied; what it wrote beyond is gone from it,
// and only as much of that as is held here is left.

import (
	"context"
	"fmt"
	"slices"

	"github.com/budayang/kiosk/sync/wire"
)

// Shown is how far a terminal's lanes had come in an epoch when it last said hello or delivered something. The zero value is that of
// one that never did, or of a program that does not name its run.
type Shown struct {
	Epoch  uint32                       `json:"epoch,omitempty"`
	Lanes  map[wire.Lane]wire.LanePoint `json:"lanes,omitempty"`
	Change uint64                       `json:"change,omitempty"`
	Runs   []Run                        `json:"runs,omitempty"` // newest first
}

// before are the places that a hello's lanes had shown before in the same epoch, for the terminal to compare: one that has grown
// past them since its disk was set back is seen by nobody else.
func (s Shown) before(h wire.Hello) map[wire.Lane]wire.LanePoint {
	if h.Boot == "" || s.Epoch != h.Epoch {
		return nil
	}
	return s.Lanes
}

// Run is one run of a terminal's program and how long it had lasted at its latest hello.
type Run struct {
	Boot string `json:"boot"`
	MS   int64  `json:"ms"`
}

// mostRuns is of how many runs is remembered how long they had lasted: a line that delivers late does so within minutes.
const mostRuns = 4

// stale says that a hello is older than another one of the same run: the line brought it late, and it says nothing about now.
func (s Shown) stale(h wire.Hello) bool {
	return slices.ContainsFunc(s.Runs, func(r Run) bool { return h.Boot != "" && r.Boot == h.Boot && h.MS < r.MS })
}

// another says that a hello is not of the run that said the latest. One that was also signed before the terminal was heard last is the
// last word of a run that is over: it waited here while the store was away, and the terminal was killed and has gone on meanwhile. It
// is refused, for it may as well be the first word of a new run whose clock lags: greeted without comparing, it would write over
// the only trace of what its disk lost.
func (s Shown) another(h wire.Hello) bool {
	return h.Boot != "" && len(s.Runs) > 0 && s.Runs[0].Boot != h.Boot
}

// lost is a range of places that a terminal had shown, or delivered, and does not have. Unsure says that what the terminal shows before
// them was compared with nothing: as far as it is not held here, it may be another disk's, and what lay there lost.
// Unheard says that nothing was ever heard of that epoch.
type lost struct {
	wire.Range
	unsure, unheard bool
}

// gone are the places that were shown, or delivered, and that the terminal of this hello does not have. When one lane has less,
// or the journal has had fewer changes, the disk is another, and what the others had beyond their ends and had not shown is gone too: there To is 0.
// So it is with epochs up to ordered, the last one that this terminal was told to begin: another run of its program that knows nothing of
// an order may run on a disk that was set back behind it, from an epoch that was never heard of.
func (s Shown) gone(h wire.Hello, ordered uint32) (all []lost) {
	if h.Boot == "" || s.Epoch == 0 {
		return nil
	}
	less := false
	for _, lane := range wire.Lanes {
		ours, known := cameTo(h, s.Epoch, lane)
		less = less || ours.Change > 0 && ours.Change < s.Change
		if !known {
			return nil
		}
		g := lost{Range: wire.Range{Epoch: s.Epoch, Lane: lane, From: ours.Seq + 1}}
		if top := s.Lanes[lane].Seq; ours.Seq < top {
			g.To, less = top, true
		}
		all = append(all, g)
	}
	missed := s.another(h) && h.Epoch < ordered
	if !less && !missed {
		return nil
	}
	if !less {
		all = nil
	}
	for i := range all { // a lane that has grown again to where it was may hold other records there
		all[i].unsure = true
	}
	if missed {
		for e := max(s.Epoch, h.Epoch, ordered-min(ordered, mostEpochs)) + 1; e <= ordered; e++ {
			for _, lane := range wire.Lanes {
				all = append(all, lost{Range: wire.Range{Epoch: e, Lane: lane, From: 1}, unheard: true})
			}
		}
	}
	if !less {
		return all
	}
	// A disk from an earlier epoch has nothing of what was written in the epochs after it, nor of the rest of its own.
	for e := s.Epoch; e > h.Epoch && s.Epoch-e < mostEpochs; e-- {
		for _, lane := range wire.Lanes {
			g := lost{Range: wire.Range{Epoch: e - 1, Lane: lane, From: 1}}
			if g.Epoch == h.Epoch {
				g.From, g.unsure = h.Lanes[lane].Seq+1, true
			}
			all = append(all, g)
		}
	}
	return all
}

// mostEpochs is of how many epochs is told what a disk that was set back lacks.
const mostEpochs = 16

// cameTo is how far a terminal's lane came in an epoch, as its hello says.
func cameTo(h wire.Hello, epoch uint32, lane wire.Lane) (at wire.Left, known bool) {
	switch {
	case epoch == h.Epoch:
		return wire.Left{Seq: h.Lanes[lane].Seq, Change: h.Change}, true
	case epoch > h.Epoch:
		return wire.Left{Change: h.Change}, true
	}
	last := uint32(0)
	for _, l := range h.Left {
		if l.Epoch == epoch && l.Lane == lane {
			return l, true
		}
		last = max(last, l.Epoch)
	}
	return wire.Left{}, last > 0 && epoch > last // it went past that epoch without ever having been in it
}

// show notes a hello. As long as the terminal has not compared what it holds with an answer, what was shown before stays, for an
// answer may get lost; unless the loss is told already.
func (s *Shown) show(h wire.Hello, told bool) {
	if h.Boot == "" {
		*s = Shown{}
		return
	}
	lanes := map[wire.Lane]wire.LanePoint{}
	for _, lane := range wire.Lanes {
		lanes[lane] = h.Lanes[lane]
	}
	runs := slices.DeleteFunc(slices.Clone(s.Runs), func(r Run) bool { return r.Boot == h.Boot })
	runs = append([]Run{{clip(h.Boot, 64), h.MS}}, runs...)
	s.Runs = runs[:min(len(runs), mostRuns)]
	if h.Compared || told || s.Epoch == 0 {
		s.Epoch, s.Lanes, s.Change = h.Epoch, lanes, h.Change
	}
}

// deliver notes how far a lane is held.
func (s *Shown) deliver(epoch uint32, lane wire.Lane, p wire.LanePoint) {
	switch {
	case s.Epoch == 0 || s.Epoch > epoch:
		return
	case s.Epoch < epoch || s.Lanes == nil:
		s.Epoch, s.Lanes = epoch, map[wire.Lane]wire.LanePoint{}
	}
	if s.Lanes[lane].Seq < p.Seq {
		s.Lanes[lane] = p
	}
}

// EventGone is the security event about records that a terminal had and has no more.
const EventGone = "records.gone"

// noteGone keeps for each lane an event: from where on its records are gone from the terminal, up to where there are known to have
// been any, and up to where they are held here. Whatever was written behind that in the same epoch and never shown is gone as well;
// and so may be what lies between, when the disk has grown again before it said hello.
func noteGone(tx Tx, s *Server, id string, gone []lost) error {
	for _, g := range gone {
		held, err := tx.LastRecord(id, g.Epoch, g.Lane)
		if err != nil {
			return err
		}
		why := fmt.Sprintf("lane %s, epoch %d: from %d on gone from the terminal, known up to %d, held up to %d", g.Lane, g.Epoch, g.From, max(g.To, g.From-1), held)
		if g.unsure && held+1 < g.From {
			why += fmt.Sprintf(", perhaps also from %d on", held+1)
		}
		err = addEvent(tx, SecurityEvent{At: s.now(), Event: EventGone, Terminal: id, Code: errFork.Code, Why: why})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellGone says so in the log, once the hello's change is durable.
func (s *Server) tellGone(ctx context.Context, id string, gone []lost) {
	for _, g := range gone {
		s.cfg.Log.ErrorContext(ctx, "a terminal came back with less than it had shown: its disk was set back, cloned, replaced, or it lied",
			"terminal", id, "lane", g.Lane, "epoch", g.Epoch, "from", g.From, "to", g.To)
	}
}
