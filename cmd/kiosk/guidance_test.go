//go:build !release

package main

// Lamps and tones of a visit, over the real wires: a Modbus board on a serial line, and ALSA into a file.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sound"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
)

// coils of the profile eight-in-eight-out.
var coils = []string{"id-reader", "receipt-printer", "document-printer", "card-printer", "fill", "status", "card-dispenser"}

// lit are the lamps that the board has on.
func (h *hall) lit() string {
	var on []string
	for i, name := range coils {
		if h.Props.Cabinet.Coil(i) {
			on = append(on, name)
		}
	}
	return strings.Join(on, " ")
}

// see waits for lamps; it fails from whatever goroutine asks.
func (h *hall) see(when, want string) {
	for end := time.Now().Add(5 * time.Second); h.lit() != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Errorf("%s: lit are %q, wanted %q", when, h.lit(), want)
			return
		}
	}
}

// seeing looks at the lamps before a line goes on.
func (h *hall) seeing(when, want string, do script.Do) script.Do {
	return script.Then(func() { h.see(when, want) }, do)
}

// leftOn switches a lamp on as a program did that died.
func (h *hall) leftOn(l devices.Light) {
	h.t.Helper()
	dev, err := openDevice(h.t.Context(), h.cfg, devices.RoleLights)
	h.must(err)
	h.must(dev.(devices.LightBoard).Light(h.t.Context(), l, true))
	h.must(dev.Close())
}

func TestLampsOfAVisit(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.leftOn(devices.LightFill)
	over := make(chan struct{})
	c := script.New(slices.Concat([]script.Line{script.On("attract", h.seeing("waiting", "status", script.Next()))}, home("SB-P"), []script.Line{
		script.On("consent", script.Next()),
		script.On("identify", h.seeing("the card is wanted", "id-reader status", script.Then(h.putCard, script.Wait()))),
		script.On("verify", func(ctx context.Context, p service.Prompt) (service.Answer, error) {
			h.see("the card was read", "status")
			return h.code(ctx, p)
		}),
		script.Maybe("wait", script.Wait()),
		script.On("form", script.Fill("purpose", "school")),
		script.On("review", script.Next()),
		script.Maybe("wait", script.Wait()),
		script.On("take-output", h.seeing("the slip is wanted", "receipt-printer status", script.Then(h.takeOutput, script.Wait()))),
		script.On("done", h.seeing("the card lies there still", "id-reader status", script.Then(h.takeCard, script.Rate("5")))),
		script.On("home", h.seeing("home", "status", script.Leave())),
		script.On("attract", script.Then(func() { close(over) }, script.Wait())),
	})...)
	s := h.start(c, nil)
	select {
	case <-over:
	case err := <-s.done:
		t.Fatalf("ended: %v", err)
	case <-time.After(90 * time.Second):
		t.Fatalf("seen %v", c.Seen())
	}
	h.see("after the visit", "status")
	s.end()
	h.see("stopped", "")
}

// A board that was unplugged while its lamp was on comes back to what should be on then.
func TestLampsAfterUnplugging(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	board := h.Props.Cabinet
	c := script.New(slices.Concat(arrive("SB-P"), []script.Line{
		script.On("consent", script.Next()),
		script.On("identify", h.seeing("the card is wanted", "id-reader status", script.Then(func() { h.must(board.Fault("unplug", "")) }, script.Back()))),
	})...)
	s := h.start(c, nil)
	h.until("the board is gone", 40*time.Second, func() bool { return s.sup.Status(devices.RoleLights).Unready() == devices.UnreadyNoDevice })
	if got := h.lit(); got != "id-reader status" {
		t.Errorf("an unplugged board was switched: %q", got)
	}
	h.must(board.Clear("unplug"))
	h.until("the lamp goes off", 20*time.Second, func() bool { return h.lit() == "status" })
	s.end()
}

func TestTonesOfAVisit(t *testing.T) {
	if _, err := exec.LookPath("aplay"); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no aplay: apt install alsa-utils")
	}
	dir := t.TempDir()
	heard := filepath.Join(dir, "heard.raw")
	conf := fmt.Sprintf("pcm.silence { type null }\npcm.wire { type file slave.pcm silence file \"|cat >> %s\" format raw }\n", heard)
	if err := os.WriteFile(filepath.Join(dir, ".asoundrc"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	h := newHall(t)
	h.cfg.Device[devices.RoleSound] = config.Device{Driver: "alsa", URI: "alsa:wire", Volume: 50}
	over := make(chan struct{})
	hears := func(tone devices.Tone) func() {
		return func() {
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if b, err := os.ReadFile(heard); err == nil && bytes.Contains(b, bytes.Trim(sound.Samples(tone, 50), "\x00")) {
					return
				}
				if time.Now().After(end) {
					t.Errorf("%s was not heard", tone)
					return
				}
			}
		}
	}
	wrong := false
	c := script.New(slices.Concat(arrive("SB-P"), []script.Line{
		script.On("consent", script.Next()),
		script.On("identify", script.Then(h.putCard, script.Wait())),
		script.On("verify", func(context.Context, service.Prompt) (service.Answer, error) {
			return service.Entered{Value: "000000"}, nil
		}),
		script.Maybe("wait", script.Wait()),
		script.On("verify", func(ctx context.Context, p service.Prompt) (service.Answer, error) {
			wrong = p.(service.EnterCode).Wrong
			hears(devices.ToneError)()
			return h.code(ctx, p)
		}),
		script.Maybe("wait", script.Wait()),
		script.On("form", script.Fill("purpose", "school")),
		script.On("review", script.Next()),
		script.Maybe("wait", script.Wait()),
		script.On("take-output", script.Then(hears(devices.ToneTake), script.Then(h.takeOutput, script.Wait()))),
		h.thanks(),
		script.On("home", script.Leave()),
		script.On("attract", script.Then(func() { close(over) }, script.Wait())),
	})...)
	s := h.start(c, nil)
	select {
	case <-over:
	case err := <-s.done:
		t.Fatalf("ended: %v", err)
	case <-time.After(90 * time.Second):
		t.Fatalf("seen %v", c.Seen())
	}
	if !wrong {
		t.Error("the wrong code was taken")
	}
	// Keys that are pressed at the screen: one that comes while another tone waits is not played after it.
	pressing, stop := context.WithCancel(t.Context())
	var finger sync.WaitGroup
	finger.Go(func() {
		for wait(pressing, 200*time.Millisecond) == nil {
			s.beside.Key()
		}
	})
	hears(devices.ToneKey)()
	stop()
	finger.Wait()
	// The device goes, and the terminal goes on serving.
	if err := os.Remove(filepath.Join(dir, ".asoundrc")); err != nil {
		t.Fatal(err)
	}
	s.beside.Key()
	if err := os.Remove(heard); err != nil {
		t.Error(err)
	}
	h.until("the reader is there still", 20*time.Second, func() bool { return s.sup.Status(devices.RoleIDReader).Unready() == devices.UnreadyNot })
	select {
	case err := <-s.done:
		t.Fatalf("ended: %v", err)
	default:
	}
	s.end()
}
