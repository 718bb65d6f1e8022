package journal

// Counted stock: blank cards one by one, paper as a whole. A move of a blank is written before the motor that it tells of;
// what was under way at a restart is in doubt until somebody looked. The ledger lies in the meta bucket under "stock/".

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// ErrStock: there is not enough, or a blank with this number was there before.
var ErrStock = errors.New("counted stock does not allow this")

// BlankState is where one blank stands.
type BlankState = wire.BlankState

// Blank is one piece of counted stock that a case has or had.
type Blank struct {
	ID     string          `json:"id"`
	Kind   string          `json:"kind"`
	Case   string          `json:"case"`
	Number string          `json:"number,omitempty"`
	State  wire.BlankState `json:"state"`
	Until  time.Time       `json:"until,omitzero"` // of the reservation
	At     time.Time       `json:"at"`
}

// BlankMove says why a blank moves, and who says so where people do.
type BlankMove struct {
	Number string // bound only: the number that was read
	Why    string // a word
	By     string // operators, where the move needs people
	Second string
}

const metaStock = "stock/"

// Kinds of counted stock.
const (
	StockCard  = "card"  // blank cards: each has a state of its own
	StockSheet = "sheet" // sheets of the document printer
	StockSlip  = "slip"  // slips that a roll gives
	// StockRibbon is counted in faces that the card printer's ribbon prints. It is exchanged as a whole ([Fitting]).
	StockRibbon = "ribbon"
)

// looseStock is counted as a whole: nobody names one sheet.
var looseStock = map[string]bool{StockSheet: true, StockSlip: true, StockRibbon: true}

var (
	stockKind   = regexp.MustCompile(`^[a-z][a-z-]{0,15}$`)
	blankNumber = regexp.MustCompile(`^[0-9A-Z][0-9A-Z-]{0,31}$`)
)

func stockTotal(kind string) []byte        { return []byte(metaStock + "total/" + kind) }
func stockBlank(kind, id string) []byte    { return []byte(metaStock + "blank/" + kind + "/" + id) }
func stockNumber(kind, no string) []byte   { return []byte(metaStock + "number/" + kind + "/" + no) }
func stockBlanks(kind string) (pre []byte) { return []byte(metaStock + "blank/" + kind + "/") }

func readBalance(tx *bolt.Tx, kind string) (b wire.StockBalance, err error) {
	if raw := tx.Bucket(bucketMeta).Get(stockTotal(kind)); raw != nil {
		err = json.Unmarshal(raw, &b)
	}
	return b, err
}

func (tx *Tx) putStock(key []byte, v any) error {
	tx.worldly = true // a motor turns next: it must survive a disk that lies too
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.bucket(bucketMeta).Put(key, b)
}

// whole changes a kind's totals as a person does.
func (tx *Tx) whole(kind, why, by string, change func(*wire.StockBalance) error) (wire.StockBalance, error) {
	if !stockKind.MatchString(kind) || !Operator(by) {
		return wire.StockBalance{}, fmt.Errorf("stock %.20q changed by %.20q: %w", kind, by, ErrStock)
	}
	b, err := readBalance(tx.tx, kind)
	if err != nil {
		return b, err
	}
	if err := change(&b); err != nil {
		return b, fmt.Errorf("stock %s, %s: %w", kind, why, err)
	}
	if err := b.Check(); err != nil {
		return b, fmt.Errorf("stock %s, %s: %w: %w", kind, why, ErrDamaged, err)
	}
	if err := tx.putStock(stockTotal(kind), b); err != nil {
		return b, err
	}
	n := func(v uint64) string { return fmt.Sprint(v) }
	if err := tx.Audit(EventStockChanged, by, map[string]string{"kind": kind, "action": why, "loaded": n(b.Loaded), "remaining": n(b.Remaining),
		"reserved": n(b.Reserved), "issued": n(b.Issued), "spoiled": n(b.Spoiled), "retained": n(b.Retained), "doubt": n(b.InDoubt)}); err != nil {
		return b, err
	}
	_, err = tx.Emit(wire.LanePay, "", wire.TypeStock, 1, wire.StockMove{Kind: kind, Why: why, By: by, Balance: b, At: tx.j.now()})
	return b, err
}

