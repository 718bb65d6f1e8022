// The step that prints a certificate: issue, keep, print at most once, and say honestly what became of it.

package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// Kinds of effects, which choose the settler at the next start.
const (
	kindDocument = "print-document"
	kindReceipt  = "print-receipt"
)

// printIntent is what stands in the journal before a document is printed.
type printIntent struct {
	Name   string `json:"name"` // the job's name at the printer
	Sheets int    `json:"sheets"`
	Number string `json:"number"` // of the certificate
	SHA256 string `json:"sha256"`
}

// issuedStep is what stands in the case once the document is held.
type issuedStep struct {
	Number string `json:"number"`
	Pages  int    `json:"pages"`
	SHA256 string `json:"sha256"`
	Verify string `json:"verify"`
}

// printStep has a document issued and prints it byte for byte. It is the commit point of its item.
type printStep struct {
	Settings `yaml:",inline"`
	Kind     string `yaml:"kind"`  // of the document, as the platform names it
	Title    Words  `yaml:"title"` // of the progress view
}

func (s *printStep) check() error {
	if !codeForm.MatchString(s.Kind) {
		return fmt.Errorf("kind %q, expected the platform's name of a document", s.Kind)
	}
	return s.Title.check("title", true)
}

// Ready: printer and platform must be there.
func (s *printStep) Ready(sc Scene) Text {
	if sc.ClockUnsure { // a certificate bears its date
		return T("svc.why.clock")
	}
	if why := hindered(sc, devices.RoleDocumentPrinter); !why.IsZero() {
		return why
	}
	return onlineWhy(sc)
}

// Run opens the case, has the document issued under the case's id, keeps it sealed, and prints it.
func (s *printStep) Run(ctx context.Context, j *Journey) error {
	if err := j.clearMouth(ctx); err != nil {
		return err
	}
	if why := s.Ready(j.e.scene(j.item)); !why.IsZero() {
		return &Referral{What: why, Means: T("svc.trouble.not-ready.means"), Do: T("svc.trouble.not-ready.do"), Code: "E-NOT-READY"}
	}
	if err := j.open(journal.Submitted, "", nil); err != nil {
		return err
	}
	j.beginStages(s.Title.Text())
	doc, err := s.issue(ctx, j)
	if err != nil {
		return err
	}
	if err := s.keep(j, doc); err != nil {
		return err
	}
	return s.print(ctx, j, doc)
}

// issue asks the platform. Asking again under the same key gives the same document, so what may pass is tried again.
func (s *printStep) issue(ctx context.Context, j *Journey) (Document, error) {
	j.stage("issue", StageRunning, Text{})
	j.show(Text{})
	var (
		doc Document
		err error
	)
	for try := 1; ; try++ {
		j.e.reached("issue.before")
		doc, err = await(ctx, j, j.e.t.Cancel, T("svc.wait.issue"), func(ctx context.Context) (Document, error) {
			return j.e.cfg.Platform.Issue(ctx, s.Kind, j.kase.ID, j.v.token, maps.Clone(j.answers))
		})
		if err == nil {
			err = whole(doc)
		}
		passing := errors.Is(err, ErrLinkDown) || errors.Is(err, ErrPlatformBusy) || errors.Is(err, ErrInProgress) ||
			errors.Is(err, ErrPlatform)
		if err == nil || !passing || try >= j.e.t.IssueTries || !pause(ctx, j.e.t.IssuePause) {
			break
		}
	}
	if err == nil {
		j.e.reached("issue.after")
		return doc, nil
	}
	j.stage("issue", StageFailed, Text{})
	switch {
	case errors.Is(err, errGivenUp):
		j.state(journal.Cancelled, "citizen")
		return doc, err
	case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut):
		j.state(journal.Abandoned, "left while waiting for the document")
		return doc, err
	case ctx.Err() != nil:
		j.state(journal.Cancelled, "stopped")
		return doc, ctx.Err()
	case errors.Is(err, ErrForged):
		j.state(journal.Manual, "document does not verify")
		j.e.audit(journal.EventDocumentForged, "system", map[string]string{"case": j.kase.ID})
	case errors.Is(err, ErrNoRecord), errors.Is(err, ErrRefused):
		j.state(journal.Rejected, "refused")
	default:
		j.state(journal.Cancelled, "not issued")
	}
	var r *Referral
	if errors.As(platformTrouble(err), &r) && (errors.Is(err, ErrForged) || errors.Is(err, ErrNoRecord) || errors.Is(err, ErrRefused)) {
		return doc, r
	}
	return doc, refer("not-issued", "E-NOT-ISSUED", err)
}

// whole checks once more what nothing may be printed without.
func whole(d Document) error {
	sum := sha256.Sum256(d.PDF)
	if len(d.PDF) == 0 || d.Pages < 1 || !strings.EqualFold(d.SHA256, hex.EncodeToString(sum[:])) {
		return fmt.Errorf("document %q: %w", d.Number, ErrForged)
	}
	return nil
}

