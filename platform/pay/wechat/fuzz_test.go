package wechat

import (
	"strings"
	"testing"

	"github.com/budayang/kiosk/platform/pay"
)

func checkStanding(t *testing.T, s pay.Standing) {
	t.Helper()
	if (s.State == pay.OrderPaid) != (len(s.Payments) > 0) {
		t.Errorf("%+v", s)
	}
	for _, p := range s.Payments {
		if !pay.Plain(p.Transaction, 64) || p.Amount <= 0 || p.Amount > pay.MaxAmount || p.At.IsZero() {
			t.Errorf("%+v", p)
		}
	}
}

// FuzzNotice: whatever passes of a notice's content is an order or a refund of ours that can be booked.
func FuzzNotice(f *testing.F) {
	c := &Channel{cfg: Config{AppID: "wx99", Merchant: "1900000099"}}
	for _, s := range []string{
		`{"appid":"wx99","mchid":"1900000099","out_trade_no":"9900002611294320023401","trade_state":"SUCCESS","transaction_id":"42","success_time":"2026-11-29T12:00:00+08:00","amount":{"total":1000,"currency":"CNY"}}`,
		`{"mchid":"1900000099","out_trade_no":"9","trade_state":"CLOSED"}`,
		`{"mchid":"1900000099","out_trade_no":"9","out_refund_no":"R9","refund_status":"ABNORMAL"}`,
		`{"mchid":"1900000099","out_trade_no":"9","trade_state":"SUCCESS"}`, `{"amount":{"total":-1}}`, `[]`, ``, `null`,
	} {
		f.Add("TRANSACTION.SUCCESS", []byte(s))
		f.Add("REFUND.SUCCESS", []byte(s))
	}
	f.Fuzz(func(t *testing.T, event string, content []byte) {
		n, err := c.opened(event, content)
		if err != nil {
			return
		}
		if n.Number == "" || (n.Refund != "") != strings.HasPrefix(event, "REFUND.") {
			t.Errorf("%+v", n)
		}
		if n.Refund == "" {
			checkStanding(t, n.Standing)
		}
	})
}

// FuzzStatement: whatever passes is lines that can be booked.
func FuzzStatement(f *testing.F) {
	head := "\uFEFF交易时间,公众账号ID,商户号,微信订单号,商户订单号,交易状态,货币种类,商户退款单号,退款状态,订单金额,申请退款金额\r\n"
	sums := "总交易单数,应结订单总金额\r\n`1,`10.00\r\n"
	for _, s := range []string{
		head + "`2026-11-29 12:00:00,`wx99,`1900000099,`42,`9900002611294320023401,`SUCCESS,`CNY,`,`,`10.00,`0.00\r\n" + sums,
		head + "`2026-11-29 12:00:00,`wx99,`1900000099,`42,`9900002611294320023401,`REFUND,`CNY,`R1,`SUCCESS,`0.00,`10.00\r\n" + sums,
		head + "`2026-11-29 12:00:00,`wx99,`1900000099,`42,`99,`REFUND,`CNY,`R1,`PROCESSING,`0.00,`10.00\r\n" + sums,
		head + sums, head, "", "`", "\"", head + "`x\r\n" + sums,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := readStatement(file)
		if err != nil {
			return
		}
		for _, l := range all {
			if !pay.Plain(l.Transaction, 64) || !pay.Plain(l.Attempt, 64) || l.Refund != "" && !pay.Plain(l.Refund, 64) || l.Amount <= 0 || l.Amount > pay.MaxAmount || l.At.IsZero() {
				t.Errorf("%+v", l)
			}
		}
	})
}

func TestStatementThatIsCutShort(t *testing.T) {
	whole := "交易时间,商户号,微信订单号,商户订单号,交易状态,货币种类,商户退款单号,退款状态,订单金额,申请退款金额\r\n" +
		"`2026-11-29 12:00:00,`1900000099,`42,`9900002611294320023401,`SUCCESS,`CNY,`,`,`10.00,`0.00\r\n总交易单数,应结订单总金额\r\n`1,`10.00\r\n"
	if all, err := readStatement([]byte(whole)); err != nil || len(all) != 1 || all[0].Amount != 1000 {
		t.Fatal(all, err)
	}
	for _, cut := range []string{"总交易单数", "`1,", "交易状态"} {
		i := strings.Index(whole, cut)
		if _, err := readStatement([]byte(whole[:i])); err == nil {
			t.Errorf("cut before %q it passes", cut)
		}
	}
}
