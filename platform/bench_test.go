package platform

// How fast records reach PostgreSQL: through the server in batches, through the same server one by one, and with the
// engine's own COPY as the limit. All three in one run, over TLS on the loopback where there is a server.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/sync/wire"
)

// caseRecords are what one visit with a certificate tells.
func caseRecords(p *peer) []wire.Record {
	v7, _ := uuid.NewV7()
	id := v7.String()
	now := time.Now().UTC().Truncate(time.Millisecond)
	return []wire.Record{
		p.record(wire.TypeCaseOpened, id, wire.CaseOpened{Item: "SB-P", ReceiptCode: "03-20261124-000001", State: "SUBMITTED", At: now, Person: "王*国", Last4: "0117", Details: map[string]string{"purpose": "loan"}}),
		p.record(wire.TypeEffect, id, wire.EffectOutcome{Effect: id + "/print/1", Kind: "print-document", State: "done", Number: "SBP-990000-20261124-000001", At: now}),
		p.record(wire.TypeCaseState, id, wire.CaseState{State: "PRINTED", At: now}),
		p.record(wire.TypeRating, id, wire.Rating{Item: "SB-P", Version: "2021-01", Level: "5", At: now}),
		p.record(wire.TypeCaseState, id, wire.CaseState{State: "CLOSED", At: now}),
	}
}

// served is a server on the loopback over a store.
func served(b testing.TB, store Store) (*Server, string) {
	b.Helper()
	s, err := New(context.Background(), Config{Dir: b.TempDir(), Store: store})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s, "https://" + l.Addr().String()
}

// client speaks TLS with the peer's certificate.
func (p *peer) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.s.CA())
	own := tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13}}}
}

// crowd is terminals at one server.
type crowd struct {
	peers   []*peer
	url     string
	clients []*http.Client
}

func newCrowd(b testing.TB, store Store, n int) *crowd {
	s, url := served(b, store)
	c := &crowd{url: url}
	for i := range n {
		p := newPeer(b, s, "990000-"+string(rune('A'+i/26))+string(rune('A'+i%26))+"01")
		if w := p.enroll(p.code()); w.Code != 200 {
			b.Fatal(w.Body)
		}
		c.peers, c.clients = append(c.peers, p), append(c.clients, p.client())
		b.Cleanup(c.clients[i].CloseIdleConnections)
	}
	return c
}

// bodies are batches of every terminal, ready to be sent in order.
func (c *crowd) bodies(cases, size int) (all [][][]byte, records int) {
	for _, p := range c.peers {
		var rs []wire.Record
		for range cases {
			rs = append(rs, caseRecords(p)...)
		}
		records += len(rs)
		var mine [][]byte
		for len(rs) > 0 {
			n := min(size, len(rs))
			body, _ := json.Marshal(p.batch(rs[:n]...))
			mine = append(mine, body)
			rs = rs[n:]
		}
		all = append(all, mine)
	}
	return all, records
}

func (c *crowd) push(b testing.TB, all [][][]byte) {
	var wg sync.WaitGroup
	for i, p := range c.peers {
		wg.Go(func() {
			for _, body := range all[i] {
				r := p.request("POST", wire.PathPush, body)
				out, err := http.NewRequest("POST", c.url+wire.PathPush, bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				out.Header = r.Header
				res, err := c.clients[i].Do(out)
				if err != nil {
					b.Error(err)
					return
				}
				answer, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				var ack wire.Ack
				if err := json.Unmarshal(answer, &ack); err != nil || res.StatusCode != 200 || ack.Outcomes[0].Status != wire.Accepted {
					b.Errorf("%d %s", res.StatusCode, answer)
					return
				}
			}
		})
	}
	wg.Wait()
}

// own is the processor time of this process: the terminals' part and the server's.
func own(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRecords(b *testing.B) {
	rate := map[string]float64{}
	c := pgtest.Start(b)
	through := func(name string, open func(testing.TB) Store, cases, size int) {
		b.Run(name, func(b *testing.B) {
			crowd := newCrowd(b, open(b), 8)
			total := 0
			var ours, theirs time.Duration
			for b.Loop() {
				b.StopTimer()
				all, n := crowd.bodies(cases, size)
				total += n
				ours, theirs = ours-own(b), theirs-c.CPU(b)
				b.StartTimer()
				crowd.push(b, all)
				b.StopTimer()
				ours, theirs = ours+own(b), theirs+c.CPU(b)
				b.StartTimer()
			}
			rate[name] = float64(total) / b.Elapsed().Seconds()
			b.ReportMetric(rate[name], "records/s")
			// Processor time says more than the clock where others use the machine too.
			b.ReportMetric(float64(ours.Microseconds())/float64(total), "µs-terminals+server/record")
			b.ReportMetric(float64(theirs.Microseconds())/float64(total), "µs-postgres/record")
		})
	}
	postgres := func(b testing.TB) Store { return opened(b, OpenPostgres, c.Database(b)) }
	through("postgres-batches", postgres, 200, wire.MaxBatchRecords)
	through("postgres-one-by-one", postgres, 10, 1)
	through("sqlite-batches", func(b testing.TB) Store { return opened(b, OpenSQLite, filepath.Join(b.TempDir(), "s.db")) }, 80, wire.MaxBatchRecords)
	b.Run("postgres-copy", func(b *testing.B) {
		place := c.Database(b)
		store := opened(b, OpenPostgres, place) // its tables
		defer func() { _ = store.Close() }()
		conn, err := pgx.Connect(context.Background(), place)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		p, total := &peer{t: b, id: "990000-0001"}, 0
		for b.Loop() {
			b.StopTimer()
			var rows [][]any
			for range 1600 {
				for _, r := range caseRecords(p) {
					raw, _ := json.Marshal(envelope{r.Header, r.Salt})
					rows = append(rows, []any{r.ID, r.Terminal, int64(r.Epoch), string(r.Lane), int64(r.Seq), r.Case, r.Type, raw, []byte(r.Body),
						r.Header.Hash().String(), "accepted", "", when(r.Wall)})
				}
			}
			total += len(rows)
			b.StartTimer()
			_, err := conn.CopyFrom(context.Background(), pgx.Identifier{"records"}, []string{"id", "terminal", "epoch", "lane", "seq", "case_id", "type", "raw", "body", "hash", "outcome", "reason", "received"}, pgx.CopyFromRows(rows))
			if err != nil {
				b.Fatal(err)
			}
		}
		rate["postgres-copy"] = float64(total) / b.Elapsed().Seconds()
		b.ReportMetric(rate["postgres-copy"], "records/s")
	})
	b.Run("ratios", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rate["postgres-batches"]/rate["postgres-one-by-one"], "batches:one-by-one")
		b.ReportMetric(rate["postgres-batches"]/rate["postgres-copy"], "batches:copy")
	})
}
