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

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// stockCard is the kind of blanks that a card dispenser holds.
const stockCard = journal.StockCard

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
	aside := "do not delete anything; copy " + filepath.Dir(path) + " away"
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	_, err = os.Stat(path + journal.SpillSuffix)
	spill := err == nil
	if fresh && !spill {
		return []finding{ok("no journal yet; the first start makes it")}
	}
	j, err := journal.Open(path, journalOptions(x.c))
	switch {
	case errors.Is(err, journal.ErrLocked):
		x.running = true
		return []finding{ok("journal is held by the running terminal; stop it to have the chains verified")}
	case errors.Is(err, journal.ErrKey):
		return []finding{bad("put the key that belongs to this journal back (kiosk key show says where it should lie); without it, kiosk outbox salvage", "journal: %v", err)}
	case errors.Is(err, journal.ErrDamaged) && strings.Contains(err.Error(), ": stock "):
		return []finding{bad(aside+", then kiosk outbox recover -c "+x.file+"; two people count hopper, bin and path, and kiosk stock count", "counted stock contradicts itself: %v", err)}
	case errors.Is(err, journal.ErrDamaged):
		return []finding{bad(aside+", then kiosk outbox recover -c "+x.file+", and call support about the disk", "journal: %v", err)}
	case err != nil:
		return []finding{bad(aside+" and call support", "journal: %v", err)}
	}
	defer j.Close()
	var all []finding
	if !spill {
		all = append(all, bad("find out who deleted it, and replace the disk if nobody did; a new one was begun now", "the journal's spill was missing: for that time there was one copy of the record"))
	}
	r, err := j.Verify(ctx)
	if err != nil {
		return append(all, bad("keep the file and call support", "journal: %v", err))
	}
	for _, p := range r.Problems {
		all = append(all, bad("keep the file and call support", "journal: %s", p))
	}
	if len(r.Problems) == 0 {
		all = append(all, ok("journal: %d cases, %d effects, %d records, chains whole", r.Cases, r.Effects, r.Records))
	}
	if r.Unsettled > 0 {
		all = append(all, warn("start the terminal: it asks the devices what became of them", "journal: %d effects without outcome", r.Unsettled))
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
		return []finding{bad("keep the data directory as it is and call support", "audit chain: %v", err)}
	}
	if n := len(r.Problems); n > 0 {
		return []finding{bad("keep the data directory as it is and call support; the platform's copy (platform audit verify) tells what is missing, kiosk doctor audit lists all",
			"audit chain: %d findings, the first: %s", n, r.Problems[0])}
	}
	return []finding{ok("audit chain whole: %d entries, %d signed heads", r.Entries, r.Heads)}
}

// checkStock looks at what is counted and keeps it for the comparison with the dispenser's own sensor.
func (x *checkup) checkStock(j *journal.Journal) (all []finding) {
	b, err := j.StockBalance(stockCard)
	if err != nil {
		return []finding{bad("keep the file and call support", "counted stock: %v", err)}
	}
	x.stock[stockCard] = stockSeen{b}
	if b.InDoubt > 0 {
		all = append(all, warn("two people look into hopper, path and bin; kiosk stock show lists them, kiosk stock resolve says where each is", "%d blank cards are in doubt", b.InDoubt))
	}
	if b.Retained > 0 {
		all = append(all, warn("empty the retain bin: kiosk stock resolve for each", "%d blank cards lie in the retain bin", b.Retained))
	}
	return all
}

// checkWaiting looks at what waits: for the platform, for a person, for room.
func (x *checkup) checkWaiting(j *journal.Journal) (all []finding) {
	if g, err := j.Gauge(); err == nil {
		if g.Oldest > waitsLong {
			all = append(all, warn("look at the line to the platform; where only files cross the gap, kiosk outbox export", "%d records wait for the platform, the oldest for %d hours", g.Waiting, int(g.Oldest.Hours())))
		}
		if g.Quota > 0 && g.Used*100/g.Quota >= quotaPercent {
			all = append(all, warn("look at the line to the platform: what it has acknowledged makes room", "the journal is %d %% full", g.Used*100/g.Quota))
		}
	}
	if n, err := j.Cases(func(c journal.Case) bool { return c.State.Desk() }); err == nil && len(n) > 0 {
		all = append(all, warn("kiosk desk list", "%d cases wait for a person's decision", len(n)))
	}
	if j.ClockUnsure() {
		all = append(all, warn("change the clock's battery; let the terminal reach its platform, which signs the time; at a site without a line set the clock, then kiosk clock confirm", "the machine's clock contradicts what was written before"))
	}
	if b, err := j.Meta(metaPaused); err == nil && len(b) > 0 {
		all = append(all, warn(fmt.Sprintf("platform send %s resume, by whoever closed it (platform orders %s)", x.c.Terminal.ID, x.c.Terminal.ID), "the terminal is closed by order of the platform's operator"))
	}
	return all
}
