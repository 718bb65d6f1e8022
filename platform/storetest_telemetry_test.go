package platform

// What every store promises of telemetry.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func telemetrySuite(t *testing.T, e anEngine) {
	ctx := context.Background()
	place := e.place(t)
	s := e.open(t, place)
	row := func(terminal string, epoch uint32, seq uint64) SampleRow {
		return SampleRow{Terminal: terminal, Epoch: epoch, Received: moment, Lost: 7, Sample: wire.Sample{Seq: seq, Wall: moment.Add(time.Duration(seq) * time.Minute),
			Telemetry: wire.Telemetry{Devices: map[wire.Term]wire.Term{wire.TermOf("ups"): wire.TermOf("offline")}, Waiting: seq, Disk: 1 << 40, ClockOff: -3}}}
	}
	update := func(fn func(Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	same := func(what string, got any, err error, want any) {
		t.Helper()
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); err != nil || g != w {
			t.Errorf("%s: %v: %s, want %s", what, err, g, w)
		}
	}
	update(func(tx Tx) error {
		if _, err := tx.LatestSample("T1"); !errors.Is(err, ErrNoRow) {
			t.Errorf("%v", err)
		}
		return errors.Join(tx.PutSamples(nil, 3), tx.PutSamples([]SampleRow{row("T1", 1, 1), row("T1", 1, 2), row("T1", 1, 5)}, 3), tx.PutSamples([]SampleRow{row("T2", 4, 9)}, 3))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = e.open(t, place)
	defer s.Close()
	update(func(tx Tx) error {
		one, err := tx.LatestSample("T1")
		same("latest", one, err, row("T1", 1, 5))
		all, err := tx.LatestSamples()
		same("latest of all", all, err, []SampleRow{row("T1", 1, 5), row("T2", 4, 9)})
		all, err = tx.Samples("T1", 10)
		same("history", all, err, []SampleRow{row("T1", 1, 5)}) // 2 is three behind, and forgotten
		return tx.PutSamples([]SampleRow{row("T1", 1, 6), row("T1", 1, 7)}, 3)
	})
	update(func(tx Tx) error {
		all, err := tx.Samples("T1", 2)
		same("history", all, err, []SampleRow{row("T1", 1, 7), row("T1", 1, 6)})
		return tx.PutSamples([]SampleRow{row("T1", 2, 1)}, 3)
	})
	update(func(tx Tx) error {
		all, err := tx.Samples("T1", 10)
		same("history of the new epoch", all, err, []SampleRow{row("T1", 2, 1)})
		all, err = tx.Samples("T2", 10)
		same("another's", all, err, []SampleRow{row("T2", 4, 9)})
		return nil
	})
}
