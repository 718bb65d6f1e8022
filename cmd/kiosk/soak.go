//go:build !release

package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
)

// soakCmd is `kiosk soak`.
type soakCmd struct {
	Time   time.Duration `short:"t" default:"2m"`
	Visits float64       `default:"300"`
	Speed  float64       `default:"100"`
	Seed   uint64        `default:"0"`
	Out    string        `default:"out/soak" type:"path"`
}

// Run plays citizens and faults, and fails if a promise was broken.
func (c soakCmd) Run(ctx context.Context, io stdio) error {
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().Unix())
	}
	if c.Visits <= 0 || c.Speed <= 0 || c.Time <= 0 {
		return refuse("soak.nothing")
	}
	n, err := journey.Soak(ctx, journey.SoakOptions{Time: c.Time, Visits: c.Visits, Speed: c.Speed, Seed: c.Seed, Dir: c.Out, Out: &benchLines{io: io}})
	if err == nil && n > 0 {
		err = refuse("soak.violations", "count", n)
	}
	return err
}

// standInCmd is `kiosk stand-in`: the terminal with a citizen behind a socket in place of a window, for soak.
type standInCmd struct {
	Config string `short:"c" required:""`
	Hall   string `required:""`
}

// Run serves until it is told to stop.
func (s standInCmd) Run(ctx context.Context, io stdio) error {
	log := slog.New(slog.NewTextHandler(io.err, nil))
	c, err := loadConfig(s.Config, log)
	if err != nil {
		return err
	}
	if err := prepareData(c.Terminal.Data); err != nil {
		return err
	}
	t, err := newTerminal(c, log, crashHook())
	if err != nil {
		return err
	}
	defer t.client.Close()
	serveProfiles(log)
	citizen, err := journey.DialStandIn(s.Hall, t.unready)
	if err != nil {
		return errors.Join(err, t.journal.Close())
	}
	defer citizen.Close()
	err = t.serve(ctx, citizen)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, t.journal.Close())
}

// unready lists the roles that do not work, as "role=why".
func (t *terminal) unready() (all []string) {
	for _, r := range t.status() {
		if r.Unready != "" {
			all = append(all, r.Role+"="+r.Unready)
		}
	}
	return all
}
