package paysim

// WeChat Pay's dialect, API v3, as its public papers tell (pay.weixin.qq.com/doc/v3/merchant): requests signed by the merchant with
// RSA and SHA-256, answers and notices by WeChat, notices sealed with AES-256-GCM.
//
//	POST /v3/pay/transactions/native                      → {"code_url"}
//	GET  /v3/pay/transactions/out-trade-no/N?mchid=M      → the order
//	POST /v3/pay/transactions/out-trade-no/N/close        → 204
//	POST /v3/refund/domestic/refunds                      → the refund
//	GET  /v3/refund/domestic/refunds/N                    → the refund
//	GET  /v3/bill/tradebill?bill_date=D&bill_type=ALL     → where the file is, and its SHA-1
//	GET  /v3/billdownload/file?token=…                    → the file, unsigned
//
// "Authorization: WECHATPAY2-SHA256-RSA2048 mchid=…,nonce_str=…,timestamp=…,serial_no=…,signature=…" is over METHOD, path with
// parameters, timestamp, nonce and body, each ended by a line feed. Answers carry Wechatpay-Timestamp, -Nonce, -Serial and
// -Signature over timestamp, nonce and body. A request whose signature is wrong gets an answer without one.

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the papers say so
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// WeChat is WeChat Pay's server.
type WeChat struct {
	*Books
	set WeChatSettings
	mux *http.ServeMux
}

// WeChatSettings are what WeChat and the merchant agreed on.
type WeChatSettings struct {
	AppID, Merchant, Serial string
	MerchantKey             *rsa.PublicKey
	APIKey                  []byte // 32 bytes
	KeyID                   string
	Key                     *rsa.PrivateKey
	Signed                  func() time.Time // the clock of signatures; nil is the books'
}

// NewWeChat is a channel that knows one merchant.
func NewWeChat(now func() time.Time, set WeChatSettings) *WeChat {
	if set.Signed == nil {
		set.Signed = now
	}
	s := &WeChat{Books: NewBooks(now), set: set, mux: http.NewServeMux()}
	s.changed, s.single, s.opens, s.states, s.forgets = s.note, true, 9*time.Hour, true, true
	s.mux.HandleFunc("POST /v3/pay/transactions/native", s.call(s.doCreate))
	s.mux.HandleFunc("GET /v3/pay/transactions/out-trade-no/{number}", s.call(s.doQuery))
	s.mux.HandleFunc("POST /v3/pay/transactions/out-trade-no/{number}/close", s.call(s.doClose))
	s.mux.HandleFunc("POST /v3/refund/domestic/refunds", s.call(s.doRefund))
	s.mux.HandleFunc("GET /v3/refund/domestic/refunds/{number}", s.call(s.doQueryRefund))
	s.mux.HandleFunc("GET /v3/bill/tradebill", s.call(s.doBill))
	s.mux.HandleFunc("GET /v3/billdownload/file", s.call(s.doFile))
	return s
}

// SignBy sets the clock of signatures, before requests come.
func (s *WeChat) SignBy(clock func() time.Time) { s.set.Signed = clock }

// ServeHTTP speaks the dialect.
func (s *WeChat) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

var wechatAuthorization = regexp.MustCompile(
	`^WECHATPAY2-SHA256-RSA2048 mchid="([^"]*)",nonce_str="([0-9A-Za-z]{1,64})",timestamp="(\d{1,12})",serial_no="([^"]*)",signature="([^"]*)"$`)

func (s *WeChat) call(act func(r *http.Request, body []byte) result) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		m := wechatAuthorization.FindStringSubmatch(r.Header.Get("Authorization"))
		if m == nil || !s.merchants(m, r, body) {
			s.answer(w, problem(http.StatusUnauthorized, "SIGN_ERROR"), true)
			return
		}
		s.remember(r, body)
		f := s.draw()
		switch {
		case f.before:
			panic(http.ErrAbortHandler)
		case f.park:
			again := r.Clone(context.WithoutCancel(r.Context()))
			s.later(func() { act(again, body) })
			panic(http.ErrAbortHandler)
		case f.busy:
			s.answer(w, problem(http.StatusInternalServerError, "SYSTEM_ERROR"), false)
			return
		case f.denied:
			s.answer(w, problem(http.StatusForbidden, "NO_AUTH"), false)
			return
		}
		got := act(r, body)
		f.wait(r.Context())
		if f.after {
			panic(http.ErrAbortHandler)
		}
		if f.garbage {
			got = result{got.status, "<html>"}
		}
		s.answer(w, got, f.unsigned)
	}
}

