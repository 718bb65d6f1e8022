package journal

// The spill's format: frames that can be told from anything else, read back from whatever is left of a file.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A spill is a sequence of frames, each padded with zeros to a multiple of eight bytes; numbers are big-endian.
//
//	 0  4  "BYsp"
//	 4  4  CRC-32C over everything behind it, payload included
//	 8  4  length of the payload
//	12  1  kind
//	13  3  zero
//	16  8  log: random, the same in all frames of one file
//	24  8  change: number of the change, counted by the database
//	32  8  bbolt's transaction id at it
//	40  8  wall time, ms since 1970
//	48     payload
//
// A file begins with one head, then the checkpoint's parts and its end, then changes. A frame whose number is not higher than
// an earlier change's takes that one's place: the earlier one was never committed.
const (
	spillMagic  = "BYsp"
	frameHeader = 48
	// maxFrame bounds a payload. A change that needs more is not written out: a new checkpoint follows it.
	maxFrame = 1 << 20
	// maxSpill bounds what a reader looks at.
	maxSpill = 4 << 30
	// maxNoise is how many places that look like a frame and are none a reader tries, so that no file takes it long.
	maxNoise = 4096
)

type frameKind byte

const (
	frameHead   frameKind = 1 // payload: version (1), lineage (16), terminal id
	framePart   frameKind = 2 // payload: puts of the checkpoint
	frameEnd    frameKind = 3 // the checkpoint is whole
	frameChange frameKind = 4 // payload: everything that one change put and deleted
	frameVoid   frameKind = 5 // the change of this number was not committed
	frameBulk   frameKind = 6 // a change too big to be written out
)

const spillVersion = 1

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// frame is one frame's place and header.
type frame struct {
	kind   frameKind
	log    uint64
	change uint64
	bolt   uint64
	wall   int64
	at     int64
	length int
}

func padded(n int) int { return (n + 7) &^ 7 }

// appendFrame encodes a frame behind b.
func appendFrame(b []byte, f frame, payload []byte) []byte {
	start := len(b)
	b = append(b, spillMagic...)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, byte(f.kind), 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, f.log)
	b = binary.BigEndian.AppendUint64(b, f.change)
	b = binary.BigEndian.AppendUint64(b, f.bolt)
	b = binary.BigEndian.AppendUint64(b, uint64(f.wall))
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+8:], crcTable))
	return append(b, make([]byte, padded(len(payload))-len(payload))...)
}

var errNoFrame = errors.New("no frame")

// parseHeader reads the 48 bytes in front of a payload; its checksum is not checked yet.
func parseHeader(b []byte) (f frame, err error) {
	if len(b) < frameHeader || string(b[:4]) != spillMagic {
		return f, errNoFrame
	}
	n := binary.BigEndian.Uint32(b[8:])
	if n > maxFrame || b[13]|b[14]|b[15] != 0 {
		return f, errNoFrame
	}
	return frame{kind: frameKind(b[12]), log: binary.BigEndian.Uint64(b[16:]), change: binary.BigEndian.Uint64(b[24:]),
		bolt: binary.BigEndian.Uint64(b[32:]), wall: int64(binary.BigEndian.Uint64(b[40:])), length: int(n)}, nil
}

// readFrame reads and checks the frame at a place.
func readFrame(r io.ReaderAt, at, size int64) (frame, []byte, error) {
	var head [frameHeader]byte
	if at+frameHeader > size {
		return frame{}, nil, errNoFrame
	}
	if _, err := r.ReadAt(head[:], at); err != nil {
		return frame{}, nil, fmt.Errorf("spill: %w", err)
	}
	f, err := parseHeader(head[:])
	if err != nil || at+frameHeader+int64(f.length) > size {
		return f, nil, errNoFrame
	}
	f.at = at
	payload := make([]byte, f.length)
	if _, err := r.ReadAt(payload, at+frameHeader); err != nil && f.length > 0 {
		return f, nil, fmt.Errorf("spill: %w", err)
	}
	sum := crc32.Update(crc32.Checksum(head[8:], crcTable), crcTable, payload)
	if sum != binary.BigEndian.Uint32(head[4:]) {
		return f, nil, errNoFrame
	}
	return f, payload, nil
}

// spillScan is what a reader found in a spill.
type spillScan struct {
	log      uint64
	lineage  []byte // nil when the head is lost
	terminal string
	whole    bool   // a head and a complete checkpoint lead
	base     uint64 // change of the checkpoint
	baseBolt uint64 // bbolt's transaction at it
	parts    []frame
	changes  []frame // in order, without those that were superseded or void; bulk ones too
	last     uint64  // last change that is known of
	bolt     uint64  // highest transaction id
	wall     int64
	end      int64 // behind the last frame
	torn     bool  // something that is no frame lies between or behind the frames
}

