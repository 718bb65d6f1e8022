package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/alipay"
	"github.com/budayang/kiosk/platform/pay/nontax"
	"github.com/budayang/kiosk/platform/pay/wechat"
)

// payFile is the file of --pay. Paths in it are relative to its directory; keys are in files of their own, mode 0600.
type payFile struct {
	District string `toml:"district"`
	Minutes  int    `toml:"minutes"`
	Use      string `toml:"use"`
	Offer    []struct {
		Channel string `toml:"channel"`
		ZH      string `toml:"zh"`
		EN      string `toml:"en"`
	} `toml:"offer"`
	Cash   map[string]string `toml:"cash"`
	EBills string            `toml:"ebills"`      // name of the channel that issues e-bills for what was paid at any
	Books  bool              `toml:"ebill_books"` // that channel shows its book of a day, and it is compared with ours
	Site   string            `toml:"ebill_site"`  // where they are looked up
	Half   string            `toml:"half_file"`   // identity numbers of those who pay half, one a line, mode 0600
	Exempt string            `toml:"exempt_file"` // of those who pay nothing
	Fee    []struct {
		Item string `toml:"item"`
		Fen  int64  `toml:"fen"`
	} `toml:"fee"`
	Channel []payChannel `toml:"channel"`
}

// payChannel is one channel; which keys a kind has is told in docs/integrator.md.
type payChannel struct {
	Name      string `toml:"name"`
	Kind      string `toml:"kind"`
	URL       string `toml:"url"`
	ID        string `toml:"id"`
	AppID     string `toml:"app_id"`
	Serial    string `toml:"serial"`
	Notify    string `toml:"notify"`
	Product   string `toml:"product"`      // of Alipay's, as signed for
	KeyFile   string `toml:"key_file"`     // ours: a secret, mode 0600
	APIKey    string `toml:"api_key_file"` // WeChat Pay's APIv3 key: a secret, mode 0600
	PeerKeyID string `toml:"peer_key_id"`
	PeerKey   string `toml:"peer_key_file"`
	PeerCert  string `toml:"peer_cert_file"`
	AppCert   string `toml:"app_cert_file"`
	RootCert  string `toml:"root_cert_file"`

	Shape nontax.Shape `toml:"shape"` // where a province's non-tax messages differ
}

