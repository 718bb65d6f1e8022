package platform

// Back ends: each profile against an office of its own kind, offices that misbehave, and the greying of items.

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

var offices = []struct {
	name, profile string
	gm            bool
}{{"rio", ProfileRIO, true}, {"envelope", ProfileEnvelope, true}, {"canonical-sm2", ProfileCanonical, true}, {"canonical-p256", ProfileCanonical, false}}

func newTestBackend(t testing.TB, cfg BackendConfig) *backend {
	t.Helper()
	b, err := newBackend(cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

func TestProfiles(t *testing.T) {
	known, nobody := CitizenRow{Number: "n", Name: "李晓雯"}, CitizenRow{Number: "n", Name: "<&>赵䶮"}
	for _, k := range offices {
		t.Run(k.name, func(t *testing.T) {
			o := newOffice(t, k.profile, k.gm)
			b := newTestBackend(t, o.config())
			for range 2 {
				a, err := b.query(t.Context(), "sb-info", known, map[string]string{"b": "2", "a": "1&<>"})
				if err != nil || a.Title["en"] != "Insurance" || a.Sections[0].Rows[0].Value != "李晓雯" || a.AsOf.IsZero() {
					t.Errorf("%+v %v", a, err)
				}
			}
			if _, err := b.query(t.Context(), "sb-info", nobody, nil); !is(err, errNoRecord) {
				t.Errorf("nobody: %v", err)
			}
			if k.profile == ProfileEnvelope && bytes.Contains(o.last, []byte("number")) {
				t.Errorf("the body is in the open: %s", o.last)
			}
			wrong := o.config()
			wrong.Secret = []byte("another secret, as long as it is")
			other := newOffice(t, k.profile, k.gm)
			wrong.Key = other.callerKey
			if _, err := newTestBackend(t, wrong).query(t.Context(), "sb-info", known, nil); !is(err, errBackendRefused) {
				t.Errorf("wrong key: %v", err)
			}
			o.set(func() { o.skew = 200 * time.Second })
			if _, err := b.query(t.Context(), "sb-info", known, nil); !is(err, errBackendRefused) {
				t.Errorf("clock: %v", err)
			}
			o.set(func() { o.skew, o.forge = 0, true })
			if _, err := b.query(t.Context(), "sb-info", known, nil); k.profile != ProfileRIO && !is(err, errBackendForged) {
				t.Errorf("forged answer: %v", err)
			}
		})
	}
}

func is(err, target error) bool { return errors.Is(err, target) }

func TestBackendsThatMisbehave(t *testing.T) {
	o := newOffice(t, ProfileCanonical, false)
	cfg := o.config()
	cfg.Timeout = 2 * time.Second
	b := newTestBackend(t, cfg)
	respond := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, evil := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"error":    respond(500, "oops"),
		"html":     respond(200, "<html>log in</html>"),
		"unsigned": respond(200, `{"title":{"zh":"a","en":"b"}}`),
		"huge":     respond(200, strings.Repeat("x", backendAnswer+1)),
		"redirect": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		},
		"half": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "4096")
			_, _ = io.WriteString(w, "{")
			return true
		},
		"silent": func(_ http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the caller hung up
			select {
			case <-r.Context().Done():
			case <-time.After(30 * time.Second):
			}
			return true
		},
	} {
		o.be(evil)
		if _, err := b.query(t.Context(), "sb-info", CitizenRow{Number: "990000", Name: "李晓雯"}, nil); err == nil || strings.Contains(err.Error(), "李晓雯") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// somebody who is not the office, with a certificate of another authority
	o.be(nil)
	foreign := newOffice(t, ProfileCanonical, false).config()
	cfg.CA = foreign.CA
	cfg.URL = strings.Replace(foreign.URL, "127.0.0.1", "localhost", 1)
	if _, err := newTestBackend(t, cfg).query(t.Context(), "sb-info", CitizenRow{}, nil); err == nil {
		t.Error("a certificate for another name was taken")
	}
}

