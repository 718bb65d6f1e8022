//go:build !release

package journey

// The payment channel and a phone that pays: the channel's simulator listens, and the citizen scans what is on the screen.

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/nontax"
	"github.com/budayang/kiosk/platform/pay/paysim"
)

// till is a payment channel on the loopback.
type till struct {
	sim     *paysim.Server
	channel *nontax.Channel
	server  *http.Server
}

// district is where the demonstration takes place.
const district = "990000"

func openTill() (*till, error) {
	own, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	theirs, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := smx509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return nil, err
	}
	peer, err := smx509.MarshalPKIXPublicKey(&theirs.PublicKey)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &till{sim: paysim.New(time.Now, district, theirs, &own.PublicKey)}
	t.server = &http.Server{Handler: t.sim, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = t.server.Serve(l) }()
	t.channel, err = nontax.New(nontax.Config{URL: "http://" + l.Addr().String() + "/nontax/v1", ID: district, Now: time.Now,
		Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), PeerKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: peer})})
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *till) close() { _ = t.server.Close() }

// config is what the platform needs of it: ten yuan for a temporary identity card (发改价格〔2003〕2322号).
func (t *till) config(change func(*platform.Prices)) platform.PayConfig {
	prices := platform.Prices{Items: map[string]pay.Fen{"TID": 1000}}
	if change != nil {
		change(&prices)
	}
	return platform.PayConfig{Channels: map[string]pay.Channel{"nontax": t.channel}, Use: "nontax", District: district,
		Cash: map[string]string{"zh": "现金请到 2 号窗口", "en": "Cash at counter 2"}, Tariff: prices,
		EBills: t.channel, Site: "ebill.sim.invalid"}
}

// deliver has the channel tell the platform at its address what it takes, as channels do, until ctx ends.
func (t *till) deliver(ctx context.Context, platform string, ca []byte) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, Timeout: 5 * time.Second}
	t.sim.Deliver(ctx, client, platform+"/pay/nontax/notice")
	client.CloseIdleConnections()
}

// Pay is a phone that scans the code on the screen and pays.
func (w *World) Pay() error {
	for _, o := range w.till.sim.Orders() {
		if !o.Closed && len(o.Payments) == 0 && o.Payable(time.Now()) {
			return w.till.sim.Pay(o.Number, 0)
		}
	}
	return errors.New("no code to pay was given out")
}

// PayAnyway is a phone that pays the newest code whether it is still good or not.
func (w *World) PayAnyway() error {
	all := w.till.sim.Orders()
	if len(all) == 0 {
		return errors.New("no code to pay was given out")
	}
	return w.till.sim.PayAnyway(all[len(all)-1].Number, 0)
}

// Money is what the channel's books say.
func (w *World) Money() (m MoneySummary) {
	for _, o := range w.till.sim.Orders() {
		for _, p := range o.Payments {
			m.Paid += p.Amount
			m.Returned += p.Returned
		}
	}
	return m
}

// Arrive says how long after a payment the money is at the issuer of e-bills.
func (w *World) Arrive(after time.Duration) {
	w.till.sim.Steer(func(f *paysim.Faults) { f.Arrives = after })
}

// EBills are those of the issuer's books, and what slips say of them.
func (w *World) EBills() (s EBillSummary) {
	slips := w.Props.Receipt.Slips()
	for _, p := range slips {
		if strings.Contains(p.Text, "资金到账后开具") {
			s.Later++
		}
	}
	for _, e := range w.till.sim.EBills() {
		s.Issued++
		if e.Red != nil {
			s.Red++
		}
		if e.Payer == "" {
			s.Nameless++
		}
		for i, needs := range [][]string{{e.Issued.Batch, e.Issued.Serial, e.Issued.Check}, {e.Issued.Serial, "[QR " + e.Issued.URL + "]"}} {
			if slices.ContainsFunc(slips, func(p sim.Paper) bool {
				return !slices.ContainsFunc(needs, func(n string) bool { return !strings.Contains(p.Text, n) })
			}) {
				*[]*int{&s.Named, &s.Scanned}[i]++
			}
		}
	}
	return s
}
