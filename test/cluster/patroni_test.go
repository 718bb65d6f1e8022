package cluster

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestAStandbyTakesOver(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	need(t, Lacking())
	dir, err := os.MkdirTemp("", "budayang-cluster-") // not t.TempDir, which others may not pass through
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	town, err := NewTown()
	if err != nil {
		t.Fatal(err)
	}
	defer town.Close()
	ctx := t.Context()
	c, err := Start(ctx, town, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", c.PassFile())
	exec := func(q string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, c.Behind())
		if err == nil {
			_, err = conn.Exec(ctx, q)
			_ = conn.Close(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE kept AS SELECT 1 AS n")
	first, timeline := c.Primary(ctx)
	if first == nil || timeline != 1 {
		t.Fatalf("%v on timeline %d", first, timeline)
	}
	first.PowerOff()
	began := time.Now()
	var next *Node
	for timeline < 2 { // while it is being promoted it is on the old one
		if time.Since(began) > time.Minute {
			t.Fatal("nobody takes over")
		}
		time.Sleep(100 * time.Millisecond)
		next, timeline = c.Primary(ctx)
	}
	t.Logf("%s after %s took %v", next.Name, first.Name, time.Since(began).Round(100*time.Millisecond))
	if next == first {
		t.Errorf("%s goes on", next.Name)
	}
	time.Sleep(3 * time.Second) // until HAProxy knows
	exec("INSERT INTO kept SELECT n + 1 FROM kept")
	if err := first.PowerOn(); err != nil {
		t.Fatal(err)
	}
	if err := c.Whole(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
}
