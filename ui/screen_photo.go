package ui

// Before the camera: the person's own picture with what they should do, the choice between two photos, and the wait for an official.

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"github.com/boombuler/barcode/qr"
	xdraw "golang.org/x/image/draw"

	"github.com/budayang/kiosk/service"
)

// previewEvery is how long a picture of the camera stands at least, however fast they come.
const previewEvery = 40 * time.Millisecond

// preview is the camera's picture on the screen.
type preview struct {
	img     *image.RGBA
	picture *canvas.Image
	count   uint64 // of the picture that is drawn
	looked  uint64 // pictures that were looked at
	advice  string
	good    bool
	outline []spot
	line    color.NRGBA // of the outline
}

// A spot is a pixel of a line that is drawn over a picture.
type spot struct {
	at    int    // of the picture's bytes
	share uint32 // of the pixel that the line covers, of 256
}

// roundedOutline are the spots of the outline of a rectangle with round corners, thick to the inside, on a picture.
func roundedOutline(m *image.RGBA, x, y, w, h, radius, thick float64) (all []spot) {
	for py := max(0, int(y)-1); py < min(m.Rect.Dy(), int(y+h)+2); py++ {
		for px := max(0, int(x)-1); px < min(m.Rect.Dx(), int(x+w)+2); px++ {
			// How far the pixel's middle is outside of the outer edge.
			dx, dy := math.Abs(float64(px)+0.5-x-w/2)-w/2+radius, math.Abs(float64(py)+0.5-y-h/2)-h/2+radius
			d := math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius
			share := min(1, max(0, 0.5-d)) * min(1, max(0, 0.5+d+thick))
			if n := uint32(share*256 + 0.5); n > 0 {
				all = append(all, spot{py*m.Stride + 4*px, n})
			}
		}
	}
	return all
}

// draw draws the outline over what the camera saw.
func (v *preview) draw() {
	for _, s := range v.outline {
		p := v.img.Pix[s.at : s.at+3 : s.at+3]
		for i, c := range [3]uint8{v.line.R, v.line.G, v.line.B} {
			p[i] = byte((uint32(p[i])*(256-s.share) + uint32(c)*s.share) >> 8)
		}
	}
}

// follow draws what the camera sees for as long as its prompt stands.
func (t *Terminal) follow(live *service.Live, seq uint64) {
	for {
		changed := live.Changed()
		if changed == nil {
			return
		}
		began, stands := time.Now(), true
		fyne.DoAndWait(func() {
			if stands = t.seq == seq; stands {
				t.look(live)
			}
		})
		if !stands {
			return
		}
		<-changed
		time.Sleep(time.Until(began.Add(previewEvery)))
	}
}

// look draws the newest picture, and the page anew when the advice is another one.
func (t *Terminal) look(live *service.Live) {
	v := t.preview
	if v == nil {
		return // help or the warning covers it
	}
	advice, good, count, ok := live.Draw(v.img, v.count)
	if !ok {
		return
	}
	v.looked = live.Looks()
	if advice.ID != "svc.photo.nobody" {
		t.touched() // somebody stands there, and needs no finger for it
	}
	if s := t.say(advice); s != v.advice || good != v.good {
		t.state.advice, t.state.good = advice, good
		t.build()
		if v = t.preview; v == nil {
			return
		}
		_, _, count, _ = live.Draw(v.img, 0)
		v.draw()
		v.count = count
		t.pictures++
		return
	}
	if count != v.count {
		v.draw()
		v.count = count
		t.pictures++
		v.picture.Refresh()
	}
}

