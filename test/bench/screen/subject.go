package main

// What is measured: the terminal with the world around it, and a browser that shows its twin.

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/journey"
)

// subject can be started any number of times, one after the other.
type subject interface {
	start() (*family, error)
}

// kiosk is the terminal; platform and peripherals live in this process and are not counted.
type kiosk struct {
	program, config, probe string
	world                  *journey.World
}

func newKiosk(ctx context.Context, o options) (*kiosk, error) {
	dir := filepath.Join(o.Work, "terminal")
	w, err := journey.NewWorld(ctx, journey.WorldOptions{Dir: dir, Papers: filepath.Join(o.Work, "papers")})
	if err != nil {
		return nil, err
	}
	k := &kiosk{program: o.Kiosk, config: filepath.Join(dir, "terminal.toml"), probe: filepath.Join(dir, "probe"), world: w}
	if err := w.WriteConfig(k.config, 1080, 1920, "zh", journey.Patience{}); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return k, nil
}

func (k *kiosk) close() { _ = k.world.Close() }

func (k *kiosk) start() (*family, error) {
	env := without(os.Environ(), "FYNE_", "XDG_", journey.CrashEnv)
	return start("kiosk", append(env, journey.ProbeEnv+"="+k.probe), k.program, "run", "--config", k.config)
}

// see waits until a page is on the screen.
func (k *kiosk) see(name string) (journey.Screen, error) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s, err := journey.Look(k.probe)
		if err == nil && s.Screen == name {
			return s, nil
		}
		if time.Now().After(end) {
			return s, errors.Join(errors.New("no page "+name+", there is "+s.Screen), err)
		}
	}
}

// browser is Chromium with the twin.
type browser struct {
	program, profile, page string
}

// pages are what can be touched, by page.
type pages map[string][]journey.Control

func newBrowser(o options, spec pages) (*browser, error) {
	program, err := exec.LookPath(o.Chromium)
	if err != nil {
		return nil, err
	}
	twin, err := filepath.Abs(o.Twin)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return &browser{program: program, profile: filepath.Join(o.Work, "profile"), page: "file://" + twin + "#" + url.PathEscape(string(b))}, nil
}

// start shows the twin with what people give a browser on a kiosk: nothing that talks to the outside or asks questions.
func (b *browser) start() (*family, error) {
	return start("chromium", os.Environ(), b.program, "--kiosk", "--no-sandbox", "--no-first-run", "--no-default-browser-check",
		"--noerrdialogs", "--disable-infobars", "--disable-component-update", "--disable-background-networking", "--disable-sync",
		"--disable-extensions", "--disable-features=Translate,MediaRouter", "--disable-pinch", "--password-store=basic",
		"--allow-file-access-from-files", "--force-device-scale-factor=1", "--window-position=0,0", "--window-size=1080,1920",
		"--user-data-dir="+b.profile, b.page)
}
