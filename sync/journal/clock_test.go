package journal_test

// Clocks that are dead, set back, or ahead: no time is written unnoticed that contradicts what is known.

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

// watch is a machine's clock that can be set, beside the time that passes in truth.
type watch struct {
	truth time.Time
	wrong time.Duration // what the machine shows beyond the truth
	up    time.Duration // since the journal was opened
}

func (w *watch) pass(d time.Duration) { w.truth, w.up = w.truth.Add(d), w.up+d }
func (w *watch) machine() time.Time   { return w.truth.Add(w.wrong) }

// on gives a journal's options this clock.
func (w *watch) on(o journal.Options) journal.Options {
	o.Now, o.Mono = w.machine, func() time.Duration { return w.up }
	return o
}

func atNoon() *watch { return &watch{truth: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

const day = 24 * time.Hour

// dead is a machine that begins in 1970.
func (w *watch) dead() { w.wrong = time.Unix(0, 0).Sub(w.truth) }

func pending(t testing.TB, j *journal.Journal, lane wire.Lane) []wire.Record {
	t.Helper()
	all, err := j.Pending(lane, 10_000, 1<<30)
	must(t, err)
	return all
}

// last is the newest record of a lane.
func last(t testing.TB, j *journal.Journal) wire.Record {
	t.Helper()
	all := pending(t, j, wire.LaneTx)
	return all[len(all)-1]
}

func events(t testing.TB, j *journal.Journal, event journal.Event) (all []wire.AuditEntry) {
	t.Helper()
	for _, r := range pending(t, j, wire.LaneAudit) {
		var a wire.AuditEntry
		if r.Type == wire.TypeAudit && json.Unmarshal(r.Body, &a) == nil && a.Event == event {
			all = append(all, a)
		}
	}
	return all
}

func reopened(t *testing.T, j *journaltest.Journal, w *watch) {
	t.Helper()
	j.Check()
	w.up = 0
	j.Reopen()
}

func TestADeadClockGoesOnFromWhatWasWrittenLast(t *testing.T) {
	w := atNoon()
	j := journaltest.Open(t, w.on(opt))
	openCase(t, j.Journal)
	before := last(t, j.Journal)
	if before.ClockUnsure || !before.Wall.Equal(w.truth) || j.ClockUnsure() {
		t.Fatalf("%+v", before.Header)
	}
	w.pass(3 * time.Hour)
	w.dead()
	reopened(t, j, w)
	w.pass(10 * time.Minute)
	c := openCase(t, j.Journal)
	r := last(t, j.Journal)
	if !r.ClockUnsure || !j.ClockUnsure() || r.Wall.Before(before.Wall) || r.Wall.After(w.truth) {
		t.Errorf("under a dead clock: %+v", r.Header)
	}
	w.pass(5 * time.Minute)
	openCase(t, j.Journal)
	if d := last(t, j.Journal).Wall.Sub(r.Wall); d != 5*time.Minute {
		t.Errorf("five minutes were %v", d)
	}
	if c.Opened.Before(before.Wall) || len(events(t, j.Journal, journal.EventClockUnsure)) != 1 {
		t.Errorf("case of %v, %d times told", c.Opened, len(events(t, j.Journal, journal.EventClockUnsure)))
	}

	// A signed time sets it right, the machine's clock is as dead as before.
	must(t, j.TrustTime(w.truth))
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) || r.ClockOff != 0 {
		t.Errorf("after a signed time: %+v", r.Header)
	}
	set := events(t, j.Journal, journal.EventClockSet)
	if len(set) != 1 || set[0].Fields["is"] != w.truth.Format(time.RFC3339) || set[0].Fields["was"] >= set[0].Fields["is"] {
		t.Errorf("%+v", set)
	}
	if !j.Known().Equal(w.truth) {
		t.Errorf("known %v", j.Known())
	}

	// It is still dead at the next start, and is not relied on until it was asked for again; nor when it was mended meanwhile.
	for _, mended := range []bool{false, true} {
		w.pass(time.Hour)
		if mended {
			w.wrong = 0
		} else {
			w.dead()
		}
		was := last(t, j.Journal).Wall
		reopened(t, j, w)
		openCase(t, j.Journal)
		if r := last(t, j.Journal); !r.ClockUnsure || r.Wall.Before(was) {
			t.Errorf("mended %v: %+v", mended, r.Header)
		}
	}
	must(t, j.TrustTime(w.truth))
	reopened(t, j, w)
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
		t.Errorf("a good clock: %+v", r.Header)
	}
}