// open reads the keys, which lie beside the file at path, and makes the channel. Nothing is asked of it.
func (c payChannel) open(path string) (pay.Channel, error) {
	var failed error
	read := func(name string, by func(string) ([]byte, error)) []byte {
		if name == "" {
			return nil
		}
		b, err := by(beside(path, name))
		failed = errors.Join(failed, err)
		return b
	}
	key, api := read(c.KeyFile, readSecret), read(c.APIKey, readSecret)
	peer, cert, app, root := read(c.PeerKey, os.ReadFile), read(c.PeerCert, os.ReadFile), read(c.AppCert, os.ReadFile), read(c.RootCert, os.ReadFile)
	if failed != nil {
		return nil, failed
	}
	switch c.Kind {
	case "nontax":
		return nontax.New(nontax.Config{URL: c.URL, ID: c.ID, Key: key, PeerKey: peer, Shape: c.Shape})
	case "wechat":
		if c.PeerKeyID == "" {
			peer = cert
		}
		return wechat.New(wechat.Config{URL: c.URL, AppID: c.AppID, Merchant: c.ID, Serial: c.Serial, Key: key, APIKey: api,
			PeerKeyID: c.PeerKeyID, PeerKey: peer, Notify: c.Notify})
	case "alipay":
		return alipay.New(alipay.Config{URL: c.URL, AppID: c.AppID, Seller: c.ID, Key: key, AppCert: app, RootCert: root, PeerCert: cert,
			PeerKey: peer, Product: c.Product, Notify: c.Notify})
	}
	return nil, fmt.Errorf("kind %.20q is not known: nontax, wechat, alipay", c.Kind)
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
	for _, o := range in.Offer {
		p.Offer = append(p.Offer, platform.Way{Channel: o.Channel, Words: map[string]string{"zh": o.ZH, "en": o.EN}})
	}
	for _, c := range in.Channel {
		if p.Channels[c.Name] != nil {
			return p, fmt.Errorf("%s: channel %.40q stands there twice", path, c.Name)
		}
		if p.Channels[c.Name], err = c.open(path); err != nil {
			return p, fmt.Errorf("%s: channel %s: %w", path, c.Name, err)
		}
	}
	p.Site, p.EBooks = in.Site, in.Books
	if in.Books && in.EBills == "" {
		return p, fmt.Errorf("%s: ebill_books without ebills", path)
	}
	if in.EBills != "" {
		var issues bool
		if p.EBills, issues = p.Channels[in.EBills].(pay.EBillIssuer); !issues {
			return p, fmt.Errorf("%s: channel %.40q is not there, or issues no e-bills: kind nontax does", path, in.EBills)
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
	Channels  payChannelsCmd  `cmd:"" help:"Show payment channels, and whether they answer."`
	Desk      payDeskCmd      `cmd:"" help:"Show bills that a person must look at."`
	Statement payStatementCmd `cmd:"" help:"Show where a channel's statement of a day, or the book of e-bills, differs from what is booked."`
	Return    payReturnCmd    `cmd:"" help:"Propose that a payment goes back: one of a wrong amount, one whose refund was refused, or one that pays its bill."`
	ByHand    payByHandCmd    `cmd:"" help:"Propose to note that a refund that the channel refused was paid by hand."`
	Confirm   payConfirmCmd   `cmd:"" help:"Carry out what somebody else proposed, here or at the desk's page."`
	Refuse    payRefuseCmd    `cmd:"" help:"End a proposal without doing it."`
	EBills    payEBillsCmd    `cmd:"" name:"ebills" help:"Show the e-bills of what was paid on a day, with sums; an error when one is missing that should be there."`
	EBill     payEBillCmd     `cmd:"" name:"ebill" help:"Have an e-bill asked for again that its issuer refused, or the red one; with --how, note that it was made by hand."`
}

type payChannelsCmd struct {
	Pay string `arg:"" type:"existingfile" help:"The file of serve --pay."`
	Ask bool   `help:"Ask each channel about an order that does not exist: a signed no says that keys, clock and line are right."`
}

// Run prints one line for each channel. With --ask one that does not answer as it must is an error.
func (c payChannelsCmd) Run(ctx context.Context, io stdio) error {
	var in payFile
	if err := readTOML(c.Pay, &in); err != nil {
		return err
	}
	p, err := readPay(c.Pay)
	if err != nil {
		return err
	}
	var failed error
	for _, x := range in.Channel {
		use := ""
		if x.Name == p.Use {
			use = "  for new bills"
		}
		fmt.Fprintf(io.out, "%-16s %-8s %s%s", x.Name, x.Kind, x.ID, use)
		if c.Ask {
			limit, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err := p.Channels[x.Name].Query(limit, pay.BillNumber("000000", time.Now(), 0)+"00")
			cancel()
			if errors.Is(err, pay.ErrAbsent) {
				fmt.Fprint(io.out, "  answers")
			} else {
				fmt.Fprintf(io.out, "  does not: %v", err)
				failed = errors.Join(failed, fmt.Errorf("channel %s does not answer as it must", x.Name))
			}
		}
		fmt.Fprintln(io.out)
	}
	return failed
}

type payDeskCmd struct{ theStore }

// Run prints one line for each open matter, and one for each proposal that waits for a second person.
func (c payDeskCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := platform.BillsOnDesk(ctx, s)
	open, oerr := platform.NewMoneyDesk(s, nil).Open(ctx)
	if err = errors.Join(err, oerr, s.Close()); err != nil {
		return err
	}
	for _, a := range all {
		for _, m := range a.Matters {
			if m.Ended.IsZero() {
				fmt.Fprintf(io.out, "%s  %-9s %8s  %-16s %s  since %s\n", a.Bill.Number, a.Bill.State, a.Bill.Amount, m.Kind, m.Ref, m.Opened.In(pay.China).Format(time.DateTime))
			}
		}
	}
	for _, v := range open {
		fmt.Fprintf(io.out, "proposed %s  %-7s %s  by %s %s: %s\n", v.ID, v.Act, v.Ref, v.By, v.Made.In(pay.China).Format(time.DateTime), v.Why)
	}
	return nil
}

type payStatementCmd struct {
	Day     string `arg:"" help:"2026-11-29, in China."`
	Channel string `required:"" xor:"book" help:"Name of the channel; or --ebills."`
	EBills  bool   `required:"" xor:"book" name:"ebills" help:"The issuer's book of e-bills; or --channel."`
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
	book, name := c.Channel, "channel "+c.Channel
	if c.EBills {
		book, name = platform.EBillBook, "the issuer of e-bills"
	}
	row, err := platform.StatementOf(ctx, s, book, c.Day)
	if err = errors.Join(err, s.Close()); errors.Is(err, platform.ErrNoRow) {
		return fmt.Errorf("nothing of %s was compared for %s: there is none, or its statement did not come yet (it is asked for the day after, from ten in the morning)", name, c.Day)
	}
	if err != nil {
		return err
	}
	for _, d := range row.Differences {
		if l := d.EBill; l != nil {
			kind := "issued"
			if l.Red {
				kind = "red"
			}
			fmt.Fprintf(io.out, "%-8s %-6s %s  %s %s  theirs %s ours %s\n", d.Kind, kind, l.Bill, l.Paper.Code, l.Paper.Number, l.Amount, d.Booked)
			continue
		}
		fmt.Fprintf(io.out, "%-8s %s%s  %s  theirs %s ours %s\n", d.Kind, d.Line.Refund, d.Line.Transaction, d.Line.Attempt, d.Line.Amount, d.Booked)
	}
	fmt.Fprintf(io.out, "%d differences, compared %s\n", len(row.Differences), row.Made.In(pay.China).Format(time.DateTime))
	return nil
}

type payReturnCmd struct {
	Bill        string `arg:"" help:"Number of the bill."`
	Transaction string `arg:"" help:"The channel's number of the payment."`
	Operator    string `required:"" help:"Who proposes it."`
	Reason      string `required:"" help:"Why, in a few words that name nobody."`
	theStore
}

// Run proposes the refund.
func (c payReturnCmd) Run(ctx context.Context, io stdio) error {
	return c.proposes(ctx, io, func(d platform.MoneyDesk) (string, error) {
		return d.ProposeReturn(ctx, c.Bill, c.Transaction, c.Operator, c.Reason)
	})
}

type payByHandCmd struct {
	Refund   string `arg:"" help:"Number of the refund."`
	Operator string `required:"" help:"Who paid back, and proposes to note it."`
	How      string `required:"" help:"How, in a few words that name nobody."`
	theStore
}

// Run proposes it.
func (c payByHandCmd) Run(ctx context.Context, io stdio) error {
	return c.proposes(ctx, io, func(d platform.MoneyDesk) (string, error) { return d.ProposeByHand(ctx, c.Refund, c.Operator, c.How) })
}

// proposes prints the proposal's number; a second person has the last word.
func (c theStore) proposes(ctx context.Context, io stdio, propose func(platform.MoneyDesk) (string, error)) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	id, err := propose(platform.NewMoneyDesk(s, nil))
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "proposed as %s: nothing moves until somebody else confirms it (platform pay confirm, or the page /desk)\n", id)
	return nil
}

