package main

// The doctor: the whole machine looked at within ten seconds, every finding with its remedy. What is looked at lies in
// doctor_machine.go, doctor_journal.go, doctor_platform.go and doctor_devices.go.

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
)

// doctorCmd is `kiosk doctor`: the whole machine, or one part of it in depth.
type doctorCmd struct {
	Machine machineCmd `cmd:"" default:"withargs"`
	Audit   auditCmd   `cmd:""`
}

// machineCmd is `kiosk doctor` without more.
type machineCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	JSON   bool
}

// Grades of findings.
const (
	gradeOK   = "ok"
	gradeWarn = "warn" // it serves, and somebody should look
	gradeBad  = "bad"  // something cannot work, or is unsafe
)

// A finding is one thing the doctor looked at.
type finding struct {
	Grade string
	What  service.Text
	Mend  service.Text // how to mend it; zero when there is nothing to mend
}

// The words are in assets/lang/*.doctor.json: doc.ID of what was found, mend.ID of how to mend it.
func ok(id string, pairs ...string) finding {
	return finding{Grade: gradeOK, What: service.T("doc."+id, pairs...)}
}
func warn(how service.Text, id string, pairs ...string) finding {
	return finding{gradeWarn, service.T("doc."+id, pairs...), how}
}
func bad(how service.Text, id string, pairs ...string) finding {
	return finding{gradeBad, service.T("doc."+id, pairs...), how}
}
func mend(id string, pairs ...string) service.Text { return service.T("mend."+id, pairs...) }

// because fills in {why}.
func (f finding) because(err error) finding {
	f.What = f.What.With("why", faultOf(err))
	return f
}

// about fills in {part}.
func (f finding) about(part service.Text) finding {
	f.What = f.What.With("part", part)
	return f
}

// toldFinding is a finding as files and other programs have it: in English.
type toldFinding struct {
	Grade string `json:"grade"`
	ID    string `json:"id"` // of the words, the same whatever they say
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"`
}

// MarshalJSON tells in English.
func (f finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(toldFinding{f.Grade, f.What.ID, english(f.What), english(f.Mend)})
}

// doctorLimit is how long the whole look may take.
const doctorLimit = 9500 * time.Millisecond

// Run looks at the whole machine in at most ten seconds and says how to mend what it finds.
func (d machineCmd) Run(ctx context.Context, io stdio) error {
	all := examine(ctx, d.Config)
	wrong := 0
	for _, f := range all {
		if f.Grade == gradeBad {
			wrong++
		}
	}
	if d.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		if err := e.Encode(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			fmt.Fprintf(io.out, "%-5s %s\n", f.Grade, io.word(f.What))
			if !f.Mend.IsZero() {
				fmt.Fprintf(io.out, "      → %s\n", io.word(f.Mend))
			}
		}
	}
	if wrong > 0 {
		return refuse("to-mend", "count", wrong)
	}
	return nil
}

// checkup is one look at a machine.
type checkup struct {
	file string
	c    config.Config
	// held is closed once it is known whether a running terminal holds the journal, and with it the devices.
	held    chan struct{}
	running bool
	stock   map[string]stockSeen // by kind; known once held is closed
	ribbon  *journal.Fitting     // what is fitted by the ledger, nil where nothing is; known as stock is
}

// examine looks at everything at the same time. A part that does not come to its end is named and not waited for.
func examine(ctx context.Context, file string) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorLimit)
	defer cancel()
	c, err := config.Load(file)
	if err != nil {
		var all []finding
		for _, e := range unjoin(err) {
			all = append(all, bad(mend("file"), "file").because(e))
		}
		return all
	}
	x := &checkup{file: file, held: make(chan struct{}), stock: map[string]stockSeen{}}
	inForce, first := x.inForce(c)
	x.c = inForce
	parts := []struct {
		name string
		look func(context.Context) []finding
	}{
		{"configuration", func(context.Context) []finding { return append(first, x.checkFiles()...) }},
		{"data", func(context.Context) []finding { return checkData(x.c) }},
		{"key", func(context.Context) []finding { return checkKey(x.c) }},
		{"journal", x.checkJournal},
		{"items", func(context.Context) []finding { return checkItems(x.c) }},
		{"machine", func(context.Context) []finding { return checkMachine(x.c, theMachine()) }},
		{"display", func(context.Context) []finding { return checkDisplay(os.Getenv("DISPLAY")) }},
		{"identity", func(context.Context) []finding { return checkIdentity(x.c, time.Now()) }},
		{"platform", func(ctx context.Context) []finding { return checkPlatform(ctx, x.c) }},
		{"access", func(ctx context.Context) []finding { return checkLetIn(ctx, x.c) }},
		{"devices", x.checkDevices},
	}
	found := make([][]finding, len(parts))
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i, p := range parts {
		wait.Go(func() {
			all := p.look(ctx)
			mu.Lock()
			defer mu.Unlock()
			found[i] = all
			if all == nil {
				found[i] = []finding{}
			}
		})
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		// What obeys its context ends now; what is stuck in the kernel does not.
		select {
		case <-done:
		case <-time.After(300 * time.Millisecond):
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var all []finding
	for i, p := range parts {
		if found[i] == nil {
			all = append(all, bad(mend("hangs"), "hangs", "limit", doctorLimit.String()).about(service.T("doc.part."+p.name)))
		}
		all = append(all, found[i]...)
	}
	return all
}
