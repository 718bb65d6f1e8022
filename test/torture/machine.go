package main

// A machine: the real journal on real files, the real uplink, and a driver that does what the engine does for a citizen.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// machine is one terminal, or a clone of one.
type machine struct {
	w      *worker
	name   string
	s      start
	j      *journal.Journal
	client *uplink.Client
	link   *uplink.Uplink
	clock  atomic.Int64
	calm   atomic.Bool
	paused atomic.Bool
	busy   sync.Mutex // held while a citizen is served
	epoch  uint32     // in which the places of what waits were last told
	boot   string
	end    context.CancelFunc
	parts  sync.WaitGroup
}

// begin starts a machine, or says why it cannot.
func (w *worker) begin(name string, s start) *machine {
	m := &machine{w: w, name: name, s: s, boot: uuid.NewString()[:8]}
	m.clock.Store(int64(s.Clock))
	m.calm.Store(s.Calm)
	if err := m.open(); err != nil {
		word := "unstarted"
		if errors.Is(err, journal.ErrDamaged) {
			word = "damaged"
		}
		w.say(word, name, oneWord(err))
		return nil
	}
	ctx, cancel := context.WithCancel(w.ctx)
	m.end = cancel
	m.moved()
	m.parts.Go(func() { m.tellMoves(ctx) })
	if err := m.settle(ctx); err != nil && !errors.Is(err, context.Canceled) {
		w.say("trouble", name, oneWord(err))
	}
	m.parts.Go(func() { m.drive(ctx) })
	m.parts.Go(func() {
		select {
		case <-time.After(s.Offline):
		case <-ctx.Done():
			return
		}
		if err := m.link.Run(ctx); err != nil {
			w.say("trouble", name, oneWord(err))
		}
	})
	w.say("up", name)
	return m
}

// recover makes a stopped machine's journal anew from its spill, as a technician does.
func (w *worker) recover(name string, s start) {
	r, err := journal.Recover(w.ctx, filepath.Join(s.Dir, "journal.db"), s.journal(nil))
	if err != nil {
		w.say("unrecoverable", name, oneWord(err))
		return
	}
	w.say("recovered", name, r.Whole, r.Epoch, r.Waiting, r.Cases)
}

// journal is how the machine's journal is opened.
func (s start) journal(now func() time.Time) journal.Options {
	return journal.Options{Terminal: s.Terminal, No: s.No, KeyFile: filepath.Join(s.Dir, "journal.key"), Now: now}
}

// keeps says which records are in the journal, acknowledged or not, of this epoch or an earlier one.
func (m *machine) keeps() {
	var ids []string
	lanes, err := m.j.Lanes()
	if err != nil {
		m.w.say("trouble", m.name, oneWord(err))
	}
	for _, l := range lanes {
		if l.Lane != wire.LanePay && l.Lane != wire.LaneTx {
			continue
		}
		for epoch := uint32(1); epoch <= l.Epoch; epoch++ {
			for from := uint64(1); ; {
				some, _, err := m.j.Range(epoch, l.Lane, from, 1<<40, 1000, 8<<20)
				if err != nil && !errors.Is(err, journal.ErrNotFound) {
					m.w.say("trouble", m.name, oneWord(err))
				}
				if len(some) == 0 {
					break
				}
				for _, r := range some {
					ids = append(ids, r.ID)
				}
				from = some[len(some)-1].Seq + 1
			}
		}
	}
	m.w.say("keeps", m.name, strings.Join(ids, ","))
}

func (m *machine) now() time.Time { return time.Now().Add(time.Duration(m.clock.Load())) }

func (m *machine) open() (err error) {
	path := filepath.Join(m.s.Dir, "journal.db")
	if err := os.MkdirAll(m.s.Dir, 0o700); err != nil {
		return err
	}
	if _, err = os.Stat(path); !m.s.Fresh && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: it is gone", journal.ErrDamaged)
	}
	if m.j, err = journal.Open(path, m.s.journal(m.now)); err != nil {
		return err
	}
	id, err := uplink.LoadIdentity(m.s.Identity, m.s.Terminal)
	if err == nil {
		m.client, err = uplink.NewClient(m.s.URL, m.s.CA, id)
	}
	if err != nil {
		return errors.Join(err, m.j.Close())
	}
	m.client.UseClock(m.now)
	m.link = uplink.New(uplink.Options{Client: m.client, Journal: m.j, Site: "torture", Name: m.s.No, Software: m.s.Software,
		Code: func() (string, error) { return m.s.Code, nil }, Log: slog.New(says{m}),
		Beat: 2 * time.Second, Base: 200 * time.Millisecond, Cap: 3 * time.Second, PullWait: 20 * time.Second})
	return nil
}

// stop ends a machine in good order.
func (m *machine) stop() {
	m.end()
	m.parts.Wait()
	m.client.Close()
	lanes, err := m.j.Lanes()
	if err == nil {
		err = m.j.Close()
	}
	if err != nil {
		m.w.say("trouble", m.name, oneWord(err))
	}
	m.w.say("down", m.name, summary(lanes))
}

