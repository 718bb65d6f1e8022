package journal_test

// Crashes: a child process does a visit's work again and again and is killed at every named point. What it told its parent to
// be done must be there afterwards, once.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

const childEnv = "JOURNAL_CRASH_CHILD"

func TestMain(m *testing.M) {
	recorderChild()
	if spec := os.Getenv(childEnv); spec != "" {
		if err := crashChild(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashOptions(dir string) journal.Options {
	return journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "key"), BlobDir: filepath.Join(dir, "blobs")}
}

// crashChild works until it passes the named point for the last time, and kills itself there with a signal that nothing
// can handle. Acts go to a file of their own, the "world"; promises go to stdout once the journal's call has returned.
func crashChild(spec string) error {
	point, dir, _ := strings.Cut(spec, "=")
	seen := 0
	o := crashOptions(dir)
	o.Crash = func(p string) {
		if p != point {
			return
		}
		if seen++; seen == passes(point) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	j, err := journal.Open(filepath.Join(dir, "j.db"), o)
	if err != nil {
		return err
	}
	world, err := os.OpenFile(filepath.Join(dir, "world"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for epoch := range uint32(3) {
		if err := crashVisit(j, world, epoch+2); err != nil {
			return err
		}
	}
	return errors.New("never came to " + point)
}

// passes is at which time a point is deadly: every change passes change.*, and the first ones promise nothing yet.
func passes(point string) int {
	if strings.HasPrefix(point, "change.") {
		return 12
	}
	return 2
}

// crashVisit passes every point once.
func crashVisit(j *journal.Journal, world *os.File, epoch uint32) error {
	if err := j.NewEpoch(epoch); err != nil {
		return err
	}
	h, err := j.PutBlob(fmt.Appendf(nil, "ink %d", epoch))
	if err != nil {
		return err
	}
	var c journal.Case
	err = j.Update(func(tx *journal.Tx) (err error) {
		if c, err = tx.OpenCase(journal.NewCase{Item: "SB-P", Details: map[string]string{"phone": "13800000001"}}); err != nil {
			return err
		}
		return errors.Join(tx.KeepBlob(c.ID, "ink", h), tx.UploadBlob(c.ID, h))
	})
	if err != nil {
		return err
	}
	fmt.Println("case", c.ID, c.ReceiptCode)
	_, err = j.Do(context.Background(), journal.Intent{EffectName: name(c.ID, 1), Kind: "k", Case: journal.Printing},
		func(_ context.Context, note func(k, v string) error) journal.Outcome {
			if err := note("job", "1"); err != nil {
				return journal.Outcome{State: journal.EffectNotSent}
			}
			fmt.Fprintln(world, name(c.ID, 1))
			return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
		})
	if err != nil {
		return err
	}
	fmt.Println("done", c.ID)
	if err := set(j, c.ID, journal.Closed); err != nil {
		return err
	}
	fmt.Println("closed", c.ID)
	for range 2 {
		for _, lane := range wire.Lanes {
			recs, err := j.Pending(lane, 1000, 1<<20)
			if err != nil {
				return err
			}
			if len(recs) == 0 {
				continue
			}
			last := recs[len(recs)-1]
			if err := j.Acked(wire.Ack{Epoch: last.Epoch, Lane: lane, High: last.Seq, Hash: last.Header.Hash()}); err != nil {
				return err
			}
		}
		// The platform is restored from a backup and asks for everything again.
		if err := j.Rewind(wire.LaneTx, wire.LanePoint{}); err != nil {
			return err
		}
	}
	recs, err := j.Pending(wire.LaneTx, 1000, 1<<20)
	if err != nil {
		return err
	}
	last := recs[len(recs)-1]
	if err := j.Acked(wire.Ack{Epoch: last.Epoch, Lane: wire.LaneTx, High: last.Seq, Hash: last.Header.Hash()}); err != nil {
		return err
	}
	if err := j.Shred(c.ID); err != nil {
		return err
	}
	fmt.Println("shredded", c.ID)
	return nil
}

func TestKilledAtEveryPoint(t *testing.T) {
	for _, point := range journal.CrashPoints() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+point+"="+dir)
			var complaints strings.Builder
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("child was not killed: %v %s", err, complaints.String())
			}
			j := journaltest.OpenAt(t, filepath.Join(dir, "j.db"), crashOptions(dir))
			j.Check()
			promised(t, j.Journal, string(out))
			world := worldActs(t, dir)
			_, err = j.Settle(t.Context(), map[string]journal.Settler{"k": func(_ context.Context, e journal.Effect) journal.Outcome {
				if world[e.EffectName.String()] > 0 {
					return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
				}
				return journal.Outcome{State: journal.EffectNotSent, Case: journal.PrintFailed}
			}})
			must(t, err)
			effects := map[string]journal.EffectState{}
			cases, err := j.Cases(nil)
			must(t, err)
			for _, c := range cases {
				all, err := j.Effects(c.ID)
				must(t, err)
				for _, e := range all {
					effects[e.EffectName.String()] = e.State
				}
			}
			for act, n := range world {
				if n != 1 || effects[act] != journal.EffectDone {
					t.Errorf("%s happened %d times, the journal says %q", act, n, effects[act])
				}
			}
			for e, state := range effects {
				if (state == journal.EffectDone) != (world[e] == 1) {
					t.Errorf("%s is %s, happened %d times", e, state, world[e])
				}
			}
			if r := j.Check(); r.Unsettled != 0 {
				t.Errorf("%+v", r)
			}
			// And work goes on.
			f, err := os.OpenFile(filepath.Join(dir, "world"), os.O_WRONLY|os.O_APPEND, 0o600)
			must(t, err)
			defer f.Close()
			must(t, crashVisit(j.Journal, f, 9))
		})
	}
}

// promised checks that everything the child said is so.
func promised(t *testing.T, j *journal.Journal, said string) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(said))
	n := 0
	for lines.Scan() {
		n++
		word := strings.Fields(lines.Text())
		c, err := j.Case(word[1])
		if err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
			continue
		}
		switch word[0] {
		case "case":
			if c.ReceiptCode != word[2] {
				t.Errorf("%s: receipt code %s", lines.Text(), c.ReceiptCode)
			}
		case "done":
			if all, err := j.Effects(c.ID); err != nil || len(all) != 1 || all[0].State != journal.EffectDone {
				t.Errorf("%s: %+v, %v", lines.Text(), all, err)
			}
		case "closed":
			if c.State != journal.Closed {
				t.Errorf("%s: %s", lines.Text(), c.State)
			}
		case "shredded":
			if _, err := j.CaseBlob(c.ID, "ink"); !errors.Is(err, journal.ErrNotFound) {
				t.Errorf("%s: %v", lines.Text(), err)
			}
		}
	}
	if n == 0 {
		t.Error("the child promised nothing")
	}
}

func worldActs(t *testing.T, dir string) map[string]int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "world"))
	must(t, err)
	acts := map[string]int{}
	for _, line := range strings.Fields(string(b)) {
		acts[line]++
	}
	return acts
}
