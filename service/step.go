// What a step is, and which kinds of step there are.

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// A Step is one thing an item asks for. Its exported fields are its settings in the item file.
type Step interface {
	// Ready says what would keep the step from succeeding if it began now, or the zero Text. It asks nobody and moves
	// nothing.
	Ready(Scene) Text
	// Run does the step. Beside [ErrBack], [ErrLeft] and [ErrTimedOut] it returns a [*Referral] when the item cannot go
	// on and the citizen must be told what to do instead.
	Run(context.Context, *Journey) error
}

// Scene is what Ready may look at.
type Scene struct {
	Item        *Item
	Now         time.Time
	Link        Link
	Catalogue   Catalogue
	Devices     devices.Set
	Full        bool                     // the journal takes no new business
	OnBattery   bool                     // the mains are off
	Pays        bool                     // there is a cashier
	Stock       func(kind string) uint64 // free pieces of counted stock; nil: none is known
	InDoubt     func(kind string) uint64 // pieces of which nobody knows where they are
	Locked      func(kind string) bool   // a count was off, and two people have not cleared it
	Office      bool                     // there is an office
	Queues      []Queue                  // of the hall, as they were heard of last
	CardCheck   bool                     // printed cards are read before they are handed out
	ClockUnsure bool                     // the clock contradicts what is known
}

// placed is a step that not every place can have: where it is not here, its item has no tile.
type placed interface{ here(Scene) bool }

// kind is one kind of step.
type kind struct {
	make    func() Step
	after   []string // kinds that must stand before it
	asks    bool     // asks the citizen for something that becomes part of the case
	commits bool     // opens the case
	online  bool     // cannot succeed without the platform
	back    bool     // going back from a later step comes here
	floor   bool     // once done, going back does not pass it
}

// kinds are the kinds of step by the name an item file uses.
var kinds map[string]kind

func init() {
	kinds = map[string]kind{
		"consent":  {make: func() Step { return new(consentStep) }, asks: true, back: true},
		"identify": {make: func() Step { return new(identifyStep) }, asks: true, after: []string{"consent"}},
		"verify":   {make: func() Step { return new(verifyStep) }, asks: true, after: []string{"identify"}, online: true, floor: true},
		"choose":   {make: func() Step { return new(chooseStep) }, asks: true, back: true},
		"form":     {make: func() Step { return new(formStep) }, asks: true, back: true},
		"ink":      {make: func() Step { return new(inkStep) }, asks: true, back: true},
		"review":   {make: func() Step { return new(reviewStep) }, asks: true, back: true},
		"queue":    {make: func() Step { return new(queueStep) }, asks: true, back: true},
		"guide":    {make: func() Step { return new(guideStep) }, asks: true, back: true},
		"face":     {make: func() Step { return new(faceStep) }, asks: true, after: []string{"identify"}},
		"chance":   {make: func() Step { return new(chanceStep) }, asks: true, back: true, online: true, after: []string{"verify"}},
		"photo":    {make: func() Step { return new(photoStep) }, asks: true, back: true},
		"apply":    {make: func() Step { return new(applyStep) }, commits: true, online: true, after: []string{"chance", "photo", "ink", "review"}},
		"decision": {make: func() Step { return new(decisionStep) }, online: true, after: []string{"apply"}},
		"card":     {make: func() Step { return new(cardStep) }, commits: true, online: true, after: []string{"decision"}},
		"query":    {make: func() Step { return new(queryStep) }, commits: true, online: true, after: []string{"verify"}},
		"result":   {make: func() Step { return new(resultStep) }, after: []string{"query"}},
		"submit":   {make: func() Step { return new(submitStep) }, commits: true, after: []string{"review"}},
		"pay":      {make: func() Step { return new(payStep) }, commits: true, online: true, after: []string{"review"}},
		"print":    {make: func() Step { return new(printStep) }, commits: true, online: true, after: []string{"verify", "review"}},
		"receipt":  {make: func() Step { return new(receiptStep) }, after: []string{"commit"}},
		"deliver":  {make: func() Step { return new(deliverStep) }, after: []string{"print"}},
		"rate":     {make: func() Step { return new(rateStep) }, after: []string{"commit"}},
	}
}

