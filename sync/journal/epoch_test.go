package journal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// What a platform lost comes along into the epoch that it orders: each record beyond what it holds of that epoch, in the order in
// which they were written, and none that it holds.
func TestWhatThePlatformLostComesAlong(t *testing.T) {
	const lane = wire.LaneTx
	// Nine cases, three in each of three epochs; the last two of the third were not acknowledged.
	written := func(t *testing.T) (j *journaltest.Journal, all []wire.Record) {
		j = journaltest.Open(t, opt)
		for epoch := uint32(1); epoch <= 3; epoch++ {
			if epoch > 1 {
				must(t, j.NewEpoch(epoch))
			}
			for range 3 {
				openCase(t, j.Journal)
			}
			some, err := j.Pending(lane, 100, 1<<20)
			must(t, err)
			all = append(all, some...)
			if epoch < 3 {
				ackAll(t, j.Journal)
			} else {
				ack(t, j.Journal, lane, 1)
			}
		}
		return j, all
	}
	for name, c := range map[string]struct {
		want func(all []wire.Record) []wire.Place
		from []int // which of the nine come
	}{
		"nothing was lost":    {func([]wire.Record) []wire.Place { return nil }, []int{7, 8}},
		"the end of an epoch": {func(all []wire.Record) []wire.Place { return []wire.Place{placeOf(all[0])} }, []int{1, 2, 7, 8}},
		"another history in an epoch that is over": {func(all []wire.Record) []wire.Place {
			return []wire.Place{of(placeOf(all[4]), all[0])}
		}, []int{3, 4, 5, 7, 8}},
		"another history at the very end of one": {func(all []wire.Record) []wire.Place {
			return []wire.Place{of(placeOf(all[5]), all[0])}
		}, []int{3, 4, 5, 7, 8}},
		"the present epoch": {func([]wire.Record) []wire.Place { return []wire.Place{{Epoch: 3, Lane: lane}} }, []int{6, 7, 8}},
		"another history in the present epoch": {func(all []wire.Record) []wire.Place {
			return []wire.Place{of(placeOf(all[6]), all[0])}
		}, []int{6, 7, 8}},
		"everything, named out of order": {func([]wire.Record) []wire.Place {
			return []wire.Place{{Epoch: 3, Lane: lane}, {Epoch: 1, Lane: lane}, {Epoch: 2, Lane: lane}}
		}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		"the same twice": {func([]wire.Record) []wire.Place {
			return []wire.Place{{Epoch: 1, Lane: lane}, {Epoch: 1, Lane: lane}, {Epoch: 3, Lane: lane}, {Epoch: 3, Lane: lane}}
		}, []int{0, 1, 2, 6, 7, 8}},
		"what is not here": {func([]wire.Record) []wire.Place {
			return []wire.Place{{Epoch: 9, Lane: lane}, {Epoch: 2, Lane: lane, LanePoint: wire.LanePoint{Seq: 90}}, {Epoch: 3, Lane: lane, LanePoint: wire.LanePoint{Seq: 90}}, {Epoch: 2, Lane: "no lane"}}
		}, []int{7, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			j, all := written(t)
			must(t, j.NewEpochAfter(5, c.want(all)))
			j.Reopen()
			got, err := j.Pending(lane, 100, 1<<20)
			must(t, err)
			var ids, want []string
			prev := wire.Hash{}
			for i, r := range got {
				ids = append(ids, r.ID)
				if r.Epoch != 5 || r.Seq != uint64(i+1) || r.Check(prev) != nil {
					t.Errorf("%d: %+v", i, r.Header)
				}
				prev = r.Header.Hash()
			}
			for _, i := range c.from {
				want = append(want, all[i].ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("came along:\n%q, want\n%q", ids, want)
			}
			for _, r := range got {
				if is, err := j.CaseAcked(r.Case); is || err != nil {
					t.Errorf("case %s counts as delivered, %v", r.Case, err)
				}
			}
			// Nothing is left behind that a later welcome could ask for again.
			past, err := j.Past(100)
			must(t, err)
			for _, p := range past {
				if slices.Contains(ids, p.ID) {
					t.Errorf("%+v waits and is shown as acknowledged", p)
				}
			}
		})
	}
}

func placeOf(r wire.Record) wire.Place {
	return wire.Place{Epoch: r.Epoch, Lane: r.Lane, LanePoint: wire.LanePoint{Seq: r.Seq, Hash: r.Header.Hash()}}
}

// of is a place at which another record lies.
func of(p wire.Place, other wire.Record) wire.Place {
	p.Hash = other.Header.Hash()
	return p
}

func TestPastShowsTheLastAcknowledgedOfEveryEpoch(t *testing.T) {
	j := journaltest.Open(t, opt)
	if past, err := j.Past(100); err != nil || len(past) != 0 {
		t.Errorf("%+v, %v", past, err)
	}
	var want []wire.Place
	for epoch := uint32(1); epoch <= 4; epoch++ {
		if epoch > 1 {
			must(t, j.NewEpoch(epoch))
		}
		openCase(t, j.Journal)
		openCase(t, j.Journal)
		recs, err := j.Pending(wire.LaneTx, 2, 1<<20)
		must(t, err)
		ack(t, j.Journal, wire.LaneTx, 2)
		p := placeOf(recs[len(recs)-1])
		p.ID = recs[len(recs)-1].ID
		want = append([]wire.Place{p}, want...)
	}
	for _, most := range []int{100, 3} {
		past, err := j.Past(most)
		if err != nil || !slices.Equal(past, want[:min(most, len(want))]) {
			t.Errorf("%+v, %v, want\n%+v", past, err, want)
		}
	}
	for _, epoch := range []uint32{4, wire.MaxEpoch + 1, 1<<32 - 1} {
		if err := j.NewEpochAfter(epoch, nil); !errors.Is(err, journal.ErrState) {
			t.Error(err)
		}
	}
	must(t, j.NewEpochAfter(wire.MaxEpoch, nil))
}

func TestAForkTellsHowFarTheOtherHistoryGoes(t *testing.T) {
	j := journaltest.Open(t, opt)
	openCase(t, j.Journal)
	must(t, j.NewEpochForked(2, nil, map[wire.Lane]uint64{wire.LanePay: 0, wire.LaneTx: 7}))
	told := map[string]string{}
	for _, e := range audited(t, j.Journal, "lane.forked") {
		told[e.Fields["lane"]] = e.Fields["epoch"] + "/" + e.Fields["from"] + "/" + e.Fields["held"]
	}
	if len(told) != 2 || told["pay"] != "1/1/0" || told["tx"] != "1/1/7" {
		t.Errorf("%v", told)
	}
	left, err := j.Left()
	must(t, err)
	if len(left) != 4 || left[2] != (wire.Left{Epoch: 1, Lane: wire.LaneTx, Seq: 1, Change: 1}) {
		t.Errorf("%+v", left)
	}
	for epoch := uint32(3); epoch < 9; epoch++ {
		must(t, j.NewEpoch(epoch))
	}
	if left, err = j.Left(); err != nil || len(left) != 16 || left[0].Epoch != 7 || left[15].Epoch != 4 {
		t.Errorf("%+v, %v", left, err)
	}
}