func (s *WeChat) merchants(m []string, r *http.Request, body []byte) bool {
	signature, err := base64.StdEncoding.DecodeString(m[5])
	seconds, _ := strconv.ParseInt(m[3], 10, 64)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), m[3], m[2], body))
	return err == nil && m[1] == s.set.Merchant && m[4] == s.set.Serial && s.set.Signed().Sub(time.Unix(seconds, 0)).Abs() <= 5*time.Minute &&
		rsa.VerifyPKCS1v15(s.set.MerchantKey, crypto.SHA256, sum[:], signature) == nil
}

// remember notes what is asked for, when it is asked for.
func (s *WeChat) remember(r *http.Request, body []byte) {
	var q struct {
		Order  string `json:"out_trade_no"`
		Refund string `json:"out_refund_no"`
	}
	_ = json.Unmarshal(body, &q)
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && last == "native":
		s.repeats("orders", q.Order)
	case r.Method == http.MethodPost && last == "refunds":
		s.repeats("refunds", q.Refund)
	case r.Method == http.MethodGet:
		delete(s.asked, "orders"+last)
		delete(s.asked, "refunds"+last)
	}
}

func (s *WeChat) sign(h http.Header, body []byte, forged bool) {
	nonce, stamp := randomHex(16), strconv.FormatInt(s.set.Signed().Unix(), 10)
	if forged {
		stamp += "0"
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n", stamp, nonce, body))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.set.Key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // no randomness: the simulator cannot go on
	}
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Timestamp", strings.TrimSuffix(stamp, map[bool]string{true: "0"}[forged]))
	h.Set("Wechatpay-Serial", s.set.KeyID)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// file is an answer that is no JSON.
type file []byte

func (s *WeChat) answer(w http.ResponseWriter, got result, unsigned bool) {
	var body []byte
	switch x := got.body.(type) {
	case nil:
	case file:
		body = x
	default:
		var err error
		if body, err = json.Marshal(x); err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	if _, is := got.body.(file); !is && !unsigned {
		s.sign(w.Header(), body, false)
	}
	w.WriteHeader(got.status)
	_, _ = w.Write(body)
}

func (s *WeChat) doCreate(_ *http.Request, body []byte) result {
	var q struct {
		AppID       string    `json:"appid"`
		Merchant    string    `json:"mchid"`
		Description string    `json:"description"`
		Number      string    `json:"out_trade_no"`
		Expires     time.Time `json:"time_expire"`
		Notify      string    `json:"notify_url"`
		Amount      struct {
			Total    int64
			Currency string
		}
	}
	if json.Unmarshal(body, &q) != nil || !regexp.MustCompile(`^[0-9A-Za-z_\-|*]{6,32}$`).MatchString(q.Number) || q.Description == "" ||
		!strings.HasPrefix(q.Notify, "https://") || q.Amount.Currency != "CNY" {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	if q.AppID != s.set.AppID || q.Merchant != s.set.Merchant {
		return problem(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH")
	}
	if s.use(func(f *Faults) *int { return &f.Invalid }) {
		return problem(http.StatusBadRequest, "INVALID_REQUEST")
	}
	qr, code := s.create(q.Number, q.Amount.Total, q.Description, q.Expires)
	switch code {
	case "":
		return result{http.StatusOK, map[string]string{"code_url": qr}}
	case "NUMBER_REUSED":
		return problem(http.StatusForbidden, "OUT_TRADE_NO_USED")
	case "ORDER_PAID":
		return problem(http.StatusBadRequest, "ORDERPAID")
	case "ORDER_CLOSED":
		return problem(http.StatusBadRequest, "ORDER_CLOSED")
	case "MERCHANT_LIMIT":
		return problem(http.StatusForbidden, "RULE_LIMIT")
	}
	return problem(http.StatusBadRequest, "PARAM_ERROR")
}

func (s *WeChat) orderWire(o Order) map[string]any {
	out := map[string]any{"appid": s.set.AppID, "mchid": s.set.Merchant, "out_trade_no": o.Number, "trade_state": "NOTPAY",
		"trade_state_desc": "订单未支付", "amount": map[string]any{"total": o.Amount, "currency": "CNY"}}
	if o.Closed {
		out["trade_state"], out["trade_state_desc"] = "CLOSED", "订单已关闭"
	}
	for _, p := range o.Payments {
		out["trade_state"], out["trade_state_desc"], out["trade_type"] = "SUCCESS", "支付成功", "NATIVE"
		if p.Returned > 0 {
			out["trade_state"] = "REFUND"
		}
		out["transaction_id"], out["success_time"] = p.Transaction, p.At.In(china).Format(time.RFC3339)
		out["amount"] = map[string]any{"total": p.Amount, "payer_total": p.Amount, "currency": "CNY", "payer_currency": "CNY"}
		out["payer"] = map[string]any{"openid": "oSIM0000000000000000000000"}
	}
	return out
}

func (s *WeChat) doQuery(r *http.Request, _ []byte) result {
	if r.URL.Query().Get("mchid") != s.set.Merchant {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	o, found := s.query(r.PathValue("number"))
	if !found {
		return problem(http.StatusNotFound, "ORDER_NOT_EXIST")
	}
	return result{http.StatusOK, s.orderWire(o)}
}

func (s *WeChat) doClose(r *http.Request, body []byte) result {
	var q struct {
		Merchant string `json:"mchid"`
	}
	if json.Unmarshal(body, &q) != nil || q.Merchant != s.set.Merchant {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	if o, found := s.query(r.PathValue("number")); found && o.Closed && len(o.Payments) == 0 {
		return problem(http.StatusBadRequest, "ORDER_CLOSED")
	}
	if s.use(func(f *Faults) *int { return &f.Paying }) {
		return result{http.StatusAccepted, map[string]string{"code": "USERPAYING", "message": "用户支付中，需要输入密码"}}
	}
	switch code := s.close(r.PathValue("number")); code {
	case "":
		return result{http.StatusNoContent, nil}
	case "ORDER_PAID":
		return problem(http.StatusBadRequest, "ORDERPAID")
	default:
		return problem(http.StatusNotFound, code)
	}
}

// wechatRefund is WeChat's word for a refund.
func wechatRefund(state string) string {
	return map[string]string{"working": "PROCESSING", "done": "SUCCESS", "refused": "ABNORMAL"}[state]
}

func (s *WeChat) refundWire(r Refund) map[string]any {
	out := map[string]any{"refund_id": "50" + r.Number, "out_refund_no": r.Number, "transaction_id": r.Transaction, "out_trade_no": r.Order,
		"channel": "ORIGINAL", "user_received_account": "支付用户零钱", "create_time": r.At.In(china).Format(time.RFC3339),
		"status": wechatRefund(r.State),
		"amount": map[string]any{"total": r.Amount, "refund": r.Amount, "payer_total": r.Amount, "payer_refund": r.Amount,
			"settlement_refund": r.Amount, "settlement_total": r.Amount, "discount_refund": 0, "currency": "CNY"}}
	if r.State == "done" {
		out["success_time"] = r.At.In(china).Format(time.RFC3339)
	}
	return out
}

func (s *WeChat) doRefund(_ *http.Request, body []byte) result {
	var q struct {
		Transaction string `json:"transaction_id"`
		Order       string `json:"out_trade_no"`
		Number      string `json:"out_refund_no"`
		Reason      string
		Amount      struct {
			Refund, Total int64
			Currency      string
		}
	}
	if json.Unmarshal(body, &q) != nil || q.Number == "" || q.Amount.Refund <= 0 || q.Amount.Refund > q.Amount.Total || q.Amount.Currency != "CNY" || len(q.Reason) > 80 {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	r, code := s.refund(q.Number, s.orderOf(q.Transaction), q.Transaction, q.Amount.Refund)
	switch {
	case code == "" && r.State == "refused" && r.Code == "NOT_ENOUGH":
		return problem(http.StatusForbidden, "NOT_ENOUGH")
	case code == "":
		s.tell("", r.Number)
		return result{http.StatusOK, s.refundWire(r)}
	case code == "TRANSACTION_NOT_EXIST":
		return problem(http.StatusNotFound, "RESOURCE_NOT_EXISTS")
	}
	return problem(http.StatusBadRequest, "INVALID_REQUEST")
}

// orderOf finds the order of a payment.
func (b *Books) orderOf(transaction string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.orders {
		for _, p := range o.Payments {
			if p.Transaction == transaction {
				return o.Number
			}
		}
	}
	return ""
}

func (s *WeChat) doQueryRefund(r *http.Request, _ []byte) result {
	f, found := s.queryRefund(r.PathValue("number"))
	if !found {
		return problem(http.StatusNotFound, "RESOURCE_NOT_EXISTS")
	}
	return result{http.StatusOK, s.refundWire(f)}
}

// words are those of an order in a statement, where nothing is quoted: they may hold commas and quotes.
const words = `工本费,"样`

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func (s *WeChat) bill(day string) (file, string) {
	lines, made := s.statement(day)
	if !made {
		return nil, "STATEMENT_CREATING"
	}
	if len(lines) == 0 {
		return nil, "NO_STATEMENT_EXIST"
	}
	b := &bytes.Buffer{}
	b.WriteString("\uFEFF交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n")
	paid, back := int64(0), int64(0)
	for _, l := range lines {
		if l.refund == "" {
			paid += l.amount
			fmt.Fprintf(b, "`%s,`%s,`%s,`0,`,`%s,`%s,`oSIM,`NATIVE,`SUCCESS,`OTHERS,`CNY,`%s,`0.00,`0,`0,`0.00,`0.00,`,`,`%s,`,`0.00000,`0.60%%,`%[6]s,`0.00,`\r\n",
				l.at.In(china).Format(time.DateTime), s.set.AppID, s.set.Merchant, l.transaction, l.order, yuan(l.amount), words)
			continue
		}
		back += l.amount
		fmt.Fprintf(b, "`%s,`%s,`%s,`0,`,`%s,`%s,`oSIM,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50%s,`%[6]s,`%s,`0.00,`ORIGINAL,`%s,`%s,`,`0.00000,`0.60%%,`0.00,`%[7]s,`\r\n",
			l.at.In(china).Format(time.DateTime), s.set.AppID, s.set.Merchant, l.transaction, l.order, l.refund, yuan(l.amount), wechatRefund(l.state), words)
	}
	fmt.Fprintf(b, "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n`%d,`%s,`%s,`0.00,`0.00000,`%[2]s,`%[3]s\r\n", len(lines), yuan(paid), yuan(back))
	return b.Bytes(), ""
}

func (s *WeChat) doBill(r *http.Request, _ []byte) result {
	day := r.URL.Query().Get("bill_date")
	b, code := s.bill(day)
	if code != "" {
		return problem(http.StatusBadRequest, code)
	}
	sum := sha1.Sum(b) //nolint:gosec // the papers say so
	return result{http.StatusOK, map[string]string{"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]),
		"download_url": "https://api.mch.weixin.qq.com/v3/billdownload/file?token=" + day}}
}

func (s *WeChat) doFile(r *http.Request, _ []byte) result {
	b, code := s.bill(r.URL.Query().Get("token"))
	if code != "" {
		return problem(http.StatusNotFound, "RESOURCE_NOT_EXISTS")
	}
	return result{http.StatusOK, b}
}

// note makes the notice of a change: WeChat tells of payments and of refunds that ended.
func (s *WeChat) note(order, refund string) {
	n := Notice{Order: order, Refund: refund}
	var plain map[string]any
	event := "TRANSACTION.SUCCESS"
	if refund != "" {
		r, found := s.queryRefund(refund)
		if !found || r.State == "working" {
			return
		}
		event = map[string]string{"done": "REFUND.SUCCESS", "refused": "REFUND.ABNORMAL"}[r.State]
		n.Order = r.Order
		plain = map[string]any{"mchid": s.set.Merchant, "out_trade_no": r.Order, "transaction_id": r.Transaction, "out_refund_no": r.Number,
			"refund_id": "50" + r.Number, "refund_status": strings.TrimPrefix(event, "REFUND."), "user_received_account": "支付用户零钱",
			"amount": map[string]any{"total": r.Amount, "refund": r.Amount, "payer_total": r.Amount, "payer_refund": r.Amount}}
	} else {
		s.mu.Lock()
		o := s.orders[order]
		if o == nil || len(o.Payments) == 0 {
			s.mu.Unlock()
			return
		}
		plain = s.orderWire(*o)
		s.mu.Unlock()
	}
	n.body = s.seal(event, plain)
	s.keep(n)
}

func (s *WeChat) seal(event string, content map[string]any) []byte {
	plain, _ := json.Marshal(content)
	block, err := aes.NewCipher(s.set.APIKey)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce, kind := randomHex(6), strings.ToLower(event[:strings.IndexByte(event, '.')])
	body, _ := json.Marshal(map[string]any{"id": randomHex(16), "create_time": s.Now().Format(time.RFC3339), "resource_type": "encrypt-resource",
		"event_type": event, "summary": event, "resource": map[string]any{"original_type": kind, "algorithm": "AEAD_AES_256_GCM",
			"ciphertext": base64.StdEncoding.EncodeToString(aead.Seal(nil, []byte(nonce), plain, []byte(kind))), "associated_data": kind, "nonce": nonce}})
	return body
}

// Request is a notice as it goes out, freshly signed; forged, its signature is over other bytes.
func (s *WeChat) Request(n Notice, url string, forged bool) *http.Request {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(n.body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	s.sign(r.Header, n.body, forged)
	return r
}

// Forge is a notice that says an order was paid, which the channel never sent: sealed with the right key, if whoever forges has it.
func (s *WeChat) Forge(number string, amount int64) Notice {
	return Notice{Order: number, body: s.seal("TRANSACTION.SUCCESS", s.orderWire(Order{Number: number, Amount: amount,
		Payments: []Payment{{Transaction: "forged-" + number, Order: number, Amount: amount, At: s.Now()}}}))}
}
