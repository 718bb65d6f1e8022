package platform

// Cards that are made at terminals: who may have one, applications, and what becomes of them. Permits are in permit.go, the reviewer's
// page in page_cards.go.

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// cardKinds are the kinds of cards with the kind of blank that each is printed on.
var cardKinds = map[string]string{"TID": "card"}

// cardValid is how long a temporary identity card is valid (Art. 7 of its rules): three months from the day it is issued.
const cardValid = 3 // months

// guardianUnder is the age under which a guardian applies (Art. 9).
const guardianUnder = 16

// atTheCounter are the refusals after which the hall's windows help.
var atTheCounter = []string{wire.CardNoVoucher, wire.CardOtherPerson, wire.CardVoucherOld, wire.CardGuardian, wire.CardValid, wire.CardExcluded, wire.CardRareName}

// cardWords say in Chinese and English why a card is refused, and what to do now.
var cardWords = map[string]struct{ why, next map[string]string }{
	wire.CardNotSigned: {both("您的居民身份证申请尚未签发", "Your application for the identity card is not signed off yet"),
		both("签发后即可办理，一般需 5 个工作日；急需用证请到受理派出所窗口", "Come back when it is: within 5 working days as a rule. If it is urgent, go to the police station that accepted it")},
	wire.CardNoVoucher: {both("没有查到正在办理的居民身份证申请", "There is no application for an identity card under way"),
		both("请先到窗口申领、换领或补领居民身份证，再凭领取凭证办理临时身份证", "First apply for an identity card at the window; then bring its voucher")},
	wire.CardOtherPerson: {both("这张领取凭证不是您的", "This voucher is not yours"),
		both("请扫描您本人的领取凭证，或取号到窗口办理", "Scan your own voucher, or take a ticket for the window")},
	wire.CardVoucherOld: {both("这张领取凭证已过期或已使用", "This voucher has expired or was used"),
		both("请携带户口簿取号到窗口核实", "Take a ticket for the window, and bring the household register")},
	wire.CardUnderAge: {both("未满 16 周岁由监护人申请", "Under 16 a guardian applies"),
		both("请监护人本人到场，在本机选择“为孩子办理”", "Let the guardian come and choose “for a child” here")},
	wire.CardGuardian: {both("登记信息中您不能为此人代办", "The register does not name you as somebody who may apply for this person"),
		both("请携带户口簿或监护证明取号到窗口办理；已满 16 周岁的请本人办理", "Take a ticket for the window and bring the household register or a proof of guardianship; whoever is 16 or older applies in person")},
	wire.CardValid: {both("您持有的临时居民身份证仍在有效期内", "Your temporary identity card is still valid"),
		both("如已遗失，请取号到窗口挂失补领", "If it is lost, take a ticket for the window")},
	wire.CardExcluded: {both("您的户籍情况需由窗口人员核对", "Somebody at the window must look at your registration"),
		both("请携带户口簿或集体户首页取号到窗口办理", "Take a ticket for the window, and bring the household register")},
	wire.CardRareName: {both("您姓名或住址中的字本机无法打印", "A character of your name or address cannot be printed here"),
		both("请取号到窗口办理，窗口设备可以打印", "Take a ticket for the window, where it can be printed")},
}

func refusedChance(why string) wire.CardChance {
	w := cardWords[why]
	return wire.CardChance{Refused: why, Why: w.why, Next: w.next, Window: slices.Contains(atTheCounter, why)}
}

// pseudonym stands for an identity number in tables that are read often. Without seal.key nobody can try numbers.
func (k *keys) pseudonym(number string) string {
	m := hmac.New(sha256.New, k.seal.Bytes())
	_, _ = m.Write([]byte("budayang-person-v1 " + number))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// What is sealed of an application.
const (
	secretPerson = "person"
	secretPhoto  = "photo"
	secretInk    = "ink"
)

// cardSecret is sealed under secretPerson.
type cardSecret struct {
	Card      wire.CardFace `json:"card"` // From and Until are a permit's
	Phone     string        `json:"phone"`
	Applicant string        `json:"applicant"` // number
	Voucher   string        `json:"voucher"`
}

func sealAbout(key, what string) []byte { return fmt.Appendf(nil, "budayang-card-v1 %s %s", what, key) }

// sealCard seals to the platform's own key, bound to its application.
func (k *keys) sealCard(key, what string, plain []byte) ([]byte, error) {
	to, err := hpke.NewDHKEMPublicKey(k.seal.PublicKey())
	if err != nil {
		return nil, err
	}
	return hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), sealAbout(key, what), plain)
}