func TestBackendConfigurations(t *testing.T) {
	good, p256 := newOffice(t, ProfileEnvelope, true).config(), newOffice(t, ProfileCanonical, false).config()
	for want, change := range map[string]func(*BackendConfig){
		"name":          func(c *BackendConfig) { c.Name = "a b" },
		"url":           func(c *BackendConfig) { c.URL = "ftp://h" },
		"no service":    func(c *BackendConfig) { c.Services = nil },
		"not known":     func(c *BackendConfig) { c.Profile = "other" },
		"quotes":        func(c *BackendConfig) { c.ID = `a"b` },
		"16 character":  func(c *BackendConfig) { c.Secret = []byte("short") },
		"not PEM":       func(c *BackendConfig) { c.Key = nil },
		"both be SM2":   func(c *BackendConfig) { c.Key = p256.Key },
		"both be P-256": func(c *BackendConfig) { c.PeerKey = p256.PeerKey },
		"needs SM2":     func(c *BackendConfig) { c.Key, c.PeerKey = p256.Key, p256.PeerKey },
		"certificate":   func(c *BackendConfig) { c.CA = []byte("x") },
		"token":         func(c *BackendConfig) { c.Profile, c.Secret = ProfileRIO, nil },
	} {
		c := good
		change(&c)
		if _, err := newBackend(c, time.Now); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "both P-256", "both be P-256"), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// OpenSSL, which shares no code with us, checks what goes over the wire.
func TestProfilesBesideOpenSSL(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	openssl := func(args ...string) []byte {
		t.Helper()
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %s: %v: %s", args[0], err, out)
		}
		return out
	}
	verify := func(pub, message, signature []byte) {
		t.Helper()
		openssl("pkeyutl", "-verify", "-pubin", "-inkey", file("pub.pem", pub), "-rawin", "-digest", "sm3", "-in", file("message", message),
			"-sigfile", file("signature", signature), "-pkeyopt", "distid:1234567812345678")
	}
	t.Run("canonical", func(t *testing.T) {
		o := newOffice(t, ProfileCanonical, true)
		if _, err := newTestBackend(t, o.config()).query(t.Context(), "sb-info", CitizenRow{Number: "n", Name: "李晓雯"}, nil); err != nil {
			t.Fatal(err)
		}
		m := authorization.FindStringSubmatch(o.auth)
		signature, _ := base64.StdEncoding.DecodeString(m[6])
		verify(o.callerPub, fmt.Appendf(nil, "POST\n/gw/query/sb-info\n%s\n%s\n%s\n", m[4], m[3], o.last), signature)
	})
	t.Run("envelope", func(t *testing.T) {
		o := newOffice(t, ProfileEnvelope, true)
		if _, err := newTestBackend(t, o.config()).query(t.Context(), "sb-info", CitizenRow{Number: "n", Name: "李晓雯"}, nil); err != nil {
			t.Fatal(err)
		}
		var w struct {
			Timestamp int64
			SignData  string
			Data      struct{ EncData string }
		}
		if err := json.Unmarshal(o.last, &w); err != nil {
			t.Fatal(err)
		}
		outer := openssl("enc", "-sm4-ecb", "-K", hex.EncodeToString([]byte(officeID[:16])), "-in", file("secret", []byte(officeSecret)))
		key := strings.ToUpper(hex.EncodeToString(outer))[:16]
		sealed, _ := hex.DecodeString(w.Data.EncData)
		plain := openssl("enc", "-d", "-sm4-ecb", "-K", hex.EncodeToString([]byte(key)), "-in", file("sealed", sealed))
		if string(plain) != `{"service":"sb-info","number":"n","name":"李晓雯"}` {
			t.Errorf("openssl opens %q", plain)
		}
		flat, _ := base64.StdEncoding.DecodeString(w.SignData)
		der, _ := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(flat[:32]), new(big.Int).SetBytes(flat[32:])})
		verify(o.callerPub, fmt.Appendf(nil, `appCode=%s&data={"name":"李晓雯","number":"n","service":"sb-info"}&encType=SM4&signType=SM2&timestamp=%d&version=1.0.0&key=%s`,
			officeID, w.Timestamp, officeSecret), der)
	})
}

func TestItemsOfABackEndThatIsDownAreGreyed(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) { greying(t, e) })
	}
}

