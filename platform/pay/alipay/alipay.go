// Package alipay is Alipay as a payment channel: face-to-face orders (当面付, alipay.trade.precreate: a code on our screen, scanned by
// the phone), with the SDK github.com/smartwalle/alipay/v3.
//
// An order does not exist at Alipay until a phone scans its code: until then query and close say ACQ.TRADE_NOT_EXIST, which is
// [pay.ErrAbsent] and never "nobody will pay". So that a code cannot be scanned late, the order carries its own end. An order is
// closed with alipay.trade.close, never with cancel: cancel pays back by itself what was paid, and money goes back only for
// a payment that is booked here.
//
// What the SDK leaves open is closed here. An error without a signature is taken as not known. It reads answers without a bound
// ([outbound]). It would fetch a certificate that it does not know from the address of its choice: it gets only those of the
// settings.
//
// Papers: opendocs.alipay.com, 当面付, alipay.trade.{precreate,query,close,refund,fastpay.refund.query},
// alipay.data.dataservice.bill.downloadurl.query. All its times are China's.
package alipay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/smartwalle/alipay/v3"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/outbound"
)

// Config of one merchant.
type Config struct {
	URL      string // https://host; "" is Alipay's own
	AppID    string
	Seller   string // 2088…, the merchant's number: notices must be about it
	Key      []byte // our private key, RSA, PEM
	AppCert  []byte // our certificate, the root certificates and Alipay's own, PEM, as downloaded from it; nil: PeerKey is used
	RootCert []byte
	PeerCert []byte
	PeerKey  []byte // Alipay's public key, PEM or base64
	Product  string // as signed for: FACE_TO_FACE_PAYMENT (当面付), which "" is, or QR_CODE_OFFLINE (订单码支付)
	Notify   string // https address of ours for notices; "": none are asked for, and all is asked
	Client   http.RoundTripper
	Now      func() time.Time
}

// Bounds.
const (
	gateway      = "https://openapi.alipay.com/gateway.do"
	maxAnswer    = 1 << 20
	maxStatement = 64 << 20
	askTimeout   = 30 * time.Second
	faceToFace   = "FACE_TO_FACE_PAYMENT"
)

// Channel is the channel.
type Channel struct {
	cfg    Config
	client *alipay.Client
	books  *http.Client // files of statements: elsewhere, long and unsigned
}

var _ pay.Channel = (*Channel)(nil)