type payConfirmCmd struct {
	ID       string `arg:"" help:"The proposal, as platform pay desk lists it."`
	Operator string `required:"" help:"Who confirms: somebody else than who proposed."`
	theStore
}

// Run carries it out; refunds are the servers' to make.
func (c payConfirmCmd) Run(ctx context.Context, io stdio) error {
	return c.ends(ctx, io, c.ID, "confirmed: what goes back the servers pay, and pay desk shows what is left", func(d platform.MoneyDesk) error { return d.Confirm(ctx, c.ID, c.Operator) })
}

type payRefuseCmd struct {
	ID       string `arg:"" help:"The proposal, as platform pay desk lists it."`
	Operator string `required:"" help:"Who refuses, or takes it back."`
	Reason   string `required:"" help:"Why, in a few words that name nobody."`
	theStore
}

// Run ends it.
func (c payRefuseCmd) Run(ctx context.Context, io stdio) error {
	return c.ends(ctx, io, c.ID, "ended: nothing moves", func(d platform.MoneyDesk) error { return d.Refuse(ctx, c.ID, c.Operator, c.Reason) })
}

// ends does the last thing to a proposal, and says so.
func (c theStore) ends(ctx context.Context, io stdio, id, said string, end func(platform.MoneyDesk) error) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(end(platform.NewMoneyDesk(s, nil)), s.Close()); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s %s\n", id, said)
	return nil
}

