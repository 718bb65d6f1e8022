// The steps that establish who is there: consent, identify, verify.

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/idnum"
)

// consentStep tells what is done with personal data and asks for agreement. A visit agrees once to each scope.
type consentStep struct {
	Settings `yaml:",inline"`
	Scope    string  `yaml:"scope"`
	Title    Words   `yaml:"title"`
	Lines    []Words `yaml:"lines"`
}

func (s *consentStep) check() error {
	if !idForm.MatchString(s.Scope) {
		return fmt.Errorf("scope %q, expected a short word", s.Scope)
	}
	if len(s.Lines) == 0 {
		return errors.New("no lines")
	}
	for _, l := range s.Lines {
		if err := l.check("line", true); err != nil {
			return err
		}
	}
	return s.Title.check("title", true)
}

// Ready: nothing can hinder a notice.
func (s *consentStep) Ready(Scene) Text { return Text{} }

// Run asks once per visit and scope; going back refuses.
func (s *consentStep) Run(ctx context.Context, j *Journey) error {
	if j.v.consents[s.Scope] && j.v.verified(j.e.now()) {
		return nil
	}
	lines := make([]Text, 0, len(s.Lines))
	for _, l := range s.Lines {
		lines = append(lines, l.Text())
	}
	if _, err := ask[Next](ctx, j, Consent{Page: j.page(), Title: s.Title.Text(), Lines: lines}); err != nil {
		return err
	}
	j.v.consents[s.Scope] = true
	return nil
}

// maxCardTries is how often a citizen may put the card down before another way is better (domain.md F13).
const maxCardTries = 3

// errTyped: the citizen types the number.
var errTyped = errors.New("number is typed")

// liftCard is how long a citizen may take to lift a card that was refused.
const liftCard = 10 * time.Second

// identifyStep reads the identity card.
type identifyStep struct {
	Settings `yaml:",inline"`
	Cards    []devices.CardKind `yaml:"cards"`   // accepted kinds; empty means residents and residents of Hong Kong, Macau and Taiwan
	Number   bool               `yaml:"number"`  // whoever has no card may type name and number
	Voucher  bool               `yaml:"voucher"` // or show the code of the voucher of their application for one, where a scanner is
}

func (s *identifyStep) check() error {
	known := []devices.CardKind{devices.CardResident, devices.CardHMT, devices.CardForeignPR2017, devices.CardForeignPR2023}
	for _, c := range s.Cards {
		if !slices.Contains(known, c) {
			return fmt.Errorf("card %q, expected one of %v", c, known)
		}
	}
	return nil
}

// Ready: the reader must work.
func (s *identifyStep) Ready(sc Scene) Text { return hindered(sc, devices.RoleIDReader) }

// Run reads a card, unless one was read and verified in this visit.
func (s *identifyStep) Run(ctx context.Context, j *Journey) error {
	if j.v.verified(j.e.now()) {
		return nil
	}
	j.v.drop()
	dev, release, err := j.e.cfg.Devices.Use(devices.RoleIDReader)
	if err != nil {
		return refer("reader", "E-READER", err)
	}
	defer release()
	reader, ok := dev.(devices.IDReader)
	if !ok {
		return refer("reader", "E-READER", errors.New("device in the reader's role reads no cards"))
	}
	for tries := 0; tries < maxCardTries; tries++ {
		card, voucher, err := s.read(ctx, j, reader, tries)
		switch {
		case errors.Is(err, errShown):
			j.v.holdVoucher(voucher, j.e.cfg.Known)
			return nil
		case errors.Is(err, errTyped):
			number, err := j.askNumber(ctx, T("svc.identify.title"), T("svc.identify.hint"), T("svc.row.number"))
			if errors.Is(err, ErrBack) {
				continue
			}
			if err != nil {
				return err
			}
			// Who it is the platform knows; the name is not asked for.
			j.v.hold(&devices.IDCard{Kind: devices.CardResident, Number: number}, j.e.cfg.Known)
			return nil
		case err == nil:
			j.v.cardRead = true
			if r := s.refuse(card, j.e.now()); r != nil {
				card.Wipe()
				return r
			}
			j.v.hold(card, j.e.cfg.Known)
			return nil
		case errors.Is(err, devices.ErrCardUnreadable):
			// The reader has tried three times itself.
			return refer("card-unreadable", "E-CARD-READ", err)
		case errors.Is(err, devices.ErrNotIDCard):
			j.c.Tell(CardNote{Event: string(devices.ReadNotACard)})
		case errors.Is(err, devices.ErrCardRejected):
			j.c.Tell(CardNote{Event: string(devices.ReadAgain)})
		case errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrSilent), errors.Is(err, devices.ErrProtocol),
			errors.Is(err, devices.ErrUnusable), errors.Is(err, devices.ErrBusy):
			return refer("reader", "E-READER", err)
		default:
			return err
		}
	}
	return refer("card-unreadable", "E-CARD-READ", devices.ErrNotIDCard)
}

