package main

import (
	"os"
	"path/filepath"
	"testing"
)

// edid makes a base block of a panel.
func edid(w, h, wmm, hmm int) []byte {
	b := make([]byte, 128)
	copy(b, edidHead)
	b[21], b[22] = byte(wmm/10), byte(hmm/10)
	d := b[54:72]
	d[0], d[1] = 0x02, 0x3A
	d[2], d[4] = byte(w), byte(w>>8<<4)
	d[5], d[7] = byte(h), byte(h>>8<<4)
	d[12], d[13], d[14] = byte(wmm), byte(hmm), byte(wmm>>8<<4|hmm>>8)
	sum := byte(0)
	for _, v := range b[:127] {
		sum += v
	}
	b[127] = -sum
	return b
}

func TestEDID(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/class/drm/card0-HDMI-A-1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, found := connectedPanel(root); found {
		t.Error("a panel where there is none")
	}
	if err := os.WriteFile(filepath.Join(dir, "edid"), edid(1920, 1080, 476, 268), 0o644); err != nil {
		t.Fatal(err)
	}
	p, found := connectedPanel(root)
	if want := (panelSize{1920, 1080, 476, 268}); !found || p != want || p.diagonal() != 546 {
		t.Errorf("%+v %d", p, p.diagonal())
	}
	for name, b := range map[string][]byte{"short": edid(1920, 1080, 476, 268)[:100], "sum": append(edid(1920, 1080, 476, 268)[:127], 1), "tiny": edid(100, 100, 10, 10), "none": nil} {
		if p, err := parseEDID(b); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func FuzzEDID(f *testing.F) {
	f.Add(edid(1920, 1080, 476, 268))
	f.Add(edid(4095, 4095, 4095, 4095))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseEDID(b); err == nil && (p.Width < 480 || p.WidthMM < 100 || p.diagonal() <= 0) {
			t.Errorf("%+v", p)
		}
	})
}
