//go:build linux && (amd64 || arm64 || loong64 || riscv64)

package camera

// A camera under Video4Linux2: negotiation, buffers, pictures. What the kernel may do is in kernel.go.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/budayang/kiosk/devices"
)

const (
	buffers  = 4        // of the kernel: one being filled, the others for a reader that is late
	maxMap   = 64 << 20 // bytes of one buffer
	maxEnums = 64       // formats and sizes that are looked at
)

// video is an open V4L2 node.
type video struct {
	k    kernel
	fd   int
	id   devices.Identity
	opt  Options
	pix  pixFormat
	mu   sync.Mutex // against closing under a call
	open bool
	maps [][]byte
	on   bool
}

// kernelError puts an errno in the words of package devices.
func kernelError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EIO), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: %w", doing, devices.ErrNoDevice, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: %w: %w", doing, devices.ErrBusy, err)
	case errors.Is(err, unix.ENOTTY):
		return fmt.Errorf("%s: %w: %w", doing, devices.ErrUnusable, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%s: %w: %w", doing, devices.ErrProtocol, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, devices.ErrNoDevice, err)
}

func openV4L2(path string, opt Options) (source, error) { return openVideo(linux{}, path, opt) }

func openVideo(k kernel, path string, opt Options) (_ *video, err error) {
	fd, err := k.open(path)
	if err != nil {
		return nil, kernelError(path, err)
	}
	v := &video{k: k, fd: fd, opt: opt, open: true}
	defer func() {
		if err != nil {
			_ = k.close(fd)
		}
	}()
	var c capability
	if err := k.ioctl(fd, vidiocQueryCap, ptr(&c)); err != nil {
		return nil, kernelError(path, err)
	}
	if !c.camera() {
		return nil, fmt.Errorf("%s: %w: not a capture node (a camera's metadata node?)", path, devices.ErrUnusable)
	}
	v.id = devices.Identity{Maker: text(c.driver[:]), Model: text(c.card[:]), Serial: usbSerial(path)}
	if err := v.negotiate(); err != nil {
		return nil, err
	}
	v.settings()
	return v, nil
}

// usbSerial is the serial number of the USB device behind a node, "" if there is none.
func usbSerial(path string) string {
	node, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	// The node hangs on an interface of the device; the link must be followed before its parent is taken.
	of, err := filepath.EvalSymlinks(filepath.Join("/sys/class/video4linux", filepath.Base(node), "device"))
	if err != nil {
		return ""
	}
	f, err := os.Open(filepath.Join(filepath.Dir(of), "serial"))
	if err != nil {
		return ""
	}
	defer f.Close()
	var b [128]byte
	n, _ := f.Read(b[:])
	return strings.TrimSpace(strings.ToValidUTF8(string(b[:n]), ""))
}

// A choice is a format and a size that the camera offers.
type choice struct {
	format        Format
	code          uint32
	width, height int
	rate          float64 // pictures a second, 0 when it does not say
}

// negotiate chooses a format and a size, sets them and checks what came of it.
func (v *video) negotiate() error {
	best, worst := choice{}, math.Inf(1)
	for _, c := range v.offers() {
		if cost := v.cost(c); cost < worst {
			best, worst = c, cost
		}
	}
	if best.code == 0 {
		return fmt.Errorf("%w: it gives neither YUYV nor MJPEG", devices.ErrUnusable)
	}
	f := format{kind: bufCapture}
	f.pix = pixFormat{width: uint32(best.width), height: uint32(best.height), pixelFormat: best.code, field: fieldAny}
	if err := v.k.ioctl(v.fd, vidiocSFmt, ptr(&f)); err != nil {
		return kernelError("format", err)
	}
	p := f.pix
	switch {
	case p.pixelFormat != best.code:
		return fmt.Errorf("%w: it took another format than it offered", devices.ErrUnusable)
	case p.width == 0 || p.height == 0 || p.width > maxSide || p.height > maxSide || p.width*p.height > maxPixels:
		return fmt.Errorf("%w: pictures of %d by %d", devices.ErrUnusable, p.width, p.height)
	case p.sizeImage > maxMap:
		return fmt.Errorf("%w: pictures of %d bytes", devices.ErrUnusable, p.sizeImage)
	case best.format == YUYV && (p.width%2 != 0 || p.stride < 2*p.width || uint64(p.stride)*uint64(p.height) > maxMap):
		return fmt.Errorf("%w: rows of %d bytes for %d pixels", devices.ErrUnusable, p.stride, p.width)
	}
	v.pix = p
	// The rate is a wish: cameras without a choice refuse the question.
	sp := streamParm{kind: bufCapture}
	sp.numerator, sp.denominator = 1, uint32(v.opt.Rate)
	_ = v.k.ioctl(v.fd, vidiocSParm, ptr(&sp))
	return nil
}

