package main

// What a panel says of itself (EDID 1.3/1.4, VESA E-EDID A.2): pixels and millimetres, of the preferred timing.

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
)

// panelSize is a panel as it is mounted by its maker, usually lying.
type panelSize struct {
	Width, Height int // pixels
	WidthMM       int
	HeightMM      int
}

// diagonal is in millimetres.
func (p panelSize) diagonal() int {
	return int(math.Round(math.Hypot(float64(p.WidthMM), float64(p.HeightMM))))
}

var errEDID = errors.New("not an EDID with a size in it")

var edidHead = []byte{0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00}

// parseEDID reads the base block: 128 bytes whose sum is 0. At 54 lies the first detailed timing:
//
//	+0  pixel clock, 2 bytes; 0 where it is no timing
//	+2  active pixels, low 8 bits; +4 their high 4 bits in its upper half
//	+5  active lines, low 8 bits; +7 their high 4 bits in its upper half
//	+12 width in mm, low 8 bits; +13 height; +14 the high 4 bits of both
//
// Where the millimetres are missing, bytes 21 and 22 have whole centimetres.
func parseEDID(b []byte) (panelSize, error) {
	if len(b) < 128 || !bytes.Equal(b[:8], edidHead) {
		return panelSize{}, errEDID
	}
	sum := byte(0)
	for _, v := range b[:128] {
		sum += v
	}
	d := b[54:72]
	if sum != 0 || d[0] == 0 && d[1] == 0 {
		return panelSize{}, errEDID
	}
	p := panelSize{Width: int(d[2]) | int(d[4]>>4)<<8, Height: int(d[5]) | int(d[7]>>4)<<8,
		WidthMM: int(d[12]) | int(d[14]>>4)<<8, HeightMM: int(d[13]) | int(d[14]&0x0F)<<8}
	if p.WidthMM == 0 || p.HeightMM == 0 {
		p.WidthMM, p.HeightMM = int(b[21])*10, int(b[22])*10
	}
	if p.Width < 480 || p.Height < 480 || p.WidthMM < 100 || p.HeightMM < 100 {
		return panelSize{}, errEDID
	}
	return p, nil
}

// connectedPanel is the first panel that the kernel knows.
func connectedPanel(root string) (panelSize, bool) {
	files, _ := filepath.Glob(filepath.Join(root, "sys/class/drm/*/edid"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || len(b) > 64<<10 {
			continue
		}
		if p, err := parseEDID(b); err == nil {
			return p, true
		}
	}
	return panelSize{}, false
}
