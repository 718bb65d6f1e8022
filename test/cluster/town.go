// Package cluster is a second host, and more: houses on one machine, each a network namespace of its own with a cable to a
// switch that can delay, lose and cut, and in them a PostgreSQL cluster of three nodes run by Patroni over etcd behind
// HAProxy, all of them Debian's packages as they are.
//
//	town, err := cluster.NewTown()
//	hall, err := town.Build("hall", "10.77.0.30")
//	town.Wire("hall", cluster.Line{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.01})
//	hall.Start(exec.Command("ping", "10.77.0.11"))
//	town.Cut("hall", "n1"); town.Mend()
//
//	pg, err := cluster.Start(ctx, town, dir)     // n1, n2, n3 and the city's house with HAProxy in it
//	pg.Primary(ctx); pg.Nodes[0].PowerOff(); pg.Nodes[0].PowerOn()
//
// The kernels' TCP speaks over the cables, and its packets are what is delayed and lost. The switch is a part of this process
// and not tc's netem, which many kernels are built without; so a line can also be cut between two houses only. It takes root and
// /dev/net/tun. Namespaces have no names and cables no files: with this process they are gone.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrMayNot: this machine's owner does not let us make networks of our own. No package helps.
var ErrMayNot = errors.New("this machine does not let us make networks of our own")

// Usable says why there can be no town here; nil when there can. [ErrMayNot] when it is not a program that is missing.
func Usable() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("network namespaces need root: %w", ErrMayNot)
	}
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMayNot, err)
	}
	_ = tun.Close()
	own := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and its network with it
		own <- unix.Unshare(unix.CLONE_NEWNET)
	}()
	if err := <-own; err != nil {
		return fmt.Errorf("%w: %w", ErrMayNot, err)
	}
	_, err = exec.LookPath("ip")
	return err
}

// Line is what a house's cable does to each frame, in either direction.
type Line struct {
	Delay, Jitter time.Duration // Delay ± Jitter
	Loss          float64       // share of frames, 0 to 1
}

// Town is houses around a switch.
type Town struct {
	mu     sync.RWMutex
	houses map[string]*House
	lines  map[string]Line
	cuts   map[[2]string]bool

	carried, lost, cut atomic.Int64
}

// House is a network namespace with an address.
type House struct {
	Name, Address string

	town  *Town
	space *os.File
	id    string // as /proc/PID/ns/net links to it
	cable *os.File
	mac   [6]byte
}

// NewTown makes a switch without houses.
func NewTown() (*Town, error) {
	if err := Usable(); err != nil {
		return nil, err
	}
	return &Town{houses: map[string]*House{}, lines: map[string]Line{}, cuts: map[[2]string]bool{}}, nil
}

// Build makes a house with an address in the town's one net, 10.77.0.0/24.
func (t *Town) Build(name, address string) (*House, error) {
	h := &House{Name: name, Address: address, town: t}
	var err error
	if h.space, err = newSpace(); err != nil {
		return nil, err
	}
	if h.id, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", h.space.Fd())); err != nil {
		return nil, err
	}
	if err = h.within(func() (err error) { h.cable, err = newCable(); return err }); err != nil {
		return nil, err
	}
	for _, arg := range []string{"link set lo up", "address add " + address + "/24 dev eth0", "link set eth0 up"} {
		if out, err := h.output(exec.Command("ip", strings.Fields(arg)...)); err != nil {
			return nil, fmt.Errorf("ip %s: %w: %s", arg, err, out)
		}
	}
	if err = h.within(func() error {
		card, err := net.InterfaceByName("eth0")
		if err == nil {
			copy(h.mac[:], card.HardwareAddr)
		}
		return err
	}); err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.houses[name] = h
	t.mu.Unlock()
	go h.send()
	return h, nil
}

// newSpace makes a network namespace that lives as long as the file or a process in it.
func newSpace() (space *os.File, err error) {
	made := make(chan struct{})
	go func() {
		defer close(made)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			space, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-made
	return space, err
}

// newCable makes eth0 in the thread's namespace; what is written to the file arrives there, what is sent there is read.
func newCable() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	r, err := unix.NewIfreq("eth0")
	if err == nil {
		r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "eth0"), nil
}

