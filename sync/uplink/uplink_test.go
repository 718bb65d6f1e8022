package uplink_test

// What the link promises against a platform that fails, lies and forgets.

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}

func TestEverythingArrivesOnce(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	ink := []byte("handwriting")
	var h wire.Hash
	err := x.Update(func(tx *journal.Tx) error {
		k, err := tx.OpenCase(journal.NewCase{Item: "12345"})
		if err != nil {
			return err
		}
		if h, err = x.PutBlob(ink); err != nil {
			return err
		}
		return tx.UploadBlob(k.ID, h)
	})
	if err != nil {
		t.Fatal(err)
	}
	x.emit(t, wire.LaneTx, 320, "x<&>  ")
	x.emit(t, wire.LaneAudit, 120, strings.Repeat("y", 20_000))
	x.run(t)
	eventually(t, "outbox empty", func() bool { b, err := x.PendingBlobs(); return x.waiting(t) == 0 && err == nil && len(b) == 0 })
	c.once(t, 440)
	eventually(t, "link up, catalogue there", func() bool { return x.link.State() == uplink.Up && x.link.Catalogue() != nil })
	if cat := x.link.Catalogue(); cat.Revision != 7 {
		t.Errorf("%+v", cat)
	}
	if again := uplink.New(x.opt); again.Catalogue() == nil || again.State() != uplink.Unknown {
		t.Error("the catalogue is not known after a restart")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blobs[h] != 1 || h != sha256.Sum256(ink) {
		t.Errorf("blob arrived %d times", c.blobs[h])
	}
	if c.auth[0] != "" || !strings.HasPrefix(c.auth[1], wire.AuthScheme+` terminal="990000-0003",time="`) {
		t.Errorf("authorization %q", c.auth[:2])
	}
}

// hostile answers, each of which must change nothing and end when it ends.
var hostile = map[string]func(w http.ResponseWriter, r *http.Request) bool{
	"500": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true },
	"503 with a wish": func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(503)
		_, _ = io.WriteString(w, `{"code":"E-BUSY","retry_after_ms":20}`)
		return true
	},
	"html": func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>Log in to the network</html>")
		return true
	},
	"html as json": func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "<html>")
		return true
	},
	"a portal's refusal": func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "<html>", http.StatusForbidden)
		return true
	},
	"a redirect": func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "/login", http.StatusFound)
		return true
	},
	"half a body": func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"terminal":"9900`)
		return true
	},
	"a cut": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
	"a body without end": func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		junk := []byte(strings.Repeat(" ", 1<<16))
		for range 16 << 10 { // 1 GiB, if somebody reads it
			if _, err := w.Write(junk); err != nil || r.Context().Err() != nil {
				return true
			}
		}
		return true
	},
	"the request lost": func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	},
}

func TestHostileAnswers(t *testing.T) {
	for what, evil := range hostile {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newCity(t)
			x := newTerminal(t, c)
			x.run(t)
			eventually(t, "link up", func() bool { return x.link.State() == uplink.Up })
			var answered atomic.Int32
			c.be(func(w http.ResponseWriter, r *http.Request) bool { answered.Add(1); return evil(w, r) })
			x.emit(t, wire.LaneTx, 3, "x")
			if what == "503 with a wish" {
				// The platform's own word that it is there and busy.
				eventually(t, "several tries", func() bool { return answered.Load() > 5 })
				if x.link.State() != uplink.Up {
					t.Error("a busy platform counts as one that is gone")
				}
			} else {
				eventually(t, "link down", func() bool { return x.link.State() == uplink.Down })
			}
			if x.waiting(t) == 0 {
				t.Error("records were given up")
			}
			c.be(nil)
			eventually(t, "outbox empty", func() bool { return x.waiting(t) == 0 && x.link.State() == uplink.Up })
			c.once(t, 3)
		})
	}
}

// The answer to a push gets lost: the platform has the records, the terminal does not know.
func TestLostAcks(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	var n atomic.Int32
	c.change(func(answer any) {
		if _, is := answer.(*wire.Ack); is && n.Add(1)%3 != 0 {
			panic(http.ErrAbortHandler)
		}
	})
	x.emit(t, wire.LaneTx, 120, "x")
	x.run(t)
	eventually(t, "outbox empty", func() bool { return x.waiting(t) == 0 })
	c.once(t, 120)
}

