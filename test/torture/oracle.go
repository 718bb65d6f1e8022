package main

// The oracle: what was promised on a screen against what the platform holds.
//
// A visit is tried, then either promised (its change is on disk), refused for certain, or in doubt: its process died before
// it could say. What was promised must be held exactly once, with its amount; what was refused must not be held; what is in
// doubt may be; what was never tried must not be. A promise may only be missing when its one copy was on a disk that was set
// back or lied, and then the loss must have been noticed: by a new epoch after the disk came back, or by a journal that
// refused to open.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/budayang/kiosk/sync/wire"
)

// visit is one citizen's.
type visit struct {
	name    string
	machine string
	amount  int
	said    string // "try", "paid", "refused", "unsure"
	why     string
	caseID  string
	receipt string
	blob    string
	effect  string
	// What was promised, and by whom: "paid", "inked", "did", "closed".
	promised map[string]promise
}

// promise is one of a machine's, which are counted.
type promise struct {
	machine string
	n       int
}

// loss is a time in a machine's life whose promises may have had their only copy on a disk that is gone.
type loss struct {
	from, to int    // promises, counted per machine
	epoch    uint32 // the machine's when the disk went
	noticed  bool   // the journal refused to open
	how      string
	// Of a disk that lied: the cases that were found on it afterwards, and their states. It may have lost any of the others, and
	// when database and spill are whole at the same older place only a platform that had heard more can tell.
	found map[string]string
}

type oracle struct {
	mu       sync.Mutex
	visits   map[string]*visit
	byCase   map[string]*visit
	promises map[string]int // machine → count
	losses   map[string][]*loss
	epochs   map[string]uint32 // machine → epoch when all was drained
	problems []string
	forgiven map[string]bool // machines whose disk lied: problems of their journals are theirs to find
	replaced map[string]bool // terminals whose disk was set back or cloned: receipt codes may repeat
}

func newOracle() *oracle {
	return &oracle{visits: map[string]*visit{}, byCase: map[string]*visit{}, promises: map[string]int{}, losses: map[string][]*loss{},
		epochs: map[string]uint32{}, forgiven: map[string]bool{}, replaced: map[string]bool{}}
}

func (o *oracle) problem(format string, a ...any) {
	o.problems = append(o.problems, fmt.Sprintf(format, a...))
}

// hear takes one line of a worker.
func (o *oracle) hear(word []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(word) < 3 {
		return
	}
	m := word[1]
	switch word[0] {
	case "try":
		amount, _ := strconv.Atoi(word[3])
		o.visits[word[2]] = &visit{name: word[2], machine: m, amount: amount, said: "try", promised: map[string]promise{}}
	case "paid":
		v := o.visits[word[2]]
		v.said, v.caseID, v.receipt = "paid", word[3], word[4]
		o.byCase[v.caseID] = v
		o.promise(v, "paid", m)
	case "inked":
		v := o.visits[word[2]]
		v.blob = word[3]
		o.promise(v, "inked", m)
	case "did":
		caseID, _, _ := strings.Cut(word[2], "/")
		if v := o.byCase[caseID]; v != nil {
			v.effect = word[2]
			o.promise(v, "did", m)
		}
	case "closed":
		if v := o.byCase[word[2]]; v != nil {
			o.promise(v, "closed", m)
		}
	case "refused", "unsure":
		v := o.visits[word[2]]
		v.said = word[0]
		if len(word) > 3 {
			v.why = word[3]
		}
	case "problem":
		if o.forgiven[m] {
			return
		}
		o.problem("journal of %s: %s", m, word[2])
	}
}

func (o *oracle) promise(v *visit, what, machine string) {
	o.promises[machine]++
	v.promised[what] = promise{machine, o.promises[machine]}
}

// count is how many promises a machine made so far.
func (o *oracle) count(machine string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.promises[machine]
}

// lost notes that the disk with a machine's promises after one of them is gone.
func (o *oracle) lost(machine string, l loss) *loss {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.to == 0 {
		l.to = o.promises[machine]
	}
	o.losses[machine] = append(o.losses[machine], &l)
	return &l
}

// cases are those of which a machine promised something in the time of a loss.
func (o *oracle) cases(machine string, l *loss) (ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, v := range o.byCase {
		for _, p := range v.promised {
			if p.machine == machine && p.n > l.from && p.n <= l.to {
				ids = append(ids, id)
				break
			}
		}
	}
	return ids
}

// kept notes what was found on a disk that had lied.
func (o *oracle) kept(l *loss, found []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.found = map[string]string{}
	for _, f := range found {
		id, state, _ := strings.Cut(f, "=")
		l.found[id] = state
	}
}

// swap notes that a machine's disk was set back, cloned or replaced.
func (o *oracle) swap(machine string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replaced[machine] = true
}

// forgive lets a machine's journal have problems for a while.
func (o *oracle) forgive(machine string, is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgiven[machine] = is
}

// final notes the epoch in which a machine ended.
func (o *oracle) final(machine string, epoch uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epochs[machine] = epoch
}

// verdict is the comparison's result.
type verdict struct {
	visits, promised, refused, doubt, excused int
	unheard                                   int // promises that a lying disk lost whole, database and spill, before anybody had heard of them
	fenPromised, fenHeld                      int
	codes                                     int // receipt codes given twice by machines whose disk was set back or cloned
	violations                                []string
}

