package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices/camera"
)

// TestPhotoOverACamera guides the man of room.jpg, whose wall is not white: everything else is well, so that he is asked to
// hold still, and the photo is refused for its background.
func TestPhotoOverACamera(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "service", "photo", "testdata", "room.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.jpg"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := camera.Open(t.Context(), "file:"+dir, camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	for lang, wants := range map[string][]string{
		"en": {"Good. Please keep still.", "photo: refused", "refuse: background-l is"},
		"zh": {"请保持不动", "background-l"},
	} {
		out.Reset()
		if err := tryPhoto(ctx, c, "id-card", stdio{out: &out, lang: lang}); err != nil {
			t.Fatalf("%v after %s", err, out.String())
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in\n%s", lang, want, out.String())
			}
		}
	}
	out.Reset()
	if err := tryPhoto(ctx, c, "passport", stdio{out: &out}); err == nil || !strings.Contains(err.Error(), "id-card") {
		t.Errorf("a profile that does not exist: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	empty := t.TempDir()
	grey, err := os.ReadFile(filepath.Join("..", "..", "service", "photo", "testdata", "astronaut.jpg"))
	if err == nil {
		err = os.WriteFile(filepath.Join(empty, "1.jpg"), grey, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	far, err := camera.Open(t.Context(), "file:"+empty, camera.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	out.Reset()
	if err := tryPhoto(short, far, "id-card", stdio{out: &out}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("somebody far away: %v, %s", err, out.String())
	}
}
