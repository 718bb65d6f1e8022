package link

// How long a terminal needs to be rid of what seven days without a link left behind: the real journal, uplink and server.

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// backlogCases is seven days of a busy terminal.
const backlogCases = 2100

// fill writes the records that whole visits leave: the case, its way to the end, its rating, and their audit entries.
func (x *terminal) fill(t testing.TB, cases int) {
	t.Helper()
	for done := 0; done < cases; {
		err := x.Update(func(tx *journal.Tx) error {
			for range min(50, cases-done) {
				c, err := tx.OpenCase(journal.NewCase{Item: "SB-P", Schema: 1, Person: "李*雯", Last4: "0221"})
				if err != nil {
					return err
				}
				if err := tx.SetState(c.ID, journal.Accepted, ""); err != nil {
					return err
				}
				if _, err := tx.Emit(wire.LaneTx, c.ID, wire.TypeRating, 1, wire.Rating{Item: "SB-P", Version: "2021-01", Level: "5", At: time.Now()}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		done += min(50, cases-done)
	}
}

func BenchmarkBacklogDrain(b *testing.B) {
	pg := pgtest.Start(b)
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			var records, seconds float64
			for b.Loop() {
				b.StopTimer()
				var store platform.Store
				var err error
				if kind == "postgres" {
					store, err = platform.OpenPostgres(b.Context(), pg.Database(b))
				} else {
					store, err = platform.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "s.db"))
				}
				if err != nil {
					b.Fatal(err)
				}
				c := newCityOn(b, store)
				x := newTerminal(b, c, b.TempDir(), "990000-0003")
				x.fill(b, backlogCases)
				b.StartTimer()
				began := time.Now()
				stop := x.run(b)
				for !x.drained() {
					if time.Since(began) > 5*time.Minute {
						b.Fatal("the backlog is not drained after five minutes")
					}
					time.Sleep(5 * time.Millisecond)
				}
				seconds += time.Since(began).Seconds()
				b.StopTimer()
				stop()
				got, err := c.Received(b.Context())
				if err != nil || got.Cases != backlogCases || got.Ratings != backlogCases || got.Duplicates != 0 || got.Quarantined != 0 {
					b.Fatalf("%+v, %v", got, err)
				}
				records += float64(got.Records)
				b.StartTimer()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(seconds/float64(b.N), "s/backlog")
			b.ReportMetric(records/seconds, "records/s")
		})
	}
}
