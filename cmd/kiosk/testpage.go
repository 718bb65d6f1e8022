package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
)

// testPage is one A4 page as PDF, in a face that every printer has: what `kiosk devices test document-printer` prints.
func testPage(c config.Config) ([]byte, error) {
	text := fmt.Sprintf("BT /F1 24 Tf 72 760 Td (Budayang test page) Tj /F1 12 Tf 0 -36 Td (Terminal %s, %s) Tj ET 72 700 451 2 re f 72 72 451 2 re f",
		c.Terminal.ID, time.Now().Format(time.DateTime))
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(text), text),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	_, err := fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes(), err
}

// testCard is a card's face in colour: words, the three ribbons' colours and a ramp of grays, with a frame at the edge that shows
// whether it lies straight. It is what `kiosk devices test card-printer` prints.
func testCard(c config.Config) (image.Image, error) {
	f, err := opentype.Parse(assets.Font("wide-regular.ttf"))
	if err != nil {
		return nil, fmt.Errorf("test card: %w", err)
	}
	m := image.NewNRGBA(image.Rect(0, 0, devices.CardWidth, devices.CardHeight))
	fill := func(r image.Rectangle, c color.Color) { draw.Draw(m, r, image.NewUniform(c), image.Point{}, draw.Src) }
	fill(m.Bounds(), color.White)
	const edge = 24 // 2 mm
	fill(m.Bounds().Inset(edge), color.Black)
	fill(m.Bounds().Inset(edge+3), color.White)
	for i, colour := range []color.NRGBA{{0, 255, 255, 255}, {255, 0, 255, 255}, {255, 255, 0, 255}, {0, 0, 0, 255}} {
		fill(image.Rect(80+i*200, 360, 240+i*200, 440), colour)
	}
	for i := range 17 {
		v := uint8(min(i*16, 255))
		fill(image.Rect(80+i*50, 470, 130+i*50, 540), color.NRGBA{v, v, v, 255})
	}
	for i, line := range []struct {
		text string
		dots float64
	}{{"样张 TEST CARD", 90}, {c.Terminal.Site + " " + c.Terminal.Name, 44}, {time.Now().Format(time.DateTime), 44}} {
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: line.dots, DPI: 72})
		if err != nil {
			return nil, fmt.Errorf("test card: %w", err)
		}
		d := font.Drawer{Dst: m, Src: image.Black, Face: face, Dot: fixed.P(80, 150+i*70)}
		d.DrawString(line.text)
		_ = face.Close()
	}
	return m, nil
}
