package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
)

// clockCmd is `kiosk clock`: what time it is held to be, for a terminal that is not running.
type clockCmd struct {
	Show    clockShowCmd    `cmd:"" default:"withargs" help:"Show the machine's time, the time that is written, and what the platform signed last."`
	Confirm clockConfirmCmd `cmd:"" help:"Say that the machine's clock is right, at a site where no line brings a signed time."`
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
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
	JSON   bool   `help:"Print JSON."`
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
	fmt.Fprintf(io.out, "machine          %s\nwritten          %s\n", r.Machine.Format(time.RFC3339), r.Written.Format(time.RFC3339))
	signed := "never"
	if !r.Signed.IsZero() {
		signed = r.Signed.Local().Format(time.RFC3339)
	}
	fmt.Fprintf(io.out, "platform signed  %s\n", signed)
	if !r.Unsure {
		fmt.Fprintln(io.out, "nothing speaks against the machine's clock")
		return nil
	}
	fmt.Fprintln(io.out, "UNSURE: what the machine shows contradicts what is known. Set it (timedatectl set-time), then kiosk clock confirm;")
	fmt.Fprintln(io.out, "a terminal that reaches its platform gets the time from it")
	return nil
}

// clockConfirmCmd is `kiosk clock confirm`.
type clockConfirmCmd struct {
	Config   string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
	Time     string `arg:"" help:"The time by your own watch, 2026-11-29T15:04, in this machine's time zone."`
	Operator string `required:"" help:"Id of the operator who looked."`
	JSON     bool   `help:"Print JSON."`
}

// Run confirms. It sets no clock: the machine's must show the person's time already.
func (c clockConfirmCmd) Run(io stdio) (err error) {
	watch, err := time.ParseInLocation("2006-01-02T15:04", c.Time, time.Local)
	if err != nil {
		return fmt.Errorf("%q is not a time as 2026-11-29T15:04", c.Time)
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
			return fmt.Errorf("%w; set the machine's clock first: timedatectl set-time", err)
		}
		return err
	}
	if c.JSON {
		return json.NewEncoder(io.out).Encode(clockOf(j))
	}
	fmt.Fprintf(io.out, "the machine's clock is right, says %s: %s\n", c.Operator, j.Now().Format(time.RFC3339))
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
