// Package wechat is WeChat Pay as a payment channel: Native orders (a code on our screen, scanned by the phone) of a merchant of
// its own (直连商户), over API v3 with the SDK of WeChat Pay (github.com/wechatpay-apiv3/wechatpay-go).
//
// What the SDK leaves open is closed here. It believes an error's text without looking at its signature: an error that WeChat
// did not sign means that nobody knows. Its errors hold headers and bodies: none is passed on. It reads answers without a bound
// ([outbound]). The clocks of both sides may differ by five minutes.
//
// Papers: pay.weixin.qq.com/doc/v3/merchant, Native 支付, 申请退款, 申请交易账单. An order's number is never paid twice there, so that
// an order has at most one payment.
package wechat

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the channel names the hash of its file; the answer that names it is signed
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/outbound"
)

// Config of one merchant.
type Config struct {
	URL       string // https://host; "" is WeChat's own
	AppID     string // 公众账号 the orders are made under
	Merchant  string // 商户号
	Serial    string // of our certificate, hexadecimal
	Key       []byte // our private key, RSA, PEM
	APIKey    []byte // APIv3 密钥, 32 bytes: notices are sealed with it
	PeerKeyID string // PUB_KEY_ID_…; "": PeerKey holds platform certificates
	PeerKey   []byte // WeChat's public key, PEM; or platform certificates, one after the other, so that a new one is known beforehand
	Notify    string // https address of ours for notices; "": none are asked for, and all is asked
	Client    http.RoundTripper
	Now       func() time.Time
}

// Bounds.
const (
	maxAnswer    = 1 << 20
	maxStatement = 64 << 20
	askTimeout   = 30 * time.Second
)

// Channel is the channel.
type Channel struct {
	cfg      Config
	native   native.NativeApiService
	refunds  refunddomestic.RefundsApiService
	client   *core.Client
	books    *core.Client // files of statements: long, unsigned, known by their hash
	verify   auth.Verifier
	validate *validators.WechatPayResponseValidator
	notices  *notify.Handler
}

var _ pay.Channel = (*Channel)(nil)

