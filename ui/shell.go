package ui

// The shell: header, steps, footer, the idle warning and help, around whatever the screen shows.

import (
	"fmt"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/budayang/kiosk/service"
)

// build draws everything anew from what stands.
func (t *Terminal) build() {
	t.forgetPictures()
	t.countdown, t.expiry, t.stay, t.pressed, t.glowing, t.pad, t.preview = nil, nil, nil, nil, nil, nil, nil
	p := &page{t: t, m: t.m, pal: t.palette(), bg: t.palette().Bg}
	// The window clears itself to the theme's background; a rectangle of that colour would be drawn over all of it in every
	// frame once more, which takes longer than all the rest where OpenGL is software.
	p.add(newGround(t), 0, 0, t.m.w, t.m.h)
	p.x, p.w = t.m.margin(), t.m.w-2*t.m.margin()
	// On a wide screen the column stays readable.
	if most := t.m.mm(300); p.w > most {
		p.x, p.w = (t.m.w-most)/2, most
	}
	p.end = t.m.h - t.m.footer()
	t.header(p)
	p.y = t.m.header() + t.m.mm(6)
	frame := service.Page{At: -1}
	if f, ok := t.stands().(interface{ Frame() service.Page }); ok {
		frame = f.Frame()
	}
	if len(frame.Steps) > 0 && frame.At >= 0 {
		p.steps(frame)
	}
	switch {
	case t.help:
		p.helpPage()
	case t.warning:
		p.warningPage()
	default:
		p.screen(t.stands())
	}
	t.buttons = p.buttons
	t.lastPage = p
	t.root.Objects = p.objs
	t.redraw(t.root)
}

// redraw draws something anew. Fyne (2.8.1) forgets which window a thing is in when FYNE_CACHE went by between two frames (a slow
// machine's start, a machine that stood still), and Refresh alone then does nothing for ever; the window itself is not forgotten,
// and remembers all that it shows when it draws.
func (t *Terminal) redraw(o fyne.CanvasObject) {
	o.Refresh()
	t.opt.Window.Canvas().Refresh(o)
}

// stands is the prompt or view on the screen.
func (t *Terminal) stands() any {
	if t.prompt != nil {
		return t.prompt
	}
	return t.view
}

func (t *Terminal) header(p *page) {
	m, h := t.m, t.m.header()
	p.rect(0, 0, m.w, h, p.pal.Card, color.NRGBA{}, 0)
	p.rect(0, h-2, m.w, 2, p.pal.Line, color.NRGBA{}, 0)
	was := p.bg
	p.bg = p.pal.Card
	defer func() { p.bg = was }()
	tall := m.scale > 1 && !m.landscape()
	row := h
	if tall {
		row = m.mm(30)
	}
	x, mid := m.margin(), row/2
	logo := m.mm(16)
	p.emblem(x, mid, logo)
	x += logo + m.mm(3.4)

	// right to left: clock and link, then the buttons
	rw := m.mm(46) * m.scale
	if tall {
		rw = m.mm(46) * min(m.scale, 1.15)
	}
	rx := m.w - m.margin() - rw
	t.clock = p.line(t.opt.Now().Format("15:04"), rx, mid-m.body()*lineHeight, rw, m.body(), true, p.pal.Ink, right)
	t.pill(p, rx, mid+m.mm(1), rw)

	type b struct {
		id, label string
		do        func()
	}
	size := t.ui("large")
	if t.set.large {
		size = t.ui("normal")
	}
	row2 := []b{
		{"large", size, func() { s := t.set; s.large = !s.large; t.apply(s) }},
		{"help", t.ui("help"), func() { t.help = !t.help; t.build() }},
	}
	if f, ok := t.stands().(interface{ Frame() service.Page }); ok && f.Frame().Exit {
		row2 = append(row2, b{"exit", t.ui("exit"), t.leave})
	}
	bh := m.mm(16.4)
	bw, by := m.mm(30), mid-bh/2
	bx := rx - m.mm(3.4)
	if tall {
		bh = m.mm(20)
		bw, by = (m.w-2*m.margin()-2*m.gap())/3, row+m.mm(2)
		bx = m.w - m.margin()
	}
	for i := len(row2) - 1; i >= 0; i-- {
		if !tall {
			bw = max(m.mm(30), measure(row2[i].label, m.body(), true)+m.mm(6))
		}
		bx -= bw
		p.button(row2[i].id, row2[i].label, plain, bx, by, bw, bh, row2[i].do)
		bx -= m.gap()
	}
	tw := bx - x
	if tall {
		tw = rx - x - m.gap()
	}
	name := t.ui("product")
	p.line(name, x, mid-m.heading()*0.86*lineHeight+m.mm(1), tw, m.heading()*0.86, true, p.pal.Ink, left)
	place := t.opt.Site + " · " + t.opt.Terminal
	if measure(place, m.caption(), false) > tw {
		place = t.opt.Terminal
	}
	p.line(place, x, mid+m.mm(1), tw, m.caption(), false, p.pal.Sub, left)
}