// summary is "epoch acked waiting", the acknowledged and waiting records counted over all lanes.
func summary(lanes []journal.LaneStatus) string {
	var epoch uint32
	var acked, waiting uint64
	for _, l := range lanes {
		epoch, acked, waiting = l.Epoch, acked+l.Acked, waiting+l.Waiting
	}
	return fmt.Sprint(epoch, " ", acked, " ", waiting)
}

// report says what waits.
func (m *machine) report() {
	lanes, err := m.j.Lanes()
	if err != nil {
		m.w.say("trouble", m.name, oneWord(err))
		return
	}
	blobs, err := m.j.PendingBlobs()
	if err != nil {
		m.w.say("trouble", m.name, oneWord(err))
		return
	}
	m.w.say("waits", m.name, summary(lanes), len(blobs), m.link.State())
}

func (m *machine) verify() {
	r, err := m.j.Verify(m.w.ctx)
	if err != nil {
		r.Problems = append(r.Problems, oneWord(err))
	}
	for _, p := range r.Problems {
		m.w.say("problem", m.name, oneWord(errors.New(p)))
	}
	if r.Unsettled > 0 {
		m.unsettled()
	}
	m.w.say("verified", m.name, r.Records, r.Unsettled, len(r.Problems))
}

// unsettled shows the effects without outcome and what the world says of them.
func (m *machine) unsettled() {
	cases, err := m.j.Cases(nil)
	if err != nil {
		m.w.say("trouble", m.name, oneWord(err))
	}
	for _, c := range cases {
		effects, err := m.j.Effects(c.ID)
		if err != nil {
			m.w.say("trouble", m.name, oneWord(err))
		}
		for _, e := range effects {
			if e.State == journal.EffectIntended {
				m.w.say("trouble", m.name, fmt.Sprintf("%s_of_%s_case_%s_since_%s_notes_%v_acted_%v", e.EffectName, c.Item, c.State, e.Intended.Format(time.TimeOnly), e.Notes, m.acted(e.EffectName.String())))
			}
		}
	}
}

// world is what the printer and the till really did: a file that survives every crash of the terminal.
func (m *machine) act(effect string) error {
	f, err := os.OpenFile(m.s.World, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, effect)
	return errors.Join(err, f.Close())
}

// acted asks the world.
func (m *machine) acted(effect string) bool {
	f, err := os.Open(m.s.World)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if lines.Text() == effect {
			return true
		}
	}
	return false
}

func (m *machine) settle(ctx context.Context) error {
	all, err := m.j.Settle(ctx, map[string]journal.Settler{"print-document": func(_ context.Context, e journal.Effect) journal.Outcome {
		if m.acted(e.EffectName.String()) {
			return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
		}
		return journal.Outcome{State: journal.EffectNotSent, Case: journal.PrintFailed}
	}})
	for _, s := range all {
		if s.Outcome == journal.EffectDone {
			m.w.say("did", m.name, s.Effect.EffectName, m.places(s.Effect.Case))
		}
	}
	return err
}

// pause keeps citizens away for a while; it is answered once nobody is being served.
func (m *machine) pause(is bool) {
	m.paused.Store(is)
	m.busy.Lock()
	defer m.busy.Unlock()
	m.w.say("paused", m.name, is)
}

// places says where the records of a case lie in the lanes that carry it: "id@lane/epoch/seq" with commas between, "-" for nowhere.
func (m *machine) places(caseID string) string {
	lanes, err := m.j.Lanes()
	if err != nil {
		return "-"
	}
	var all []string
	for _, l := range lanes {
		if l.Lane != wire.LanePay && l.Lane != wire.LaneTx {
			continue
		}
		from := uint64(1)
		if l.Head > 60 {
			from = l.Head - 60
		}
		some, _, err := m.j.Range(l.Epoch, l.Lane, from, l.Head, 100, 1<<20)
		if err != nil {
			continue
		}
		for _, r := range some {
			if r.Case == caseID {
				all = append(all, place(r.Header))
			}
		}
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ",")
}

func place(h wire.Header) string { return fmt.Sprintf("%s@%s/%d/%d", h.ID, h.Lane, h.Epoch, h.Seq) }

