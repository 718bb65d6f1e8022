package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// outboxCmd is `kiosk outbox` with its subcommands.
type outboxCmd struct {
	Show    outboxShowCmd    `cmd:"" default:"withargs"`
	Export  exportCmd        `cmd:""`
	Import  importCmd        `cmd:""`
	Salvage outboxSalvageCmd `cmd:""`
	Recover outboxRecoverCmd `cmd:""`
}

// outboxShowCmd is `kiosk outbox` and `kiosk outbox show`.
type outboxShowCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	JSON   bool
}

// outboxReport is what `kiosk outbox --json` prints.
type outboxReport struct {
	Lanes []journal.LaneStatus `json:"lanes"`
	Blobs int                  `json:"blobs_waiting"`
	Desk  []deskLine           `json:"desk"`
}

// deskLine is one case that a person must look at.
type deskLine struct {
	ReceiptCode string        `json:"receipt_code"`
	Item        string        `json:"item"`
	State       journal.State `json:"state"`
	Since       time.Time     `json:"since"`
}

// Run shows what waits and what was acknowledged. It reads the journal of a terminal that is not running: a running one
// holds it, and shows the same in its technician's console.
func (o outboxShowCmd) Run(io stdio) error {
	c, err := config.Load(o.Config)
	if err != nil {
		return err
	}
	j, err := openStopped(c)
	if err != nil {
		return err
	}
	defer j.Close()
	var r outboxReport
	if r.Lanes, err = j.Lanes(); err != nil {
		return err
	}
	blobs, err := j.PendingBlobs()
	if err != nil {
		return err
	}
	r.Blobs = len(blobs)
	cases, err := j.Cases(desk.Waits)
	if err != nil {
		return err
	}
	for _, c := range cases {
		r.Desk = append(r.Desk, deskLine{c.ReceiptCode, c.Item, c.State, c.Updated})
	}
	if o.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintln(io.out, padded(io.say("outbox.lane"), -6), padded(io.say("outbox.epoch"), 6), padded(io.say("outbox.written"), 10), padded(io.say("outbox.acked"), 10),
		padded(io.say("outbox.waiting"), 8), "", io.say("outbox.oldest"))
	for _, l := range r.Lanes {
		oldest := ""
		if l.Waiting > 0 {
			oldest = l.Oldest.Local().Format(time.DateTime)
		}
		fmt.Fprintf(io.out, "%-6s %6d %10d %10d %8d  %s\n", l.Lane, l.Epoch, l.Head, l.Acked, l.Waiting, oldest)
	}
	io.tell("outbox.pictures", "count", r.Blobs)
	if len(r.Desk) > 0 {
		io.tell("outbox.desk")
		for _, d := range r.Desk {
			io.tell("outbox.case", "code", d.ReceiptCode, "item", d.Item, "state", d.State, "since", d.Since.Local().Format(time.DateTime))
		}
	}
	return nil
}
