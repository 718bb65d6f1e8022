package journal_test

// Recovering: what was acknowledged is not thrown away, and what is lost is told by its places.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// lostPlaces are the audit entries about lost records, as "lane/epoch/from-to".
func lostPlaces(t *testing.T, j *journal.Journal) (all []string) {
	for _, e := range audited(t, j, "records.lost") {
		all = append(all, fmt.Sprintf("%s/%s/%s-%s", e.Fields["lane"], e.Fields["epoch"], e.Fields["from"], e.Fields["to"]))
	}
	return all
}

// A platform was set back, and before the terminal hears of that its disk loses the database: what it had acknowledged since
// lies in the spill, and comes again.
func TestWhatWasAcknowledgedSurvivesARecovery(t *testing.T) {
	const lane = wire.LaneTx
	j := journaltest.Open(t, opt)
	var want []string
	for range 3 {
		openCase(t, j.Journal)
	}
	all, err := j.Pending(lane, 100, 1<<20)
	must(t, err)
	backup := placeOf(all[0])
	for _, r := range all[1:] {
		want = append(want, r.ID)
	}
	ackAll(t, j.Journal)
	must(t, j.NewEpoch(2)) // an archive is in the spill too
	openCase(t, j.Journal)
	more, err := j.Pending(lane, 100, 1<<20)
	must(t, err)
	for _, r := range more {
		want = append(want, r.ID)
	}
	ackAll(t, j.Journal)
	j.Shut()
	destroy(t, j.Path)
	r, again := recovered(t, j)
	if !r.Whole || len(r.Lost) > 0 || r.Epoch != 3 {
		t.Errorf("%+v", r)
	}
	past, err := again.Past(100)
	must(t, err)
	if !slices.ContainsFunc(past, func(p wire.Place) bool { return p.ID == all[len(all)-1].ID }) ||
		!slices.ContainsFunc(past, func(p wire.Place) bool { return p.ID == more[len(more)-1].ID }) {
		t.Errorf("what was acknowledged is not shown: %+v", past)
	}
	must(t, again.NewEpochAfter(5, []wire.Place{backup, {Epoch: 2, Lane: lane}}))
	got, err := again.Pending(lane, 100, 1<<20)
	must(t, err)
	var ids []string
	for _, r := range got {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, want) || len(lostPlaces(t, again.Journal)) > 0 {
		t.Errorf("came again:\n%q, want\n%q; lost %q", ids, want, lostPlaces(t, again.Journal))
	}
	if r, err := again.VerifyAudit(t.Context(), func(wire.AuditHead) error { return nil }, nil); err != nil || len(r.Problems) > 0 {
		t.Errorf("%v, %v", r.Problems, err)
	}
}

// What a checkpoint left out because it was acknowledged is gone with the database. When the platform wants it, that is told.
func TestWhatIsWantedAndGoneIsTold(t *testing.T) {
	const lane = wire.LaneTx
	j := journaltest.Open(t, opt)
	for range 4 {
		openCase(t, j.Journal)
	}
	ackAll(t, j.Journal)
	openCase(t, j.Journal)
	j.Reopen() // a checkpoint begins at the last acknowledged
	j.Shut()
	destroy(t, j.Path)
	r, again := recovered(t, j)
	if !r.Whole || len(r.Lost) > 0 {
		t.Errorf("%+v", r)
	}
	if r, err := again.VerifyAudit(t.Context(), func(wire.AuditHead) error { return nil }, nil); err != nil || len(r.Problems) > 0 {
		t.Errorf("%v, %v", r.Problems, err)
	}
	// The platform holds one of four.
	must(t, again.NewEpochAfter(4, []wire.Place{{Epoch: 1, Lane: lane, LanePoint: wire.LanePoint{Seq: 1}}}))
	if got := lostPlaces(t, again.Journal); !slices.Equal(got, []string{"tx/1/2-3"}) {
		t.Errorf("told: %q", got)
	}
	left, err := again.Left()
	must(t, err)
	if !slices.ContainsFunc(left, func(l wire.Left) bool { return l.Epoch == 1 && l.Lane == lane && l.Seq == 5 }) {
		t.Errorf("left: %+v", left)
	}
	// Set back once more, to before it had that one.
	shown := func() bool {
		past, err := again.Past(wire.MaxPast)
		must(t, err)
		return slices.ContainsFunc(past, func(p wire.Place) bool { return p.Epoch == 1 && p.Lane == lane && p.Seq == 1 })
	}
	if !shown() {
		t.Error("what the platform still held is not shown any more")
	}
	must(t, again.NewEpochAfter(5, []wire.Place{{Epoch: 1, Lane: lane}}))
	if got := lostPlaces(t, again.Journal); !slices.Equal(got, []string{"tx/1/2-3", "tx/1/1-1"}) {
		t.Errorf("told: %q", got)
	}
	if shown() {
		t.Error("what is told to be lost is shown still")
	}
}

