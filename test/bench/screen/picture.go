package main

// The picture on the X server's screen, as the file that Xvfb keeps it in.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"os"
	"syscall"
	"time"
)

// pollEvery is how finely paints are timed.
const pollEvery = 500 * time.Microsecond

// everyRow is the distance of the rows that are looked at: the smallest control is ten times as high.
const everyRow = 8

// picture is a mapped XWD file of 32 bits a pixel.
type picture struct {
	mem    []byte
	pixels int // where they begin
	stride int
	size   image.Point
}

// openPicture maps the file. It grows with nothing, and shows what the server draws as it draws it.
func openPicture(path string) (*picture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(st.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return readPicture(mem)
}

// readPicture reads the header of an XWD file (X11/XWDFile.h): big-endian words, then colours of 12 bytes, then pixels.
func readPicture(mem []byte) (*picture, error) {
	const headerWords = 25
	if len(mem) < 4*headerWords {
		return nil, errors.New("XWD: no header")
	}
	word := func(i int) int { return int(binary.BigEndian.Uint32(mem[4*i:])) }
	p := &picture{mem: mem, pixels: word(0) + 12*word(19), stride: word(12), size: image.Pt(word(4), word(5))}
	if word(1) != 7 || word(11) != 32 {
		return nil, fmt.Errorf("XWD: version %d with %d bits a pixel, expected version 7 with 32", word(1), word(11))
	}
	if p.stride < 4*p.size.X || p.pixels+p.stride*p.size.Y > len(mem) {
		return nil, errors.New("XWD: shorter than its header says")
	}
	return p, nil
}

func (p *picture) bounds() image.Rectangle { return image.Rectangle{Max: p.size} }

func (p *picture) row(r image.Rectangle, y int) []byte {
	at := p.pixels + y*p.stride
	return p.mem[at+4*r.Min.X : at+4*r.Max.X]
}

// share is how much of the screen has one colour, 0 to 1.
func (p *picture) share(rgb uint32) float64 {
	n, all := 0, 0
	for y := 0; y < p.size.Y; y += everyRow {
		row := p.row(p.bounds(), y)
		for x := 0; x+4 <= len(row); x += 4 * everyRow {
			all++
			if binary.LittleEndian.Uint32(row[x:])&0xffffff == rgb {
				n++
			}
		}
	}
	return float64(n) / float64(all)
}

// content says whether there is more on the screen than one colour: at least a hundredth of it is of another one than the
// commonest. An empty window is not yet content.
func (p *picture) content() bool {
	colours, all := map[uint32]int{}, 0
	for y := 0; y < p.size.Y; y += everyRow {
		row := p.row(p.bounds(), y)
		for x := 0; x+4 <= len(row); x += 4 * everyRow {
			all++
			colours[binary.LittleEndian.Uint32(row[x:])&0xffffff]++
		}
	}
	most := 0
	for _, n := range colours {
		most = max(most, n)
	}
	return 100*(all-most) >= all
}

// still is a part of the picture as it was.
type still struct {
	p    *picture
	r    image.Rectangle
	rows [][]byte
}

// keep remembers a part of the picture.
func (p *picture) keep(r image.Rectangle) *still {
	s := &still{p: p, r: r.Intersect(p.bounds())}
	for y := s.r.Min.Y; y < s.r.Max.Y; y += everyRow {
		s.rows = append(s.rows, bytes.Clone(p.row(s.r, y)))
	}
	return s
}

// changed says whether the picture is not as it was.
func (s *still) changed() bool {
	for i, row := range s.rows {
		if !bytes.Equal(row, s.p.row(s.r, s.r.Min.Y+i*everyRow)) {
			return true
		}
	}
	return false
}

// errSame: the picture did not change in time.
var errSame = errors.New("the picture did not change")

// await waits until the picture changes and says when it did.
func (s *still) await(patience time.Duration) (time.Time, error) {
	for end := time.Now().Add(patience); ; {
		now := time.Now()
		if s.changed() {
			return now, nil
		}
		if now.After(end) {
			return now, fmt.Errorf("%w within %v", errSame, patience)
		}
		time.Sleep(pollEvery)
	}
}

// settle waits until a part of the picture has stood still for a while and says when it changed last; start is the answer
// when it does not change at all.
func (p *picture) settle(r image.Rectangle, start time.Time, calm time.Duration) (time.Time, error) {
	last, end := start, time.Now().Add(10*time.Second)
	for {
		at, err := p.keep(r).await(calm)
		if errors.Is(err, errSame) {
			return last, nil
		}
		last = at
		if at.After(end) {
			return last, errors.New("the picture does not stand still")
		}
	}
}
