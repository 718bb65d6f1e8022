package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"
)

// ordersCmd is `platform orders`.
type ordersCmd struct {
	data
	Terminal string `arg:"" optional:"" help:"The terminal's id; default all."`
	Newest   int    `default:"50" help:"How many."`
}

// Run lists what terminals were told and what they answered.
func (c ordersCmd) Run(ctx context.Context, io stdio) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	all, err := s.Orders(ctx, c.Terminal, c.Newest)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "sent\tterminal\tno\twhat\tstatus\tdetail")
	for _, o := range all {
		what := o.Type
		if o.Name != "" {
			what = o.Name
		} else if o.Revision > 0 {
			what = fmt.Sprintf("%s %d", o.Type, o.Revision)
		}
		status := string(o.Status)
		switch {
		case status == "" && !o.Expires.IsZero() && o.Expires.Before(time.Now()):
			status = "no answer, expired"
		case status == "":
			status = "no answer yet"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", o.Sent.Local().Format(time.DateTime), o.Terminal, o.No, what, status, o.Detail)
	}
	return w.Flush()
}
