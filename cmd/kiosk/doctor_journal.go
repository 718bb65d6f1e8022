package main

// The doctor's look at the record: whole, in step with its spill, its audit chain as it was signed, its stock as counted.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// stockCard is the kind of blanks that a card dispenser holds.
const stockCard = journal.StockCard

// lockable are the kinds of stock that a count can lock: what cards are made of.
var lockable = []string{journal.StockCard, journal.StockRibbon}

// stockSeen is what the ledger says of one kind of counted stock.
type stockSeen struct{ wire.StockBalance }

// Limits beyond which what waits for the platform, or the journal's size, is a finding.
const (
	waitsLong    = 24 * time.Hour
	quotaPercent = 80
)

// checkJournal opens the journal of a terminal that is not running and verifies everything in it.
func (x *checkup) checkJournal(ctx context.Context) []finding {
	defer close(x.held)
	path := journalPath(x.c)
	dir := filepath.Dir(path)
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	_, err = os.Stat(path + journal.SpillSuffix)
	spill := err == nil
	if fresh && !spill {
		return []finding{ok("journal.none")}
	}
	j, err := journal.Open(path, journalOptions(x.c))
	switch {
	case errors.Is(err, journal.ErrLocked):
		x.running = true
		return []finding{ok("journal.held")}
	case errors.Is(err, journal.ErrKey):
		return []finding{bad(mend("journal.key"), "journal").because(err)}
	case errors.Is(err, journal.ErrDamaged) && strings.Contains(err.Error(), ": stock "):
		return []finding{bad(mend("journal.stock", "dir", dir, "file", x.file), "stock.contradicts").because(err)}
	case errors.Is(err, journal.ErrDamaged):
		return []finding{bad(mend("journal.damaged", "dir", dir, "file", x.file), "journal").because(err)}
	case err != nil:
		return []finding{bad(mend("journal.support", "dir", dir), "journal").because(err)}
	}
	defer j.Close()
	var all []finding
	if !spill {
		all = append(all, bad(mend("journal.spill"), "journal.spill"))
	}
	r, err := j.Verify(ctx)
	if err != nil {
		return append(all, bad(mend("keep"), "journal").because(err))
	}
	for _, p := range r.Problems {
		all = append(all, bad(mend("keep"), "journal.problem", "problem", p))
	}
	if len(r.Problems) == 0 {
		all = append(all, ok("journal.whole", "cases", fmt.Sprint(r.Cases), "effects", fmt.Sprint(r.Effects), "records", fmt.Sprint(r.Records)))
	}
	if r.Unsettled > 0 {
		all = append(all, warn(mend("unsettled"), "journal.unsettled", "count", fmt.Sprint(r.Unsettled)))
	}
	all = append(all, x.checkAudit(ctx, j)...)
	all = append(all, x.checkStock(j)...)
	return append(all, x.checkWaiting(j)...)
}

// checkAudit compares the audit chain with what was signed and acknowledged.
func (x *checkup) checkAudit(ctx context.Context, j *journal.Journal) []finding {
	if _, err := os.Stat(filepath.Join(x.c.Terminal.Data, uplink.IdentityFile)); err != nil {
		return nil // no key, nothing was signed
	}
	id, err := uplink.LoadIdentity(x.c.Terminal.Data, x.c.Terminal.ID)
	if err != nil {
		return nil // said elsewhere
	}
	r, err := auditor{j, id, witnessPath(x.c), slog.New(slog.DiscardHandler)}.verify(ctx)
	if err != nil {
		return []finding{bad(mend("audit.keep"), "audit.error").because(err)}
	}
	if n := len(r.Problems); n > 0 {
		return []finding{bad(mend("audit"), "audit.findings", "count", fmt.Sprint(n), "first", r.Problems[0])}
	}
	return []finding{ok("audit.whole", "entries", fmt.Sprint(r.Entries), "heads", fmt.Sprint(r.Heads))}
}

// checkStock looks at what is counted and keeps it for the comparison with the dispenser's own sensor.
func (x *checkup) checkStock(j *journal.Journal) (all []finding) {
	b, err := j.StockBalance(stockCard)
	if err != nil {
		return []finding{bad(mend("keep"), "stock.error").because(err)}
	}
	x.stock[stockCard] = stockSeen{b}
	if f, err := j.Fitting(journal.StockRibbon); err == nil {
		x.ribbon = &f
	}
	if shifts, err := j.Shifts(); err == nil {
		for _, s := range shifts {
			if s.Slip == journal.SlipDue {
				all = append(all, warn(mend("shift.due"), "shift.due", "no", fmt.Sprint(s.No)))
			}
		}
	}
	for _, kind := range lockable {
		d, err := service.DriftOf(j, kind)
		switch {
		case err != nil:
			all = append(all, bad(mend("keep"), "stock.error").because(err))
		case d.Locked:
			all = append(all, bad(mend("stock.locked", "kind", kind), "stock.locked", "kind", kind, "ledger", fmt.Sprint(d.Ledger), "found", fmt.Sprint(d.Found),
				"apart", fmt.Sprint(d.Apart), "tolerance", fmt.Sprint(d.Tolerance), "who", d.By, "time", d.At.Local().Format(time.DateTime)))
		}
	}
	if b.InDoubt > 0 {
		all = append(all, warn(mend("stock.doubt"), "stock.doubt", "count", fmt.Sprint(b.InDoubt)))
	}
	if b.Retained > 0 {
		all = append(all, warn(mend("stock.bin"), "stock.bin", "count", fmt.Sprint(b.Retained)))
	}
	return all
}

// checkWaiting looks at what waits: for the platform, for a person, for room.
func (x *checkup) checkWaiting(j *journal.Journal) (all []finding) {
	if g, err := j.Gauge(); err == nil {
		if g.Oldest > waitsLong {
			all = append(all, warn(mend("waiting"), "waiting", "count", fmt.Sprint(g.Waiting), "hours", fmt.Sprint(int(g.Oldest.Hours()))))
		}
		if g.Quota > 0 && g.Used*100/g.Quota >= quotaPercent {
			all = append(all, warn(mend("quota"), "quota", "percent", fmt.Sprint(g.Used*100/g.Quota)))
		}
	}
	if n, err := j.Cases(desk.Waits); err == nil && len(n) > 0 {
		all = append(all, warn(mend("desk"), "desk", "count", fmt.Sprint(len(n))))
	}
	if j.ClockUnsure() {
		all = append(all, warn(mend("clock-unsure"), "clock-unsure"))
	}
	if b, err := j.Meta(metaPaused); err == nil && len(b) > 0 {
		all = append(all, warn(mend("paused", "id", x.c.Terminal.ID), "paused"))
	}
	return all
}