// keep seals the document into the case, so that it can be printed after a power cut without the platform.
func (s *printStep) keep(j *Journey, doc Document) error {
	h, err := j.e.cfg.Journal.PutBlob(doc.PDF)
	if err == nil {
		err = j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
			if err := tx.KeepBlob(j.kase.ID, "document", h); err != nil {
				return err
			}
			if err := tx.RecordStep(j.kase.ID, "issue", issuedStep{doc.Number, doc.Pages, doc.SHA256, doc.Verify}); err != nil {
				return err
			}
			return tx.SetState(j.kase.ID, journal.Accepted, "issued")
		})
	}
	if err != nil {
		return fmt.Errorf("keep document: %w", err)
	}
	j.kase.State = journal.Accepted
	j.print = printed{number: doc.Number, verify: doc.Verify}
	j.stage("issue", StageDone, Text{})
	j.e.reached("keep.after")
	return nil
}

// print tries until the document is on paper, or certainly is not, or nobody can say. It goes on by itself only after
// nothing was sent, and once more after a person mended what stopped a print that the printer itself declared dead.
func (s *printStep) print(ctx context.Context, j *Journey, doc Document) error {
	var notSent, dead int
	for attempt := 1; ; attempt++ {
		if why := j.awaitReady(ctx, devices.RoleDocumentPrinter); why != devices.UnreadyNot {
			if j.kase.State != journal.PrintFailed {
				j.state(journal.Manual, "printer "+string(why))
			}
			return refer("printer", "E-PRINTER-"+strings.ToUpper(string(why)), nil)
		}
		res, err := s.attempt(ctx, j, doc, attempt)
		if err != nil {
			return err
		}
		switch res.Outcome {
		case devices.PrintConfirmed:
			j.stage("print", StageDone, Text{})
			j.show(Text{})
			return nil
		case devices.PrintNotSent:
			if notSent++; notSent < j.e.t.PrintTries && pause(ctx, j.e.t.IssuePause) {
				continue
			}
			j.stage("print", StageFailed, Text{})
			return refer("print-failed", "E-PRINT-NOT-SENT", errors.New(res.Detail))
		case devices.PrintFailed:
			if dead++; dead == 1 && mendable(res.Why) {
				j.hand(res)
				continue
			}
			j.stage("print", StageFailed, Text{})
			return refer("print-failed", "E-PRINT-FAILED", errors.New(res.Detail))
		default:
			j.stage("print", StageFailed, Text{})
			return refer("print-unknown", "E-PRINT-UNKNOWN", errors.New(res.Detail))
		}
	}
}

// attempt is one effect: intent, print, outcome.
func (s *printStep) attempt(ctx context.Context, j *Journey, doc Document, n int) (devices.PrintResult, error) {
	name := journal.EffectName{Case: j.kase.ID, Step: "print", Attempt: n}
	job := devices.DocumentJob{Name: name.String(), PDF: doc.PDF, Sheets: doc.Pages}
	var telling sync.Mutex // a driver may call from more than one goroutine
	job.Progress = func(sheets int) {
		telling.Lock()
		defer telling.Unlock()
		j.stage("print", StageRunning, T("svc.stage.sheets", "done", strconv.Itoa(sheets), "of", strconv.Itoa(doc.Pages)))
		j.percent("print", sheets, doc.Pages)
		j.show(Text{})
	}
	job.Hindered = func(why devices.Unready) {
		telling.Lock()
		defer telling.Unlock()
		j.show(deviceWait(why))
	}
	j.stage("print", StageRunning, Text{})
	j.percent("print", 0, doc.Pages)
	j.show(Text{})
	ctx, stop := graceful(ctx, j.e.t.Print, j.e.t.Grace)
	defer stop()
	var res devices.PrintResult
	_, err := j.e.cfg.Journal.Do(ctx, journal.Intent{
		EffectName: name, Kind: kindDocument, Case: journal.Printing,
		Body: printIntent{job.Name, doc.Pages, doc.Number, doc.SHA256},
	}, func(ctx context.Context, note func(k, v string) error) journal.Outcome {
		job.Note = note
		res = j.e.printDocument(ctx, job)
		j.e.reached("print.acted")
		out := documentOutcome(res, doc.Number)
		out.Also = used(journal.StockSheet, doc.Pages, res)
		return out
	})
	if err != nil {
		return res, fmt.Errorf("print document: %w", err)
	}
	j.kase.State = stateAfter(res.Outcome)
	return res, nil
}

// printDocument uses the printer for one job. Whatever keeps it from being used is a job of which nothing was sent.
func (e *Engine) printDocument(ctx context.Context, job devices.DocumentJob) devices.PrintResult {
	dev, release, err := e.cfg.Devices.Use(devices.RoleDocumentPrinter)
	if err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Sheets: 0, Why: devices.UnreadyNoDevice, Detail: err.Error()}
	}
	defer release()
	p, ok := dev.(devices.DocumentPrinter)
	if !ok {
		// A slip printer in the certificate printer's role (domain.md F33).
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyFraud, Detail: "device prints no documents"}
	}
	return p.Print(ctx, job)
}

