//go:build !release

package main

// What the platform releases: configurations, items and notices, taken whole or not at all.

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/wire"
)

// release sends one and waits for its answer.
func (h *hall) release(kind string, body any) (int64, platform.OrderRow) {
	h.t.Helper()
	n, err := h.Platform.Release(h.t.Context(), kind, body, []string{h.cfg.Terminal.ID}, "test")
	if err != nil {
		h.t.Fatal(err)
	}
	return n, h.answer(h.newest())
}

func (h *hall) newest() string {
	h.t.Helper()
	all, err := h.Platform.Orders(h.t.Context(), h.cfg.Terminal.ID, 1)
	if err != nil || len(all) != 1 {
		h.t.Fatal(all, err)
	}
	return all[0].ID
}

// works waits until the platform has heard which revisions are in force.
func (h *hall) works(want wire.Applied) {
	h.t.Helper()
	h.until("the hello reports its revisions", 30*time.Second, func() bool {
		w, err := h.Platform.Working(h.t.Context(), h.cfg.Terminal.ID)
		return err == nil && w.Applied == want
	})
}

func builtIn(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := fs.Glob(assets.FS, "items/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, n := range names {
		b, err := fs.ReadFile(assets.FS, n)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(n)] = string(b)
	}
	return all
}

// tiles are the items on the attract screen that was asked last.
func tiles(c *script.Citizen) int {
	asked := c.Asked()
	for i := len(asked) - 1; i >= 0; i-- {
		if a, is := asked[i].(service.Attract); is {
			return len(a.Tiles)
		}
	}
	return -1
}

