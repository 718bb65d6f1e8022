//go:build !lab && linux && (amd64 || arm64 || loong64 || riscv64)

package camera

// A kernel of our own under the V4L2 source: every call can fail, every answer can lie.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/sim"
)

// fakeKernel is one camera node with buffers, controls and faults.
type fakeKernel struct {
	mu       sync.Mutex
	t        *testing.T
	caps     capability
	formats  []fakeFormat
	controls map[uint32]int32
	// Faults.
	fail     map[uint32]error // by request
	failOnce map[uint32]error
	clamps   bool // controls take a value and use another
	flags    uint32
	short    int    // bytes that are missing in each picture
	index    uint32 // added to the index of a filled buffer
	unplug   bool
	// Its state.
	fd       int
	set      pixFormat
	mapped   map[*byte]bool
	lent     int // buffers given by REQBUFS
	queued   []uint32
	on       bool
	sequence uint32
	order    []string
	memory   [][]byte
	picture  func(n int) []byte
}

type fakeFormat struct {
	code  string
	sizes [][2]uint32
	rates []uint32
}

func newFakeKernel(t *testing.T) *fakeKernel {
	k := &fakeKernel{t: t, controls: map[uint32]int32{ctrlMains: 0, ctrlExposureAuto: 3, ctrlExposure: 157, ctrlExposurePriority: 1,
		ctrlAutoWhiteBalance: 1, ctrlWhiteBalance: 4600}, fail: map[uint32]error{}, failOnce: map[uint32]error{}, mapped: map[*byte]bool{}}
	copy(k.caps.driver[:], "uvcvideo")
	copy(k.caps.card[:], "Fake \x01Camera")
	k.caps.capabilities = capDeviceCaps | capCapture | capStreaming | 0x00800000
	k.caps.deviceCaps = capCapture | capStreaming
	k.formats = []fakeFormat{
		{"MJPG", [][2]uint32{{1920, 1080}, {1280, 720}, {640, 480}}, []uint32{30, 15}},
		{"YUYV", [][2]uint32{{640, 480}, {1280, 720}}, []uint32{30}},
		{"NV12", [][2]uint32{{1280, 720}}, []uint32{30}},
	}
	k.picture = func(n int) []byte {
		b, err := sim.Bars(int(k.set.width), int(k.set.height), n)
		if err != nil {
			t.Error(err)
		}
		if k.set.pixelFormat == fourcc("YUYV") {
			return packed(t, b, int(k.set.stride))
		}
		return b
	}
	t.Cleanup(func() {
		if k.fd != 0 || k.lent != 0 || len(k.mapped) != 0 || k.on {
			t.Errorf("left behind: fd %d, %d buffers, %d mappings, streaming %v", k.fd, k.lent, len(k.mapped), k.on)
		}
	})
	return k
}

// packed makes YUYV of video range out of a JPEG.
func packed(t *testing.T, b []byte, stride int) []byte {
	t.Helper()
	l, err := survey(b)
	if err != nil {
		t.Fatal(err)
	}
	img, err := decode(b, l)
	if err != nil {
		t.Fatal(err)
	}
	var f devices.Frame
	if err := drawJPEG(&f, img, 1, false); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, stride*f.Height)
	video := func(i int) (y, cb, cr float64) {
		r, g, b := float64(f.Pixels[i]), float64(f.Pixels[i+1]), float64(f.Pixels[i+2])
		return 16 + 0.256788*r + 0.504129*g + 0.097906*b, 128 - 0.148223*r - 0.290993*g + 0.439216*b, 128 + 0.439216*r - 0.367788*g - 0.071427*b
	}
	for y := range f.Height {
		for x := 0; x < f.Width; x += 2 {
			i := 4 * (y*f.Width + x)
			y0, cb, cr := video(i)
			y1, _, _ := video(i + 4)
			o := out[y*stride+2*x:]
			o[0], o[1], o[2], o[3] = byte(y0+.5), byte(cb+.5), byte(y1+.5), byte(cr+.5)
		}
	}
	return out
}

