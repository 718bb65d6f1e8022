package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kiosk": func() { os.Exit(kiosk()) }, "city": cityMain, "mkjournal": mkjournal})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"casework": casework, "hold": hold, "journal": makeJournal, "ahead": ahead, "both": inBoth,
	}, Setup: func(e *testscript.Env) error {
		e.Setenv("DISPLAY", "")
		e.Setenv("XDG_RUNTIME_DIR", e.WorkDir)
		e.Setenv("NOW", time.Now().Format("2006-01-02T15:04"))
		return nil
	}})
}

// opened is the journal of a script's configuration.
func opened(ts *testscript.TestScript, file string) *journal.Journal {
	c, err := config.Load(ts.MkAbs(file))
	ts.Check(err)
	c.Terminal.Data = ts.MkAbs(c.Terminal.Data)
	ts.Check(prepareData(c.Terminal.Data))
	j, err := journal.Open(filepath.Join(c.Terminal.Data, "journal.db"), journalOptions(c))
	ts.Check(err)
	return j
}

// casework CONFIG writes two cases into the journal of a terminal that is not running, one of them for the desk.
func casework(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: casework CONFIG")
	}
	j := opened(ts, args[0])
	ts.Check(j.Update(func(tx *journal.Tx) error {
		for _, to := range [][]journal.State{{journal.Accepted}, {journal.Printing, journal.PrintUnknown}} {
			c, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Schema: 1, Visit: "v", Person: "李*雯", Last4: "0228"})
			if err != nil {
				return err
			}
			for _, s := range to {
				if err := tx.SetState(c.ID, s, "test"); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	ts.Check(j.Close())
}

// ahead CONFIG writes a case into the journal of a terminal whose clock is a year ahead.
func ahead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ahead CONFIG")
	}
	c, err := config.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	c.Terminal.Data = ts.MkAbs(c.Terminal.Data)
	ts.Check(prepareData(c.Terminal.Data))
	o := journalOptions(c)
	o.Now = func() time.Time { return time.Now().AddDate(1, 0, 0) }
	j, err := journal.Open(filepath.Join(c.Terminal.Data, "journal.db"), o)
	ts.Check(err)
	ts.Check(j.Update(func(tx *journal.Tx) error {
		_, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Schema: 1, Visit: "v"})
		return err
	}))
	ts.Check(j.Close())
}

// hold CONFIG keeps the journal open until the script ends, as a running terminal does.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold CONFIG")
	}
	j := opened(ts, args[0])
	ts.Defer(func() { _ = j.Close() })
}

// makeJournal is the scripts' command "journal DIR CASES [sealed]": a journal as a terminal would have left it, sealed to a
// platform's key or not.
func makeJournal(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.MkdirAll(dir, 0o700))
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Terminal: "990000-0003", No: "03", KeyFile: filepath.Join(dir, "journal.key")})
	ts.Check(err)
	if len(args) > 2 {
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		ts.Check(err)
		ts.Check(j.SealTo(k.PublicKey().Bytes()))
	}
	for range n {
		ts.Check(j.Update(func(tx *journal.Tx) error {
			_, err := tx.OpenCase(journal.NewCase{Item: "12345", Details: map[string]string{"phone": "13800000001"}})
			return err
		}))
	}
	ts.Check(j.Close())
}