// missing lists the numbers of changes after n that are not in the scan, as they lie before its last one, at most a few.
func (s *spillScan) missing(n uint64) (gaps []uint64, bulk bool) {
	for _, f := range s.changes {
		if f.change <= n {
			continue
		}
		for n++; n < f.change && len(gaps) < 16; n++ {
			gaps = append(gaps, n)
		}
		n = f.change
		bulk = bulk || f.kind == frameBulk
	}
	return gaps, bulk
}

// forgiving reads zeros where the disk cannot read, and notes it.
type forgiving struct {
	r    io.ReaderAt
	torn *bool
}

// unreadable is how much is given up around a place that cannot be read.
const unreadable = 4096

func (f *forgiving) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.r.ReadAt(b, at)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	for done := 0; done < len(b); {
		step := min(int(unreadable-(at+int64(done))%unreadable), len(b)-done)
		if _, err := f.r.ReadAt(b[done:done+step], at+int64(done)); err != nil {
			clear(b[done : done+step])
			*f.torn = true
		}
		done += step
	}
	return len(b), nil
}

// scanSpill finds every frame that is whole, wherever it lies.
func scanSpill(r io.ReaderAt, size int64) (*spillScan, error) {
	s := &spillScan{}
	size = min(size, maxSpill)
	r = &forgiving{r, &s.torn}
	ended, noise := false, 0
	first := true
	for at := int64(0); at+frameHeader <= size; {
		f, payload, err := readFrame(r, at, size)
		if err == nil && !first && f.log != s.log {
			err = errNoFrame // of an earlier file in the same place of the disk
		}
		if errors.Is(err, errNoFrame) {
			if f.kind != 0 {
				noise++
			}
			if noise > maxNoise {
				s.torn = true
				break
			}
			next, clean, err := nextMagic(r, at, size)
			if err != nil {
				return nil, err
			}
			s.torn = s.torn || !clean || next < size
			at = next
			continue
		}
		if err != nil {
			return nil, err
		}
		if first {
			s.log, first = f.log, false
		}
		s.take(f, payload, &ended)
		at += frameHeader + int64(padded(f.length))
		s.end = at
	}
	s.whole = s.lineage != nil && ended && !s.holed()
	return s, nil
}

// holed says whether parts of the checkpoint are missing; their transaction field counts them.
func (s *spillScan) holed() bool {
	for i, f := range s.parts {
		if f.bolt != uint64(i) {
			return true
		}
	}
	return false
}

func (s *spillScan) take(f frame, payload []byte, ended *bool) {
	s.wall = max(s.wall, f.wall)
	switch f.kind {
	case frameHead:
		if len(payload) >= 17 && payload[0] == spillVersion && s.lineage == nil {
			s.lineage, s.terminal = slices.Clone(payload[1:17]), string(payload[17:])
		}
	case framePart:
		s.parts = append(s.parts, f)
	case frameEnd:
		*ended = len(payload) == 8 && uint64(len(s.parts)) == binary.BigEndian.Uint64(payload)
		s.base, s.baseBolt, s.last, s.bolt = f.change, f.bolt, max(s.last, f.change), max(s.bolt, f.bolt)
	case frameChange, frameBulk, frameVoid:
		for len(s.changes) > 0 && s.changes[len(s.changes)-1].change >= f.change {
			s.changes = s.changes[:len(s.changes)-1]
		}
		if f.kind != frameVoid {
			s.changes = append(s.changes, f)
		}
		s.last = s.base
		if n := len(s.changes); n > 0 {
			s.last = s.changes[n-1].change
		}
		s.bolt = max(s.bolt, f.bolt)
	}
}

// nextMagic finds the next place behind at where a frame may begin, or size; clean says that only zeros lie before it.
func nextMagic(r io.ReaderAt, at, size int64) (next int64, clean bool, err error) {
	buf := make([]byte, 64<<10)
	clean = true
	for next = at; next < size; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-next)], next)
		if err != nil && !errors.Is(err, io.EOF) {
			return next, clean, fmt.Errorf("spill: %w", err)
		}
		if n == 0 {
			return size, clean, nil
		}
		for i := 0; i < n; i += 8 {
			word := buf[i:min(i+8, n)]
			if len(word) >= 4 && string(word[:4]) == spillMagic && next+int64(i) > at {
				return next + int64(i), clean, nil
			}
			for _, b := range word {
				clean = clean && b == 0
			}
		}
		next += int64(n)
	}
	return size, clean, nil
}

