// Package model has the sync protocol's model (docs/protocol/sync.pml) checked by Spin: the rules that hold must hold, and each rule
// that is broken on purpose must be seen to lose something, so that the model demonstrably can fail.
package model

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// variants are what may happen and how much of it, as docs/protocol/README.md lists them. Those that are full take minutes together.
var variants = []struct {
	what, flags string
	full        bool
}{
	{"late requests, a recovered journal", "LINE RECOVER N=3", false},
	{"a disk set back, a recovered journal", "DISK RECOVER N=3", false},
	{"a disk set back, late requests", "DISK LINE", false},
	{"a disk set back twice, a recovered journal", "DISK=2 RECOVER", false},
	{"two machines", "TWIN EPOCHS=2", false},
	{"the platform set back, a recovered journal", "BACKUP RECOVER N=3", false},
	{"platform and disk set back", "BACKUP DISK", false},
	{"the platform set back, two machines", "BACKUP TWIN N=1 EPOCHS=2", false},
	{"commits in doubt, late requests", "DOUBT LINE N=3", false},
	{"commits in doubt, a disk set back", "DOUBT DISK", false},
	{"rows set back, a disk set back", "ROWS DISK", false},
	{"a disk set back, grown again and recovered before it is heard, with fewer changes", "DISK RECOVER CHANGES TOLD=3 N=3", false},
	{"the number of changes is not compared, a disk set back", "DISK CHANGES N=3 COUNT=0", false},
	{"sequences only are compared, late requests", "LINE HASH=0 N=3", false},
	{"the past is shown only at first, and nobody waits for hello", "BACKUP RECOVER AWAY=0 UP=0", false},

	{"rows set back, a disk set back, more records", "ROWS DISK N=3", true},
	{"a disk set back, late requests, more records", "DISK LINE N=3", true},
	{"a disk set back twice, late requests", "DISK=2 LINE", true},
	{"a disk set back twice, a recovered journal, more records", "DISK=2 RECOVER N=3", true},
	{"a disk set back and recovered before it is heard", "DISK RECOVER TOLD=0 N=3", true},
	{"the same with fewer changes, one of them about no record", "DISK RECOVER CHANGES=2 TOLD=3 N=3", true},
	{"the same with fewer changes, late requests", "DISK LINE RECOVER CHANGES TOLD=3", true},
	{"the same with fewer changes, two machines", "TWIN RECOVER CHANGES TOLD=3 EPOCHS=2", true},
	{"changes are counted, a disk set back twice, a recovered journal", "DISK=2 RECOVER CHANGES N=3", true},
	{"changes are counted, a disk set back, late requests", "DISK LINE CHANGES N=3", true},
	{"changes are counted, late requests, a recovered journal", "LINE RECOVER CHANGES=2 N=3", true},
	{"changes are counted, the platform set back, a recovered journal", "BACKUP RECOVER CHANGES N=3", true},
	{"changes are counted, commits in doubt, a disk set back", "DOUBT DISK CHANGES", true},
	{"two machines, more epochs", "TWIN", true},
	{"two machines, more records", "TWIN N=3 EPOCHS=2", true},
	{"two machines, late requests", "TWIN LINE EPOCHS=2", true},
	{"two machines, a disk set back", "TWIN DISK TOLD=0 EPOCHS=2", true},
	{"the platform set back, a recovered journal, late requests", "BACKUP RECOVER LINE N=3", true},
	{"platform and disk set back, a recovered journal", "BACKUP DISK RECOVER", true},
	{"platform and disk set back, a recovered journal, more records", "BACKUP DISK RECOVER N=3", true},
	{"platform and disk set back, a recovered journal, late requests", "BACKUP DISK RECOVER LINE", true},
	{"the platform set back, two machines, more of both", "BACKUP TWIN", true},
	{"the platform set back, two machines, late requests", "BACKUP TWIN LINE N=1 EPOCHS=2", true},
	{"the platform set back, two machines, a disk set back", "BACKUP TWIN DISK EPOCHS=2", true},
	{"commits in doubt, late requests, a recovered journal", "DOUBT LINE RECOVER N=3", true},
	{"commits in doubt, a disk set back, late requests", "DOUBT DISK LINE", true},
	{"commits in doubt, two machines", "DOUBT TWIN EPOCHS=2", true},
	{"the past is not shown before an ordered epoch", "BACKUP TWIN EPOCHS=2 PAST=0", true},
	{"an epoch is taken that was not ordered", "BACKUP TWIN EPOCHS=2 ORDERED=0", true},
}

