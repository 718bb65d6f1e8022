package uplink_test

// A platform for tests: the wire and nothing else, and as hostile as a test wants it.

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/journal/journaltest"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

const terminalID = "990000-0003"

// city holds one terminal's lanes. evil may answer a request in its own way and return true, or change the request's fate.
type city struct {
	t      testing.TB
	server *httptest.Server
	key    *ecdsa.PrivateKey

	mu       sync.Mutex
	evil     func(w http.ResponseWriter, r *http.Request) bool
	twist    func(answer any) // changes an answer before it is sent; signed ones are signed before
	epoch    uint32
	lanes    map[wire.Lane][]wire.Record
	ids      map[string]int
	blobs    map[wire.Hash]int
	inbox    []wire.Message
	pushes   int
	auth     []string
	noEpoch  bool // does not order a new epoch after a fork
	clock    func() time.Time
	life     time.Duration // of client certificates, 0 means 90 days
	renewals int
}

func (c *city) wall() time.Time {
	if c.clock != nil {
		return c.clock()
	}
	return time.Now()
}

// certify signs with the authority that the test's terminals trust, which is the server's own certificate.
func (c *city) certify(name string, pub any) []byte {
	u, err := url.Parse(name)
	if err != nil {
		c.t.Error(err)
	}
	life := c.life
	if life == 0 {
		life = 90 * 24 * time.Hour
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), URIs: []*url.URL{u}, NotBefore: c.wall().Add(-time.Hour), NotAfter: c.wall().Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, c.server.Certificate(), pub, c.server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		c.t.Error(err)
	}
	return der
}

func (c *city) enrolled(k wire.Keys) any {
	csr, err := x509.ParseCertificateRequest(k.CSR)
	if err != nil {
		c.t.Error(err)
		return wire.Error{Code: "E-PROOF"}
	}
	e := &wire.Enrolled{Terminal: terminalID, Nonce: k.Nonce, Profile: k.Profile, Time: c.wall(),
		Certificate: c.certify(wire.NameTerminal+terminalID, csr.PublicKey), SigningCert: c.certify(wire.NameSigning, &c.key.PublicKey)}
	e.PlatformKey, _ = x509.MarshalPKIXPublicKey(&c.key.PublicKey)
	e.Signature = c.sign(e.SigningBytes())
	return e
}

func newCity(t testing.TB) *city {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &city{t: t, key: key, epoch: 1, lanes: map[wire.Lane][]wire.Record{}, ids: map[string]int{}, blobs: map[wire.Hash]int{}}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.server.Config.ErrorLog = nil
	c.server.StartTLS()
	t.Cleanup(c.server.Close)
	return c
}

func (c *city) sign(b []byte) []byte {
	sum := sha256.Sum256(b)
	sig, err := ecdsa.SignASN1(rand.Reader, c.key, sum[:])
	if err != nil {
		c.t.Error(err)
	}
	return sig
}

