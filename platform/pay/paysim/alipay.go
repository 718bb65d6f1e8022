package paysim

// Alipay's dialect, gateway version 1.0, as its public papers tell (opendocs.alipay.com, 当面付): forms to one address, signed by the
// merchant with RSA2; answers {"METHOD_response":{…},"sign":"…"}, signed over the bytes of the inner object; notices as signed forms.
// An order does not exist until a phone scans its code, whatever the faults say. Statements are ZIP files of text in GBK.

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Alipay is Alipay's server.
type Alipay struct {
	*Books
	set AlipaySettings
}

// AlipaySettings are what Alipay and the merchant agreed on.
type AlipaySettings struct {
	AppID, Seller string
	MerchantKey   *rsa.PublicKey
	Key           *rsa.PrivateKey
	Signed        func() time.Time // the clock that requests' times are held against; nil is the books'
}

// NewAlipay is a channel that knows one merchant.
func NewAlipay(now func() time.Time, set AlipaySettings) *Alipay {
	if set.Signed == nil {
		set.Signed = now
	}
	s := &Alipay{Books: NewBooks(now), set: set}
	s.changed, s.single, s.late, s.opens, s.forgets, s.retries = s.note, true, true, 9*time.Hour, true, true
	return s
}

// SignBy sets the clock that requests' times are held against, before requests come.
func (s *Alipay) SignBy(clock func() time.Time) { s.set.Signed = clock }

// said is an answer's inner object.
type said map[string]any

