//go:build linux

package journal_test

// Power cuts: a random workload runs on a disk that remembers every operation; then the states that a cut at any of them may
// leave are made, opened and compared with what had been promised by then.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/journal/journaltest/record"
	"github.com/budayang/kiosk/sync/wire"
)

func recorderChild() { record.Child() }

// statesEnv asks for another number of states.
const statesEnv = "JOURNAL_CRASH_STATES"

func states(t *testing.T, n int) int {
	t.Helper()
	if s := os.Getenv(statesEnv); s != "" {
		more, err := strconv.Atoi(s)
		must(t, err)
		return more
	}
	return n
}

// mark is a promise: this change returned, and then everything was so; a hello at that moment shows epoch and heads.
type mark struct {
	Change uint64
	Digest [32]byte
	Epoch  uint32
	Heads  map[wire.Lane]uint64
	Parts  map[string]string // each bucket's own digest
}

// less says whether a platform to which this was shown sees that a journal which comes back later has lost something: the rule of
// platform/shown.go in other words.
func (m mark) less(t *testing.T, j *journal.Journal) bool {
	t.Helper()
	lanes, err := j.Lanes()
	must(t, err)
	left, err := j.Left()
	must(t, err)
	change, err := j.Change()
	must(t, err)
	if lanes[0].Epoch < m.Epoch {
		return true
	}
	for _, l := range lanes {
		if l.Epoch == m.Epoch && (l.Head < m.Heads[l.Lane] || change < m.Change) {
			return true
		}
	}
	last := uint32(0)
	for _, l := range left {
		if l.Epoch == m.Epoch && (l.Seq < m.Heads[l.Lane] || l.Change < m.Change) {
			return true
		}
		last = max(last, l.Epoch)
	}
	return lanes[0].Epoch > m.Epoch && last > 0 && last < m.Epoch
}

// recording is a workload's log, with the promises taken out of it: kept[i] tells how many had been made when op i was done.
type recording struct {
	ops   []record.Op
	kept  []int
	marks []mark
}

// quietSpan is longer than any opening takes; it is a bound, not a measure.
const quietSpan = 30 * time.Second

// recorded runs the workload on a recording disk.
func recorded(t *testing.T, seed uint64, n int) recording {
	t.Helper()
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	must(t, os.Mkdir(mnt, 0o700))
	rec, err := record.Start(mnt, filepath.Join(dir, "log"))
	if errors.Is(err, record.ErrNoFUSE) {
		// A kernel or a user that cannot mount is nothing that the set-up can mend.
		if _, missing := os.Stat("/dev/fuse"); missing == nil && os.Geteuid() == 0 && os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	must(t, err)
	stopped := false
	defer func() {
		if !stopped {
			_, _ = rec.Stop()
		}
	}()
	marks, err := os.Create(filepath.Join(mnt, "marks"))
	must(t, err)
	workload(t, mnt, marks, rand.New(rand.NewPCG(seed, 1)), n)
	must(t, marks.Close())
	ops, err := rec.Stop()
	stopped = true
	must(t, err)
	return split(t, ops)
}

func split(t *testing.T, ops []record.Op) (r recording) {
	t.Helper()
	ino := uint64(0)
	var line []byte // one write may come as two
	for _, o := range ops {
		switch {
		case o.Kind == record.Create && o.Name == "marks":
			ino = o.Ino
		case o.Ino == ino && ino != 0:
			if o.Kind == record.Write {
				line = append(line, o.Data...)
				if !bytes.HasSuffix(line, []byte("\n")) {
					continue
				}
				var m mark
				must(t, json.Unmarshal(line, &m))
				r.marks, line = append(r.marks, m), nil
			}
		default:
			r.ops = append(r.ops, o)
			r.kept = append(r.kept, len(r.marks))
		}
	}
	return r
}

func diskOptions(dir string) journal.Options {
	return journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key")}
}

// workload does whatever a terminal does, in random order, and promises each change once it has returned.
func workload(t *testing.T, dir string, marks *os.File, rnd *rand.Rand, n int) {
	t.Helper()
	var j *journal.Journal
	o := diskOptions(dir)
	o.Crash = func(point string) {
		if point != "change.committed" {
			return
		}
		sum, change, err := journal.Digest(j)
		must(t, err)
		lanes, err := j.Lanes()
		must(t, err)
		m := mark{Change: change, Digest: sum, Epoch: lanes[0].Epoch, Heads: map[wire.Lane]uint64{}}
		m.Parts, err = journal.Buckets(j)
		must(t, err)
		for _, l := range lanes {
			m.Heads[l.Lane] = l.Head
		}
		b, err := json.Marshal(m)
		must(t, err)
		_, err = marks.Write(append(b, '\n'))
		must(t, err)
	}
	open := func() {
		var err error
		j, err = journal.Open(filepath.Join(dir, "j.db"), o)
		must(t, err)
	}
	open()
	epoch := uint32(1)
	var ids []string
	for range n {
		some := ""
		if len(ids) > 0 {
			some = ids[rnd.IntN(len(ids))]
		}
		switch k := rnd.IntN(20); {
		case k < 6 || some == "":
			c := openCase(t, j)
			ids = append(ids, c.ID)
		case k < 9:
			value := make([]byte, rnd.IntN(6000))
			must(t, j.Update(func(tx *journal.Tx) error { return tx.Seal(some, "phone", value) }))
		case k < 11:
			h, err := j.PutBlob(fmt.Appendf(nil, "blob %d", rnd.Uint64()))
			must(t, err)
			must(t, j.Update(func(tx *journal.Tx) error {
				return errors.Join(tx.KeepBlob(some, "ink", h), tx.UploadBlob(some, h))
			}))
		case k < 14:
			n := journal.EffectName{Case: some, Step: fmt.Sprint("step", rnd.Uint32()), Attempt: 1}
			_, err := j.Do(context.Background(), journal.Intent{EffectName: n, Kind: "k"},
				func(_ context.Context, note func(k, v string) error) journal.Outcome {
					must(t, note("job", "1"))
					return journal.Outcome{State: journal.EffectDone}
				})
			must(t, err)
		case k < 17:
			for _, lane := range wire.Lanes {
				ack(t, j, lane, 1+rnd.IntN(30))
			}
		case k < 18:
			ackAll(t, j)
			must(t, j.Shred(some))
		case k < 19:
			epoch++
			must(t, j.NewEpoch(epoch))
		default:
			must(t, j.Close())
			open()
		}
	}
	must(t, j.Close())
}

// place puts a state onto a real disk.
func place(t *testing.T, dir string, c record.Cut) {
	t.Helper()
	must(t, os.RemoveAll(dir))
	must(t, os.MkdirAll(dir, 0o700))
	for p, b := range c { // directories hold nothing themselves
		path := filepath.Join(dir, p)
		if b == nil {
			must(t, os.MkdirAll(path, 0o700))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, b, 0o600))
	}
}