// LoadStock notes that somebody put n pieces in, or took -n free ones out. What is exchanged as a whole (a ribbon) takes the place of
// what was left of the one before.
func (tx *Tx) LoadStock(kind string, n int, by string) (wire.StockBalance, error) {
	why := "loaded"
	if n < 0 {
		why = "removed"
	}
	return tx.whole(kind, why, by, func(b *wire.StockBalance) error {
		if n == 0 || n > 100_000 || n < 0 && uint64(-n) > b.Remaining {
			return fmt.Errorf("%d pieces, %d free: %w", n, b.Remaining, ErrStock)
		}
		if fittedStock[kind] {
			if n > 0 {
				return tx.fit(b, kind, uint64(n), by)
			}
			if err := tx.fitted(kind, func(f *Fitting) { f.Unsure += uint64(-n) }); err != nil {
				return err
			}
		}
		b.Loaded, b.Remaining = b.Loaded+uint64(n), b.Remaining+uint64(n) // wraps rightly for what is taken out
		return nil
	})
}

// CountStock notes how many free pieces somebody found; what differs is corrected, and stays in the audit chain. A count of paper
// settles what was in doubt: what is not there any more was issued. Of a ribbon, what is set aside is counted with the rest: it is on it.
func (tx *Tx) CountStock(kind string, found uint64, by string) (wire.StockBalance, error) {
	return tx.whole(kind, "counted", by, func(b *wire.StockBalance) error {
		if found > 100_000 {
			return fmt.Errorf("%d pieces: %w", found, ErrStock)
		}
		if fittedStock[kind] {
			if found < b.Reserved {
				return fmt.Errorf("%d pieces, %d set aside: %w", found, b.Reserved, ErrStock)
			}
			if err := tx.putStock(stockFitting(kind), newFitting(found, tx.j.now(), by)); err != nil {
				return err
			}
			found -= b.Reserved
		}
		if looseStock[kind] {
			gone := uint64(0)
			if free := b.Remaining + b.InDoubt; free > found {
				gone = min(b.InDoubt, free-found)
			}
			b.Issued, b.Remaining, b.InDoubt = b.Issued+gone, b.Remaining+b.InDoubt-gone, 0
		}
		b.Loaded, b.Remaining = b.Loaded-b.Remaining+found, found
		return nil
	})
}

// UseStock notes what became of n pieces of paper: taken (issued), spoiled or in-doubt. Paper that nobody ever loaded is not counted;
// what is used beyond what was loaded was loaded without being noted. It belongs into the change that writes the print's outcome.
func (tx *Tx) UseStock(kind string, n int, to wire.BlankState) error {
	if !looseStock[kind] || n < 0 || n > 10_000 || to != wire.BlankTaken && to != wire.BlankSpoiled && to != wire.BlankDoubt {
		return fmt.Errorf("%d of %.20q are %.20q: %w", n, kind, to, ErrStock)
	}
	b, err := readBalance(tx.tx, kind)
	if err != nil || n == 0 || b.Loaded == 0 {
		return err
	}
	more := uint64(0)
	if uint64(n) > b.Remaining {
		more = uint64(n) - b.Remaining
	}
	b.Loaded, b.Remaining = b.Loaded+more, b.Remaining+more-uint64(n)
	*sumOf(&b, to) += uint64(n)
	if err := b.Check(); err != nil {
		return fmt.Errorf("stock %s: %w: %w", kind, ErrDamaged, err)
	}
	v, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := tx.bucket(bucketMeta).Put(stockTotal(kind), v); err != nil || !fittedStock[kind] {
		return err
	}
	if err := tx.fitted(kind, func(f *Fitting) {
		f.Pieces += more
		if to == wire.BlankTaken {
			f.Sure += uint64(n)
		} else {
			f.Unsure += uint64(n)
		}
	}); err != nil {
		return err
	}
	_, err = tx.Emit(wire.LanePay, "", wire.TypeStock, 1, wire.StockMove{Kind: kind, Why: "used", Balance: b, At: tx.j.now()})
	return err
}

