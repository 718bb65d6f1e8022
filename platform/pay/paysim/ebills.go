package paysim

// The issuer of e-bills behind the non-tax dialect, with its own worst: the money that has not arrived, an answer lost after the e-bill was
// issued, one that is long in the making, a refusal.
//
//	POST /nontax/v1/ebills             {"number","order","transaction","amount","subject","paid","payer"} → {"number","amount","state","issued","red"}
//	GET  /nontax/v1/ebills/NUMBER      → the same
//	POST /nontax/v1/ebills/NUMBER/red  {"number","reason"} → the same
//	GET  /nontax/v1/ebill-books/YYYY-MM-DD  → {"day","ebills":[{"number","amount","state","issued" or "red"}]}

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Paper is an e-bill, or a red one.
type Paper struct {
	Batch  string    `json:"batch"`
	Serial string    `json:"serial"`
	Check  string    `json:"check"`
	At     time.Time `json:"at"`
	URL    string    `json:"url"`
}

// EBill is one in the issuer's books. Amounts are in fen.
type EBill struct {
	Number, Transaction string
	Amount              int64
	Payer               string // as it was asked for, "" when nobody was named
	Issued              Paper
	Red                 *Paper
	ready, redReady     time.Time // when it is made
}

// EBills are all e-bills, by number.
func (b *Books) EBills() (all []EBill) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.ebills {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(x, y EBill) int { return cmpString(x.Number, y.Number) })
	return all
}

// paper makes one; the lock is held. Its code is of a district that does not exist: 99, class and kind, year.
func (b *Books) paper() Paper {
	b.count++
	at := b.Now()
	return Paper{Batch: "990101" + at.In(china).Format("06"), Serial: fmt.Sprintf("%010d", b.count), Check: fmt.Sprintf("%06x", (b.count*7919+104729)%(1<<24)),
		At: at, URL: fmt.Sprintf("https://ebill.sim.invalid/p/%010d", b.count)}
}

func (b *Books) issue(number, order, transaction string, amount int64, paid time.Time, payer string, late bool) (e EBill, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.ContainsAny(payer, "*＊") || strings.ContainsFunc(payer, unicode.IsDigit) || utf8.RuneCountInString(payer) > 100 {
		b.breach("e-bill %s for a payer whose name is none", number)
		return e, "PARAM_ERROR"
	}
	if was := b.ebills[number]; was != nil {
		if payer != "" && payer != was.Payer {
			b.breach("e-bill %s for one payer and then for another", number)
		}
		if was.Transaction != transaction || was.Amount != amount {
			return e, "NUMBER_REUSED"
		}
		return *was, ""
	}
	if o := b.orders[order]; o != nil { // one of another channel is taken on trust
		i := slices.IndexFunc(o.Payments, func(p Payment) bool { return p.Transaction == transaction })
		if i < 0 || o.Payments[i].Amount != amount {
			b.breach("e-bill %s of a payment that never came", number)
			return e, "TRANSACTION_NOT_EXIST"
		}
		if o.Payments[i].Returned > 0 && !late {
			b.breach("e-bill %s of a payment that went back", number)
		}
	}
	for _, other := range b.ebills {
		if other.Transaction == transaction {
			b.breach("e-bills %s and %s of one payment", other.Number, number)
		}
	}
	switch {
	case b.faults.Payer != "" && payer != "" && payer != b.faults.Payer:
		return e, "PAYER_DIFFERS"
	case b.faults.RefuseEBill > 0:
		b.faults.RefuseEBill--
		return e, "EBILL_REFUSED"
	case b.Now().Before(paid.Add(b.faults.Arrives)):
		return e, "MONEY_NOT_ARRIVED"
	}
	is := &EBill{Number: number, Transaction: transaction, Amount: amount, Payer: payer, Issued: b.paper(), ready: b.Now().Add(b.faults.Making)}
	b.ebills[number] = is
	return *is, ""
}