func (k *fakeKernel) open(string) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unplug {
		return 0, unix.ENOENT
	}
	k.fd = 7
	return 7, nil
}

func (k *fakeKernel) close(int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.order = append(k.order, "close")
	k.fd = 0
	return nil
}

func (k *fakeKernel) mmap(_ int, offset int64, length int) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.fail[0]; err != nil {
		return nil, err
	}
	b := make([]byte, length)
	k.mapped[&b[0]] = true
	k.memory = append(k.memory, b)
	_ = offset
	return b, nil
}

func (k *fakeKernel) munmap(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.order = append(k.order, "munmap")
	for _, c := range b {
		if c != 0 {
			k.t.Error("a buffer is unmapped with a picture in it")
			break
		}
	}
	delete(k.mapped, &b[0])
	return nil
}

func (k *fakeKernel) poll(int, time.Duration) (bool, error) {
	time.Sleep(2 * time.Millisecond)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unplug || k.on && len(k.queued) > 0, nil
}

func (k *fakeKernel) ioctl(_ int, request uint32, arg unsafe.Pointer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	ending := request == vidiocStreamOff || request == vidiocReqBufs && (*requestBuffers)(arg).count == 0
	if err := k.failOnce[request]; err != nil && !ending {
		delete(k.failOnce, request)
		return err
	}
	if err := k.fail[request]; err != nil && !ending {
		return err
	}
	if k.unplug && !ending {
		return unix.ENODEV
	}
	switch request {
	case vidiocQueryCap:
		*(*capability)(arg) = k.caps
	case vidiocEnumFmt:
		d := (*formatDesc)(arg)
		if int(d.index) >= len(k.formats) {
			return unix.EINVAL
		}
		d.pixelFormat = fourcc(k.formats[d.index].code)
	case vidiocEnumFrameSizes:
		e := (*frameSize)(arg)
		f := k.format(e.pixelFormat)
		if int(e.index) >= len(f.sizes) {
			return unix.EINVAL
		}
		e.kind, e.u[0], e.u[1] = frameDiscrete, f.sizes[e.index][0], f.sizes[e.index][1]
	case vidiocEnumIntervals:
		e := (*frameInterval)(arg)
		f := k.format(e.pixelFormat)
		if int(e.index) >= len(f.rates) {
			return unix.EINVAL
		}
		e.kind, e.u[0], e.u[1] = frameDiscrete, 1, f.rates[e.index]
	case vidiocSFmt:
		f := (*format)(arg)
		f.pix.stride = 0
		if f.pix.pixelFormat == fourcc("YUYV") {
			f.pix.stride = 2*f.pix.width + 32
		}
		f.pix.sizeImage = 4 * f.pix.width * f.pix.height
		k.set = f.pix
	case vidiocSParm:
		return unix.ENOTTY
	case vidiocGCtrl, vidiocSCtrl:
		c := (*control)(arg)
		if _, known := k.controls[c.id]; !known {
			return unix.EINVAL
		}
		if request == vidiocSCtrl {
			k.controls[c.id] = c.value
			if k.clamps {
				k.controls[c.id] = c.value + 1
			}
		}
		c.value = k.controls[c.id]
	case vidiocReqBufs:
		r := (*requestBuffers)(arg)
		k.order = append(k.order, "reqbufs")
		if r.count > 0 && k.lent > 0 || r.count == 0 && len(k.mapped) > 0 {
			return unix.EBUSY
		}
		k.lent = int(r.count)
	case vidiocQueryBuf:
		b := (*buffer)(arg)
		b.length, b.m = k.set.sizeImage, uint64(b.index)<<20
	case vidiocQBuf:
		k.queued = append(k.queued, (*buffer)(arg).index)
	case vidiocStreamOn:
		k.on = true
	case vidiocStreamOff:
		k.order = append(k.order, "streamoff")
		k.on, k.queued = false, nil
	case vidiocDQBuf:
		if !k.on || len(k.queued) == 0 {
			return unix.EAGAIN
		}
		b := (*buffer)(arg)
		b.index, k.queued = k.queued[0], k.queued[1:]
		data := k.picture(int(k.sequence))
		b.bytesUsed = uint32(max(0, copy(k.memory[len(k.memory)-k.lent+int(b.index)], data)-k.short))
		b.sequence, b.flags = k.sequence, k.flags|bufMonotonic
		var ts unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
		b.seconds, b.microseconds = ts.Sec, ts.Nsec/1000
		b.index += k.index
		k.sequence++
	default:
		k.t.Errorf("unknown request %#x", request)
		return unix.ENOTTY
	}
	return nil
}

