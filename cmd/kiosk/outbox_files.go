package main

// The outbox in files, for sites where no line crosses the gap.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// unlock asks whether a technician may write to a removable medium now, and under which name that is kept. Somebody with a
// shell on this machine has proven that elsewhere and names himself; a console on the screen asks for the technician's code.
type unlock func(who string) (string, error)

func shellUnlock(who string) (string, error) {
	if who == "" {
		return "", refuse("outbox.who")
	}
	return technician(who)
}

// technician is how the audit chain names who was at the machine.
func technician(id string) (string, error) {
	who := "technician." + id
	if !wire.Operator(who) {
		return "", refuse("outbox.technician")
	}
	return who, nil
}

// exportCmd is `kiosk outbox export`.
type exportCmd struct {
	Config     string `short:"c" default:"/etc/budayang/terminal.toml"`
	File       string `arg:"" type:"path"`
	MaxMiB     int    `name:"max-mib" default:"64"`
	Technician string
	JSON       bool
}

// Run writes what waits into one signed file, sealed to the platform. The outbox does not move: that is the ack's to do.
func (e exportCmd) Run(io stdio) (err error) {
	if e.MaxMiB < 1 || e.MaxMiB > 64 {
		return refuse("outbox.max")
	}
	files, done, err := outboxFiles(e.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	who, medium := "shell", "fixed"
	if removable(filepath.Dir(e.File)) {
		medium = "removable"
		if who, err = unlock(shellUnlock)(e.Technician); err != nil {
			return err
		}
	} else if e.Technician != "" {
		if who, err = technician(e.Technician); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(e.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	x, err := files.Export(out, e.MaxMiB<<20, who, medium)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(e.File))
	}
	if e.JSON {
		return json.NewEncoder(io.out).Encode(x)
	}
	n := 0
	for _, r := range x.Records {
		n += r
	}
	io.tell("outbox.exported", "no", x.No, "records", n, "pictures", x.Blobs, "bytes", x.Bytes)
	if x.More {
		io.tell("outbox.more")
	}
	return nil
}

// importCmd is `kiosk outbox import`.
type importCmd struct {
	Config     string `short:"c" default:"/etc/budayang/terminal.toml"`
	File       string `arg:"" type:"path"`
	Technician string
	JSON       bool
}

// Run takes an ack file: lanes move as far as it acknowledges them, and orders in it are done at the next start.
func (i importCmd) Run(ctx context.Context, io stdio) (err error) {
	b, err := readBounded(i.File)
	if err != nil {
		return err
	}
	files, done, err := outboxFiles(i.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	who := "shell"
	if i.Technician != "" {
		if who, err = technician(i.Technician); err != nil {
			return err
		}
	}
	x, err := files.Import(ctx, bytes.NewReader(b), who)
	if err != nil {
		return err
	}
	if i.JSON {
		return json.NewEncoder(io.out).Encode(x)
	}
	n := 0
	for _, r := range x.Acked {
		n += r
	}
	io.tell("outbox.imported", "no", x.No, "records", n, "pictures", x.Blobs, "orders", x.Orders)
	for _, l := range x.Refused {
		io.tell("outbox.foreign", "lane", l)
	}
	for _, l := range x.Rewound {
		io.tell("outbox.rewound", "lane", l)
	}
	if x.Epoch > 0 {
		io.tell("outbox.anew", "epoch", x.Epoch)
	}
	if x.Lacking > 0 {
		io.tell("outbox.lacking", "count", x.Lacking)
	}
	if x.Ahead {
		io.tell("outbox.ahead")
	} else if x.Outdated {
		io.tell("outbox.outdated")
	}
	return nil
}

// maxAckFile bounds what is read of an ack file.
const maxAckFile = 64 << 20

func readBounded(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxAckFile {
		return nil, refuse("outbox.too-large", "file", path, "bytes", st.Size(), "limit", maxAckFile)
	}
	return os.ReadFile(path)
}

// files opens the journal of a terminal that is not running.
func outboxFiles(file string) (f uplink.Files, done func() error, err error) {
	c, err := config.Load(file)
	if err != nil {
		return f, nil, err
	}
	j, err := openStopped(c)
	if err != nil {
		return f, nil, err
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil {
		return f, nil, errors.Join(err, j.Close())
	}
	return uplink.Files{Journal: j, Identity: id, Software: "budayang " + version, Orders: &uplink.Orders{Journal: j, Now: j.Now}}, j.Close, nil
}
