// Package desk is where people decide what the machine must not (人工处理).
//
// Some cases stand where no program can know how they go on: a print of which nobody saw the end, output that was not taken,
// money that may have moved. They are listed here with what is known of them, and a person decides by an [Action], with the
// operator's id and a reason. Every decision is one change of the journal: the case's state, the outcome of effects that
// nobody knew, and a line of the audit chain. A note in free text is sealed with the case's key and destroyed with it; the
// chain holds its hash.
//
// # Rules
//
// What each action may do is a table ([Actions]), held to the table of states at every decision and by a test as a whole.
// Nothing here touches the world: that a document may be printed again, or money go back, is only written down, and happens
// as an effect of its own. Where controlled stock or money is concerned, two different people must stand behind a decision.
//
// A decision has an id; deciding again under the same id returns what was decided and changes nothing, so that a console may
// send again what it did not see answered.
//
//	d := desk.New(journal, desk.Options{})
//	items, err := d.List()
//	view, err := d.Decide(desk.Decision{Receipt: "03-20261122-000138", Action: desk.Printed, Operator: "op.chen", Reason: "paper-in-tray"})
package desk

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/journal"
)

// Errors of deciding, beside [journal.ErrNotFound].
var (
	// ErrNotNow: the case's state does not allow this action.
	ErrNotNow = errors.New("the case's state does not allow this")
	// ErrSecond: a second, different person must stand behind this.
	ErrSecond = errors.New("a second person is needed")
	// ErrReason: there is no such reason, or this one needs a note.
	ErrReason = errors.New("a reason of the list is needed")
	// ErrOperator: not the id of an operator.
	ErrOperator = errors.New("not an operator's id")
	// ErrDecided: the id belongs to another decision.
	ErrDecided = errors.New("this id belongs to another decision")
	// ErrOwed: money of the citizen's is still here.
	ErrOwed = errors.New("the case was paid and not refunded")
	// ErrAmbiguous: the text fits several receipt codes.
	ErrAmbiguous = errors.New("more than one receipt code ends so")
)

// Options of [New].
type Options struct {
	// Controlled says whether an item's output is on numbered stock, so that two people must stand behind what becomes of
	// it. Nil means that none is.
	Controlled func(item string) bool
	// Operator says whether an id belongs to somebody who may decide. Nil takes every well-formed id.
	Operator func(id string) error
}

// Desk decides. Its methods may be called from any goroutine.
type Desk struct {
	j   *journal.Journal
	opt Options
}

// New is a desk over a journal.
func New(j *journal.Journal, opt Options) *Desk {
	if opt.Controlled == nil {
		opt.Controlled = func(string) bool { return false }
	}
	if opt.Operator == nil {
		opt.Operator = func(string) error { return nil }
	}
	return &Desk{j, opt}
}

// Item is one line of the list.
type Item struct {
	ReceiptCode string        `json:"receipt_code"`
	Item        string        `json:"item"`
	State       journal.State `json:"state"`
	Why         string        `json:"why,omitempty"`
	Since       time.Time     `json:"since"`
}

// View is a case as a person needs it to decide. It holds no personal data but the masked name.
type View struct {
	Item
	Case      string              `json:"case"`
	Person    string              `json:"person,omitempty"` // masked
	Last4     string              `json:"last4,omitempty"`
	Opened    time.Time           `json:"opened"`
	History   []journal.CaseEvent `json:"history"`
	Effects   []Act               `json:"effects,omitempty"`
	Decisions []journal.Decision  `json:"decisions,omitempty"`
	May       []Choice            `json:"may,omitempty"`
	// Again: the decision had been written before; nothing was changed.
	Again bool `json:"again,omitempty"`
}

// Act is what is known of one effect.
type Act struct {
	Step   string              `json:"step"`
	Try    int                 `json:"try"`
	State  journal.EffectState `json:"state"`
	Number string              `json:"number,omitempty"` // certificate number
	Detail string              `json:"detail,omitempty"`
	At     time.Time           `json:"at"`
}

// Choice is an action that is possible.
type Choice struct {
	Action Action        `json:"action"`
	To     journal.State `json:"to"`
	Two    bool          `json:"two,omitempty"` // two people are needed
}

