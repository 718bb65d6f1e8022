package sim

import (
	"encoding/binary"
	"errors"
	"testing"
)

// rasterHead is the header of a page of w × h dots in gray.
func rasterHead(w, h int) []byte {
	b := make([]byte, rasterStart)
	copy(b, "RaS2PwgRaster")
	for at, v := range map[int]int{276: 300, 280: 300, 372: w, 376: h, 384: 8, 388: 8, 392: w, 400: spaceSGray, 420: 1} {
		binary.BigEndian.PutUint32(b[4+at:], uint32(v))
	}
	return b
}

func TestRasterIsReadByItsTable(t *testing.T) {
	// Two lines: two black dots and three as they are; then a line of white by "to the end", three times.
	data := append(rasterHead(5, 4), 0, 1, 0, 254, 10, 20, 30, 2, 128)
	m, err := readRaster(data)
	must(t, err)
	var got []byte
	for y := range 4 {
		for x := range 5 {
			got = append(got, m.NRGBAAt(x, y).R)
		}
	}
	want := []byte{0, 0, 10, 20, 30, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}
	if string(got) != string(want) {
		t.Errorf("% d", got)
	}
	for name, bad := range map[string][]byte{
		"nothing":      {},
		"other sync":   append([]byte("RaS3"), data[4:]...),
		"cut":          data[:len(data)-1],
		"too long":     append(append([]byte{}, data...), 0),
		"too wide":     append(rasterHead(5, 1), 0, 9, 0),
		"literal wide": append(rasterHead(5, 1), 0, 250, 0, 0, 0, 0, 0, 0, 0),
		"more lines":   append(rasterHead(5, 2), 2, 128),
		"vast":         rasterHead(1<<30, 1<<30),
		"no dots":      rasterHead(0, 0),
	} {
		if _, err := readRaster(bad); !errors.Is(err, errRaster) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRaster(f *testing.F) {
	f.Add(append(rasterHead(5, 4), 0, 1, 0, 254, 10, 20, 30, 2, 128))
	f.Add(append(rasterHead(5, 1), 0, 250, 0))
	f.Add(rasterHead(1100, 1100))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readRaster(data)
		if err != nil {
			if !errors.Is(err, errRaster) {
				t.Fatal(err)
			}
			return
		}
		if b := lay(m).Bounds(); b.Dx() < b.Dy() || b.Dx() > mostDots {
			t.Fatal(b)
		}
	})
}