func (c *city) be(evil func(w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evil = evil
}

func (c *city) change(twist func(any)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.twist = twist
}

func (c *city) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	evil := c.evil
	c.mu.Unlock()
	if evil != nil && evil(w, r) {
		return
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			c.t.Error(err)
			return
		}
		body = z
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return
	}
	if r.URL.Path == wire.PathPull {
		c.wait(r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auth = append(c.auth, r.Header.Get("Authorization"))
	answer := c.answer(r, raw)
	if answer == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	if refusal, is := answer.(wire.Error); is {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(refusal)
		return
	}
	if c.twist != nil {
		c.twist(answer)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// wait is the long poll: until there is something or the time is over.
func (c *city) wait(r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	seconds, _ := strconv.Atoi(r.URL.Query().Get("wait"))
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end) && r.Context().Err() == nil; time.Sleep(5 * time.Millisecond) {
		c.mu.Lock()
		n := uint64(len(c.inbox))
		c.mu.Unlock()
		if n > after {
			return
		}
	}
}

func (c *city) answer(r *http.Request, raw []byte) any {
	switch path := r.URL.Path; {
	case path == wire.PathEnroll:
		var e wire.Enroll
		_ = json.Unmarshal(raw, &e)
		return c.enrolled(e.Keys)
	case path == wire.PathRenew:
		var q wire.Renew
		_ = json.Unmarshal(raw, &q)
		c.renewals++
		return c.enrolled(q.Keys)
	case path == wire.PathTime:
		n := &wire.Now{Time: c.wall(), Nonce: r.URL.Query().Get("nonce"), SigningCert: c.certify(wire.NameSigning, &c.key.PublicKey)}
		n.Signature = c.sign(n.SigningBytes())
		return n
	case path == wire.PathHello:
		return c.hello(raw)
	case path == wire.PathPush:
		return c.push(raw)
	case path == wire.PathPull:
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		return &wire.Inbox{Messages: slices.Clone(c.inbox[min(after, len(c.inbox)):]), Time: time.Now()}
	case strings.HasPrefix(path, wire.PathBlobs):
		h := wire.Hash(sha256.Sum256(raw))
		if h.String() != strings.TrimPrefix(path, wire.PathBlobs) {
			c.t.Errorf("blob of hash %s at %s", h, path)
		}
		c.blobs[h]++
		return nil
	case path == wire.PathCatalogue:
		return &wire.Catalogue{Revision: 7, Phone: "12345"}
	case path == wire.PathDocuments:
		var q wire.DocumentRequest
		_ = json.Unmarshal(raw, &q)
		d := &wire.Document{Number: "N1", Kind: q.Kind, Key: q.Key, Pages: 1, PDF: []byte("%PDF-1.7")}
		d.SHA256 = sha256.Sum256(d.PDF)
		d.Signature = c.sign(d.SigningBytes())
		return d
	}
	return wire.Error{Code: "E-PATH", Message: "no such path"}
}

func (c *city) hello(raw []byte) any {
	var h wire.Hello
	if err := json.Unmarshal(raw, &h); err != nil {
		return wire.Error{Code: "E-MALFORMED"}
	}
	w := &wire.Welcome{Epoch: c.epoch, Lanes: map[wire.Lane]wire.LanePoint{}, Time: time.Now(), Catalogue: 7, Limits: wire.Limits{BatchRecords: 50}}
	for _, lane := range wire.Lanes {
		p, ours := h.Lanes[lane], c.point(lane)
		if h.Epoch == c.epoch && (ours.Seq > p.Seq || ours.Seq == p.Seq && ours.Hash != p.Hash) {
			w.Fork = append(w.Fork, lane)
		}
		w.Lanes[lane] = ours
	}
	if h.Epoch > c.epoch {
		c.epoch, c.lanes = h.Epoch, map[wire.Lane][]wire.Record{}
		w.Lanes, w.Epoch = map[wire.Lane]wire.LanePoint{}, h.Epoch
	}
	if len(w.Fork) > 0 && !c.noEpoch {
		c.epoch, c.lanes = c.epoch+1, map[wire.Lane][]wire.Record{}
		w.Epoch = c.epoch
	}
	return w
}

func (c *city) point(lane wire.Lane) wire.LanePoint {
	all := c.lanes[lane]
	if len(all) == 0 {
		return wire.LanePoint{}
	}
	return wire.LanePoint{Seq: all[len(all)-1].Seq, Hash: all[len(all)-1].Header.Hash()}
}

func (c *city) push(raw []byte) any {
	c.pushes++
	var b wire.Batch
	if err := json.Unmarshal(raw, &b); err != nil || len(b.Records) == 0 || len(b.Records) > 50 || len(raw) > wire.MaxBatchBytes {
		c.t.Errorf("batch of %d records in %d bytes, %v", len(b.Records), len(raw), err)
		return wire.Error{Code: "E-BATCH"}
	}
	if b.Epoch != c.epoch {
		return wire.Error{Code: "E-FORK"}
	}
	for _, r := range b.Records {
		at := c.point(b.Lane)
		if r.Seq <= at.Seq {
			continue
		}
		if r.Seq != at.Seq+1 || r.Check(at.Hash) != nil {
			return wire.Error{Code: "E-GAP"}
		}
		c.lanes[b.Lane] = append(c.lanes[b.Lane], r)
		c.ids[r.ID]++
	}
	at := c.point(b.Lane)
	a := &wire.Ack{Terminal: b.Terminal, Epoch: b.Epoch, Lane: b.Lane, High: at.Seq, Hash: at.Hash, Time: time.Now()}
	a.Signature = c.sign(a.SigningBytes())
	return a
}

// tell puts a message into the inbox.
func (c *city) tell(kind string, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := wire.Message{No: uint64(len(c.inbox) + 1), ID: "m" + strconv.Itoa(len(c.inbox)+1), Type: kind, Expires: expires, Body: json.RawMessage(`{"n":1}`)}
	m.Signature = c.sign(m.SigningBytes(terminalID))
	c.inbox = append(c.inbox, m)
}

// terminal is a journal with a client and a link to the city.
type terminal struct {
	*journaltest.Journal
	client *uplink.Client
	opt    uplink.Options
	link   *uplink.Uplink
}

func newTerminal(t testing.TB, c *city) *terminal {
	t.Helper()
	j := journaltest.Open(t, journal.Options{Terminal: terminalID})
	client := newClient(t, c.server)
	x := &terminal{Journal: j, client: client, opt: uplink.Options{Client: client, Journal: j.Journal,
		Code: func() (string, error) { return wire.NewCode(), nil },
		Beat: 10 * time.Millisecond, Base: 5 * time.Millisecond, Cap: 30 * time.Millisecond, PullWait: time.Second}}
	return x
}

func newClient(t testing.TB, s *httptest.Server) *uplink.Client {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := uplink.LoadIdentity(filepath.Join(dir, "identity"), terminalID)
	if err != nil {
		t.Fatal(err)
	}
	client, err := uplink.NewClient(s.URL, ca, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// run serves the link until the test ends or stop is called.
func (x *terminal) run(t testing.TB) (stop func()) {
	x.link = uplink.New(x.opt)
	done := make(chan error, 1)
	ctx, cancel := contextOf(t)
	go func() { done <- x.link.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (x *terminal) emit(t testing.TB, lane wire.Lane, n int, body any) {
	t.Helper()
	err := x.Update(func(tx *journal.Tx) error {
		for range n {
			if _, err := tx.Emit(lane, "", wire.TypeDevices, 1, body); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (x *terminal) waiting(t testing.TB) (n uint64) {
	t.Helper()
	all, err := x.Lanes()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		n += l.Waiting
	}
	return n
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// once checks that the city took every record exactly once.
func (c *city) once(t testing.TB, least int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) < least {
		t.Errorf("%d records arrived, want %d", len(c.ids), least)
	}
	for id, n := range c.ids {
		if n != 1 {
			t.Errorf("record %s arrived %d times", id, n)
		}
	}
}
