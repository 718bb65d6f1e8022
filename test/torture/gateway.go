package main

// The gateway: between terminals and platform stands what cities put there, an HTTPS proxy that inspects. This one cuts,
// stalls, slows, swallows answers, sends requests twice, and delivers them late, after the terminal has long sent others.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// A weather is what a gateway does to traffic.
type weather string

const (
	fair  weather = "fair"
	cut   weather = "cut" // connections are reset
	stall weather = "half-open"
	slow  weather = "slow"
	lossy weather = "lossy" // answers get lost
	twice weather = "twice" // requests arrive twice
	late  weather = "late"  // requests arrive late, after the terminal gave up on them
	mute  weather = "mute"  // hellos pass, and nothing that carries records; never by chance
)

var weathers = []weather{cut, stall, slow, lossy, twice, late}

// gateway serves one worker.
type gateway struct {
	listener net.Listener
	server   *http.Server
	client   *http.Client
	city     *city
	now      atomic.Pointer[weather]
	errs     chan error

	mu     sync.Mutex
	rand   *rand.Rand
	stale  sync.WaitGroup // requests that are delivered later
	ctx    context.Context
	counts map[weather]int
	heard  map[string]heads // terminal → what its last hello showed that was answered
	held   bool             // be has no effect until it is released
}

// heads is where a terminal's lanes stand together.
type heads struct {
	epoch   uint32
	records uint64
}

func newGateway(ctx context.Context, c *city, seed uint64) (*gateway, error) {
	pair, err := tls.LoadX509KeyPair(c.gatewayCert, c.gatewayKey)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gateway{listener: l, city: c, errs: make(chan error, 1), rand: rand.New(rand.NewPCG(seed, 2)), ctx: ctx, counts: map[weather]int{}, heard: map[string]heads{},
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 8, ForceAttemptHTTP2: true},
		}}
	g.be(fair)
	g.server = &http.Server{Handler: g, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ErrorLog: nothing}
	go func() { g.errs <- g.server.ServeTLS(l, "", "") }()
	return g, nil
}

func (g *gateway) url() string { return "https://" + g.listener.Addr().String() }

func (g *gateway) be(w weather) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.held {
		g.now.Store(&w)
	}
}

// hold keeps one weather until release.
func (g *gateway) hold(w weather) {
	g.be(w)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = true
}

func (g *gateway) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = false
}

// hear notes what a hello showed, once it was answered and the terminal stays where it is.
func (g *gateway) hear(r *http.Request, body, answer []byte) {
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return
		}
		if body, err = io.ReadAll(io.LimitReader(z, wire.MaxAnswerBytes)); err != nil {
			return
		}
	}
	var h wire.Hello
	var w wire.Welcome
	if json.Unmarshal(body, &h) != nil || json.Unmarshal(answer, &w) != nil || w.Epoch > h.Epoch {
		return // it goes on in another epoch, which was not shown
	}
	now := heads{epoch: h.Epoch}
	for _, p := range h.Lanes {
		now.records += p.Seq
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard[h.Terminal] = now
}

func (g *gateway) lastHeard(terminal string) heads {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.heard[terminal]
}

func (g *gateway) close() error {
	_ = g.server.Close()
	g.stale.Wait()
	g.client.CloseIdleConnections()
	if err := <-g.errs; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (g *gateway) chance(n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rand.IntN(n) == 0
}

func (g *gateway) moment(most time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Duration(g.rand.Int64N(int64(most)))
}

func (g *gateway) did(w weather) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts[w]++
}

// ServeHTTP carries one request, in the weather of the moment.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	how, age := *g.now.Load(), g.city.age.Load()
	if how == cut || how == mute && r.URL.Path != wire.PathHello {
		g.did(how)
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBlobBytes))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch {
	case how == stall:
		g.did(stall)
		select {
		case <-r.Context().Done():
		case <-time.After(12 * time.Second):
		}
		panic(http.ErrAbortHandler)
	case how == slow:
		g.did(slow)
		time.Sleep(g.moment(6 * time.Second))
	case how == late && r.URL.Path != wire.PathPull && g.chance(2):
		g.did(late)
		wait := g.moment(10 * time.Second)
		g.stale.Go(func() {
			select {
			case <-time.After(wait):
				_, _, _ = g.forward(g.ctx, r, body, age)
			case <-g.ctx.Done():
			}
		})
		panic(http.ErrAbortHandler)
	case how == twice && r.URL.Path != wire.PathPull && g.chance(2):
		g.did(twice)
		g.stale.Go(func() { _, _, _ = g.forward(g.ctx, r, body, age) })
	}
	resp, answer, err := g.forward(r.Context(), r, body, age)
	if err == nil && resp.StatusCode == http.StatusOK && r.URL.Path == wire.PathHello {
		g.hear(r, body, answer)
	}
	if err != nil {
		http.Error(w, "no answer from behind", http.StatusBadGateway)
		return
	}
	if how == lossy && g.chance(2) {
		g.did(lossy)
		panic(http.ErrAbortHandler)
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

// forward carries a request to one of the city's servers. Setting a platform back takes longer in a city than the 180 s for
// which a request is good, so that no request of before arrives after it.
func (g *gateway) forward(ctx context.Context, r *http.Request, body []byte, age int64) (*http.Response, []byte, error) {
	if g.city.age.Load() != age {
		return nil, nil, errors.New("too old")
	}
	limit := 15 * time.Second
	if r.URL.Path == wire.PathPull {
		limit = wire.MaxInboxWait
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	g.mu.Lock()
	to := g.city.addresses[g.rand.IntN(len(g.city.addresses))]
	g.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, r.Method, "https://"+to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for _, k := range []string{"Authorization", "Content-Type", "Content-Encoding", "Accept"} {
		if v := r.Header.Get(k); v != "" {
			req.Header.Set(k, v)
		}
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxAnswerBytes))
	return resp, answer, err
}