// fast is a directory in memory where there is one: the states are on the medium already.
func fast(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// cuts draws distinct states evenly over the log, and hands each out with the number of the op before it.
func cuts(t *testing.T, r recording, seed uint64, n int, lying float64, do func(i int, c record.Cut)) (distinct int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 2))
	seen := map[[32]byte]bool{}
	for round := 0; distinct < n && round < 40; round++ {
		disk := record.NewDisk(1, rnd)
		if lying > 0 {
			disk.Lying = lying * float64(1+round%3)
		}
		for i, o := range r.ops {
			disk.Apply(o)
			if distinct >= n || rnd.IntN(len(r.ops)) >= n/4 {
				continue
			}
			c := disk.Cut()
			if sum := c.Sum(); !seen[sum] {
				seen[sum] = true
				distinct++
				do(i, c)
			}
		}
	}
	return distinct
}

func TestCrashStates(t *testing.T) {
	want := states(t, 1000)
	dir := fast(t)
	path := filepath.Join(dir, "j.db")
	distinct, forward := 0, 0
	for seed := uint64(1); distinct < want && seed < 100; seed++ {
		r := recorded(t, seed, 60)
		distinct += cuts(t, r, seed, min(want-distinct, 500), 0, func(i int, c record.Cut) {
			place(t, dir, c)
			began := time.Now()
			j, err := journal.Open(path, diskOptions(dir))
			if err != nil {
				t.Errorf("seed %d, cut after op %d: %v", seed, i, err)
				return
			}
			defer j.Close()
			if took := time.Since(began); took > quietSpan {
				t.Errorf("seed %d, cut after op %d: opening took %v", seed, i, took)
			}
			if _, err := journaltest.Sound(j); err != nil {
				t.Errorf("seed %d, cut after op %d: %v", seed, i, err)
			}
			sum, change, err := journal.Digest(j)
			must(t, err)
			promised := r.kept[i]
			if promised > 0 && change == r.marks[promised-1].Change && sum == r.marks[promised-1].Digest || promised == 0 && change == 0 {
				return
			}
			// The change that was under way may be there, wholly.
			if promised < len(r.marks) && change == r.marks[promised].Change && sum == r.marks[promised].Digest {
				forward++
				return
			}
			t.Errorf("seed %d, cut after op %d: change %d is not what %d promises say", seed, i, change, promised)
		})
	}
	t.Logf("%d distinct states, %d of them with the change that was under way", distinct, forward)
	if distinct < want || forward == 0 {
		t.Errorf("%d distinct states, %d with the change under way, want %d and some", distinct, forward, want)
	}
}

