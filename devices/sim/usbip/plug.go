package usbip

// The plug: a socket pair into the kernel's virtual host controller, and the goroutine that answers at the other end.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// AnyPort lets [Plug] choose a free port.
const AnyPort = -1

// controller is the folder of the virtual host controller; tests of the package use another.
const controller = "/sys/devices/platform/vhci_hcd.0"

// Plugged is a device in its port.
type Plugged struct {
	port    int
	session *session
	once    sync.Once
}

// Plug puts a device into a port of the virtual host controller (0 to 7; [AnyPort] is the first free one). It returns when the
// controller has it; enumeration follows. A port that was just left may take a moment; Plug waits up to 10 s for it.
func Plug(d *Device, port int) (*Plugged, error) {
	for end := time.Now().Add(10 * time.Second); ; {
		free, err := freePort(port)
		if err == nil {
			var p *Plugged
			if p, err = plugInto(d, free); err == nil {
				return p, nil
			}
		}
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || time.Now().After(end) {
			return nil, fmt.Errorf("usbip: plug: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

var errNoPort = errors.New("no such port is free")

// freePort reads the controller's table: "hs  0000 004 …", hub, port, state (4 is free).
func freePort(want int) (int, error) {
	table, err := os.ReadFile(filepath.Join(controller, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "hs" || f[2] != "004" {
			continue
		}
		if n, err := strconv.Atoi(f[1]); err == nil && (want == AnyPort || n == want) {
			return n, nil
		}
	}
	return 0, errNoPort
}

func plugInto(d *Device, port int) (*Plugged, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// A descriptor that blocks would make a file that cannot be closed under a read.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, err
	}
	s := newSession(d, os.NewFile(uintptr(pair[0]), "usbip"))
	speed := d.Speed
	if speed == 0 {
		speed = FullSpeed
	}
	line := fmt.Sprintf("%d %d %d %d", port, pair[1], 0x10000+port, speed)
	err = os.WriteFile(filepath.Join(controller, "attach"), []byte(line), 0)
	unix.Close(pair[1])
	if err != nil {
		s.end()
		return nil, err
	}
	go s.serve()
	return &Plugged{port: port, session: s}, nil
}

// Pull pulls the plug: the connection ends at once, as if the cable were cut. It returns when the serving goroutine is gone.
func (p *Plugged) Pull() {
	p.once.Do(p.session.close)
	<-p.session.done
}

// Detach asks the controller to let the device go in order, and waits as [Plugged.Pull] does.
func (p *Plugged) Detach() error {
	err := os.WriteFile(filepath.Join(controller, "detach"), []byte(strconv.Itoa(p.port)), 0)
	p.Pull()
	return err
}

// Gone is closed when the device is not plugged in any more.
func (p *Plugged) Gone() <-chan struct{} { return p.session.done }

// Path is the port as sysfs names it ("3-1"): what stays the same when another device is plugged in there.
func (p *Plugged) Path() (string, error) {
	hubs, err := filepath.Glob(filepath.Join(controller, "usb*", "speed"))
	if err != nil {
		return "", err
	}
	for _, h := range hubs {
		if speed, err := os.ReadFile(h); err == nil && strings.TrimSpace(string(speed)) == "480" {
			return fmt.Sprintf("%s-%d", strings.TrimPrefix(filepath.Base(filepath.Dir(h)), "usb"), p.port+1), nil
		}
	}
	return "", os.ErrNotExist
}

// session is one plugged-in life of a device.
type session struct {
	dev  *Device
	line io.ReadWriteCloser
	out  sync.Mutex
	done chan struct{}
}

func newSession(d *Device, line io.ReadWriteCloser) *session {
	s := &session{dev: d, line: line, done: make(chan struct{})}
	s.endpoints(func(e *Endpoint) { e.plug(s) })
	return s
}

func (s *session) close() { _ = s.line.Close() }

// end is for the serving goroutine, or for whoever made a session that is not served.
func (s *session) end() {
	s.close()
	s.endpoints(func(e *Endpoint) { e.pull(s) })
	close(s.done)
}

// Messages of the protocol.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
	headLen   = 48
	// maxTransfer bounds what a host may announce; libusb's largest piece is 1 MiB.
	maxTransfer = 4 << 20
)

func (s *session) endpoints(do func(*Endpoint)) {
	for _, i := range s.dev.Interfaces {
		for _, e := range i.Endpoints {
			do(e)
		}
	}
}

// serve answers the host until the line ends.
func (s *session) serve() {
	defer s.end()
	head := make([]byte, headLen)
	for {
		if _, err := io.ReadFull(s.line, head); err != nil {
			return
		}
		seq := binary.BigEndian.Uint32(head[4:])
		switch binary.BigEndian.Uint32(head) {
		case cmdSubmit:
			if !s.submitted(seq, head) {
				return
			}
		case cmdUnlink:
			s.unlink(seq, binary.BigEndian.Uint32(head[20:]))
		default:
			return
		}
	}
}

// submitted handles one transfer; false ends the session.
func (s *session) submitted(seq uint32, head []byte) bool {
	in := binary.BigEndian.Uint32(head[12:]) == 1
	number := binary.BigEndian.Uint32(head[16:])
	length := binary.BigEndian.Uint32(head[24:])
	if length > maxTransfer || number > 15 {
		return false
	}
	var data []byte
	if !in && length > 0 {
		data = make([]byte, length)
		if _, err := io.ReadFull(s.line, data); err != nil {
			return false
		}
	}
	if number == 0 {
		s.control(seq, head[40:48], in, int(length), data)
		return true
	}
	address := byte(number)
	if in {
		address |= typeIn
	}
	e := s.dev.endpoint(address)
	if e == nil {
		s.reply(seq, statusStall, 0, nil)
		return true
	}
	e.submit(&urb{seq: seq, length: int(length), data: data})
	return true
}

func (s *session) control(seq uint32, raw []byte, in bool, length int, data []byte) {
	setup := Setup{Type: raw[0], Request: raw[1], Value: binary.LittleEndian.Uint16(raw[2:]),
		Index: binary.LittleEndian.Uint16(raw[4:]), Length: binary.LittleEndian.Uint16(raw[6:])}
	answer, ok := s.dev.answer(setup, data)
	switch {
	case !ok:
		s.reply(seq, statusStall, 0, nil)
	case in:
		answer = answer[:min(len(answer), length)]
		s.reply(seq, statusOK, len(answer), answer)
	default:
		s.reply(seq, statusOK, length, nil)
	}
}

func (s *session) unlink(seq, victim uint32) {
	status := int32(statusOK)
	s.endpoints(func(e *Endpoint) {
		if e.unlink(victim) {
			status = statusUnlinked
		}
	})
	m := make([]byte, headLen)
	binary.BigEndian.PutUint32(m, retUnlink)
	binary.BigEndian.PutUint32(m[4:], seq)
	binary.BigEndian.PutUint32(m[20:], uint32(status))
	s.send(m)
}

// reply ends a transfer.
func (s *session) reply(seq uint32, status int32, n int, in []byte) {
	m := make([]byte, headLen, headLen+len(in))
	binary.BigEndian.PutUint32(m, retSubmit)
	binary.BigEndian.PutUint32(m[4:], seq)
	binary.BigEndian.PutUint32(m[20:], uint32(status))
	binary.BigEndian.PutUint32(m[24:], uint32(n))
	s.send(append(m, in...))
}

func (s *session) send(m []byte) {
	s.out.Lock()
	defer s.out.Unlock()
	_, _ = s.line.Write(m) // a line that is gone ends in serve
}