// consumers are the roles that use something up.
var consumers = map[string]devices.Role{
	string(devices.RoleDocumentPrinter): devices.RoleDocumentPrinter,
	string(devices.RoleReceiptPrinter):  devices.RoleReceiptPrinter,
	string(devices.RoleCardPrinter):     devices.RoleCardPrinter,
}

// Settings are what every step may carry beside its own.
type Settings struct {
	Bar Words `yaml:"bar"`
}

func (s Settings) bar() Words { return s.Bar }

// checker is a step that can find its settings senseless.
type checker interface{ check() error }

// parseSteps reads a list of one-key mappings: the key is the kind, the value its settings.
func parseSteps(nodes []ast.Node) ([]Named, error) {
	if len(nodes) > maxSteps {
		return nil, &lineError{lineOf(nodes[maxSteps]), fmt.Errorf("%d steps, limit %d", len(nodes), maxSteps)}
	}
	var (
		out   []Named
		count = map[string]int{}
	)
	for _, n := range nodes {
		name, value, err := oneKey(n)
		if err != nil {
			return nil, &lineError{lineOf(n), err}
		}
		k, ok := kinds[name]
		if !ok {
			return nil, &lineError{lineOf(n), fmt.Errorf("unknown step %q, expected one of %s", name, strings.Join(kindNames(), " "))}
		}
		step := k.make()
		if _, empty := value.(*ast.NullNode); !empty {
			if err := yaml.NodeToValue(value, step, yaml.Strict()); err != nil {
				line := at(err)
				if line == 0 {
					line = lineOf(value)
				}
				return nil, &lineError{line, fmt.Errorf("step %q: %w", name, expecting(err, step))}
			}
		}
		bar := step.(interface{ bar() Words }).bar()
		if err := bar.check("bar", false); err != nil {
			return nil, &lineError{lineOf(n), fmt.Errorf("step %q: %w", name, err)}
		}
		if c, ok := step.(checker); ok {
			if err := c.check(); err != nil {
				return nil, &lineError{lineOf(n), fmt.Errorf("step %q: %w", name, err)}
			}
		}
		count[name]++
		named := Named{Name: name, Kind: name, Bar: bar, Step: step}
		if count[name] > 1 {
			named.Name += strconv.Itoa(count[name])
		}
		out = append(out, named)
	}
	return out, nil
}

func oneKey(n ast.Node) (string, ast.Node, error) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	}
	if len(pairs) != 1 || pairs[0].Key == nil || pairs[0].Value == nil {
		return "", nil, errors.New("expected one step with its settings, like \"- identify: {}\"")
	}
	return pairs[0].Key.GetToken().Value, pairs[0].Value, nil
}

func kindNames() []string {
	var names []string
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// A Referral ends an item: what happened, what it means, what to do now, and a code for the desk.
type Referral struct {
	What, Means, Do Text
	Code            string
	Cause           error  // for the log; nil when nothing failed
	Window          string // why a window of the hall helps, in one word; "": none does
}

func (r *Referral) Error() string {
	if r.Cause != nil {
		return r.Code + ": " + r.Cause.Error()
	}
	return r.Code
}

// Unwrap gives the cause.
func (r *Referral) Unwrap() error { return r.Cause }

// refer makes a referral from the three texts svc.trouble.NAME.what, .means and .do.
func refer(name, code string, cause error, pairs ...string) *Referral {
	id := "svc.trouble." + name
	var coded *PlatformError
	if errors.As(cause, &coded) && coded.Code != "" {
		code = coded.Code
	}
	r := &Referral{What: T(id+".what", pairs...), Means: T(id+".means", pairs...), Do: T(id+".do", pairs...), Code: code, Cause: cause}
	if slices.Contains(windowTroubles, name) {
		r.Window = name
	}
	return r
}
