package cardface

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"testing"

	xdraw "golang.org/x/image/draw"
)

func TestTheCodeIsReadBack(t *testing.T) {
	p := somebody(t)
	for _, code := range []string{p.Verify, "https://127.0.0.1:34567/verify/TID-990000-20261129-000001?p=0123456789ab",
		"https://zwfw.a-rather-long-name-of-a-platform.example.gov.cn/verify/TID-990000-20261129-000001?p=0123456789ab"} {
		p.Verify = code
		m, err := load(t).Draw(p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadCode(m); err != nil || got != code {
			t.Errorf("read %q, %v", got, err)
		}
		upside := image.NewGray(m.Rect)
		for i, v := range m.Pix {
			upside.Pix[len(upside.Pix)-1-i] = v
		}
		if got, err := ReadCode(upside); err != nil || got != code {
			t.Errorf("upside down: read %q, %v", got, err)
		}
		// A band without ribbon through a third of the code.
		at := load(t).Codes[0]
		xdraw.Draw(m, image.Rect(at.X, at.Y+at.Side/3, at.X+at.Side, at.Y+2*at.Side/3), image.White, image.Point{}, xdraw.Src)
		if got, err := ReadCode(m); !errors.Is(err, ErrNoCode) || got != "" {
			t.Errorf("smeared: read %q, %v", got, err)
		}
	}
	if _, err := ReadCode(image.NewGray(image.Rect(0, 0, 5000, 20))); !errors.Is(err, ErrNoCode) {
		t.Errorf("%v", err)
	}
}

// FuzzReadCode: whatever a camera shows, reading it ends, and with a short text or an error.
func FuzzReadCode(f *testing.F) {
	m, err := load(f).Draw(somebody(f))
	if err != nil {
		f.Fatal(err)
	}
	at := load(f).Codes[0]
	small := image.NewGray(image.Rect(0, 0, at.Side, at.Side))
	xdraw.Draw(small, small.Rect, m, image.Pt(at.X, at.Y), xdraw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, small); err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(at.Side), small.Pix)
	f.Add(uint8(21), bytes.Repeat([]byte{0, 255}, 300))
	f.Fuzz(func(t *testing.T, side uint8, pix []byte) {
		w := max(21, int(side))
		h := min(len(pix)/w, 256)
		if h < 21 {
			return
		}
		g := &image.Gray{Pix: pix, Stride: w, Rect: image.Rect(0, 0, w, h)}
		if text, err := ReadCode(g); err == nil && len(text) > mostCode || err != nil && text != "" {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	})
}