func (k *fakeKernel) format(code uint32) fakeFormat {
	for _, f := range k.formats {
		if fourcc(f.code) == code {
			return f
		}
	}
	return fakeFormat{}
}

func (k *fakeKernel) do(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

func openFake(t *testing.T, k *fakeKernel, opt Options) (*Camera, error) {
	t.Helper()
	if err := opt.settle(); err != nil {
		t.Fatal(err)
	}
	v, err := openVideo(k, "/dev/fake", opt)
	if err != nil {
		return nil, err
	}
	c := &Camera{src: v, opt: opt}
	t.Cleanup(func() { _ = c.Close() })
	return c, nil
}

func mustFake(t *testing.T, k *fakeKernel, opt Options) (*Camera, devices.CameraStream) {
	t.Helper()
	c, err := openFake(t, k, opt)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return c, s
}

// TestStructsAreTheKernels holds sizes and offsets to linux/videodev2.h of a 64-bit machine.
func TestStructsAreTheKernels(t *testing.T) {
	for _, s := range []struct {
		name      string
		got, want uintptr
	}{
		{"v4l2_capability", unsafe.Sizeof(capability{}), 104}, {"v4l2_fmtdesc", unsafe.Sizeof(formatDesc{}), 64},
		{"v4l2_format", unsafe.Sizeof(format{}), 208}, {"v4l2_format.fmt", unsafe.Offsetof(format{}.pix), 8},
		{"v4l2_requestbuffers", unsafe.Sizeof(requestBuffers{}), 20}, {"v4l2_buffer", unsafe.Sizeof(buffer{}), 88},
		{"v4l2_buffer.timestamp", unsafe.Offsetof(buffer{}.seconds), 24}, {"v4l2_buffer.sequence", unsafe.Offsetof(buffer{}.sequence), 56},
		{"v4l2_buffer.m", unsafe.Offsetof(buffer{}.m), 64}, {"v4l2_buffer.length", unsafe.Offsetof(buffer{}.length), 72},
		{"v4l2_streamparm", unsafe.Sizeof(streamParm{}), 204}, {"v4l2_control", unsafe.Sizeof(control{}), 8},
		{"v4l2_frmsizeenum", unsafe.Sizeof(frameSize{}), 44}, {"v4l2_frmivalenum", unsafe.Sizeof(frameInterval{}), 52},
	} {
		if s.got != s.want {
			t.Errorf("%s: %d, the kernel's is %d", s.name, s.got, s.want)
		}
	}
	for _, r := range []struct {
		name      string
		got, want uint32
	}{{"QUERYCAP", vidiocQueryCap, 0x80685600}, {"ENUM_FMT", vidiocEnumFmt, 0xc0405602}, {"S_FMT", vidiocSFmt, 0xc0d05605},
		{"REQBUFS", vidiocReqBufs, 0xc0145608}, {"QUERYBUF", vidiocQueryBuf, 0xc0585609}, {"QBUF", vidiocQBuf, 0xc058560f},
		{"DQBUF", vidiocDQBuf, 0xc0585611}, {"STREAMON", vidiocStreamOn, 0x40045612}, {"STREAMOFF", vidiocStreamOff, 0x40045613},
		{"S_PARM", vidiocSParm, 0xc0cc5616}, {"G_CTRL", vidiocGCtrl, 0xc008561b}, {"S_CTRL", vidiocSCtrl, 0xc008561c},
		{"ENUM_FRAMESIZES", vidiocEnumFrameSizes, 0xc02c564a}, {"ENUM_FRAMEINTERVALS", vidiocEnumIntervals, 0xc034564b}} {
		if r.got != r.want {
			t.Errorf("VIDIOC_%s: %#x, the kernel's is %#x", r.name, r.got, r.want)
		}
	}
}

func TestPicturesOfBothFormats(t *testing.T) {
	for _, format := range []Format{YUYV, MJPEG} {
		k := newFakeKernel(t)
		c, s := mustFake(t, k, Options{Format: format, Width: 640, Height: 480})
		var f devices.Frame
		last := int64(-1)
		for range 5 {
			if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
				t.Fatal(err)
			}
			if sim.PictureNumber(f.Image()) != int(f.Sequence) || int64(f.Sequence) <= last || f.Width != 640 {
				t.Errorf("%s: picture %d in %v", format, sim.PictureNumber(f.Image()), f)
			}
			last = int64(f.Sequence)
			if age := time.Since(f.At); age < 0 || age > time.Second {
				t.Errorf("%v old", age)
			}
			for i, want := range [][3]int{{191, 191, 191}, {191, 191, 0}, {0, 191, 191}, {0, 191, 0}, {191, 0, 191}, {191, 0, 0}, {0, 0, 191}, {0, 0, 0}} {
				p := f.Image().RGBAAt(40+80*i, 100)
				for n, got := range []byte{p.R, p.G, p.B} {
					if d := int(got) - want[n]; d < -12 || d > 12 {
						t.Fatalf("%s: bar %d is %v", format, i, p)
					}
				}
			}
		}
		if st, err := c.Probe(t.Context()); err != nil || st.Identity.Model != "Fake Camera" || st.Connection != devices.ConnectionOnline {
			t.Errorf("%+v %v", st, err)
		}
	}
}