// openCard reads something sealed. ErrNoRow: it was erased.
func (s *Server) openCard(tx Tx, key, what string) ([]byte, error) {
	sealed, err := tx.CardSecret(key, what)
	if err != nil {
		return nil, err
	}
	priv, err := hpke.NewDHKEMPrivateKey(s.keys.seal)
	if err != nil {
		return nil, err
	}
	plain, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), sealAbout(key, what), sealed)
	if err != nil {
		return nil, fmt.Errorf("what is sealed of application %s does not open: %w", key, err)
	}
	return plain, nil
}

func (s *Server) openPerson(tx Tx, key string) (p cardSecret, err error) {
	plain, err := s.openCard(tx, key, secretPerson)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(plain, &p)
}

// openStates are those of an application that is under way.
var openStates = []wire.CardState{wire.CardWaiting, wire.CardApproved, wire.CardPrinting, wire.CardDoubt}

// cardsOf tells of a person's applications which one is under way, and whether a card is valid.
func cardsOf(all []CardRow, now time.Time) (open *CardRow, valid bool) {
	for i, c := range all {
		if open == nil && slices.Contains(openStates, c.State) {
			open = &all[i]
		}
		valid = valid || c.State == wire.CardIssued && now.Before(c.Until)
	}
	return open, valid
}

// chance says whether the person may have a card. The entry is whose it would be.
func (s *Server) chance(ctx context.Context, q wire.CardQuery, who CitizenRow) (c wire.CardChance, e RegisterEntry, err error) {
	now := s.now()
	number := cmp.Or(q.Child, who.Number)
	name := who.Name
	if q.Child != "" {
		name = ""
	}
	e, err = s.register().CardPerson(ctx, number, name)
	if errors.Is(err, ErrNoRow) {
		if q.Child != "" {
			return refusedChance(wire.CardGuardian), e, nil // whether there is such a child is not told
		}
		return refusedChance(wire.CardNoVoucher), e, nil
	}
	if err != nil {
		return c, e, err
	}
	age, known := idnum.Age(number, now.In(chinaTime))
	child := known && age < guardianUnder
	if q.Child != "" && (!child || !e.mayApplyFor(who.Number) || q.Child == who.Number) {
		return refusedChance(wire.CardGuardian), e, nil
	}
	var all []CardRow
	if err := s.store.View(ctx, func(tx Tx) (err error) { all, err = tx.CardsOf(q.Kind, s.keys.pseudonym(number)); return err }); err != nil {
		return c, e, err
	}
	open, valid := cardsOf(all, now)
	if open != nil && (q.Child != "" || !child) {
		is := s.cardWire(*open, 0)
		if open.Applicant != s.keys.pseudonym(who.Number) {
			is.Receipt = "" // another guardian's
		}
		c.Existing = &is
		return c, e, nil
	}
	if q.Child == "" && child {
		return refusedChance(wire.CardUnderAge), e, nil
	}
	if valid || now.Before(e.ValidUntil) {
		return refusedChance(wire.CardValid), e, nil
	}
	if e.Excluded != "" {
		return refusedChance(wire.CardExcluded), e, nil
	}
	v, why := voucherOf(e.Vouchers, q.Voucher, now)
	if why != "" {
		return refusedChance(why), e, nil
	}
	f, err := typefaces()
	if err != nil {
		return c, e, err
	}
	if !f.covers(e.Name) && len(e.NameImage) == 0 || !f.covers(e.Address+e.Nation+e.Authority+e.Sex) {
		return refusedChance(wire.CardRareName), e, nil
	}
	return wire.CardChance{Voucher: v.Number, Rows: cardRows(e), Phone: maskedOr(e.Phone), Photo: len(e.Photo) > 0}, e, nil
}

