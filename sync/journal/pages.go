package journal

// Pages: reading a database's B+ trees with suspicion, before bbolt maps the file and believes it. On damaged pages bbolt
// panics, ends the process by a fault, or walks in circles until memory is used up.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// bbolt's layout, in the machine's own byte order.
//
//	page header   16  id 8, flags 2, count 2, overflow 4
//	meta          64  magic 4, version 4, page size 4, flags 4, root 8, sequence 8, freelist 8, high-water page 8,
//	                  transaction 8, FNV-1a of the 56 bytes before 8
//	branch        16  position 4 (from this element), key length 4, page 8
//	leaf          16  flags 4 (1: a bucket), position 4, key length 4, value length 4
//	bucket        16  root 8 (0: a page follows inline), sequence 8
const (
	pageHeader = 16
	metaLength = 64
	element    = 16

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	// maxDepth is more than any tree of a file within a quota has; maxNesting is how deep the journal nests buckets.
	maxDepth   = 40
	maxNesting = 2
)

var order = binary.NativeEndian

// boltMeta is what a valid meta page says.
type boltMeta struct {
	pageSize             int64
	root, freelist, high uint64
	txid                 uint64
}

func parseMeta(b []byte) (m boltMeta, ok bool) {
	if len(b) < metaLength || order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion {
		return m, false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaLength-8])
	if sum.Sum64() != order.Uint64(b[metaLength-8:]) {
		return m, false
	}
	m = boltMeta{int64(order.Uint32(b[8:])), order.Uint64(b[16:]), order.Uint64(b[32:]), order.Uint64(b[40:]), order.Uint64(b[48:])}
	return m, m.pageSize >= 1024 && m.pageSize <= 64<<10 && m.pageSize&(m.pageSize-1) == 0
}

// newestMeta finds the meta page that bbolt will go by.
func newestMeta(r io.ReaderAt) (best boltMeta, found bool) {
	var b [metaLength]byte
	take := func(at int64) {
		if _, err := r.ReadAt(b[:], at+pageHeader); err != nil {
			return
		}
		m, ok := parseMeta(b[:])
		if ok && (at == 0 || at == m.pageSize) && (!found || m.txid > best.txid) {
			best, found = m, true
		}
	}
	take(0)
	for size := int64(1024); size <= 64<<10; size *= 2 {
		take(size)
	}
	return best, found
}

// boltTxid is the highest transaction id that a database's meta pages name, 0 when none can be read.
func boltTxid(r io.ReaderAt) uint64 {
	m, _ := newestMeta(r)
	return m.txid
}

// sequenceOf is the sequence of a bucket as the file shows it, however much of the file is damaged; 0 when it cannot be found.
func sequenceOf(r io.ReaderAt, size int64, name []byte) uint64 {
	m, found := newestMeta(r)
	if !found || m.high < 3 || m.high > uint64(size/m.pageSize)+1 {
		return 0
	}
	p := &pages{r: r, meta: m, seen: make([]bool, m.high), want: name}
	_ = p.tree(m.root, 0, 0)
	return p.got
}

// pages walks a file's trees.
type pages struct {
	r    io.ReaderAt
	meta boltMeta
	seen []bool
	want []byte // a bucket in the root whose sequence is wanted
	got  uint64
}

// checkPages reads every page that can be reached, each at most once, and checks everything that bbolt relies on: bounds,
// kinds, order of keys, and that no page is used twice or is both used and free.
func checkPages(r io.ReaderAt, size int64) error {
	m, found := newestMeta(r)
	if !found {
		return errors.New("neither meta page can be read")
	}
	if m.high < 3 || m.high > uint64(math.MaxInt64)/uint64(m.pageSize) || int64(m.high)*m.pageSize > size {
		return fmt.Errorf("%d bytes long, its %d pages need more", size, m.high)
	}
	p := &pages{r: r, meta: m, seen: make([]bool, m.high)}
	p.seen[0], p.seen[1] = true, true
	if err := p.tree(m.root, 0, 0); err != nil {
		return err
	}
	return p.freelist(m.freelist)
}