// within does something on a thread that is in the house. What it starts and opens is there; it must not wait for other goroutines.
func (h *House) within(do func() error) (err error) {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		defer own.Close()
		err = unix.Setns(int(h.space.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = do()
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // a thread in the wrong place stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// Set sets one of the kernel's settings for the house, by its path under /proc/sys.
func (h *House) Set(path, value string) error {
	return h.within(func() error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0o600) })
}

// Start starts a program in the house.
func (h *House) Start(cmd *exec.Cmd) error { return h.within(cmd.Start) }

func (h *House) output(cmd *exec.Cmd) (string, error) {
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	err := h.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return said.String(), err
}

// Dial connects from the house; the address is a number, not a name.
func (h *House) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = h.within(func() error {
		c, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// send carries the house's frames away until the cable is gone.
func (h *House) send() {
	buf := make([]byte, 1<<16)
	for {
		n, err := h.cable.Read(buf)
		if err != nil {
			return
		}
		if n < 14 {
			continue
		}
		frame := append([]byte(nil), buf[:n]...)
		h.town.mu.RLock()
		for _, to := range h.town.houses {
			if to != h && (frame[0]&1 == 1 || [6]byte(frame[:6]) == to.mac) {
				h.town.carry(h, to, frame)
			}
		}
		h.town.mu.RUnlock()
	}
}

// carry takes a frame from house to house, as both cables are.
func (t *Town) carry(from, to *House, frame []byte) {
	if t.cuts[pair(from.Name, to.Name)] {
		t.cut.Add(1)
		return
	}
	var wait time.Duration
	for _, l := range []Line{t.lines[from.Name], t.lines[to.Name]} {
		if l.Loss > 0 && rand.Float64() < l.Loss {
			t.lost.Add(1)
			return
		}
		wait += l.Delay
		if l.Jitter > 0 {
			wait += rand.N(2*l.Jitter) - l.Jitter
		}
	}
	t.carried.Add(1)
	if wait <= 0 {
		_, _ = to.cable.Write(frame) // a full card loses it, as on any net
		return
	}
	time.AfterFunc(wait, func() { _, _ = to.cable.Write(frame) })
}

func pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

// Wire makes a house's cable one that delays and loses.
func (t *Town) Wire(house string, l Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[house] = l
}

// Cut parts a house from some others, or from all when none is named: no frame passes, and nobody is told.
func (t *Town) Cut(house string, others ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(others) == 0 {
		for name := range t.houses {
			t.cuts[pair(house, name)] = true
		}
	}
	for _, o := range others {
		t.cuts[pair(house, o)] = true
	}
}

// Join undoes all cuts of a house.
func (t *Town) Join(house string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.cuts {
		if p[0] == house || p[1] == house {
			delete(t.cuts, p)
		}
	}
}

// Mend undoes all cuts.
func (t *Town) Mend() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.cuts)
}

// Frames says how many frames were carried, lost on bad lines, and dropped at cuts.
func (t *Town) Frames() (carried, lost, cut int64) {
	return t.carried.Load(), t.lost.Load(), t.cut.Load()
}

// processes are those in the house whose name is one of some, or all.
func (h *House) processes(names ...string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		if id, err := os.Readlink(filepath.Join(dir, "ns/net")); err != nil || id != h.id {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		wanted := len(names) == 0
		for _, n := range names {
			wanted = wanted || strings.TrimSpace(string(name)) == n
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); wanted && err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Signal sends a signal to all processes in the house, or to those of some names, and returns to how many.
func (h *House) Signal(s syscall.Signal, names ...string) int {
	pids := h.processes(names...)
	for _, pid := range pids {
		_ = syscall.Kill(pid, s)
	}
	return len(pids)
}

// Kill ends all processes in the house, or those of some names, at once, and returns how many there were.
func (h *House) Kill(names ...string) (n int) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m := h.Signal(syscall.SIGKILL, names...)
		if m == 0 {
			break
		}
		n = max(n, m)
	}
	return n
}

// Close ends everything in every house.
func (t *Town) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.houses {
		h.Kill()
		_ = h.cable.Close()
		_ = h.space.Close()
	}
	clear(t.houses)
}