func TestAClockThatIsSetWhileTheTerminalRuns(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"a day back": -day, "a day ahead": day, "1970": -56 * 365 * day} {
		t.Run(name, func(t *testing.T) {
			w := atNoon()
			j := journaltest.Open(t, w.on(opt))
			openCase(t, j.Journal)
			w.pass(time.Minute)
			w.wrong = wrong
			openCase(t, j.Journal)
			r := last(t, j.Journal)
			if !r.ClockUnsure {
				t.Errorf("nobody noticed: %+v", r.Header)
			}
			if wrong < 0 && !r.Wall.Equal(w.truth) {
				t.Errorf("written %v at %v", r.Wall, w.truth)
			}
			w.pass(time.Second)
			must(t, j.TrustTime(w.truth))
			openCase(t, j.Journal)
			if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
				t.Errorf("after a signed time: %+v", r.Header)
			}
			// Somebody sets the clock right: what the signed time added is not added any more.
			w.pass(time.Minute)
			w.wrong = 0
			openCase(t, j.Journal)
			if r := last(t, j.Journal); !r.Wall.Equal(w.truth) {
				t.Errorf("written %v at %v", r.Wall, w.truth)
			}
		})
	}
}

// A machine that was a day ahead from the start cannot know; when a signed time says so, the floor goes back with it.
func TestAClockThatWasAheadDoesNotHoldTheFloorUp(t *testing.T) {
	w := atNoon()
	w.wrong = day
	j := journaltest.Open(t, w.on(opt))
	openCase(t, j.Journal)
	if last(t, j.Journal).ClockUnsure {
		t.Error("it knew")
	}
	must(t, j.TrustTime(w.truth))
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
		t.Errorf("%+v", r.Header)
	}
	if set := events(t, j.Journal, journal.EventClockSet); len(set) != 1 || set[0].Fields["was"] <= set[0].Fields["is"] {
		t.Errorf("%+v", set)
	}
	w.pass(time.Hour)
	w.wrong = 0
	reopened(t, j, w)
	must(t, j.TrustTime(w.truth))
	w.pass(time.Hour)
	reopened(t, j, w)
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
		t.Errorf("%+v", r.Header)
	}
}

func TestSmallStepsAreNoJumps(t *testing.T) {
	w := atNoon()
	j := journaltest.Open(t, w.on(opt))
	was := time.Time{}
	for _, wrong := range []time.Duration{0, 20 * time.Second, -20 * time.Second, 0, 30 * time.Second} {
		w.pass(time.Second)
		w.wrong = wrong
		j.SetClockOffset(-wrong)
		openCase(t, j.Journal)
		r := last(t, j.Journal)
		if r.ClockUnsure || r.Wall.Before(was) {
			t.Errorf("%v: %+v", wrong, r.Header)
		}
		if got := r.Wall.Add(time.Duration(r.ClockOff) * time.Millisecond); !got.Equal(w.truth) {
			t.Errorf("%v: wall and offset make %v at %v", wrong, got, w.truth)
		}
		was = r.Wall
	}
	if n := len(events(t, j.Journal, journal.EventClockUnsure)) + len(events(t, j.Journal, journal.EventClockSet)); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestABuildIsAFloor(t *testing.T) {
	w := atNoon()
	built := w.truth.Add(-30 * day)
	w.dead()
	o := w.on(opt)
	o.Floor = built
	j := journaltest.Open(t, o)
	openCase(t, j.Journal)
	if r := last(t, j.Journal); !r.ClockUnsure || r.Wall.Before(built) {
		t.Errorf("%+v", r.Header)
	}
}

// Whatever is done to the clock: time goes back only where the chain says so, and what a signed time made certain is right.
func TestTimeNeverGoesBackUnnoticed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := atNoon()
		j := journaltest.Open(t, w.on(opt))
		defer j.Shut()
		var was time.Time
		certain := false
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0:
				w.pass(time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(rt, "pass")))
			case 1:
				to := rapid.SampledFrom([]time.Duration{0, day, -day, time.Second, -time.Second, -56 * 365 * day}).Draw(rt, "wrong")
				certain = certain && (to-w.wrong).Abs() <= time.Minute
				w.wrong = to
			case 2:
				must(t, j.TrustTime(w.truth))
				was, certain = time.Time{}, true
			case 3:
				w.up = 0
				j.Reopen()
				certain = false
			case 5:
				must(t, j.TrustFloor(w.truth.Add(-time.Duration(rapid.Int64Range(0, int64(60*day)).Draw(rt, "floor")))))
			case 6:
				if err := j.ConfirmTime("technician.17", w.truth); err == nil {
					was, certain = time.Time{}, true
				}
			case 4:
				if j.ClockUnsure() && j.Certain().After(w.truth) {
					rt.Fatalf("unsure, and %v counts as certain at %v", j.Certain(), w.truth)
				}
				openCase(t, j.Journal)
				r := last(t, j.Journal)
				if r.Wall.Before(was) {
					rt.Fatalf("%v after %v", r.Wall, was)
				}
				if off := r.Wall.Sub(w.truth).Abs(); certain && (r.ClockUnsure || off > 2*time.Minute) {
					rt.Fatalf("certain, and %v off: %+v", off, r.Header)
				}
				was = r.Wall
			}
		}
	})
}