// emblem draws the sign at the left of the header. While nobody is served it is also the technician's door.
func (p *page) emblem(x, mid, size float32) {
	m := p.m
	bg := p.bg
	defer func() { p.bg = bg }()
	em := min(m.heading(), size*0.6)
	if !p.t.quiet() {
		p.rect(x, mid-size/2, size, size, p.pal.Primary, color.NRGBA{}, m.mm(3))
		p.bg = p.pal.Primary
		p.line("政", x, mid-m.heading()*lineHeight/2, size, em, true, p.pal.OnPrim, center)
		return
	}
	b := p.t.newButton("emblem", "政", quiet, p.t.knock)
	b.repeat = true
	edge := roundPx(m.mm(17) - size + 1)
	p.place(b, x-edge, mid-size/2-edge, size+2*edge, size+2*edge)
	r := canvas.NewRectangle(p.pal.Primary)
	r.CornerRadius = m.mm(3)
	r.Move(fyne.NewPos(edge, edge))
	r.Resize(fyne.NewSize(size, size))
	b.content = append(b.content, r)
	p.bg = p.pal.Primary
	p.raw("政", edge, edge+size/2-m.heading()*lineHeight/2, size, fit("政", em, m.caption(), true, size), true, p.pal.OnPrim, center, &b.content, true)
}

// pill says in a word whether the platform is connected.
func (t *Terminal) pill(p *page, x, y, w float32) {
	if t.opt.Link == nil {
		return
	}
	fg, bg, id := p.pal.OK, p.pal.OKBg, "link.up"
	switch t.opt.Link.Link() {
	case service.LinkDown:
		fg, bg, id = p.pal.Warn, p.pal.WarnBg, "link.down"
	case service.LinkUnknown:
		fg, bg, id = p.pal.Sub, p.pal.Bg, "link.unknown"
	}
	s := t.ui(id)
	size := fit(s, p.m.caption(), p.m.mm(5), true, w-p.m.mm(9))
	tw := measure(s, size, true) + p.m.mm(9)
	h := roundPx(size * 1.5)
	p.rect(x+w-tw, y, tw, h, bg, color.NRGBA{}, h/2)
	dot := canvas.NewCircle(fg)
	p.add(dot, x+w-tw+p.m.mm(2.2), y+h/2-p.m.mm(1), p.m.mm(2), p.m.mm(2))
	was := p.bg
	p.bg = bg
	p.raw(s, x+w-tw+p.m.mm(5.6), y+(h-size*lineHeight)/2, tw-p.m.mm(7), size, true, fg, left, &p.objs, false)
	p.bg = was
}

// steps draws the bar: where in the item we are.
func (p *page) steps(f service.Page) {
	n := len(f.Steps)
	gap := p.m.mm(2)
	w := (p.w - gap*float32(n-1)) / float32(n)
	for i, s := range f.Steps {
		x := p.x + float32(i)*(w+gap)
		col, ink := p.pal.Line, p.pal.Sub
		if i <= f.At {
			col = p.pal.Primary
		}
		if i == f.At {
			ink = p.pal.Primary
		}
		p.rect(x, p.y, w, p.m.mm(1.6), col, color.NRGBA{}, p.m.mm(0.8))
		label := fmt.Sprintf("%d %s", i+1, p.t.say(s))
		if p.m.scale > 1 && i != f.At {
			label = fmt.Sprint(i + 1)
		}
		size := p.m.caption()
		if measure(label, size, true) > w {
			label = fmt.Sprint(i + 1)
		}
		p.raw(label, x, p.y+p.m.mm(2.6), w, size, i == f.At, ink, left, &p.objs, i == f.At)
	}
	p.y += p.m.mm(2.6) + p.m.caption()*lineHeight + p.m.mm(4)
}

// shortPatience is the longest that is counted down on the screen.
const shortPatience = 10 * time.Minute

// foot is the footer: Back at the left, one primary button at the lower right, the countdown between.
type foot struct {
	back     bool
	leftID   string // another button at the left
	left     string
	leftDo   func()
	extraID  string // beside the primary one
	extra    string
	extraDo  func()
	nextID   string
	next     string
	nextDo   func()
	disabled bool
	quiet    bool // no countdown
}

