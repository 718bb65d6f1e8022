package platform

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// stranger is a number that nobody here has.
func stranger(t *testing.T, n int) string {
	t.Helper()
	number, err := idnum.Complete(fmt.Sprintf("990000197001010%02d", n))
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// TestATypedNumberTellsLittle: whoever has a number alone learns two digits of a phone, and whoever tries numbers is stopped.
func TestATypedNumberTellsLittle(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	ask := func(p *peer, name, number string) (int, string) {
		w := p.do("POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: name, Number: number}, Visit: "v"})
		return w.Code, w.Body.String()
	}
	if code, body := ask(p, "", numberOf(t, 0)); code != http.StatusOK || !strings.Contains(body, `"phone":"*******`) || strings.Contains(body, "138") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := ask(p, seedPeople[1].name, numberOf(t, 1)); code != http.StatusOK || !strings.Contains(body, `"phone":"138****`) {
		t.Errorf("%d %s", code, body)
	}
	for n := range probesMost {
		if code, _ := ask(p, "", stranger(t, n)); code != errNoRecord.Status {
			t.Fatalf("number %d: %d", n, code)
		}
	}
	if code, body := ask(p, "", numberOf(t, 3)); code != errCodeLocked.Status {
		t.Errorf("after %d numbers: %d %s", probesMost, code, body)
	}
	if code, _ := ask(x.terminal("990000-0002"), "", numberOf(t, 3)); code != http.StatusOK {
		t.Errorf("at another terminal: %d", code)
	}
	x.ahead.Add(int64(codeWindow + time.Minute))
	if code, body := ask(p, "", numberOf(t, 3)); code != http.StatusOK {
		t.Errorf("later: %d %s", code, body)
	}
	if code, body := ask(p, "李四", numberOf(t, 3)); code != errNoRecord.Status {
		t.Errorf("another name: %d %s", code, body)
	}
}

// TestCodesOfADay: one person gets fifteen codes in a day, over all terminals and servers.
func TestCodesOfADay(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	sent := 0
	for range 40 {
		w := p.do("POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Number: numberOf(t, 0)}, Visit: "v"})
		if w.Code == http.StatusOK {
			sent++
		}
		x.ahead.Add(int64(5 * time.Minute))
		if err := x.s.store.Update(t.Context(), func(tx Tx) error { return tx.Sweep(x.now().Add(-time.Hour)) }); err != nil {
			t.Fatal(err)
		}
	}
	if sent != codesDay {
		t.Errorf("%d codes in three hours", sent)
	}
}