func (b *Books) ebill(number string) (e EBill, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	is := b.ebills[number]
	if is == nil {
		return e, false
	}
	return *is, true
}

func (b *Books) redden(number string) (e EBill, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	is := b.ebills[number]
	switch {
	case is == nil:
		b.breach("a red one for e-bill %s, which is not there", number)
		return e, "EBILL_NOT_EXIST"
	case is.Red != nil:
	case b.faults.RefuseEBill > 0:
		b.faults.RefuseEBill--
		return e, "EBILL_REFUSED"
	default:
		red := b.paper()
		is.Red, is.redReady = &red, b.Now().Add(b.faults.Making)
	}
	return *is, ""
}

type ebillWire struct {
	Number string `json:"number"`
	Amount int64  `json:"amount"`
	State  string `json:"state"`
	Issued *Paper `json:"issued,omitempty"`
	Red    *Paper `json:"red,omitempty"`
}

// told is an e-bill as it is answered, slowly, or not at all.
func (s *Server) told(r *http.Request, e EBill, code string) result {
	s.mu.Lock()
	slow := s.faults.SlowEBill
	s.mu.Unlock()
	fate{slow: slow}.wait(r.Context())
	if s.use(func(f *Faults) *int { return &f.LoseEBill }) {
		return result{http.StatusOK, lost{}}
	}
	switch code {
	case "":
	case "EBILL_NOT_EXIST":
		return problem(http.StatusNotFound, code)
	default:
		return problem(http.StatusConflict, code)
	}
	w := ebillWire{e.Number, e.Amount, "issued", &e.Issued, nil}
	switch now := s.Now(); {
	case now.Before(e.ready), e.Red != nil && now.Before(e.redReady):
		w.State, w.Issued = "working", nil
	case e.Red != nil:
		w.State, w.Red = "red", e.Red
	}
	return result{http.StatusOK, w}
}

func (s *Server) doIssue(r *http.Request, body []byte) result {
	var q struct {
		Number, Order, Transaction, Subject, Payer string
		Amount                                     int64
		Paid                                       time.Time
	}
	if json.Unmarshal(body, &q) != nil || q.Number == "" || q.Amount <= 0 || q.Paid.IsZero() {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	e, code := s.issue(q.Number, q.Order, q.Transaction, q.Amount, q.Paid, q.Payer, r.Context().Value(parkedKey{}) != nil)
	return s.told(r, e, code)
}

func (s *Server) doQueryEBill(r *http.Request, _ []byte) result {
	e, found := s.ebill(r.PathValue("number"))
	if !found {
		return s.told(r, e, "EBILL_NOT_EXIST")
	}
	return s.told(r, e, "")
}

func (s *Server) doRed(r *http.Request, _ []byte) result {
	e, code := s.redden(r.PathValue("number"))
	return s.told(r, e, code)
}

// doEBillBook tells what was issued on a day, some hours after it is over.
func (s *Server) doEBillBook(r *http.Request, _ []byte) result {
	day := r.PathValue("day")
	from, err := time.ParseInLocation(time.DateOnly, day, china)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.Now().Before(from.AddDate(0, 0, 1).Add(s.opens)) {
		return problem(http.StatusNotFound, "NO_STATEMENT_YET")
	}
	all := []ebillWire{}
	for _, number := range slices.Sorted(maps.Keys(s.ebills)) {
		e := s.ebills[number]
		for _, w := range []ebillWire{{number, e.Amount, "issued", &e.Issued, nil}, {number, e.Amount, "red", nil, e.Red}} {
			p := w.Issued
			if w.State == "red" {
				p = w.Red
			}
			if p == nil || p.At.In(china).Format(time.DateOnly) != day || slices.Contains(s.faults.Omit, p.Serial) {
				continue
			}
			if slices.Contains(s.faults.Miscount, p.Serial) {
				w.Amount++
			}
			all = append(all, w)
		}
	}
	return result{http.StatusOK, map[string]any{"day": day, "ebills": all}}
}
