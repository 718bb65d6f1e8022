package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
)

// clockCmd is `kiosk clock`: what time it is held to be, for a terminal that is not running.
type clockCmd struct {
	Show    clockShowCmd    `cmd:"" default:"withargs"`
	Confirm clockConfirmCmd `cmd:""`
}

// clockReport is what `kiosk clock --json` prints.
type clockReport struct {
	Machine time.Time `json:"machine"`
	Written time.Time `json:"written"`
	Signed  time.Time `json:"signed,omitzero"` // the latest that the platform signed
	Unsure  bool      `json:"unsure"`
}

func clockOf(j *journal.Journal) clockReport {
	return clockReport{time.Now().Round(0), j.Now(), j.Known(), j.ClockUnsure()}
}

// clockShowCmd is `kiosk clock` and `kiosk clock show`.
type clockShowCmd struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	JSON   bool
}

// Run shows.
func (c clockShowCmd) Run(io stdio) (err error) {
	j, err := stoppedJournal(c.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	r := clockOf(j)
	if c.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	io.tell("clock.machine", "time", r.Machine.Format(time.RFC3339))
	io.tell("clock.written", "time", r.Written.Format(time.RFC3339))
	signed := io.say("clock.never")
	if !r.Signed.IsZero() {
		signed = r.Signed.Local().Format(time.RFC3339)
	}
	io.tell("clock.signed", "time", signed)
	if !r.Unsure {
		io.tell("clock.sure")
		return nil
	}
	io.tell("clock.unsure")
	return nil
}

// clockConfirmCmd is `kiosk clock confirm`.
type clockConfirmCmd struct {
	Config   string `short:"c" default:"/etc/budayang/terminal.toml"`
	Time     string `arg:""`
	Operator string `required:""`
	JSON     bool
}

// Run confirms. It sets no clock: the machine's must show the person's time already.
func (c clockConfirmCmd) Run(io stdio) (err error) {
	watch, err := time.ParseInLocation("2006-01-02T15:04", c.Time, time.Local)
	if err != nil {
		return refuse("clock.not-time", "time", strconv.Quote(c.Time))
	}
	j, err := stoppedJournal(c.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	// A watch is read to the minute, which lasts until its end.
	if now := time.Now(); now.After(watch) && now.Before(watch.Add(time.Minute)) {
		watch = now
	}
	if err := j.ConfirmTime(c.Operator, watch); err != nil {
		if errors.Is(err, journal.ErrClock) {
			return refuseBy(err, "clock.set-first")
		}
		return err
	}
	if c.JSON {
		return json.NewEncoder(io.out).Encode(clockOf(j))
	}
	io.tell("clock.confirmed", "who", c.Operator, "time", j.Now().Format(time.RFC3339))
	return nil
}

// stoppedJournal opens the journal of a terminal that is not running.
func stoppedJournal(file string) (*journal.Journal, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return openStopped(c)
}
