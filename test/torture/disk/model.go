// Package disk is a disk that loses power: a file system in memory, served through FUSE, which forgets at a power cut what
// nobody synced.
//
// [Disk] is the model. Files remember, for every page that was written since the last fsync, what the page held before; a
// directory remembers what was done to it since its last fsync. [Disk.Drop] is the cut: of every unsynced page each 512-byte
// sector is kept or lost by chance, of a directory's unsynced changes a beginning is kept, as a journalling file system would,
// and a file's unsynced length may be the old one or the new one. What was synced stays, unless the disk lies ([Disk.Lie]):
// then it says that it synced and did not.
//
// [Serve] mounts a Disk. It must run in another process than whoever maps its files: a page fault that waits for a file
// system in the same process stands in the way of Go's garbage collector, and both wait for ever.
package disk

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	pageSize = 4096
	sector   = 512
)

// Disk is the model. Its methods may be called from any goroutine.
type Disk struct {
	mu     sync.Mutex
	rand   *rand.Rand
	root   *node
	inodes uint64
	frozen bool
	full   bool
	lies   bool
}

// node is a file or a directory.
type node struct {
	ino   uint64
	dir   bool
	mode  uint32
	mtime time.Time
	links int

	data   []byte
	before map[int64][]byte // unsynced pages: what they hold durably
	size   int64            // durable length

	entries map[string]*node
	durable map[string]*node
	undone  []change // since the directory's last fsync
}

// change is one change of a directory: names and what they mean after it, nil for nothing.
type change map[string]*node

// New makes an empty disk whose chances come from a seed.
func New(seed uint64) *Disk {
	d := &Disk{rand: rand.New(rand.NewPCG(seed, 1))}
	d.root = d.node(true, 0o700)
	return d
}

func (d *Disk) node(dir bool, mode uint32) *node {
	d.inodes++
	n := &node{ino: d.inodes, dir: dir, mode: mode & 0o7777, mtime: time.Now(), links: 1}
	if dir {
		n.entries, n.durable = map[string]*node{}, map[string]*node{}
	} else {
		n.before = map[int64][]byte{}
	}
	return n
}

// Freeze is the moment at which power goes: nothing is answered any more but errors.
func (d *Disk) Freeze() { d.mu.Lock(); d.frozen = true; d.mu.Unlock() }

// Fill lets every write fail for want of room, or ends that.
func (d *Disk) Fill(full bool) { d.mu.Lock(); d.full = full; d.mu.Unlock() }

// Lie lets fsync do nothing and say that it did, or ends that.
func (d *Disk) Lie(lies bool) { d.mu.Lock(); d.lies = lies; d.mu.Unlock() }

// Settle makes everything durable: a disk that lied and got away with it.
func (d *Disk) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[*node]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if !n.dir {
			n.size = int64(len(n.data))
			clear(n.before)
			return
		}
		n.durable, n.undone = maps.Clone(n.entries), nil
		for _, e := range n.entries {
			walk(e)
		}
	}
	walk(d.root)
}

// Drop loses what a power cut loses, and gives power again. It tells how many sectors and directory changes were lost.
func (d *Disk) Drop() (lost int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[*node]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if !n.dir {
			lost += d.dropFile(n)
			return
		}
		keep := d.rand.IntN(len(n.undone) + 1)
		lost += len(n.undone) - keep
		for _, c := range n.undone[:keep] {
			c.apply(n.durable)
		}
		n.entries, n.undone = maps.Clone(n.durable), nil
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			walk(n.entries[name])
		}
	}
	walk(d.root)
	d.frozen, d.full, d.lies = false, false, false
	return lost
}

func (c change) apply(to map[string]*node) {
	for name, n := range c {
		if n == nil {
			delete(to, name)
		} else {
			to[name] = n
		}
	}
}

func (d *Disk) dropFile(n *node) (lost int) {
	if int64(len(n.data)) != n.size && d.rand.IntN(2) == 0 {
		n.data = resize(n.data, n.size)
		lost++
	}
	end := int64(len(n.data))
	for _, page := range slices.Sorted(maps.Keys(n.before)) {
		old := n.before[page]
		for at := int64(0); at < pageSize && page*pageSize+at < end; at += sector {
			if d.rand.IntN(2) == 0 {
				continue
			}
			off := page*pageSize + at
			copy(n.data[off:min(off+sector, end)], old[at:at+sector])
			lost++
		}
	}
	n.size = end
	clear(n.before)
	return lost
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		clear(b[size:])
		return b[:size]
	}
	if size > int64(cap(b)) {
		grown := make([]byte, size, max(size, 64<<10))
		copy(grown, b)
		return grown
	}
	return b[:size] // what lies between was cleared when the file was cut
}

// remember keeps what a range holds durably before it is changed for the first time since the last fsync.
func (n *node) remember(off, length int64) {
	for page := off / pageSize; page*pageSize < off+length; page++ {
		if _, known := n.before[page]; known {
			continue
		}
		old := make([]byte, pageSize)
		if at := page * pageSize; at < int64(len(n.data)) {
			copy(old, n.data[at:])
		}
		n.before[page] = old
	}
}

func (d *Disk) write(n *node, b []byte, off int64) syscall.Errno {
	switch {
	case d.frozen:
		return syscall.EIO
	case d.full:
		return syscall.ENOSPC
	}
	n.remember(off, int64(len(b)))
	if end := off + int64(len(b)); end > int64(len(n.data)) {
		n.data = resize(n.data, end)
	}
	copy(n.data[off:], b)
	n.mtime = time.Now()
	return 0
}

func (d *Disk) truncate(n *node, size int64) syscall.Errno {
	switch {
	case d.frozen:
		return syscall.EIO
	case d.full && size > int64(len(n.data)):
		return syscall.ENOSPC
	}
	if size < int64(len(n.data)) {
		n.remember(size, int64(len(n.data))-size)
	}
	n.data = resize(n.data, size)
	n.mtime = time.Now()
	return 0
}

func (d *Disk) sync(n *node) syscall.Errno {
	switch {
	case d.frozen:
		return syscall.EIO
	case d.lies:
		return 0
	case n.dir:
		n.durable, n.undone = maps.Clone(n.entries), nil
		return 0
	}
	n.size = int64(len(n.data))
	clear(n.before)
	return 0
}

// alter changes a directory.
func (d *Disk) alter(n *node, c change) syscall.Errno {
	if d.frozen {
		return syscall.EIO
	}
	c.apply(n.entries)
	n.undone = append(n.undone, c)
	n.mtime = time.Now()
	return 0
}
