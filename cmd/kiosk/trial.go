package main

// Configurations that the platform sent: checked, tried for one start, kept when the terminal serves with it, and taken back
// when it does not.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices/receipt"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// trials is how often a new configuration may be started before it counts as one that does not come up.
const trials = 2

// trial is data/config/state.json.
type trial struct {
	Now   int64  `json:"now"`             // what to start with; 0 is the local file
	Good  int64  `json:"good"`            // the last that the terminal served with
	Tries int    `json:"tries,omitempty"` // starts with Now while it is not Good
	Order string `json:"order,omitempty"` // that Now came with
	Bad   string `json:"bad,omitempty"`   // the order whose configuration was taken back
	Why   string `json:"why,omitempty"`
}

func configDir(c config.Config) string { return filepath.Join(c.Terminal.Data, "config") }

func readTrial(dir string) (t trial, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return trial{}, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	return t, err
}

func (t trial) write(dir string) error { return replaceJSON(filepath.Join(dir, "state.json"), t) }

// loadConfig reads the local file and, where the platform sent one, the configuration in its place. The local file stays the
// truth about who the terminal is, where its data lies and whom it trusts; it is what the terminal falls back to.
func loadConfig(path string, log *slog.Logger) (config.Config, error) {
	local, err := config.Load(path)
	if err != nil {
		return local, err
	}
	dir := configDir(local)
	t, err := readTrial(dir)
	if err != nil {
		log.Error("configuration: the platform's cannot be found out; using the local file", "error", err)
		return local, nil
	}
	if t.Now != t.Good {
		if t.Tries++; t.Tries > trials {
			t = t.back("the terminal did not come up with it")
		}
		if err := t.write(dir); err != nil {
			return local, fmt.Errorf("configuration: %w", err)
		}
	}
	for t.Now != 0 {
		c, err := readRevision(local, dir, t.Now)
		if err == nil {
			return c, nil
		}
		log.Error("configuration: a revision cannot be used", "revision", t.Now, "error", err)
		if t.Now == t.Good {
			return local, nil
		}
		t = t.back(err.Error())
		if err := t.write(dir); err != nil {
			return local, fmt.Errorf("configuration: %w", err)
		}
	}
	return local, nil
}

// back returns to the last good configuration.
func (t trial) back(why string) trial {
	return trial{Now: t.Good, Good: t.Good, Bad: t.Order, Why: why}
}

func revisionFile(dir string, revision int64) string {
	return filepath.Join(dir, strconv.FormatInt(revision, 10)+".toml")
}

func readRevision(local config.Config, dir string, revision int64) (config.Config, error) {
	b, err := os.ReadFile(revisionFile(dir, revision))
	if err != nil {
		return local, err
	}
	return checkRevision(local, revision, b)
}

// checkRevision parses a configuration and does the dry run: everything that can be found wrong without touching a device.
func checkRevision(local config.Config, revision int64, text []byte) (config.Config, error) {
	c, err := config.Parse(local.Path, text)
	if err != nil {
		return c, err
	}
	c.Revision = revision
	switch {
	case c.Terminal.ID != local.Terminal.ID:
		return c, fmt.Errorf("terminal.id: it is for %q, this is %s", c.Terminal.ID, local.Terminal.ID)
	case c.Terminal.No != local.Terminal.No:
		return c, fmt.Errorf("terminal.no: %q would begin other receipt codes than the %q of this terminal", c.Terminal.No, local.Terminal.No)
	case c.Terminal.Data != local.Terminal.Data:
		return c, errors.New("terminal.data: the data directory is the local file's to name")
	case c.Seal.Vault != local.Seal.Vault || c.Seal.TPM != local.Seal.TPM:
		return c, errors.New("seal: where the key lies is the local file's to say; it is moved at the machine")
	case c.Platform != local.Platform:
		return c, errors.New("platform: whom the terminal trusts is the local file's to say")
	}
	for role, d := range c.Device {
		if d.Driver == "escpos" {
			if _, err := receipt.LoadProfile(d.Profile); err != nil {
				return c, fmt.Errorf("device.%s.profile: %w", role, err)
			}
		}
	}
	return c, nil
}

// configure takes a configuration from the platform. It is answered when it is known what became of it: after the start with
// it, or after it was taken back.
func (t *terminal) configure(_ context.Context, m wire.Message) (uplink.Doing, error) {
	var doc wire.ConfigDocument
	if err := json.Unmarshal(m.Body, &doc); err != nil || doc.Revision <= 0 {
		return refusedOrder("body cannot be read"), nil
	}
	dir := configDir(t.cfg)
	st, err := readTrial(dir)
	if err != nil {
		return uplink.Doing{}, err
	}
	if st.Bad == m.ID {
		return uplink.Doing{Result: wire.OrderResult{Status: wire.OrderFailed, Revision: t.cfg.Revision, Detail: fmt.Sprintf("taken back: %.500s", st.Why)}}, nil
	}
	if t.cfg.Revision == doc.Revision && st.Now == doc.Revision {
		if err := (trial{Now: doc.Revision, Good: doc.Revision}).write(dir); err != nil {
			return uplink.Doing{}, err
		}
		d := doneOrder("serving with it")
		d.Result.Revision = doc.Revision
		return d, nil
	}
	if _, err := checkRevision(t.cfg, doc.Revision, []byte(doc.TOML)); err != nil {
		return refusedOrder("%.1500v", err), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return uplink.Doing{}, err
	}
	if err := replace(revisionFile(dir, doc.Revision), []byte(doc.TOML)); err != nil {
		return uplink.Doing{}, err
	}
	if err := (trial{Now: doc.Revision, Good: st.Good, Order: m.ID}).write(dir); err != nil {
		return uplink.Doing{}, err
	}
	return uplink.Doing{Later: true, End: errRestart}, nil
}
