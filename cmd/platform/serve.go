package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/wire"
)

// serveCmd is `platform serve`.
type serveCmd struct {
	storeFlags
	Listen    string   `default:"127.0.0.1:8443" help:"Address to listen on."`
	Data      string   `required:"" help:"Directory of keys, blobs and the store." type:"path"`
	Host      []string `help:"Names and addresses in the server's certificate, beside localhost."`
	BaseURL   string   `help:"The platform's address in verification codes; default https:// and the address listened on."`
	Gateway   bool     `help:"TLS ends at a gateway, which asks terminals for their certificates; then only signatures are checked here."`
	Blobs     string   `env:"BUDAYANG_BLOBS" help:"Directory of blobs, or 's3://bucket/prefix?endpoint=https://host' with the key in the file that AWS_SHARED_CREDENTIALS_FILE names. Default: in the data directory."`
	Backends  string   `env:"BUDAYANG_BACKENDS" help:"File that names the city's back ends, their profiles and key files. Default: the seeded city." type:"path"`
	ShowCodes bool     `help:"Print one-time codes to standard error instead of sending them: for trials only."`
}

// Run serves until it is told to stop.
func (c serveCmd) Run(ctx context.Context, io stdio) error {
	log := slog.New(slog.NewTextHandler(io.err, nil))
	cfg := platform.Config{Dir: c.Data, BaseURL: c.BaseURL, Hosts: c.Host, Gateway: c.Gateway, Log: log}
	var err error
	if c.Backends != "" {
		if cfg.Backends, err = readBackends(c.Backends); err != nil {
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
	s, err := platform.New(ctx, cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	fmt.Fprintf(io.out, "listening on https://%s\n", l.Addr())
	return errors.Join(s.Serve(ctx, l), s.Close())
}

// storeFlags name a store beside the data directory; every command takes them that changes what servers share.
type storeFlags struct {
	Store     string `env:"BUDAYANG_STORE" help:"PostgreSQL that holds the records, 'postgres://user@host/db?sslmode=verify-full'; several servers may share it. Default: SQLite in the data directory."`
	StorePass string `name:"store-password-file" env:"PGPASSFILE" help:"File with PostgreSQL's password, mode 0600, in the form of pgpass: host:port:database:user:password." type:"path"`
}

// openStore opens PostgreSQL where one is named; nil leaves it to the platform's own.
func (c storeFlags) openStore(ctx context.Context) (platform.Store, error) {
	if c.Store == "" {
		return nil, nil
	}
	if !strings.HasPrefix(c.Store, "postgres://") && !strings.HasPrefix(c.Store, "postgresql://") {
		return nil, errors.New("--store takes an address that begins with postgres://; without it the records are in the data directory")
	}
	if c.StorePass != "" {
		st, err := os.Stat(c.StorePass)
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL's password: %w", err)
		}
		if st.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("PostgreSQL's password in %s can be read by others: chmod 600 %s", c.StorePass, c.StorePass)
		}
		// The driver reads the file itself, so that the password is in no argument and no address.
		if err := os.Setenv("PGPASSFILE", c.StorePass); err != nil {
			return nil, err
		}
	}
	return platform.OpenPostgres(ctx, c.Store)
}

// readSecret reads a file that nobody else may.
func readSecret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("secret %s can be read by others: chmod 600 %s", path, path)
	}
	b, err := os.ReadFile(path)
	return bytes.TrimSpace(b), err
}

// shown prints codes for trials without a phone.
type shown struct{ io stdio }

// Send implements platform.SMS.
func (s shown) Send(_ context.Context, _, _, code string) error {
	_, err := fmt.Fprintf(s.io.err, "one-time code: %s\n", code)
	return err
}