// New reads keys and checks the settings. Nothing is asked of WeChat.
func New(cfg Config) (*Channel, error) {
	for _, f := range []struct{ name, text string }{{"app_id", cfg.AppID}, {"merchant", cfg.Merchant}, {"serial", cfg.Serial}} {
		if !pay.Plain(f.text, 64) || strings.ContainsAny(f.text, `"\`) {
			return nil, fmt.Errorf("wechat: %s is missing or is no plain text", f.name)
		}
	}
	if len(cfg.APIKey) != 32 {
		return nil, errors.New("wechat: the APIv3 key must have 32 bytes")
	}
	if cfg.Notify != "" {
		if u, err := url.Parse(cfg.Notify); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
			return nil, errors.New("wechat: notify must be an https address without parameters")
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	key, err := utils.LoadPrivateKey(string(cfg.Key))
	if err != nil {
		return nil, errors.New("wechat: our key is no RSA key in PEM") // the SDK's error may hold what it read
	}
	c := &Channel{cfg: cfg}
	var verifier auth.Verifier
	var ours core.ClientOption
	if cfg.PeerKeyID != "" {
		public, err := publicKey(cfg.PeerKey)
		if err != nil {
			return nil, err
		}
		verifier = verifiers.NewSHA256WithRSAPubkeyVerifier(cfg.PeerKeyID, *public)
		ours = option.WithWechatPayPublicKeyAuthCipher(cfg.Merchant, cfg.Serial, key, cfg.PeerKeyID, public)
	} else {
		all, err := certificates(cfg.PeerKey)
		if err != nil {
			return nil, err
		}
		verifier = verifiers.NewSHA256WithRSAVerifier(core.NewCertificateMapWithList(all))
		ours = option.WithWechatPayAuthCipher(cfg.Merchant, cfg.Serial, key, all)
	}
	client, err := outbound.Client(cfg.URL, cfg.Client, maxAnswer, askTimeout)
	if err != nil {
		return nil, fmt.Errorf("wechat: %w", err)
	}
	books, err := outbound.Client(cfg.URL, cfg.Client, maxStatement, askTimeout)
	if err != nil {
		return nil, fmt.Errorf("wechat: %w", err)
	}
	c.verify = verifier
	c.validate = validators.NewWechatPayResponseValidator(verifier)
	if c.client, err = core.NewClient(context.Background(), ours, option.WithHTTPClient(client)); err != nil {
		return nil, errors.New("wechat: the settings cannot be used")
	}
	if c.books, err = core.NewClient(context.Background(), ours, option.WithHTTPClient(books), option.WithoutValidator()); err != nil {
		return nil, errors.New("wechat: the settings cannot be used")
	}
	c.native, c.refunds = native.NativeApiService{Client: c.client}, refunddomestic.RefundsApiService{Client: c.client}
	if c.notices, err = notify.NewRSANotifyHandler(string(cfg.APIKey), verifier); err != nil {
		return nil, errors.New("wechat: the APIv3 key cannot be used")
	}
	return c, nil
}

func publicKey(text []byte) (*rsa.PublicKey, error) {
	key, err := utils.LoadPublicKey(string(text))
	if err != nil {
		return nil, errors.New("wechat: the channel's key is no RSA key in PEM")
	}
	return key, nil
}

func certificates(text []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("wechat: a platform certificate cannot be read")
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("wechat: neither a public key's id nor a platform certificate is given")
	}
	return all, nil
}

// refusals are, of each act, the codes after which certainly nothing was done. Any other error leaves that open: SYSTEM_ERROR and
// FREQUENCY_LIMITED ask for the same number again, OUT_TRADE_NO_USED tells that something was done before, TRADE_ERROR tells nothing. A
// question has none: who may not ask learns nothing of what is asked about. Older merchants get some codes without underscores.
// Where each is written: docs/payments.md.
var refusals = map[string][]string{
	"create": {"PARAM_ERROR", "APPID_MCHID_NOT_MATCH", "MCH_NOT_EXISTS", "NO_AUTH", "NOAUTH", "RULE_LIMIT", "RULELIMIT", "ACCOUNT_ERROR", "ACCOUNTERROR"},
	"close":  {"PARAM_ERROR", "INVALID_REQUEST", "MCH_NOT_EXISTS", "NO_AUTH", "NOAUTH", "RULE_LIMIT", "RULELIMIT"},
	"refund": {"PARAM_ERROR", "INVALID_REQUEST", "MCH_NOT_EXISTS", "NO_AUTH", "NOAUTH", "NOT_ENOUGH", "NOTENOUGH", "USER_ACCOUNT_ABNORMAL"},
}

// said is the code of an error that WeChat signed; "" when it did not, or gave none.
func (c *Channel) said(ctx context.Context, err error) string {
	var said *core.APIError
	if errors.As(err, &said) &&
		c.validate.Validate(ctx, &http.Response{Header: said.Header, Body: io.NopCloser(strings.NewReader(said.Body))}) == nil {
		return said.Code
	}
	return ""
}

// fault is an SDK's error in the port's words, without what WeChat said in its own: that may be anything.
func (c *Channel) fault(ctx context.Context, doing string, err error) error {
	switch code := c.said(ctx, err); {
	case slices.Contains([]string{"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "STATEMENT_CREATING"}, code):
		return fmt.Errorf("wechat: %s: %w", doing, pay.ErrAbsent)
	case code == "ORDERPAID", code == "ORDER_PAID":
		return fmt.Errorf("wechat: %s: %w", doing, pay.ErrPaid)
	case slices.Contains(refusals[doing], code):
		return fmt.Errorf("wechat: %s: %w", doing, &pay.Refusal{Code: code})
	case code != "":
		return fmt.Errorf("wechat: %s: code %.40q", doing, code)
	}
	var unsigned *core.APIError
	var cut *url.Error
	switch {
	case errors.As(err, &unsigned):
		return fmt.Errorf("wechat: %s: status %d, not signed by WeChat", doing, unsigned.StatusCode)
	case errors.As(err, &cut):
		return fmt.Errorf("wechat: %s: %w", doing, cut.Err)
	}
	return fmt.Errorf("wechat: %s: the answer is too long, not signed by WeChat, or cannot be read", doing)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Create makes an order. The same number with the same amount and words gives the same code again.
func (c *Channel) Create(ctx context.Context, o pay.Order) (string, error) {
	expires := o.Expires.In(pay.China).Truncate(time.Second)
	q := native.PrepayRequest{Appid: &c.cfg.AppID, Mchid: &c.cfg.Merchant, Description: core.String(short(o.Subject, 127)), OutTradeNo: &o.Number,
		TimeExpire: &expires, NotifyUrl: core.String(c.cfg.Notify),
		Amount: &native.Amount{Total: core.Int64(int64(o.Amount)), Currency: core.String("CNY")}}
	if c.cfg.Notify == "" {
		q.NotifyUrl = core.String("https://notify.invalid/") // the field must be there; nothing is sent to it that is needed
	}
	got, _, err := c.native.Prepay(ctx, q)
	if c.said(ctx, err) == "INVALID_REQUEST" { // also said of a number that is in use with other words or another amount
		if _, err := c.Query(ctx, o.Number); !errors.Is(err, pay.ErrAbsent) {
			return "", errors.New("wechat: create: INVALID_REQUEST, and the number may be in use")
		}
		return "", fmt.Errorf("wechat: create: %w", &pay.Refusal{Code: "INVALID_REQUEST"})
	}
	if err != nil {
		return "", c.fault(ctx, "create", err)
	}
	if !pay.Plain(text(got.CodeUrl), 512) {
		return "", errors.New("wechat: create: no code that can be shown")
	}
	return *got.CodeUrl, nil
}

// short is at most so many bytes, and whole characters.
func short(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Query tells of an order.
func (c *Channel) Query(ctx context.Context, number string) (pay.Standing, error) {
	got, _, err := c.native.QueryOrderByOutTradeNo(ctx, native.QueryOrderByOutTradeNoRequest{OutTradeNo: &number, Mchid: &c.cfg.Merchant})
	if err != nil {
		return pay.Standing{}, c.fault(ctx, "query", err)
	}
	return c.standing(number, got)
}

// standing believes an order only when it is ours and makes sense. REFUND is an order that was paid and is, in part or whole, paid
// back; REVOKED exists for payment codes only and is taken as closed.
func (c *Channel) standing(number string, t *payments.Transaction) (s pay.Standing, err error) {
	if text(t.OutTradeNo) != number || text(t.Mchid) != c.cfg.Merchant || t.Appid != nil && *t.Appid != c.cfg.AppID {
		return s, errors.New("wechat: the answer is about another order")
	}
	switch state := text(t.TradeState); state {
	case "NOTPAY", "USERPAYING", "ACCEPT":
		s.State = pay.OrderWaiting
		return s, nil
	case "CLOSED", "REVOKED":
		s.State = pay.OrderClosed
		return s, nil
	case "PAYERROR": // a bank's no: another try under the same number may follow until the order ends
		s.State = pay.OrderWaiting
		return s, nil
	case "SUCCESS", "REFUND":
		s.State = pay.OrderPaid
	default:
		return s, fmt.Errorf("wechat: state %.20q", state)
	}
	at, err := time.Parse(time.RFC3339, text(t.SuccessTime))
	if err != nil || !pay.Plain(text(t.TransactionId), 64) || t.Amount == nil || t.Amount.Total == nil ||
		*t.Amount.Total <= 0 || *t.Amount.Total > int64(pay.MaxAmount) || t.Amount.Currency != nil && *t.Amount.Currency != "CNY" {
		return pay.Standing{}, errors.New("wechat: payment without number, amount or time")
	}
	s.Payments = []pay.Received{{Transaction: *t.TransactionId, Amount: pay.Fen(*t.Amount.Total), At: at}}
	return s, nil
}

// Close makes an order unpayable. One that is closed is closed. It is done when the status is 204: 202 says that somebody is just
// paying, and the SDK takes it for success.
func (c *Channel) Close(ctx context.Context, number string) error {
	got, err := c.native.CloseOrder(ctx, native.CloseOrderRequest{OutTradeNo: &number, Mchid: &c.cfg.Merchant})
	if err == nil && got.Response.StatusCode == http.StatusNoContent {
		return nil
	}
	if err == nil {
		return fmt.Errorf("wechat: close: status %d", got.Response.StatusCode)
	}
	if said := c.said(ctx, err); said != "ORDER_CLOSED" && said != "ORDERCLOSED" {
		return c.fault(ctx, "close", err)
	}
	s, err := c.Query(ctx, number)
	if err == nil && s.State != pay.OrderClosed {
		err = fmt.Errorf("wechat: close: said to be closed, and is %s", s.State)
	}
	return err
}

// Refund pays back. It is done by and by: QueryRefund tells.
func (c *Channel) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundStanding, error) {
	q := refunddomestic.CreateRequest{TransactionId: &r.Transaction, OutRefundNo: &r.Number, Reason: core.String(short(r.Why, 80)),
		Amount: &refunddomestic.AmountReq{Refund: core.Int64(int64(r.Amount)), Total: core.Int64(int64(r.Of)), Currency: core.String("CNY")}}
	if c.cfg.Notify != "" {
		q.NotifyUrl = &c.cfg.Notify
	}
	got, _, err := c.refunds.Create(ctx, q)
	if err != nil {
		err = c.fault(ctx, "refund", err)
		if errors.Is(err, pay.ErrAbsent) { // the payment is not known there: nothing is paid back
			err = fmt.Errorf("wechat: refund: %w", &pay.Refusal{Code: "RESOURCE_NOT_EXISTS"})
		}
		return "", err
	}
	return refundStanding(r.Number, text(got.OutRefundNo), got.Status)
}

// QueryRefund tells of a refund.
func (c *Channel) QueryRefund(ctx context.Context, _, number string) (pay.RefundStanding, error) {
	got, _, err := c.refunds.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: &number})
	if err != nil {
		return "", c.fault(ctx, "query-refund", err)
	}
	return refundStanding(number, text(got.OutRefundNo), got.Status)
}

// refundStanding: ABNORMAL is money that could not be sent back to the card and waits at the merchant's; CLOSED went nowhere. Both
// are for a person.
func refundStanding(number, is string, status *refunddomestic.Status) (pay.RefundStanding, error) {
	if is != number || status == nil {
		return "", errors.New("wechat: the answer is about another refund")
	}
	switch *status {
	case refunddomestic.STATUS_SUCCESS:
		return pay.RefundPaidBack, nil
	case refunddomestic.STATUS_PROCESSING:
		return pay.RefundWorking, nil
	case refunddomestic.STATUS_ABNORMAL, refunddomestic.STATUS_CLOSED:
		return "", fmt.Errorf("wechat: refund: %w", &pay.Refusal{Code: string(*status), Ended: true})
	}
	return "", fmt.Errorf("wechat: refund is %.20q", string(*status))
}

// Statement is WeChat's bill of a day (申请交易账单, ALL). It is made after nine in the morning; a day without any trade has none, so that
// from noon on none means that nothing happened.
func (c *Channel) Statement(ctx context.Context, day string) ([]pay.Line, error) {
	got, err := c.client.Get(ctx, consts.WechatPayAPIServer+"/v3/bill/tradebill?bill_type=ALL&bill_date="+url.QueryEscape(day))
	if err != nil {
		if c.said(ctx, err) != "NO_STATEMENT_EXIST" {
			return nil, c.fault(ctx, "statement", err)
		}
		made, perr := time.ParseInLocation(time.DateOnly, day, pay.China)
		if perr != nil || c.cfg.Now().Before(made.Add(36*time.Hour)) {
			return nil, fmt.Errorf("wechat: statement: %w", pay.ErrAbsent)
		}
		return nil, nil
	}
	var at struct {
		HashType  string `json:"hash_type"`
		HashValue string `json:"hash_value"`
		URL       string `json:"download_url"`
	}
	body, err := outbound.ReadAll(got.Response.Body, maxAnswer)
	_ = got.Response.Body.Close()
	if err != nil || json.Unmarshal(body, &at) != nil || at.HashType != "SHA1" {
		return nil, errors.New("wechat: statement: the answer cannot be read")
	}
	file, err := url.Parse(at.URL)
	if err != nil || file.Scheme != "https" || !strings.HasSuffix("."+file.Hostname(), ".mch.weixin.qq.com") {
		return nil, errors.New("wechat: statement: its file is not at WeChat's") // the request is signed with our key
	}
	got, err = c.books.Get(ctx, at.URL)
	if err != nil {
		return nil, errors.New("wechat: statement: its file cannot be fetched")
	}
	body, err = outbound.ReadAll(got.Response.Body, maxStatement)
	_ = got.Response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("wechat: statement: %w", outbound.ErrLong)
	}
	sum := sha1.Sum(body) //nolint:gosec // see the import
	if !strings.EqualFold(hex.EncodeToString(sum[:]), at.HashValue) {
		return nil, errors.New("wechat: statement: the file is not the one that was named")
	}
	return readStatement(body)
}

// Notice reads what WeChat sent by itself.
func (c *Channel) Notice(h http.Header, body []byte) (n pay.Notice, err error) {
	r := &http.Request{Method: http.MethodPost, Header: h, Body: io.NopCloser(bytes.NewReader(body))}
	if validators.NewWechatPayNotifyValidator(c.verify).Validate(context.Background(), r) != nil {
		return n, fmt.Errorf("wechat: %w", pay.ErrForged)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return c.readNotice(r, body)
}

func (c *Channel) readNotice(r *http.Request, body []byte) (n pay.Notice, err error) {
	var sealed struct {
		ID       string
		Type     string `json:"event_type"`
		Resource struct{ Nonce string }
	}
	// The SDK's cipher stops the program at a nonce of another length.
	if json.Unmarshal(body, &sealed) != nil || len(sealed.Resource.Nonce) != 12 {
		return n, errors.New("wechat: notice cannot be read")
	}
	var plain json.RawMessage
	if _, err := c.notices.ParseNotifyRequest(context.Background(), r, &plain); err != nil {
		return n, errors.New("wechat: notice cannot be opened") // the SDK's error holds the whole request
	}
	if n, err = c.opened(sealed.Type, plain); err != nil {
		return pay.Notice{}, err
	}
	n.ID, n.Ack, n.AckType = sealed.ID, []byte(`{"code":"SUCCESS","message":"成功"}`), "application/json"
	return n, nil
}

// opened reads a notice's unsealed content.
func (c *Channel) opened(event string, plain []byte) (n pay.Notice, err error) {
	if strings.HasPrefix(event, "REFUND.") {
		var f struct {
			Merchant string                `json:"mchid"`
			Order    string                `json:"out_trade_no"`
			Refund   string                `json:"out_refund_no"`
			Status   refunddomestic.Status `json:"refund_status"`
		}
		if json.Unmarshal(plain, &f) != nil || f.Merchant != c.cfg.Merchant || !pay.Plain(f.Order, 64) || !pay.Plain(f.Refund, 64) {
			return n, errors.New("wechat: notice of a refund cannot be read")
		}
		n.Number, n.Refund = f.Order, f.Refund
		n.RefundStanding, err = refundStanding(f.Refund, f.Refund, &f.Status)
		if errors.Is(err, pay.ErrRefused) {
			n.RefundStanding, err = pay.RefundDenied, nil
		}
		return n, err
	}
	var t payments.Transaction
	if json.Unmarshal(plain, &t) != nil || !pay.Plain(text(t.OutTradeNo), 64) {
		return n, errors.New("wechat: notice cannot be read")
	}
	n.Number = text(t.OutTradeNo)
	n.Standing, err = c.standing(n.Number, &t)
	return n, err
}