func (p *page) pose(x service.Pose) {
	m := p.m
	hint := p.t.say(x.Hint)
	if why := p.t.say(x.Problem); why != "" {
		hint = why
	}
	p.head(p.t.say(x.Title), hint)
	advice := p.t.say(p.t.state.advice)
	if advice == "" {
		advice = p.t.ui("photo.starting")
	}
	left0 := ""
	if !x.Face {
		left0 = p.t.ui("photo.left", "n", fmt.Sprint(x.Left))
	}
	below := p.pillHeight() + m.gap()*2
	if left0 != "" {
		below += m.caption()*lineHeight + m.gap()
	}
	h := min(p.end-p.y-below, p.w*0.95)
	w := min(p.w, h*1.12)
	px, py := roundPx(p.x+(p.w-w)/2), roundPx(p.y)
	// Half as many pixels each way: they change many times a second, and a camera has no more of so small a part.
	img := image.NewRGBA(image.Rect(0, 0, int(w)/2, int(h)/2))
	draw.Draw(img, img.Rect, image.NewUniform(p.pal.Line), image.Point{}, draw.Src)
	c := canvas.NewImageFromImage(img)
	c.FillMode, c.ScaleMode = canvas.ImageFillStretch, canvas.ImageScaleFastest
	p.t.private = append(p.t.private, c)
	p.add(c, px, py, float32(2*img.Rect.Dx()), float32(2*img.Rect.Dy()))
	v := &preview{img: img, picture: c, advice: p.t.say(p.t.state.advice), good: p.t.state.good, line: rgb(0xFFFFFF)}
	p.t.preview = v
	fg, bg := p.pal.Warn, p.pal.WarnBg
	if v.good {
		v.line, fg, bg = p.pal.OK, p.pal.OK, p.pal.OKBg
	}
	// Where the head belongs. It is a part of the picture: Fyne's shader of round corners would work on every pixel within it.
	iw, ih := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	v.outline = roundedOutline(img, iw/2-ih*0.28, ih*0.08, ih*0.56, ih*0.76, ih*0.56*0.46, float64(max(4, m.mm(1.2))/2))
	v.draw()
	p.y = py + h + m.gap()

	size := m.body()
	for measure(advice, size, true) > p.w-m.mm(8) && size > m.caption() {
		size--
	}
	ph := p.pillHeight()
	pw := min(p.w, measure(advice, size, true)+m.mm(10))
	p.rect(p.x+(p.w-pw)/2, p.y, pw, ph, bg, color.NRGBA{}, ph/2)
	was := p.bg
	p.bg = bg
	p.line(advice, p.x, p.y+(ph-size*lineHeight)/2, p.w, size, true, fg, center)
	p.bg = was
	p.y += ph + m.gap()
	if left0 != "" {
		p.line(left0, p.x, p.y, p.w, m.caption(), false, p.pal.Sub, center)
		p.y += m.caption() * lineHeight
	}
	p.footer(foot{back: x.Back, nextID: "next", next: p.t.ui("photo.take"), nextDo: p.t.next, quiet: true})
}

// pickPhoto shows the photos as they will be printed.
func (p *page) pickPhoto(x service.PickPhoto) {
	m := p.m
	p.head(p.t.say(x.Title), p.t.ui("pick.hint"))
	n := max(1, len(x.Photos))
	gap := m.gap() * 1.5
	w := (p.w - gap*float32(n-1)) / float32(n)
	room := p.end - p.y - m.button() - m.gap()*2
	ph := min(room, w*441/358, m.mm(150))
	pw := ph * 358 / 441
	x0 := p.x + (p.w-float32(n)*w-gap*float32(n-1))/2
	use := func(i int) func() { return func() { p.t.answer(service.Chosen{ID: fmt.Sprint(i)}) } }
	for i, jpg := range x.Photos {
		cx := x0 + float32(i)*(w+gap)
		if img := greyPhoto(jpg, int(pw), int(ph)); img != nil {
			c := canvas.NewImageFromImage(img)
			c.FillMode, c.ScaleMode = canvas.ImageFillStretch, canvas.ImageScaleFastest
			p.t.private = append(p.t.private, c)
			p.add(c, roundPx(cx+(w-pw)/2), roundPx(p.y), float32(img.Rect.Dx()), float32(img.Rect.Dy()))
		}
		if n > 1 {
			p.button(fmt.Sprintf("pick.%d", i), p.t.ui("pick.use", "n", fmt.Sprint(i+1)), plain, cx, p.y+ph+m.gap(), w, m.button(), use(i))
		}
	}
	f := foot{back: x.Back}
	if n == 1 { // no choice: the one button that goes on stands where it always does
		f.nextID, f.next, f.nextDo = "pick.0", p.t.ui("pick.use.only"), use(0)
	}
	if x.Left > 0 {
		f.extraID, f.extra, f.extraDo = "again", p.t.ui("pick.again"), func() { p.t.answer(service.Again{}) }
	}
	p.footer(f)
}