// New reads keys and checks the settings. Nothing is asked of Alipay.
func New(cfg Config) (*Channel, error) {
	if !pay.Plain(cfg.AppID, 32) || !pay.Plain(cfg.Seller, 32) {
		return nil, errors.New("alipay: app_id or merchant is missing or is no plain text")
	}
	if cfg.Product == "" {
		cfg.Product = faceToFace
	}
	if !pay.Plain(cfg.Product, 64) {
		return nil, errors.New("alipay: product is no plain text")
	}
	if cfg.Notify != "" {
		if u, err := url.Parse(cfg.Notify); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
			return nil, errors.New("alipay: notify must be an https address without parameters")
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	client, err := outbound.Client(cfg.URL, cfg.Client, maxAnswer, askTimeout)
	if err != nil {
		return nil, fmt.Errorf("alipay: %w", err)
	}
	c := &Channel{cfg: cfg}
	if c.books, err = outbound.Client("", cfg.Client, maxStatement, askTimeout); err != nil {
		return nil, fmt.Errorf("alipay: %w", err)
	}
	// "Production" is the SDK's word for fetching certificates it does not know; the address is the real one all the same.
	c.client, err = alipay.New(cfg.AppID, string(cfg.Key), false, alipay.WithHTTPClient(client), alipay.WithSandboxGateway(gateway), alipay.WithTimeLocation(pay.China))
	if err != nil {
		return nil, errors.New("alipay: our key is no RSA key in PEM") // the SDK's error may hold what it read
	}
	if cfg.AppCert != nil {
		if c.client.LoadAppCertPublicKey(string(cfg.AppCert)) != nil || c.client.LoadAliPayRootCert(string(cfg.RootCert)) != nil ||
			c.client.LoadAlipayCertPublicKey(string(cfg.PeerCert)) != nil || len(cfg.RootCert) == 0 {
			return nil, errors.New("alipay: our certificate, the root certificates or Alipay's own cannot be read")
		}
		return c, nil
	}
	if c.client.LoadAliPayPublicKey(string(cfg.PeerKey)) != nil {
		return nil, errors.New("alipay: Alipay's key is no RSA key in PEM or base64")
	}
	return c, nil
}

// refusals are, of each act, the sub-codes after which certainly nothing was done. Any other leaves that open: ACQ.SYSTEM_ERROR by its
// papers, and those that tell of an order or a refund that is there already under the number. A question has none: who may not ask
// learns nothing of what is asked about. Where each is written: docs/payments.md.
var refusals = map[string][]string{
	"create": {"ACQ.INVALID_PARAMETER", "ACQ.ACCESS_FORBIDDEN", "ACQ.EXIST_FORBIDDEN_WORD", "ACQ.PARTNER_ERROR", "ACQ.TOTAL_FEE_EXCEED",
		"ACQ.BEYOND_PAY_RESTRICTION", "ACQ.BEYOND_PER_RECEIPT_RESTRICTION", "ACQ.SELLER_BEEN_BLOCKED", "ACQ.INVALID_STORE_ID",
		"ACQ.SECONDARY_MERCHANT_STATUS_ERROR", "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "ACQ.MERCHANT_STATUS_NOT_NORMAL"},
	"close": {"ACQ.INVALID_PARAMETER"},
	"refund": {"ACQ.INVALID_PARAMETER", "ACQ.ACCESS_FORBIDDEN", "ACQ.BUYER_ENABLE_STATUS_FORBID", "ACQ.BUYER_ERROR", "ACQ.BUYER_NOT_EXIST",
		"ACQ.CURRENCY_NOT_SUPPORT", "ACQ.CUSTOMER_VALIDATE_ERROR", "ACQ.NOT_ALLOW_PARTIAL_REFUND", "ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND",
		"ACQ.PARTNER_ERROR", "ACQ.REASON_TRADE_BEEN_FREEZEN", "ACQ.REASON_TRADE_REFUND_FEE_ERR", "ACQ.REASON_TRADE_STATUS_INVALID",
		"ACQ.REFUND_ACCOUNT_NOT_EXIST", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "ACQ.REFUND_FEE_ERROR", "ACQ.SELLER_BALANCE_NOT_ENOUGH",
		"ACQ.TRADE_HAS_FINISHED", "ACQ.TRADE_NOT_ALLOW_REFUND", "ACQ.TRADE_STATUS_ERROR", "ACQ.USER_NOT_MATCH_ERR"},
}

// notWaiting are the sub-codes of a close that came to an order that does not wait for money: paid, closed, or neither.
var notWaiting = []string{"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"}

// noBill: the papers say BILL_NOT_EXIST, the gateway isp.bill_not_exist.
var noBill = []string{"isp.bill_not_exist", "BILL_NOT_EXIST"}

// fault is what went wrong in the port's words; said is the answer's own, if it is signed.
func fault(doing string, said alipay.Error, err error) error {
	if err != nil {
		var unsigned *alipay.Error
		var cut *url.Error
		switch {
		case errors.As(err, &unsigned):
			return fmt.Errorf("alipay: %s: code %.20q, not signed by Alipay", doing, string(unsigned.Code))
		case errors.Is(err, outbound.ErrLong):
			return fmt.Errorf("alipay: %s: %w", doing, outbound.ErrLong)
		case errors.As(err, &cut):
			return fmt.Errorf("alipay: %s: %w", doing, cut.Err)
		}
		return fmt.Errorf("alipay: %s: the answer is not signed by Alipay or cannot be read", doing)
	}
	switch {
	case said.Code == alipay.CodeSuccess:
		return nil
	case said.SubCode == "ACQ.TRADE_NOT_EXIST":
		return fmt.Errorf("alipay: %s: %w", doing, pay.ErrAbsent)
	case slices.Contains(refusals[doing], said.SubCode):
		return fmt.Errorf("alipay: %s: %w", doing, &pay.Refusal{Code: said.SubCode})
	}
	return fmt.Errorf("alipay: %s: code %.20q %.60q", doing, string(said.Code), said.SubCode)
}

// precreate has a field that the SDK lacks: the code's own end, from when it was made.
type precreate struct {
	alipay.TradePreCreate
	Timeout string `json:"qr_code_timeout_express,omitempty"`
}

// Create makes an order and its code. Both end with the bill: the code in whole minutes, the order to the second.
func (c *Channel) Create(ctx context.Context, o pay.Order) (string, error) {
	minutes := int(o.Expires.Sub(c.cfg.Now()).Round(time.Minute) / time.Minute)
	q := precreate{Timeout: fmt.Sprintf("%dm", max(1, minutes)), TradePreCreate: alipay.TradePreCreate{Trade: alipay.Trade{NotifyURL: c.cfg.Notify,
		OutTradeNo: o.Number, TotalAmount: o.Amount.String(), Subject: subject(o.Subject), ProductCode: c.cfg.Product, SellerId: c.cfg.Seller,
		TimeExpire: o.Expires.In(pay.China).Format(time.DateTime)}}}
	var got alipay.TradePreCreateRsp
	err := c.client.Request(ctx, q, &got)
	if err := fault("create", got.Error, err); err != nil {
		return "", err
	}
	if got.OutTradeNo != o.Number || !pay.Plain(got.QRCode, 1024) {
		return "", errors.New("alipay: create: no code that can be shown")
	}
	return got.QRCode, nil
}

// subject is at most 256 characters, without those that the papers forbid.
func subject(s string) string {
	r := []rune(strings.NewReplacer("/", " ", "=", " ", "&", " ").Replace(s))
	return string(r[:min(len(r), 256)])
}

// Query tells of an order.
func (c *Channel) Query(ctx context.Context, number string) (pay.Standing, error) {
	var got alipay.TradeQueryRsp
	err := c.client.Request(ctx, alipay.TradeQuery{OutTradeNo: number}, &got)
	if err := fault("query", got.Error, err); err != nil {
		return pay.Standing{}, err
	}
	return c.standing(number, trade{got.OutTradeNo, got.TradeNo, string(got.TradeStatus), got.TotalAmount, got.SendPayDate})
}

// trade is what a query or a notice says of an order.
type trade struct{ order, transaction, status, amount, paid string }

// standing believes an order only when it makes sense. TRADE_CLOSED is an order that ended unpaid, or one that was paid and wholly
// paid back: the latter has a time of payment.
func (c *Channel) standing(number string, t trade) (s pay.Standing, err error) {
	if t.order != number {
		return s, errors.New("alipay: the answer is about another order")
	}
	switch alipay.TradeStatus(t.status) {
	case alipay.TradeStatusWaitBuyerPay:
		s.State = pay.OrderWaiting
		return s, nil
	case alipay.TradeStatusClosed:
		if s.State = pay.OrderClosed; t.paid == "" {
			return s, nil
		}
	case alipay.TradeStatusSuccess, alipay.TradeStatusFinished:
	default:
		return s, fmt.Errorf("alipay: state %.20q", t.status)
	}
	s.State = pay.OrderPaid
	amount, err := pay.ParseYuan(t.amount)
	if err != nil || amount == 0 || !pay.Plain(t.transaction, 64) {
		return pay.Standing{}, errors.New("alipay: payment without number or amount")
	}
	at := c.cfg.Now() // its papers leave open whether it tells the time
	if t.paid != "" {
		if at, err = time.ParseInLocation(time.DateTime, t.paid, pay.China); err != nil {
			return pay.Standing{}, errors.New("alipay: payment's time cannot be read")
		}
	}
	s.Payments = []pay.Received{{Transaction: t.transaction, Amount: amount, At: at}}
	return s, nil
}

// Close makes an order unpayable. What is neither waiting nor absent was paid or is closed: a query tells.
func (c *Channel) Close(ctx context.Context, number string) error {
	var got alipay.TradeCloseRsp
	err := c.client.Request(ctx, alipay.TradeClose{OutTradeNo: number}, &got)
	if err != nil || !slices.Contains(notWaiting, got.SubCode) {
		return fault("close", got.Error, err)
	}
	s, err := c.Query(ctx, number)
	switch {
	case err != nil:
		return err
	case s.State == pay.OrderPaid:
		return fmt.Errorf("alipay: close: %w", pay.ErrPaid)
	case s.State == pay.OrderClosed:
		return nil
	}
	return errors.New("alipay: close: not done, and the order waits")
}

// Refund pays back. Alipay does it once for one number. fund_change tells whether money moved by this very request; if not, a query
// tells what became of it.
func (c *Channel) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundStanding, error) {
	var got alipay.TradeRefundRsp
	err := c.client.Request(ctx, alipay.TradeRefund{OutTradeNo: r.Attempt, TradeNo: r.Transaction, RefundAmount: r.Amount.String(),
		RefundReason: subject(r.Why), OutRequestNo: r.Number}, &got)
	if err := fault("refund", got.Error, err); err != nil {
		if errors.Is(err, pay.ErrAbsent) { // the payment is not known there: nothing is paid back
			err = fmt.Errorf("alipay: refund: %w", &pay.Refusal{Code: got.SubCode})
		}
		return "", err
	}
	if got.TradeNo != r.Transaction {
		return "", errors.New("alipay: the answer is about another payment")
	}
	if got.FundChange == "Y" {
		return pay.RefundPaidBack, nil
	}
	return pay.RefundWorking, nil
}

// QueryRefund tells of a refund. An answer without a state and an amount is one that was not received or that failed: it may be asked
// for again under the same number.
func (c *Channel) QueryRefund(ctx context.Context, attempt, number string) (pay.RefundStanding, error) {
	var got alipay.TradeFastPayRefundQueryRsp
	err := c.client.Request(ctx, alipay.TradeFastPayRefundQuery{OutTradeNo: attempt, OutRequestNo: number}, &got)
	if err := fault("query-refund", got.Error, err); err != nil {
		return "", err
	}
	switch {
	case got.RefundStatus == "" && got.RefundAmount == "":
		return "", fmt.Errorf("alipay: query-refund: %w", pay.ErrAbsent)
	case got.OutRequestNo != number:
		return "", errors.New("alipay: the answer is about another refund")
	case got.RefundStatus == "REFUND_SUCCESS":
		return pay.RefundPaidBack, nil
	}
	return pay.RefundWorking, nil
}

// Statement is Alipay's bill of a day (业务账单), made by nine in the morning.
func (c *Channel) Statement(ctx context.Context, day string) ([]pay.Line, error) {
	var got alipay.BillDownloadURLQueryRsp
	err := c.client.Request(ctx, alipay.BillDownloadURLQuery{BillType: "trade", BillDate: day}, &got)
	if err == nil && got.Code == alipay.CodeBusinessFailed && slices.Contains(noBill, got.SubCode) {
		return c.none(day)
	}
	if err := fault("statement", got.Error, err); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, got.BillDownloadURL, nil)
	if err != nil || r.URL.Scheme != "https" || !strings.HasSuffix("."+r.URL.Hostname(), ".alipay.com") {
		return nil, errors.New("alipay: statement: its file is not at Alipay's")
	}
	res, err := c.books.Do(r)
	if err != nil {
		return nil, errors.New("alipay: statement: its file cannot be fetched") // the address is a secret for half a minute
	}
	body, err := outbound.ReadAll(res.Body, maxStatement)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("alipay: statement: its file cannot be read: status %d", res.StatusCode)
	}
	return readStatement(body)
}

