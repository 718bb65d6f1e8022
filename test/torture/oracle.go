package main

// The oracle: what was promised on a screen against what the platform holds.
//
// A visit is tried, then either promised (its change is on disk), refused for certain, or in doubt: its process died before
// it could say. What was promised must be held exactly once, with its amount; what was refused must not be held; what is in
// doubt may be; what was never tried must not be. A promise may only be missing when its one copy was on a disk that was set
// back, lied or was replaced, and when each of its records that the platform does not hold lay at a place that somebody said is
// lost: the platform, which saw the terminal come back with less (records.gone), or the terminal, which found another history at
// the platform (lane.forked) or holes in its own (records.lost). A picture may also be missing where the terminal said that its
// case was damaged, or where its disk was lost and the platform, which holds the case, sees that it lacks it. Anything else is a
// violation.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
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
	after   int    // promises of its machine before it
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
	records []string // ids of those that tell of it
}

// loss is a time in a machine's life whose promises may have had their only copy on a disk that is gone.
type loss struct {
	from, to int // promises, counted per machine
	how      string
	// Of a disk that lied: the records that were found on it afterwards. It may have lost any of the others.
	found map[string]bool
}

// spot is a place in a lane.
type spot struct {
	lane  string
	epoch uint64
	seq   uint64
}

// notice is somebody's word that records are lost: of a terminal's lane in an epoch, from one place to another, 0 for as far as it
// went.
type notice struct {
	terminal, lane string
	epoch          uint64
	from, to       uint64
	what           string
}

func (n notice) covers(terminal string, s spot) bool {
	return n.terminal == terminal && n.lane == s.lane && n.epoch == s.epoch && n.from <= s.seq && (n.to == 0 || s.seq <= n.to)
}

type oracle struct {
	mu       sync.Mutex
	visits   map[string]*visit
	byCase   map[string]*visit
	promises map[string]int // machine → count
	losses   map[string][]*loss
	spots    map[string][]spot // record id → the places it had
	notices  map[notice]bool
	damaged  map[string]bool   // cases of which entries were lost, and somebody said so
	terminal map[string]string // machine → the name it speaks under
	problems []string
	forgiven map[string]bool // machines whose disk lied: problems of their journals are theirs to find
	replaced map[string]bool // terminals whose disk was set back or cloned: receipt codes may repeat
}