// Decision is what a person wants.
type Decision struct {
	ID       string // "" makes one; a console gives its own, so that it may ask again
	Receipt  string
	Action   Action
	Operator string
	Second   string
	Reason   Reason
	Note     []byte // free text, at most journal.MaxNote bytes; sealed
}

// StepMoved is the step under which a case that went on at another terminal says so; body Moved.
const StepMoved = "moved"

// Moved is what the platform said of a case that stood here.
type Moved struct {
	Lease uint64 `json:"lease"` // under which it was held here then; 0 where it was begun. A later one brought it back
}

// Waits says whether a case waits here for a person. One that went on at another terminal stays where it stood, and is that terminal's.
func Waits(c journal.Case) bool { return c.State.Desk() && !HasMoved(c) }

// HasMoved says whether the platform said that a case went on at another terminal, and it did not come back since.
func HasMoved(c journal.Case) bool {
	var m Moved
	raw, told := c.Steps[StepMoved]
	return told && json.Unmarshal(raw, &m) == nil && c.Lease <= m.Lease
}

// List is every case that a person must decide, longest waiting first.
func (d *Desk) List() ([]Item, error) {
	cases, err := d.j.Cases(Waits)
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	all := make([]Item, len(cases))
	for i, c := range cases {
		all[i] = item(c)
	}
	slices.SortStableFunc(all, func(a, b Item) int { return a.Since.Compare(b.Since) })
	return all, nil
}

// item is a case's line. Since is when it came where it stands: notes do not make it younger.
func item(c journal.Case) Item {
	last := c.History[len(c.History)-1]
	return Item{c.ReceiptCode, c.Item, c.State, last.Why, last.At}
}

// shortest is how many digits at the end of a receipt code are enough to look for.
const shortest = 4

// Find shows the case of a receipt code, or of its last digits.
func (d *Desk) Find(code string) (View, error) {
	c, err := d.find(code)
	if err != nil {
		return View{}, fmt.Errorf("desk: %w", err)
	}
	return d.view(c)
}

// NoteOf opens the note that was left with a decision; [journal.ErrNotFound] when there is none, or it was destroyed with the
// case's personal data.
func (d *Desk) NoteOf(code, decision string) ([]byte, error) {
	c, err := d.find(code)
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	b, err := d.j.Note(c.ID, decision)
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	return b, nil
}

func (d *Desk) find(code string) (journal.Case, error) {
	c, err := d.j.CaseByReceipt(code)
	if err == nil || !errors.Is(err, journal.ErrNotFound) {
		return c, err
	}
	end := strings.ToUpper(strings.ReplaceAll(code, " ", ""))
	if len(end) < shortest {
		return c, err
	}
	fits, ferr := d.j.Cases(func(c journal.Case) bool { return strings.HasSuffix(c.ReceiptCode, end) })
	switch {
	case ferr != nil:
		return c, ferr
	case len(fits) > 1:
		return c, ErrAmbiguous
	case len(fits) == 1:
		return fits[0], nil
	}
	return c, err
}

func (d *Desk) view(c journal.Case) (View, error) {
	effects, err := d.j.Effects(c.ID)
	if err != nil {
		return View{}, fmt.Errorf("desk: %w", err)
	}
	v := View{Item: item(c), Case: c.ID, Person: c.Person, Last4: c.Last4, Opened: c.Opened, History: c.History, Decisions: c.Decisions}
	for _, e := range effects {
		at := e.Ended
		if at.IsZero() {
			at = e.Intended
		}
		v.Effects = append(v.Effects, Act{e.Step, e.Attempt, e.State, e.Number, e.Detail, at})
	}
	for _, a := range Actions() {
		if HasMoved(c) {
			break
		}
		if path, ok := rules[a].path(c.State); ok && (a != Void || !owed(c)) {
			to := c.State
			if len(path) > 0 {
				to = path[len(path)-1]
			}
			v.May = append(v.May, Choice{a, to, d.two(a, c)})
		}
	}
	return v, nil
}

// two says whether a second person is needed.
func (d *Desk) two(a Action, c journal.Case) bool {
	return rules[a].money || rules[a].output && (d.opt.Controlled(c.Item) || paid(c))
}