func TestSizeRateAndFormatAreChosen(t *testing.T) {
	for _, tt := range []struct {
		name     string
		formats  []fakeFormat
		opt      Options
		want     string
		w, h     uint32
		unusable bool
	}{
		{"wanted size in both: raw", nil, Options{}, "YUYV", 1280, 720, false},
		{"size only in MJPEG", nil, Options{Width: 1920, Height: 1080}, "MJPG", 1920, 1080, false},
		{"raw is too slow", []fakeFormat{{"MJPG", [][2]uint32{{1280, 720}}, []uint32{30}}, {"YUYV", [][2]uint32{{1280, 720}}, []uint32{5}}}, Options{}, "MJPG", 1280, 720, false},
		{"told to", nil, Options{Format: MJPEG}, "MJPG", 1280, 720, false},
		{"nearest", []fakeFormat{{"MJPG", [][2]uint32{{352, 288}, {1600, 1200}, {1024, 768}}, nil}}, Options{}, "MJPG", 1024, 768, false},
		{"nothing said", []fakeFormat{{"YUYV", nil, nil}}, Options{Width: 640, Height: 480}, "YUYV", 640, 480, false},
		{"nothing understood", []fakeFormat{{"H264", [][2]uint32{{1280, 720}}, nil}}, Options{}, "", 0, 0, true},
		{"only enormous", []fakeFormat{{"MJPG", [][2]uint32{{16384, 16384}}, nil}}, Options{}, "", 0, 0, true},
	} {
		k := newFakeKernel(t)
		if tt.formats != nil {
			k.formats = tt.formats
		}
		_, err := openFake(t, k, tt.opt)
		if tt.unusable {
			if !errors.Is(err, devices.ErrUnusable) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil || k.set.pixelFormat != fourcc(tt.want) || k.set.width != tt.w || k.set.height != tt.h {
			t.Errorf("%s: %v, %dx%d", tt.name, err, k.set.width, k.set.height)
		}
	}
}

func TestMetadataNodesAreNoCameras(t *testing.T) {
	k := newFakeKernel(t)
	k.caps.deviceCaps = 0x00800000 | capStreaming
	if _, err := openFake(t, k, Options{}); !errors.Is(err, devices.ErrUnusable) {
		t.Errorf("%v", err)
	}
	dev := t.TempDir()
	for _, name := range []string{"video0", "video1"} {
		if err := os.WriteFile(filepath.Join(dev, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all := nodes(k, dev); len(all) != 0 {
		t.Errorf("listed: %v", all)
	}
	k.caps.deviceCaps = capCapture | capStreaming
	if err := os.MkdirAll(filepath.Join(dev, "v4l", "by-path"), 0o700); err != nil {
		t.Fatal(err)
	}
	stable := filepath.Join(dev, "v4l", "by-path", "pci-usb-0:1:1.0-video-index0")
	if err := os.Symlink("../../video0", stable); err != nil {
		t.Fatal(err)
	}
	all := nodes(k, dev)
	if len(all) != 2 || all[0] != (Node{stable, "Fake Camera"}) || all[1].Path != filepath.Join(dev, "video1") {
		t.Errorf("listed: %v", all)
	}
}

func TestBrokenBuffersAreSkipped(t *testing.T) {
	for name, fault := range map[string]func(*fakeKernel){
		"marked as broken": func(k *fakeKernel) { k.flags = bufError },
		"cut short":        func(k *fakeKernel) { k.short = 5000 },
		"empty":            func(k *fakeKernel) { k.short = 1 << 30 },
	} {
		for !skipsBroken(t, name, fault) {
			if t.Failed() {
				return
			}
		}
	}
}

// skipsBroken is false when the machine stood still for so long that the stream rightly ended.
func skipsBroken(t *testing.T, name string, fault func(*fakeKernel)) bool {
	k := newFakeKernel(t)
	_, s := mustFake(t, k, Options{Format: YUYV, Width: 640, Height: 480})
	var f devices.Frame
	if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	var from, to uint32
	begun := time.Now()
	k.do(func() { fault(k); from = k.sequence })
	for {
		k.do(func() { to = k.sequence })
		if to > from+5 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	k.do(func() { k.flags, k.short, to = 0, 0, k.sequence })
	for f.Sequence < to {
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			if time.Since(begun) > patience {
				return false
			}
			t.Fatal(name, err)
		}
		if f.Sequence > from && f.Sequence < to {
			t.Errorf("%s: picture %d is shown", name, f.Sequence)
		}
	}
	return true
}

func TestUnplugAtEveryCall(t *testing.T) {
	for _, at := range []uint32{vidiocReqBufs, vidiocQueryBuf, vidiocQBuf, vidiocStreamOn, 0} {
		k := newFakeKernel(t)
		c, err := openFake(t, k, Options{})
		if err != nil {
			t.Fatal(err)
		}
		k.fail[at] = unix.ENODEV
		if _, err := c.Stream(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("request %#x: %v", at, err)
		}
		k.do(func() {
			if k.lent != 0 || len(k.mapped) != 0 || k.on {
				t.Errorf("request %#x leaves %d buffers, %d mappings", at, k.lent, len(k.mapped))
			}
			delete(k.fail, at)
		})
		// Put back, the same open camera serves: nothing was left behind that makes it busy.
		s, err := c.Stream(t.Context())
		if err != nil {
			t.Fatalf("request %#x: %v", at, err)
		}
		_ = s.Close()
	}
	k := newFakeKernel(t)
	c, s := mustFake(t, k, Options{})
	var f devices.Frame
	if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	k.do(func() { k.unplug = true })
	var err error
	for err == nil {
		err = s.Next(t.Context(), &f, devices.View{})
	}
	if !errors.Is(err, devices.ErrNoDevice) { // not that it was silent for too long
		t.Error(err)
	}
	if _, err := c.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("probe: %v", err)
	}
	_ = s.Close()
	if _, err := c.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("probe after the stream: %v", err)
	}
}

func TestBuffersGoBackInOrder(t *testing.T) {
	k := newFakeKernel(t)
	_, s := mustFake(t, k, Options{})
	_ = s.Close()
	if want := []string{"reqbufs", "streamoff", "munmap", "munmap", "munmap", "munmap", "reqbufs"}; !slices.Equal(k.order, want) {
		t.Errorf("%v", k.order)
	}
}

func TestALyingKernelIsRefused(t *testing.T) {
	k := newFakeKernel(t)
	_, s := mustFake(t, k, Options{})
	k.do(func() { k.index = 9 })
	var f devices.Frame
	var err error
	for err == nil {
		err = s.Next(t.Context(), &f, devices.View{})
	}
	if !errors.Is(err, devices.ErrProtocol) {
		t.Errorf("a buffer that does not exist: %v", err)
	}
	_ = s.Close()
	k.index = 0
	k.failOnce[vidiocReqBufs] = unix.EBUSY
	c, err := openFake(t, newFakeKernel(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.src.(*video).k.(*fakeKernel).failOnce[vidiocReqBufs] = unix.EBUSY
	if _, err := c.Stream(t.Context()); !errors.Is(err, devices.ErrBusy) {
		t.Errorf("another program has it: %v", err)
	}
}

func TestControlsAreSetAndReadBack(t *testing.T) {
	k := newFakeKernel(t)
	_, s := mustFake(t, k, Options{})
	if k.controls[ctrlMains] != 1 || k.controls[ctrlExposurePriority] != 0 || k.controls[ctrlExposureAuto] != 3 {
		t.Errorf("%v", k.controls)
	}
	if err := s.Hold(true); err != nil {
		t.Fatal(err)
	}
	if k.controls[ctrlAutoWhiteBalance] != 0 || k.controls[ctrlWhiteBalance] != 4600 || k.controls[ctrlExposureAuto] != 1 || k.controls[ctrlExposure] != 157 {
		t.Errorf("held: %v", k.controls)
	}
	if err := s.Hold(false); err != nil || k.controls[ctrlAutoWhiteBalance] != 1 || k.controls[ctrlExposureAuto] != 3 {
		t.Errorf("let go: %v %v", err, k.controls)
	}
	k.do(func() { k.clamps = true })
	if err := s.Hold(true); !errors.Is(err, devices.ErrFixedCamera) {
		t.Errorf("a camera that takes another value: %v", err)
	}
	k.do(func() { k.clamps = false; delete(k.controls, ctrlAutoWhiteBalance) })
	if err := s.Hold(true); !errors.Is(err, devices.ErrFixedCamera) {
		t.Errorf("a camera without the control: %v", err)
	}
	k = newFakeKernel(t)
	if _, err := openFake(t, k, Options{MainsHz: 60, Exposure: 200, WhiteBalance: 5000}); err != nil {
		t.Fatal(err)
	}
	if k.controls[ctrlMains] != 2 || k.controls[ctrlExposure] != 200 || k.controls[ctrlWhiteBalance] != 5000 {
		t.Errorf("%v", k.controls)
	}
}

func TestPicturesAreWipedWithTheVisit(t *testing.T) {
	k := newFakeKernel(t)
	_, s := mustFake(t, k, Options{Format: MJPEG})
	var f devices.Frame
	for range 3 {
		if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
			t.Fatal(err)
		}
	}
	st := s.(*stream)
	var rooms [][]byte
	st.mu.Lock()
	for i := range st.ring {
		rooms = append(rooms, st.ring[i].data)
	}
	st.mu.Unlock()
	st.drawing.Lock()
	rooms = append(rooms, st.work.data)
	st.drawing.Unlock()
	_ = s.Close()
	held := 0
	for _, r := range append(rooms, k.memory...) {
		held += len(r)
		for _, b := range r {
			if b != 0 {
				t.Fatal("a picture is left")
			}
		}
	}
	if held < 10000 {
		t.Errorf("only %d bytes looked at", held)
	}
}

func TestSilentCameraEndsTheStream(t *testing.T) {
	k := newFakeKernel(t)
	_, s := mustFake(t, k, Options{})
	var f devices.Frame
	if err := s.Next(t.Context(), &f, devices.View{}); err != nil {
		t.Fatal(err)
	}
	k.do(func() { k.fail[vidiocDQBuf] = unix.EAGAIN })
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	var err error
	for err == nil {
		err = s.Next(ctx, &f, devices.View{})
	}
	if !errors.Is(err, devices.ErrSilent) {
		t.Errorf("%v", err)
	}
}