// asPromised says whether a state is what was promised when it had had so many changes, or nothing at all.
func asPromised(r recording, change uint64, sum [32]byte) bool {
	return change == 0 || slices.ContainsFunc(r.marks, func(m mark) bool { return m.Change == change && m.Digest == sum })
}

// differing names the buckets that are not as they were promised after so many changes.
func differing(t *testing.T, r recording, change uint64, j *journal.Journal) (names []string) {
	t.Helper()
	parts, err := journal.Buckets(j)
	must(t, err)
	for _, m := range r.marks {
		if m.Change != change {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(m.Parts)) {
			if m.Parts[name] != parts[name] {
				names = append(names, fmt.Sprintf("%s (%s, was %s)", name, parts[name], m.Parts[name]))
			}
		}
	}
	return names
}

// A disk that confirms and does not keep: what reached the medium is found, and what is lost is told by the journal, unless database
// and spill are both whole at the same older place. That is then exactly what was promised at that place, and a platform that was
// shown what was promised last sees it: never is anything lost in silence.
func TestLyingDisks(t *testing.T) {
	want := states(t, 250)
	dir := fast(t)
	path := filepath.Join(dir, "j.db")
	var sound, older, mended, nothing, untold int
	r := recorded(t, 77, 80)
	distinct := cuts(t, r, 77, want, 0.3, func(i int, c record.Cut) {
		place(t, dir, c)
		onMedium, spillLast := journal.SpillCases(path), uint64(0)
		spillLast, whole := journal.SpillLast(path)
		ahead := journal.Ahead(path)
		promised, shown := uint64(0), mark{Epoch: 1}
		if r.kept[i] > 0 {
			shown = r.marks[r.kept[i]-1]
			promised = shown.Change
		}
		complain := func(format string, a ...any) {
			t.Helper()
			t.Errorf("cut after op %d: "+format, append([]any{i}, a...)...)
		}
		began := time.Now()
		j, err := journal.Open(path, diskOptions(dir))
		recovered := journal.Recovered{}
		if err != nil {
			if !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrKey) {
				complain("%v", err)
			}
			recovered, err = journal.Recover(t.Context(), path, diskOptions(dir))
			if errors.Is(err, journal.ErrNoSpill) && len(onMedium) == 0 || errors.Is(err, journal.ErrKey) {
				nothing++
				return
			}
			if err != nil {
				complain("recover: %v", err)
				return
			}
			mended++
			if j, err = journal.Open(path, diskOptions(dir)); err != nil {
				complain("after recovery: %v", err)
				return
			}
			if len(audited(t, j, "journal.recovered")) != 1 {
				complain("the recovery is not in the audit chain")
			}
		}
		defer j.Close()
		if took := time.Since(began); took > quietSpan {
			complain("opening took %v", took)
		}
		report, err := j.Verify(t.Context())
		must(t, err)
		for _, p := range report.Problems {
			if !strings.HasPrefix(p, "blob ") { // told is what a lost blob needs to be
				complain("%s", p)
			}
		}
		for _, id := range onMedium {
			if _, err := j.Case(id); err != nil {
				complain("case %s was on the medium: %v", id, err)
			}
		}
		sum, change, err := journal.Digest(j)
		must(t, err)
		told := len(audited(t, j, "spill.differs"))+len(audited(t, j, "journal.rolled-forward"))+len(audited(t, j, "journal.differs")) > 0
		switch {
		case recovered.Epoch > 0:
			if ahead && recovered.Whole {
				complain("the database had gone on after the spill, and it is called whole: %+v", recovered)
			}
			if recovered.Whole != (len(recovered.Lost)+len(recovered.Damaged) == 0) {
				complain("whole or not, and what is lost: %+v", recovered)
			}
			if spillLast < promised && recovered.Whole {
				untold++
				if !shown.less(t, j) {
					complain("lost from %d to %d, called whole, and no platform would see it: %+v", spillLast, promised, recovered)
				}
			}
		case change < promised:
			older++
			if whole && spillLast > change {
				complain("change %d, the spill had %d", change, spillLast)
			}
			if !shown.less(t, j) {
				complain("change %d of %d, and no platform would see it", change, promised)
			}
			if told {
				break
			}
			untold++
			if !asPromised(r, change, sum) {
				complain("change %d is not what was promised then: %v", change, differing(t, r, change, j))
			}
		default:
			sound++
			if !told && !asPromised(r, change, sum) {
				complain("change %d is not what was promised: %v; of %d promised, the spill had %d, whole %v", change, differing(t, r, change, j), promised, spillLast, whole)
			}
		}
	})
	t.Logf("%d states: %d sound, %d recovered, %d consistently older, %d with nothing on the medium; %d losses that only a platform sees",
		distinct, sound, mended, older, nothing, untold)
	if distinct < want || mended == 0 || older == 0 {
		t.Errorf("%d states, %d recovered, %d older", distinct, mended, older)
	}
}
