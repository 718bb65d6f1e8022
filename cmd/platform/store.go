package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/platform"
)

// place is the PostgreSQL that holds the records, where there is one.
type place struct {
	Store     string `env:"BUDAYANG_STORE" help:"PostgreSQL that holds the records, 'postgres://user@host/db?sslmode=verify-full'; several servers may share it. Default: SQLite in the data directory."`
	StorePass string `name:"store-password-file" env:"PGPASSFILE" help:"File with PostgreSQL's password, mode 0600, in the form of pgpass: host:port:database:user:password." type:"path"`
}

// data names the keys and the store that a command works on. It may do so beside running servers: whatever they must agree on
// is in the store.
type data struct {
	Data string `required:"" help:"The platform's data directory: keys, and blobs and records unless they are elsewhere." type:"path"`
	place
}

// open opens the platform without serving; it never makes a new one, and the last key says that one was made whole.
func (d data) open(ctx context.Context) (*platform.Server, error) {
	_, err := os.Stat(filepath.Join(d.Data, "seal.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no platform in %s yet: platform serve makes it at its first start", d.Data)
	}
	if err != nil {
		return nil, err
	}
	store, err := d.openStore(ctx)
	if err != nil {
		return nil, err
	}
	return opened(ctx, platform.Config{Dir: d.Data, Store: store})
}

// opened closes the store when the platform does not take it.
func opened(ctx context.Context, cfg platform.Config) (*platform.Server, error) {
	s, err := platform.New(ctx, cfg)
	if err != nil && cfg.Store != nil {
		err = errors.Join(err, cfg.Store.Close())
	}
	return s, err
}

// openStore opens PostgreSQL where one is named; nil leaves it to the platform's own.
func (d place) openStore(ctx context.Context) (platform.Store, error) {
	if d.Store == "" {
		return nil, nil
	}
	if !strings.HasPrefix(d.Store, "postgres://") && !strings.HasPrefix(d.Store, "postgresql://") {
		return nil, errors.New("--store takes an address that begins with postgres://; without it the records are in the data directory")
	}
	if d.StorePass != "" {
		st, err := os.Stat(d.StorePass)
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL's password: %w", err)
		}
		if st.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("PostgreSQL's password in %s can be read by others: chmod 600 %s", d.StorePass, d.StorePass)
		}
		// The driver reads the file itself, so that the password is in no argument and no address.
		if err := os.Setenv("PGPASSFILE", d.StorePass); err != nil {
			return nil, err
		}
	}
	return platform.OpenPostgres(ctx, d.Store)
}

// operator is what every command that changes who may come in takes. Servers heed the change with the next request.
type operator struct {
	data
	By  string `help:"Who does this; default the user of this session."`
	Why string `help:"Why; kept beside it."`
}

func (o operator) open(ctx context.Context) (*platform.Server, platform.Operator, error) {
	by := platform.Operator{Who: o.By, Why: o.Why}
	if by.Who == "" {
		by.Who = whoAmI()
	}
	s, err := o.data.open(ctx)
	return s, by, err
}

// whoAmI is the user of this session, for the record.
func whoAmI() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
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

// shell is who gives a command here, for the record.
func shell() string {
	if who := whoAmI(); who != "" {
		return "shell:" + who
	}
	return "shell"
}
