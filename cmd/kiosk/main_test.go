package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/budayang/kiosk/sync/journal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kiosk": func() { os.Exit(kiosk()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: map[string]func(*testscript.TestScript, bool, []string){"journal": makeJournal}, Setup: func(e *testscript.Env) error {
		e.Setenv("DISPLAY", "")
		e.Setenv("XDG_RUNTIME_DIR", e.WorkDir)
		return nil
	}})
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