func (p *page) footer(f foot) {
	m := p.m
	h := m.footer()
	y := m.h - h
	p.rect(0, y, m.w, h, p.pal.Card, color.NRGBA{}, 0)
	p.rect(0, y, m.w, 2, p.pal.Line, color.NRGBA{}, 0)
	was := p.bg
	p.bg = p.pal.Card
	defer func() { p.bg = was }()
	by, bh := y+(h-m.button())/2, m.button()
	n := float32(0)
	for _, is := range []bool{f.back, f.left != "", f.next != "", f.extra != ""} {
		if is {
			n++
		}
	}
	width := func(s string) float32 {
		most := min(m.mm(110), (p.w-m.gap()*(n-1))/n)
		return min(most, max(m.mm(41), measure(s, m.body(), true)+m.mm(12)))
	}
	lx, rx := p.x, p.x+p.w
	if f.back {
		w := width(p.t.ui("back"))
		p.button("back", p.t.ui("back"), plain, lx, by, w, bh, p.t.back)
		lx += w + m.gap()
	}
	if f.left != "" {
		w := width(f.left)
		p.button(f.leftID, f.left, plain, lx, by, w, bh, f.leftDo)
		lx += w + m.gap()
	}
	if f.next != "" {
		w := width(f.next)
		rx -= w
		b := p.button(f.nextID, f.next, primary, rx, by, w, bh, f.nextDo)
		if f.disabled {
			p.disable(b)
		}
		rx -= m.gap()
	}
	if f.extra != "" {
		w := width(f.extra)
		rx -= w
		p.button(f.extraID, f.extra, plain, rx, by, w, bh, f.extraDo)
		rx -= m.gap()
	}
	if !f.quiet && p.t.patient() && p.t.opt.End < shortPatience && rx-lx > m.mm(40) {
		s := p.t.ui("countdown", "seconds", fmt.Sprint(p.t.left(p.t.opt.Now())))
		a := center
		if f.next == "" {
			a = right
		}
		if measure(s, m.caption(), false) <= rx-lx {
			p.t.countdown = p.line(s, lx, by+(bh-m.caption()*lineHeight)/2, rx-lx, m.caption(), false, p.pal.Sub, a)
		}
	}
}

// warningPage covers the screen when nobody has touched it for a while.
func (p *page) warningPage() {
	p.y = p.m.header() + (p.end-p.m.header())*0.2
	p.card(func() {
		p.y += p.m.mm(4)
		p.y += p.para(p.t.ui("warning.title"), p.x, p.y, p.w, p.m.title(), true, p.pal.Ink, center)
		p.y += p.m.gap()
		p.t.countdown = p.line(p.t.ui("warning.seconds", "seconds", fmt.Sprint(p.t.left(p.t.opt.Now()))), p.x, p.y, p.w, p.m.body(), false, p.pal.Sub, center)
		p.y += p.m.body()*lineHeight + p.m.mm(4)
	})
	f := foot{leftID: "exit", left: p.t.ui("exit"), leftDo: p.t.leave, quiet: true}
	if p.t.extended < p.t.opt.Extend {
		f.nextID, f.next, f.nextDo = "more-time", p.t.ui("warning.more"), p.t.moreTime
	}
	p.footer(f)
}

// helpPage tells where help is.
func (p *page) helpPage() {
	p.head(p.t.ui("help.title"), "")
	for _, id := range []string{"help.phone", "help.staff", "help.size", "help.private"} {
		p.card(func() {
			p.y += p.para(p.t.ui(id), p.x, p.y, p.w, p.m.body(), false, p.pal.Ink, left)
		})
	}
	p.footer(foot{nextID: "help-close", next: p.t.ui("help.close"), nextDo: func() { p.t.help = false; p.t.touched(); p.t.build() }})
}

// Probe is what is on the screen, for tests and journeys: no personal value is in it.
type Probe struct {
	Screen   string    `json:"screen"`
	Seq      uint64    `json:"seq"`
	Lang     string    `json:"lang"`
	Large    bool      `json:"large"`
	Controls []Control `json:"controls"`
	Pictures uint64    `json:"pictures,omitempty"` // of the camera, drawn since the start
	Looked   uint64    `json:"looked,omitempty"`   // how many of this page's were looked at
	Judged   int64     `json:"judged,omitempty"`   // milliseconds from the last shutter to the page with the photos, or with why there are none
	Number   string    `json:"number,omitempty"`   // that a member of staff reads off the screen
	Preview  []int     `json:"preview,omitempty"`  // of the camera: its picture's width and height, and where in the window it begins, x and y; pixels
}

// Control is something that can be touched, in pixels of the window.
type Control struct {
	ID      string  `json:"id"`
	Label   string  `json:"label"`
	X       float32 `json:"x"`
	Y       float32 `json:"y"`
	W       float32 `json:"w"`
	H       float32 `json:"h"`
	Enabled bool    `json:"enabled"`
}

// Probe may be called from any goroutine but Fyne's.
func (t *Terminal) Probe() (out Probe) {
	fyne.DoAndWait(func() { out = t.probe() })
	return out
}

func (t *Terminal) probe() Probe {
	out := Probe{Screen: t.name(), Seq: t.seq, Lang: t.set.lang, Large: t.set.large, Pictures: t.pictures, Judged: t.judged.Milliseconds()}
	if x, waits := t.prompt.(service.AwaitStaff); waits {
		out.Number = x.Number
	}
	if v := t.preview; v != nil {
		at := v.picture.Position()
		out.Looked, out.Preview = v.looked, []int{v.img.Rect.Dx(), v.img.Rect.Dy(), int(at.X), int(at.Y)}
	}
	if t.warning {
		out.Screen, out.Seq = "warning", t.seq
	}
	for _, b := range t.buttons {
		p, s := b.Position(), b.Size()
		out.Controls = append(out.Controls, Control{b.ID, b.Label, p.X, p.Y, s.Width, s.Height, !b.off})
	}
	if t.pad != nil {
		p, s := t.pad.Position(), t.pad.Size()
		out.Controls = append(out.Controls, Control{"ink", "", p.X, p.Y, s.Width, s.Height, true})
	}
	return out
}