func maskedOr(phone string) string {
	if phone == "" {
		return ""
	}
	return idnum.MaskPhone(phone)
}

// voucherOf finds the voucher that counts: the one that was shown, or the newest that is good.
func voucherOf(all []RegisterVoucher, shown string, now time.Time) (RegisterVoucher, string) {
	if len(all) == 0 {
		if shown != "" {
			return RegisterVoucher{}, wire.CardOtherPerson
		}
		return RegisterVoucher{}, wire.CardNoVoucher
	}
	why := ""
	for i := len(all) - 1; i >= 0; i-- {
		v := all[i]
		if shown != "" && v.Number != shown {
			continue
		}
		switch {
		case v.Used || !now.Before(v.Until):
			why = cmp.Or(why, wire.CardVoucherOld)
		case !v.Signed:
			why = wire.CardNotSigned
		default:
			return v, ""
		}
	}
	if shown != "" {
		return RegisterVoucher{}, cmp.Or(why, wire.CardOtherPerson)
	}
	return RegisterVoucher{}, why
}

// cardRows are what will stand on the card.
func cardRows(e RegisterEntry) []wire.AnswerRow {
	row := func(zh, en, value, masked string) wire.AnswerRow {
		return wire.AnswerRow{Label: both(zh, en), Value: value, Masked: masked, Private: masked != ""}
	}
	return []wire.AnswerRow{
		row("姓名", "Name", e.Name, idnum.MaskName(e.Name)),
		row("性别", "Sex", e.Sex, ""),
		row("民族", "Nation", e.Nation, ""),
		row("出生", "Born", e.Born, "****-**-**"),
		row("住址", "Address", e.Address, maskAddress(e.Address)),
		row("公民身份号码", "Number", e.Number, idnum.Mask(e.Number)),
		row("签发机关", "Issued by", e.Authority, ""),
	}
}

// maskAddress leaves the first six characters.
func maskAddress(a string) string {
	r := []rune(a)
	return string(r[:min(6, len(r)/2)]) + "****"
}

var (
	caseKey   = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)
	phoneText = regexp.MustCompile(`^[0-9*+-]{0,20}$`)
)

func goodCardQuery(q wire.CardQuery) bool {
	return len(q.Visit) <= 64 && (q.Voucher == "" || voucherNumber.MatchString(q.Voucher)) && (q.Child == "" || idnum.CheckAny(q.Child) == nil)
}

func (s *Server) cardChance(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.CardQuery
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	if cardKinds[q.Kind] == "" {
		s.refuse(w, errNotFound, "no such kind of card")
		return
	}
	if !goodCardQuery(q) || q.Visit == "" {
		s.refuse(w, errMalformed, "visit, voucher or child's number is not as it must be")
		return
	}
	who, err := s.citizenOf(r.Context(), q.Token, q.Visit)
	var c wire.CardChance
	if err == nil {
		c, _, err = s.chance(r.Context(), q, who)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, c)
}

func (s *Server) cardApply(w http.ResponseWriter, r *http.Request, body []byte) {
	var a wire.CardApplication
	if err := decode(body, &a); err != nil {
		s.fail(w, err)
		return
	}
	if why := goodApplication(a); why != "" {
		s.refuse(w, errMalformed, why)
		return
	}
	if cardKinds[a.Kind] == "" {
		s.refuse(w, errNotFound, "no such kind of card")
		return
	}
	if len(a.Photo) > 0 && checkPhoto(a.Photo) != nil {
		s.refuse(w, errPicture, "the photo is no JPEG of 358 × 441 within 64 KiB")
		return
	}
	if checkInk(a.Signature) != nil {
		s.refuse(w, errPicture, "the signature is no PNG with ink on it within 64 KiB")
		return
	}
	row, err := s.applyCard(r.Context(), a)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.cardWire(row, s.waitNow(r.Context(), row)))
}

// Bounds of an application.
const (
	cardChecks = 64
	cardText   = 64

	applicationBytes = (photoBytes+inkBytes)*4/3 + 32<<10 // the body
)