// UseStockOf is [Tx.UseStock] for a case: what it has set aside is used before what is free.
func (tx *Tx) UseStockOf(caseID, kind string, n int, to wire.BlankState) error {
	aside, err := blanksOf(tx.tx, kind, func(b Blank) bool { return b.Case == caseID && b.State == wire.BlankReserved })
	if err != nil {
		return err
	}
	for _, b := range aside[:max(0, min(n, len(aside)))] {
		if err := tx.move(b, wire.BlankBack, BlankMove{Why: "used"}); err != nil {
			return err
		}
	}
	return tx.UseStock(kind, n, to)
}

// CloseShift returns the balance of the shift that ends, and begins the next one with what is still there: free, under way, kept
// in the bin, in doubt.
func (tx *Tx) CloseShift(kind, by string) (ended wire.StockBalance, err error) {
	_, err = tx.whole(kind, "shift", by, func(b *wire.StockBalance) error {
		ended = *b
		b.Loaded -= b.Issued + b.Spoiled
		b.Issued, b.Spoiled = 0, 0
		return nil
	})
	return ended, err
}

// ReserveStock sets pieces aside for a case until a time: all that are wanted, or none ([ErrStock]). What the case has already
// set aside counts, and its time is prolonged. A case whose card exists, or may exist, gets no other ([ErrState]).
func (tx *Tx) ReserveStock(caseID string, want map[string]int, until time.Time) error {
	if _, err := tx.Case(caseID); err != nil {
		return err
	}
	for kind, n := range want {
		if !stockKind.MatchString(kind) || n < 1 || n > 100 {
			return fmt.Errorf("%d of %.20q: %w", n, kind, ErrStock)
		}
		has, err := blanksOf(tx.tx, kind, func(b Blank) bool { return b.Case == caseID })
		if err != nil {
			return err
		}
		for _, b := range has {
			switch b.State {
			case wire.BlankBack, wire.BlankSpoiled:
				continue
			case wire.BlankReserved:
				b.Until = until
				if err := tx.putStock(stockBlank(kind, b.ID), b); err != nil {
					return err
				}
			case wire.BlankDrawn, wire.BlankBound:
			default:
				return fmt.Errorf("case has a %s that is %s: %w", kind, b.State, ErrState)
			}
			n--
		}
		for ; n > 0; n-- {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			if err := tx.move(Blank{ID: id.String(), Kind: kind, Case: caseID, Until: until}, wire.BlankReserved, BlankMove{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// MoveBlank moves one of a case's blanks. Call it before the motor: drawn before the dispenser is told to give one out, sent before
// the printer is told to print, presented before the card is pushed out. Moves by which people say what became of a blank need two of them.
func (tx *Tx) MoveBlank(kind, id string, to wire.BlankState, m BlankMove) (Blank, error) {
	b, err := tx.Blank(kind, id)
	if err != nil {
		return b, err
	}
	if b.State == to && m.Number == "" {
		return b, nil
	}
	switch {
	case !b.State.May(to) || to == wire.BlankReserved:
		return b, fmt.Errorf("blank that is %s cannot be %s: %w", b.State, to, ErrState)
	case b.State.Persons(to) == 2 && (!Operator(m.By) || !Operator(m.Second) || m.By == m.Second):
		return b, fmt.Errorf("two people must say that a blank that is %s is %s: %w", b.State, to, ErrState)
	case to == wire.BlankBack && b.Number != "":
		return b, fmt.Errorf("a blank whose number was read is no stock any more: %w", ErrState)
	case (to == wire.BlankBound) != (m.Number != ""):
		return b, fmt.Errorf("a blank is bound by its number, and by nothing else: %w", ErrState)
	}
	if to == wire.BlankBound {
		key := stockNumber(kind, m.Number)
		if !blankNumber.MatchString(m.Number) {
			return b, fmt.Errorf("blank number %.40q: %w", m.Number, ErrStock)
		}
		if tx.tx.Bucket(bucketMeta).Get(key) != nil {
			return b, fmt.Errorf("blank number %s was there before: %w", m.Number, ErrStock)
		}
		if err := tx.putStock(key, b.ID); err != nil {
			return b, err
		}
		b.Number = m.Number
	}
	err = tx.move(b, to, m)
	b.State = to
	return b, err
}

// Blank is one piece of counted stock that a case has or had. [ErrNotFound].
func (tx *Tx) Blank(kind, id string) (b Blank, err error) {
	raw := tx.tx.Bucket(bucketMeta).Get(stockBlank(kind, id))
	if raw == nil {
		return b, fmt.Errorf("blank: %w", ErrNotFound)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("blank: %w", errors.Join(ErrDamaged, err))
	}
	return b, nil
}

// BlankNumbered is the blank that has a number. [ErrNotFound].
func (tx *Tx) BlankNumbered(kind, number string) (b Blank, err error) {
	raw := tx.tx.Bucket(bucketMeta).Get(stockNumber(kind, number))
	var id string
	if raw == nil || json.Unmarshal(raw, &id) != nil {
		return b, fmt.Errorf("blank %.40s: %w", number, ErrNotFound)
	}
	return tx.Blank(kind, id)
}

// sumOf is the part of a balance that a state belongs to; nil for what is free.
func sumOf(b *wire.StockBalance, s wire.BlankState) *uint64 {
	switch s {
	case wire.BlankReserved, wire.BlankDrawn, wire.BlankBound, wire.BlankSent, wire.BlankPresented:
		return &b.Reserved
	case wire.BlankTaken:
		return &b.Issued
	case wire.BlankSpoiled:
		return &b.Spoiled
	case wire.BlankRetained:
		return &b.Retained
	case wire.BlankDoubt:
		return &b.InDoubt
	}
	return &b.Remaining
}

func (tx *Tx) move(b Blank, to wire.BlankState, m BlankMove) error {
	sum, err := readBalance(tx.tx, b.Kind)
	if err != nil {
		return err
	}
	from := b.State
	if *sumOf(&sum, from) == 0 {
		return fmt.Errorf("no %s is left: %w", b.Kind, ErrStock)
	}
	*sumOf(&sum, from)--
	*sumOf(&sum, to)++
	if err := sum.Check(); err != nil {
		return fmt.Errorf("stock %s: %w: %w", b.Kind, ErrDamaged, err)
	}
	b.State, b.At = to, tx.j.now()
	if looseStock[b.Kind] && to == wire.BlankBack { // it was a number of pieces, and nobody asks for it again
		tx.worldly = true
		err = tx.bucket(bucketMeta).Delete(stockBlank(b.Kind, b.ID))
	} else {
		err = tx.putStock(stockBlank(b.Kind, b.ID), b)
	}
	if err != nil {
		return err
	}
	if err := tx.putStock(stockTotal(b.Kind), sum); err != nil {
		return err
	}
	_, err = tx.Emit(wire.LanePay, b.Case, wire.TypeStock, 1, wire.StockMove{Kind: b.Kind, ID: b.ID, Number: b.Number, From: from, To: to,
		Why: m.Why, By: m.By, Second: m.Second, Balance: sum, At: b.At})
	return err
}

// FreeStock gives back what was set aside and not bound: of one case, or with caseID "" of all whose time is over.
func (tx *Tx) FreeStock(caseID string) (freed int, err error) {
	now := tx.j.now()
	all, err := blanksOf(tx.tx, "", func(b Blank) bool {
		return b.State == wire.BlankReserved && (b.Case == caseID || caseID == "" && b.Until.Before(now))
	})
	for _, b := range all {
		if err := tx.move(b, wire.BlankBack, BlankMove{Why: "freed"}); err != nil {
			return freed, err
		}
		freed++
	}
	return freed, err
}

// DoubtStock is for a restart: what was drawn, bound, sent or presented may be anywhere, and a person looks.
func (tx *Tx) DoubtStock() (doubted []Blank, err error) {
	all, err := blanksOf(tx.tx, "", func(b Blank) bool {
		switch b.State {
		case wire.BlankDrawn, wire.BlankBound, wire.BlankSent, wire.BlankPresented:
			return true
		}
		return false
	})
	for _, b := range all {
		if err := tx.move(b, wire.BlankDoubt, BlankMove{Why: "restart"}); err != nil {
			return doubted, err
		}
		b.State = wire.BlankDoubt
		doubted = append(doubted, b)
	}
	return doubted, err
}

// blanksOf lists blanks of a kind, or of all with "", by kind and id: in the order in which they were reserved.
func blanksOf(tx *bolt.Tx, kind string, match func(Blank) bool) (all []Blank, err error) {
	prefix := []byte(metaStock + "blank/")
	if kind != "" {
		prefix = stockBlanks(kind)
	}
	c := tx.Bucket(bucketMeta).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		var b Blank
		if err := json.Unmarshal(v, &b); err != nil {
			return nil, fmt.Errorf("blank %s: %w", k, errors.Join(ErrDamaged, err))
		}
		if match == nil || match(b) {
			all = append(all, b)
		}
	}
	return all, nil
}

// Blanks lists blanks; nil matches all.
func (j *Journal) Blanks(match func(Blank) bool) (all []Blank, err error) {
	err = j.view(func(tx *bolt.Tx) error { all, err = blanksOf(tx, "", match); return err })
	return all, err
}

// StockBalance is a kind's balance since the shift began.
func (j *Journal) StockBalance(kind string) (b wire.StockBalance, err error) {
	err = j.view(func(tx *bolt.Tx) error { b, err = readBalance(tx, kind); return err })
	return b, err
}

// verifyStock wants the sums to be those of the blanks, as far as a closed shift left them in, and no number twice.
func (j *Journal) verifyStock(tx *bolt.Tx, bad func(string, ...any)) error {
	all, err := blanksOf(tx, "", nil)
	if err != nil {
		return err
	}
	counted, numbers := map[string]*wire.StockBalance{}, map[string]string{}
	for _, b := range all {
		if !b.State.Known() {
			bad("blank %s is %q", b.ID, b.State)
			continue
		}
		if counted[b.Kind] == nil {
			counted[b.Kind] = &wire.StockBalance{}
		}
		*sumOf(counted[b.Kind], b.State)++
		if b.Number == "" {
			continue
		}
		if other := numbers[b.Kind+"/"+b.Number]; other != "" {
			bad("blank number %s is two blanks'", b.Number)
		}
		numbers[b.Kind+"/"+b.Number] = b.ID
	}
	c := tx.Bucket(bucketMeta).Cursor()
	prefix := []byte(metaStock + "total/")
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		kind := strings.TrimPrefix(string(k), string(prefix))
		sum, err := readBalance(tx, kind)
		if err != nil {
			return err
		}
		if err := sum.Check(); err != nil {
			bad("stock %s: %v", kind, err)
		}
		is := counted[kind]
		if is == nil {
			is = &wire.StockBalance{}
		}
		if looseStock[kind] {
			if sum.Reserved != is.Reserved {
				bad("stock %s: %d set aside, cases have %d", kind, sum.Reserved, is.Reserved)
			}
			if err := verifyFitting(tx, kind, sum, bad); err != nil {
				return err
			}
			continue
		}
		if sum.Reserved != is.Reserved || sum.Retained != is.Retained || sum.InDoubt != is.InDoubt || sum.Issued > is.Issued || sum.Spoiled > is.Spoiled {
			bad("stock %s: sums %+v, blanks %+v", kind, sum, *is)
		}
	}
	return nil
}