// greyPhoto is a photo without colour, scaled: its luma as the file has it. Nil when it is none.
func greyPhoto(jpg []byte, w, h int) *image.RGBA {
	if w < 1 || h < 1 {
		return nil
	}
	src, err := jpeg.Decode(bytes.NewReader(jpg))
	if err != nil {
		return nil
	}
	var grey *image.Gray
	switch m := src.(type) {
	case *image.YCbCr:
		clear(m.Cb)
		clear(m.Cr)
		grey = &image.Gray{Pix: m.Y, Stride: m.YStride, Rect: m.Rect}
	case *image.Gray:
		grey = m
	default: // ours are of no other kind
		return nil
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	xdraw.BiLinear.Scale(out, out.Rect, grey, grey.Rect, xdraw.Src, nil)
	clear(grey.Pix)
	return out
}

// decision shows the code to come back with while an official looks.
func (p *page) decision(x service.AwaitDecision) {
	m := p.m
	p.head(p.t.say(x.Title), p.t.say(x.Hint))
	rows := []service.Row{{Label: service.T("ui.decision.code"), Plain: x.Receipt}}
	if x.Number != "" {
		rows = append(rows, service.Row{Label: service.T("ui.decision.number"), Plain: x.Number})
	}
	if x.Wait > 0 {
		rows = append(rows, service.Row{Label: service.T("ui.decision.wait"), Value: service.T("ui.decision.minutes", "min", fmt.Sprint(max(1, int(x.Wait.Round(time.Minute).Minutes()))))})
	}
	p.card(func() { p.rows(rows, "w") })
	if code, err := qr.Encode(x.QR, qr.M, qr.Auto); err == nil && x.QR != "" {
		if size := min(m.mm(70), p.end-p.y-m.mm(14)); size > m.mm(30) {
			img := modules(code, int(size))
			side := float32(img.Rect.Dx())
			p.rect(p.x+p.w/2-side/2-m.mm(4), p.y, side+m.mm(8), side+m.mm(8), rgb(0xFFFFFF), p.pal.Line, m.mm(3))
			p.image(img, roundPx(p.x+p.w/2-side/2), p.y+m.mm(4), side, side)
			p.y += side + m.mm(10)
		}
	}
	p.footer(foot{leftID: "cancel", left: p.t.ui("decision.leave"), leftDo: func() { p.t.answer(service.Cancelled{}) }})
}

// madeCard draws a card that comes out of its slot, around a centre.
func (p *page) madeCard(cx, cy, w float32) {
	m := p.m
	h := w * 54 / 85.6
	x, y := cx-w/2, cy-h*0.36
	p.rect(cx-w*0.62, y-h*0.16, w*1.24, h*0.2, p.pal.Card, p.pal.Ink, m.mm(3))
	p.rect(x, y, w, h, p.pal.Card, p.pal.Primary, m.mm(3))
	p.rect(x+w*0.68, y+h*0.2, w*0.24, h*0.5, p.pal.Tint, p.pal.Line, m.mm(1))
	for i := range 4 {
		p.rect(x+w*0.08, y+h*(0.22+0.14*float32(i)), w*0.5, m.mm(1.4), p.pal.Line, color.NRGBA{}, 0)
	}
}
