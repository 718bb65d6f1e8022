package journal

// What lies in a spill is read without panics and in bounded time, and only what was written is taken for true.

import (
	"bytes"
	"errors"
	"testing"
)

func spillSeed(n int) []byte {
	var b []byte
	b = appendFrame(b, frame{kind: frameHead, log: 7, change: 3}, append(append([]byte{spillVersion}, make([]byte, 16)...), "990000-0003"...))
	b = appendFrame(b, frame{kind: framePart, log: 7, change: 3}, appendOp(nil, op{opPut, 1, "", []byte("case"), []byte("{}")}))
	b = appendFrame(b, frame{kind: frameEnd, log: 7, change: 3}, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	for i := range uint64(n) {
		b = appendFrame(b, frame{kind: frameChange, log: 7, change: 4 + i}, appendOp(nil, op{opPut, 7, "tx", []byte{byte(i)}, bytes.Repeat([]byte{1}, int(i))}))
	}
	return b
}

func FuzzSpill(f *testing.F) {
	whole := spillSeed(9)
	f.Add(whole)
	f.Add(whole[:len(whole)-9])
	f.Add(append(append([]byte{}, whole...), make([]byte, 600)...))
	f.Add(append(append([]byte{}, whole[:200]...), whole[208:]...))
	f.Add(appendFrame(bytes.Clone(whole), frame{kind: frameVoid, log: 7, change: 12}, nil))
	f.Add(appendFrame(bytes.Clone(whole), frame{kind: frameBulk, log: 7, change: 6}, nil))
	f.Add([]byte("BYspBYspBYsp"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := scanSpill(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		last := s.base
		for i, fr := range s.changes {
			if i > 0 && fr.change <= s.changes[i-1].change {
				t.Errorf("change %d after %d", fr.change, s.changes[i-1].change)
			}
			last = fr.change
		}
		if s.last != last {
			t.Errorf("last is %d, ends with %d", s.last, last)
		}
		s.missing(s.base)
		for _, fr := range append(s.parts, s.changes...) {
			_, payload, err := readFrame(bytes.NewReader(b), fr.at, int64(len(b)))
			if err != nil {
				t.Fatalf("a frame that was found cannot be read: %v", err)
			}
			var again []byte
			err = eachOp(payload, func(o op) error { again = appendOp(again, o); return nil })
			if err == nil && len(again) > len(payload) {
				t.Error("operations grew")
			}
		}
	})
}

// A single wrong bit anywhere costs at most the frame it lies in.
func TestEveryBitOfASpillCounts(t *testing.T) {
	whole := spillSeed(9)
	sound, err := scanSpill(bytes.NewReader(whole), int64(len(whole)))
	if err != nil || !sound.whole || sound.torn || len(sound.changes) != 9 || sound.last != 12 {
		t.Fatalf("%+v, %v", sound, err)
	}
	for i := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		s, err := scanSpill(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		n := len(s.parts) + len(s.changes)
		padding := n == 10 && s.whole // zeros behind a payload say nothing
		if n < 9 || !padding && s.whole && len(s.changes) == 9 && !s.torn {
			t.Errorf("bit %d: %d frames, torn %v", i, n, s.torn)
		}
	}
}

// badDisk cannot read some blocks.
type badDisk struct {
	*bytes.Reader
	bad map[int64]bool
}

func (d badDisk) ReadAt(b []byte, at int64) (int, error) {
	for n := at / unreadable; n <= (at+int64(len(b))-1)/unreadable; n++ {
		if d.bad[n] {
			return 0, errors.New("input/output error")
		}
	}
	return d.Reader.ReadAt(b, at)
}

// A block that cannot be read costs the frames in it and no other.
func TestASpillWithUnreadableBlocks(t *testing.T) {
	whole := spillSeed(200)
	s, err := scanSpill(badDisk{bytes.NewReader(whole), map[int64]bool{2: true, 4: true}}, int64(len(whole)))
	if err != nil || !s.torn || len(s.changes) < 100 || s.last != 203 {
		t.Errorf("%d changes up to %d, torn %v, %v", len(s.changes), s.last, s.torn, err)
	}
	if gaps, _ := s.missing(s.base); len(gaps) == 0 {
		t.Error("nothing is missing")
	}
}
