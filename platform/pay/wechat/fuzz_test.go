package wechat

import (
	"strings"
	"testing"
	"time"

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

const (
	head = "\uFEFF交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n"
	sums = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n`1,`10.00,`0.00,`0.00,`0.00000,`10.00,`0.00\r\n"
	back = "R9900002611294320023401abcdef1"
)

// row is a line of a statement: a payment, or a refund when it has a state.
func row(state, refundState, name, amount string) string {
	begin := "`2026-11-29 12:00:00,`wx99,`1900000099,`0,`,`4200000099202611290000000042,`9900002611294320023401,`oSIM,`NATIVE,`" + state + ",`OTHERS,`CNY,`"
	if refundState == "" {
		return begin + amount + ",`0.00,`0,`0,`0.00,`0.00,`,`,`" + name + ",`,`0.00000,`0.60%,`" + amount + ",`0.00,`\r\n"
	}
	return begin + "0.00,`0.00,`50303108562026112901487282563,`" + back + ",`" + amount + ",`0.00,`ORIGINAL,`" + refundState + ",`" + name + ",`,`0.00000,`0.60%,`0.00,`" + amount + ",`\r\n"
}

// TestLines: the layout as it comes, and what is odd about single lines.
func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want *pay.Line // without numbers and times of the payment; nil: an error
	}{
		"a payment":               {row("SUCCESS", "", "fee", "10.00"), &pay.Line{Amount: 1000}},
		"a refund":                {row("REFUND", "SUCCESS", "fee", "10.00"), &pay.Line{Amount: 1000, Refund: back}},
		"a refund under way":      {row("REFUND", "PROCESSING", "fee", "10.00"), &pay.Line{}},
		"one that came to naught": {row("REFUND", "CLOSED", "fee", "10.00"), &pay.Line{}},
		"revoked":                 {row("REVOKED", "", "fee", "10.00"), &pay.Line{}},
		"a name with commas":      {row("SUCCESS", "", `fee, "of,`+"\t`the`, card", "10.00"), &pay.Line{Amount: 1000}},
		"a name like values":      {row("REFUND", "SUCCESS", "fee,`0.01,`0.02", "10.00"), &pay.Line{Amount: 1000, Refund: back}},
		"a quote that opens":      {row("SUCCESS", "", `x,"`, "10.5"), &pay.Line{Amount: 1050}},
		"another kind":            {row("GIFT", "", "fee", "10.00"), &pay.Line{Odd: `"GIFT"`}},
		"another currency":        {strings.Replace(row("SUCCESS", "", "fee", "10.00"), "CNY", "HKD", 1), &pay.Line{Odd: `"HKD"`}},
		"money without an order":  {strings.Replace(row("SUCCESS", "", "fee", "10.00"), "9900002611294320023401", "", 1), &pay.Line{Odd: "no order"}},
		"no amount":               {row("SUCCESS", "", "fee", ""), nil},
		"nothing":                 {row("SUCCESS", "", "fee", "0.00"), nil},
		"more than a million":     {row("SUCCESS", "", "fee", "1000000.01"), nil},
		"an overflow":             {row("SUCCESS", "", "fee", "99999999999999999999.00"), nil},
		"no time":                 {strings.Replace(row("SUCCESS", "", "fee", "10.00"), "2026-11-29 12:00:00", "2026-11-29", 1), nil},
		"no refund's number":      {strings.Replace(row("REFUND", "SUCCESS", "fee", "10.00"), back, "", 1), nil},
		"an endless line":         {row("SUCCESS", "", strings.Repeat("x", maxLine), "10.00"), nil},
		"too few":                 {"`2026-11-29 12:00:00,`wx99\r\n", nil},
		"no back quote":           {strings.TrimPrefix(row("SUCCESS", "", "fee", "10.00"), "`"), nil},
	} {
		all, err := readStatement([]byte(head + c.text + sums))
		switch {
		case c.want == nil:
			if err == nil {
				t.Errorf("%s passes: %+v", name, all)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case *c.want == pay.Line{}:
			if len(all) != 0 {
				t.Errorf("%s: %+v", name, all)
			}
		case len(all) != 1 || all[0].Transaction != "4200000099202611290000000042":
			t.Errorf("%s: %+v", name, all)
		default:
			got := all[0]
			if got.At.IsZero() || got.Attempt != "9900002611294320023401" && got.Odd != "no order" {
				t.Errorf("%s: %+v", name, got)
			}
			got.Transaction, got.Attempt, got.At = "", "", time.Time{}
			if got != *c.want {
				t.Errorf("%s: %+v, expected %+v", name, got, *c.want)
			}
		}
	}
	old := strings.Replace(head, "订单金额,申请退款金额,费率备注", "费率备注", 1)
	if _, err := readStatement([]byte(old + sums)); err == nil || !strings.Contains(err.Error(), "订单金额") {
		t.Errorf("the layout of old merchants: %v", err)
	}
}

// FuzzStatement: whatever passes is lines that can be booked, or that are called odd.
func FuzzStatement(f *testing.F) {
	for _, s := range []string{
		head + row("SUCCESS", "", "fee", "10.00") + row("REFUND", "SUCCESS", "fee", "10.00") + row("REFUND", "PROCESSING", "fee", "10.00") + sums,
		head + row("SUCCESS", "", `a,"b`, "10.00") + sums, head + row("GIFT", "", "fee", "10.00") + sums, head + row("REVOKED", "", "fee", "10.00") + sums,
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
			if l.Odd != "" && pay.Plain(l.Transaction, 64) && (l.Attempt == "" || pay.Plain(l.Attempt, 64)) && !l.At.IsZero() {
				continue
			}
			if l.Odd != "" || !pay.Plain(l.Transaction, 64) || !pay.Plain(l.Attempt, 64) || l.Refund != "" && !pay.Plain(l.Refund, 64) || l.Amount <= 0 || l.Amount > pay.MaxAmount || l.At.IsZero() {
				t.Errorf("%+v", l)
			}
		}
	})
}

func TestStatementThatIsCutShort(t *testing.T) {
	whole := head + row("SUCCESS", "", "fee", "10.00") + sums
	if all, err := readStatement([]byte(whole)); err != nil || len(all) != 1 || all[0].Amount != 1000 {
		t.Fatal(all, err)
	}
	for _, cut := range []string{"总交易单数", "`1,", "交易状态"} {
		i := strings.Index(whole, cut)
		if _, err := readStatement([]byte(whole[:i])); err == nil {
			t.Errorf("cut before %q it passes", cut)
		}
	}
	if _, err := readStatement([]byte(whole + row("SUCCESS", "", "fee", "10.00"))); err == nil {
		t.Error("a statement that goes on after its sums passes")
	}
}

func TestShort(t *testing.T) {
	for s, want := range map[string]string{"abc": "abc", "临时证件": "临时", "ab临时": "ab临", "\xffabc": "?abc", "": ""} {
		if got := short(s, 7); got != want {
			t.Errorf("%q: %q, expected %q", s, got, want)
		}
	}
}
