package main

// The audit chain's keeper: it compares the chain with what was signed before, signs its head every hour and at the end, and
// keeps the last signature outside the journal, so that a journal that was cut or exchanged for an older copy is noticed.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// signEvery is how often the chain's head is signed.
const signEvery = time.Hour

// lastWord is how long the program's end may be held up by telling the platform of the last head.
const lastWord = 3 * time.Second

// auditor keeps the audit chain of one terminal.
type auditor struct {
	journal *journal.Journal
	id      *uplink.Identity
	path    string // of the witness
	log     *slog.Logger
}

func witnessPath(c config.Config) string { return filepath.Join(c.Terminal.Data, "audit.head") }

// claims are what the witness beside the journal, and the acknowledgement inside it, say of the chain. A signature that does
// not verify is a finding of its own.
func (a auditor) claims() (all []wire.Claim, findings []string) {
	add := func(ack wire.Ack, by string) {
		if err := a.id.Acknowledged(ack); err != nil {
			findings = append(findings, fmt.Sprintf("%s: %v", by, err))
			return
		}
		all = append(all, wire.Claim{Epoch: ack.Epoch, Seq: ack.High, Hash: ack.Hash, By: by})
	}
	if ack, err := a.journal.AuditAck(); err == nil {
		add(ack, "what the platform acknowledged")
	} else if !errors.Is(err, journal.ErrNotFound) {
		findings = append(findings, err.Error())
	}
	raw, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, findings
	}
	var w wire.Witness
	if err == nil {
		w, err = wire.ReadWitness(raw)
	}
	if err == nil {
		err = a.id.Signed(w.Head)
	}
	if err != nil {
		return all, append(findings, fmt.Sprintf("%s: %v", filepath.Base(a.path), err))
	}
	all = append(all, wire.Claim{Epoch: w.Head.Epoch, Seq: w.Head.Seq, Hash: w.Head.Hash, By: "the head that was signed last"})
	if w.Ack != nil {
		add(*w.Ack, "the acknowledgement kept beside the journal")
	}
	return all, findings
}

// verify walks the chain and compares it with every claim.
func (a auditor) verify(ctx context.Context) (journal.AuditReport, error) {
	claims, findings := a.claims()
	r, err := a.journal.VerifyAudit(ctx, a.id.Signed, claims)
	r.Problems = append(findings, r.Problems...)
	return r, err
}

// begin compares the end of the chain with what was signed before. A chain that does not reach that far is written down and
// served on: the platform's fork detection decides, and nothing here may delete anything.
func (a auditor) begin() error {
	claims, findings := a.claims()
	for _, f := range findings {
		a.log.Error("audit chain", "finding", f)
	}
	lanes, err := a.journal.Lanes()
	if err != nil {
		return err
	}
	for _, l := range lanes {
		for _, c := range claims {
			if l.Lane != wire.LaneAudit || c.Epoch != l.Epoch || c.Seq <= l.Head {
				continue
			}
			a.log.Error("the audit chain is shorter than it was", "claim", c.By, "was", c.Seq, "is", l.Head)
			err := a.journal.Update(func(tx *journal.Tx) error {
				return tx.Audit(journal.EventAuditGap, wire.WhoSystem, map[string]string{"epoch": fmt.Sprint(c.Epoch), "seq": fmt.Sprint(c.Seq), "head": fmt.Sprint(l.Head)})
			})
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// started writes that the program began, after which end, and what it found.
func (a auditor) started(r service.Report, cause string) {
	fields := map[string]string{"software": wire.Word(version), "settled": fmt.Sprint(len(r.Settled)), "moved": fmt.Sprint(len(r.Moved)),
		"desk": fmt.Sprint(r.Desk)}
	if cause != "" {
		fields["cause"] = cause
	}
	err := a.journal.Update(func(tx *journal.Tx) error {
		return tx.Audit(journal.EventTerminalStarted, wire.WhoSystem, fields)
	})
	if err == nil {
		err = a.sign("start")
	}
	if err != nil {
		a.log.Error("audit chain", "error", err)
	}
}

// sign signs the head and keeps the signature beside the journal.
func (a auditor) sign(why string) error {
	h, err := a.journal.SignHead(why, a.id.Sign)
	if err != nil {
		return err
	}
	w := wire.Witness{Head: h}
	if ack, err := a.journal.AuditAck(); err == nil {
		w.Ack = &ack
	}
	return writeWitness(a.path, w)
}

// run signs every hour until ctx ends.
func (a auditor) run(ctx context.Context) error {
	tick := time.NewTicker(signEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := a.sign("hour"); err != nil {
				a.log.Error("audit chain", "error", err)
			}
		}
	}
}

// end writes the last line, signs it, and tells the platform if it can be reached at once.
func (a auditor) end(link *uplink.Uplink) error {
	err := a.journal.Update(func(tx *journal.Tx) error { return tx.Audit(journal.EventTerminalStopped, wire.WhoSystem, nil) })
	if err == nil {
		err = a.sign("stop")
	}
	if err != nil {
		return fmt.Errorf("audit chain: %w", err)
	}
	ctx, stop := context.WithTimeout(context.Background(), lastWord)
	defer stop()
	if err := link.Deliver(ctx, wire.LaneAudit); err != nil {
		a.log.Debug("the last head waits for the next start", "error", err)
	}
	return nil
}
