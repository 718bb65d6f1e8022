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
	List   deskListCmd   `cmd:"" help:"List the cases that a person must decide, longest waiting first."`
	Show   deskShowCmd   `cmd:"" help:"Show one case and what may be decided."`
	Decide deskDecideCmd `cmd:"" help:"Decide a case."`
	Note   deskNoteCmd   `cmd:"" help:"Read the note that was left with a decision."`
}

// deskFlags are what every subcommand of desk takes.
type deskFlags struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
	JSON   bool   `help:"Print JSON."`
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
				fmt.Fprintf(io.out, "%s  %-6s %-14s since %s  %s\n", i.ReceiptCode, i.Item, i.State, i.Since.Local().Format(time.DateTime), i.Why)
			}
			fmt.Fprintf(io.out, "%d cases\n", len(all))
		})
	})
}

// deskShowCmd is `kiosk desk show`.
type deskShowCmd struct {
	deskFlags
	Receipt string `arg:"" help:"Receipt code, or at least its last four digits."`
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
		fmt.Fprintf(io.out, "  act %s, try %d: %s %s\n", e.Step, e.Try, e.State, strings.TrimSpace(e.Number+" "+e.Detail))
	}
	for _, w := range v.Decisions {
		who := w.Operator
		if w.Second != "" {
			who += " and " + w.Second
		}
		fmt.Fprintf(io.out, "  %s  %s by %s: %s (%s)\n", w.At.Local().Format(time.DateTime), w.Action, who, w.Reason, w.ID)
	}
	for _, m := range v.May {
		two := ""
		if m.Two {
			two = ", by two people"
		}
		fmt.Fprintf(io.out, "  may: %-11s → %s%s; reasons: %s\n", m.Action, m.To, two, words(desk.Reasons(m.Action)))
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
	Receipt  string `arg:"" help:"Receipt code, or at least its last four digits."`
	Action   string `arg:"" help:"printed, hand-over, not-printed, spoiled, paid, not-paid, refund, refunded, void, note."`
	Operator string `required:"" help:"Id of the operator who decides."`
	Second   string `help:"Id of the second person, where two are needed."`
	Reason   string `required:"" help:"Why, in a word; kiosk desk show names them."`
	NoteFile string `type:"existingfile" help:"File with a note in free text; it is sealed with the case."`
	ID       string `help:"The decision's own id, so that the same command may be given again."`
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
				fmt.Fprintln(io.out, "decided before; nothing was changed")
			}
			showCase(io, v)
		})
	})
}

// deskNoteCmd is `kiosk desk note`.
type deskNoteCmd struct {
	deskFlags
	Receipt  string `arg:"" help:"Receipt code, or at least its last four digits."`
	Decision string `arg:"" help:"The decision's id."`
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