func TestItemsAreExchangedWholeAndRolledBack(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	all := builtIn(t)
	before := len(all)
	h.until("there is a tile for each item", 30*time.Second, func() bool { return tiles(c) == before }) // that of the queue comes when it is heard of
	first, o := h.release(wire.MessageItems, wire.ItemsRelease{Files: all})
	if o.Status != wire.OrderDone {
		t.Fatalf("%+v", o)
	}
	less := builtIn(t)
	for name := range less {
		delete(less, name)
		break
	}
	second, o := h.release(wire.MessageItems, wire.ItemsRelease{Files: less})
	if o.Status != wire.OrderDone || second != first+1 {
		t.Fatalf("%+v", o)
	}
	h.until("the screen offers one item less", 20*time.Second, func() bool { return tiles(c) == before-1 })
	h.works(wire.Applied{Items: second})

	for what, files := range map[string]map[string]string{
		"a broken file":    {"a.yaml": "code: [", "b.yaml": "x"},
		"a path":           {"../../journal.yaml": all["SB-P.yaml"]},
		"an unknown key":   {"a.yaml": "code: A\nprice: 5\n"},
		"nothing to offer": {},
	} {
		if _, o := h.release(wire.MessageItems, wire.ItemsRelease{Files: files}); o.Status != wire.OrderRefused || o.Detail == "" {
			t.Errorf("%s: %+v", what, o)
		}
	}
	if tiles(c) != before-1 {
		t.Error("a refused release changed what is offered")
	}
	if _, err := h.Platform.RollBack(t.Context(), wire.MessageItems, h.cfg.Terminal.ID, 0, "test"); err != nil {
		t.Fatal(err)
	}
	if o := h.answer(h.newest()); o.Status != wire.OrderDone {
		t.Errorf("%+v", o)
	}
	h.until("the screen offers all again", 20*time.Second, func() bool { return tiles(c) == before })
	h.works(wire.Applied{Items: first})
	s.end()

	// What lies on the disk is verified at every start; a release that was spoilt is not offered.
	broken := filepath.Join(h.cfg.Terminal.Data, "items", "1")
	if err := os.WriteFile(filepath.Join(broken, "zz.yaml"), []byte("code: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	c = script.New()
	s = h.start(c, nil)
	h.shows(c, "attract")
	if tiles(c) != before-1 {
		t.Errorf("%d tiles; the release before has %d", tiles(c), before-1)
	}
	s.end()
}

func TestNoticesAreReleased(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	text := func(zh, en string) map[string]string { return map[string]string{"zh": zh, "en": en} }
	n, o := h.release(wire.MessageNotices, wire.NoticesRelease{Notices: []wire.Notice{
		{ID: "a", Text: text("周五停电", "Power cut on Friday"), Until: time.Now().Add(time.Hour)}, {ID: "b", Text: text("旧", "old"), Until: time.Now().Add(-time.Hour)}}})
	if o.Status != wire.OrderDone {
		t.Fatalf("%+v", o)
	}
	shows := func(c *script.Citizen) {
		t.Helper()
		h.until("the attract screen shows the notice", 20*time.Second, func() bool {
			asked := c.Asked()
			a, is := asked[len(asked)-1].(service.Attract)
			return is && len(a.Notices) == 1 && a.Notices[0].Words["en"] == "Power cut on Friday"
		})
	}
	shows(c)
	if _, o := h.release(wire.MessageNotices, wire.NoticesRelease{Notices: []wire.Notice{{ID: "a", Text: map[string]string{"zh": "只有中文"}}}}); o.Status != wire.OrderRefused {
		t.Errorf("%+v", o)
	}
	h.works(wire.Applied{Notices: n})
	s.end()
	c = script.New()
	s = h.start(c, nil)
	h.shows(c, "attract")
	shows(c)
	s.end()
}

func TestAConfigurationIsTriedAndKeptOrTakenBack(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	local := h.cfg
	text, err := os.ReadFile(local.Path)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	// restarted waits until the terminal ends to be started again, and starts it with what it is to use.
	restarted := func(s *session) *session {
		t.Helper()
		select {
		case err := <-s.done:
			if !errors.Is(err, errRestart) {
				t.Fatalf("the terminal ended with %v", err)
			}
		case <-time.After(40 * time.Second):
			t.Fatal("the terminal did not end")
		}
		s.client.Close()
		if err := s.journal.Close(); err != nil {
			t.Fatal(err)
		}
		if h.cfg, err = loadConfig(local.Path, log); err != nil {
			t.Fatal(err)
		}
		c = script.New()
		return h.start(c, nil)
	}
	send := func(text string) {
		t.Helper()
		if _, err := h.Platform.Release(t.Context(), wire.MessageConfig, wire.ConfigDocument{TOML: text}, []string{local.Terminal.ID}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	s := h.start(c, nil)
	h.enrolled()
	for what, spoil := range map[string]func(string) string{
		"a mistake":         func(s string) string { return s + "\n[screen2]\nx = 1\n" },
		"another terminal":  func(s string) string { return strings.Replace(s, local.Terminal.ID, "990000-9999", 1) },
		"another authority": func(s string) string { return strings.Replace(s, "ca.pem", "other.pem", 1) },
		"unknown profile":   func(s string) string { return strings.Replace(s, "profile = \"", "profile = \"no-such-", 1) },
	} {
		bad := spoil(string(text))
		if bad == string(text) {
			t.Fatalf("%s: nothing was spoilt in\n%s", what, text)
		}
		send(bad)
		if o := h.answer(h.newest()); o.Status != wire.OrderRefused || o.Detail == "" {
			t.Errorf("%s: %+v", what, o)
		}
	}
	if _, err := os.Stat(configDir(local)); err == nil {
		t.Error("a refused configuration left something on the disk")
	}

	good := strings.Replace(string(text), "site = \"", "site = \"新", 1)
	send(good)
	id := h.newest()
	s = restarted(s)
	if o := h.answer(id); o.Status != wire.OrderDone || !strings.HasPrefix(h.cfg.Terminal.Site, "新") {
		t.Errorf("%+v with site %q", o, h.cfg.Terminal.Site)
	}
	rev := h.cfg.Revision
	h.works(wire.Applied{Config: rev})

	// One with which the terminal does not come up is taken back after two starts.
	send(strings.Replace(good, "site = \"新", "site = \"坏", 1))
	id = h.newest()
	select {
	case <-s.done:
	case <-time.After(40 * time.Second):
		t.Fatal("the terminal did not end")
	}
	s.client.Close()
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	for range trials {
		if h.cfg, err = loadConfig(local.Path, log); err != nil || h.cfg.Revision != rev+1 {
			t.Fatal(h.cfg.Revision, err) // and crashes
		}
	}
	if h.cfg, err = loadConfig(local.Path, log); err != nil || h.cfg.Revision != rev {
		t.Fatalf("revision %d, %v", h.cfg.Revision, err)
	}
	c = script.New()
	s = h.start(c, nil)
	if o := h.answer(id); o.Status != wire.OrderFailed || !strings.Contains(o.Detail, "taken back") {
		t.Errorf("%+v", o)
	}
	h.shows(c, "attract")
	s.end()
	// A revision that was spoilt on the disk does not keep the terminal from starting.
	if err := os.WriteFile(revisionFile(configDir(local), rev), []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if h.cfg, err = loadConfig(local.Path, log); err != nil || h.cfg.Revision != 0 {
		t.Errorf("revision %d, %v", h.cfg.Revision, err)
	}
}

func TestLogsAreUploadedWithoutAnybodyInThem(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	defer s.end()
	h.enrolled()
	h.shows(c, "attract")
	s.terminal.log.Info("something leaked", "who", "李晓雯", "number", "99000019900307123X", "phone", "13800000001", "port", 8443)
	o := h.answer(h.order(wire.Command{Name: wire.CommandLogs}))
	if o.Status != wire.OrderDone {
		t.Fatalf("%+v", o)
	}
	packed, err := os.ReadFile(filepath.Join(h.dir, "world", "platform", "blobs", o.Blob.String()))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"李", "99000019900307123", "13800000001"} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the bundle tells %s", secret)
		}
	}
	for _, want := range []string{"something leaked", "8443", "lane tx epoch 1", "device id-reader", "<3 han>"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the bundle does not tell %q:\n%s", want, b)
		}
	}
	if o := h.answer(h.order(wire.Command{Name: wire.CommandRotateKey})); o.Status != wire.OrderDone {
		t.Errorf("%+v", o)
	}
}

func TestTheRingForgetsTheOldest(t *testing.T) {
	r := &ring{}
	line := bytes.Repeat([]byte("x"), 1<<10)
	for range 400 {
		_, _ = r.Write(line)
	}
	_, _ = r.Write([]byte("last"))
	if b := r.bytes(); len(b) > ringBytes || !bytes.HasSuffix(b, []byte("last")) {
		t.Errorf("%d bytes", len(b))
	}
}