// page reads a page with its overflow, and marks it as used.
func (p *pages) page(id uint64) (b []byte, flags uint16, count int, err error) {
	if id < 2 || id >= p.meta.high {
		return nil, 0, 0, fmt.Errorf("page %d of %d", id, p.meta.high)
	}
	head := make([]byte, pageHeader)
	if _, err := p.r.ReadAt(head, int64(id)*p.meta.pageSize); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	over := uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || id+over >= p.meta.high {
		return nil, 0, 0, fmt.Errorf("page %d says that it is page %d with %d more", id, order.Uint64(head), over)
	}
	for n := id; n <= id+over; n++ {
		if p.seen[n] {
			return nil, 0, 0, fmt.Errorf("page %d is used twice", n)
		}
		p.seen[n] = true
	}
	b = make([]byte, int64(over+1)*p.meta.pageSize)
	if _, err := p.r.ReadAt(b, int64(id)*p.meta.pageSize); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	return b, order.Uint16(head[8:]), int(order.Uint16(head[10:])), nil
}

func (p *pages) tree(id uint64, depth, nesting int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d lies too deep", id)
	}
	b, flags, count, err := p.page(id)
	if err != nil {
		return err
	}
	switch flags {
	case flagBranch:
		return p.branch(id, b, count, depth, nesting)
	case flagLeaf:
		return p.leaf(id, b, count, nesting)
	}
	return fmt.Errorf("page %d is of kind %#x", id, flags)
}

// piece is a part of a page, found from an element's place.
func piece(b []byte, from int, pos, n uint32) ([]byte, bool) {
	start := uint64(from) + uint64(pos)
	if start+uint64(n) > uint64(len(b)) {
		return nil, false
	}
	return b[start : start+uint64(n)], true
}

func (p *pages) branch(id uint64, b []byte, count, depth, nesting int) error {
	if count == 0 || pageHeader+count*element > len(b) {
		return fmt.Errorf("page %d: %d branches", id, count)
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*element
		key, ok := piece(b, at, order.Uint32(b[at:]), order.Uint32(b[at+4:]))
		if !ok || i > 0 && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("page %d: key %d", id, i)
		}
		last = key
		if err := p.tree(order.Uint64(b[at+8:]), depth+1, nesting); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) leaf(id uint64, b []byte, count, nesting int) error {
	if pageHeader+count*element > len(b) {
		return fmt.Errorf("page %d: %d entries", id, count)
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*element
		flags, pos, klen, vlen := order.Uint32(b[at:]), order.Uint32(b[at+4:]), order.Uint32(b[at+8:]), order.Uint32(b[at+12:])
		key, ok := piece(b, at, pos, klen)
		if !ok || len(key) == 0 || i > 0 && bytes.Compare(last, key) >= 0 || flags > 1 || uint64(pos)+uint64(klen) > math.MaxUint32 {
			return fmt.Errorf("page %d: entry %d", id, i)
		}
		last = key
		value, ok := piece(b, at, pos+klen, vlen)
		if !ok {
			return fmt.Errorf("page %d: value %d", id, i)
		}
		// The root page holds nothing but buckets.
		if nesting == 0 && flags == 0 {
			return fmt.Errorf("page %d: entry %d is no bucket", id, i)
		}
		if flags == 1 {
			if p.want != nil {
				if nesting == 0 && bytes.Equal(key, p.want) && len(value) >= 16 {
					p.got = order.Uint64(value[8:])
				}
				continue
			}
			if err := p.bucket(id, value, nesting+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pages) bucket(id uint64, value []byte, nesting int) error {
	if nesting > maxNesting || len(value) < 16 {
		return fmt.Errorf("page %d: a bucket of %d bytes, %d deep", id, len(value), nesting)
	}
	if root := order.Uint64(value); root != 0 {
		return p.tree(root, 0, nesting)
	}
	inline := value[16:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != flagLeaf {
		return fmt.Errorf("page %d: an inline bucket of %d bytes", id, len(inline))
	}
	return p.leaf(id, inline, int(order.Uint16(inline[10:])), nesting)
}

func (p *pages) freelist(id uint64) error {
	b, flags, count, err := p.page(id)
	if err != nil {
		return fmt.Errorf("freelist: %w", err)
	}
	if flags != flagFreelist {
		return fmt.Errorf("freelist: page %d is of kind %#x", id, flags)
	}
	ids := b[pageHeader:]
	n := uint64(count)
	if count == 0xFFFF {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return fmt.Errorf("freelist: %d pages", n)
	}
	for i := range n {
		free := order.Uint64(ids[i*8:])
		if free < 2 || free >= p.meta.high || p.seen[free] {
			return fmt.Errorf("freelist: page %d is in use or none", free)
		}
		p.seen[free] = true
	}
	for id, seen := range p.seen {
		if !seen {
			return fmt.Errorf("page %d is neither used nor free", id)
		}
	}
	return nil
}
