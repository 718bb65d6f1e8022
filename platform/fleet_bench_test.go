package platform

// A city's fleet on one machine: every terminal keeps a long poll open and says hello and delivers a visit's records at every
// heartbeat, over its own TLS connection (HTTP/2, its own client certificate), as the real ones do. The servers are processes
// of their own on one PostgreSQL, so that their memory and processor time are theirs alone.
//
// So that the same work is done at every size, time is compressed in proportion: with a hundredth of the terminals, heartbeat
// and long poll come a hundred times as often, and what a terminal costs in its minute can be compared.
//
//	go test -run '^$' -bench Fleet -benchtime 1x -timeout 30m ./platform
//	BUDAYANG_FLEET=100,1000,10000 BUDAYANG_FLEET_MINUTES=1 go test … # a minute of 60 s at the largest size

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/sync/wire"
)

// TestFleetServer is no test: it is the server process of BenchmarkFleet.
func TestFleetServer(t *testing.T) {
	dir, place := os.Getenv("BUDAYANG_FLEET_DIR"), os.Getenv("BUDAYANG_FLEET_STORE")
	if dir == "" {
		t.Skip("the benchmark's server process")
	}
	var err error
	if mailRecheck, err = time.ParseDuration(os.Getenv("BUDAYANG_FLEET_RECHECK")); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Config{Dir: dir, Store: opened(t, OpenPostgres, place)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	fmt.Printf("listening %s\n", l.Addr())
	if err := s.Serve(ctx, l); err != nil {
		t.Error(err)
	}
	_ = s.Close()
}

// process is a server process.
type process struct {
	cmd *exec.Cmd
	in  io.Closer
	url string
}

func fleetServer(b *testing.B, dir, place string, recheck time.Duration) *process {
	b.Helper()
	p := &process{cmd: exec.Command(os.Args[0], "-test.run=^TestFleetServer$", "-test.timeout=0")}
	p.cmd.Env = append(os.Environ(), "BUDAYANG_FLEET_DIR="+dir, "BUDAYANG_FLEET_STORE="+place, "BUDAYANG_FLEET_RECHECK="+recheck.String())
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p.in = in
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, is := strings.CutPrefix(lines.Text(), "listening "); is {
			p.url = "https://" + at
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p
		}
	}
	b.Fatal("the server did not start")
	return nil
}

func (p *process) stop(b *testing.B) {
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		b.Error(err)
	}
}

// memory is what the process has in RAM, bytes.
func (p *process) memory(b *testing.B) int64 {
	return p.field(b, "statm", 1) * int64(os.Getpagesize())
}

// used is its processor time.
func (p *process) used(b *testing.B) time.Duration {
	return time.Duration(p.field(b, "stat", 13)+p.field(b, "stat", 14)) * 10 * time.Millisecond
}

func (p *process) field(b *testing.B, file string, i int) int64 {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file))
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.Fields(string(raw))[i], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// member is one terminal of the fleet.
type member struct {
	*peer
	client *http.Client
	url    string
}

