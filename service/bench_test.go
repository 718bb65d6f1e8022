package service_test

import (
	"io/fs"
	"testing"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
)

// BenchmarkLoad reads all items; its limit is the 90 s in which a terminal must be up after a cold start (domain.md 7).
func BenchmarkLoad(b *testing.B) {
	sub, err := fs.Sub(assets.FS, "items")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := service.Load(sub); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(90*time.Second), "of-cold-start-limit")
}

// BenchmarkTiles asks every step of every item whether it is ready, as happens at every change while somebody looks; its
// limit is the 100 ms in which a touch must be answered.
func BenchmarkTiles(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		if len(w.engine.Tiles()) == 0 {
			b.Fatal("no tiles")
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(100*time.Millisecond), "of-touch-limit")
}
