package main

// A terminal for the command-line tests, for as long as a command takes.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
)

// terminalMain is the command terminal of the scripts:
//
//	terminal enrol ID     makes a platform in ./data, enrols a terminal of that id in ./ID and gives it something to send
//	terminal export ID FILE
//	terminal import ID FILE
func terminalMain() {
	if err := terminalRun(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "terminal:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func terminalRun(what, name string, args []string) (err error) {
	ctx := context.Background()
	id, err := uplink.LoadIdentity(name, name)
	if err != nil {
		return err
	}
	j, err := journal.Open(name+"/journal.db", journal.Options{Terminal: name, KeyFile: name + "/journal.key"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	files := uplink.Files{Journal: j, Identity: id}
	switch what {
	case "enrol":
		if err := enrol(ctx, id); err != nil {
			return err
		}
		return j.Update(func(tx *journal.Tx) error {
			_, err := tx.OpenCase(journal.NewCase{Item: "HOTLINE", Visit: "v"})
			return err
		})
	case "export":
		f, err := os.Create(args[0])
		if err != nil {
			return err
		}
		_, err = files.Export(f, 64<<20, "test", "fixed")
		return errors.Join(err, f.Close())
	case "import":
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		i, err := files.Import(ctx, f, "test")
		fmt.Println("acknowledged", i.Acked)
		return err
	}
	return fmt.Errorf("what is %q", what)
}

func enrol(ctx context.Context, id *uplink.Identity) error {
	s, err := platform.New(ctx, platform.Config{Dir: "data"})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := os.WriteFile("ca.pem", s.CA(), 0o600); err != nil {
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
	client, err := uplink.NewClient("https://"+l.Addr().String(), "ca.pem", id)
	if err != nil {
		return err
	}
	defer client.Close()
	code, _, err := s.IssueCode(ctx, id.Terminal, 0, platform.Operator{Who: "test"})
	if err != nil {
		return err
	}
	return client.Enroll(ctx, "Hall", "01", code)
}
