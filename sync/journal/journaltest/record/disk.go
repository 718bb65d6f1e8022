//go:build linux

package record

// What a disk holds after a power cut.

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// sector is what a disk writes wholly or not at all.
const sector = 512

// Disk follows a log. Lying makes it a disk that confirms syncs and does not do some of them.
type Disk struct {
	Lying float64 // probability with which a sync is not done
	Rand  *rand.Rand

	files map[uint64]*file
	names map[string]uint64 // durable, by path from the root
	later []Op              // changes of names since
	dirs  map[uint64]string // inode of a directory → its path
}

type file struct {
	durable []byte
	later   []Op
}

// NewDisk is an empty disk; root is the root directory's inode.
func NewDisk(root uint64, r *rand.Rand) *Disk {
	return &Disk{Rand: r, files: map[uint64]*file{}, names: map[string]uint64{}, dirs: map[uint64]string{root: ""}}
}

func (d *Disk) file(ino uint64) *file {
	if d.files[ino] == nil {
		d.files[ino] = &file{}
	}
	return d.files[ino]
}

// Apply takes the next operation.
func (d *Disk) Apply(op Op) {
	switch op.Kind {
	case Write, Truncate:
		f := d.file(op.Ino)
		f.later = append(f.later, op)
	case Sync:
		if d.lies() {
			return
		}
		f := d.file(op.Ino)
		for _, o := range f.later {
			f.durable = o.on(f.durable)
		}
		f.later = nil
	case SyncDir:
		if d.lies() {
			return
		}
		rest := d.later[:0:0]
		for _, o := range d.later {
			if o.Dir == op.Dir || o.Kind == Rename && o.ToDir == op.Dir {
				d.rename(d.names, o)
			} else {
				rest = append(rest, o)
			}
		}
		d.later = rest
	case Mkdir:
		d.dirs[op.Ino] = path.Join(d.dirs[op.Dir], op.Name)
		d.later = append(d.later, op)
	default:
		d.later = append(d.later, op)
	}
}

func (d *Disk) lies() bool { return d.Lying > 0 && d.Rand.Float64() < d.Lying }

func (o Op) on(b []byte) []byte {
	if o.Kind == Truncate {
		return resize(b, o.Off)
	}
	return put(b, o.Data, o.Off)
}

func (d *Disk) rename(names map[string]uint64, o Op) {
	at := path.Join(d.dirs[o.Dir], o.Name)
	switch o.Kind {
	case Create, Mkdir, Link:
		names[at] = o.Ino
	case Unlink:
		delete(names, at)
	case Rename:
		names[path.Join(d.dirs[o.ToDir], o.ToName)] = names[at]
		delete(names, at)
	}
}

// Cut is one state that a power cut may leave: contents by path, directories with nil.
type Cut map[string][]byte

// Cut draws a state. All of what was not synced is there, nothing of it, some whole operations, or some sectors of each.
func (d *Disk) Cut() Cut {
	names := maps.Clone(d.names)
	for _, o := range d.later[:d.Rand.IntN(len(d.later)+1)] {
		d.rename(names, o)
	}
	mode := d.Rand.IntN(5)
	c := Cut{}
	for _, p := range slices.Sorted(maps.Keys(names)) {
		if _, is := d.dirs[names[p]]; is {
			c[p] = nil
			continue
		}
		c[p] = d.contents(d.file(names[p]), mode)
	}
	return c
}

func (d *Disk) contents(f *file, mode int) []byte {
	b := bytes.Clone(f.durable)
	if b == nil {
		b = []byte{}
	}
	keep := f.later
	switch mode {
	case 0:
		return b
	case 1:
	case 2: // in order, up to some place
		keep = keep[:d.Rand.IntN(len(keep)+1)]
	case 3: // whole operations, in any order
		keep = nil
		for _, o := range f.later {
			if d.Rand.IntN(2) == 0 {
				keep = append(keep, o)
			}
		}
	case 4: // sectors
		for _, o := range f.later {
			b = d.sectors(b, o)
		}
		return b
	}
	for _, o := range keep {
		b = o.on(b)
	}
	return b
}

// sectors does a random part of one operation.
func (d *Disk) sectors(b []byte, o Op) []byte {
	if o.Kind == Truncate {
		if d.Rand.IntN(2) == 0 {
			b = o.on(b)
		}
		return b
	}
	for at := int64(0); at < int64(len(o.Data)); {
		n := min(sector-(o.Off+at)%sector, int64(len(o.Data))-at)
		if d.Rand.IntN(2) == 0 {
			b = put(b, o.Data[at:at+n], o.Off+at)
		}
		at += n
	}
	return b
}

// Sum tells states apart.
func (c Cut) Sum() [32]byte {
	h := sha256.New()
	for _, p := range slices.Sorted(maps.Keys(c)) {
		part := sha256.Sum256(c[p])
		h.Write([]byte(p + "\x00"))
		h.Write(part[:])
	}
	return [32]byte(h.Sum(nil))
}