// cost orders what a camera offers: size first, then rate, then the format that costs least to draw.
func (v *video) cost(c choice) float64 {
	if v.opt.Format != "" && c.format != v.opt.Format || c.width > maxSide || c.height > maxSide || c.width*c.height > maxPixels {
		return math.Inf(1)
	}
	cost := math.Abs(math.Log(float64(c.width*c.height)/float64(v.opt.Width*v.opt.Height))) * 10
	cost += math.Abs(math.Log(float64(c.width)/float64(c.height)*float64(v.opt.Height)/float64(v.opt.Width))) * 3
	if c.rate > 0 && c.rate < float64(v.opt.Rate)-0.5 {
		cost += 4 * math.Log(float64(v.opt.Rate)/c.rate)
	}
	if c.format == MJPEG {
		cost += 0.1
	}
	return cost
}

// offers lists what the camera says it can.
func (v *video) offers() []choice {
	var all []choice
	for i := range uint32(maxEnums) {
		d := formatDesc{index: i, kind: bufCapture}
		if v.k.ioctl(v.fd, vidiocEnumFmt, ptr(&d)) != nil {
			break
		}
		var f Format
		switch d.pixelFormat {
		case fourcc("YUYV"):
			f = YUYV
		case fourcc("MJPG"), fourcc("JPEG"):
			f = MJPEG
		default:
			continue
		}
		sizes := v.sizes(d.pixelFormat)
		if len(sizes) == 0 {
			sizes = [][2]int{{v.opt.Width, v.opt.Height}} // it does not say: ask for what is wanted
		}
		for _, s := range sizes {
			all = append(all, choice{f, d.pixelFormat, s[0], s[1], v.fastest(d.pixelFormat, s[0], s[1])})
		}
	}
	return all
}

// sizes are those of one format; of a range, the one nearest to what is wanted.
func (v *video) sizes(code uint32) (all [][2]int) {
	for i := range uint32(maxEnums) {
		e := frameSize{index: i, pixelFormat: code}
		if v.k.ioctl(v.fd, vidiocEnumFrameSizes, ptr(&e)) != nil {
			return all
		}
		if e.kind == frameDiscrete {
			all = append(all, [2]int{int(e.u[0]), int(e.u[1])})
			continue
		}
		step := func(want int, least, most, step uint32) int {
			n := min(max(uint32(want), least), most)
			if step > 1 {
				n = least + (n-least)/step*step
			}
			return int(n)
		}
		return [][2]int{{step(v.opt.Width, e.u[0], e.u[1], e.u[2]), step(v.opt.Height, e.u[3], e.u[4], e.u[5])}}
	}
	return all
}

// fastest is the most pictures a second that the camera gives at a size, 0 when it does not say.
func (v *video) fastest(code uint32, width, height int) (rate float64) {
	for i := range uint32(maxEnums) {
		e := frameInterval{index: i, pixelFormat: code, width: uint32(width), height: uint32(height)}
		if v.k.ioctl(v.fd, vidiocEnumIntervals, ptr(&e)) != nil {
			return rate
		}
		if e.u[0] > 0 { // of a range the first is the shortest interval
			rate = max(rate, float64(e.u[1])/float64(e.u[0]))
		}
		if e.kind != frameDiscrete {
			return rate
		}
	}
	return rate
}

