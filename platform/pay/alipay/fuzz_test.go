package alipay

import (
	"archive/zip"
	"bytes"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/budayang/kiosk/platform/pay"
)

// FuzzNotice: whatever passes of a form is an order of ours that can be booked.
func FuzzNotice(f *testing.F) {
	c := &Channel{cfg: Config{AppID: "9021", Seller: "2088", Now: time.Now}}
	for _, s := range []string{
		"app_id=9021&seller_id=2088&sign_type=RSA2&out_trade_no=9900002611294320023401&trade_no=42&trade_status=TRADE_SUCCESS&total_amount=10.00&gmt_payment=2026-11-29+12:00:00",
		"app_id=9021&seller_id=2088&sign_type=RSA2&out_trade_no=9&trade_no=42&trade_status=TRADE_CLOSED&total_amount=10.00",
		"app_id=9021&seller_id=2088&sign_type=RSA2&out_trade_no=9&trade_status=TRADE_FINISHED", "a=%zz", "", "sign_type=RSA2&sign_type=RSA2",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		form, err := readForm(body)
		if err != nil {
			return
		}
		n, err := c.readNotice(form)
		if err != nil {
			return
		}
		if n.Number == "" || (n.Standing.State == pay.OrderPaid) != (len(n.Standing.Payments) == 1) {
			t.Errorf("%+v", n)
		}
		for _, p := range n.Standing.Payments {
			if !pay.Plain(p.Transaction, 64) || p.Amount <= 0 || p.Amount > pay.MaxAmount || p.At.IsZero() {
				t.Errorf("%+v", p)
			}
		}
	})
}

const (
	head = "#支付宝业务明细查询\r\n#-----业务明细列表----\r\n支付宝交易号,商户订单号,业务类型,商品名称,完成时间,订单金额（元）,退款批次号/请求号\r\n"
	tail = "#-----业务明细列表结束----\r\n#交易合计：1笔\r\n"
)

func check(t *testing.T, all []pay.Line) {
	t.Helper()
	for _, l := range all {
		if !pay.Plain(l.Transaction, 64) || !pay.Plain(l.Attempt, 64) || l.Refund != "" && !pay.Plain(l.Refund, 64) || l.Amount <= 0 || l.Amount > pay.MaxAmount || l.At.IsZero() {
			t.Errorf("%+v", l)
		}
	}
}

// FuzzLines: whatever passes of an unpacked statement is lines that can be booked.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		head + "42\t,9900002611294320023401\t,交易\t,fee,2026-11-29 12:00:00,10.00,\t\r\n" + tail,
		head + "42\t,9900002611294320023401\t,退款\t,fee,2026-11-29 12:00:00,-10.00,R1\t\r\n" + tail,
		head + "42\t,9\t,转账\t,fee,2026-11-29 12:00:00,10.00,\t\r\n" + tail, head + tail, head, "", "#", "\"", head + "x\r\n" + tail,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if all, err := readLines(text); err == nil {
			check(t, all)
		}
	})
}

// FuzzStatement is the same with the ZIP around it.
func FuzzStatement(f *testing.F) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(head + "42\t,9900002611294320023401\t,交易\t,fee,2026-11-29 12:00:00,10.00,\t\r\n" + tail)
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("detail.csv")
	if err != nil {
		f.Fatal(err)
	}
	_, _ = w.Write([]byte(gbk))
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	if all, err := readStatement(b.Bytes()); err != nil || len(all) != 1 || all[0].Amount != 1000 {
		f.Fatal(all, err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PK\x05\x06"))
	f.Add([]byte(gbk))
	f.Fuzz(func(t *testing.T, file []byte) {
		if all, err := readStatement(file); err == nil {
			check(t, all)
		}
	})
}