func greying(t *testing.T, e anEngine) {
	o := newOffice(t, ProfileCanonical, true)
	box := &mailbox{}
	place, dirA, dirB := e.place(t), t.TempDir(), t.TempDir()
	begin := func(dir string) *Server {
		s, err := New(context.Background(), Config{Dir: dir, Store: e.open(t, place), SMS: box, Backends: []BackendConfig{o.config()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	a := begin(dirA)
	copyKeys(t, dirA, dirB)
	b := begin(dirB)
	p := newPeer(t, a, "990000-0001")
	p.enroll(p.code())
	at := func(s *Server) *peer {
		q := *p
		q.s = s
		return &q
	}
	catalogue := func(s *Server) (c wire.Catalogue) {
		if err := json.Unmarshal(at(s).do("GET", wire.PathCatalogue, nil).Body.Bytes(), &c); err != nil {
			t.Error(err)
		}
		return c
	}
	greyedItems := func(s *Server) (n int) {
		for _, item := range []string{"SB-Q", "SB-P"} {
			if v, named := catalogue(s).Items[item]; named && !v.Available && v.Why["zh"] != "" && v.Why["en"] != "" {
				n++
			}
		}
		return n
	}
	until := func(what string, ok func() bool) time.Duration {
		t.Helper()
		began := time.Now()
		for !ok() {
			if time.Since(began) > time.Minute {
				t.Fatalf("never: %s", what)
			}
			time.Sleep(20 * time.Millisecond)
		}
		return time.Since(began)
	}
	everywhere := func(n int) func() bool {
		return func() bool { return greyedItems(a) == n && greyedItems(b) == n }
	}
	known := func() bool {
		all, err := Backends(t.Context(), a.store)
		return err == nil && all["social"].Works() && len(all["social"].Items) == 2
	}
	until("the office is known to work", known)
	var sent wire.CodeSent
	_ = json.Unmarshal(p.do("POST", wire.PathCode, wire.CodeRequest{Person: wire.PersonRef{Name: "李晓雯", Number: numberOf(t, 1)}, Visit: "v"}).Body.Bytes(), &sent)
	var ok wire.CodeChecked
	_ = json.Unmarshal(p.do("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: box.code}).Body.Bytes(), &ok)
	query := func(s *Server) string {
		w := at(s).do("POST", wire.PathQuery+"sb-info", wire.Query{Token: ok.Token, Visit: "v"})
		if w.Code == 200 && !strings.Contains(w.Body.String(), "Insurance") {
			t.Errorf("not the office's answer: %s", w.Body)
		}
		return code(w)
	}
	if got := query(b); got != "" {
		t.Errorf("while all is well: %s", got)
	}
	before := catalogue(a).Revision

	o.be(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(502); return true })
	t.Logf("greyed at both servers after %v", until("both items greyed at both servers", everywhere(2)))
	if got := query(a) + query(b); got != "E-BACKENDE-BACKEND" {
		t.Errorf("while it is down: %s", got)
	}
	down := catalogue(b).Revision
	var hello wire.Welcome
	_ = json.Unmarshal(at(b).do("POST", wire.PathHello, wire.Hello{Terminal: p.id, Epoch: 1}).Body.Bytes(), &hello)
	if down <= before || hello.Catalogue != down {
		t.Errorf("revision %d, then %d, and a hello tells %d", before, down, hello.Catalogue)
	}
	o.be(nil)
	until("nothing greyed", everywhere(0))
	if got := query(a); got != "" {
		t.Errorf("back again: %s", got)
	}
	// an operator's switch, and an item that an operator greyed by hand
	if err := SwitchBackend(t.Context(), b.store, "social", true, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := query(a); got != "E-BACKEND" || greyedItems(a) != 2 {
		t.Errorf("switched off: %q, %d greyed", got, greyedItems(a))
	}
	by := wire.Avail{Why: both("手", "hand")}
	if err := a.ChangeCatalogue(t.Context(), func(c *wire.Catalogue) { c.Items["SB-P"] = by }); err != nil {
		t.Fatal(err)
	}
	if err := SwitchBackend(t.Context(), b.store, "social", false, time.Now()); err != nil {
		t.Fatal(err)
	}
	if c := catalogue(a); c.Items["SB-P"].Why["en"] != "hand" || c.Items["SB-Q"].Why != nil {
		t.Errorf("%+v", c.Items)
	}
	if got := query(a); got != "" {
		t.Errorf("switched on: %s", got)
	}
	if err := SwitchBackend(t.Context(), b.store, "nobody", true, time.Now()); !is(err, ErrNoRow) {
		t.Errorf("%v", err)
	}
	// the server whose turn it was vanishes; the other takes over
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	o.be(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(502); return true })
	until("the other notices", func() bool { return greyedItems(b) == 2 })
}

func FuzzBackendAnswer(f *testing.F) {
	o := newOffice(f, ProfileEnvelope, true)
	env := newTestBackend(f, o.config()).profile
	p := newOffice(f, ProfileCanonical, false)
	can := newTestBackend(f, p.config()).profile
	f.Add([]byte(`{"title":{"zh":"社保","en":"Insurance"},"sections":[{"rows":[{"label":{"zh":"姓名","en":"Name"},"value":"x","masked":"*","private":true}]}]}`))
	f.Add([]byte(`{"appCode":"T98HPCGN5ZVVQBS8LZQNOAEX","version":"1.0.0","encType":"SM4","signType":"SM2","timestamp":1,"signData":"AAAA","data":{"encData":"00"}}`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := readAnswer(b); err == nil {
			if len(a.Sections) > mostSections || a.Title["zh"] == "" {
				t.Errorf("%q was believed", b)
			}
		}
		if out, err := sorted(b); err == nil && !json.Valid(out) {
			t.Errorf("%q is written again as %q", b, out)
		}
		if out, err := env.open(http.Header{}, b, time.Unix(1, 0)); err == nil {
			t.Errorf("%q opens to %q without the office's key", b, out)
		}
		h := http.Header{"Budayang-Timestamp": {"1"}, "Budayang-Nonce": {"n"}, "Budayang-Signature": {base64.StdEncoding.EncodeToString(b)}}
		if _, err := can.open(h, b, time.Unix(1, 0)); err == nil {
			t.Errorf("%q is its own signature", b)
		}
	})
}