func newOracle() *oracle {
	return &oracle{visits: map[string]*visit{}, byCase: map[string]*visit{}, promises: map[string]int{}, losses: map[string][]*loss{},
		spots: map[string][]spot{}, notices: map[notice]bool{}, damaged: map[string]bool{}, terminal: map[string]string{}, forgiven: map[string]bool{}, replaced: map[string]bool{}}
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
		o.visits[word[2]] = &visit{name: word[2], machine: m, amount: amount, said: "try", after: o.promises[m], promised: map[string]promise{}}
	case "paid":
		v := o.visits[word[2]]
		v.said, v.caseID, v.receipt = "paid", word[3], word[4]
		o.byCase[v.caseID] = v
		o.promise(v, "paid", m, o.place(word[6:]))
	case "inked":
		v := o.visits[word[2]]
		v.blob = word[3]
		o.promise(v, "inked", m, v.promised["paid"].records)
	case "did":
		caseID, _, _ := strings.Cut(word[2], "/")
		if v := o.byCase[caseID]; v != nil {
			v.effect = word[2]
			o.promise(v, "did", m, o.place(word[3:]))
		}
	case "closed":
		if v := o.byCase[word[2]]; v != nil {
			o.promise(v, "closed", m, o.place(word[3:]))
		}
	case "moved":
		o.place(word[2:])
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

func (o *oracle) promise(v *visit, what, machine string, records []string) {
	o.promises[machine]++
	v.promised[what] = promise{machine, o.promises[machine], records}
}

// place notes where records lie, "id@lane/epoch/seq" with commas between, and returns their ids.
func (o *oracle) place(words []string) (ids []string) {
	if len(words) == 0 {
		return nil
	}
	for _, w := range strings.Split(words[0], ",") {
		id, at, found := strings.Cut(w, "@")
		part := strings.Split(at, "/")
		if !found || len(part) != 3 {
			continue
		}
		s := spot{lane: part[0]}
		s.epoch, _ = strconv.ParseUint(part[1], 10, 32)
		s.seq, _ = strconv.ParseUint(part[2], 10, 64)
		if !slices.Contains(o.spots[id], s) {
			o.spots[id] = append(o.spots[id], s)
		}
		ids = append(ids, id)
	}
	return ids
}

// speaks notes under which name a machine speaks.
func (o *oracle) speaks(machine, terminal string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.terminal[machine] = terminal
}

// notice reads what was said of lost records.
func (o *oracle) notice(ctx context.Context, c *city) error {
	said, damaged, err := readNotices(ctx, c)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range said {
		o.notices[n] = true
	}
	for _, id := range damaged {
		o.damaged[id] = true
	}
	return err
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

// kept notes what was found on a disk that had lied.
func (o *oracle) kept(l *loss, words []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.found = map[string]bool{}
	if len(words) > 0 {
		for _, id := range strings.Split(words[0], ",") {
			l.found[id] = true
		}
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

// verdict is the comparison's result.
type verdict struct {
	visits, promised, refused, doubt int
	excused                          map[string]int // promises that went with a disk, by who said that their records are lost
	fenPromised, fenHeld             int
	codes                            int // receipt codes given twice by machines whose disk was set back or cloned
	violations                       []string
}

// judge compares everything; worlds are the files in which acts were noted.
func (o *oracle) judge(l ledger, worlds []string, blob func(string) bool) (v verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v.excused = map[string]int{}
	bad := func(format string, a ...any) { v.violations = append(v.violations, fmt.Sprintf(format, a...)) }
	for _, p := range o.problems {
		bad("%s", p)
	}
	for _, p := range l.broken() {
		bad("platform: %s", p)
	}
	half := map[string]held{} // visit → the last of its two records that is held
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
			half[b.Item] = r
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
				half[b.Detail] = r
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
		o.judgeVisit(&v, bad, x, opened[name], paid[name], closed[x.caseID], fen[name], printed[x.effect], x.blob != "" && blob(x.blob), half[name], l, acts)
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

func (o *oracle) judgeVisit(v *verdict, bad func(string, ...any), x *visit, opened, paid, closed, fen int, printed, inked bool, half held, l ledger, acts map[string]int) {
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
			bad("%s was refused (%s) and is held (%s)", x.name, x.why, o.history(promise{machine: x.machine, n: x.after}))
		}
		return
	case "try", "unsure":
		v.doubt++
		if opened != paid && !o.halved(x, half) {
			bad("%s was opened %d times and paid %d times: %s/%d/%d is held (%s)", x.name, opened, paid, half.Lane, half.Epoch, half.Seq,
				o.history(promise{machine: x.machine, n: x.after}))
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
		who, why := o.excused(x, what, p, l)
		if why == "" {
			v.excused[who]++
			continue
		}
		bad("%s of %s (case %s) was promised and is not held: %s (%s)", what, x.name, x.caseID, why, o.history(p))
	}
}

// halved says that of a visit in doubt, whose records nobody named, one is held and the other one went with a disk, as somebody told of the
// other lane in the same epoch.
func (o *oracle) halved(x *visit, half held) bool {
	lost := slices.ContainsFunc(o.losses[x.machine], func(l *loss) bool { return l.to >= x.after })
	for n := range o.notices {
		if lost && n.terminal == half.Terminal && n.epoch == uint64(half.Epoch) && n.lane != string(half.Lane) && (n.lane == "tx" || n.lane == "pay") {
			return true
		}
	}
	return false
}

// excused says who told that a promise's records are lost, or why the promise may not be missing.
func (o *oracle) excused(x *visit, what string, p promise, l ledger) (who, why string) {
	if len(p.records) == 0 {
		return "", "nobody knows its records"
	}
	for _, id := range p.records {
		if l.ids[id] {
			continue
		}
		if !o.gone(p, id) {
			return "", fmt.Sprintf("record %s is not there, and no disk was lost that alone had it", id)
		}
		said := o.told(o.terminal[p.machine], id)
		if said == "" {
			return "", fmt.Sprintf("nobody told that record %s is lost, which lay at %v", id, o.spots[id])
		}
		who = max(who, said)
	}
	switch {
	case who != "":
		return who, ""
	case what == "inked" && o.damaged[x.caseID]:
		return "case.damaged", ""
	case what == "inked" && l.inks[x.blob] && slices.ContainsFunc(o.losses[p.machine], func(l *loss) bool { return p.n > l.from && p.n <= l.to }):
		return "a case that the platform shows to lack its picture", ""
	}
	return "", "the platform holds all its records"
}

// gone finds a disk that was lost and may have had the only copy of a promise's record. What was found on a disk that had lied was
// not lost with it.
func (o *oracle) gone(p promise, id string) bool {
	return slices.ContainsFunc(o.losses[p.machine], func(l *loss) bool { return p.n > l.from && p.n <= l.to && !l.found[id] })
}

// told says who told that a record is lost from one of its places, the last one that it had if there is a choice.
func (o *oracle) told(terminal, id string) string {
	for i, s := range slices.Backward(o.spots[id]) {
		for n := range o.notices {
			if n.covers(terminal, s) {
				if i < len(o.spots[id])-1 {
					return n.what + " at an earlier place"
				}
				return n.what
			}
		}
	}
	return ""
}

// life says of the machines that violations name what the platform holds of each of their lanes and who told of which losses.
func (o *oracle) life(l ledger, violations []string) (lines []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, machine := range slices.Sorted(maps.Keys(o.terminal)) {
		named := regexp.MustCompile(`\b` + machine + `\b`)
		if !slices.ContainsFunc(violations, named.MatchString) {
			continue
		}
		name := o.terminal[machine]
		for i := 0; i < len(l.records); {
			r, from := l.records[i], i
			for i < len(l.records) && l.records[i].Terminal == r.Terminal && l.records[i].Lane == r.Lane && l.records[i].Epoch == r.Epoch &&
				(i == from || l.records[i].Seq == l.records[i-1].Seq+1) {
				i++
			}
			if r.Terminal == name && (r.Lane == wire.LanePay || r.Lane == wire.LaneTx) {
				lines = append(lines, fmt.Sprintf("%s: held: %s of epoch %d, %d to %d", machine, r.Lane, r.Epoch, r.Seq, l.records[i-1].Seq))
			}
		}
		var said []string
		for n := range o.notices {
			if n.terminal == name {
				said = append(said, fmt.Sprintf("%s: told: %s of epoch %2d, %d to %d: %s", machine, n.lane, n.epoch, n.from, n.to, n.what))
			}
		}
		slices.Sort(said)
		lines = append(lines, said...)
	}
	return lines
}

func (o *oracle) history(p promise) string {
	t := fmt.Sprintf("promise %d of %s", p.n, p.machine)
	for _, loss := range o.losses[p.machine] {
		t += fmt.Sprintf("; %s: %d to %d", loss.how, loss.from, loss.to)
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
