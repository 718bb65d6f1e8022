package platform

// What a citizen asks through a terminal: one-time codes, queries.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// Rules for one-time codes.
const (
	codeLife   = 5 * time.Minute
	codeTries  = 3
	codesMost  = 5 // for one person in codeWindow
	codeWindow = 10 * time.Minute
	codesDay   = 15 // for one person in a day: at most 45 guesses of a million
	probesMost = 20 // numbers in codeWindow at one terminal that got no code: whoever tries numbers is stopped
	tokenLife  = 15 * time.Minute
)

// hashed keeps codes and tokens out of the database in the open.
func hashed(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Server) sendCode(w http.ResponseWriter, r *http.Request, body []byte) {
	var req wire.CodeRequest
	if err := decode(body, &req); err != nil {
		s.fail(w, err)
		return
	}
	if req.Visit == "" || len(req.Visit) > 64 {
		s.refuse(w, errMalformed, "visit is not as it must be")
		return
	}
	who, err := s.resolve(r.Context(), req.Person)
	if err != nil {
		s.fail(w, err)
		return
	}
	req.Person = who
	terminal := terminalOf(r.Context())
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		s.fail(w, err)
		return
	}
	code := fmt.Sprintf("%06d", n)
	now := s.now()
	row := CodeRow{Challenge: token(), Terminal: terminal, Visit: req.Visit, Number: req.Person.Number,
		Until: now.Add(codeLife), Made: now, Tries: codeTries}
	row.Code = hashed(row.Challenge, code)
	var citizen CitizenRow
	var verdict error
	err = s.store.Update(r.Context(), func(tx Tx) (err error) {
		verdict = nil
		// What gets no code is counted at the terminal, under a name that is no person's.
		probe := row
		probe.Number, probe.Code = "probe "+terminal, ""
		tried, err := tx.CodesSince(probe.Number, now.Add(-codeWindow))
		if err != nil {
			return err
		}
		if tried >= probesMost {
			verdict = errCodeLocked
			return nil
		}
		citizen, err = tx.Citizen(req.Person.Number)
		switch {
		case errors.Is(err, ErrNoRow) || err == nil && req.Person.Name != "" && citizen.Name != req.Person.Name:
			verdict = errNoRecord
			return tx.PutCode(probe)
		case err != nil:
			return err
		case citizen.Phone == "":
			verdict = errNoPhone
			return tx.PutCode(probe)
		}
		for most, window := range map[int]time.Duration{codesMost: codeWindow, codesDay: 24 * time.Hour} {
			sent, err := tx.CodesSince(req.Person.Number, now.Add(-window))
			if err != nil {
				return err
			}
			if sent >= most {
				verdict = errCodeLocked
				return nil
			}
		}
		return tx.PutCode(row)
	})
	if err == nil {
		err = verdict
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	if s.cfg.SMS != nil {
		text := "您正在自助终端办理业务,验证码 " + code + ",5 分钟内有效。工作人员不会向您索要验证码。"
		if err := s.cfg.SMS.Send(r.Context(), citizen.Phone, text, code); err != nil {
			s.refuse(w, errBackend, "message could not be sent")
			return
		}
	}
	phone := idnum.MaskPhone(citizen.Phone)
	if req.Person.Name == "" {
		phone = endOf(citizen.Phone) // a number alone was typed, by anybody
	}
	answer(w, http.StatusOK, wire.CodeSent{Challenge: row.Challenge, Phone: phone, Until: row.Until, Tries: codeTries})
}

// endOf is enough to know one's own phone by, and too little to learn it.
func endOf(phone string) string { return "*******" + phone[max(0, len(phone)-2):] }

func (s *Server) checkCode(w http.ResponseWriter, r *http.Request, body []byte) {
	var req wire.CodeCheck
	if err := decode(body, &req); err != nil {
		s.fail(w, err)
		return
	}
	terminal, now, tok := terminalOf(r.Context()), s.now(), token()
	var verdict error
	err := s.store.Update(r.Context(), func(tx Tx) error {
		verdict = nil
		c, err := tx.Code(req.Challenge)
		if errors.Is(err, ErrNoRow) || err == nil && c.Terminal != terminal {
			verdict = errNotFound
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case c.Tries <= 0:
			verdict = errCodeLocked
			return nil
		case now.After(c.Until) || c.Code == "":
			verdict = errCodeExpired
			return nil
		case subtle.ConstantTimeCompare([]byte(hashed(c.Challenge, req.Code)), []byte(c.Code)) != 1:
			c.Tries--
			verdict = errCodeWrong
			if c.Tries == 0 {
				verdict = errCodeLocked
			}
			return tx.PutCode(c)
		}
		c.Code = "" // used
		if err := tx.PutCode(c); err != nil {
			return err
		}
		return tx.PutToken(TokenRow{Token: hashed(tok), Terminal: terminal, Visit: c.Visit, Number: c.Number, Until: now.Add(tokenLife), Way: WayCode})
	})
	if err == nil {
		err = verdict
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, wire.CodeChecked{Token: tok, Until: now.Add(tokenLife)})
}

