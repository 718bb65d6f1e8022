package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/budayang/kiosk/platform"
)

// enrollCmd is `platform enroll`.
type enrollCmd struct {
	operator
	Terminal string        `arg:"" help:"The terminal's id, as in its configuration."`
	Life     time.Duration `default:"24h" help:"How long the code is good."`
}

// Run prints a code and nothing else on standard output, so that it can be piped to the terminal.
func (c enrollCmd) Run(ctx context.Context, io stdio) error {
	if c.Life < time.Minute || c.Life > 31*24*time.Hour {
		return fmt.Errorf("--life is %v, expected between 1m and 744h", c.Life)
	}
	s, by, err := c.open(ctx)
	if err != nil {
		return err
	}
	code, until, err := s.IssueCode(ctx, c.Terminal, c.Life, by)
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("terminal %s: %w", c.Terminal, err)
	}
	fmt.Fprintln(io.out, code)
	fmt.Fprintf(io.err, "good once, for terminal %s, until %s: type it there into kiosk enroll. It is stored nowhere.\n", c.Terminal, until.Local().Format(time.DateTime))
	return nil
}

// revokeCmd is `platform revoke`.
type revokeCmd struct {
	operator
	Terminal string `arg:"" help:"The terminal's id."`
}

// Run puts a terminal out.
func (c revokeCmd) Run(ctx context.Context, io stdio) error {
	return c.change(ctx, io, c.Terminal, (*platform.Server).Revoke, "is put out on every server from its next request on; platform reset lets it be enrolled again")
}

// resetCmd is `platform reset`.
type resetCmd struct {
	operator
	Terminal string `arg:"" help:"The terminal's id."`
}

// Run forgets a terminal's keys.
func (c resetCmd) Run(ctx context.Context, io stdio) error {
	return c.change(ctx, io, c.Terminal, (*platform.Server).Reset, "may be enrolled again: platform enroll makes the code")
}

func (o operator) change(ctx context.Context, io stdio, terminal string, do func(*platform.Server, context.Context, string, platform.Operator) error, said string) error {
	s, by, err := o.open(ctx)
	if err != nil {
		return err
	}
	err = do(s, ctx, terminal, by)
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("terminal %s: %w", terminal, err)
	}
	fmt.Fprintf(io.out, "terminal %s %s\n", terminal, said)
	return nil
}

// terminalsCmd is `platform terminals`.
type terminalsCmd struct {
	data
	JSON bool `help:"Print JSON."`
}

// Run lists them.
func (c terminalsCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := s.Report(ctx)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TERMINAL\tSTATE\tPROFILE\tCERTIFICATE UNTIL\tSEEN\tPLACE\tWHY")
	for _, t := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s %s\t%s\n", t.ID, t.State, t.Profile, day(t.Certificate), moment(t.Seen), t.Site, t.Name, t.Why)
	}
	return w.Flush()
}

// refusalsCmd is `platform refusals`.
type refusalsCmd struct {
	data
	Last int  `default:"50" help:"How many, newest first."`
	JSON bool `help:"Print JSON."`
}

// Run shows who was let in, put out and refused.
func (c refusalsCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := s.SecurityEvents(ctx, min(max(1, c.Last), 10_000))
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN\tWHAT\tCODE\tTERMINAL\tFROM\tROUTE\tTIMES\tBY\tWHY")
	for _, e := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", moment(e.At), e.Event, e.Code, e.Terminal, e.Peer, e.Route, e.Count, e.Who, e.Why)
	}
	return w.Flush()
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateOnly)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}