// tellMoves says where records lie that a new epoch took along.
func (m *machine) tellMoves(ctx context.Context) {
	for {
		changed := m.j.Changed()
		m.moved()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (m *machine) moved() {
	lanes, err := m.j.Lanes()
	if err != nil || lanes[0].Epoch == m.epoch {
		return
	}
	var all []string
	for _, lane := range []wire.Lane{wire.LanePay, wire.LaneTx} {
		some, err := m.j.Pending(lane, 2000, 8<<20)
		if err != nil {
			return
		}
		for _, r := range some {
			all = append(all, place(r.Header))
		}
	}
	m.epoch = lanes[0].Epoch
	if len(all) > 0 {
		m.w.say("moved", m.name, strings.Join(all, ","))
	}
}

// drive serves one citizen after the other.
func (m *machine) drive(ctx context.Context) {
	for n := 1; ; n++ {
		pause := time.Duration((0.5 + rand.Float64()) * float64(m.s.Every))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		m.busy.Lock()
		if !m.calm.Load() && !m.paused.Load() {
			m.serve(ctx, fmt.Sprintf("%s.%s.%d", m.name, m.boot, n))
		}
		m.busy.Unlock()
	}
}

// serve is one visit: the commit point with a payment, a print, the end. Each is promised only when its change is on disk.
func (m *machine) serve(ctx context.Context, visit string) {
	amount := 1 + rand.IntN(9999)
	var ink wire.Hash
	withInk := rand.IntN(8) == 0
	m.w.say("try", m.name, visit, amount)
	if withInk {
		var err error
		if ink, err = m.j.PutBlob([]byte("ink of " + visit)); err != nil {
			m.refused(visit, err)
			return
		}
	}
	var c journal.Case
	err := m.j.Update(func(tx *journal.Tx) (err error) {
		if c, err = tx.OpenCase(journal.NewCase{Item: visit, Schema: 1, Details: map[string]string{"phone": "13800000001"}}); err != nil {
			return err
		}
		if withInk {
			if err := errors.Join(tx.KeepBlob(c.ID, "ink", ink), tx.UploadBlob(c.ID, ink)); err != nil {
				return err
			}
			if _, err := tx.Emit(wire.LaneTx, c.ID, wire.TypeHotline, 1, wire.Hotline{LocalNo: c.ReceiptCode, Category: "road", Ink: ink, At: m.now()}); err != nil {
				return err
			}
		}
		if m.s.Old {
			_, err = tx.Emit(wire.LanePay, c.ID, "till.legacy", 0, map[string]any{"visit": visit, "fen": amount})
		} else {
			_, err = tx.Emit(wire.LanePay, c.ID, wire.TypeEffect, 1, wire.EffectOutcome{Effect: c.ID + "/pay/0001", Kind: "pay",
				State: string(journal.EffectDone), Detail: visit, Number: strconv.Itoa(amount), At: m.now()})
		}
		return err
	})
	if err != nil {
		m.refused(visit, err)
		return
	}
	m.w.say("paid", m.name, visit, c.ID, c.ReceiptCode, amount, m.places(c.ID))
	if withInk {
		m.w.say("inked", m.name, visit, ink)
	}
	name := journal.EffectName{Case: c.ID, Step: "print", Attempt: 1}
	e, err := m.j.Do(ctx, journal.Intent{EffectName: name, Kind: "print-document", Case: journal.Printing},
		func(_ context.Context, note func(k, v string) error) journal.Outcome {
			if err := note("job", visit); err != nil {
				return journal.Outcome{State: journal.EffectNotSent, Case: journal.PrintFailed}
			}
			if err := m.act(name.String()); err != nil {
				return journal.Outcome{State: journal.EffectUnknown, Case: journal.PrintUnknown}
			}
			return journal.Outcome{State: journal.EffectDone, Case: journal.Printed}
		})
	m.look(err)
	if err != nil {
		m.w.say("log", m.name, visit, oneWord(err))
	}
	if err != nil || e.State != journal.EffectDone {
		return
	}
	m.w.say("did", m.name, name, m.places(c.ID))
	err = m.j.Update(func(tx *journal.Tx) error {
		if err := tx.SetState(c.ID, journal.Delivered, ""); err != nil {
			return err
		}
		_, err := tx.Emit(wire.LaneTx, c.ID, wire.TypeRating, 1, wire.Rating{Item: visit, Version: "1", Level: "5", At: m.now()})
		return errors.Join(err, tx.SetState(c.ID, journal.Closed, ""))
	})
	m.look(err)
	if err == nil {
		m.w.say("closed", m.name, c.ID, m.places(c.ID))
	}
}

// look tells when the journal takes nothing any more until it is opened again, which a terminal's watchdog sees to.
func (m *machine) look(err error) {
	if errors.Is(err, journal.ErrDisk) {
		m.w.say("failed", m.name)
	}
}

// refused tells that a citizen was sent away, when that is certain. After an I/O error nobody knows whether the change is on
// disk, and the screen says that.
func (m *machine) refused(visit string, err error) {
	m.look(err)
	if errors.Is(err, syscall.EIO) || errors.Is(err, journal.ErrDisk) {
		m.w.say("unsure", m.name, visit)
		return
	}
	m.w.say("refused", m.name, visit, oneWord(err))
}

// says carries the uplink's alarms to the parent.
type says struct{ m *machine }

func (s says) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (s says) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s", a); return true })
	s.m.w.say("log", s.m.name, oneWord(errors.New(b.String())))
	return nil
}
func (s says) WithAttrs([]slog.Attr) slog.Handler { return s }
func (s says) WithGroup(string) slog.Handler      { return s }