// Acks that are wrong must move nothing.
func TestWrongAcks(t *testing.T) {
	for what, twist := range map[string]func(c *city, a *wire.Ack){
		"wrong signature": func(_ *city, a *wire.Ack) { a.Signature[len(a.Signature)-1]++ },
		"no signature":    func(_ *city, a *wire.Ack) { a.Signature = nil },
		"wrong hash":      func(c *city, a *wire.Ack) { a.Hash[0]++; a.Signature = c.sign(a.SigningBytes()) },
		"too high":        func(c *city, a *wire.Ack) { a.High += 5; a.Signature = c.sign(a.SigningBytes()) },
		"nothing taken":   func(c *city, a *wire.Ack) { a.High, a.Hash = 0, wire.Hash{}; a.Signature = c.sign(a.SigningBytes()) },
		"another lane":    func(c *city, a *wire.Ack) { a.Lane = wire.LanePay; a.Signature = c.sign(a.SigningBytes()) },
		"another epoch":   func(c *city, a *wire.Ack) { a.Epoch++; a.Signature = c.sign(a.SigningBytes()) },
		"earlier epoch":   func(c *city, a *wire.Ack) { a.Epoch--; a.Signature = c.sign(a.SigningBytes()) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newCity(t)
			x := newTerminal(t, c)
			var acks atomic.Int32
			c.change(func(answer any) {
				if a, is := answer.(*wire.Ack); is {
					acks.Add(1)
					twist(c, a)
				}
			})
			x.emit(t, wire.LaneTx, 3, "x")
			x.run(t)
			eventually(t, "several wrong acks", func() bool { return acks.Load() >= 3 })
			if all, err := x.Lanes(); err != nil || all[2].Lane != wire.LaneTx || all[2].Acked != 0 {
				t.Errorf("a wrong ack moved the lane: %+v, %v", all, err)
			}
			c.change(nil)
			eventually(t, "outbox empty", func() bool { return x.waiting(t) == 0 })
			c.once(t, 3)
		})
	}
}

// One lane that the platform refuses must not hold up the others.
func TestARefusedLaneStopsNoOther(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	c.change(func(answer any) {
		if a, is := answer.(*wire.Ack); is && a.Lane == wire.LaneCtl {
			a.Signature = nil
		}
	})
	x.emit(t, wire.LaneCtl, 2, "x")
	x.emit(t, wire.LaneTx, 2, "x")
	x.emit(t, wire.LaneAudit, 2, "x")
	x.run(t)
	eventually(t, "all but the refused lane empty", func() bool { return x.waiting(t) == 2 })
}