func works(more said) said {
	out := said{"code": "10000", "msg": "Success"}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func fails(sub string) said {
	return said{"code": "40004", "msg": "Business Failed", "sub_code": sub, "sub_msg": sub}
}

// signed is the text that a form's signature is over.
func signed(form url.Values, without ...string) string {
	var names []string
	for name := range form {
		if !slices.Contains(without, name) && form.Get(name) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + "=" + form.Get(name)
	}
	return strings.Join(parts, "&")
}

// ServeHTTP speaks the dialect.
func (s *Alipay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/bill/") {
		s.bill(w, strings.TrimPrefix(r.URL.Path, "/bill/"))
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || r.URL.Path != "/gateway.do" {
		http.NotFound(w, r)
		return
	}
	signature, err := base64.StdEncoding.DecodeString(form.Get("sign"))
	sum := sha256.Sum256([]byte(signed(form, "sign")))
	at, terr := time.ParseInLocation(time.DateTime, form.Get("timestamp"), china)
	method := form.Get("method")
	switch {
	case err != nil || rsa.VerifyPKCS1v15(s.set.MerchantKey, crypto.SHA256, sum[:], signature) != nil || form.Get("app_id") != s.set.AppID ||
		form.Get("sign_type") != "RSA2" || form.Get("charset") != "utf-8":
		s.answer(w, method, said{"code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-signature", "sub_msg": "验签出错"}, true)
		return
	case terr != nil || s.set.Signed().Sub(at).Abs() > 15*time.Minute:
		s.answer(w, method, said{"code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-timestamp", "sub_msg": "非法的时间戳参数"}, true)
		return
	}
	var q map[string]any
	if json.Unmarshal([]byte(form.Get("biz_content")), &q) != nil {
		s.answer(w, method, fails("ACQ.INVALID_PARAMETER"), false)
		return
	}
	get := func(name string) string { v, _ := q[name].(string); return v }
	s.remember(method, get)
	f := s.draw()
	switch {
	case f.before:
		panic(http.ErrAbortHandler)
	case f.park:
		ctx := context.WithoutCancel(r.Context())
		s.later(func() { s.act(ctx, method, get) })
		panic(http.ErrAbortHandler)
	case f.busy:
		s.answer(w, method, said{"code": "20000", "msg": "Service Currently Unavailable", "sub_code": "aop.ACQ.SYSTEM_ERROR", "sub_msg": "系统异常"}, false)
		return
	case f.denied:
		s.answer(w, method, fails("ACQ.ACCESS_FORBIDDEN"), false)
		return
	}
	got := s.act(r.Context(), method, get)
	f.wait(r.Context())
	switch {
	case f.after:
		panic(http.ErrAbortHandler)
	case f.garbage:
		_, _ = w.Write([]byte("<html>"))
		return
	}
	s.answer(w, method, got, f.unsigned)
}

func (s *Alipay) sign(text []byte) string {
	sum := sha256.Sum256(text)
	b, err := rsa.SignPKCS1v15(rand.Reader, s.set.Key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // no randomness: the simulator cannot go on
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (s *Alipay) answer(w http.ResponseWriter, method string, got said, unsigned bool) {
	inner, err := json.Marshal(got)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8") // it says so
	name := strings.ReplaceAll(method, ".", "_") + "_response"
	if unsigned {
		fmt.Fprintf(w, `{"%s":%s}`, name, inner)
		return
	}
	fmt.Fprintf(w, `{"%s":%s,"sign":"%s"}`, name, inner, s.sign(inner))
}

func (s *Alipay) remember(method string, get func(string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch method {
	case "alipay.trade.precreate":
		s.repeats("orders", get("out_trade_no"))
	case "alipay.trade.refund":
		s.repeats("refunds", get("out_request_no"))
	case "alipay.trade.query":
		delete(s.asked, "orders"+get("out_trade_no"))
	case "alipay.trade.fastpay.refund.query":
		delete(s.asked, "refunds"+get("out_request_no"))
	}
}

func fen(yuan string) int64 {
	f, err := strconv.ParseFloat(yuan, 64)
	if err != nil {
		return -1
	}
	return int64(math.Round(f * 100))
}

func (s *Alipay) act(_ context.Context, method string, get func(string) string) said {
	number := get("out_trade_no")
	switch method {
	case "alipay.trade.precreate":
		expires, err := time.ParseInLocation(time.DateTime, get("time_expire"), china)
		if err != nil || number == "" || len(number) > 64 || get("subject") == "" || strings.ContainsAny(get("subject"), "/=&") {
			return fails("ACQ.INVALID_PARAMETER")
		}
		qr, code := s.create(number, fen(get("total_amount")), get("subject"), expires)
		switch code {
		case "":
			return works(said{"out_trade_no": number, "qr_code": qr})
		case "NUMBER_REUSED":
			return fails("ACQ.CONTEXT_INCONSISTENT")
		case "ORDER_PAID":
			return fails("ACQ.TRADE_HAS_SUCCESS")
		case "ORDER_CLOSED":
			return fails("ACQ.TRADE_HAS_CLOSE")
		case "MERCHANT_LIMIT":
			return fails("ACQ.BEYOND_PAY_RESTRICTION")
		}
		return fails("ACQ.INVALID_PARAMETER")
	case "alipay.trade.query":
		o, found := s.query(number)
		if !found {
			return fails("ACQ.TRADE_NOT_EXIST")
		}
		return works(s.orderWire(o))
	case "alipay.trade.close":
		o, found := s.query(number)
		if found && o.Closed {
			return fails("ACQ.REASON_ILLEGAL_STATUS")
		}
		switch s.close(number) {
		case "":
			return works(said{"out_trade_no": number, "trade_no": s.tradeNo(o)})
		case "ORDER_PAID":
			return fails("ACQ.TRADE_STATUS_ERROR")
		}
		return fails("ACQ.TRADE_NOT_EXIST")
	case "alipay.trade.refund":
		if get("out_request_no") == "" || fen(get("refund_amount")) <= 0 {
			return fails("ACQ.INVALID_PARAMETER")
		}
		was, known := s.queryRefund(get("out_request_no"))
		r, code := s.refund(get("out_request_no"), s.orderOf(get("trade_no")), get("trade_no"), fen(get("refund_amount")))
		switch {
		case code == "" && r.State == "refused" && r.Code == "NOT_ENOUGH":
			return fails("ACQ.SELLER_BALANCE_NOT_ENOUGH")
		case code == "" && r.State == "refused":
			return fails("ACQ.REFUND_ACCOUNT_NOT_EXIST")
		case code == "":
			change := "Y"
			if known && was.State == r.State || r.State == "working" {
				change = "N"
			}
			s.tell("", r.Number)
			return works(said{"trade_no": r.Transaction, "out_trade_no": r.Order, "buyer_logon_id": "159****5620", "fund_change": change, "refund_fee": yuan(r.Amount)})
		case code == "TRANSACTION_NOT_EXIST":
			return fails("ACQ.TRADE_NOT_EXIST")
		case code == "NUMBER_REUSED":
			return fails("ACQ.DISCORDANT_REPEAT_REQUEST")
		}
		return fails("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
	case "alipay.trade.fastpay.refund.query":
		r, found := s.queryRefund(get("out_request_no"))
		if !found || r.State != "done" {
			return works(nil)
		}
		return works(said{"trade_no": r.Transaction, "out_trade_no": r.Order, "out_request_no": r.Number, "total_amount": yuan(r.Amount),
			"refund_amount": yuan(r.Amount), "refund_status": "REFUND_SUCCESS"})
	case "alipay.data.dataservice.bill.downloadurl.query":
		if lines, made := s.statement(get("bill_date")); !made || len(lines) == 0 || get("bill_type") != "trade" {
			return fails("isp.bill_not_exist") // the papers say BILL_NOT_EXIST
		}
		return works(said{"bill_download_url": "https://dwbillcenter.alipay.com/bill/" + get("bill_date")})
	}
	return said{"code": "40001", "msg": "Missing Required Arguments", "sub_code": "isv.invalid-method", "sub_msg": "不存在的方法名"}
}

// tradeNo is the trade's number: Alipay gives it when the code is scanned; an unpaid order of these books has one made of its own.
func (s *Alipay) tradeNo(o Order) string {
	for _, p := range o.Payments {
		return p.Transaction
	}
	return "22" + o.Number
}

func (s *Alipay) orderWire(o Order) said {
	out := said{"out_trade_no": o.Number, "trade_no": s.tradeNo(o), "trade_status": "WAIT_BUYER_PAY", "total_amount": yuan(o.Amount), "buyer_logon_id": "159****5620"}
	if o.Closed {
		out["trade_status"] = "TRADE_CLOSED"
	}
	for _, p := range o.Payments {
		out["trade_status"], out["total_amount"], out["send_pay_date"] = "TRADE_SUCCESS", yuan(p.Amount), p.At.In(china).Format(time.DateTime)
		if p.Returned >= p.Amount {
			out["trade_status"] = "TRADE_CLOSED"
		}
	}
	return out
}

func (s *Alipay) bill(w http.ResponseWriter, day string) {
	lines, made := s.statement(day)
	if !made {
		http.Error(w, "no", http.StatusNotFound)
		return
	}
	var t strings.Builder
	begin, _ := time.ParseInLocation(time.DateOnly, day, china)
	long := "2006年01月02日 15:04:05"
	t.WriteString("#支付宝业务明细查询\r\n#账号：[" + s.set.Seller + "0156]\r\n#起始日期：[" + begin.Format(long) + "]   终止日期：[" + begin.AddDate(0, 0, 1).Format(long) + "]\r\n" +
		"#-----------------------------------------业务明细列表----------------------------------------\r\n" +
		"支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）," +
		"支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n")
	for _, l := range lines {
		kind, amount := "交易", yuan(l.amount)
		if l.refund != "" {
			kind, amount = "退款", "-"+amount
		}
		at := l.at.In(china).Format(time.DateTime)
		fmt.Fprintf(&t, "%s\t,%s\t,%s\t,%s\t,%s\t,%s\t,\t,\t,\t,\t,159****5620\t,%s,%s,0.00,0.00,0.00,0.00,0.00,\t,0.00,0.00,%s\t,0.00,0.00,\t\r\n",
			l.transaction, l.order, kind, words, at, at, amount, amount, l.refund)
	}
	fmt.Fprintf(&t, "#-----------------------------------------业务明细列表结束------------------------------------\r\n#交易合计：%d笔\r\n#导出时间：[%s]\r\n", len(lines), day)
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(t.String())
	if err != nil {
		panic(err)
	}
	sums, err := simplifiedchinese.GBK.NewEncoder().String("#支付宝业务汇总查询\r\n")
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"1_detail.csv": gbk, "0_sums.csv": sums} {
		f, err := z.Create(name)
		if err != nil {
			panic(err)
		}
		_, _ = f.Write([]byte(text))
	}
	if z.Close() != nil {
		panic("zip")
	}
	w.Header().Set("Content-Type", "application/zip")
	_, _ = w.Write(b.Bytes())
}

// note makes the notice of a change: Alipay tells of payments, of ends, and of refunds as a change of the order.
func (s *Alipay) note(order, refund string) {
	if refund != "" {
		r, found := s.queryRefund(refund)
		if !found || r.State != "done" {
			return
		}
		order = r.Order
	}
	s.mu.Lock()
	o := s.orders[order]
	if o == nil || o.unborn || len(o.Payments) == 0 && !o.Closed {
		s.mu.Unlock()
		return
	}
	is := s.orderWire(*o)
	s.mu.Unlock()
	n := Notice{Order: order, Refund: refund, body: []byte(s.form(is, refund).Encode())}
	s.keep(n)
}

// form is a notice before it is signed.
func (s *Alipay) form(is said, refund string) url.Values {
	text := func(name string) string { v, _ := is[name].(string); return v }
	form := url.Values{"notify_type": {"trade_status_sync"}, "notify_id": {randomHex(16)}, "notify_time": {s.Now().In(china).Format(time.DateTime)},
		"app_id": {s.set.AppID}, "auth_app_id": {s.set.AppID}, "seller_id": {s.set.Seller}, "charset": {"utf-8"}, "version": {"1.0"}, "sign_type": {"RSA2"},
		"out_trade_no": {text("out_trade_no")}, "trade_no": {text("trade_no")}, "trade_status": {text("trade_status")},
		"total_amount": {text("total_amount")}, "subject": {"工本费"}, "gmt_create": {s.Now().In(china).Format(time.DateTime)}}
	if paid := text("send_pay_date"); paid != "" {
		form.Set("gmt_payment", paid)
	}
	if refund != "" {
		form.Set("out_biz_no", refund)
		form.Set("refund_fee", text("total_amount"))
		form.Set("gmt_refund", s.Now().In(china).Format(time.DateTime)+".123")
	}
	return form
}

// Request is a notice as it goes out, freshly signed; forged, its signature is over other bytes.
func (s *Alipay) Request(n Notice, to string, forged bool) *http.Request {
	form, err := url.ParseQuery(string(n.body))
	if err != nil {
		panic(err)
	}
	text := signed(form, "sign", "sign_type")
	if forged {
		text += "&x=1"
	}
	form.Set("sign", s.sign([]byte(text)))
	r, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

// Forge is a notice that says an order was paid, which the channel never sent.
func (s *Alipay) Forge(number string, amount int64) Notice {
	is := s.orderWire(Order{Number: number, Amount: amount, Payments: []Payment{{Transaction: "forged-" + number, Order: number, Amount: amount, At: s.Now()}}})
	return Notice{Order: number, body: []byte(s.form(is, "").Encode())}
}
