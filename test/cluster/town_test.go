package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func need(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" && !errors.Is(err, ErrMayNot) {
		t.Fatal(err)
	}
	t.Skip(err)
}

func TestTown(t *testing.T) {
	need(t, Usable())
	town, err := NewTown()
	if err != nil {
		t.Fatal(err)
	}
	defer town.Close()
	var houses []*House
	for name, address := range map[string]string{"a": "10.77.0.1", "b": "10.77.0.2"} {
		h, err := town.Build(name, address)
		if err != nil {
			t.Fatal(err)
		}
		houses = append(houses, h)
	}
	from, to := houses[0], houses[1]
	var l net.Listener
	if err := to.within(func() (err error) { l, err = net.Listen("tcp", to.Address+":80"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := from.Dial(ctx, "tcp", to.Address+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	echo := func(within time.Duration) (time.Duration, error) {
		_ = c.SetDeadline(time.Now().Add(within))
		began := time.Now()
		if _, err := c.Write([]byte("x")); err != nil {
			return 0, err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return time.Since(began), err
	}
	if took, err := echo(5 * time.Second); err != nil || took > 30*time.Millisecond {
		t.Errorf("a good line takes %v: %v", took, err)
	}
	town.Wire("a", Line{Delay: 50 * time.Millisecond})
	if took, err := echo(5 * time.Second); err != nil || took < 100*time.Millisecond {
		t.Errorf("there and back over 50 ms takes %v: %v", took, err)
	}
	town.Wire("a", Line{})
	town.Cut("a", "b")
	if _, err := echo(500 * time.Millisecond); err == nil {
		t.Error("an answer over a line that is cut")
	}
	town.Mend()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("what was sent over the cut does not arrive after it: %v", err)
	}
	town.Wire("a", Line{Loss: 0.1})
	for range 30 {
		if _, err := echo(20 * time.Second); err != nil {
			t.Fatalf("TCP does not come through loss: %v", err)
		}
	}
	if carried, lost, cut := town.Frames(); carried == 0 || lost == 0 || cut == 0 {
		t.Errorf("%d carried, %d lost, %d cut", carried, lost, cut)
	}
}
