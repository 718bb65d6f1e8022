package usb

// Plugging in and out, as the kernel tells it to everybody who listens. libusb's own hot-plug needs udevd, and gousb has none.

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// gather is how long one plugging-in may send messages before anybody is told: a device sends some ten of them.
	gather = 60 * time.Millisecond
	// rest is the least time between two tellings, so that a device that comes and goes all the time costs little.
	rest = 250 * time.Millisecond
	// lookAnyway is how often devices are compared where the kernel tells nothing.
	lookAnyway = 500 * time.Millisecond
)

// Watch calls changed after USB devices came or went, until ctx ends: once for everything that happens within 60 ms, and at most
// four times a second. Where the kernel's messages cannot be had, it compares the list of devices twice a second instead.
func Watch(ctx context.Context, changed func()) {
	told := make(chan struct{}, 1)
	go func() {
		if listen(ctx, told) != nil {
			compare(ctx, told)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-told:
		}
		if !pause(ctx, gather) {
			return
		}
		select {
		case <-told:
		default:
		}
		changed()
		if !pause(ctx, rest-gather) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func tell(told chan<- struct{}) {
	select {
	case told <- struct{}{}:
	default:
	}
}

// listen reads the kernel's uevents until ctx ends. It returns an error if there are none to be had.
func listen(ctx context.Context, told chan<- struct{}) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return err
	}
	f := os.NewFile(uintptr(fd), "uevents")
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	defer stop()
	defer f.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := f.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			tell(told) // messages were lost; what is there will be looked at
		case err != nil:
			return err
		case ours(buf[:n]):
			tell(told)
		}
	}
}

// ours says whether a message is of a USB device that came or went: "add@/devices/…\0ACTION=add\0…\0DEVTYPE=usb_device\0".
func ours(m []byte) bool {
	head, _, _ := bytes.Cut(m, []byte{0})
	action, _, ok := bytes.Cut(head, []byte{'@'})
	if !ok || !(string(action) == "add" || string(action) == "remove" || string(action) == "bind") {
		return false
	}
	return bytes.Contains(m, []byte("\x00DEVTYPE=usb_device\x00"))
}

// compare looks at the list's names and numbers.
func compare(ctx context.Context, told chan<- struct{}) {
	last := ""
	for first := true; ; first = false {
		now := ""
		if all, err := List(); err == nil {
			var b bytes.Buffer
			for _, i := range all {
				b.WriteString(i.Path)
				b.WriteByte(byte(i.Number))
				b.WriteByte(' ')
			}
			now = b.String()
		}
		if !first && now != last {
			tell(told)
		}
		last = now
		if !pause(ctx, lookAnyway) {
			return
		}
	}
}