type payEBillsCmd struct {
	Day string `help:"2026-11-29, in China; yesterday without it."`
	theStore
}

// Run prints one line for each bill, and one for each way that a bill and its e-bill go together.
func (c payEBillsCmd) Run(ctx context.Context, io stdio) error {
	now := time.Now()
	if c.Day == "" {
		c.Day = pay.Day(now.AddDate(0, 0, -1))
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := platform.BillsPaidOn(ctx, s, c.Day)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	return listEBills(io, all, now)
}

func listEBills(io stdio, all []*pay.Account, now time.Time) error {
	type sum struct {
		bills  int
		amount pay.Fen
	}
	sums, late := map[string]sum{}, 0
	for _, a := range all {
		pair, overdue := pay.House().Pair(a, now)
		was := sums[pair]
		sums[pair] = sum{was.bills + 1, was.amount + a.Bill.Amount}
		mark := ""
		if overdue {
			late++
			mark = "  late"
		}
		var is, red pay.Issued
		if a.EBill != nil {
			is, red = a.EBill.Issued, a.EBill.Red
		}
		fmt.Fprintf(io.out, "%s  %-9s %8s  %-8s %s %s %s%s\n", a.Bill.Number, a.Bill.State, a.Bill.Amount, pair, is.Code, is.Number, red.Number, mark)
	}
	for _, pair := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(io.out, "%-8s %5d bills %12s\n", pair, sums[pair].bills, sums[pair].amount)
	}
	fmt.Fprintf(io.out, "%d bills were paid that day\n", len(all))
	if late > 0 {
		return fmt.Errorf("%d e-bills are missing that should be there by now", late)
	}
	return nil
}

type payEBillCmd struct {
	Bill     string `arg:"" help:"Number of the bill."`
	Operator string `required:"" help:"Who decides."`
	How      string `help:"How a receipt was made, or the e-bill cancelled, elsewhere, in a few words that name nobody."`
	theStore
}

// Run orders or notes it; the servers ask.
func (c payEBillCmd) Run(ctx context.Context) error {
	return c.change(ctx, c.Bill, c.Operator, func(a *pay.Account, now time.Time) error {
		if c.How != "" {
			return pay.House().EBillDone(a, c.How, c.Operator, now)
		}
		return pay.House().EBillAgain(a, c.Operator, now)
	})
}

func (c theStore) change(ctx context.Context, bill, operator string, fn func(*pay.Account, time.Time) error) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(platform.ChangeBill(ctx, s, bill, operator, fn, time.Now()), s.Close())
}