// Ids of controls (linux/v4l2-controls.h).
const (
	ctrlAutoWhiteBalance = 0x98090C
	ctrlMains            = 0x980918 // 1: 50 Hz, 2: 60 Hz
	ctrlWhiteBalance     = 0x98091A
	ctrlExposureAuto     = 0x9A0901 // 0 auto, 1 manual, 3 aperture priority
	ctrlExposure         = 0x9A0902
	ctrlExposurePriority = 0x9A0903 // 0: the rate does not fall in the dark
)

// set sets a control and reads it back: many cameras take a value and use another.
func (v *video) set(id uint32, value int32) error {
	c := control{id, value}
	if err := v.k.ioctl(v.fd, vidiocSCtrl, ptr(&c)); err != nil {
		return err
	}
	got, err := v.get(id)
	if err == nil && got != value {
		return fmt.Errorf("control %#x is %d after it was set to %d", id, got, value)
	}
	return err
}

func (v *video) get(id uint32) (int32, error) {
	c := control{id: id}
	err := v.k.ioctl(v.fd, vidiocGCtrl, ptr(&c))
	return c.value, err
}

// settings sets what the options say; a camera that lacks a control goes without.
func (v *video) settings() {
	_ = v.set(ctrlMains, int32(v.opt.MainsHz/10-4))
	_ = v.set(ctrlExposurePriority, 0)
	if v.opt.Exposure > 0 {
		_ = v.set(ctrlExposureAuto, 1)
		_ = v.set(ctrlExposure, int32(v.opt.Exposure))
	}
	if v.opt.WhiteBalance > 0 {
		_ = v.set(ctrlAutoWhiteBalance, 0)
		_ = v.set(ctrlWhiteBalance, int32(v.opt.WhiteBalance))
	}
}

// hold implements source. To hold, the value in use is read before the automatic is switched off, and set again after it:
// some cameras fall back to a default.
func (v *video) hold(hold bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		return devices.ErrNoDevice
	}
	if !hold {
		_ = v.set(ctrlAutoWhiteBalance, 1)
		if v.set(ctrlExposureAuto, 3) != nil {
			_ = v.set(ctrlExposureAuto, 0)
		}
		v.settings()
		return nil
	}
	fix := func(name string, auto uint32, off int32, value uint32) error {
		was, known := v.get(value)
		if err := v.set(auto, off); err != nil {
			return fmt.Errorf("%s: %w: %w", name, devices.ErrFixedCamera, err)
		}
		if known == nil {
			if err := v.set(value, was); err != nil {
				return fmt.Errorf("%s: %w: %w", name, devices.ErrFixedCamera, err)
			}
		}
		return nil
	}
	return errors.Join(fix("white balance", ctrlAutoWhiteBalance, 0, ctrlWhiteBalance),
		fix("exposure", ctrlExposureAuto, 1, ctrlExposure))
}

func (v *video) identity() devices.Identity { return v.id }

func (v *video) present(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		return devices.ErrNoDevice
	}
	var c capability
	return kernelError("asking", v.k.ioctl(v.fd, vidiocQueryCap, ptr(&c)))
}

// start asks for buffers, maps and queues them, and switches the stream on. After an error the caller calls stop.
func (v *video) start(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		return devices.ErrNoDevice
	}
	r := requestBuffers{count: buffers, kind: bufCapture, memory: memoryMmap}
	if err := v.k.ioctl(v.fd, vidiocReqBufs, ptr(&r)); err != nil {
		return kernelError("buffers", err)
	}
	if r.count < 2 || r.count > 32 {
		return fmt.Errorf("%w: %d buffers", devices.ErrUnusable, r.count)
	}
	for i := range r.count {
		b := buffer{index: i, kind: bufCapture, memory: memoryMmap}
		if err := v.k.ioctl(v.fd, vidiocQueryBuf, ptr(&b)); err != nil {
			return kernelError("buffer", err)
		}
		if b.length == 0 || b.length > maxMap {
			return fmt.Errorf("%w: buffers of %d bytes", devices.ErrUnusable, b.length)
		}
		m, err := v.k.mmap(v.fd, int64(b.offset()), int(b.length))
		if err != nil {
			return kernelError("mapping", err)
		}
		v.maps = append(v.maps, m)
		if err := v.k.ioctl(v.fd, vidiocQBuf, ptr(&b)); err != nil {
			return kernelError("queue", err)
		}
	}
	kind := int32(bufCapture)
	if err := v.k.ioctl(v.fd, vidiocStreamOn, ptr(&kind)); err != nil {
		return kernelError("stream", err)
	}
	v.on = true
	return nil
}