func goodApplication(a wire.CardApplication) string {
	switch {
	case !caseKey.MatchString(a.Key) || a.Receipt == "" || len(a.Receipt) > cardText || !printable(a.Receipt):
		return "key or receipt code is not as it must be"
	case !goodCardQuery(wire.CardQuery{Voucher: a.Voucher, Child: a.Child}) || !phoneText.MatchString(a.Phone):
		return "voucher, child's number or phone number is not as it must be"
	case len(a.Checks) > cardChecks || len(a.Profile) > cardText || !printable(a.Profile) || a.Form == (wire.Hash{}):
		return "checks, profile or the form's hash is not as it must be"
	}
	for _, c := range a.Checks {
		if c.Name == "" || len(c.Name) > cardText || !printable(c.Name) {
			return "a check's name is not as it must be"
		}
	}
	return ""
}

// applicationHash covers what was applied for, but not the token, which a terminal may have to get anew.
func applicationHash(a wire.CardApplication) wire.Hash {
	a.Token = ""
	b, _ := json.Marshal(a)
	return sha256.Sum256(b)
}

// applyCard keeps an application, or finds the one that is kept under the key.
func (s *Server) applyCard(ctx context.Context, a wire.CardApplication) (row CardRow, err error) {
	asked, terminal := applicationHash(a), terminalOf(ctx)
	held := func(tx Tx) error {
		if row, err = tx.Card(a.Key); err != nil {
			return err
		}
		if row.Request != asked {
			return errKeyReused
		}
		return holdsCard(tx, row, terminal)
	}
	if err := s.store.View(ctx, held); !errors.Is(err, ErrNoRow) {
		return row, err
	}
	if err := s.available(ctx, a.Kind); err != nil {
		return row, err
	}
	who, tok, err := s.provenBy(ctx, a.Token)
	if err != nil {
		return row, err
	}
	chance, e, err := s.chance(ctx, wire.CardQuery{Kind: a.Kind, Voucher: a.Voucher, Child: a.Child}, who)
	switch {
	case err != nil:
		return row, err
	case chance.Existing != nil:
		return row, errCardOpen
	case chance.Refused != "":
		return row, errCardRefused
	}
	photo := a.Photo
	if len(photo) == 0 {
		photo = e.Photo
	}
	if len(photo) == 0 {
		return row, errPicture
	}
	now := s.now()
	secret := cardSecret{Phone: a.Phone, Applicant: who.Number, Voucher: chance.Voucher,
		Card: wire.CardFace{Name: e.Name, NameImage: nameImage(e), Sex: e.Sex, Nation: e.Nation, Born: e.Born, Address: e.Address, Number: e.Number, Authority: e.Authority}}
	if a.Phone == "" || a.Phone == maskedOr(e.Phone) {
		secret.Phone = e.Phone
	}
	person, err := json.Marshal(secret)
	if err != nil {
		return row, err
	}
	sealed := map[string][]byte{secretPerson: person, secretPhoto: photo, secretInk: a.Signature}
	for what, plain := range sealed {
		if sealed[what], err = s.keys.sealCard(a.Key, what, plain); err != nil {
			return row, err
		}
	}
	fresh := CardRow{Key: a.Key, Kind: a.Kind, Receipt: a.Receipt, Terminal: terminal, Person: s.keys.pseudonym(e.Number), Applicant: s.keys.pseudonym(who.Number),
		Masked: idnum.MaskName(e.Name), Request: asked, State: wire.CardWaiting, Rev: 1, Checks: a.Checks, Profile: a.Profile, Agreed: a.FaceAgreed, Made: now, Changed: now}
	err = s.store.Update(ctx, func(tx Tx) error {
		row = CardRow{}
		if err := held(tx); !errors.Is(err, ErrNoRow) {
			return err
		}
		if err := mayBill(tx, a.Key, terminal); err != nil {
			return err
		}
		all, err := tx.CardsOf(a.Kind, fresh.Person)
		if err != nil {
			return err
		}
		if open, valid := cardsOf(all, now); open != nil {
			return errCardOpen
		} else if valid {
			return errCardRefused
		}
		row = fresh
		day := now.In(chinaTime).Format("20060102")
		n, err := tx.Next("card-" + a.Kind + "-" + day)
		if err != nil {
			return err
		}
		row.Number = fmt.Sprintf("%s-%s-%s-%06d", a.Kind, cmp.Or(s.cfg.Pay.District, "990000"), day, n)
		// Whoever vouched for a person is one; another one approves, and no policy in their place.
		if tok.By == "" && s.approvesItself(tx, a, len(e.Photo) > 0) {
			row.State, row.By, row.Decided = wire.CardApproved, byPolicy, now
		}
		if err := errors.Join(tx.AddCard(row), tx.PutProven(tok.proven(a.Key, now))); err != nil {
			return err
		}
		for what, b := range sealed {
			if err := tx.PutCardSecret(a.Key, what, b); err != nil {
				return err
			}
		}
		return nil
	})
	return row, err
}

