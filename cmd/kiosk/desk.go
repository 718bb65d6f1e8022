package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service/desk"
)

// deskCmd is `kiosk desk`: what the technician's console offers, for a terminal that is not running.
type deskCmd struct {
	List   deskListCmd   `cmd:""`
	Show   deskShowCmd   `cmd:""`
	Decide deskDecideCmd `cmd:""`
	Note   deskNoteCmd   `cmd:""`
}

// deskFlags are what every subcommand of desk takes.
type deskFlags struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	JSON   bool
}

// at opens the desk of a stopped terminal for as long as do takes.
func (f deskFlags) at(do func(*desk.Desk) error) error {
	c, err := config.Load(f.Config)
	if err != nil {
		return err
	}
	j, err := openStopped(c)
	if err != nil {
		return err
	}
	return errors.Join(do(desk.New(j, desk.Options{})), j.Close())
}

func (f deskFlags) print(io stdio, v any, plain func()) error {
	if !f.JSON {
		plain()
		return nil
	}
	e := json.NewEncoder(io.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// deskListCmd is `kiosk desk list`.
type deskListCmd struct{ deskFlags }

// Run lists.
func (c deskListCmd) Run(io stdio) error {
	return c.at(func(d *desk.Desk) error {
		all, err := d.List()
		if err != nil {
			return err
		}
		return c.print(io, all, func() {
			for _, i := range all {
				fmt.Fprintf(io.out, "%s  %-6s %-14s %s\n", i.ReceiptCode, i.Item, i.State, io.say("desk.line", "since", i.Since.Local().Format(time.DateTime), "why", i.Why))
			}
			io.tell("desk.count", "count", len(all))
		})
	})
}

// deskShowCmd is `kiosk desk show`.
type deskShowCmd struct {
	deskFlags
	Receipt string `arg:""`
}

// Run shows.
func (c deskShowCmd) Run(io stdio) error {
	return c.at(func(d *desk.Desk) error {
		v, err := d.Find(c.Receipt)
		if err != nil {
			return err
		}
		return c.print(io, v, func() { showCase(io, v) })
	})
}

func showCase(io stdio, v desk.View) {
	fmt.Fprintf(io.out, "%s %s %s %s\n", v.ReceiptCode, v.Item.Item, v.State, strings.TrimSpace(v.Person+" "+v.Last4))
	for _, e := range v.History {
		fmt.Fprintf(io.out, "  %s  %-14s %s\n", e.At.Local().Format(time.DateTime), e.State, e.Why)
	}
	for _, e := range v.Effects {
		io.tell("desk.act", "step", e.Step, "try", e.Try, "state", e.State, "detail", strings.TrimSpace(e.Number+" "+e.Detail))
	}
	for _, w := range v.Decisions {
		who := w.Operator
		if w.Second != "" {
			who = io.say("desk.two", "who", who, "second", w.Second)
		}
		io.tell("desk.decided", "time", w.At.Local().Format(time.DateTime), "action", w.Action, "who", who, "reason", w.Reason, "id", w.ID)
	}
	for _, m := range v.May {
		two := ""
		if m.Two {
			two = io.say("desk.by-two")
		}
		io.tell("desk.may", "action", fmt.Sprintf("%-11s", m.Action), "to", m.To, "two", two, "reasons", words(desk.Reasons(m.Action)))
	}
}

func words(all []desk.Reason) string {
	var out []string
	for _, r := range all {
		out = append(out, string(r))
	}
	return strings.Join(out, " ")
}

// deskDecideCmd is `kiosk desk decide`.
type deskDecideCmd struct {
	deskFlags
	Receipt  string `arg:""`
	Action   string `arg:""`
	Operator string `required:""`
	Second   string
	Reason   string `required:""`
	NoteFile string `type:"existingfile"`
	ID       string
}

// Run decides.
func (c deskDecideCmd) Run(io stdio) error {
	w := desk.Decision{ID: c.ID, Receipt: c.Receipt, Action: desk.Action(c.Action), Operator: c.Operator, Second: c.Second, Reason: desk.Reason(c.Reason)}
	if c.NoteFile != "" {
		b, err := os.ReadFile(c.NoteFile)
		if err != nil {
			return err
		}
		w.Note = b
	}
	return c.at(func(d *desk.Desk) error {
		v, err := d.Decide(w)
		if err != nil {
			return err
		}
		return c.print(io, v, func() {
			if v.Again {
				io.tell("desk.again")
			}
			showCase(io, v)
		})
	})
}

// deskNoteCmd is `kiosk desk note`.
type deskNoteCmd struct {
	deskFlags
	Receipt  string `arg:""`
	Decision string `arg:""`
}

// Run reads.
func (c deskNoteCmd) Run(io stdio) error {
	return c.at(func(d *desk.Desk) error {
		b, err := d.NoteOf(c.Receipt, c.Decision)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.out, "%s\n", b)
		return err
	})
}
