package platform

// The reviewer's page as forms are sent to it; a real browser is in test/pages.

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// hostileRegister puts markup wherever a register can.
type hostileRegister struct{ seededRegister }

const markup = `<script>alert(1)</script><img src=x onerror=alert(2)>`

func (r hostileRegister) CardPerson(ctx context.Context, number, name string) (RegisterEntry, error) {
	e, err := r.seededRegister.CardPerson(ctx, number, name)
	e.Name, e.Nation, e.Authority = "李"+markup, markup, markup
	e.Address = `"><script>alert(3)</script>`
	return e, err
}

// waiting is a server with an application that waits, and its peer.
func waiting(t *testing.T) (*loginRig, wire.CardApplication) {
	t.Helper()
	s, box := newServer(t)
	s.cfg.Register = hostileRegister{seededRegister{s.now}}
	p := enrolled(t, s, "990000-0001")
	a := application(t, uuid.NewString(), p.proven(box, 1, seedPeople[1].name), 1)
	a.Checks = []wire.CardCheck{{Name: markup, Value: 1}, {Name: "eyes", Value: 0.5, OK: true}}
	if c, w := p.card("POST", "", a); w.Code != 200 || c.State != wire.CardWaiting {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return &loginRig{Server: s, t: t}, a
}

func TestAReviewerSeesAnApplicationAndDecides(t *testing.T) {
	l, a := waiting(t)
	viewer, clerk, boss := l.account("wang", staff.Viewer), l.account("chen", staff.Clerk), l.account("bai", staff.Administrator)
	page := "/cards/" + a.Key
	for _, path := range []string{"/cards", page, page + "/photo", page + "/ink"} {
		if w := viewer.send("GET", path, nil); w.Code != 403 {
			t.Errorf("%s for a viewer: %d", path, w.Code)
		}
		w := clerk.send("GET", path, nil)
		if w.Code != 200 || strings.Contains(w.Body.String(), "<script>alert") || strings.Contains(w.Body.String(), "<img src=x") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := clerk.send("GET", page+"/photo", nil); w.Header().Get("Content-Type") != "image/jpeg" || w.Body.String() != string(a.Photo) {
		t.Errorf("%s", w.Header())
	}
	if w := clerk.send("GET", page, nil); !strings.Contains(w.Header().Get("Content-Security-Policy"), "img-src 'self'") || !strings.Contains(w.Body.String(), "&lt;script&gt;") {
		t.Errorf("%s", w.Header())
	}
	if list := clerk.send("GET", "/cards", nil).Body.String(); !strings.Contains(list, "1 / 2") || strings.Contains(list, numberOf(t, 1)) {
		t.Errorf("%s", list)
	}
	if all := l.said("personal.shown", "card"); len(all) != 2 || all[0].Who != "chen" || !strings.HasPrefix(all[0].Why, "TID-") {
		t.Errorf("%+v", all)
	}
	decide := page + "/decide"
	for what, c := range map[string]struct {
		form   url.Values
		status int
	}{
		"no act":           {url.Values{"rev": {"1"}}, 400},
		"no revision":      {url.Values{"act": {"approve"}}, 400},
		"another revision": {url.Values{"act": {"approve"}, "rev": {"7"}}, 409},
		"without a reason": {url.Values{"act": {"reject"}, "rev": {"1"}, "why": {" a "}}, 400},
	} {
		if w := clerk.send("POST", decide, c.form); w.Code != c.status {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	foreign := *clerk
	foreign.site = "cross-site"
	if w := foreign.send("POST", decide, url.Values{"act": {"approve"}, "rev": {"1"}}); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
	if w := viewer.send("POST", decide, url.Values{"act": {"approve"}, "rev": {"1"}}); w.Code != 403 {
		t.Errorf("as a viewer: %d", w.Code)
	}
	if w := clerk.send("POST", decide, url.Values{"act": {"reject"}, "rev": {"1"}, "why": {"照片不清楚"}, "why_en": {"The photo is not sharp"}}); w.Code != 303 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := boss.send("POST", decide, url.Values{"act": {"approve"}, "rev": {"1"}})
	if w.Code != 409 || !strings.Contains(w.Body.String(), "chen") {
		t.Errorf("the second: %d %s", w.Code, w.Body)
	}
	all, err := l.Cards(t.Context(), wire.CardRejected, 9)
	if err != nil || len(all) != 1 || all[0].Why["zh"] != "照片不清楚" || all[0].Why["en"] != "The photo is not sharp" || all[0].By != "chen" {
		t.Errorf("%+v %v", all, err)
	}
	if all := l.said("card.rejected", ""); len(all) != 1 || all[0].Who != "chen" {
		t.Errorf("%+v", all)
	}
}

// Of many who decide at the same moment one does, and every other is told so.
func TestReviewersDoNotDecideTwice(t *testing.T) {
	l, a := waiting(t)
	var people []*browser
	for i := range 4 {
		people = append(people, l.account(fmt.Sprint("clerk", i), staff.Clerk))
	}
	codes := make([]int, len(people))
	var wg sync.WaitGroup
	for i, b := range people {
		wg.Go(func() {
			form := url.Values{"rev": {"1"}, "act": {"approve"}}
			if i%2 == 0 {
				form = url.Values{"rev": {"1"}, "act": {"reject"}, "why": {"不是本人"}}
			}
			codes[i] = b.send("POST", "/cards/"+a.Key+"/decide", form).Code
		})
	}
	wg.Wait()
	done := 0
	for _, c := range codes {
		switch c {
		case 303:
			done++
		case 409:
		default:
			t.Errorf("%v", codes)
		}
	}
	if n := len(l.said("card.approved", "")) + len(l.said("card.rejected", "")); done != 1 || n != 1 {
		t.Errorf("%v, %d decisions", codes, n)
	}
}

func TestThePolicyIsTheAdministratorsAndSigned(t *testing.T) {
	s, box := newServer(t)
	l := &loginRig{Server: s, t: t}
	clerk, boss := l.account("chen", staff.Clerk), l.account("bai", staff.Administrator)
	if w := clerk.send("POST", "/cards/policy", url.Values{"act": {"on"}, "why": {"too much work"}}); w.Code != 403 {
		t.Errorf("%d", w.Code)
	}
	p := enrolled(t, s, "990000-0001")
	apply := func(place int, change func(*wire.CardApplication)) wire.CardState {
		t.Helper()
		a := application(t, uuid.NewString(), p.proven(box, place, seedPeople[place].name), place)
		change(&a)
		c, w := p.card("POST", "", a)
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return c.State
	}
	as := func(*wire.CardApplication) {}
	if st := apply(0, as); st != wire.CardWaiting {
		t.Errorf("off by default: %s", st)
	}
	// A policy that the platform did not sign is none.
	if err := s.store.Update(t.Context(), func(tx Tx) error {
		return tx.PutSetting(cardPolicySetting, `{"policy":{"auto":true},"signature":"AAAA"}`)
	}); err != nil {
		t.Fatal(err)
	}
	if st := apply(1, as); st != wire.CardWaiting {
		t.Errorf("by a policy that nobody signed: %s", st)
	}
	if w := boss.send("POST", "/cards/policy", url.Values{"act": {"on"}, "why": {"trial of a week"}}); w.Code != 303 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := boss.send("GET", "/cards", nil); !strings.Contains(w.Body.String(), "自动通过") {
		t.Errorf("%s", w.Body)
	}
	if st := apply(2, as); st != wire.CardApproved {
		t.Errorf("by the policy: %s", st)
	}
	if st := apply(3, func(a *wire.CardApplication) { a.Checks = append(a.Checks, wire.CardCheck{Name: "sharp"}) }); st != wire.CardWaiting {
		t.Errorf("with a check that failed: %s", st)
	}
	if st := apply(4, func(a *wire.CardApplication) { a.Checks = nil }); st != wire.CardWaiting {
		t.Errorf("without checks: %s", st)
	}
	if st := apply(1, func(a *wire.CardApplication) { a.Child, a.Voucher = numberOf(t, 5), SeedVoucher(5) }); st != wire.CardWaiting {
		t.Errorf("for a child: %s", st)
	}
	if all := l.said("card.policy", "auto on"); len(all) != 1 || all[0].Who != "bai" {
		t.Errorf("%+v", all)
	}
}
