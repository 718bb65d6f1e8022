//go:build !lab && linux

package camera

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
)

func barsJPEG(t testing.TB, w, h, n int) []byte {
	t.Helper()
	b, err := sim.Bars(w, h, n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// patched changes the frame header of a JPEG.
func patched(b []byte, change func(sof []byte)) []byte {
	b = bytes.Clone(b)
	change(b[bytes.Index(b, []byte{0xFF, mSOF0}):])
	return b
}

func TestOnlyBoundedSequentialPicturesAreTaken(t *testing.T) {
	good := barsJPEG(t, 64, 48, 5)
	l, err := survey(good)
	if err != nil || l.width != 64 || l.height != 48 || !l.tables || !l.ended || l.end != len(good) {
		t.Fatalf("%+v %v", l, err)
	}
	scan := bytes.Index(good, []byte{0xFF, mSOS})
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"no JPEG":           []byte("GIF89a, really"),
		"header only":       good[:scan-3],
		"progressive":       patched(good, func(s []byte) { s[1] = 0xC2 }),
		"arithmetic":        patched(good, func(s []byte) { s[1] = 0xC9 }),
		"enormous":          patched(good, func(s []byte) { binary.BigEndian.PutUint32(s[5:], 0xFFFFFFFF) }),
		"50 megapixels":     patched(good, func(s []byte) { binary.BigEndian.PutUint16(s[5:], 6144); binary.BigEndian.PutUint16(s[7:], 8192) }),
		"no height":         patched(good, func(s []byte) { s[5], s[6] = 0, 0 }),
		"12 bits":           patched(good, func(s []byte) { s[4] = 12 }),
		"4 colour parts":    patched(good, func(s []byte) { s[9] = 4 }),
		"scan before frame": append([]byte{0xFF, mSOI}, good[scan:]...),
		"second scan":       append(bytes.Clone(good[:len(good)-2]), good[scan:]...),
		"picture in header": append([]byte{0xFF, mSOI, 0xFF, mSOI}, good[2:]...),
		"segment too long":  {0xFF, mSOI, 0xFF, 0xE0, 0xFF, 0xFF, 0, 0},
	} {
		if l, err := survey(b); !errors.Is(err, errPicture) {
			t.Errorf("%s is taken: %+v %v", name, l, err)
		}
	}
}

func TestTablesThatMotionJPEGLeavesOut(t *testing.T) {
	good := barsJPEG(t, 64, 48, 5)
	var bare []byte
	for at := 0; ; {
		i := bytes.Index(good[at:], []byte{0xFF, mDHT})
		if i < 0 {
			bare = append(bare, good[at:]...)
			break
		}
		bare = append(bare, good[at:at+i]...)
		at += i + 2 + int(binary.BigEndian.Uint16(good[at+i+2:]))
	}
	if _, err := jpeg.Decode(bytes.NewReader(bare)); err == nil {
		t.Fatal("the picture still has its tables")
	}
	l, err := survey(bare)
	if err != nil || l.tables {
		t.Fatalf("%+v %v", l, err)
	}
	got, err := decode(bare, l)
	if err != nil {
		t.Fatal(err)
	}
	want, err := jpeg.Decode(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.(*image.YCbCr).Y, want.(*image.YCbCr).Y) || !bytes.Equal(got.(*image.YCbCr).Cr, want.(*image.YCbCr).Cr) {
		t.Error("other pixels than with its own tables")
	}
	// Nor is the end marker always there; padding behind it often is.
	for _, b := range [][]byte{good[:len(good)-2], append(bytes.Clone(good), make([]byte, 100)...)} {
		l, err := survey(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(b, l); err != nil {
			t.Error(err)
		}
	}
	// Cut in its middle it is no picture.
	cut := good[:len(good)*2/3]
	if l, err := survey(cut); err == nil {
		if _, err = decode(cut, l); !errors.Is(err, errPicture) {
			t.Errorf("two thirds of a picture: %v", err)
		}
	}
}

// TestColoursAreThoseOfTheLibrary compares our loops with image/color's, pixel by pixel.
func TestColoursAreThoseOfTheLibrary(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(image.Rect(0, 0, 37, 23), ratio)
		noise := uint32(1)
		for _, p := range [][]byte{m.Y, m.Cb, m.Cr} {
			for i := range p {
				noise = noise*1664525 + 1013904223
				p[i] = byte(noise >> 24)
			}
		}
		var f devices.Frame
		drawYCbCr(&f, m, 1, false)
		for y := range 23 {
			for x := range 37 {
				want := color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)
				got := f.Image().RGBAAt(x, y)
				for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
					if d < -1 || d > 1 {
						t.Fatalf("%v at %d,%d: %v, the library has %v", ratio, x, y, got, want)
					}
				}
			}
		}
	}
}