// nameImage is the name's picture where it is needed.
func nameImage(e RegisterEntry) []byte {
	f, err := typefaces()
	if err != nil || f.covers(e.Name) {
		return nil
	}
	return e.NameImage
}

// holdsCard says whether a terminal may act on an application: it holds the case by a lease, or applied while nobody does.
func holdsCard(tx Tx, c CardRow, terminal string) error {
	if err := mayBill(tx, c.Key, terminal); err != nil {
		return err
	}
	_, err := tx.Lease(c.Key)
	switch {
	case err == nil, errors.Is(err, ErrNoRow) && c.Terminal == terminal:
		return nil
	case errors.Is(err, ErrNoRow):
		return errNotFound
	}
	return err
}

// cardFor reads an application for the terminal that may see it.
func (s *Server) cardFor(tx Tx, key, terminal string) (CardRow, error) {
	c, err := tx.Card(key)
	if errors.Is(err, ErrNoRow) {
		return c, errNotFound
	}
	if err == nil {
		err = holdsCard(tx, c, terminal)
	}
	return c, err
}

func (s *Server) cardNow(w http.ResponseWriter, r *http.Request, _ []byte) {
	var c CardRow
	err := s.held(r, r.PathValue("key"), func(tx Tx) (state string, err error) {
		c, err = s.cardFor(tx, r.PathValue("key"), terminalOf(r.Context()))
		return string(c.State), err
	})
	if wentAway(r, err) {
		return
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.cardWire(c, s.waitNow(r.Context(), c)))
}

func (s *Server) cardWire(c CardRow, wait time.Duration) wire.CardCase {
	out := wire.CardCase{Key: c.Key, Number: c.Number, Receipt: c.Receipt, State: c.State, Decided: c.Decided, Wait: int64(wait / time.Second)}
	if c.State == wire.CardRejected {
		out.Why = c.Why
	}
	return out
}

// waitsSeen is how many decisions the guess is made of.
const waitsSeen = 20

// waitNow guesses how long until a decision: the middle of the newest ones, without what was waited already. 0: it cannot be said.
func (s *Server) waitNow(ctx context.Context, c CardRow) time.Duration {
	if c.State != wire.CardWaiting {
		return 0
	}
	var all []time.Duration
	if err := s.store.View(ctx, func(tx Tx) (err error) { all, err = tx.CardWaits(waitsSeen); return err }); err != nil || len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return max(time.Minute, all[len(all)/2]-s.now().Sub(c.Made))
}

// chinaTime is the one time of the country.
var chinaTime = time.FixedZone("CST", 8*60*60)

// byPolicy stands where a person's name would when the policy decided.
const byPolicy = "policy"

