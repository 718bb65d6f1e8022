//go:build !release

package main

// What helpers and the platform hear of a terminal's devices: the support bundle, the audit chain, the fleet's page.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// unpacked are a bundle's files.
func unpacked(t *testing.T, path string) map[string][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[head.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// deviceLines are what the audit chain says of a role: what it was, and what it is.
func (h *hall) deviceLines(s *session, role devices.Role) (all []string) {
	h.t.Helper()
	rs, _, err := s.journal.Range(1, wire.LaneAudit, 1, 1<<30, 10_000, 1<<30)
	h.must(err)
	for _, r := range rs {
		var a wire.AuditEntry
		h.must(json.Unmarshal(r.Body, &a))
		if a.Event == journal.EventDeviceChanged && a.Fields["role"] == string(role) {
			all = append(all, a.Fields["was"]+" → "+a.Fields["is"])
		}
	}
	return all
}

// A device that goes and comes is in the audit chain, which the platform gets, and the fleet's page knows it meanwhile.
func TestADeviceThatWentIsToldToEverybody(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	is := func(want devices.Unready) func() bool {
		return func() bool { return s.sup.Status(devices.RoleIDReader).Unready() == want }
	}
	atPlatform := func() string {
		all, err := h.Platform.Terminals(t.Context())
		h.must(err)
		for _, x := range all {
			for _, r := range x.Status {
				if r.Role == string(devices.RoleIDReader) {
					return r.Unready
				}
			}
		}
		return "nothing is known"
	}
	h.until("it works", 30*time.Second, is(devices.UnreadyNot))
	h.must(h.Props.Fault(sim.DeviceIDReader, "unplug", ""))
	h.until("it is gone", 30*time.Second, is(devices.UnreadyNoDevice))
	h.until("the platform knows", time.Minute, func() bool { return atPlatform() == string(devices.UnreadyNoDevice) })
	h.must(h.Props.Clear(sim.DeviceIDReader))
	h.until("it works again", 30*time.Second, is(devices.UnreadyNot))
	h.until("the platform knows that too", time.Minute, func() bool { return atPlatform() == string(devices.UnreadyNot) })
	lines := h.deviceLines(s, devices.RoleIDReader)
	if n := len(lines); n < 2 || !slices.Equal(lines[n-2:], []string{" → no-device", "no-device → "}) {
		t.Errorf("%q", lines)
	}
	h.settled(s) // the chain is at the platform, and whole
	s.end()
}

// The bundle says what helpers need, and the console's few are kept.
func TestASupportBundleTellsOfTheMachine(t *testing.T) {
	t.Parallel()
	h, c := newHall(t), script.New()
	s := h.start(c, nil)
	h.enrolled()
	h.shows(c, "attract")
	for range keepSupport + 1 {
		if _, err := s.writeSupport(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // names go by the second
	}
	kept, err := filepath.Glob(filepath.Join(h.cfg.Terminal.Data, "support", "*.tar.gz"))
	if err != nil || len(kept) != keepSupport {
		t.Fatalf("%v, %v", kept, err)
	}
	files := unpacked(t, kept[len(kept)-1])
	for name, want := range map[string]string{"terminal.txt": "lane tx epoch 1", "doctor.json": "doc.platform", "lanes.json": "audit", "stock.json": "card", "desk.json": "[", "devices.json": "id-reader",
		"plugged-in.json": ""} {
		if b, there := files[name]; !there || !strings.Contains(string(b), want) {
			t.Errorf("%s: %q", name, b)
		}
	}
	if i, err := os.Stat(kept[0]); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i.Mode(), err)
	}
	s.end()
}
