package service

// The code of a printed card over real drivers: an engine on a serial line, and a camera over HTTP, with simulators on the other side.

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"sync/atomic"
	"testing"
	"time"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/camera"
	"github.com/budayang/kiosk/devices/scanner"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/service/cardface"
)

// onlySet holds one device.
type onlySet struct {
	devices.Set
	role devices.Role
	dev  devices.Device
}

func (s onlySet) Use(r devices.Role) (devices.Device, func(), error) {
	if r != s.role {
		return nil, nil, devices.ErrNoDevice
	}
	return s.dev, func() {}, nil
}

// aFace is a printed card.
func aFace(t *testing.T, code string) *cardface.Face {
	t.Helper()
	tpl, err := cardface.Load("temporary-id")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 358, 441)), nil); err != nil {
		t.Fatal(err)
	}
	m, err := tpl.Draw(cardface.Person{Name: "李晓雯", Sex: "女", Nation: "汉", Born: "1992-11-05", Address: "示例市示例区样张路20号", Number: "990000199211050228",
		From: time.Now(), Until: time.Now().AddDate(0, 3, 0), Authority: "示例市公安局示例分局", Photo: b.Bytes(), Verify: code, Blank: "E004015000000042"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// inside is what a camera in the machine sees: the card on a dark bed, turned a little, under an uneven light.
func inside(t *testing.T, face image.Image, turn float64) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 1280, 960))
	xdraw.Draw(m, m.Rect, image.NewUniform(color.RGBA{40, 42, 45, 255}), image.Point{}, xdraw.Src)
	if face != nil {
		xdraw.CatmullRom.Transform(m, f64.Aff3{1.1, -turn, 80 + 900*turn, turn, 1.1, 60}, face, face.Bounds(), xdraw.Src, nil)
	}
	for y := range 960 {
		for x := range 1280 {
			i := m.PixOffset(x, y)
			for c := range 3 {
				m.Pix[i+c] = uint8(int(m.Pix[i+c]) * (150 + x*90/1280) / 255)
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func engineWith(dev devices.Device) *Engine {
	return &Engine{cfg: Config{Devices: onlySet{role: devices.RoleCardCheck, dev: dev}}, t: Timeouts{Grace: time.Second}}
}

func TestACameraReadsThePrintedCard(t *testing.T) {
	const code = "https://city.example.gov.cn/verify/TID-990000-20261129-000017?p=0a1b2c3d4e5f"
	for _, tc := range []struct {
		name     string
		pictures [][]byte
		want     string
	}{
		{"a card", [][]byte{inside(t, aFace(t, code), 0)}, code},
		{"a card that lies aslant, after an empty bed", [][]byte{inside(t, nil, 0), inside(t, aFace(t, code), 0.08)}, code},
		{"an empty bed", [][]byte{inside(t, nil, 0)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := sim.StartCamera(sim.CameraOptions{Pictures: tc.pictures, Width: 1280, Height: 960, Rate: 10})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			cam, err := camera.Open(t.Context(), s.URI(), camera.Options{Width: 1280, Height: 960})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cam.Close() })
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
			if tc.want != "" {
				stop()
				ctx, stop = t.Context(), func() {}
			}
			defer stop()
			got, err := seenOrRead(ctx, cam)
			if got != tc.want || tc.want == "" && !errors.Is(err, cardface.ErrNoCode) {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

func seenOrRead(ctx context.Context, cam devices.Camera) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	return seenCode(ctx, cam)
}

func TestAnEngineReadsThePrintedCard(t *testing.T) {
	lies := "https://city.example.gov.cn/verify/TID-990000-20261129-000017?p=0a1b2c3d4e5f"
	var asked atomic.Int32
	s, err := sim.StartCodeScanner(sim.ScannerOptions{Suffix: "\r", Triggered: true, Lies: func() string {
		if n := asked.Add(1); n != 3 {
			return "" // nothing that can be read
		}
		return lies
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u, err := bus.Parse(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	p, err := scanner.LoadProfile("honeywell")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := scanner.Open(t.Context(), b, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Close() })
	e := engineWith(dev)
	if got, err := e.cardCode(t.Context()); err != nil || got != lies {
		t.Errorf("read %q, %v", got, err)
	}
	if got, err := e.cardCode(t.Context()); err == nil || got != "" {
		t.Errorf("read %q, %v", got, err)
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if on, looks := s.Looking(); !on && looks == 2 {
			return
		}
	}
	t.Error("it still looks")
}
