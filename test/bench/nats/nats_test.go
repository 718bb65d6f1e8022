// Package nats is the peer of BenchmarkRecords in platform: the same records into NATS JetStream, kept in files and synced
// before every acknowledgement. It has a module of its own, so that the product's stays lean:
//
//	cd test/bench/nats && go test -bench . -benchtime 20000x
package nats

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/budayang/kiosk/sync/wire"
)

// record is one of a visit with a certificate, as long as those of the platform's benchmark.
func record(seq uint64) []byte {
	body, _ := json.Marshal(wire.EffectOutcome{Effect: "01932d3a-7c1e-7b7e-9a55-0f4e2d9c1a77/print/1", Kind: "print-document", State: "done", Number: "SBP-990000-20261124-000001", At: time.Now()})
	r := wire.Record{Header: wire.Header{V: 1, Terminal: "990000-0001", Epoch: 1, Lane: wire.LaneTx, Seq: seq, ID: "01932d3a-7c1e-7b7e-9a55-0f4e2d9c1a77",
		Case: "01932d3a-7c1e-7b7e-9a55-0f4e2d9c1a78", Type: wire.TypeEffect, Schema: 1, Wall: time.Now().UTC(), Boot: "b"}, Body: body}
	r.BodyHash = wire.HashBody(r.Salt, r.Body)
	b, _ := json.Marshal(r)
	return b
}

// jetStream is a server with a stream, and its publisher's side over a real connection.
func jetStream(b *testing.B, publishers int) (all []jetstream.JetStream) {
	b.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true, NoLog: true, NoSigs: true})
	if err != nil {
		b.Fatal(err)
	}
	s.Start()
	b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("no server")
	}
	for i := range publishers {
		c, err := nats.Connect(s.ClientURL())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		js, err := jetstream.New(c, jetstream.WithPublishAsyncMaxPending(200))
		if err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			if _, err := js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "records", Subjects: []string{"records.>"}, Storage: jetstream.FileStorage}); err != nil {
				b.Fatal(err)
			}
		}
		all = append(all, js)
	}
	return all
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJetStream has eight publishers, as the platform's benchmark has eight terminals: once waiting for each
// acknowledgement, once with up to 200 records under way.
func BenchmarkJetStream(b *testing.B) {
	const publishers = 8
	for _, inFlight := range []bool{false, true} {
		b.Run(map[bool]string{false: "one-by-one", true: "200-under-way"}[inFlight], func(b *testing.B) {
			all := jetStream(b, publishers)
			each := max(1, b.N/publishers)
			var bodies [publishers][][]byte
			for p := range publishers {
				for i := range each {
					bodies[p] = append(bodies[p], record(uint64(i+1)))
				}
			}
			b.ResetTimer()
			began, used := time.Now(), cpu(b)
			var wg sync.WaitGroup
			for p, js := range all {
				wg.Go(func() {
					subject := "records." + strconv.Itoa(p)
					for i, body := range bodies[p] {
						id := jetstream.WithMsgID(strconv.Itoa(p) + "-" + strconv.Itoa(i))
						var err error
						if inFlight {
							_, err = js.PublishAsync(subject, body, id, jetstream.WithStallWait(time.Minute))
						} else {
							_, err = js.Publish(context.Background(), subject, body, id)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
					if inFlight {
						select {
						case <-js.PublishAsyncComplete():
						case <-time.After(5 * time.Minute):
							b.Error("never acknowledged")
						}
					}
				})
			}
			wg.Wait()
			took := time.Since(began)
			st, err := all[0].Stream(context.Background(), "records")
			if err != nil {
				b.Fatal(err)
			}
			if is, err := st.Info(context.Background()); err != nil || is.State.Msgs != uint64(each*publishers) {
				b.Fatalf("%d kept of %d, %v", is.State.Msgs, each*publishers, err)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(each*publishers)/took.Seconds(), "records/s")
			b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(each*publishers), "µs/record")
		})
	}
}