// citizenOf is the person whom a token proves, for this terminal.
// In a query it proves her for one visit; a document belongs to its case, which may outlive the visit's end.
func (s *Server) citizenOf(ctx context.Context, tok string, visit ...string) (CitizenRow, error) {
	c, _, err := s.provenBy(ctx, tok, visit...)
	return c, err
}

// provenBy is citizenOf with what the token says of how she was proved.
func (s *Server) provenBy(ctx context.Context, tok string, visit ...string) (c CitizenRow, t TokenRow, err error) {
	if tok == "" {
		return c, t, errToken
	}
	err = s.store.View(ctx, func(tx Tx) error {
		var err error
		t, err = tx.Token(hashed(tok))
		if errors.Is(err, ErrNoRow) {
			return errToken
		}
		if err != nil {
			return err
		}
		if t.Terminal != terminalOf(ctx) || s.now().After(t.Until) || len(visit) > 0 && visit[0] != t.Visit {
			return errToken
		}
		c, err = tx.Citizen(t.Number)
		return err
	})
	return c, t, err
}

// available refuses when an item's back end is switched off.
func (s *Server) available(ctx context.Context, item string) error {
	return s.store.View(ctx, func(tx Tx) error {
		c, err := s.currentCatalogue(tx)
		if err != nil {
			return err
		}
		if a, named := c.Items[item]; named && !a.Available {
			return errBackend
		}
		return nil
	})
}

func (s *Server) query(w http.ResponseWriter, r *http.Request, body []byte) {
	var q wire.Query
	if err := decode(body, &q); err != nil {
		s.fail(w, err)
		return
	}
	if b := s.backendOf(r.PathValue("service")); b != nil {
		a, err := s.askBackend(r.Context(), b, r.PathValue("service"), q)
		if err != nil {
			s.fail(w, err)
			return
		}
		answer(w, http.StatusOK, a)
		return
	}
	if r.PathValue("service") == ebillService {
		s.queryEBills(w, r, q)
		return
	}
	if r.PathValue("service") != "sb-info" {
		s.refuse(w, errNotFound, "no such service")
		return
	}
	err := s.available(r.Context(), "SB-Q")
	var c CitizenRow
	if err == nil {
		c, err = s.citizenOf(r.Context(), q.Token, q.Visit)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.insuranceAnswer(c))
}

func (s *Server) insuranceAnswer(c CitizenRow) wire.Answer {
	now := s.now()
	a := wire.Answer{Title: both("社会保险信息", "Social insurance"), AsOf: now}
	person := wire.AnswerSection{Title: both("参保人", "Insured person"), Rows: []wire.AnswerRow{
		{Label: both("姓名", "Name"), Value: c.Name, Masked: idnum.MaskName(c.Name), Private: true},
		{Label: both("社会保障号码", "Social security number"), Value: c.Number, Masked: idnum.Mask(c.Number), Private: true},
		{Label: both("参保地", "Place of insurance"), Value: "示例市本级(990000)"},
	}}
	a.Sections = append(a.Sections, person)
	for _, i := range insurances(c.Number, now) {
		rows := []wire.AnswerRow{
			{Label: both("参保时间", "Insured since"), Value: i.from.Format("2006-01")},
			{Label: both("累计缴费月数", "Months paid"), Value: fmt.Sprint(i.months)},
			{Label: both("月缴费基数(元)", "Monthly base (yuan)"), Value: fmt.Sprint(i.base), Masked: "****", Private: true},
		}
		if i.balance >= 0 {
			rows = append(rows, wire.AnswerRow{Label: both("个人账户余额(元)", "Account balance (yuan)"), Value: yuan(i.balance), Masked: "******", Private: true})
		}
		a.Sections = append(a.Sections, wire.AnswerSection{Title: both(i.zh, i.en), Rows: rows})
	}
	return a
}
