package main

import (
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/budayang/kiosk/platform/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"platform": func() { os.Exit(run()) }, "terminal": terminalMain})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: map[string]func(*testscript.TestScript, bool, []string){"eventually": eventually}})
}

// eventually runs a program again and again until its output matches: eventually PATTERN PROGRAM ARGS…
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = ts.Exec(args[1], args[2:]...); err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("never %s: %v", args[0], err)
}

// Scripts in testdata/postgres find a database at $STORE, with its password in $PASSFILE; "served" waits until a server
// has made the database its own.
func TestScriptsWithPostgres(t *testing.T) {
	c := pgtest.Start(t)
	testscript.Run(t, testscript.Params{Dir: "testdata/postgres",
		Setup: func(e *testscript.Env) error {
			name := c.Create(t)
			e.Setenv("STORE", c.Address(name))
			e.Setenv("PASSFILE", c.PassFile())
			e.Values["url"] = c.URL(name)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"served": func(ts *testscript.TestScript, _ bool, _ []string) {
			var err error
			for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				var conn *pgx.Conn
				if conn, err = pgx.Connect(context.Background(), ts.Value("url").(string)); err != nil {
					continue
				}
				var key string
				err = conn.QueryRow(context.Background(), "SELECT value FROM settings WHERE name = 'platform-key'").Scan(&key)
				_ = conn.Close(context.Background())
				if err == nil {
					return
				}
			}
			ts.Fatalf("no server came: %v", err)
		}}})
}
