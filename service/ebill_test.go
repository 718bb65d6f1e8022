package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// TestTheReceiptNamesTheEBill: one that is issued by then with what it takes to have it checked, another that it comes later, and how to get it.
func TestTheReceiptNamesTheEBill(t *testing.T) {
	issued := service.EBill{State: service.EBillIssued, Code: "99010126", Number: "0000000007", Check: "a1b2c3", QR: "https://e.example/p/7", Site: "e.example"}
	for name, tc := range map[string]struct {
		ebill   *service.EBill
		slip    []string // what stands there
		without []string
		done    string // id, or the plain value, of the last page's line; "" none
	}{
		"issued":              {&issued, []string{"电子票据\n", "票据代码\t99010126", "票据号码\t0000000007", "校验码\ta1b2c3", "QR https://e.example/p/7", "查验网址：e.example"}, []string{"资金到账后"}, "0000000007"},
		"no picture":          {&service.EBill{State: service.EBillIssued, Code: "99010126", Number: "0000000007", Check: "a1b2c3"}, []string{"校验码\ta1b2c3"}, []string{"查验网址", "QR https"}, "0000000007"},
		"comes later":         {&service.EBill{State: service.EBillComing}, []string{"电子票据\n", "资金到账后开具", "补打"}, []string{"票据代码", "校验码"}, "svc.value.ebill.coming"},
		"at the desk":         {&service.EBill{State: service.EBillDesk}, []string{"电子票据\n", "请持本凭条到人工窗口"}, []string{"票据代码", "资金到账后"}, "svc.value.ebill.desk"},
		"nobody says":         {nil, nil, []string{"电子票据"}, ""},
		"a state that is new": {&service.EBill{State: "posted"}, []string{"资金到账后开具"}, []string{"票据代码"}, "svc.value.ebill.coming"},
	} {
		paying(t, name, func(t *testing.T, w *world) {
			var last service.Done
			w.play(lines(w.toPay(), []script.Line{
				script.On("pay", after(20*time.Second, func() {
					w.till.with(func(b *service.Bill) { paidNow(b); b.EBill = tc.ebill })
				})),
				script.On("done", script.Look(func(p service.Prompt) { last = p.(service.Done) }, script.Rate("5"))),
			}, leave())...)
			w.one(journal.Closed)
			paper := strings.Join(w.roll.texts(), "\n")
			for _, s := range tc.slip {
				if !strings.Contains(paper, s) {
					t.Errorf("%q does not stand on the slip:\n%s", s, paper)
				}
			}
			for _, s := range tc.without {
				if strings.Contains(paper, s) {
					t.Errorf("%q stands on the slip:\n%s", s, paper)
				}
			}
			i := slices.IndexFunc(last.Rows, func(r service.Row) bool { return r.Label.ID == "svc.row.ebill" })
			switch {
			case (i >= 0) != (tc.done != ""):
				t.Errorf("the last page says %+v", last.Rows)
			case i >= 0 && last.Rows[i].Plain+last.Rows[i].Value.ID != tc.done:
				t.Errorf("the last page says %+v", last.Rows[i])
			}
			for _, r := range last.Rows {
				if strings.Contains(r.Plain, issued.Check) {
					t.Error("the check code stands on the screen")
				}
			}
		})
	}
}