// stop switches the stream off, wipes and unmaps every buffer and gives them back, in this order and whatever fails: a
// buffer left behind makes the camera busy until the program ends.
func (v *video) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		return
	}
	kind := int32(bufCapture)
	_ = v.k.ioctl(v.fd, vidiocStreamOff, ptr(&kind))
	v.on = false
	for _, m := range v.maps {
		clear(m)
		_ = v.k.munmap(m)
	}
	v.maps = nil
	r := requestBuffers{kind: bufCapture, memory: memoryMmap}
	_ = v.k.ioctl(v.fd, vidiocReqBufs, ptr(&r))
}

// next implements source.
func (v *video) next(ctx context.Context, s *shot) error {
	ready, err := v.k.poll(v.fd, tick)
	if err != nil {
		return kernelError("waiting", err)
	}
	if !ready || ctx.Err() != nil {
		return errNothing
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.on {
		return devices.ErrNoDevice
	}
	b := buffer{kind: bufCapture, memory: memoryMmap}
	if err := v.k.ioctl(v.fd, vidiocDQBuf, ptr(&b)); err != nil {
		if errors.Is(err, unix.EAGAIN) {
			return errNothing
		}
		return kernelError("picture", err)
	}
	if int(b.index) >= len(v.maps) {
		return fmt.Errorf("%w: buffer %d of %d", devices.ErrProtocol, b.index, len(v.maps))
	}
	bad := v.take(&b, s)
	q := buffer{index: b.index, kind: bufCapture, memory: memoryMmap}
	if err := v.k.ioctl(v.fd, vidiocQBuf, ptr(&q)); err != nil {
		return kernelError("queue", err)
	}
	return bad
}

// take copies a filled buffer into s.
func (v *video) take(b *buffer, s *shot) error {
	data := v.maps[b.index]
	used := int(b.bytesUsed)
	if b.flags&bufError != 0 || used <= 0 || used > len(data) {
		return fmt.Errorf("%w: %d bytes, flags %#x", errPicture, used, b.flags)
	}
	p := v.pix
	*s = shot{format: MJPEG, width: int(p.width), height: int(p.height), sequence: b.sequence, at: arrived(b), data: s.data}
	if p.pixelFormat == fourcc("YUYV") {
		s.format, s.stride, s.full = YUYV, int(p.stride), p.quantization == fullRange
		need := int(p.stride) * int(p.height)
		if used < need-int(p.stride-2*p.width) { // the last row's gap may be missing
			return fmt.Errorf("%w: %d bytes of %d", errPicture, used, need)
		}
		used = min(used, need)
	} else if used > maxBytes {
		return fmt.Errorf("%w: %d bytes", errPicture, used)
	}
	s.fill(data[:used])
	return nil
}

// arrived is the time of a buffer, by the monotonic clock where the driver uses it.
func arrived(b *buffer) time.Time {
	now := time.Now()
	if b.flags&bufMonotonic == 0 {
		return now
	}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return now
	}
	age := time.Duration(ts.Nano()) - (time.Duration(b.seconds)*time.Second + time.Duration(b.microseconds)*time.Microsecond)
	if age < 0 || age > time.Minute {
		return now
	}
	return now.Add(-age)
}

func (v *video) close() error {
	v.stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		return nil
	}
	v.open = false
	return v.k.close(v.fd)
}