// members puts terminals into the store as enrolment does: keys, standing, certificate.
func members(b *testing.B, s *Server, n int) (all []*member) {
	b.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA())
	for from := 0; from < n; from += 500 {
		var terminals []Terminal
		var standings []Standing
		var certificates []CertificateRow
		for i := from; i < min(n, from+500); i++ {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
			if err != nil {
				b.Fatal(err)
			}
			csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "t"}}, key)
			if err != nil {
				b.Fatal(err)
			}
			id, now := fmt.Sprintf("990000-%05d", i), s.now()
			a, err := examine(id, wire.Keys{Nonce: token(), CSR: csr, Profile: wire.P256})
			if err != nil {
				b.Fatal(err)
			}
			cert, err := s.keys.clientCertificate(id, a.tls, now, s.cfg.CertLife)
			if err != nil {
				b.Fatal(err)
			}
			terminals = append(terminals, Terminal{ID: id, Site: "hall", Name: id, PublicKey: pub, Epoch: 1, Enrolled: now, Seen: now})
			standings = append(standings, Standing{Terminal: id, State: Active, Profile: wire.P256, Since: now})
			certificates = append(certificates, CertificateRow{Fingerprint: fingerprint(cert.Raw), Terminal: id, Keys: a.keys(), From: cert.NotBefore, Until: cert.NotAfter})
			own := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
			t := &http.Transport{ForceAttemptHTTP2: true, TLSHandshakeTimeout: time.Minute, IdleConnTimeout: time.Hour,
				TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13}}
			all = append(all, &member{peer: &peer{t: b, s: s, id: id, key: key, profile: wire.P256, cert: cert}, client: &http.Client{Transport: t}})
		}
		err := s.store.Update(b.Context(), func(tx Tx) error {
			for i := range terminals {
				if err := tx.PutTerminal(terminals[i]); err != nil {
					return err
				}
				if err := tx.PutStanding(standings[i]); err != nil {
					return err
				}
				if err := tx.PutCertificate(certificates[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return all
}

// ask sends a signed request and reads the answer.
func (m *member) ask(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	signed := m.request(method, path, body)
	r, err := http.NewRequestWithContext(ctx, method, m.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header = signed.Header
	res, err := m.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// visit is the batch of one case, in a chain of its own.
func (m *member) visit() []byte {
	id, _ := uuid.NewV7()
	now := time.Now().UTC().Truncate(time.Millisecond)
	b, _ := json.Marshal(m.batch(
		m.record(wire.TypeCaseOpened, id.String(), wire.CaseOpened{Item: "SB-P", ReceiptCode: m.id, State: "SUBMITTED", At: now, Person: "王*国", Last4: "0117"}),
		m.record(wire.TypeEffect, id.String(), wire.EffectOutcome{Effect: id.String() + "/print/1", Kind: "print-document", State: "done", At: now}),
		m.record(wire.TypeCaseState, id.String(), wire.CaseState{State: "PRINTED", At: now}),
		m.record(wire.TypeRating, id.String(), wire.Rating{Item: "SB-P", Version: "2021-01", Level: "5", At: now}),
		m.record(wire.TypeCaseState, id.String(), wire.CaseState{State: "CLOSED", At: now})))
	return b
}

// tally is what the fleet saw.
type tally struct {
	mu       sync.Mutex
	acks     []time.Duration
	hellos   atomic.Int64
	polls    atomic.Int64
	busy     atomic.Int64
	failures atomic.Int64
	first    atomic.Pointer[string]
}

func (t *tally) failed(what string) {
	t.failures.Add(1)
	t.first.CompareAndSwap(nil, &what)
}

// live is a terminal's life until ctx ends: a poll that is always open, and a heartbeat.
func (m *member) live(ctx context.Context, beat, wait time.Duration, t *tally, parts *sync.WaitGroup) {
	parts.Go(func() {
		for ctx.Err() == nil {
			poll, cancel := context.WithTimeout(ctx, wait)
			status, answer, err := m.ask(poll, "GET", wire.PathPull+"?after=0&wait=55", nil)
			cut := poll.Err() != nil
			cancel()
			switch {
			case ctx.Err() != nil:
			case cut, err == nil && status == 200:
				t.polls.Add(1)
			default:
				t.failed(fmt.Sprintf("poll: %d %.100s %v", status, answer, err))
				time.Sleep(time.Second)
			}
		}
	})
	parts.Go(func() {
		next := time.NewTimer(mrand.N(beat)) // a fleet's heartbeats are spread
		defer next.Stop()
		var waiting []byte
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			next.Reset(beat)
			lanes := map[wire.Lane]wire.LanePoint{}
			if m.last.Seq > 0 && waiting == nil {
				lanes[wire.LaneTx] = wire.LanePoint{Seq: m.last.Seq, Hash: m.last.Hash()}
			}
			hello, _ := json.Marshal(wire.Hello{Terminal: m.id, Software: "bench", Epoch: 1, Lanes: lanes})
			if status, answer, err := m.ask(ctx, "POST", wire.PathHello, hello); ctx.Err() != nil {
				return
			} else if status == 503 {
				t.busy.Add(1)
				continue
			} else if err != nil || status != 200 {
				t.failed(fmt.Sprintf("hello: %d %.100s %v", status, answer, err))
				continue
			}
			t.hellos.Add(1)
			if waiting == nil {
				waiting = m.visit()
			}
			began := time.Now()
			status, answer, err := m.ask(ctx, "POST", wire.PathPush, waiting)
			took := time.Since(began)
			switch {
			case ctx.Err() != nil:
				return
			case status == 503:
				t.busy.Add(1)
			case err != nil || status != 200:
				t.failed(fmt.Sprintf("push: %d %.100s %v", status, answer, err))
			default:
				waiting = nil
				t.mu.Lock()
				t.acks = append(t.acks, took)
				t.mu.Unlock()
			}
		}
	})
}

// connected opens everybody's connection, a few at a time.
func connected(b *testing.B, all []*member) {
	var wg sync.WaitGroup
	queue := make(chan *member)
	for range 16 {
		wg.Go(func() {
			for m := range queue {
				if status, answer, err := m.ask(b.Context(), "GET", wire.PathCatalogue, nil); err != nil || status != 200 {
					b.Errorf("%s: %d %.100s %v", m.id, status, answer, err)
				}
			}
		})
	}
	for _, m := range all {
		queue <- m
	}
	close(queue)
	wg.Wait()
}

const (
	fleetLargest = 10_000
	fleetBeat    = time.Minute      // of the largest
	fleetWait    = 55 * time.Second // a long poll of the largest
)

// compressed is a span of time for a fleet of n as that span for the largest.
func compressed(d time.Duration, n int) time.Duration { return d * time.Duration(n) / fleetLargest }

func BenchmarkFleet(b *testing.B) {
	sizes := []int{100}
	minutes := .1
	if v := os.Getenv("BUDAYANG_FLEET"); v != "" {
		sizes, minutes = nil, 1
		for part := range strings.SplitSeq(v, ",") {
			n, err := strconv.Atoi(part)
			if err != nil || n < 1 || n > fleetLargest {
				b.Fatalf("BUDAYANG_FLEET: %q", part)
			}
			sizes = append(sizes, n)
		}
	}
	if v := os.Getenv("BUDAYANG_FLEET_MINUTES"); v != "" {
		var err error
		if minutes, err = strconv.ParseFloat(v, 64); err != nil {
			b.Fatal(err)
		}
	}
	for _, servers := range []int{1, 2} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%d-on-%d", n, servers), func(b *testing.B) {
				for b.Loop() {
					liveFleet(b, n, servers, time.Duration(minutes*float64(time.Minute)))
				}
			})
		}
	}
}

// liveFleet lives for a span of real time, in which the same work is done whatever n is.
func liveFleet(b *testing.B, n, servers int, span time.Duration) {
	c := pgtest.Start(b)
	place, dir := c.Database(b), b.TempDir()
	s, err := New(b.Context(), Config{Dir: dir, Store: opened(b, OpenPostgres, place)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	all := members(b, s, n)
	var running []*process
	for range servers {
		p := fleetServer(b, dir, place, max(time.Millisecond, compressed(mailRecheck, n)))
		defer p.stop(b)
		running = append(running, p)
	}
	for i, m := range all {
		m.url = running[i%servers].url
		defer m.client.CloseIdleConnections()
	}
	if v, err := os.ReadFile("/proc/sys/fs/nr_open"); err == nil && n > 8000 {
		b.Logf("%d connections; nr_open %s", n, bytes.TrimSpace(v))
	}
	empty := int64(0)
	for _, p := range running {
		empty += p.memory(b)
	}
	connected(b, all)
	ctx, stop := context.WithCancel(b.Context())
	var parts sync.WaitGroup
	sum := &tally{}
	beat, wait := compressed(fleetBeat, n), compressed(fleetWait, n)
	for _, m := range all {
		m.live(ctx, beat, wait, sum, &parts)
	}
	time.Sleep(min(beat, 5*time.Second)) // every poll is open
	sum.mu.Lock()
	sum.acks = nil
	sum.mu.Unlock()
	hellos := sum.hellos.Load()
	used := func() (server, pg time.Duration) {
		for _, p := range running {
			server += p.used(b)
		}
		return server, c.CPU(b)
	}
	server0, pg0 := used()
	began := time.Now()
	time.Sleep(span)
	lived := time.Since(began)
	server1, pg1 := used()
	hellos = sum.hellos.Load() - hellos
	full := int64(0)
	for _, p := range running {
		full += p.memory(b)
	}
	stop()
	parts.Wait()
	sum.mu.Lock()
	defer sum.mu.Unlock()
	slices.Sort(sum.acks)
	if len(sum.acks) == 0 || sum.failures.Load() > 0 {
		why := "nothing was acknowledged"
		if p := sum.first.Load(); p != nil {
			why = *p
		}
		b.Errorf("%d failures, the first: %s", sum.failures.Load(), why)
		return
	}
	at := func(q float64) float64 {
		return float64(sum.acks[min(len(sum.acks)-1, int(q*float64(len(sum.acks))))].Microseconds()) / 1000
	}
	// A terminal's minute is a heartbeat with its poll: what was used, by the heartbeats that were done. On a machine that is not
	// idle some are told to wait, and less than all are done.
	lives := float64(n) * lived.Seconds() / beat.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(full-empty)/float64(n)/1024, "KiB/terminal")
	b.ReportMetric(at(.5), "ms-p50-ack")
	b.ReportMetric(at(.99), "ms-p99-ack")
	b.ReportMetric((server1-server0).Seconds()*1000/float64(hellos), "ms-server/heartbeat")
	b.ReportMetric((pg1-pg0).Seconds()*1000/float64(hellos), "ms-postgres/heartbeat")
	b.ReportMetric(float64(hellos)/lives, "heartbeats-done")
	b.ReportMetric(float64(sum.busy.Load()), "told-to-wait")
}
