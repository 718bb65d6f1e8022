package platform

// Signing in as a browser does it, and as whoever should not.

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

const (
	firstPassword = "erste Losung 2026"
	ownPassword   = "晴天去江边散步看白鹭飞过大桥"
)

// browser sends forms from a page of ours, keeps the cookie, and follows nothing.
type browser struct {
	t      testing.TB
	h      http.Handler
	cookie *http.Cookie
	peer   string
	site   string // Sec-Fetch-Site
	origin string
}

func (b *browser) send(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, "https://platform.example"+path, strings.NewReader(form.Encode()))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.site != "" {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	if b.origin != "" {
		r.Header.Set("Origin", b.origin)
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	r.RemoteAddr = b.peer + ":40000"
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == sessionCookie {
			if b.cookie = c; c.MaxAge < 0 {
				b.cookie = nil
			}
		}
	}
	return w
}

func (b *browser) signIn(name, password string) *httptest.ResponseRecorder {
	return b.send("POST", "/login", url.Values{"name": {name}, "password": {password}})
}

type loginRig struct {
	*Server
	t   testing.TB
	now atomic.Int64
}

func newLoginRig(t testing.TB) *loginRig {
	t.Helper()
	l := &loginRig{t: t}
	l.now.Store(time.Now().UnixMilli())
	cfg := Config{Dir: t.TempDir(), Now: func() time.Time { return time.UnixMilli(l.now.Load()) }}
	if storeOfTests != nil {
		cfg.Store = storeOfTests(t)
	}
	s, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l.Server = s
	return l
}

func (l *loginRig) later(d time.Duration) { l.now.Add(d.Milliseconds()) }

func (l *loginRig) browser() *browser {
	return &browser{t: l.t, h: l.Handler(), peer: "192.0.2.7", site: "same-origin"}
}

