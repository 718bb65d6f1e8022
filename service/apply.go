// The steps that get a card allowed: the question whether it may be had, the application, and the wait for a decision.

package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/slip"
	"github.com/budayang/kiosk/sync/journal"
)

// Limits of what is sent with an application.
const (
	maxApplicationPhoto = 64 << 10
	maxApplicationInk   = 64 << 10
)

// Answers that the steps of a card keep beside what forms ask.
const (
	answerVoucher = "voucher"
	answerChild   = "child"
)

var voucherForm = regexp.MustCompile(`^[0-9]{22}$`)

// chanceStep asks the office whether the person may have the card. What is refused is told with its reason and what to do; an
// application that is under way goes on where it stands.
type chanceStep struct {
	Settings `yaml:",inline"`
	Kind     string `yaml:"kind"`     // of the card, as the office names it
	Guardian bool   `yaml:"guardian"` // a guardian may apply for a child
	Title    Words  `yaml:"title"`
}

func (s *chanceStep) check() error {
	if !codeForm.MatchString(s.Kind) {
		return fmt.Errorf("kind %q, expected the office's name of a card", s.Kind)
	}
	return s.Title.check("title", true)
}

// Ready: the office must be there.
func (s *chanceStep) Ready(sc Scene) Text {
	if !sc.Office {
		return T("svc.why.no-office")
	}
	return onlineWhy(sc)
}

// Run asks, with the voucher's number where the office wants it.
func (s *chanceStep) Run(ctx context.Context, j *Journey) error {
	q := ChanceQuery{Kind: s.Kind, Visit: j.v.id, Token: j.v.token, Voucher: j.v.voucher}
	if s.Guardian {
		child, err := s.forWhom(ctx, j)
		if err != nil {
			return err
		}
		if q.Child = child; child != "" {
			q.Voucher = "" // the guardian's own
		}
	}
	for {
		c, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.chance"), func(ctx context.Context) (Chance, error) { return j.e.cfg.Office.Chance(ctx, q) })
		if err != nil {
			return platformTrouble(err)
		}
		switch {
		case c.Existing != nil:
			return j.resume(ctx, *c.Existing)
		case c.Refused == refusedNoVoucher && q.Voucher == "":
			if q.Voucher, err = s.voucher(ctx, j); err != nil {
				return err
			}
			continue
		case c.Refused != "":
			r := refer("card-refused", "E-CARD-REFUSED", nil)
			for _, t := range []struct {
				at   *Text
				said Text
			}{{&r.What, c.Why}, {&r.Do, c.Next}} {
				if !t.said.IsZero() {
					*t.at = t.said
				}
			}
			if c.Window {
				r.Window = c.Refused
			}
			return r
		}
		j.chance, j.last4 = c, holderLast4(j.v.voucher, q, c)
		if j.answers[answerVoucher] = c.Voucher; c.Voucher == "" {
			j.answers[answerVoucher] = q.Voucher
		}
		return nil
	}
}

// holderLast4 is the end of the number of somebody who is known by a voucher alone, as the office shows it to them: whoever comes back for
// the case is asked for it by the platform. A guardian's is not among what stands on the child's card.
func holderLast4(voucher string, q ChanceQuery, c Chance) string {
	if voucher == "" || q.Child != "" {
		return ""
	}
	for _, r := range c.Rows {
		if r.Private && idnum.CheckAny(r.Plain) == nil {
			return idnum.Last4(r.Plain)
		}
	}
	return ""
}

// forWhom asks whether somebody applies for themselves or for a child, and for which.
func (s *chanceStep) forWhom(ctx context.Context, j *Journey) (string, error) {
	delete(j.answers, answerChild)
	opts := []Option{
		{ID: "self", Label: T("svc.card.for-self"), Detail: T("svc.card.for-self.detail")},
		{ID: "child", Label: T("svc.card.for-child"), Detail: T("svc.card.for-child.detail")},
	}
	pick, err := ask[Chosen](ctx, j, Choose{Page: j.page(), Title: s.Title.Text(), Options: opts})
	if err != nil || pick.ID == "self" {
		return "", err
	}
	number, err := j.askNumber(ctx, T("svc.card.child.title"), T("svc.card.child.hint"), T("svc.card.child.label"))
	if err == nil {
		j.answers[answerChild] = number
	}
	return number, err
}

