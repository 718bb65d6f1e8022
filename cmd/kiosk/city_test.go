package main

// A city for the command-line tests: a platform that is there for as long as a command takes.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// cityMain is the command city of the scripts:
//
//	city enrol CONFIG       makes a platform in ./city, enrols the terminal and gives it something to send
//	city import FILE ACK    takes a batch file
//	city later FILE ACK     takes it a month from now
//	city pause TERMINAL     orders a pause
//
// Without a word it listens: see city990000.
func cityMain() {
	if len(os.Args) == 1 {
		os.Exit(city990000())
	}
	if err := cityRun(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "city:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func cityRun(args []string) (err error) {
	ctx := context.Background()
	now := time.Now
	if args[0] == "later" {
		now = func() time.Time { return time.Now().AddDate(0, 1, 0) }
	}
	s, err := platform.New(ctx, platform.Config{Dir: "city", Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	switch args[0] {
	case "enrol":
		return cityEnrol(ctx, s, args[1])
	case "import", "later":
		in, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		var ack bytes.Buffer
		r, err := s.Import(ctx, bytes.NewReader(in), &ack)
		if err != nil {
			return err
		}
		fmt.Printf("accepted %d duplicate %d\n", r.Accepted, r.Duplicate)
		return os.WriteFile(args[2], ack.Bytes(), 0o600)
	case "pause":
		_, err := s.Command(ctx, args[1], wire.Command{Name: wire.CommandPause}, time.Hour, "test")
		return err
	}
	return fmt.Errorf("what is %q", args[0])
}

func cityEnrol(ctx context.Context, s *platform.Server, file string) error {
	if err := os.WriteFile("ca.pem", s.CA(), 0o600); err != nil {
		return err
	}
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	defer func() { cancel(); <-served }()
	if err := prepareData(c.Terminal.Data); err != nil {
		return err
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil {
		return err
	}
	client, err := uplink.NewClient("https://"+l.Addr().String(), "ca.pem", id)
	if err != nil {
		return err
	}
	defer client.Close()
	code, _, err := s.IssueCode(ctx, c.Terminal.ID, 0, platform.Operator{Who: "test"})
	if err != nil {
		return err
	}
	if err := client.Enroll(ctx, c.Terminal.Site, c.Terminal.Name, code); err != nil {
		return err
	}
	j, err := journal.Open(journalPath(c), journalOptions(c))
	if err != nil {
		return err
	}
	err = j.Update(func(tx *journal.Tx) error {
		_, err := tx.OpenCase(journal.NewCase{Item: "HOTLINE", Visit: "v"})
		return err
	})
	return errors.Join(err, j.Close())
}