// Lost records are told by their places: in a hole from one to another, at the end as far as anybody knows.
func TestLostRecordsAreToldByTheirPlaces(t *testing.T) {
	j := journaltest.Open(t, opt)
	openCase(t, j.Journal)
	ackAll(t, j.Journal)
	j.Reopen()
	var ends []int64
	for range 8 { // tx/1/2 to 9
		openCase(t, j.Journal)
		ends = append(ends, journal.SpillEnd(j.Journal))
	}
	j.Shut()
	whole, err := os.ReadFile(j.Path + journal.SpillSuffix)
	must(t, err)
	clear(whole[ends[1]:ends[3]]) // tx/1/4 and 5
	clear(whole[ends[6]:])        // tx/1/9
	must(t, os.WriteFile(j.Path+journal.SpillSuffix, whole, 0o600))
	db, err := os.ReadFile(j.Path)
	must(t, err)
	clear(db[8192:]) // its first pages tell that it had gone on
	must(t, os.WriteFile(j.Path, db, 0o600))
	r, again := recovered(t, j)
	if r.Whole || !r.Behind {
		t.Errorf("%+v", r)
	}
	var tx []wire.Range
	for _, l := range r.Lost {
		if l.Lane == wire.LaneTx {
			tx = append(tx, l)
		}
	}
	if want := []wire.Range{{Epoch: 1, Lane: wire.LaneTx, From: 4, To: 5}, {Epoch: 1, Lane: wire.LaneTx, From: 9}}; !slices.Equal(tx, want) {
		t.Errorf("lost %+v, want %+v", tx, want)
	}
	got := lostPlaces(t, again.Journal)
	if !slices.Contains(got, "tx/1/4-5") || !slices.Contains(got, "tx/1/9-") || len(got) != len(r.Lost) {
		t.Errorf("told: %q of %+v", got, r.Lost)
	}
}

// A picture whose file is gone, or a value that cannot be opened, is told by its case.
func TestADamagedCaseIsTold(t *testing.T) {
	j := journaltest.Open(t, opt)
	work(t, j.Journal, 3)
	cases, err := j.Cases(nil)
	must(t, err)
	j.Shut()
	dir := j.Path + ".blobs"
	files, err := os.ReadDir(dir)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, files[0].Name()), []byte("lost"), 0o600))
	destroy(t, j.Path)
	r, again := recovered(t, j)
	told := audited(t, again.Journal, "case.damaged")
	if r.Whole || len(r.Damaged) != 1 || len(told) != 1 || told[0].Fields["entries"] != "4" || // kept and to be sent, each with its place in the index
		!slices.ContainsFunc(cases, func(c journal.Case) bool { return c.ID == told[0].Fields["case"] }) {
		t.Errorf("%+v, %+v", r, told)
	}
}

// Acknowledged records of an earlier epoch are in no checkpoint. After a recovery a platform is still shown how far they went, and
// when it wants them, that they are gone is told; once.
func TestARecoveredJournalKnowsWhatEarlierEpochsHadAcknowledged(t *testing.T) {
	const lane = wire.LaneTx
	j := journaltest.Open(t, opt)
	for range 3 {
		openCase(t, j.Journal)
	}
	all, err := j.Pending(lane, 100, 1<<20)
	must(t, err)
	ackAll(t, j.Journal)
	must(t, j.NewEpoch(2))
	openCase(t, j.Journal)
	j.Reopen() // a checkpoint, without archives
	j.Shut()
	destroy(t, j.Path)
	_, again := recovered(t, j)
	shown := func() bool {
		past, err := again.Past(100)
		must(t, err)
		return slices.ContainsFunc(past, func(p wire.Place) bool { return p.ID == all[2].ID && p.Epoch == 1 && p.Seq == 3 })
	}
	if !shown() {
		t.Error("what was acknowledged in the first epoch is not shown")
	}
	must(t, again.NewEpochAfter(5, []wire.Place{placeOf(all[0])}))
	if got := lostPlaces(t, again.Journal); !slices.Equal(got, []string{"tx/1/2-3"}) || shown() {
		t.Errorf("told: %q, shown still: %v", got, shown())
	}
}