// askNumber asks for an identity number until it can be one.
func (j *Journey) askNumber(ctx context.Context, title, hint, label Text) (string, error) {
	f := Field{ID: "number", Kind: FieldIDNumber, Label: label, Required: true, Max: 18, Private: true}
	for {
		a, err := ask[Filled](ctx, j, Form{Page: j.page(), Title: title, Hint: hint, Fields: []Field{f}})
		if err != nil {
			return "", err
		}
		if f.Value = a.Values[f.ID]; idnum.CheckAny(f.Value) == nil {
			return f.Value, nil
		}
		f.Problem = T("svc.field.id-number")
	}
}

// voucher asks for the number on the 领取凭证: typed, or shown to the scanner.
func (s *chanceStep) voucher(ctx context.Context, j *Journey) (string, error) {
	f := Field{ID: answerVoucher, Kind: FieldDigits, Label: T("svc.card.voucher.label"), Required: true, Max: 22}
	hint := T("svc.card.voucher.hint")
	if j.e.canScan() {
		hint = T("svc.card.voucher.hint-scan")
	}
	for {
		askCtx, came := context.WithCancelCause(ctx)
		var scanning sync.WaitGroup
		shown := ""
		scanning.Go(func() {
			if shown = j.scanVoucher(askCtx); shown != "" {
				came(errShown)
			}
		})
		a, err := ask[Filled](askCtx, j, Form{Page: j.page(), Title: T("svc.card.voucher.title"), Hint: hint, Fields: []Field{f}})
		came(nil)
		scanning.Wait()
		switch {
		case errors.Is(err, errShown):
			return shown, nil
		case err != nil:
			return "", err
		}
		if f.Value = a.Values[f.ID]; voucherForm.MatchString(f.Value) {
			return f.Value, nil
		}
		f.Problem = T("svc.field.voucher")
	}
}

// rows show what will stand on the card; it cannot be changed here.
func (s *chanceStep) rows(j *Journey) []Row {
	rows := slices.Clone(j.chance.Rows)
	if j.chance.Phone != "" {
		rows = append(rows, Row{Label: T("svc.card.phone"), Plain: j.chance.Phone}) // masked
	}
	if child := j.answers[answerChild]; child != "" {
		rows = append(rows, Row{Label: T("svc.card.child.label"), Plain: child, Masked: idnum.Mask(child), Private: true})
	}
	return rows
}

// resume lets the application that the person has already go on here.
func (j *Journey) resume(ctx context.Context, st Standing) error {
	switch st.State {
	case StandingIssued:
		return refer("card-issued", "E-CARD-ISSUED", nil)
	case StandingDoubt:
		return refer("card-doubt", "E-CARD-DOUBT", nil)
	}
	r, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.resume"), func(ctx context.Context) (Resumed, error) {
		// What is written here must be known there first, or the platform would set the case back to what it knows.
		for {
			if acked, err := j.e.cfg.Journal.CaseAcked(st.Key); err != nil || acked {
				break // a case that is not here is nobody's to wait for
			}
			if !pause(ctx, lookAgain) {
				return Resumed{}, ErrInProgress
			}
		}
		return j.e.cfg.Office.Resume(ctx, st.Receipt, j.v.token)
	})
	if errors.Is(err, ErrVouched) {
		j.v.token = Token{} // the next try asks for another proof
		return refer("same-staff", "E-VOUCHED", err)
	}
	if err != nil {
		return platformTrouble(err)
	}
	var c journal.Case
	err = j.e.cfg.Journal.Update(func(tx *journal.Tx) (err error) { c, err = r.Adopt(tx); return err })
	switch {
	case errors.Is(err, journal.ErrFull):
		return refer("full", "E-FULL", err)
	case err != nil:
		return fmt.Errorf("resume case: %w", err)
	case c.Item != j.item.Code:
		return refer("card-elsewhere", "E-CARD-OTHER", nil)
	}
	j.kase, j.opened, j.skipTo = c, true, "decision"
	switch {
	case c.State.Final():
		return refer("card-over", "E-CARD-OVER", nil)
	case slices.Contains(resumable, c.State):
		return nil
	}
	return refer("card-desk", "E-CARD-DESK", nil)
}

// resumable are the states from which a case of a card goes on by itself.
var resumable = []journal.State{
	journal.Accepted, journal.AuditWait, journal.Approved, journal.Reserved, journal.BillCreated, journal.PayPending, journal.PayUnknown,
	journal.Paid, journal.ReissueDue,
}

// applyStep applies for the card. It is the commit point: what was asked leaves the terminal under the case's id.
type applyStep struct {
	Settings `yaml:",inline"`
	Kind     string `yaml:"kind"`
	Title    Words  `yaml:"title"` // of the progress view
	Phone    string `yaml:"phone"` // id of the form's field; empty there: the registered one
}

