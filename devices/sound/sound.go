// Package sound plays short tones through ALSA.
//
//	s, err := sound.Open(ctx, sound.Options{PCM: "default", Volume: 60})
//	err = s.Play(ctx, devices.ToneTake)
//
// A tone is made here (tone.go), no recording is shipped, and goes to aplay of alsa-utils, a process for each tone, which knows every
// kind of card, plug-in and mixer of this machine. A process that hangs is ended; what it says of itself is read as far as 4 KiB.
// Opening plays nothing: an empty stream has ALSA open the device and set it up.
package sound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Options of [Open].
type Options struct {
	PCM         string // ALSA's name of the device: "default", "plughw:CARD=PCH,DEV=0"
	Volume      int    // 0 to 100, of full scale as the ear has it
	QuietVolume int    // 0 to 100, in the quiet hours
	Quiet       Hours  // when it is quiet; the zero Hours is never
	Program     string // "aplay" when not said
	Now         func() time.Time
}

// checkEvery is how often the device is opened to see whether it is there, where the list of cards did not change.
const checkEvery = 30 * time.Second

// patience is what playing may take beside the tone itself.
const patience = 2 * time.Second

// Speaker is an open sound device. It implements [devices.Speaker].
type Speaker struct {
	opt Options

	busy chan struct{} // capacity 1: one process at a time

	mu      sync.Mutex
	checked time.Time // when the device could be opened last
	cards   string    // what the kernel listed then
	closed  bool
}

var _ devices.Speaker = (*Speaker)(nil)

// Open has ALSA open the device once and plays nothing. Errors: [devices.ErrUnusable] where aplay is not installed, else as of
// [devices.Speaker].
func Open(ctx context.Context, opt Options) (*Speaker, error) {
	if opt.Program == "" {
		opt.Program = "aplay"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Speaker{opt: opt, busy: make(chan struct{}, 1)}
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close implements [devices.Device]; nothing is held between two tones.
func (s *Speaker) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Probe implements [devices.Device].
func (s *Speaker) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: devices.RoleSound, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported, Paper: devices.SupplyNotSupported,
		Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: devices.Identity{Maker: "ALSA", Model: s.opt.PCM}}
	s.mu.Lock()
	fresh := time.Since(s.checked) < checkEvery && listed() == s.cards
	s.mu.Unlock()
	if fresh {
		return st, nil
	}
	err := s.check(ctx)
	switch {
	case err == nil, errors.Is(err, devices.ErrBusy): // it is there: somebody plays
		return st, nil
	case errors.Is(err, devices.ErrNoDevice):
		st.Connection = devices.ConnectionNoDevice
	default:
		st.Connection = devices.ConnectionHardwareError
	}
	return st, err
}

// check has ALSA open the device.
func (s *Speaker) check(ctx context.Context) error {
	cards := listed()
	if err := s.run(ctx, nil, 0); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked, s.cards = time.Now(), cards
	return nil
}

// listed are the sound cards as the kernel has them; "" where there are none.
func listed() string {
	b, err := os.ReadFile("/proc/asound/cards")
	if err != nil {
		return ""
	}
	return string(b)
}

// Volume is how loud a tone is now, 0 to 100.
func (s *Speaker) Volume() int {
	if s.opt.Quiet.Within(s.opt.Now()) {
		return s.opt.QuietVolume
	}
	return s.opt.Volume
}

// Play implements [devices.Speaker].
func (s *Speaker) Play(ctx context.Context, t devices.Tone) error {
	volume := s.Volume()
	if volume == 0 {
		return nil
	}
	pcm := Samples(t, volume)
	if pcm == nil {
		return fmt.Errorf("sound: no tone %q", t)
	}
	return s.run(ctx, pcm, Length(t))
}

// run gives aplay a stream and waits for its end.
func (s *Speaker) run(ctx context.Context, pcm []byte, lasts time.Duration) error {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return fmt.Errorf("sound: %w", devices.ErrBusy)
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return fmt.Errorf("sound: %w", devices.ErrNoDevice)
	}
	work, cancel := context.WithTimeout(ctx, lasts+patience)
	defer cancel()
	c := exec.CommandContext(work, s.opt.Program, "-q", "-D", s.opt.PCM, "-t", "raw", "-f", "S16_LE", "-r", fmt.Sprint(Rate), "-c", fmt.Sprint(Channels),
		"--period-time=20000", "--buffer-time=100000") // µs: aplay fills the last period up with silence
	c.Env = append(os.Environ(), "LC_ALL=C")
	c.Stdin = bytes.NewReader(pcm)
	said := &words{}
	c.Stderr = said
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 300 * time.Millisecond
	err := c.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // a plug-in's process may still bring the tone to where it goes
		return nil
	}
	if c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what it left running in its group
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("sound: %w: %w", devices.ErrUnusable, err)
	case ctx.Err() != nil:
		return fmt.Errorf("sound: %w", ctx.Err())
	case work.Err() != nil:
		return fmt.Errorf("sound: %s: %w", s.opt.PCM, devices.ErrSilent)
	}
	text, kind := complaint(said.String())
	return fmt.Errorf("sound: %s: %w: %s", s.opt.PCM, kind, text)
}

// maxComplaint bounds what is read of what aplay says.
const maxComplaint = 4096

// words keep the beginning of what is written.
type words struct{ strings.Builder }

func (w *words) Write(p []byte) (int, error) {
	if room := maxComplaint - w.Len(); room > 0 {
		w.Builder.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// complaint reads what aplay says of itself, as observed on alsa-utils 1.2.8: its last line names the fault in the C library's words.
func complaint(said string) (text string, kind error) {
	kind = devices.ErrUnusable
	for line := range strings.Lines(strings.ToValidUTF8(said, "�")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "ALSA lib") {
			continue
		}
		text = line[:min(len(line), 200)]
		switch {
		case strings.Contains(line, "No such file or directory"), strings.Contains(line, "No such device"):
			kind = devices.ErrNoDevice
		case strings.Contains(line, "Device or resource busy"):
			kind = devices.ErrBusy
		}
	}
	return strings.ToValidUTF8(text, ""), kind
}
