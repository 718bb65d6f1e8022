package alipay

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
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
	head = "#支付宝业务明细查询\r\n#账号：[20880000000000990156]\r\n#起始日期：[2026年11月29日 00:00:00]   终止日期：[2026年11月30日 00:00:00]\r\n" +
		"#-----------------------------------------业务明细列表----------------------------------------\r\n" +
		"支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）," +
		"支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n"
	tail = "#-----------------------------------------业务明细列表结束------------------------------------\r\n" +
		"#交易合计：1笔，商家实收共10.00元，商家优惠共0.00元\r\n#退款合计：0笔，商家实收退款共0.00元，商家优惠退款共0.00元\r\n#导出时间：[2026年11月30日 06:27:10]\r\n"
	order = "2026112922001400000000000042\t,9900002611294320023401\t,"
)

// row is a line of a statement; kind, name, time, amount and the refund's number differ.
func row(kind, name, at, amount, refund string) string {
	return order + kind + "," + name + "," + at + "," + at + ",,,,,159****5620," + amount + "," + amount + ",0.00,0.00,0.00,0.00,0.00,,0.00,0.00," + refund + "\t,0.00,0.00,\r\n"
}

const (
	paid = "2026-11-29 12:00:00"
	back = "R9900002611294320023401abcdef1"
)

func check(t *testing.T, all []pay.Line) {
	t.Helper()
	for _, l := range all {
		if l.Odd != "" && pay.Plain(l.Transaction, 64) && (l.Attempt == "" || pay.Plain(l.Attempt, 64)) {
			continue
		}
		if l.Odd != "" || !pay.Plain(l.Transaction, 64) || !pay.Plain(l.Attempt, 64) || l.Refund != "" && !pay.Plain(l.Refund, 64) || l.Amount <= 0 || l.Amount > pay.MaxAmount || l.At.IsZero() {
			t.Errorf("%+v", l)
		}
	}
}

// TestLines: the layout as it comes, and what is odd about single lines.
func TestLines(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want pay.Line // without numbers of the payment; zero: an error
	}{
		"a payment":            {row("交易", "fee", paid, "10.00", ""), pay.Line{Amount: 1000}},
		"a refund":             {row("退款", "fee", paid, "-10.00", back), pay.Line{Amount: 1000, Refund: back}},
		"commas in a name":     {row("退款", `fee, "of, the card`, paid, "-10.00", back), pay.Line{Amount: 1000, Refund: back}},
		"a quote alone":        {row("交易", `,"`, paid, "10.5", ""), pay.Line{Amount: 1050}},
		"another kind":         {row("转账", "fee", paid, "10.00", ""), pay.Line{Odd: `"转账"`}},
		"a refund by hand":     {row("退款", "fee", paid, "-10.00", ""), pay.Line{Amount: 1000, Odd: "refund without a number"}},
		"no time":              {row("交易", "fee", "2026-11-29", "10.00", ""), pay.Line{}},
		"no amount":            {row("交易", "fee", paid, "0.00", ""), pay.Line{}},
		"thousands":            {row("交易", "fee", paid, "1,000.00", ""), pay.Line{Odd: "too many commas"}},
		"a remark with commas": {strings.Replace(row("交易", "fee", paid, "10.00", ""), ",\r\n", ",a,b\r\n", 1), pay.Line{Odd: "too many commas"}},
		"a third digit":        {row("交易", "fee", paid, "10.001", ""), pay.Line{}},
		"more than a million":  {row("交易", "fee", paid, "1000000.01", ""), pay.Line{}},
		"an overflow":          {row("交易", "fee", paid, "99999999999999999999.00", ""), pay.Line{}},
		"too few":              {order + "交易\r\n", pay.Line{}},
		"money without orders": {strings.Replace(row("交易", "fee", paid, "10.00", ""), "9900002611294320023401", "", 1), pay.Line{Odd: "no order"}},
	} {
		all, err := readLines(strings.NewReader(head + c.text + tail))
		if c.want == (pay.Line{}) {
			if err == nil {
				t.Errorf("%s passes: %+v", name, all)
			}
			continue
		}
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %+v %v", name, all, err)
			continue
		}
		got := all[0]
		if got.Transaction != "2026112922001400000000000042" || got.Attempt != "9900002611294320023401" && got.Odd != "no order" {
			t.Errorf("%s: %+v", name, got)
		}
		got.Transaction, got.Attempt, got.At = "", "", time.Time{}
		if got != c.want {
			t.Errorf("%s: %+v, expected %+v", name, got, c.want)
		}
	}
	whole := head + row("交易", "fee", paid, "10.00", "") + tail
	if _, err := readLines(strings.NewReader(strings.Split(whole, "#-----------------------------------------业务明细列表结束")[0])); err == nil {
		t.Error("a list without its end passes")
	}
	if _, err := readLines(strings.NewReader(head + strings.Repeat("x", maxLine+1) + tail)); err == nil {
		t.Error("an endless line passes")
	}
}