func (s *applyStep) check() error {
	if !codeForm.MatchString(s.Kind) {
		return fmt.Errorf("kind %q, expected the office's name of a card", s.Kind)
	}
	return s.Title.check("title", true)
}

// Ready: the office must be there.
func (s *applyStep) Ready(sc Scene) Text {
	if !sc.Office {
		return T("svc.why.no-office")
	}
	return onlineWhy(sc)
}

// Run opens the case and applies under its id. Asking again under the same id is the same application, so what may pass is tried
// again. Photo and signature are in memory only and are wiped once the office has them.
func (s *applyStep) Run(ctx context.Context, j *Journey) error {
	if j.opened {
		return nil
	}
	if len(j.ink) > maxApplicationInk || len(j.shot.jpeg) > maxApplicationPhoto {
		return fmt.Errorf("application: signature of %d bytes, photo of %d: more than the office takes", len(j.ink), len(j.shot.jpeg))
	}
	if err := j.clearMouth(ctx); err != nil {
		return err
	}
	if err := j.open(journal.Submitted, "", nil); err != nil {
		return err
	}
	defer j.wipePictures()
	j.beginStages(s.Title.Text())
	j.stage("apply", StageRunning, Text{})
	j.show(Text{})
	a := Application{Key: j.kase.ID, Kind: s.Kind, Token: j.v.token, Child: j.answers[answerChild], Voucher: j.answers[answerVoucher],
		Receipt: j.kase.ReceiptCode, Phone: j.answers[s.Phone], Photo: j.shot.jpeg, Profile: j.shot.profile, Checks: j.shot.checks,
		Signature: j.ink, FaceAgreed: !j.v.faceAgreed.IsZero()}
	a.Form = formHash(a)
	var (
		st  Standing
		err error
	)
	for try := 1; ; try++ {
		j.e.reached("apply.before")
		st, err = await(ctx, j, j.e.t.Cancel, T("svc.wait.apply"), func(ctx context.Context) (Standing, error) { return j.e.cfg.Office.Apply(ctx, a) })
		passing := errors.Is(err, ErrLinkDown) || errors.Is(err, ErrPlatformBusy) || errors.Is(err, ErrInProgress) || errors.Is(err, ErrPlatform)
		if err == nil || !passing || try >= j.e.t.IssueTries || !pause(ctx, j.e.t.IssuePause) {
			break
		}
	}
	if err != nil {
		return s.failed(ctx, j, err)
	}
	j.e.reached("apply.after")
	err = j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		if err := tx.RecordStep(j.kase.ID, "apply", map[string]string{"number": st.Number}); err != nil {
			return err
		}
		if err := tx.SetState(j.kase.ID, journal.Accepted, "application "+ascii(st.Number)); err != nil {
			return err
		}
		return tx.SetState(j.kase.ID, journal.AuditWait, "an official looks at it")
	})
	if err != nil {
		return fmt.Errorf("keep application: %w", err)
	}
	j.kase.State, j.print.number, j.print.label = journal.AuditWait, st.Number, T("svc.row.application")
	j.stage("apply", StageDone, Text{})
	j.show(Text{})
	return nil
}

func (s *applyStep) failed(ctx context.Context, j *Journey, err error) error {
	j.stage("apply", StageFailed, Text{})
	switch {
	case errors.Is(err, errGivenUp):
		j.state(journal.Cancelled, "citizen")
		return err
	case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut):
		j.state(journal.Abandoned, "left while applying")
		return err
	case ctx.Err() != nil:
		j.state(journal.Cancelled, "stopped")
		return ctx.Err()
	case errors.Is(err, ErrNoRecord), errors.Is(err, ErrRefused):
		j.state(journal.Rejected, "refused")
		return platformTrouble(err)
	}
	j.state(journal.Cancelled, "not applied")
	return refer("not-applied", "E-NOT-APPLIED", err)
}

// formHash is the hash of what was signed.
func formHash(a Application) [32]byte {
	photo := sha256.Sum256(a.Photo)
	return sha256.Sum256(fmt.Appendf(nil, "budayang-card-form-v1\n%s\n%s\n%q\n%q\n%q\n%s\n%x\n%t\n", a.Key, a.Kind, a.Voucher, a.Child, a.Phone, a.Receipt, photo, a.FaceAgreed))
}

// decisionStep waits until an official has decided. Whoever does not want to wait leaves with the receipt code and goes on
// later, here or at another terminal.
type decisionStep struct {
	Settings `yaml:",inline"`
	Title    Words `yaml:"title"`
	Hint     Words `yaml:"hint"`
}

