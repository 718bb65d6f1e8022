package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
)

// TestTheListOfADaysEBills: a line for each bill, sums, and an error once something is missing that should be there.
func TestTheListOfADaysEBills(t *testing.T) {
	paid := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	account := func(number string, e *pay.EBill) *pay.Account {
		return &pay.Account{Bill: pay.Bill{Number: number, State: pay.BillPaid, Amount: 1000, Paid: paid}, EBill: e}
	}
	issued := &pay.EBill{State: pay.EBillIssued, Issued: pay.Issued{Code: "99010126", Number: "0000000007", Check: "a1b2c3"}, Since: paid}
	all := []*pay.Account{account("1", issued), account("2", nil), account("3", &pay.EBill{State: pay.EBillAsked, Since: paid}), account("4", issued)}
	var out bytes.Buffer
	if err := listEBills(stdio{out: &out}, all, paid.Add(time.Hour)); err != nil {
		t.Errorf("an hour after: %v", err)
	}
	for _, want := range []string{"1  paid", "issued   99010126 0000000007", "issued       2 bills        20.00", "asked        1 bills        10.00", "missing      1 bills        10.00", "4 bills were paid that day"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "late") || strings.Contains(out.String(), "a1b2c3") {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	if err := listEBills(stdio{out: &out}, all, paid.Add(11*24*time.Hour)); err == nil || !strings.HasPrefix(err.Error(), "2 e-bills") || strings.Count(out.String(), "  late\n") != 2 {
		t.Errorf("eleven days after: %v\n%s", err, out.String())
	}
}
