//go:build linux && (amd64 || arm64 || loong64 || riscv64)

package camera

// The kernel's side of V4L2: linux/videodev2.h on 64-bit machines, and the calls that are made of it.

import (
	"bytes"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A kernel answers the calls. Tests put another in its place.
type kernel interface {
	open(path string) (fd int, err error)
	close(fd int) error
	ioctl(fd int, request uint32, arg unsafe.Pointer) error
	mmap(fd int, offset int64, length int) ([]byte, error)
	munmap([]byte) error
	// poll waits until a picture is there, the device is gone (ready as well: the next call says so), or for.
	poll(fd int, wait time.Duration) (ready bool, err error)
}

func ptr[T any](v *T) unsafe.Pointer { return unsafe.Pointer(v) }

// request is an ioctl's number (asm-generic/ioctl.h); direction 1 writes to the kernel, 2 reads, 3 both.
func request(direction, number uint32, size uintptr) uint32 {
	return direction<<30 | uint32(size)<<16 | 'V'<<8 | number
}

var (
	vidiocQueryCap       = request(2, 0, unsafe.Sizeof(capability{}))
	vidiocEnumFmt        = request(3, 2, unsafe.Sizeof(formatDesc{}))
	vidiocSFmt           = request(3, 5, unsafe.Sizeof(format{}))
	vidiocReqBufs        = request(3, 8, unsafe.Sizeof(requestBuffers{}))
	vidiocQueryBuf       = request(3, 9, unsafe.Sizeof(buffer{}))
	vidiocQBuf           = request(3, 15, unsafe.Sizeof(buffer{}))
	vidiocDQBuf          = request(3, 17, unsafe.Sizeof(buffer{}))
	vidiocStreamOn       = request(1, 18, 4)
	vidiocStreamOff      = request(1, 19, 4)
	vidiocSParm          = request(3, 22, unsafe.Sizeof(streamParm{}))
	vidiocGCtrl          = request(3, 27, unsafe.Sizeof(control{}))
	vidiocSCtrl          = request(3, 28, unsafe.Sizeof(control{}))
	vidiocEnumFrameSizes = request(3, 74, unsafe.Sizeof(frameSize{}))
	vidiocEnumIntervals  = request(3, 75, unsafe.Sizeof(frameInterval{}))
)

const (
	capCapture    = 0x00000001
	capStreaming  = 0x04000000
	capDeviceCaps = 0x80000000

	bufCapture    = 1
	memoryMmap    = 1
	fieldAny      = 0
	frameDiscrete = 1
	fullRange     = 1

	bufError     = 0x0040
	bufMonotonic = 0x2000
)

// fourcc is a pixel format's code.
func fourcc(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

type capability struct {
	driver       [16]byte
	card         [32]byte
	_            [32]byte // where it is
	_            uint32   // version of the driver
	capabilities uint32   // of the whole device
	deviceCaps   uint32   // of this node
	_            [3]uint32
}

// camera tells a node that gives pictures from its metadata sister.
func (c *capability) camera() bool {
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	return caps&capCapture != 0 && caps&capStreaming != 0
}

// text is a name up to its NUL, printable ASCII only: a device may call itself anything.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c >= 0x20 && c < 0x7F {
			out = append(out, c)
		}
	}
	return string(bytes.TrimSpace(out))
}

type formatDesc struct {
	index, kind uint32
	_           uint32   // flags
	_           [32]byte // description
	pixelFormat uint32
	_           [4]uint32
}

type pixFormat struct {
	width, height, pixelFormat, field, stride uint32
	sizeImage                                 uint32    // what buffers will have; each says so itself
	_                                         [4]uint32 // colour space, private, flags, encoding
	quantization                              uint32
	_                                         uint32 // transfer function
}

type format struct {
	kind uint32
	_    uint32 // the union holds pointers
	pix  pixFormat
	_    [200 - 48]byte
}

type requestBuffers struct {
	count, kind, memory uint32
	_                   [2]uint32 // capabilities, flags
}

type buffer struct {
	index, kind, bytesUsed, flags uint32
	_                             [2]uint32 // field
	seconds, microseconds         int64
	_                             [16]byte // time code
	sequence, memory              uint32
	m                             uint64 // a union: offset of the mapping
	length                        uint32
	_                             [3]uint32
}

func (b *buffer) offset() uint32 { return uint32(b.m) }

type streamParm struct {
	kind                   uint32
	_                      [2]uint32 // capability, mode
	numerator, denominator uint32
	_                      [2]uint32 // extended mode, buffers for read
	_                      [4]uint32
	_                      [200 - 40]byte
}

type control struct {
	id    uint32
	value int32
}

type frameSize struct {
	index, pixelFormat, kind uint32
	u                        [6]uint32 // width, height; or least, most, step of both
	_                        [2]uint32
}

type frameInterval struct {
	index, pixelFormat, width, height, kind uint32
	u                                       [6]uint32 // numerator, denominator; or least, most, step
	_                                       [2]uint32
}

// linux is the kernel of this machine.
type linux struct{}

func (linux) open(path string) (int, error) {
	return unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}

func (linux) close(fd int) error { return unix.Close(fd) }

func (linux) ioctl(fd int, request uint32, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

func (linux) mmap(fd int, offset int64, length int) ([]byte, error) {
	return unix.Mmap(fd, offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (linux) munmap(b []byte) error { return unix.Munmap(b) }

func (linux) poll(fd int, wait time.Duration) (bool, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, int(wait.Milliseconds()))
	if err == unix.EINTR {
		return false, nil
	}
	return n > 0, err
}