// none: a day without any trade has no bill, so that from noon on none means that nothing happened.
func (c *Channel) none(day string) ([]pay.Line, error) {
	made, err := time.ParseInLocation(time.DateOnly, day, pay.China)
	if err != nil || c.cfg.Now().Before(made.Add(36*time.Hour)) {
		return nil, fmt.Errorf("alipay: statement: %w", pay.ErrAbsent)
	}
	return nil, nil
}

// Notice reads what Alipay sent by itself: a form, signed without its sign and sign_type.
func (c *Channel) Notice(_ http.Header, body []byte) (n pay.Notice, err error) {
	form, err := readForm(body)
	if err != nil {
		return n, err
	}
	if err := c.client.VerifySign(form); err != nil {
		return n, fmt.Errorf("alipay: %w", pay.ErrForged)
	}
	return c.readNotice(form)
}

func readForm(body []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) > 100 {
		return nil, errors.New("alipay: notice is no form")
	}
	for name, all := range form {
		if len(all) != 1 || len(name) > 64 {
			return nil, errors.New("alipay: notice has a field twice")
		}
	}
	if form.Get("sign_type") != "RSA2" {
		return nil, errors.New("alipay: notice is not signed with RSA2")
	}
	return form, nil
}

// readNotice: one about a refund tells of the order all the same; what became of the refund is asked.
func (c *Channel) readNotice(form url.Values) (n pay.Notice, err error) {
	if form.Get("app_id") != c.cfg.AppID || form.Get("seller_id") != c.cfg.Seller || !pay.Plain(form.Get("out_trade_no"), 64) {
		return n, errors.New("alipay: notice is about another merchant, or about no order")
	}
	n = pay.Notice{ID: form.Get("notify_id"), Number: form.Get("out_trade_no"), Ack: []byte("success"), AckType: "text/plain"}
	n.Standing, err = c.standing(n.Number, trade{n.Number, form.Get("trade_no"), form.Get("trade_status"), form.Get("total_amount"), form.Get("gmt_payment")})
	if err != nil {
		return pay.Notice{}, err
	}
	return n, nil
}