// The machine's clock is set right (by NTP, say) between the platform's answer and its coming here.
func TestAClockThatIsSetWhileASignedTimeComes(t *testing.T) {
	w := atNoon()
	w.dead()
	j := journaltest.Open(t, w.on(opt))
	signed := w.truth
	w.wrong = 0
	must(t, j.TrustTime(signed))
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
		t.Errorf("%+v at %v", r.Header, w.truth)
	}
	if !j.Known().Equal(w.truth) {
		t.Errorf("known is %v at %v: no true time gets over that", j.Known(), w.truth)
	}
}

// A time in a file has been, and is not now: it lifts what a dead clock writes, and makes no clock certain.
func TestAFloorLiftsAndMakesNothingCertain(t *testing.T) {
	w := atNoon()
	j := journaltest.Open(t, w.on(opt))
	openCase(t, j.Journal)
	w.pass(time.Hour)
	must(t, j.TrustFloor(w.truth.Add(-30*day))) // a file from a drawer: it knows less than was written
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
		t.Errorf("a clock that nothing speaks against: %+v", r.Header)
	}

	w.dead()
	reopened(t, j, w)
	if !j.ClockUnsure() || !j.Certain().Equal(w.truth.Add(-30*day)) {
		t.Errorf("unsure %v, certainly it has been %v", j.ClockUnsure(), j.Certain())
	}
	w.pass(20 * day) // off, so that the journal's own time did not go on
	reopened(t, j, w)
	floor := w.truth.Add(-2 * day)
	must(t, j.TrustFloor(floor))
	must(t, j.TrustFloor(floor.Add(-day))) // the one before comes late
	w.pass(time.Minute)
	openCase(t, j.Journal)
	if r := last(t, j.Journal); !r.ClockUnsure || !r.Wall.Equal(floor.Add(time.Minute)) {
		t.Errorf("lifted to %v from %v: %+v", r.Wall, floor, r.Header)
	}
	if !j.Certain().Equal(floor) || !j.Known().Equal(floor) {
		t.Errorf("certainly it has been %v, signed was %v", j.Certain(), floor)
	}
	reopened(t, j, w)
	if !j.Known().Equal(floor) || !j.ClockUnsure() {
		t.Errorf("after a restart %v", j.Known())
	}

	// A clock that is ahead is no more certain for it, and what it calls old is not.
	w.wrong = 0
	reopened(t, j, w)
	openCase(t, j.Journal)
	w.wrong = 400 * day
	openCase(t, j.Journal)
	must(t, j.TrustFloor(w.truth))
	if !j.ClockUnsure() || !j.Certain().Equal(w.truth) {
		t.Errorf("a clock that is ahead: unsure %v, certainly it has been %v at %v", j.ClockUnsure(), j.Certain(), w.truth)
	}
}

// Where no line is, a person says that the clock is right.
func TestAPersonConfirmsTheClock(t *testing.T) {
	w := atNoon()
	w.wrong = 400 * day
	j := journaltest.Open(t, w.on(opt))
	openCase(t, j.Journal) // beyond what any true time gets over for a year
	w.wrong = 0
	reopened(t, j, w)
	openCase(t, j.Journal)
	if !j.ClockUnsure() || !j.Certain().IsZero() {
		t.Errorf("unsure %v, certain %v", j.ClockUnsure(), j.Certain())
	}
	for what, watch := range map[string]time.Time{"another time": w.truth.Add(5 * time.Minute), "what is written": w.truth.Add(400 * day), "none": {}} {
		if err := j.ConfirmTime("technician.17", watch); !errors.Is(err, journal.ErrClock) || !j.ClockUnsure() {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, j.ConfirmTime("technician.17", w.truth.Add(time.Minute)))
	openCase(t, j.Journal)
	if r := last(t, j.Journal); r.ClockUnsure || !r.Wall.Equal(w.truth) {
		t.Errorf("confirmed: %+v", r.Header)
	}
	said := events(t, j.Journal, journal.EventClockConfirmed)
	if len(said) != 1 || said[0].Who != "technician.17" || said[0].Fields["is"] != w.truth.Format(time.RFC3339) || said[0].Fields["was"] <= said[0].Fields["is"] {
		t.Errorf("%+v", said)
	}
	if !j.Known().IsZero() {
		t.Error("a person's word was taken for a signed time")
	}
	reopened(t, j, w)
	if openCase(t, j.Journal); last(t, j.Journal).ClockUnsure {
		t.Error("a restart forgot it")
	}

	// Nobody confirms what cannot be.
	must(t, j.TrustFloor(w.truth.Add(day)))
	if err := j.ConfirmTime("technician.17", w.truth); !errors.Is(err, journal.ErrClock) {
		t.Errorf("before what the platform signed: %v", err)
	}
	// And nobody without a name.
	w.pass(2 * day)
	if err := j.ConfirmTime("", w.truth); err == nil {
		t.Error("confirmed by nobody")
	}
	if !j.ClockUnsure() {
		t.Error("what could not be written down was believed")
	}
}
