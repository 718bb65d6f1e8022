package nontax

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/budayang/kiosk/platform/pay"
)

// FuzzShape: whatever a province's dialect is put into is JSON, and a notice that passes can be booked.
func FuzzShape(f *testing.F) {
	shape := Shape{Posts: true, Data: "sj", Success: "0000", Yuan: true, Time: "20060102150405", Names: map[string]string{"number": "ddh", "amount": "je", "state": "zt",
		"payments": "zfmx", "transaction": "jylsh", "at": "jysj", "order": "yddh", "code": "fhm", "refund": "tkdh"}, States: map[string]string{"1": "paid", "0": "waiting"}}
	for _, s := range []string{`{"fhm":"0000","sj":{"ddh":"99","zt":1,"zfmx":[{"jylsh":42,"je":"10.00","jysj":"20261129120000"}]}}`,
		`{"yddh":{"ddh":"99","zt":"1","zfmx":[{"jylsh":"42","je":10,"jysj":"20261129120000"}]}}`, `{"fhm":"1"}`, `[]`, `{"sj":[]}`, ``, `{"je":"-1"}`} {
		f.Add([]byte(s))
	}
	if err := shape.check(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		content, _, err := shape.ours(raw)
		if err != nil {
			return
		}
		if !json.Valid(content) {
			t.Errorf("%q", content)
		}
		if n, err := readNotice(content); err == nil && n.Refund == "" {
			for _, p := range n.Standing.Payments {
				if !pay.Plain(p.Transaction, 64) || p.Amount <= 0 || p.Amount > pay.MaxAmount || p.At.IsZero() {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}

func TestShapes(t *testing.T) {
	for name, s := range map[string]Shape{
		"an unknown act":       {Paths: map[string]string{"eat": "x"}},
		"a path with a query":  {Paths: map[string]string{"create": "x?y"}},
		"an unknown field":     {Names: map[string]string{"price": "je"}},
		"two of one name":      {Names: map[string]string{"amount": "number"}},
		"a nameless one":       {Names: map[string]string{"amount": ""}},
		"an unknown state":     {States: map[string]string{"1": "gone"}},
		"a time without hours": {Time: "20060102"},
	} {
		if s.check() == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := (Shape{}).check(); err != nil {
		t.Error(err)
	}
}

// FuzzNotice: whatever passes is an order or a refund that can be booked.
func FuzzNotice(f *testing.F) {
	for _, s := range []string{
		`{"id":"1","order":{"number":"9900002611294320023401","state":"paid","payments":[{"transaction":"42","amount":1000,"at":"2026-11-29T12:00:00+08:00"}]}}`,
		`{"id":"1","order":{"number":"9","state":"closed","payments":[]}}`,
		`{"id":"1","order":{"number":"9"},"refund":{"number":"R9","state":"refused","code":"NOT_ENOUGH"}}`,
		`{"order":{"state":"paid"}}`, `{"order":{"state":"waiting","payments":[{"amount":-1}]}}`, `[]`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := readNotice(body)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Error("no JSON passes")
		}
		switch n.RefundStanding {
		case pay.RefundWorking, pay.RefundPaidBack, pay.RefundDenied:
			return
		case "":
		default:
			t.Errorf("refund is %q", n.RefundStanding)
		}
		if (n.Standing.State == pay.OrderPaid) != (len(n.Standing.Payments) > 0) {
			t.Errorf("%+v", n.Standing)
		}
		for _, p := range n.Standing.Payments {
			if !pay.Plain(p.Transaction, 64) || p.Amount <= 0 || p.Amount > pay.MaxAmount || p.At.IsZero() {
				t.Errorf("%+v", p)
			}
		}
	})
}

type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// TestNoQuestionIsWithoutAnEnd: the job that asks for statements gives no limit of its own.
func TestNoQuestionIsWithoutAnEnd(t *testing.T) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := smx509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	c, err := New(Config{URL: "https://pay.example", ID: "1", Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: own}),
		PeerKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), Client: carrier(func(r *http.Request) (*http.Response, error) {
			if _, ends := r.Context().Deadline(); !ends {
				t.Error("the question has no end")
			}
			asked = true
			return nil, errors.New("no line")
		})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Statement(context.Background(), "2026-11-29"); err == nil || !asked {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]Config{
		"no url":    {ID: "1"},
		"no scheme": {URL: "pay.example", ID: "1"},
		"user":      {URL: "https://a:b@pay.example/", ID: "1"},
		"no id":     {URL: "https://pay.example"},
		"quoted id": {URL: "https://pay.example", ID: `a"b`},
		"no keys":   {URL: "https://pay.example", ID: "1"},
		"no PEM":    {URL: "https://pay.example", ID: "1", Key: []byte("x"), PeerKey: []byte("y")},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
