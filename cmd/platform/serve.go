package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/private"
	"github.com/budayang/kiosk/sync/wire"
)

// serveCmd is `platform serve`.
type serveCmd struct {
	data
	Listen    string   `default:"127.0.0.1:8443" help:"Address to listen on."`
	Host      []string `help:"Names and addresses in the server's certificate, beside localhost."`
	BaseURL   string   `help:"The platform's address in verification codes; default https:// and the address listened on."`
	Gateway   bool     `help:"TLS ends at a gateway, which asks terminals for their certificates; then only signatures are checked here."`
	Blobs     string   `env:"BUDAYANG_BLOBS" help:"Directory of blobs, or 's3://bucket/prefix?endpoint=https://host' with the key in the file that AWS_SHARED_CREDENTIALS_FILE names. Default: in the data directory."`
	Backends  string   `env:"BUDAYANG_BACKENDS" help:"File that names the city's back ends, their profiles and key files. Default: the seeded city." type:"path"`
	Pay       string   `env:"BUDAYANG_PAY" help:"File that names prices and payment channels with their key files. Default: nothing has a price." type:"path"`
	Queue     string   `env:"BUDAYANG_QUEUE" help:"File that names the halls' windows and what their numbers are called for. Default: no numbers are given." type:"path"`
	EventDays int      `default:"400" help:"For how many days security events are kept."`
	Events    int      `default:"1000000" help:"How many refusals are kept at most, and how many other security events."`
	ShowCodes bool     `help:"Print one-time codes to standard error instead of sending them: for trials only."`
}

// Run serves until it is told to stop.
func (c serveCmd) Run(ctx context.Context, io stdio) (err error) {
	log := slog.New(private.NewHandler(slog.NewTextHandler(io.err, nil)))
	cfg := platform.Config{Dir: c.Data, BaseURL: c.BaseURL, Hosts: c.Host, Gateway: c.Gateway, Log: log}
	if c.EventDays < 1 || c.EventDays > 36500 || c.Events < 1 {
		return errors.New("--event-days is 1 to 36500, and --events is at least 1")
	}
	cfg.EventsFor, cfg.EventsMost = time.Duration(c.EventDays)*24*time.Hour, c.Events
	if c.Backends != "" {
		if cfg.Backends, err = readBackends(c.Backends); err != nil {
			return err
		}
	}
	if c.Pay != "" {
		if cfg.Pay, err = readPay(c.Pay); err != nil {
			return err
		}
	}
	if c.Queue != "" {
		if cfg.Queue, err = readQueue(c.Queue); err != nil {
			return err
		}
	}
	if c.Blobs != "" {
		if cfg.Blobs, err = platform.OpenBlobs(c.Blobs); err != nil {
			return err
		}
		if _, err := cfg.Blobs.Has(ctx, wire.Hash{}); err != nil {
			log.Warn("blobs cannot be kept now; what needs them is refused until they can", "error", err)
		}
	}
	if cfg.Store, err = c.openStore(ctx); err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		if cfg.Store != nil {
			err = errors.Join(err, cfg.Store.Close())
		}
		return err
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://" + l.Addr().String()
	}
	if c.ShowCodes {
		cfg.SMS = shown{io}
	}
	s, err := opened(ctx, cfg)
	if ctx.Err() != nil {
		err = nil // told to stop while it started
		if s != nil {
			err = s.Close()
		}
		return errors.Join(err, l.Close())
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	fmt.Fprintf(io.out, "listening on https://%s\n", l.Addr())
	return errors.Join(s.Serve(ctx, l), s.Close())
}

// shown prints codes for trials without a phone.
type shown struct{ io stdio }

// Send implements platform.SMS.
func (s shown) Send(_ context.Context, _, _, code string) error {
	_, err := fmt.Fprintf(s.io.err, "one-time code: %s\n", code)
	return err
}
