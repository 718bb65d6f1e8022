package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/budayang/kiosk/platform"
)

// data names the store that a command works on. It may do so beside a running server.
type data struct {
	Data string `required:"" help:"The platform's data directory." type:"path"`
}

// open opens the platform without serving; it never makes a new one.
func (d data) open(ctx context.Context) (*platform.Server, error) {
	_, err := os.Stat(filepath.Join(d.Data, "sign.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no platform in %s yet: platform serve makes it at its first start", d.Data)
	}
	if err != nil {
		return nil, err
	}
	// Nobody can enrol at a platform that does not serve; the secret is one that nobody knows.
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, err
	}
	return platform.New(ctx, platform.Config{Dir: d.Data, EnrollSecret: secret[:]})
}

// operator is who gives a command, for the record.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "shell:" + u.Username
	}
	return "shell"
}
