package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/wire"
)

// sendCmd is `platform send`.
type sendCmd struct {
	data
	Terminal string        `arg:"" help:"The terminal's id, or all."`
	What     string        `arg:"" enum:"pause,resume,restart,logs,rotate-key,resync,config,items,notices,rollback" help:"A command (pause, resume, restart, logs, rotate-key, resync), a release (config, items, notices), or rollback."`
	Source   string        `arg:"" optional:"" help:"config: a TOML file. items: a directory of YAML files. notices: a JSON file. rollback: config, items or notices."`
	Why      string        `help:"pause: what the screen says, in Chinese."`
	WhyEn    string        `help:"pause: what the screen says, in English."`
	For      time.Duration `default:"24h" help:"How long a command is good."`
	Revision int64         `help:"rollback: to which revision; default the one before the present one."`
}

// Run stores the order; the terminal takes it at its next poll and answers in its records.
func (c sendCmd) Run(ctx context.Context, io stdio) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	terminals := []string{c.Terminal}
	if c.Terminal == "all" {
		all, err := s.Terminals(ctx)
		if err != nil {
			return err
		}
		terminals = nil
		for _, t := range all {
			terminals = append(terminals, t.ID)
		}
	}
	switch c.What {
	case wire.MessageConfig, wire.MessageItems, wire.MessageNotices:
		body, err := c.release()
		if err != nil {
			return err
		}
		n, err := s.Release(ctx, c.What, body, terminals, shell())
		if err == nil {
			fmt.Fprintf(io.out, "%s revision %d sent to %d terminals\n", c.What, n, len(terminals))
		}
		return err
	}
	for _, t := range terminals {
		if err := c.one(ctx, s, t, io); err != nil {
			return err
		}
	}
	return nil
}

func (c sendCmd) one(ctx context.Context, s *platform.Server, terminal string, io stdio) error {
	if c.What == "rollback" {
		n, err := s.RollBack(ctx, c.Source, terminal, c.Revision, shell())
		if err == nil {
			fmt.Fprintf(io.out, "%s: %s back to revision %d\n", terminal, c.Source, n)
		}
		return err
	}
	order := wire.Command{Name: c.What}
	if c.Why != "" || c.WhyEn != "" {
		if c.Why == "" || c.WhyEn == "" {
			return errors.New("the screen speaks two languages: give both --why and --why-en")
		}
		order.Why = map[string]string{"zh": c.Why, "en": c.WhyEn}
	}
	id, err := s.Command(ctx, terminal, order, c.For, shell())
	if err == nil {
		fmt.Fprintf(io.out, "%s: %s is order %s\n", terminal, c.What, id)
	}
	return err
}

// release reads what is to be released; the terminals check it, item by item and key by key, before they take it.
func (c sendCmd) release() (any, error) {
	if c.Source == "" {
		return nil, fmt.Errorf("%s: name what to send", c.What)
	}
	switch c.What {
	case wire.MessageConfig:
		b, err := bounded(c.Source)
		return wire.ConfigDocument{TOML: string(b)}, err
	case wire.MessageNotices:
		b, err := bounded(c.Source)
		if err != nil {
			return nil, err
		}
		var r wire.NoticesRelease
		if err := json.Unmarshal(b, &r.Notices); err != nil {
			return nil, fmt.Errorf("%s: expected a list of notices: %w", c.Source, err)
		}
		return r, nil
	}
	r := wire.ItemsRelease{Files: map[string]string{}}
	names, err := fs.Glob(os.DirFS(c.Source), "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml files", c.Source)
	}
	for _, n := range names {
		b, err := bounded(filepath.Join(c.Source, n))
		if err != nil {
			return nil, err
		}
		r.Files[n] = string(b)
	}
	return r, nil
}

func bounded(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > wire.MaxMessageBytes {
		return nil, fmt.Errorf("%s: %d bytes, limit %d", path, st.Size(), wire.MaxMessageBytes)
	}
	return os.ReadFile(path)
}