// Operations inside a payload.
const (
	opPut   = 1
	opDel   = 2
	opClear = 3 // empties a lane
	opMove  = 4 // moves a lane's records up to a sequence (value) to the archive of its epoch (key), and empties it
	opDrop  = 5 // forgets an archive
)

// spilled are the buckets whose changes are written to the spill; a bucket's place in the list is its number there.
var spilled = [][]byte{bucketMeta, bucketCases, bucketCodes, bucketKeys, bucketSealed, bucketEffects, bucketLanes, bucketRecords,
	bucketWaiting, bucketBlobs, bucketOwned, bucketArchive, bucketEscrow, bucketOrders}

// op is one operation: kind, bucket, bucket inside it ("" for none), key, value.
type op struct {
	kind       byte
	bucket     byte
	sub        string
	key, value []byte
}

func appendOp(b []byte, o op) []byte {
	b = append(b, o.kind, o.bucket)
	for _, part := range [][]byte{[]byte(o.sub), o.key, o.value} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// eachOp reads a payload's operations. Slices are good as long as the payload is.
func eachOp(payload []byte, do func(o op) error) error {
	for len(payload) > 0 {
		if len(payload) < 2 {
			return errors.New("spill: half an operation")
		}
		o := op{kind: payload[0], bucket: payload[1]}
		payload = payload[2:]
		var parts [3][]byte
		for i := range parts {
			n, used := binary.Uvarint(payload)
			if used <= 0 || n > uint64(len(payload)-used) {
				return errors.New("spill: an operation is longer than its frame")
			}
			parts[i], payload = payload[used:used+int(n)], payload[used+int(n):]
		}
		o.sub, o.key, o.value = string(parts[0]), parts[1], parts[2]
		if int(o.bucket) >= len(spilled) || o.kind < opPut || o.kind > opDrop || (o.kind == opPut || o.kind == opDel) && len(o.key) == 0 {
			return fmt.Errorf("spill: operation %d on bucket %d is not known", o.kind, o.bucket)
		}
		if err := do(o); err != nil {
			return err
		}
	}
	return nil
}

// apply does to a database what an operation says.
func (o op) apply(tx *bolt.Tx) error {
	if o.isLabel() {
		return nil
	}
	b := tx.Bucket(spilled[o.bucket])
	if o.sub != "" {
		inner := b.Bucket([]byte(o.sub))
		switch {
		case o.kind == opDrop && inner != nil:
			return b.DeleteBucket([]byte(o.sub))
		case o.kind == opMove && inner != nil:
			return moveToArchive(tx, o.sub, o.key, o.value)
		case inner == nil && o.kind != opPut && o.kind != opClear:
			return nil
		case inner == nil || o.kind == opClear:
			var err error
			if inner, err = emptied(b, o.sub); err != nil {
				return err
			}
		}
		b = inner
	}
	switch o.kind {
	case opPut:
		return b.Put(slices.Clone(o.key), slices.Clone(o.value))
	case opDel:
		return b.Delete(o.key)
	case opClear:
		return nil
	}
	return fmt.Errorf("spill: operation %d without a lane", o.kind)
}

// emptied makes a bucket inside another anew.
func emptied(b *bolt.Bucket, name string) (*bolt.Bucket, error) {
	if b.Bucket([]byte(name)) != nil {
		if err := b.DeleteBucket([]byte(name)); err != nil {
			return nil, err
		}
	}
	return b.CreateBucket([]byte(name))
}

// moveToArchive puts a lane's records up to a sequence aside, and leaves the lane empty.
func moveToArchive(tx *bolt.Tx, lane string, archive, last []byte) error {
	records := tx.Bucket(bucketRecords)
	old := records.Bucket([]byte(lane))
	if k, _ := old.Cursor().First(); k != nil && bytes.Compare(k, last) <= 0 {
		dst, err := tx.Bucket(bucketArchive).CreateBucketIfNotExists(bytes.Clone(archive))
		if err != nil {
			return err
		}
		c := old.Cursor()
		for k, v := c.First(); k != nil && bytes.Compare(k, last) <= 0; k, v = c.Next() {
			if err := dst.Put(bytes.Clone(k), bytes.Clone(v)); err != nil {
				return err
			}
		}
	}
	_, err := emptied(records, lane)
	return err
}