// zipped is a bill with these files, in order.
func zipped(tb testing.TB, files ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, text := range files {
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(text)
		if err != nil {
			tb.Fatal(err)
		}
		w, err := z.Create(string(rune('a'+i)) + ".csv")
		if err != nil {
			tb.Fatal(err)
		}
		_, _ = w.Write([]byte(gbk))
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// TestZipsThatUnpackToTooMuch: what all files unpack to together is bounded.
func TestZipsThatUnpackToTooMuch(t *testing.T) {
	defer func(was int64) { maxText = was }(maxText)
	maxText = 1 << 20
	remark := "#" + strings.Repeat("x", 100) + "\r\n"
	file := strings.Repeat(remark, 2000)
	lines := head + row("交易", "fee", paid, "10.00", "") + tail
	if all, err := readStatement(zipped(t, file, lines)); err != nil || len(all) != 1 {
		t.Error(all, err)
	}
	var many []string
	for range 8 {
		many = append(many, file)
	}
	if all, err := readStatement(zipped(t, append(many, lines)...)); err == nil || errors.Is(err, errNoList) {
		t.Error(len(all), err)
	}
	if _, err := readStatement(zipped(t, make([]string, maxFiles+1)...)); err == nil {
		t.Error("too many files pass")
	}
	// The checksum is compared, though the list ended before.
	bad := zipped(t, lines)
	i := bytes.Index(bad, []byte("PK\x07\x08"))
	bad[i+4] ^= 1
	if c := bytes.LastIndex(bad, []byte("PK\x01\x02")); c > 0 {
		bad[c+16] ^= 1
	}
	if _, err := readStatement(bad); err == nil {
		t.Error("a wrong checksum passes")
	}
}

// FuzzLines: whatever passes of an unpacked statement is lines that can be booked.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		head + row("交易", "fee", paid, "10.00", "") + row("退款", "fee, fee", paid, "-10.00", back) + tail,
		head + row("转账", "fee", paid, "10.00", "") + tail, head + row("退款", "fee", paid, "-10.00", "") + tail,
		head + tail, head, "", "#", "\"", head + "x\r\n" + tail, "#业务汇总列表\r\n门店编号\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if all, err := readLines(bytes.NewReader(text)); err == nil {
			check(t, all)
		}
	})
}

// FuzzStatement is the same with the ZIP around it.
func FuzzStatement(f *testing.F) {
	lines := head + row("交易", "工本费", paid, "10.00", "") + tail
	good := zipped(f, "#支付宝业务汇总查询\r\n", lines)
	if all, err := readStatement(good); err != nil || len(all) != 1 || all[0].Amount != 1000 {
		f.Fatal(all, err)
	}
	f.Add(good)
	f.Add([]byte("PK\x05\x06"))
	f.Add([]byte(lines))
	f.Fuzz(func(t *testing.T, file []byte) {
		if all, err := readStatement(file); err == nil {
			check(t, all)
		}
	})
}
