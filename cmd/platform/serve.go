package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/private"
)

// serveCmd is `platform serve`.
type serveCmd struct {
	Listen     string   `default:"127.0.0.1:8443" help:"Address to listen on."`
	Data       string   `required:"" help:"Directory of keys, blobs and the store." type:"path"`
	SecretFile string   `required:"" help:"File with the enrolment secret, mode 0600, at least 16 bytes." type:"path"`
	Host       []string `help:"Names and addresses in the server's certificate, beside localhost."`
	BaseURL    string   `help:"The platform's address in verification codes; default https:// and the address listened on."`
	ShowCodes  bool     `help:"Print one-time codes to standard error instead of sending them: for trials only."`
}

// Run serves until it is told to stop.
func (c serveCmd) Run(ctx context.Context, io stdio) error {
	secret, err := readSecret(c.SecretFile)
	if err != nil {
		return err
	}
	log := slog.New(private.NewHandler(slog.NewTextHandler(io.err, nil)))
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	cfg := platform.Config{Dir: c.Data, EnrollSecret: secret, BaseURL: c.BaseURL, Hosts: c.Host, Log: log}
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

func readSecret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("enrolment secret: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("enrolment secret %s can be read by others: chmod 600 %s", path, path)
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
