package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestPicturesOfWhoIsTried(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	drawn := func(w, h int) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	good, face := write("good.png", 0o600, drawn(256, 288)), write("face.jpg", 0o600, []byte("any"))
	got, finger, err := conformCmd{Face: face, Finger: good}.pictures()
	if err != nil || string(got) != "any" || finger == nil || finger.Bounds() != image.Rect(0, 0, 256, 288) {
		t.Errorf("%q %v %v", got, finger, err)
	}
	for what, c := range map[string]conformCmd{
		"others may read the finger": {Finger: write("open.png", 0o644, drawn(256, 288))},
		"others may read the face":   {Face: write("open.jpg", 0o644, []byte("any"))},
		"no PNG":                     {Finger: face},
		"half a PNG":                 {Finger: write("half.png", 0o600, drawn(256, 288)[:60])},
		"too narrow":                 {Finger: write("narrow.png", 0o600, drawn(63, 288))},
		"too high":                   {Finger: write("high.png", 0o600, drawn(256, 513))},
		"no such file":               {Face: filepath.Join(dir, "none")},
	} {
		if _, _, err := c.pictures(); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}
