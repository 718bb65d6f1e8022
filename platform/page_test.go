package platform

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// pageText is the page and its script.
func pageText(t *testing.T) string {
	var b writer
	if err := pageTemplate.Execute(&b, shown{}); err != nil {
		t.Fatal(err)
	}
	return string(b) + pageScript
}

// Every key that the page asks for has words in both languages, and no two languages were forgotten.
func TestPageHasItsWords(t *testing.T) {
	known := map[string]bool{}
	for _, w := range pageTexts {
		known[w[0]] = true
		if w[1] == "" || w[2] == "" {
			t.Errorf("%q lacks a language", w[0])
		}
	}
	for _, re := range []string{`data-w="([a-z_]+)"`, `w\('([a-z_]+)'\)`, `sum\([a-z_.]+,'([a-z_]+)'\)`} {
		found := regexp.MustCompile(re).FindAllStringSubmatch(pageText(t), -1)
		if len(found) == 0 {
			t.Errorf("%s matches nothing", re)
		}
		for _, m := range found {
			if !known[m[1]] {
				t.Errorf("the page asks for %q, which has no words", m[1])
			}
		}
	}
	words := func(group string) map[string]bool {
		all := map[string]bool{}
		for _, w := range pageGroups[group] {
			all[w[0]] = w[1] != "" && w[2] != ""
		}
		return all
	}
	for _, s := range journal.States() {
		if !words("state")[string(s)] {
			t.Errorf("state %s has no words", s)
		}
	}
	for role := range config.Drivers {
		if !words("role")[string(role)] {
			t.Errorf("role %s has no words", role)
		}
	}
	for group, all := range map[string][]string{
		"card":     {string(wire.CardWaiting), string(wire.CardApproved), string(wire.CardRejected), string(wire.CardPrinting), string(wire.CardIssued), string(wire.CardDoubt), string(wire.CardEnded)},
		"bill":     {string(pay.BillOpen), string(pay.BillClosing), string(pay.BillClosed), string(pay.BillPaid), string(pay.BillDisputed), string(pay.BillReturning), string(pay.BillReturned)},
		"blank":    {string(wire.BlankDoubt), string(wire.BlankRetained)},
		"matter":   {pay.MatterAmount, pay.MatterRefund, pay.MatterUnknown, pay.MatterAgainst, pay.MatterStatement, pay.MatterEBill, pay.MatterRed, pay.MatterEBillLate, pay.MatterEBook, matterKept},
		"verdict":  {verdictOpen, verdictConfirmed, verdictRefused, verdictOvertaken},
		"standing": {Active, Revoked, Reset},
		"command":  pageCommands,
	} {
		for _, code := range all {
			if !words(group)[code] {
				t.Errorf("%s %s has no words", group, code)
			}
		}
	}
	for _, d := range []DoubtRow{{State: string(wire.BlankRetained), Number: "B"}, {State: string(wire.BlankDoubt), Number: "B"}, {State: string(wire.BlankDoubt)}} {
		for _, c := range append(blankChoices(d, true), blankChoices(d, false)...) {
			if c.Words() == "" {
				t.Errorf("choice %q has no words", c)
			}
		}
	}
	for _, w := range pageGroups["matter"] {
		for _, c := range moneyChoices(w[0]) {
			if c.Words() == "" {
				t.Errorf("choice %q has no words", c)
			}
		}
	}
	names := itemNames()
	if len(names) < 4 {
		t.Errorf("%d items have names", len(names))
	}
	for _, n := range names {
		if n[1] == "" || n[2] == "" {
			t.Errorf("item %q lacks a language", n[0])
		}
	}
}

// A browser runs the page: its policy lets its own script and face through, and nothing from a record becomes markup.
func TestPageInABrowser(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip(err)
	}
	s, _ := newServer(t)
	if err := s.store.Update(context.Background(), func(tx Tx) error {
		if err := tx.PutTerminal(Terminal{ID: "990000-0001", Site: "<b>hall</b>", Name: "3", Epoch: 1, PublicKey: []byte{1}, Seen: s.now()}); err != nil {
			return err
		}
		return tx.PutCase(CaseRow{ID: "c", Terminal: "990000-0001", Item: "SB-P", ReceiptCode: "03-1", State: "PRINT_UNKNOWN", Opened: s.now(), Updated: s.now(), Times: 1})
	}); err != nil {
		t.Fatal(err)
	}
	// The browser is let in by a handler before ours: how it signs in is not what is looked at here.
	b := (&loginRig{Server: s, t: t}).account("wang", staff.Viewer)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.AddCookie(b.cookie); s.Handler().ServeHTTP(w, r) }))
	defer web.Close()
	for lang, want := range map[string]string{"zh": "参保证明打印", "en": "Social insurance certificate"} {
		out, err := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--virtual-time-budget=3000", "--dump-dom", web.URL+"/#"+lang).Output()
		if err != nil {
			t.Skip(err) // a browser that cannot start here says nothing about the page
		}
		for _, w := range []string{want, "&lt;b&gt;hall&lt;/b&gt;", "03-1"} {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s: %q is not on the page", lang, w)
			}
		}
	}
}
