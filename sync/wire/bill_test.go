package wire_test

import (
	"strings"
	"testing"

	"github.com/budayang/kiosk/sync/wire"
)

func TestEBillsThatCanBeShown(t *testing.T) {
	good := wire.EBill{State: wire.EBillIssued, Code: "99010126", Number: "0000000007", Check: "a1b2c3", QR: "https://e.example/p/7", Site: "e.example"}
	for name, c := range map[string]struct {
		change func(*wire.EBill)
		shown  bool
	}{
		"as it is":           {func(*wire.EBill) {}, true},
		"without a picture":  {func(e *wire.EBill) { e.QR = "" }, true},
		"without a site":     {func(e *wire.EBill) { e.Site = "" }, true},
		"coming, with none":  {func(e *wire.EBill) { *e = wire.EBill{State: wire.EBillComing} }, true},
		"issued, with none":  {func(e *wire.EBill) { *e = wire.EBill{State: wire.EBillIssued} }, false},
		"no check code":      {func(e *wire.EBill) { e.Check = "" }, false},
		"a long number":      {func(e *wire.EBill) { e.Number = strings.Repeat("1", 33) }, false},
		"a number of words":  {func(e *wire.EBill) { e.Number = "七" }, false},
		"a script":           {func(e *wire.EBill) { e.QR = "javascript:alert(1)" }, false},
		"a long address":     {func(e *wire.EBill) { e.QR = "https://" + strings.Repeat("a", 300) }, false},
		"a site with spaces": {func(e *wire.EBill) { e.Site = "e example" }, false},
		"a long site":        {func(e *wire.EBill) { e.Site = strings.Repeat("a", 81) }, false},
	} {
		e := good
		c.change(&e)
		if e.Shown() != c.shown {
			t.Errorf("%s: shown %t", name, e.Shown())
		}
	}
}
