package main

// A journal for the command-line tests: mkjournal DATADIR makes one with a case whose print nobody saw the end of, one that
// was not taken and one that is done, and signs its chain as a terminal that stopped in good order does.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
)

func mkjournal() {
	if err := signedJournal(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "mkjournal:", err)
		os.Exit(1)
	}
}

func signedJournal(dir string) error {
	const terminal = "990000-0003"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Terminal: terminal, No: "03", KeyFile: filepath.Join(dir, "journal.key")})
	if err != nil {
		return err
	}
	for _, way := range [][]journal.State{{}, {journal.Printing, journal.Printed, journal.Retained}, {journal.Closed}} {
		var id string
		err := j.Update(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Person: "李*雯", Last4: "1234"})
			id = c.ID
			for _, to := range way {
				err = errors.Join(err, tx.SetState(c.ID, to, ""))
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(way) > 0 {
			continue
		}
		_, err = j.Do(context.Background(), journal.Intent{EffectName: journal.EffectName{Case: id, Step: "print", Attempt: 1}, Kind: "print-document", Case: journal.Printing},
			func(context.Context, func(k, v string) error) journal.Outcome {
				return journal.Outcome{State: journal.EffectUnknown, Case: journal.PrintUnknown, Why: "printer went silent", Number: "SBP-1"}
			})
		if err != nil {
			return err
		}
	}
	id, err := uplink.LoadIdentity(dir, terminal)
	if err != nil {
		return err
	}
	a := auditor{j, id, filepath.Join(dir, "audit.head"), slog.New(slog.DiscardHandler)}
	return errors.Join(a.sign("stop"), j.Close())
}