// CardPolicy is whether applications are approved without a person.
type CardPolicy struct {
	Auto bool      `json:"auto"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

const cardPolicySetting = "card-policy"

// signedPolicy is the setting. A copy of it from another platform, or one that was written past the platform, is none.
type signedPolicy struct {
	Policy    json.RawMessage `json:"policy"`
	Signature []byte          `json:"signature"`
}

func policyBytes(raw []byte) []byte { return append([]byte("budayang-card-policy-v1\n"), raw...) }

// cardPolicy reads the policy in force: off unless one is there that the platform signed.
func (s *Server) cardPolicy(tx Tx) (p CardPolicy, err error) {
	v, err := tx.Setting(cardPolicySetting)
	if errors.Is(err, ErrNoRow) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	var x signedPolicy
	if json.Unmarshal([]byte(v), &x) != nil || !s.keys.signed(policyBytes(x.Policy), x.Signature) || json.Unmarshal(x.Policy, &p) != nil {
		s.cfg.Log.Error("the card policy in the store is not signed by this platform: it is off")
		return CardPolicy{}, nil
	}
	return p, nil
}

// SetCardPolicy switches the policy, at every server; it is kept who did.
func (s *Server) SetCardPolicy(ctx context.Context, auto bool, by Operator) error {
	raw, err := json.Marshal(CardPolicy{auto, by.Who, s.now()})
	if err != nil {
		return err
	}
	sig, err := s.keys.signature(wire.P256, policyBytes(raw))
	if err != nil {
		return err
	}
	b, err := json.Marshal(signedPolicy{raw, sig})
	if err != nil {
		return err
	}
	word := map[bool]string{true: "auto on", false: "auto off"}[auto]
	return s.store.Update(ctx, func(tx Tx) error {
		return errors.Join(tx.PutSetting(cardPolicySetting, string(b)), addEvent(tx, SecurityEvent{At: s.now(), Event: "card.policy", Code: word, Who: by.Who, Why: by.Why}))
	})
}

// approvesItself says whether no person needs to look: the policy says so, nobody applied for somebody else, and the photo passed
// every check or is the register's own.
func (s *Server) approvesItself(tx Tx, a wire.CardApplication, accepted bool) bool {
	p, err := s.cardPolicy(tx)
	if err != nil || !p.Auto || a.Child != "" {
		return false
	}
	if len(a.Photo) == 0 {
		return accepted
	}
	for _, c := range a.Checks {
		if !c.OK {
			return false
		}
	}
	return len(a.Checks) > 0 && a.Profile != ""
}

// DecideCard approves or rejects an application that waits. rev is what the reviewer saw: [ErrDecided] when it changed since.
func (s *Server) DecideCard(ctx context.Context, key string, rev int64, approve bool, by Operator) error {
	return s.decideCard(ctx, key, rev, approve, by, "")
}

func (s *Server) decideCard(ctx context.Context, key string, rev int64, approve bool, by Operator, english string) error {
	if !approve && strings.TrimSpace(by.Why) == "" {
		return fmt.Errorf("%w: a rejection needs its reason", ErrDecision)
	}
	now := s.now()
	defer s.bells.wake(key)
	return s.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Card(key)
		if err != nil {
			return err
		}
		if c.State != wire.CardWaiting || c.Rev != rev {
			return ErrDecided
		}
		if approve {
			all, err := tx.Proven(key)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(p ProvenRow) bool { return p.By == by.Who && p.By != "" }) {
				return ErrVouched
			}
		}
		event := "card.rejected"
		c.State, c.By, c.Decided, c.Changed = wire.CardRejected, by.Who, now, now
		if approve {
			c.State, event = wire.CardApproved, "card.approved"
		} else {
			c.Why = both(by.Why, cmp.Or(english, by.Why))
		}
		return errors.Join(tx.PutCard(c), addEvent(tx, SecurityEvent{At: now, Event: event, Terminal: c.Terminal, Who: by.Who, Why: about(c.Number, by.Why)}))
	})
}

// Cards are the applications in a state, oldest first.
func (s *Server) Cards(ctx context.Context, state wire.CardState, most int) (all []CardRow, err error) {
	err = s.store.View(ctx, func(tx Tx) error { all, err = tx.CardsIn(state, most); return err })
	return all, err
}

// Errors of decisions.
var (
	ErrDecided  = errors.New("somebody else decided meanwhile, or the application ended")
	ErrDecision = errors.New("not a decision")
	// ErrVouched: whoever vouched for the person at the terminal cannot approve the application too.
	ErrVouched = fmt.Errorf("%w: 您在终端核验过此人，须由另一人审核 you vouched for this person at the terminal: somebody else must approve", ErrDecision)
)