// Decide writes a decision and shows the case as it is then.
func (d *Desk) Decide(want Decision) (View, error) {
	c, err := d.find(want.Receipt)
	if err != nil {
		return View{}, fmt.Errorf("desk: %w", err)
	}
	if err := d.check(want, c); err != nil {
		return View{}, fmt.Errorf("desk: case %s, %s: %w", c.ReceiptCode, want.Action, err)
	}
	again := false
	err = d.j.Update(func(tx *journal.Tx) error {
		now, err := tx.Case(c.ID)
		if err != nil {
			return err
		}
		if same, err := decided(now, want); err != nil || same {
			c, again = now, same
			return err
		}
		rule := rules[want.Action]
		path, ok := rule.path(now.State)
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", now.State, ErrNotNow)
		case want.Action == Void && owed(now):
			return ErrOwed
		case d.two(want.Action, now) && want.Second == "":
			return ErrSecond
		}
		id := want.ID
		if id == "" {
			id = uuid.NewString()
		}
		var judge journal.Judgement
		if rule.judge != "" {
			judge = journal.Judgement{Kind: kindDocument, State: rule.judge}
		}
		c, err = tx.Decide(c.ID, journal.Decision{ID: id, Action: string(want.Action), Operator: want.Operator, Second: want.Second,
			Reason: string(want.Reason)}, path, judge, want.Note)
		return err
	})
	if err != nil {
		return View{}, fmt.Errorf("desk: case %s, %s: %w", c.ReceiptCode, want.Action, err)
	}
	v, err := d.view(c)
	v.Again = again
	return v, err
}

// check looks at what needs no state.
func (d *Desk) check(want Decision, c journal.Case) error {
	rule, known := rules[want.Action]
	switch {
	case !known:
		return fmt.Errorf("no such action: %w", ErrNotNow)
	case HasMoved(c):
		return fmt.Errorf("it went on at another terminal: %w", ErrNotNow)
	case !operator(want.Operator) || want.Second != "" && !operator(want.Second):
		return ErrOperator
	case want.Second == want.Operator:
		return ErrSecond
	case len(want.ID) > 64 || strings.ContainsAny(want.ID, "/ "):
		return fmt.Errorf("decision id %.70q: %w", want.ID, ErrDecided)
	case !slices.Contains(rule.reasons, want.Reason), want.Reason == Other && len(want.Note) == 0, want.Action == Note && len(want.Note) == 0:
		return fmt.Errorf("%q, expected one of %v, and a note with %q: %w", want.Reason, rule.reasons, Other, ErrReason)
	}
	for _, who := range []string{want.Operator, want.Second} {
		if who == "" {
			continue
		}
		if err := d.opt.Operator(who); err != nil {
			return fmt.Errorf("%w: %v", ErrOperator, err)
		}
	}
	return nil
}

func operator(id string) bool { return journal.Operator(id) }

// decided says whether the decision was written before: under its id, or, when it has none, as the last thing that happened
// to the case.
func decided(c journal.Case, want Decision) (bool, error) {
	same := func(was journal.Decision) bool {
		return was.Action == string(want.Action) && was.Operator == want.Operator && was.Second == want.Second && was.Reason == string(want.Reason)
	}
	if want.ID == "" {
		n := len(c.Decisions)
		return n > 0 && want.Action != Note && same(c.Decisions[n-1]) && c.Decisions[n-1].To == c.State, nil
	}
	for _, was := range c.Decisions {
		if was.ID == want.ID {
			if !same(was) {
				return false, ErrDecided
			}
			return true, nil
		}
	}
	return false, nil
}

// paid says whether money of the citizen's came in; owed, whether it is still here.
func paid(c journal.Case) bool {
	return slices.ContainsFunc(c.History, func(e journal.CaseEvent) bool {
		return slices.Contains([]journal.State{journal.Paid, journal.PaidLate, journal.PaidTwice, journal.PayUnknown}, e.State)
	})
}

func owed(c journal.Case) bool {
	owed := false
	for _, e := range c.History {
		switch e.State {
		case journal.Paid, journal.PaidLate, journal.PaidTwice, journal.PayUnknown:
			owed = true
		case journal.Refunded, journal.PayFailed:
			owed = false
		}
	}
	return owed
}
