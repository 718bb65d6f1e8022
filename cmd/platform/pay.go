package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/nontax"
)

// payFile is the file of --pay. Paths in it are relative to its directory; keys are in files of their own, mode 0600.
type payFile struct {
	District string            `toml:"district"`
	Minutes  int               `toml:"minutes"`
	Use      string            `toml:"use"`
	Cash     map[string]string `toml:"cash"`
	Half     string            `toml:"half_file"`   // identity numbers of those who pay half, one a line, mode 0600
	Exempt   string            `toml:"exempt_file"` // of those who pay nothing
	Fee      []struct {
		Item string `toml:"item"`
		Fen  int64  `toml:"fen"`
	} `toml:"fee"`
	Channel []struct {
		Name    string `toml:"name"`
		Kind    string `toml:"kind"`
		URL     string `toml:"url"`
		ID      string `toml:"id"`
		KeyFile string `toml:"key_file"`
		PeerKey string `toml:"peer_key_file"`
	} `toml:"channel"`
}

// readPay reads the file and the keys it names.
func readPay(path string) (p platform.PayConfig, err error) {
	var in payFile
	if err := readTOML(path, &in); err != nil {
		return p, fmt.Errorf("payment: %w", err)
	}
	if len(in.Cash) > 0 && (in.Cash["zh"] == "" || in.Cash["en"] == "") {
		return p, fmt.Errorf("%s: cash must be told in zh and en", path)
	}
	p = platform.PayConfig{District: in.District, Life: time.Duration(in.Minutes) * time.Minute, Use: in.Use, Cash: in.Cash, Channels: map[string]pay.Channel{}}
	prices := platform.Prices{Items: map[string]pay.Fen{}}
	for _, fee := range in.Fee {
		if fee.Item == "" || fee.Fen < 0 || pay.Fen(fee.Fen) > pay.MaxAmount {
			return p, fmt.Errorf("%s: fee of %.40q: %d fen", path, fee.Item, fee.Fen)
		}
		prices.Items[fee.Item] = pay.Fen(fee.Fen)
	}
	for _, list := range []struct {
		file string
		to   *[]string
	}{{in.Half, &prices.Half}, {in.Exempt, &prices.Exempt}} {
		if list.file == "" {
			continue
		}
		if *list.to, err = numbersIn(beside(path, list.file)); err != nil {
			return p, fmt.Errorf("payment: %w", err)
		}
	}
	p.Tariff = prices
	for _, c := range in.Channel {
		if c.Kind != "nontax" {
			return p, fmt.Errorf("%s: channel %.40q: kind %.20q is not known: nontax", path, c.Name, c.Kind)
		}
		if p.Channels[c.Name] != nil {
			return p, fmt.Errorf("%s: channel %.40q stands there twice", path, c.Name)
		}
		cfg := nontax.Config{URL: c.URL, ID: c.ID}
		if cfg.Key, err = readSecret(beside(path, c.KeyFile)); err != nil {
			return p, fmt.Errorf("channel %s: %w", c.Name, err)
		}
		if cfg.PeerKey, err = os.ReadFile(beside(path, c.PeerKey)); err != nil {
			return p, fmt.Errorf("channel %s: %w", c.Name, err)
		}
		if p.Channels[c.Name], err = nontax.New(cfg); err != nil {
			return p, fmt.Errorf("channel %s: %w", c.Name, err)
		}
	}
	return p, nil
}

// numbersIn reads identity numbers, one a line; what follows "#" is a remark. A mistake is named by its line, never by the number.
func numbersIn(path string) (all []string, err error) {
	b, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	row := 0
	for line := range strings.Lines(string(b)) {
		row++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if idnum.CheckAny(line) != nil {
			return nil, fmt.Errorf("%s:%d: not an identity number", path, row)
		}
		all = append(all, line)
	}
	return all, nil
}

func beside(path, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

// payCmd is `platform pay`.
type payCmd struct {
	Desk      payDeskCmd      `cmd:"" help:"Show bills that a person must look at."`
	Statement payStatementCmd `cmd:"" help:"Show where a channel's statement of a day differs from what is booked."`
	Return    payReturnCmd    `cmd:"" help:"Order a payment back: one of a wrong amount, one whose refund was refused, or one that pays its bill."`
	ByHand    payByHandCmd    `cmd:"" help:"Note that a refund that the channel refused was paid by hand."`
}

type payDeskCmd struct{ theStore }

// Run prints one line for each open matter.
func (c payDeskCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := platform.BillsOnDesk(ctx, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	for _, a := range all {
		for _, m := range a.Matters {
			if m.Ended.IsZero() {
				fmt.Fprintf(io.out, "%s  %-9s %8s  %-16s %s  since %s\n", a.Bill.Number, a.Bill.State, a.Bill.Amount, m.Kind, m.Ref, m.Opened.In(pay.China).Format(time.DateTime))
			}
		}
	}
	return nil
}

type payStatementCmd struct {
	Day     string `arg:"" help:"2026-11-29, in China."`
	Channel string `required:"" help:"Name of the channel."`
	theStore
}

// Run prints one line for each difference.
func (c payStatementCmd) Run(ctx context.Context, io stdio) error {
	if _, err := time.Parse(time.DateOnly, c.Day); err != nil {
		return fmt.Errorf("day %.20q is not like 2026-11-29", c.Day)
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	row, err := platform.StatementOf(ctx, s, c.Channel, c.Day)
	if err = errors.Join(err, s.Close()); errors.Is(err, platform.ErrNoRow) {
		return fmt.Errorf("the statement of %s was not compared yet", c.Day)
	}
	if err != nil {
		return err
	}
	for _, d := range row.Differences {
		fmt.Fprintf(io.out, "%-8s %s%s  %s  theirs %s ours %s\n", d.Kind, d.Line.Refund, d.Line.Transaction, d.Line.Attempt, d.Line.Amount, d.Booked)
	}
	fmt.Fprintf(io.out, "%d differences, compared %s\n", len(row.Differences), row.Made.In(pay.China).Format(time.DateTime))
	return nil
}

type payReturnCmd struct {
	Bill        string `arg:"" help:"Number of the bill."`
	Transaction string `arg:"" help:"The channel's number of the payment."`
	Operator    string `required:"" help:"Who decides."`
	Reason      string `default:"desk" help:"In a word."`
	theStore
}

// Run orders the refund; the servers carry it out.
func (c payReturnCmd) Run(ctx context.Context) error {
	return c.change(ctx, c.Bill, c.Operator, func(a *pay.Account, now time.Time) error {
		return pay.House().Return(a, c.Transaction, c.Reason, c.Operator, now)
	})
}

type payByHandCmd struct {
	Refund   string `arg:"" help:"Number of the refund."`
	Operator string `required:"" help:"Who paid back."`
	How      string `required:"" help:"How, in a few words that name nobody."`
	theStore
}

// Run notes it.
func (c payByHandCmd) Run(ctx context.Context) error {
	bill, ours := pay.BillOf(c.Refund)
	if !ours {
		return fmt.Errorf("refund %.40q is not a number of ours", c.Refund)
	}
	return c.change(ctx, bill, c.Operator, func(a *pay.Account, now time.Time) error {
		return pay.House().PaidByHand(a, c.Refund, c.How, c.Operator, now)
	})
}

func (c theStore) change(ctx context.Context, bill, operator string, fn func(*pay.Account, time.Time) error) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(platform.ChangeBill(ctx, s, bill, operator, fn, time.Now()), s.Close())
}