// errShown: a voucher was held before the scanner.
var errShown = errors.New("a voucher was shown")

// read shows where the card goes and waits for the card, a voucher, or a finger.
func (s *identifyStep) read(ctx context.Context, j *Journey, reader devices.IDReader, tries int) (_ *devices.IDCard, voucher string, _ error) {
	readCtx, stop := context.WithCancel(ctx)
	defer stop()
	askCtx, came := context.WithCancelCause(ctx)
	defer came(nil)
	var (
		card   *devices.IDCard
		err    error
		beside sync.WaitGroup
		scans  = s.Voucher && j.e.canScan()
	)
	beside.Go(func() {
		if tries > 0 {
			// The card that was refused still lies there; reading it again at once would use up the tries.
			lift, stop := context.WithTimeout(readCtx, liftCard)
			_ = reader.AwaitRemoval(lift)
			stop()
		}
		card, err = reader.Read(readCtx, func(ev devices.ReadEvent) { j.c.Tell(CardNote{Event: string(ev)}) })
		came(errCame)
	})
	if scans {
		beside.Go(func() {
			if voucher = j.scanVoucher(readCtx); voucher != "" {
				came(errShown)
			}
		})
	}
	_, asked := ask[Next](askCtx, j, PlaceCard{Page: j.page(), Other: s.Number, Voucher: scans, Tries: tries})
	stop()
	beside.Wait()
	switch {
	case err == nil && card != nil && errors.Is(asked, errCame):
		return card, "", nil
	case errors.Is(asked, errCame) && err != nil:
		return nil, "", fmt.Errorf("read card: %w", err)
	case asked == nil && s.Number:
		asked = errTyped
	case asked == nil:
		asked = fmt.Errorf("%w: a finger cannot answer for a card", ErrAnswer)
	}
	card.Wipe()
	return nil, voucher, asked
}

// refuse says why a card that was read is not accepted here.
func (s *identifyStep) refuse(c *devices.IDCard, now time.Time) *Referral {
	accepted := s.Cards
	if len(accepted) == 0 {
		accepted = []devices.CardKind{devices.CardResident, devices.CardHMT}
	}
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch {
	case !slices.Contains(accepted, c.Kind):
		return refer("card-kind", "E-CARD-KIND", nil)
	case slices.Contains(c.Warnings, "check-digit"), slices.Contains(c.Warnings, "birth"), slices.Contains(c.Warnings, "sex"),
		idnum.CheckAny(c.Number) != nil:
		return refer("card-contradicts", "E-CARD-DATA", nil)
	case slices.Contains(c.Warnings, "expired"), !c.LongTerm && !c.ValidTo.IsZero() && c.ValidTo.Before(today):
		return refer("card-expired", "E-CARD-EXPIRED", nil)
	case c.ValidFrom.After(today.AddDate(0, 0, 1)):
		return refer("card-contradicts", "E-CARD-DATA", nil)
	}
	return nil
}

// maxCodes is how many codes are sent in one go.
const maxCodes = 3

// verifyStep proves that the person is the card's, in one of the ways that the item allows: by a code sent to the phone that the
// platform has for them, if nothing else is said.
type verifyStep struct {
	Settings `yaml:",inline"`
	Digits   int      `yaml:"digits"` // length of a code; 0 means 6
	Ways     []string `yaml:"ways"`   // words of [ways]; none means a code only
}