func (s *decisionStep) check() error {
	if err := s.Hint.check("hint", true); err != nil {
		return err
	}
	return s.Title.check("title", true)
}

// Ready: the office must be there.
func (s *decisionStep) Ready(sc Scene) Text {
	if !sc.Office {
		return T("svc.why.no-office")
	}
	return onlineWhy(sc)
}

// Run waits. A case that was decided is not waited for.
func (s *decisionStep) Run(ctx context.Context, j *Journey) error {
	printed := j.resumedHere()
	for j.kase.State == journal.Accepted || j.kase.State == journal.AuditWait {
		st, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.decision"), func(ctx context.Context) (Standing, error) {
			return j.e.cfg.Office.Standing(ctx, j.kase.ID)
		})
		switch {
		case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut), errors.Is(err, errGivenUp), ctx.Err() != nil:
			return err
		case err != nil:
			st = Standing{State: StandingWaiting} // nobody knows; it is asked again
		}
		if j.print.number == "" {
			j.print.number, j.print.label = st.Number, T("svc.row.application")
		}
		if st.State != StandingWaiting {
			return s.decided(j, st)
		}
		print := !printed
		printed = true
		switch err := s.wait(ctx, j, st, print); {
		case errors.Is(err, errNoSlip):
			if err := j.slipMissing(ctx); err != nil {
				return err
			}
			if j.gone != nil {
				return j.gone
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// errNoSlip: the slip to come back with is not on paper.
var errNoSlip = errors.New("slip was not printed")

// resumedHere: somebody who comes back has the slip already.
func (j *Journey) resumedHere() bool { return j.skipped }

// wait shows that an official looks, until something changes. The slip to come back with is printed meanwhile.
func (s *decisionStep) wait(ctx context.Context, j *Journey, st Standing, print bool) error {
	askCtx, came := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		for askCtx.Err() == nil {
			asked := time.Now()
			now, err := j.e.cfg.Office.StandingAfter(askCtx, j.kase.ID, StandingWaiting, j.e.t.Held)
			if err == nil && now.State != StandingWaiting {
				came(errCame)
				return
			}
			j.e.unhurried(askCtx, asked)
		}
	})
	missing := false
	if print {
		paper := j.applicationSlip(st)
		beside.Go(func() {
			if missing = !j.printSlip(ctx, "application", paper); missing {
				came(errNoSlip)
			}
		})
	}
	_, err := j.c.Ask(askCtx, AwaitDecision{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text(), Receipt: j.kase.ReceiptCode,
		Number: j.print.number, Wait: st.Wait, QR: j.kase.ReceiptCode})
	known := errors.Is(context.Cause(askCtx), errCame)
	came(nil)
	beside.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case known:
		return nil // whoever is there goes on, with or without the slip
	case missing && (err == nil || !errors.Is(err, ErrLeft) && !errors.Is(err, ErrTimedOut)):
		return errNoSlip
	case err == nil, errors.Is(err, ErrBack):
		return ErrLeft // they come back with the code
	}
	return err
}

// decided moves the case to where the office says it is.
func (s *decisionStep) decided(j *Journey, st Standing) error {
	why := "application " + ascii(st.Number)
	switch st.State {
	case StandingApproved, StandingPrinting:
		if j.kase.State == journal.Accepted {
			j.state(journal.AuditWait, why)
		}
		j.state(journal.Approved, why)
		return nil
	case StandingRejected:
		j.state(journal.Rejected, why)
		r := refer("card-rejected", "E-CARD-REJECTED", nil)
		if !st.Why.IsZero() {
			r.Means = st.Why
		}
		return r
	case StandingEnded:
		j.state(journal.Expired, "the application ended")
		return refer("card-over", "E-CARD-OVER", nil)
	}
	j.state(journal.Manual, "the office says "+ascii(string(st.State)))
	return refer("card-desk", "E-CARD-DESK", nil)
}

// applicationSlip is what whoever applied may leave with.
func (j *Journey) applicationSlip(st Standing) slip.Slip {
	b := j.slipHead(j.say(T("svc.slip.application.title")))
	rows := j.caseRows()
	if st.Wait > 0 {
		rows = append(rows, Row{Label: T("svc.row.wait"), Value: T("svc.row.minutes", "min", fmt.Sprint(int(st.Wait.Round(time.Minute).Minutes())))})
	}
	b = append(b, j.slipRows(rows), slip.Space{Dots: 12}, j.code(), slip.Text{Text: j.say(T("svc.slip.application.keep"))})
	return slip.Slip{Blocks: append(b, j.slipFoot()...)}
}