// account is one whose password is its own.
func (l *loginRig) account(name string, role staff.Role) *browser {
	l.t.Helper()
	if err := AddAccount(l.t.Context(), l.store, NewAccount{name, role, firstPassword}, l.Server.now(), Operator{Who: "shell:test"}); err != nil {
		l.t.Fatal(err)
	}
	b := l.browser()
	if w := b.signIn(name, firstPassword); w.Code != 303 || w.Header().Get("Location") != "/account" {
		l.t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.send("POST", "/account/password", url.Values{"old": {firstPassword}, "new": {ownPassword}, "again": {ownPassword}}); w.Code != 303 {
		l.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return b
}

// said are the events of a kind, newest first.
func (l *loginRig) said(event, code string) (all []SecurityEvent) {
	l.t.Helper()
	events, err := l.SecurityEvents(l.t.Context(), 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range events {
		if e.Event == event && (code == "" || e.Code == code) {
			all = append(all, e)
		}
	}
	return all
}

func TestSigningIn(t *testing.T) {
	l := newLoginRig(t)
	b := l.browser()
	for _, path := range []string{"/", "/cases", "/requests", "/events", "/operators", "/account", "/enrol", "/terminals/990000-0001"} {
		if w := b.send("GET", path, nil); w.Code != 303 || w.Header().Get("Location") != "/login" {
			t.Errorf("%s without a login: %d %s", path, w.Code, w.Body)
		}
	}
	if w := b.send("GET", "/overview.json", nil); w.Code != 401 || code(w) != "E-SESSION" {
		t.Errorf("the page's data without a login: %d %s", w.Code, w.Body)
	}
	if w := b.send("GET", "/login", nil); w.Code != 200 || !strings.Contains(w.Body.String(), `type="password"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := AddAccount(t.Context(), l.store, NewAccount{"chen", staff.Viewer, firstPassword}, l.Server.now(), Operator{"shell:root", "first"}); err != nil {
		t.Fatal(err)
	}
	// A password that somebody else knows opens nothing but its change.
	if w := b.signIn(" CHEN", firstPassword); w.Code != 303 || w.Header().Get("Location") != "/account" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if c := b.cookie; c == nil || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") || len(c.Value) < 43 {
		t.Fatalf("%+v", c)
	}
	if w := b.send("GET", "/", nil); w.Header().Get("Location") != "/account" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := b.send("GET", "/overview.json", nil); w.Code != 403 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, bad := range []url.Values{
		{"old": {firstPassword}, "new": {"short"}, "again": {"short"}},
		{"old": {firstPassword}, "new": {"aaaaaaaaaaaaaaaa"}, "again": {"aaaaaaaaaaaaaaaa"}},
		{"old": {firstPassword}, "new": {"my name is chen, truly"}, "again": {"my name is chen, truly"}},
		{"old": {firstPassword}, "new": {firstPassword}, "again": {firstPassword}},
		{"old": {firstPassword}, "new": {ownPassword}, "again": {"other than that one"}},
		{"old": {"not the old one at all"}, "new": {ownPassword}, "again": {ownPassword}},
	} {
		if w := b.send("POST", "/account/password", bad); w.Code != 400 && w.Code != 401 {
			t.Errorf("%v: %d", bad, w.Code)
		}
	}
	elsewhere := l.browser()
	if w := elsewhere.signIn("chen", firstPassword); w.Code != 303 {
		t.Fatal(w.Code)
	}
	before := b.cookie.Value
	if w := b.send("POST", "/account/password", url.Values{"old": {firstPassword}, "new": {ownPassword}, "again": {ownPassword}}); w.Code != 303 || w.Header().Get("Location") != "/" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if b.cookie.Value == before {
		t.Error("the session kept its cookie over a new password")
	}
	if w := elsewhere.send("GET", "/account", nil); w.Header().Get("Location") != "/login" {
		t.Errorf("a session of the old password lives: %d", w.Code)
	}
	w := b.send("GET", "/", nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `<table id="cases">`) || strings.Contains(w.Body.String(), "/operators") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if p := w.Header().Get("Content-Security-Policy"); strings.Contains(p, "unsafe") || !strings.Contains(p, "form-action 'self'") || strings.Contains(w.Body.String(), "<style") || strings.Contains(w.Body.String(), "<script>") {
		t.Errorf("something may be written into the page: %s", p)
	}
	if w := b.send("GET", "/overview.json", nil); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	old := *b
	cookie := *b.cookie
	old.cookie = &cookie
	if w := b.send("POST", "/logout", nil); w.Code != 303 || b.cookie != nil {
		t.Errorf("%d %v", w.Code, b.cookie)
	}
	if w := old.send("GET", "/", nil); w.Header().Get("Location") != "/login" {
		t.Errorf("a cookie that was signed out: %d", w.Code)
	}
	for event, n := range map[string]int{"account.added": 1, "account.in": 2, "account.password": 1, "account.out": 1} {
		if all := l.said(event, ""); len(all) != n || event != "account.added" && (all[0].Who != "chen" || all[0].Peer != "192.0.2.7") {
			t.Errorf("%s: %+v", event, all)
		}
	}
	if all := l.said("refused", "E-SESSION"); len(all) == 0 {
		t.Error("a cookie of nobody left no trace")
	}
	if all := l.said("refused", "E-LOGIN"); len(all) != 1 || all[0].Who != "chen" || all[0].Route != "POST /account/password" {
		t.Errorf("%+v", all)
	}
	for _, e := range l.said("account.act", "") {
		if strings.Contains(e.Why, "Losung") {
			t.Error("a password among the events")
		}
	}
	// What lies in the store opens nothing.
	if err := l.store.View(t.Context(), func(tx Tx) error {
		a, err := tx.Account("chen")
		if !strings.HasPrefix(a.Password, "$argon2id$v=19$m=47104,t=1,p=1$") {
			t.Errorf("password is kept as %.40s", a.Password)
		}
		if _, err := tx.Session(cookie.Value); err == nil {
			t.Error("the cookie lies in the store")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestSessionsEnd(t *testing.T) {
	l := newLoginRig(t)
	b := l.account("chen", staff.Viewer)
	for range 20 { // in use
		l.later(29 * time.Minute)
		if w := b.send("GET", "/", nil); w.Code != 200 {
			t.Fatalf("%d", w.Code)
		}
	}
	// the page that refreshes itself is not use
	for range 3 {
		l.later(11 * time.Minute)
		b.send("GET", "/overview.json", nil)
	}
	if w := b.send("GET", "/", nil); w.Code != 303 {
		t.Errorf("idle for 33 minutes: %d", w.Code)
	}
	if w := b.signIn("chen", ownPassword); w.Code != 303 {
		t.Fatal(w.Code)
	}
	for range 30 {
		l.later(25 * time.Minute)
		b.send("GET", "/", nil)
	}
	if b.cookie != nil {
		t.Error("in use for more than twelve hours, and still signed in")
	}
	b.signIn("chen", ownPassword)
	off := true
	if err := ChangeAccount(t.Context(), l.store, "chen", AccountChange{Off: &off}, l.Server.now(), Operator{"shell:root", "left"}); err != nil {
		t.Fatal(err)
	}
	if w := b.send("GET", "/overview.json", nil); w.Code != 401 {
		t.Errorf("an account that is off: %d", w.Code)
	}
	if w := b.signIn("chen", ownPassword); w.Code != 401 {
		t.Errorf("an account that is off signs in: %d", w.Code)
	}
}

func TestRolesAtThePages(t *testing.T) {
	l := newLoginRig(t)
	enrolled(t, l.Server, "990000-0001")
	people := map[staff.Role]*browser{staff.Viewer: l.account("wang", staff.Viewer), staff.Clerk: l.account("chen", staff.Clerk), staff.Administrator: l.account("bai", staff.Administrator)}
	p := enrolled(t, l.Server, "990000-0002")
	id := uuid.NewString()
	if w := p.do("POST", wire.PathPush, p.batch(p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "<script>alert(1)</script>", ReceiptCode: "03-1", State: "SUBMITTED", At: time.Now(), Person: "<b>*"}),
		p.record(wire.TypeHotline, id, wire.Hotline{LocalNo: "L-1", Category: "<img src=x onerror=alert(1)>", Phone: "13800000009", At: time.Now()}))); w.Code != 200 {
		t.Fatal(w.Body)
	}
	// A terminal of another maker sends a whole name: no page shows it.
	whole := uuid.NewString()
	if w := p.do("POST", wire.PathPush, p.batch(p.record(wire.TypeCaseOpened, whole, wire.CaseOpened{Item: "SB-P", ReceiptCode: "03-2", State: "SUBMITTED", At: time.Now(), Person: "李晓雯"}))); w.Code != 200 {
		t.Fatal(w.Body)
	}
	for _, path := range []string{"/cases", "/overview.json"} {
		if list := people[staff.Clerk].send("GET", path, nil).Body.String(); strings.Contains(list, "李晓雯") || !strings.Contains(list, "李*雯") {
			t.Errorf("%s: %s", path, list)
		}
	}
	record := ""
	if err := l.store.View(t.Context(), func(tx Tx) error {
		all, err := tx.Hotlines(1)
		record = all[0].Record
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		form         url.Values
		least        staff.Role
		status       int
	}{
		{"GET", "/", nil, staff.Viewer, 200},
		{"GET", "/overview.json", nil, staff.Viewer, 200},
		{"GET", "/terminals/990000-0001", nil, staff.Viewer, 200},
		{"GET", "/terminals/nobody", nil, staff.Viewer, 404},
		{"GET", "/cases", nil, staff.Clerk, 200},
		{"GET", "/cases?receipt=03-1", nil, staff.Clerk, 200},
		{"GET", "/requests", nil, staff.Clerk, 200},
		{"POST", "/requests/" + record + "/show", url.Values{"why": {"call back"}}, staff.Clerk, 200},
		{"POST", "/requests/" + record + "/show", url.Values{"why": {" "}}, staff.Clerk, 400},
		{"POST", "/requests/none/show", url.Values{"why": {"call back"}}, staff.Clerk, 404},
		{"POST", "/terminals/990000-0001/orders", url.Values{"order": {"pause"}, "why": {"停电检修"}}, staff.Clerk, 303},
		{"POST", "/terminals/990000-0001/orders", url.Values{"order": {"rm -rf"}, "why": {"停电检修"}}, staff.Clerk, 400},
		{"GET", "/enrol", nil, staff.Administrator, 200},
		{"POST", "/enrol", url.Values{"id": {"990000-0009"}, "why": {"new hall"}}, staff.Administrator, 200},
		{"POST", "/enrol", url.Values{"id": {"../x"}, "why": {"new hall"}}, staff.Administrator, 400},
		{"POST", "/terminals/990000-0001/standing", url.Values{"act": {"revoke"}, "why": {"stolen"}}, staff.Administrator, 303},
		{"GET", "/events", nil, staff.Administrator, 200},
		{"GET", "/operators", nil, staff.Administrator, 200},
		{"POST", "/operators/bai", url.Values{"act": {"viewer"}, "why": {"myself"}}, staff.Administrator, 400}, // the last administrator
		{"POST", "/operators/wang", url.Values{"act": {"clerk"}, "why": {"new post"}}, staff.Administrator, 303},
	} {
		for _, role := range staff.Roles {
			before, want := len(l.said("refused", "E-ROLE")), c.status
			if !role.May(c.least) {
				want = 403
			}
			l.later(2 * time.Minute) // refusals are summed up by the minute
			w := people[role].send(c.method, c.path, c.form)
			if w.Code != want {
				t.Errorf("%s as %s: %d, want %d", c.path, role, w.Code, want)
			}
			if want == 403 {
				all := l.said("refused", "E-ROLE")
				if len(all) != before+1 || all[0].Who == "" || !strings.HasPrefix(all[0].Route, c.method) {
					t.Errorf("%s as %s left no trace: %d %+v", c.path, role, len(all), all)
				}
			}
			if body := w.Body.String(); strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") {
				t.Errorf("%s: markup from a record", c.path)
			}
			if shows := strings.Contains(w.Body.String(), "13800000009"); shows != (w.Code == 200 && strings.HasSuffix(c.path, "/show")) {
				t.Errorf("%s as %s shows the number: %v", c.path, role, shows)
			}
		}
	}
	if all := l.said("personal.shown", ""); len(all) != 2 || all[1].Who != "chen" || all[1].Why != "L-1 call back" {
		t.Errorf("%+v", all)
	}
	acts := map[string]int{}
	for _, e := range l.said("account.act", "") {
		if e.Who == "" || e.Peer == "" {
			t.Errorf("%+v", e)
		}
		acts[e.Route]++
	}
	if acts["POST /terminals/{terminal}/orders"] != 4 || acts["POST /enrol"] != 2 || acts["POST /operators/{name}"] != 2 {
		t.Errorf("%v", acts)
	}
	if st := l.said("terminal.revoked", ""); len(st) != 1 || st[0].Who != "bai" || st[0].Why != "stolen" {
		t.Errorf("%+v", st)
	}
	// wang became a clerk: her session of before ended, and the next one is a clerk's
	b := l.browser()
	if b.signIn("wang", ownPassword); b.send("GET", "/cases", nil).Code != 200 {
		t.Error("a new role does nothing")
	}
	if w := people[staff.Viewer].send("GET", "/", nil); w.Code != 303 {
		t.Errorf("a session of the role before: %d", w.Code)
	}
}

func TestIntrudersAtThePages(t *testing.T) {
	l := newLoginRig(t)
	b := l.account("bai", staff.Administrator)
	form := url.Values{"name": {"eve"}, "role": {"administrator"}, "password": {"eve has a password"}, "why": {"because"}}
	none := func(t *testing.T) {
		t.Helper()
		if all, err := Accounts(t.Context(), l.store); err != nil || len(all) != 1 {
			t.Fatalf("%+v %v", all, err)
		}
	}
	t.Run("a form of another site", func(t *testing.T) {
		for name, x := range map[string]browser{
			"cross-site":            {site: "cross-site", origin: "https://evil.example"},
			"a sister":              {site: "same-site", origin: "https://other.platform.example"},
			"an old browser":        {origin: "https://evil.example"},
			"a sandbox":             {origin: "null"},
			"who says nothing":      {},
			"another port's origin": {origin: "https://platform.example:8443"},
		} {
			x.t, x.h, x.peer, x.cookie = t, b.h, "192.0.2.9", b.cookie
			l.later(2 * time.Minute)
			before := len(l.said("refused", "E-ORIGIN"))
			if w := x.send("POST", "/operators", form); w.Code != 403 {
				t.Errorf("%s: %d", name, w.Code)
			}
			if w := x.send("POST", "/logout", nil); w.Code != 403 {
				t.Errorf("%s signs out: %d", name, w.Code)
			}
			if w := x.signIn("bai", ownPassword); w.Code != 403 {
				t.Errorf("%s signs in: %d", name, w.Code)
			}
			if all := l.said("refused", "E-ORIGIN"); len(all) != before+3 || all[2].Who != "bai" {
				t.Errorf("%s left %d traces, %+v", name, len(all)-before, all)
			}
			none(t)
		}
	})
	t.Run("a cookie that was put there before", func(t *testing.T) {
		v := l.browser()
		v.cookie = &http.Cookie{Name: sessionCookie, Value: "FIXEDBYTHEINTRUDER"}
		if w := v.signIn("bai", ownPassword); w.Code != 303 || v.cookie.Value == "FIXEDBYTHEINTRUDER" {
			t.Errorf("%d %v", w.Code, v.cookie)
		}
		thief := l.browser()
		thief.cookie = &http.Cookie{Name: sessionCookie, Value: "FIXEDBYTHEINTRUDER"}
		if w := thief.send("GET", "/operators", nil); w.Code != 303 {
			t.Errorf("%d", w.Code)
		}
		// signing in again ends the session of before
		was := *v.cookie
		v.signIn("bai", ownPassword)
		thief.cookie = &was
		if w := thief.send("GET", "/operators", nil); w.Code != 303 {
			t.Errorf("the session of before: %d", w.Code)
		}
	})
	t.Run("cookies that are none", func(t *testing.T) {
		for _, value := range []string{"", "x", strings.Repeat("A", 4000), sessionHash(b.cookie.Value), "'%20OR%201=1--", b.cookie.Value[:len(b.cookie.Value)-1]} {
			l.later(2 * time.Minute)
			before := len(l.said("refused", "E-SESSION"))
			thief := l.browser()
			thief.cookie = &http.Cookie{Name: sessionCookie, Value: value}
			if w := thief.send("POST", "/operators", form); w.Code != 401 {
				t.Errorf("%.20q: %d", value, w.Code)
			}
			if n := len(l.said("refused", "E-SESSION")); n <= before {
				t.Errorf("%.20q left no trace", value)
			}
		}
		none(t)
	})
	t.Run("who guesses", func(t *testing.T) {
		l.later(time.Hour)
		guesser := l.browser()
		guesser.peer = "198.51.100.1"
		for i := range 5 {
			if w := guesser.signIn("bai", "guess number "+string(rune('a'+i))); w.Code != 401 {
				t.Errorf("guess %d: %d", i, w.Code)
			}
		}
		w := guesser.signIn("bai", ownPassword)
		if w.Code != 429 || w.Header().Get("Retry-After") != "900" {
			t.Errorf("the right one after five wrong ones: %d %v", w.Code, w.Header())
		}
		if all := l.said("account.locked", ""); len(all) != 1 || all[0].Who != "bai" || all[0].Peer != "198.51.100.1" {
			t.Errorf("%+v", all)
		}
		// An account that is not there is answered in the same words.
		for range 5 {
			unknown := guesser.signIn("nobody", "some password there")
			if unknown.Code != 401 || strings.ReplaceAll(unknown.Body.String(), "nobody", "bai") != l.browser().wrong("bai") {
				t.Errorf("%d", unknown.Code)
			}
		}
		if w := guesser.signIn("nobody", "some password there"); w.Code != 429 {
			t.Errorf("nobody's account is not locked: %d", w.Code)
		}
		if who := l.said("refused", "E-LOGIN"); len(who) == 0 {
			t.Error("guesses left no trace")
		}
		// Over all accounts, an address has thirty tries.
		last := 0
		for i := range 40 {
			last = guesser.signIn("user"+string(rune('a'+i%26))+string(rune('a'+i/26)), "some password there").Code
		}
		if last != 429 {
			t.Errorf("the address guesses on: %d", last)
		}
		l.later(16 * time.Minute)
		if w := guesser.signIn("bai", ownPassword); w.Code != 303 {
			t.Errorf("a quarter of an hour later: %d", w.Code)
		}
		for range 5 {
			guesser.signIn("bai", "wrong one again")
		}
		if err := ChangeAccount(t.Context(), l.store, "bai", AccountChange{Unlock: true}, l.Server.now(), Operator{"shell:root", "it was me"}); err != nil {
			t.Fatal(err)
		}
		if w := guesser.signIn("bai", ownPassword); w.Code != 303 {
			t.Errorf("unlocked: %d", w.Code)
		}
		for _, e := range l.said("refused", "") {
			if strings.Contains(e.Who, "nobody") || strings.Contains(e.Who, "user") {
				t.Errorf("what was typed for a name is kept: %+v", e)
			}
		}
	})
	t.Run("many tries at once are as many", func(t *testing.T) {
		l.later(time.Hour)
		codes := make(chan int, 20)
		for range cap(codes) {
			go func() { codes <- l.browser().signIn("bai", "all at once, then").Code }()
		}
		looked := 0
		for range cap(codes) {
			if <-codes == 401 {
				looked++
			}
		}
		if looked > triesOfAccount {
			t.Errorf("%d passwords were looked at", looked)
		}
	})
	t.Run("forms too large", func(t *testing.T) {
		x := l.browser()
		if w := x.signIn("bai", strings.Repeat("x", 1<<20)); w.Code != 413 {
			t.Errorf("%d", w.Code)
		}
		if w := x.signIn(strings.Repeat("y", 10_000), "z"); w.Code != 401 {
			t.Errorf("%d", w.Code)
		}
	})
}

// wrong is what is answered to a wrong password of an account that was not tried yet.
func (b *browser) wrong(string) string {
	var w writer
	_ = loginPage.ExecuteTemplate(&w, "frame", shown{Is: wire.Error{Code: "E-LOGIN", Message: pageWordsOf[errLogin]}})
	return string(w)
}

func TestAccountsAreChecked(t *testing.T) {
	l := newLoginRig(t)
	by := Operator{Who: "shell:test"}
	for _, n := range []NewAccount{{"", staff.Viewer, firstPassword}, {"A", staff.Viewer, firstPassword}, {"a/b", staff.Viewer, firstPassword}, {"<b>", staff.Viewer, firstPassword},
		{"chen", "root", firstPassword}, {"chen", "", firstPassword}, {"chen", staff.Viewer, "short"}, {"chen", staff.Viewer, strings.Repeat("long enough ", 40)}} {
		if err := AddAccount(t.Context(), l.store, n, l.Server.now(), by); err == nil {
			t.Errorf("%+v was taken", n)
		}
	}
	l.account("bai", staff.Administrator)
	if err := AddAccount(t.Context(), l.store, NewAccount{"bai", staff.Viewer, firstPassword}, l.Server.now(), by); err == nil {
		t.Error("an account was made twice")
	}
	off, viewer := true, staff.Viewer
	for _, c := range []AccountChange{{Off: &off}, {Role: &viewer}} {
		if err := ChangeAccount(t.Context(), l.store, "bai", c, l.Server.now(), by); err == nil {
			t.Error("nobody is left who may let anybody in")
		}
	}
	if err := ChangeAccount(t.Context(), l.store, "none", AccountChange{Off: &off}, l.Server.now(), by); err == nil {
		t.Error("nobody was changed")
	}
	for role, others := range map[staff.Role][]staff.Role{"": {staff.Viewer, ""}, "root": {staff.Viewer, "root"}, staff.Viewer: {staff.Clerk, ""}} {
		for _, o := range others {
			if role.May(o) {
				t.Errorf("%q may %q", role, o)
			}
		}
	}
}