func (s *verifyStep) check() error {
	if s.Digits != 0 && (s.Digits < 4 || s.Digits > 8) {
		return fmt.Errorf("digits %d, expected 4 to 8", s.Digits)
	}
	return checkWays(s.Ways)
}

// Ready: the platform must be there.
func (s *verifyStep) Ready(sc Scene) Text { return onlineWhy(sc) }

// Run proves the person, unless they are verified for this visit.
func (s *verifyStep) Run(ctx context.Context, j *Journey) error {
	if j.v.verified(j.e.now()) {
		return nil
	}
	return s.prove(ctx, j)
}

// proveByCode sends a code and has it typed.
func proveByCode(ctx context.Context, j *Journey, s *verifyStep, others bool) error {
	for range maxCodes {
		ch, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.code-send"), func(ctx context.Context) (Challenge, error) {
			return j.e.cfg.Platform.SendCode(ctx, j.v.id, j.v.person())
		})
		if err != nil {
			return codeTrouble(err)
		}
		again, err := s.enter(ctx, j, ch, others)
		if err != nil || !again {
			return err
		}
	}
	return &wayOver{told: refer("codes", "E-CODE-MANY", nil)}
}

// enter asks for one challenge's code until it is right, or another is wanted.
func (s *verifyStep) enter(ctx context.Context, j *Journey, ch Challenge, others bool) (again bool, err error) {
	digits, left, wrong := or(s.Digits, 6), ch.Tries, false
	for {
		a, err := ask[Answer](ctx, j, EnterCode{
			Page: j.page(), Phone: ch.Phone, Until: ch.Until, TriesLeft: left, Wrong: wrong, Digits: digits, Others: others,
		})
		if err != nil {
			return false, err
		}
		var code string
		switch a := a.(type) {
		case Again:
			return true, nil
		case Cancelled:
			return false, errAnotherWay
		case Entered:
			code = a.Value
		default:
			return false, fmt.Errorf("%w: %T to verify", ErrAnswer, a)
		}
		if !isDigits(code, digits) {
			wrong = true
			continue
		}
		token, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.code-check"), func(ctx context.Context) (Token, error) {
			return j.e.cfg.Platform.CheckCode(ctx, ch.ID, code)
		})
		switch {
		case err == nil:
			j.v.token = token
			return false, nil
		case errors.Is(err, ErrWrongCode):
			wrong, left = true, left-1
			if left <= 0 {
				return false, &wayOver{told: refer("locked", "E-CODE-LOCKED", err)}
			}
		default:
			return false, codeTrouble(err)
		}
	}
}

func isDigits(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// codeTrouble tells a citizen why they cannot be verified; what is no error of the platform passes through.
func codeTrouble(err error) error {
	switch {
	case errors.Is(err, ErrNoPhone):
		return &wayOver{told: refer("no-phone", "E-NO-PHONE", err)}
	case errors.Is(err, ErrLocked):
		return &wayOver{told: refer("locked", "E-CODE-LOCKED", err)}
	case errors.Is(err, ErrBackendDown):
		return &wayOver{told: refer("backend", "E-BACKEND", err)} // no message goes out
	}
	return platformTrouble(err)
}

// platformTrouble words an error of the platform before anything was done; what is no error of the platform passes
// through.
func platformTrouble(err error) error {
	switch {
	case errors.Is(err, errGivenUp), errors.Is(err, ErrBack), errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut),
		errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, ErrLinkDown):
		return refer("link", "E-LINK", err)
	case errors.Is(err, ErrNoRecord):
		return refer("no-record", "E-NO-RECORD", err)
	case errors.Is(err, ErrRefused):
		return refer("refused", "E-REFUSED", err)
	case errors.Is(err, ErrForged):
		return refer("forged", "E-FORGED", err)
	case errors.Is(err, ErrPlatformBusy), errors.Is(err, ErrInProgress):
		return refer("busy", "E-BUSY", err)
	case errors.Is(err, ErrBackendDown):
		return refer("backend", "E-BACKEND", err)
	}
	return refer("platform", "E-PLATFORM", err)
}
