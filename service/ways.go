// The ways in which a verify step proves the person, and the choice between them.

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A way proves the person who is there; a new one is a line in [ways].
type way struct {
	id          string // in an item's file, and of its option on the screen
	name, about Text   // of the option
	// offered tells whether the way can be begun here and now; nil means always. It may ask the platform, within ctx, and stays silent.
	offered func(ctx context.Context, j *Journey, s *verifyStep) bool
	// prove leaves a token in the visit. It returns errAnotherWay when the citizen wants another one, which it offers when others is set,
	// and a wayOver when the way did not prove them; any other error ends the step.
	prove func(ctx context.Context, j *Journey, s *verifyStep, others bool) error
}

// ways are all ways, in the order in which they are offered.
var ways []way

func init() {
	ways = []way{
		{id: "code", name: T("svc.way.code"), about: T("svc.way.code.about"), prove: proveByCode},
		{id: "fingerprint", name: T("svc.way.fingerprint"), about: T("svc.way.fingerprint.about"), offered: fingersThere, prove: proveByFinger},
		{id: "staff", name: T("svc.way.staff"), about: T("svc.way.staff.about"), offered: staffThere, prove: proveByStaff},
	}
}

// wayIDs are the ways that an item's file may name.
func wayIDs() []string {
	var ids []string
	for _, w := range ways {
		ids = append(ids, w.id)
	}
	return ids
}

// errAnotherWay: the citizen wants to be verified in another way.
var errAnotherWay = errors.New("the citizen wants another way")

// A wayOver says that a way did not prove the person; another one may.
type wayOver struct {
	told  *Referral // for whoever has no other way; What is shown above the choice of the others
	again bool      // the same way may be tried again
}

func (o *wayOver) Error() string { return "way is over: " + o.told.Error() }

// Unwrap is the referral: a way that is over and has no other beside it ends the item like any referral.
func (o *wayOver) Unwrap() error { return o.told }

// offeredWays are those of the step that can be begun now.
func (s *verifyStep) offeredWays(ctx context.Context, j *Journey) []way {
	var left []way
	for _, w := range ways {
		if slices.Contains(s.wayNames(), w.id) && (w.offered == nil || w.offered(ctx, j, s)) {
			left = append(left, w)
		}
	}
	return left
}

// wayNames are the ways of the step's file; without any it is a code.
func (s *verifyStep) wayNames() []string {
	if len(s.Ways) == 0 {
		return []string{"code"}
	}
	return s.Ways
}

func checkWays(names []string) error {
	for i, n := range names {
		switch {
		case !slices.Contains(wayIDs(), n):
			return fmt.Errorf("way %q, expected one of %s", n, strings.Join(wayIDs(), " "))
		case slices.Contains(names[:i], n):
			return fmt.Errorf("way %q is named twice", n)
		}
	}
	return nil
}

// prove goes through the ways until one proved the person. Whoever was not proved by their face, and whoever has no use for the way
// that comes first, chooses; everybody else meets the first one at once.
func (s *verifyStep) prove(ctx context.Context, j *Journey) error {
	left := s.offeredWays(ctx, j)
	if len(left) == 0 {
		return refer("no-way", "E-NO-WAY", nil)
	}
	first := j.faceless && len(left) > 1
	for choose, hint := first, (Text{}); ; {
		w := left[0]
		if choose {
			var err error
			if w, err = chooseWay(ctx, j, left, hint); err != nil {
				return err
			}
		}
		err := w.prove(ctx, j, s, len(left) > 1)
		var over *wayOver
		switch {
		case errors.Is(err, errAnotherWay), errors.Is(err, ErrBack) && choose:
			choose, hint = true, Text{}
		case errors.As(err, &over):
			rest := left
			if !over.again {
				rest = slices.DeleteFunc(slices.Clone(left), func(o way) bool { return o.id == w.id })
			}
			if len(rest) == 0 {
				return over.told
			}
			left, choose, hint = rest, true, over.told.What
		default:
			return err
		}
	}
}

// chooseWay asks which way it shall be.
func chooseWay(ctx context.Context, j *Journey, all []way, hint Text) (way, error) {
	p := Choose{Page: j.page(), Title: T("svc.way.title"), Hint: hint}
	if hint.IsZero() {
		p.Hint = T("svc.way.hint")
	}
	for _, w := range all {
		p.Options = append(p.Options, Option{ID: w.id, Label: w.name, Detail: w.about})
	}
	a, err := ask[Chosen](ctx, j, p)
	if err != nil {
		return way{}, err
	}
	i := slices.IndexFunc(all, func(w way) bool { return w.id == a.ID })
	if i < 0 {
		return way{}, fmt.Errorf("%w: way %q", ErrAnswer, a.ID)
	}
	return all[i], nil
}
