package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/budayang/kiosk/platform"
)

// backendsFile is the file of --backends. Paths in it are relative to its directory.
type backendsFile struct {
	Backend []struct {
		Name       string   `toml:"name"`
		URL        string   `toml:"url"`
		Services   []string `toml:"services"`
		Items      []string `toml:"items"`
		Profile    string   `toml:"profile"`
		ID         string   `toml:"id"`
		Serial     string   `toml:"serial"`
		SecretFile string   `toml:"secret_file"`
		KeyFile    string   `toml:"key_file"`
		PeerKey    string   `toml:"peer_key_file"`
		CA         string   `toml:"ca_file"`
		TimeoutMS  int      `toml:"timeout_ms"`
	} `toml:"backend"`
}

// readBackends reads the file and the keys it names.
func readBackends(path string) ([]platform.BackendConfig, error) {
	var in backendsFile
	if err := readTOML(path, &in); err != nil {
		return nil, fmt.Errorf("back ends: %w", err)
	}
	var out []platform.BackendConfig
	for _, b := range in.Backend {
		c := platform.BackendConfig{Name: b.Name, URL: b.URL, Services: b.Services, Items: b.Items, Profile: b.Profile, ID: b.ID, Serial: b.Serial,
			Timeout: time.Duration(b.TimeoutMS) * time.Millisecond}
		for _, x := range []struct {
			from   string
			to     *[]byte
			secret bool
		}{{b.SecretFile, &c.Secret, true}, {b.KeyFile, &c.Key, true}, {b.PeerKey, &c.PeerKey, false}, {b.CA, &c.CA, false}} {
			if x.from == "" {
				continue
			}
			name := x.from
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(path), name)
			}
			read := os.ReadFile
			if x.secret {
				read = readSecret
			}
			var err error
			if *x.to, err = read(name); err != nil {
				return nil, fmt.Errorf("back end %s: %w", b.Name, err)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// backendCmd is `platform backend`.
type backendCmd struct {
	List backendListCmd `cmd:"" help:"Show the back ends and whether they work."`
	Off  backendOffCmd  `cmd:"" help:"Take a back end out of use at every server; its items are greyed."`
	On   backendOnCmd   `cmd:"" help:"Take a back end into use again."`
}

// theStore is where a command finds what servers share.
type theStore struct {
	Data string `help:"The platform's data directory." type:"path"`
	place
}

func (c theStore) open(ctx context.Context) (platform.Store, error) {
	if c.Store == "" {
		if c.Data == "" {
			return nil, errors.New("either --data or --store is needed")
		}
		path := filepath.Join(c.Data, "platform.db")
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("no store in %s: platform serve makes it at its first start", c.Data)
		}
		return platform.OpenSQLite(ctx, path)
	}
	return c.openStore(ctx)
}

type backendListCmd struct{ theStore }

// Run prints one line for each back end.
func (c backendListCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	all, err := platform.Backends(ctx, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b, state := all[name], "works"
		switch {
		case b.Off:
			state = "off"
		case b.Down:
			state = "down"
		}
		fmt.Fprintf(io.out, "%-32s %-6s since %s  %v\n", name, state, b.Since.Local().Format(time.DateTime), b.Items)
	}
	return nil
}

type backendOffCmd struct {
	theStore
	Name string `arg:"" help:"Name of the back end."`
}

// Run switches it off.
func (c backendOffCmd) Run(ctx context.Context) error {
	return switchBackend(ctx, c.theStore, c.Name, true)
}

type backendOnCmd struct {
	theStore
	Name string `arg:"" help:"Name of the back end."`
}

// Run switches it on.
func (c backendOnCmd) Run(ctx context.Context) error {
	return switchBackend(ctx, c.theStore, c.Name, false)
}

func switchBackend(ctx context.Context, where theStore, name string, off bool) error {
	s, err := where.open(ctx)
	if err != nil {
		return err
	}
	err = platform.SwitchBackend(ctx, s, name, off, time.Now())
	if errors.Is(err, platform.ErrNoRow) {
		err = fmt.Errorf("no back end %q is known: platform backend list", name)
	}
	return errors.Join(err, s.Close())
}
