package ui

// The finger on the sensor.

import (
	"fmt"
	"image/color"

	"github.com/budayang/kiosk/service"
)

// finger shows what the finger does now: it lies down, its picture comes, or it is lifted; and what was wrong with the picture before.
func (p *page) finger(x service.LayFinger) {
	m := p.m
	id := "finger." + string(x.Phase)
	p.head(p.t.ui(id), p.t.ui(id+".hint"))
	if why := p.t.say(x.Problem); why != "" {
		p.box(why, p.pal.Warn, p.pal.WarnBg, true)
	}
	fill := p.pal.Tint
	if x.Phase == service.FingerComes {
		fill = p.pal.OKBg
	}
	note := p.t.ui("finger.left", "n", fmt.Sprint(x.Left))
	nh := p.height(note, p.w, m.caption(), false)
	h := min(p.end-p.y-nh-m.gap()*3, p.w*0.78)
	p.rect(p.x, p.y, p.w, h, fill, p.pal.Line, m.radius())
	p.fingerPicture(p.x+p.w/2, p.y+h/2, min(p.w, h*1.1)*0.62, x.Phase)
	p.y += h + m.gap()
	p.y += p.para(note, p.x, p.y, p.w, m.caption(), false, p.pal.Sub, center)
	f := foot{back: x.Back}
	if x.Others {
		f.extraID, f.extra, f.extraDo = "another", p.t.ui("another"), func() { p.t.answer(service.Cancelled{}) }
	}
	p.footer(f)
}

// fingerPicture draws a finger's ridges above a sensor, around a centre, with the way it goes; while its picture comes without.
func (p *page) fingerPicture(cx, cy, w float32, at service.FingerPhase) {
	ink, blue := p.pal.Ink, p.pal.Primary
	s := sketch{p, max(3, w*0.012)}
	fw, fh := w*0.42, w*0.56
	top := cy - w*0.52
	s.box(cx-fw/2, top, fw, fh, ink, fw*0.48)
	for i := range 4 {
		r := fw * (0.1 + 0.09*float32(i))
		s.ring(cx-r, top+fh*0.44-r*1.15, 2*r, 2.3*r, ink)
	}
	ry := cy + w*0.2
	s.box(cx-w*0.36, ry, w*0.72, w*0.24, blue, w*0.04)
	p.rect(cx-w*0.2, ry+w*0.05, w*0.4, w*0.14, p.pal.Card, blue, w*0.03)
	if at == service.FingerComes {
		for i := range 3 {
			d := w * 0.05
			p.rect(cx-d/2+float32(i-1)*w*0.1, top+fh+w*0.06, d, d, blue, color.NRGBA{}, d/2)
		}
		return
	}
	s.arrow(cx, top+fh+w*0.04, w*0.1, at == service.FingerLift, blue)
}