// broken are rules that somebody does not keep, and where that shows.
var broken = []struct {
	what, flags string
}{
	{"sequences only are compared", "DISK HASH=0"},
	{"the platform does not compare the head", "TWIN FORK=0"},
	{"what was shown is not remembered", "DISK SHOWN=0"},
	{"only what is missing of the latest epoch is told", "DISK RECOVER LESS=0"},
	{"of an epoch that was ordered and never heard of nothing is told", "DISK=2 UNHEARD=0"},
	{"that it is told counts as a comparison", "DISK RECOVER N=3 UNSEEN=0"},
	{"what was not compared is taken for the same", "DISK N=3 SURE=0"},
	{"a lane of fewer changes that shows what it showed is trusted", "DISK RECOVER CHANGES TOLD=3 N=3 GROWN=0"},
	{"nor is its disk recovered, and an answer is lost", "DISK CHANGES N=3 GROWN=0"},
	{"the number of changes is not compared", "DISK RECOVER CHANGES TOLD=3 N=3 COUNT=0"},
	{"what was acknowledged does not come along", "BACKUP RECOVER RESEND=0"},
	{"the past is not shown again after the platform was away", "BACKUP TWIN N=1 EPOCHS=2 AWAY=0"},
	{"nor before an epoch that is ordered", "BACKUP RECOVER AWAY=0 PAST=0"},
	{"nor waits for hello who sends, and an epoch is taken that was not ordered", "BACKUP RECOVER AWAY=0 UP=0 ORDERED=0"},
	{"ids are not compared", "BACKUP TWIN EPOCHS=2 IDS=0"},
	{"a taken place is acknowledged", "ROWS DISK TAKEN=0"},
	{"no epoch is ordered in which a place is free", "ROWS DISK FREE=0"},
	{"acks do not wait for the standby", "DOUBT DURABLE=0"},
	{"acks of duplicates do not wait for the standby", "DOUBT LINE AGAIN=0"},
	{"a late hello is taken for one of now", "LINE STALE=0"},
	{"sending goes on without an answer to hello", "LINE UP=0"},
}

// gaps are what the protocol does not do, as docs/protocol/README.md says; when one is closed, its entry goes to the variants.
var gaps = []struct {
	what, flags string
}{
	{"all is told of a disk that was set back and recovered before it was heard", "DISK RECOVER CHANGES TOLD=2"},
	{"places of an earlier epoch are told of a disk that was set back to it and recovered", "DISK=2 RECOVER CHANGES TOLD=3"},
	{"all is told of a disk that was set back while a second machine talks", "TWIN DISK EPOCHS=2"},
	{"a lane of two machines goes on whose rows were set back", "ROWS TWIN EPOCHS=2"},
}

func TestSyncProtocol(t *testing.T) {
	places := make(chan struct{}, 2) // of processors and memory
	for _, v := range variants {
		t.Run(v.what, func(t *testing.T) {
			if v.full && os.Getenv("BUDAYANG_MODEL_FULL") == "" {
				t.Skip("takes long: make model FULL=1")
			}
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			optimise := "-O0" // compiling takes longer than these take to run
			if v.full {
				optimise = "-O2"
			}
			out, errs, states := check(t, v.flags, optimise)
			if errs != "0" || strings.Contains(out, "Search not completed") || strings.Contains(out, "max search depth too small") {
				t.Errorf("a rule that must hold does not, or was not checked wholly: %s", out)
			}
			t.Logf("%s: holds, %s states, %s MB", v.flags, states, regexp.MustCompile(`(\d+)\.\d+\s+total actual memory`).FindStringSubmatch(out)[1])
		})
	}
	for _, b := range slices.Concat(broken, gaps) {
		t.Run(b.what, func(t *testing.T) {
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			out, _, states := check(t, b.flags, "-O0")
			m := regexp.MustCompile(`assertion violated (.*) \(at depth`).FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("a broken rule was not noticed: %s", out)
			}
			t.Logf("%s: noticed after %s states, %s", b.flags, states, m[1])
		})
	}
}

// check makes Spin's verifier for a variant and runs it.
func check(t *testing.T, flags, optimise string) (out, errs, states string) {
	t.Helper()
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("BUDAYANG_REQUIRE_PEERS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	model, err := filepath.Abs(filepath.Join("..", "..", "docs", "protocol", "sync.pml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	args := []string{"-a"}
	for f := range strings.FieldsSeq(flags) {
		if !strings.Contains(f, "=") {
			f += "=1"
		}
		args = append(args, "-D"+f)
	}
	run("spin", append(args, model)...)
	run("gcc", optimise, "-w", "-DSAFETY", "-DCOLLAPSE", "-DNOFAIR", "-DNOREDUCE", "-DMEMLIM=4096", "-o", "pan", "pan.c")
	out = run("./pan", "-E", "-m100000")
	m := regexp.MustCompile(`errors: (\d+)\s+(\d+) states, stored`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("Spin says %s", out)
	}
	return out, m[1], m[2]
}