// judge compares everything; worlds are the files in which acts were noted.
func (o *oracle) judge(l ledger, worlds []string, blob func(string) bool) (v verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	bad := func(format string, a ...any) { v.violations = append(v.violations, fmt.Sprintf(format, a...)) }
	for _, p := range o.problems {
		bad("%s", p)
	}
	for _, p := range l.broken() {
		bad("platform: %s", p)
	}
	opened, paid, closed, printed := map[string]int{}, map[string]int{}, map[string]int{}, map[string]bool{}
	fen := map[string]int{}
	for _, r := range l.records {
		switch r.Type {
		case wire.TypeCaseOpened:
			var b wire.CaseOpened
			if json.Unmarshal(r.Body, &b) != nil || r.outcome != string(wire.Accepted) {
				bad("case %s is not understood", r.Case)
			}
			opened[b.Item]++
			if o.visits[b.Item] == nil {
				bad("case %s of visit %q that nobody made", r.Case, b.Item)
			}
		case wire.TypeEffect:
			var b wire.EffectOutcome
			if json.Unmarshal(r.Body, &b) != nil || r.outcome != string(wire.Accepted) {
				bad("effect of case %s is not understood", r.Case)
			}
			if b.Kind == "pay" {
				paid[b.Detail]++
				fen[b.Detail], _ = strconv.Atoi(b.Number)
			} else if b.State == "done" {
				printed[b.Effect] = true
			}
		case "till.legacy":
			var b struct {
				Visit string `json:"visit"`
				Fen   int    `json:"fen"`
			}
			if json.Unmarshal(r.Body, &b) != nil || r.outcome != string(wire.Quarantined) {
				bad("record of an unknown type in case %s is %s, not in quarantine", r.Case, r.outcome)
			}
			paid[b.Visit]++
			fen[b.Visit] = b.Fen
		case wire.TypeCaseState:
			var b wire.CaseState
			if json.Unmarshal(r.Body, &b) == nil && b.State == "CLOSED" {
				closed[r.Case]++
			}
		}
	}
	for id, n := range l.times {
		if n > 1 {
			bad("case %s was opened %d times", id, n)
		}
	}
	acts := map[string]int{}
	for _, w := range worlds {
		for _, a := range readLines(w) {
			acts[a]++
		}
	}
	for a, n := range acts {
		if n > 1 {
			bad("%s happened %d times in the world", a, n)
		}
	}
	codes := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(o.visits)) {
		x := o.visits[name]
		v.visits++
		o.judgeVisit(&v, bad, x, opened[name], paid[name], closed[x.caseID], fen[name], printed[x.effect], x.blob != "" && blob(x.blob), l, acts)
		if x.said != "paid" {
			continue
		}
		if other, again := codes[x.receipt]; again {
			if o.replaced[x.machine] || o.replaced[other] {
				v.codes++
			} else {
				bad("receipt code %s was given by %s and %s", x.receipt, other, x.machine)
			}
		}
		codes[x.receipt] = x.machine
	}
	return v
}

func (o *oracle) judgeVisit(v *verdict, bad func(string, ...any), x *visit, opened, paid, closed, fen int, printed, inked bool, l ledger, acts map[string]int) {
	if opened > 1 || paid > 1 || closed > 1 {
		bad("%s is held %d times, paid %d times, closed %d times", x.name, opened, paid, closed)
	}
	if paid > 0 {
		v.fenHeld += fen
		v.fenPromised += x.amount
		if fen != x.amount {
			bad("%s paid %d, the platform says %d", x.name, x.amount, fen)
		}
	}
	switch x.said {
	case "refused":
		v.refused++
		if opened+paid > 0 {
			bad("%s was refused (%s) and is held", x.name, x.why)
		}
		return
	case "try", "unsure":
		v.doubt++
		if opened != paid {
			bad("%s was opened %d times and paid %d times", x.name, opened, paid)
		}
		return
	}
	v.promised++
	if n := acts[x.effect]; x.effect != "" && n != 1 {
		bad("%s was promised and happened %d times", x.effect, n)
	}
	if x.effect != "" && printed && l.effects[x.effect] != "done" {
		bad("%s is done and the platform says %q", x.effect, l.effects[x.effect])
	}
	for what, is := range map[string]bool{"paid": opened > 0 && paid > 0, "inked": inked, "did": printed, "closed": closed > 0} {
		p, was := x.promised[what]
		if !was || is {
			continue
		}
		if noticed, unheard := o.excused(x, what, p); noticed {
			v.excused++
			continue
		} else if unheard {
			v.unheard++
			continue
		}
		bad("%s of %s (case %s) was promised and is not held (%s)", what, x.name, x.caseID, o.history(p))
	}
}

// excused finds the noticed loss in which a promise's only copy may have gone, or the lying disk on which it was not found while
// the platform had not heard of it either. What was found on a disk that had lied is not lost.
func (o *oracle) excused(x *visit, what string, p promise) (noticed, unheard bool) {
	for _, loss := range o.losses[p.machine] {
		if p.n <= loss.from || p.n > loss.to {
			continue
		}
		state, found := loss.found[x.caseID]
		switch {
		case found && (what == "paid" || what == "inked" || state == "CLOSED"):
		case loss.noticed || o.epochs[p.machine] > loss.epoch:
			noticed = true
		case loss.found != nil:
			unheard = true
		}
	}
	return noticed, unheard
}

func (o *oracle) history(p promise) string {
	t := fmt.Sprintf("promise %d of %s", p.n, p.machine)
	for _, loss := range o.losses[p.machine] {
		t += fmt.Sprintf("; %s: %d to %d in epoch %d", loss.how, loss.from, loss.to, loss.epoch)
	}
	return t
}

func readLines(path string) (all []string) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		all = append(all, lines.Text())
	}
	return all
}
