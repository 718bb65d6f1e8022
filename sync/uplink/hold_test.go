package uplink

// Patience, on a clock that tests turn: what the platform asks for is kept to the second.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// calls is a platform without a line: it notes when it was called.
type calls struct {
	mu     sync.Mutex
	began  time.Time
	at     map[string][]time.Duration
	answer func(path string) *http.Response // nil answers well; an error of the line when its status is 0
	key    *ecdsa.PrivateKey
}

func reply(status int, header http.Header, v any) *http.Response {
	b, _ := json.Marshal(v)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(b))}
}

func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := r.URL.Path
	c.at[path] = append(c.at[path], time.Since(c.began))
	if c.answer != nil {
		if a := c.answer(path); a != nil {
			if a.StatusCode == 0 {
				return nil, errors.New("no route to host")
			}
			return a, nil
		}
	}
	switch path {
	case wire.PathHello:
		return reply(200, nil, wire.Welcome{Epoch: 1, Limits: wire.Limits{SpreadMS: 300_000}}), nil
	case wire.PathCatalogue:
		return reply(200, nil, wire.Catalogue{}), nil
	case wire.PathPull:
		wait, _ := strconv.Atoi(r.URL.Query().Get("wait"))
		c.mu.Unlock()
		select {
		case <-time.After(time.Duration(wait) * time.Second):
		case <-r.Context().Done():
		}
		c.mu.Lock()
		return reply(200, nil, wire.Inbox{}), nil
	}
	return reply(409, nil, wire.Error{Code: "E-GAP"}), nil // a push that is never taken is tried for ever
}

func (c *calls) of(path string) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.at[path]...)
}

// patient runs a terminal with something to send inside a bubble.
func patient(t *testing.T, fn func(c *calls, u *Uplink)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Terminal: "990000-0003", KeyFile: filepath.Join(dir, "key")})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if err := j.Update(func(tx *journal.Tx) error { return tx.Audit(journal.EventCardLeft, wire.WhoCitizen, nil) }); err != nil {
			t.Fatal(err)
		}
		id, err := LoadIdentity(dir, "990000-0003")
		if err != nil {
			t.Fatal(err)
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		who := *id.now.Load()
		who.trusted = &key.PublicKey // enrolled
		id.now.Store(&who)
		c := &calls{began: time.Now(), at: map[string][]time.Duration{}, key: key}
		base, _ := url.Parse("https://city.invalid")
		u := New(Options{Client: &Client{base: base, id: id, now: time.Now, line: &line{who: &who, http: &http.Client{Transport: c}}}, Journal: j})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- u.Run(ctx) }()
		fn(c, u)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRetryAfterIsKept(t *testing.T) {
	patient(t, func(c *calls, u *Uplink) {
		const asked = 90 * time.Second
		told := time.Duration(-1)
		c.mu.Lock()
		c.answer = func(path string) *http.Response {
			if path == wire.PathPush && told < 0 {
				told = time.Since(c.began)
				return reply(503, http.Header{"Retry-After": {"90"}}, wire.Error{Code: "E-BUSY"})
			}
			return nil
		}
		c.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if told < 0 {
			t.Fatal("nothing was pushed")
		}
		for _, path := range []string{wire.PathPush, wire.PathHello} {
			after := 0
			for _, at := range c.of(path) {
				if at > told+4*time.Second && at < told+asked { // a beat may be under way
					t.Errorf("%s at %v, although told at %v to wait %v", path, at, told, asked)
				}
				if at >= told+asked {
					after++
				}
			}
			if after == 0 {
				t.Errorf("%s was given up", path)
			}
		}
		if u.State() != Up {
			t.Error("a busy platform counts as one that is gone")
		}
	})
}

func TestAFleetDoesNotComeBackAsOne(t *testing.T) {
	patient(t, func(c *calls, u *Uplink) {
		time.Sleep(10 * time.Second)
		c.mu.Lock()
		c.answer = func(string) *http.Response { return &http.Response{} }
		c.mu.Unlock()
		const outage = 8 * time.Hour
		time.Sleep(outage)
		tries := len(c.of(wire.PathHello))
		if tries > int(outage/(20*time.Second)) || tries < int(outage/(2*time.Minute)) {
			t.Errorf("%d tries in %v", tries, outage)
		}
		pushes := len(c.of(wire.PathPush))
		c.mu.Lock()
		c.answer = nil
		back := time.Since(c.began)
		c.mu.Unlock()
		time.Sleep(longestBeat + 10*time.Second)
		if u.State() != Up {
			t.Fatal("the link did not come back")
		}
		time.Sleep(10 * time.Minute)
		all := c.of(wire.PathPush)
		if len(all) == pushes {
			t.Fatal("nothing was sent after the outage")
		}
		if first, want := all[pushes]-back, Spread("990000-0003", 5*time.Minute); first < want || first > want+longestBeat+10*time.Second {
			t.Errorf("first push %v after the platform came back, expected %v and the time to notice", first, want)
		}
	})
}