func TestGreyPictures(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 32, 16))
	for i := range m.Pix {
		m.Pix[i] = byte(8 * (i % 32))
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	l, err := survey(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	img, err := decode(out.Bytes(), l)
	if err != nil {
		t.Fatal(err)
	}
	var f devices.Frame
	if err := drawJPEG(&f, img, 2, true); err != nil {
		t.Fatal(err)
	}
	if c := f.Image().RGBAAt(0, 0); f.Width != 16 || f.Height != 8 || c.R < 236 || c.R != c.G || c.A != 255 {
		t.Errorf("%v %v", f, c)
	}
}

// seeds are pictures and what is left of them, for every fuzz target.
func seeds(f *testing.F, add func([]byte)) {
	good := barsJPEG(f, 32, 32, 3)
	add(good)
	add(good[:len(good)/2])
	add(patched(good, func(s []byte) { s[1] = 0xC2 }))
	add(patched(good, func(s []byte) { binary.BigEndian.PutUint32(s[5:], 0x20002000) }))
	add(patched(good, func(s []byte) { s[11] = 0x44 }))
	add(append(bytes.Clone(good), good...))
	add(append(append(bytes.Clone(good[:2]), bytes.Repeat([]byte{0xFF}, 40)...), good[2:]...))
	add([]byte("\xff\xd8\xff\xda\x00\x02"))
}

func FuzzPicture(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := survey(b)
		if err != nil {
			if !errors.Is(err, errPicture) {
				t.Fatal(err)
			}
			return
		}
		if l.width < 1 || l.height < 1 || l.width*l.height > maxPixels || l.scan >= l.end || l.end > len(b) {
			t.Fatalf("%+v of %d bytes", l, len(b))
		}
		if l.width*l.height > 1<<18 {
			return // sound, only slow here
		}
		img, err := decode(b, l)
		if err != nil {
			return
		}
		for _, by := range []int{1, 2, 4} {
			var fr devices.Frame
			if err := drawJPEG(&fr, img, by, by == 2); err == nil && len(fr.Pixels) != 4*(l.width/by)*(l.height/by) {
				t.Fatalf("%v of %+v", fr, l)
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		rest, total := b, 0
		for len(rest) > 0 {
			picture, after := split(rest)
			if len(after) >= len(rest) {
				t.Fatal("no progress")
			}
			rest = after
			if picture == nil {
				continue
			}
			if total += len(picture); total > len(b) {
				t.Fatal("more pictures than bytes")
			}
			if l, err := survey(picture); err != nil || l.end != len(picture) {
				t.Fatalf("%+v %v", l, err)
			}
		}
	})
}

func FuzzParts(f *testing.F) {
	seeds(f, func(b []byte) {
		f.Add(append(append([]byte("--x\r\nContent-Type: image/jpeg\r\n\r\n"), b...), "\r\n--x\r\n\r\n"...), "x")
		f.Add(append(append([]byte("--x\nContent-Length: 40\n\n"), b...), "\n--x--\n"...), "--x")
	})
	f.Add([]byte("--x\r\nContent-Length: 99999999999999999999\r\n\r\n--x\r\nContent-Length: -1\r\n\r\n"), "x")
	f.Add(append([]byte("--x\r\n"), bytes.Repeat([]byte("h: v\r\n"), 3000)...), "x")
	f.Fuzz(func(t *testing.T, b []byte, boundary string) {
		if len(boundary) > maxBoundary || len(bytes.Trim([]byte(boundary), "-")) == 0 {
			return
		}
		p := newParts(io.NopCloser(bytes.NewReader(b)), boundary)
		defer p.close()
		var into []byte
		for range len(b) + 2 {
			var err error
			into, err = p.next(into[:0])
			switch {
			case len(into) > maxBytes:
				t.Fatalf("%d bytes", len(into))
			case errors.Is(err, errPicture):
			case err != nil:
				return
			}
		}
		t.Fatal("more parts than bytes")
	})
}

// spent is the processor time of this process so far.
func spent(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// preview decodes and draws again and again, as a stream does, and reports the share of one core at 15 pictures a second, by
// processor time.
func preview(b *testing.B, s *shot) {
	b.Helper()
	var f devices.Frame
	b.ReportAllocs()
	begun := spent(b)
	for b.Loop() {
		if err := s.draw(&f, 1, true); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((spent(b)-begun).Seconds()/float64(b.N)*15*100, "%core@15fps")
}

// clip is how many pictures ffmpeg gets at once, so that its start does not count for much.
const clip = 300

// peer lets ffmpeg do the same with the same pictures, on one thread.
func peer(b *testing.B, picture []byte, input ...string) {
	b.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("no ffmpeg: deploy/setup/install.sh bench")
	}
	path := filepath.Join(b.TempDir(), "clip")
	if err := os.WriteFile(path, bytes.Repeat(picture, clip), 0o600); err != nil {
		b.Fatal(err)
	}
	var cpu time.Duration
	for b.Loop() {
		args := append(append([]string{"-v", "error", "-threads", "1"}, input...), "-i", path, "-vf", "hflip", "-threads", "1", "-filter_threads", "1",
			"-pix_fmt", "rgba", "-f", "rawvideo", "-y", os.DevNull)
		cmd := exec.Command("ffmpeg", args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N)/clip*15*100, "%core@15fps")
}

func BenchmarkPreviewMJPEG720(b *testing.B) {
	preview(b, &shot{format: MJPEG, data: scene(b, 1280, 720)})
}

func BenchmarkPreviewMJPEG720ByFFmpeg(b *testing.B) { peer(b, scene(b, 1280, 720), "-f", "mjpeg") }

func yuyv480() []byte { return bytes.Repeat([]byte{120, 90, 140, 160}, 640*480/2) }

func BenchmarkPreviewYUYV480(b *testing.B) {
	preview(b, &shot{format: YUYV, width: 640, height: 480, stride: 1280, data: yuyv480()})
}

func BenchmarkPreviewYUYV480ByFFmpeg(b *testing.B) {
	peer(b, yuyv480(), "-f", "rawvideo", "-pix_fmt", "yuyv422", "-video_size", "640x480")
}

// scene is a JPEG with as much detail as a room: bars with noise, about 1.3 bits a pixel.
func scene(t testing.TB, w, h int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	noise := uint32(7)
	for i := 0; i < len(m.Pix); i += 4 {
		noise = noise*1664525 + 1013904223
		x, y := i/4%w, i/4/w
		v := byte(60 + x*120/w + int(noise>>28))
		m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = v, v+byte(y*60/h), byte(200-x*80/w), 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
