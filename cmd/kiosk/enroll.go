package main

// Enrolment: a technician types the one-time code that the platform's operator made. It is read from the keyboard, a pipe or a
// file, never from the command line, where every process could read it.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// enrollCmd is `kiosk enroll`.
type enrollCmd struct {
	Config   string `short:"c" default:"/etc/budayang/terminal.toml"`
	NewKeys  bool
	Patience time.Duration `default:"20s"`
}

// Run enrols this terminal; a running one notices by itself.
func (e enrollCmd) Run(ctx context.Context, io stdio) error {
	c, err := config.Load(e.Config)
	if err != nil {
		return err
	}
	if err := prepareData(c.Terminal.Data); err != nil {
		return err
	}
	id, err := identity(c)
	if err != nil {
		return err
	}
	code, err := askCode(io, c.Terminal.ID)
	if err != nil {
		return err
	}
	client, err := newClient(c, id)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, e.Patience, refuseBy(context.DeadlineExceeded, "enroll.no-answer", "limit", e.Patience))
	defer cancel()
	enroll := client.Enroll
	if e.NewKeys {
		enroll = client.EnrollAnew
	}
	if err := enroll(ctx, c.Terminal.Site, c.Terminal.Name, code); err != nil {
		return enrolmentFailed(c, err)
	}
	_, until := id.Certified()
	io.tell("enroll.done", "id", c.Terminal.ID, "profile", id.Profile(), "until", until.Local().Format(time.DateOnly))
	return nil
}

// askCode reads one line. On a keyboard it is not shown.
func askCode(io stdio, terminal string) (string, error) {
	code, err := askSecret(io, io.say("enroll.ask", "id", terminal))
	if err != nil {
		return "", refuse("enroll.no-code")
	}
	_, err = wire.CodeKey(terminal, code)
	return code, err
}

// enrolmentFailed says what to do.
func enrolmentFailed(c config.Config, err error) error {
	var refused *uplink.StatusError
	mend := ""
	switch {
	case errors.As(err, &refused):
		mend = map[string]string{
			"E-PROOF":          "this code is not for terminal " + c.Terminal.ID + " (terminal.id), or a newer one was made",
			"E-ENROLL-EXPIRED": "have a new code made: platform enroll " + c.Terminal.ID,
			"E-ENROLL-USED":    "another key came in with this code; if it was not this terminal's, have it revoked at once: platform revoke " + c.Terminal.ID,
			"E-ENROLL-LOCKED":  "have a new code made: platform enroll " + c.Terminal.ID,
			"E-ENROLLED":       "the platform knows another key of this terminal: platform reset " + c.Terminal.ID + ", then a new code",
			"E-REVOKED":        "the platform's operator put this terminal out: platform reset " + c.Terminal.ID + ", then a new code",
		}[refused.Body.Code]
	case errors.Is(err, uplink.ErrUnreachable):
		mend = "look at the network and at platform.url and platform.ca (kiosk doctor)"
	}
	if mend == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, mend)
}

// newClient speaks with the platform as the configuration says.
func newClient(c config.Config, id *uplink.Identity) (*uplink.Client, error) {
	client, err := uplink.NewClient(c.Platform.URL, c.Platform.CA, id)
	if err != nil || c.Platform.Proxy == "" {
		return client, err
	}
	u, err := url.Parse(c.Platform.Proxy)
	if err != nil {
		return nil, err
	}
	client.UseProxy(u)
	return client, nil
}

// identity loads who this terminal is.
func identity(c config.Config) (*uplink.Identity, error) {
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil || c.Platform.Profile == "" {
		return id, err
	}
	return id, id.UseProfile(wire.Profile(c.Platform.Profile))
}

// readCode reads a code that was put beside the configuration; "" when there is none (any more).
func readCode(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", refuseBy(err, "enroll.code")
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", refuse("enroll.mode", "file", path)
	}
	if st.Size() > 256 {
		return "", refuse("enroll.long", "file", path, "bytes", st.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", refuseBy(err, "enroll.code")
	}
	return strings.TrimSpace(string(b)), nil
}