func TestUnknownFieldsAreLetBe(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	c.be(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != wire.PathCatalogue {
			return false
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"revision":7,"of the future":{"a":[1,2]},"phone":"12345"}`)
		return true
	})
	x.run(t)
	eventually(t, "catalogue", func() bool { return x.link.Catalogue() != nil && x.link.Catalogue().Phone == "12345" })
}

// A disk that was restored from an image: the platform is ahead, orders a new epoch, and gets what is new.
func TestForkBeginsANewEpoch(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	x.emit(t, wire.LaneTx, 2, "x")
	stop := x.run(t)
	eventually(t, "outbox empty", func() bool { return x.waiting(t) == 0 })
	stop()
	c.mu.Lock()
	other := c.lanes[wire.LaneTx][1]
	other.Seq, other.Prev = 3, c.point(wire.LaneTx).Hash
	c.lanes[wire.LaneTx] = append(c.lanes[wire.LaneTx], other)
	c.noEpoch = true
	c.mu.Unlock()
	x.emit(t, wire.LaneTx, 1, "other")
	before := c.pushes
	stop = x.run(t)
	x.emit(t, wire.LaneCtl, 1, "x")
	eventually(t, "the healthy lane goes on", func() bool { return x.waiting(t) == 1 })
	if c.pushes != before+1 {
		t.Logf("%d pushes", c.pushes-before)
	}
	c.mu.Lock()
	c.noEpoch = false
	c.mu.Unlock()
	eventually(t, "outbox empty in a new epoch", func() bool {
		all, err := x.Lanes()
		return err == nil && all[0].Epoch == 2 && x.waiting(t) == 0
	})
	stop()
	c.once(t, 4)
}

// F27: the platform was restored from a backup.
func TestPlatformThatLostRecordsGetsThemAgain(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	x.emit(t, wire.LaneTx, 5, "x")
	x.run(t)
	eventually(t, "outbox empty", func() bool { return x.waiting(t) == 0 })
	c.mu.Lock()
	for _, r := range c.lanes[wire.LaneTx][2:] {
		delete(c.ids, r.ID)
	}
	c.lanes[wire.LaneTx] = c.lanes[wire.LaneTx][:2]
	c.mu.Unlock()
	eventually(t, "all five again", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.lanes[wire.LaneTx]) == 5 })
	c.once(t, 5)
}

// A platform that shows another record at a place than it acknowledged there is not waited for: the terminal goes on in an epoch of
// its own. It can come to that when a platform was set back and another machine under this name filled the place.
func TestAnotherRecordAtAnAcknowledgedPlaceBeginsANewEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		held  int // records that the platform shows, the last of which is another
		since int // records that were written since
	}{"at the last acknowledged": {4, 1}, "before it": {2, 0}, "before it, with something to send": {3, 2}, "past it": {5, 3}} {
		t.Run(name, func(t *testing.T) {
			city := newCity(t)
			x := newTerminal(t, city)
			x.emit(t, wire.LaneTx, 4, "x")
			stop := x.run(t)
			eventually(t, "outbox empty", func() bool { return x.waiting(t) == 0 })
			stop()
			city.mu.Lock()
			all := city.lanes[wire.LaneTx]
			other := all[len(all)-1]
			other.Seq, other.ID = uint64(c.held), "another"
			city.lanes[wire.LaneTx] = append(all[:min(c.held-1, len(all)):min(c.held-1, len(all))], other)
			city.noEpoch = true // it orders nothing: the terminal alone must find out
			city.mu.Unlock()
			x.emit(t, wire.LaneTx, c.since, "y")
			x.run(t)
			eventually(t, "outbox empty in a new epoch", func() bool {
				all, err := x.Lanes()
				return err == nil && all[0].Epoch > 1 && x.waiting(t) == 0
			})
		})
	}
}

func TestInbox(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	got := make(chan string, 20)
	var no atomic.Bool
	no.Store(true)
	x.opt.Message = func(_ context.Context, m wire.Message) error {
		if m.No == 2 && no.Swap(false) {
			return errors.New("not now")
		}
		got <- m.Type
		return nil
	}
	stop := x.run(t)
	soon := time.Now().Add(time.Hour)
	c.tell("a", soon)
	c.tell("b", soon)
	c.tell("late", time.Now().Add(-time.Minute))
	c.tell("c", soon)
	for _, want := range []string{"a", "b", "c"} {
		if m := <-got; m != want {
			t.Errorf("message %s, want %s", m, want)
		}
	}
	// The same again, out of order: nothing is handled twice.
	c.change(func(answer any) {
		if in, is := answer.(*wire.Inbox); is {
			c.inbox[0].Signature = c.sign(c.inbox[0].SigningBytes(terminalID))
			in.Messages = append([]wire.Message{c.inbox[1], c.inbox[0]}, in.Messages...)
		}
	})
	c.tell("d", soon)
	if m := <-got; m != "d" {
		t.Errorf("message %s", m)
	}
	// A forged one, and all with it, waits.
	c.change(func(answer any) {
		if in, is := answer.(*wire.Inbox); is {
			for i := range in.Messages {
				in.Messages[i].Body = json.RawMessage(`{"n":2}`)
			}
		}
	})
	c.tell("e", soon)
	time.Sleep(50 * time.Millisecond)
	if len(got) > 0 {
		t.Error("a forged message was handled")
	}
	c.change(nil)
	if m := <-got; m != "e" {
		t.Errorf("message %s", m)
	}
	stop()
	x.run(t)
	c.tell("f", soon)
	if m := <-got; m != "f" {
		t.Errorf("after a restart message %s", m)
	}
}

func TestLinkStateIsTold(t *testing.T) {
	c := newCity(t)
	x := newTerminal(t, c)
	x.run(t)
	wait := func(want uplink.State) {
		t.Helper()
		for end := time.After(10 * time.Second); ; {
			changed := x.link.Changed()
			if x.link.State() == want {
				return
			}
			select {
			case <-changed:
			case <-end:
				t.Fatalf("never %s", want)
			}
		}
	}
	wait(uplink.Up)
	x.link.Failed(errors.New("something else"))
	if x.link.State() != uplink.Up {
		t.Error("any error counts as the link's")
	}
	var hellos atomic.Int32
	c.be(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == wire.PathHello && hellos.Add(1) == 2 {
			return false // one good beat among bad ones is not enough
		}
		w.WriteHeader(502)
		return true
	})
	wait(uplink.Down)
	eventually(t, "several beats", func() bool { return hellos.Load() > 3 })
	if x.link.State() != uplink.Down {
		t.Error("one good beat brought the link up")
	}
	c.be(nil)
	wait(uplink.Up)
}

func TestClient(t *testing.T) {
	c := newCity(t)
	client := newClient(t, c.server)
	if err := client.Enroll(t.Context(), "hall", "3", wire.NewCode()); err != nil {
		t.Fatal(err)
	}
	q := wire.DocumentRequest{Key: "case-1", Kind: "SB-P"}
	if d, err := client.Issue(t.Context(), q); err != nil || d.Number != "N1" {
		t.Errorf("%+v, %v", d, err)
	}
	for what, twist := range map[string]func(d *wire.Document){
		"bytes":     func(d *wire.Document) { d.PDF = []byte("%PDF-forged") },
		"hash":      func(d *wire.Document) { d.PDF = []byte("%PDF-forged"); d.SHA256 = sha256.Sum256(d.PDF) },
		"number":    func(d *wire.Document) { d.Number = "N2" },
		"key":       func(d *wire.Document) { d.Key = "case-2"; d.Signature = c.sign(d.SigningBytes()) },
		"kind":      func(d *wire.Document) { d.Kind = "SB-Q"; d.Signature = c.sign(d.SigningBytes()) },
		"pages":     func(d *wire.Document) { d.Pages = 0; d.Signature = c.sign(d.SigningBytes()) },
		"signature": func(d *wire.Document) { d.Signature = nil },
	} {
		c.change(func(answer any) { twist(answer.(*wire.Document)) })
		if _, err := client.Issue(t.Context(), q); !errors.Is(err, uplink.ErrForged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	c.change(nil)
	var refused *uplink.StatusError
	if _, err := client.Query(t.Context(), "../sb", wire.Query{}); !errors.As(err, &refused) || refused.Body.Code != "E-PATH" || refused.Status != 409 {
		t.Errorf("%v", err)
	}
	c.be(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
		return true
	})
	if _, err := client.Catalogue(t.Context()); !errors.As(err, &refused) || refused.RetryAfter != 7*time.Second {
		t.Errorf("%v", err)
	}
	c.be(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }) // no answer before they are gone
	why := errors.New("the citizen left")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, why)
	defer cancel()
	if _, err := client.Catalogue(ctx); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	c.be(nil)
	c.server.Close()
	_, err := client.Query(t.Context(), "sb", wire.Query{Params: map[string]string{"name": "张三"}})
	if !errors.Is(err, uplink.ErrUnreachable) || strings.Contains(err.Error(), "张三") {
		t.Errorf("%v", err)
	}
}

func TestAnotherAuthorityIsNotTrusted(t *testing.T) {
	c := newCity(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	id, err := uplink.LoadIdentity(dir, terminalID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, []byte(otherAuthority), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := uplink.NewClient(c.server.URL, ca, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Enroll(t.Context(), "s", "n", wire.NewCode()); !errors.Is(err, uplink.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"http://example.org", "", "::"} {
		if _, err := uplink.NewClient(bad, ca, id); err == nil {
			t.Errorf("address %q was taken", bad)
		}
	}
	if _, err := uplink.NewClient(c.server.URL, filepath.Join(dir, uplink.IdentityFile), id); err == nil {
		t.Error("a key was taken as an authority")
	}
}

func TestIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	first, err := uplink.LoadIdentity(dir, terminalID)
	if err != nil || first.Enrolled() {
		t.Fatalf("%v", err)
	}
	key := filepath.Join(dir, uplink.IdentityFile)
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if _, err := uplink.LoadIdentity(dir, terminalID); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(key); string(after) != string(before) {
		t.Error("the key was made anew")
	}
	for what, spoil := range map[string]func() error{
		"wide mode":          func() error { return os.Chmod(key, 0o644) },
		"not a key":          func() error { return os.WriteFile(key, []byte("x"), 0o600) },
		"another terminal's": func() error { return replaceIn(key, terminalID, "990000-0004") },
		"a spoiled key":      func() error { return replaceIn(key, `"key":"MI`, `"key":"AA`) },
		"no such profile":    func() error { return replaceIn(key, "p256-sha256", "rsa") },
		"another profile":    func() error { return replaceIn(key, "p256-sha256", "sm2-sm3") },
		"no certificate":     func() error { return replaceIn(key, `"key":`, `"platform_key":"AAAA","key":`) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := uplink.LoadIdentity(dir, terminalID); err == nil {
			t.Errorf("%s: loaded", what)
		}
		if err := errors.Join(os.WriteFile(key, before, 0o600), os.Chmod(key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func replaceIn(file, old, new string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), old) {
		return fmt.Errorf("%s is not in %s", old, file)
	}
	return os.WriteFile(file, []byte(strings.Replace(string(b), old, new, 1)), 0o600)
}

func TestSpread(t *testing.T) {
	if uplink.Spread(terminalID, 0) != 0 {
		t.Error("spread over nothing")
	}
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		d := uplink.Spread(fmt.Sprint(i), 5*time.Minute)
		if d < 0 || d >= 5*time.Minute || d != uplink.Spread(fmt.Sprint(i), 5*time.Minute) {
			t.Fatalf("%v", d)
		}
		seen[d/(30*time.Second)] = true
	}
	if len(seen) != 10 {
		t.Errorf("only %d of 10 half minutes are used", len(seen))
	}
}

// otherAuthority is a certificate that has nothing to do with the city's.
const otherAuthority = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUflgKterVNK9DuzVxWW5e0lDL2CgwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTI0MTMxNjA1WhgPMjEyNjEwMzExMzE2
MDVaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
WRsmzudAUbMvvURIIe7Kd/Ezmfw3Tn1QuKbU6o92X+A2j2Z4d2ny+B9IJz517shn
F/xGyuyvrqlapeDshgqsLaNTMFEwHQYDVR0OBBYEFGBilP27QuBvyaGVo29wHggb
kj0uMB8GA1UdIwQYMBaAFGBilP27QuBvyaGVo29wHggbkj0uMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgeDZvXaiYHuj5WUR7iPHUKJURo1qX8Mr6
1iM0gJwVVhICIQDMOAm7cv3/RwjXeemUveSdpeUwNVt1707hLx1UQ9j1dA==
-----END CERTIFICATE-----
`

// A platform that does not know telemetry, or is too busy for it, is not pestered, and everything else goes on.
func TestTelemetryHoldsNothingUp(t *testing.T) {
	for name, status := range map[string]int{"unknown": 404, "busy": 503, "broken": 500} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t)
			var asked atomic.Int32
			c.be(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != wire.PathTelemetry {
					return false
				}
				asked.Add(1)
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"code":"E-BUSY","message":"later","retry_after_ms":60000}`)
				return true
			})
			x := newTerminal(t, c)
			told := func() {
				if err := x.Update(func(tx *journal.Tx) error { return tx.Tell(wire.Telemetry{}) }); err != nil {
					t.Fatal(err)
				}
			}
			told()
			x.run(t)
			eventually(t, "telemetry was tried", func() bool { return asked.Load() > 0 })
			for range 5 {
				told()
				x.emit(t, wire.LaneTx, 3, "x")
				eventually(t, "records go on", func() bool { return x.waiting(t) == 0 })
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