// used counts the paper of a print, together with its outcome. What certainly was not sent used none; a ledger that does not
// take it is no reason to lose the outcome.
func used(kind string, pieces int, res devices.PrintResult) func(*journal.Tx) error {
	count := func(tx *journal.Tx) error { return nil }
	switch res.Outcome {
	case devices.PrintConfirmed:
		count = func(tx *journal.Tx) error { return tx.UseStock(kind, min(pieces, maxPieces), "taken") }
	case devices.PrintUnknown:
		count = func(tx *journal.Tx) error { return tx.UseStock(kind, min(pieces, maxPieces), "in-doubt") }
	case devices.PrintFailed:
		count = func(tx *journal.Tx) error { return tx.UseStock(kind, min(max(0, res.Sheets), maxPieces), "spoiled") }
	default:
		return nil
	}
	return func(tx *journal.Tx) error {
		err := count(tx)
		if errors.Is(err, journal.ErrStock) || errors.Is(err, journal.ErrDamaged) {
			return nil
		}
		return err
	}
}

// maxPieces bounds what one print is believed to have used, whatever a printer counts.
const maxPieces = 1000

// documentOutcome says what the journal keeps of a print.
func documentOutcome(res devices.PrintResult, number string) journal.Outcome {
	out := journal.Outcome{Detail: ascii(res.Detail), Case: stateAfter(res.Outcome), Why: string(res.Outcome)}
	if res.Why != devices.UnreadyNot {
		out.Why += " " + string(res.Why)
	}
	switch res.Outcome {
	case devices.PrintConfirmed:
		out.State, out.Number = journal.EffectDone, number
	case devices.PrintFailed:
		out.State = journal.EffectFailed
	case devices.PrintNotSent:
		out.State = journal.EffectNotSent
	default:
		out.State = journal.EffectUnknown
	}
	return out
}

func stateAfter(o devices.PrintOutcome) journal.State {
	switch o {
	case devices.PrintConfirmed:
		return journal.Printed
	case devices.PrintFailed, devices.PrintNotSent:
		return journal.PrintFailed
	}
	return journal.PrintUnknown
}

// mendable tells whether a person standing at the printer can remove the reason.
func mendable(why devices.Unready) bool {
	switch why {
	case devices.UnreadyPaperOut, devices.UnreadyJammed, devices.UnreadyCoverOpen, devices.UnreadyTonerOut:
		return true
	}
	return false
}

// hand reports what a print saw, so that the printer is not believed ready until it was probed again.
func (j *Journey) hand(res devices.PrintResult) {
	st := j.e.cfg.Devices.Status(devices.RoleDocumentPrinter)
	switch res.Why {
	case devices.UnreadyPaperOut:
		st.Paper = devices.SupplyOut
	case devices.UnreadyJammed:
		st.Paper = devices.SupplyJammed
	case devices.UnreadyCoverOpen:
		st.Cover = devices.CoverOpen
	case devices.UnreadyTonerOut:
		st.Toner = devices.SupplyOut
	}
	st.Since = j.e.now()
	j.e.cfg.Devices.Report(st)
}

// awaitReady waits for a printer that a person may be refilling, and tells the citizen so. It returns what still keeps it
// from working.
func (j *Journey) awaitReady(ctx context.Context, role devices.Role) devices.Unready {
	limit := time.NewTimer(j.e.t.Paper)
	defer limit.Stop()
	told := devices.UnreadyNot
	for {
		changed := j.e.cfg.Devices.Changed()
		why := j.e.cfg.Devices.Status(role).Unready()
		switch {
		case why == devices.UnreadyNot:
			return why
		case why == devices.UnreadyFraud:
			return why
		case why != told:
			told = why
			j.show(roleWait(role, why))
		}
		select {
		case <-changed:
		case <-limit.C:
			return why
		case <-ctx.Done():
			return why
		}
	}
}

// roleWait tells a waiting citizen what a device of a role needs.
func roleWait(role devices.Role, why devices.Unready) Text {
	if role == devices.RoleCardPrinter || role == devices.RoleCardCheck {
		return deviceWhy(role, why)
	}
	return deviceWait(why)
}

// deviceWait tells a waiting citizen what the printer needs.
func deviceWait(why devices.Unready) Text {
	switch why {
	case devices.UnreadyNot:
		return Text{}
	case devices.UnreadyPaperOut, devices.UnreadyJammed, devices.UnreadyCoverOpen, devices.UnreadyTonerOut:
		return T("svc.progress." + string(why))
	}
	return T("svc.progress.printer")
}

// graceful bounds what was begun by limit, and by grace once the program is told to stop: a print is not cut off at once.
func graceful(ctx context.Context, limit, grace time.Duration) (context.Context, func()) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		pause(out, grace)
		cancel()
	})
	return out, func() {
		stop()
		cancel()
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ascii keeps a technician's detail within what the journal takes.
func ascii(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}
