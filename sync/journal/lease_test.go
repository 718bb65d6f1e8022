package journal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/wire"
)

func TestACaseThatGoesOnHereCarriesItsLease(t *testing.T) {
	j := journaltest.Open(t, journal.Options{})
	l := wire.Lease{Grant: wire.Grant{Case: "0190a000-0000-7000-8000-00000000000a", Terminal: "990000-0003", Token: 7, Granted: time.Now()}, State: "ACCEPTED",
		Opened: wire.CaseOpened{Item: "SB-P", ReceiptCode: "01-20261125-000001", Schema: 1, Person: "李*雯", Last4: "1234"}}
	adopt := func(l wire.Lease) error {
		return j.Update(func(tx *journal.Tx) error { _, err := tx.AdoptCase(l); return err })
	}
	if err := adopt(l); err != nil {
		t.Fatal(err)
	}
	if err := j.Update(func(tx *journal.Tx) error {
		return tx.SetState("0190a000-0000-7000-8000-00000000000a", journal.Printing, "")
	}); err != nil {
		t.Fatal(err)
	}
	c, err := j.CaseByReceipt("01-20261125-000001")
	if err != nil || c.Lease != 7 || c.State != journal.Printing {
		t.Errorf("%+v %v", c, err)
	}
	for lane, want := range map[wire.Lane][]string{wire.LanePay: {wire.TypeLease}, wire.LaneTx: {wire.TypeLease, wire.TypeCaseState}} {
		rs, err := j.Pending(lane, 10, 1<<20)
		if err != nil || len(rs) != len(want) {
			t.Fatal(rs, err)
		}
		for i, r := range rs {
			if r.Lease != 7 || r.Type != want[i] {
				t.Errorf("%s: %s under lease %d", lane, r.Type, r.Lease)
			}
		}
	}
	for what, spoil := range map[string]func(l *wire.Lease){
		"the same token": func(l *wire.Lease) {},
		"an older token": func(l *wire.Lease) { l.Token = 6 },
		"another's":      func(l *wire.Lease) { l.Token, l.Terminal = 9, "990000-0004" },
		"a code taken":   func(l *wire.Lease) { l.Token, l.Case = 9, "0190a000-0000-7000-8000-00000000000b" },
		"a nameless case": func(l *wire.Lease) {
			l.Token, l.Case, l.Opened.ReceiptCode = 9, "0190a000-0000-7000-8000-00000000000b", ""
		},
	} {
		bad := l
		spoil(&bad)
		if err := adopt(bad); !errors.Is(err, journal.ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// It was elsewhere in between, and comes back.
	l.Token, l.State = 9, "RETAINED"
	if err := adopt(l); err != nil {
		t.Fatal(err)
	}
	if c, err = j.Case("0190a000-0000-7000-8000-00000000000a"); err != nil || c.Lease != 9 || c.State != journal.Retained {
		t.Errorf("%+v %v", c, err)
	}
}
