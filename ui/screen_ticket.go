package ui

// Numbers of the hall's queue.

import (
	"strconv"
	"strings"

	"github.com/budayang/kiosk/service"
)

// windows writes the names of windows.
func (p *page) windows(all []string) string { return strings.Join(all, p.t.ui("ticket.or")) }

// offerNumber says that a number may be taken, or where to go without one.
func (p *page) offerNumber(x service.Trouble) {
	q := x.Queue
	switch {
	case q == nil:
	case x.NoTicket:
		p.box(p.t.ui("ticket.none", "window", p.windows(q.Windows)), p.pal.Warn, p.pal.WarnBg, true)
	default:
		values := []string{"window", p.windows(q.Windows), "name", p.t.say(q.Name), "n", strconv.Itoa(q.Waiting), "min", strconv.Itoa(service.Minutes(q.Wait))}
		id := "ticket.offer"
		switch {
		case q.Waiting < 0:
			id = "ticket.offer-alone"
		case q.Wait > 0:
			id = "ticket.offer-wait"
		}
		p.box(p.t.ui(id, values...), p.pal.Deep, p.pal.Tint, false)
	}
}

// ticket shows the number that was taken.
func (p *page) ticket(x service.Queued) {
	m := p.m
	t := x.Ticket
	p.card(func() {
		// Where the screen is low, the window stands beside the number.
		top, x, w := p.y, p.x, p.w
		if m.landscape() {
			w = p.w / 2
		}
		y := top + p.para(p.t.ui("ticket.title"), x, top, w, m.body(), false, p.pal.Sub, center)
		y += p.para(t.Number, x, y, w, m.title()*2.4, true, p.pal.Primary, center)
		under := y
		if m.landscape() {
			x, y = x+w, top
		}
		y += p.para(p.t.ui("ticket.window", "window", p.windows(t.Windows)), x, y, w, m.title(), true, p.pal.Ink, center) + m.mm(1)
		y += p.para(p.t.say(t.Name), x, y, w, m.body(), false, p.pal.Ink, center)
		ahead := p.t.ui("ticket.first")
		switch {
		case t.Ahead < 0:
			ahead = ""
		case t.Ahead > 0:
			ahead = p.t.ui("ticket.ahead", "n", strconv.Itoa(t.Ahead))
		}
		if t.Wait > 0 {
			ahead += " · " + p.t.ui("ticket.wait", "min", strconv.Itoa(service.Minutes(t.Wait)))
		}
		y += p.para(ahead, x, y, w, m.body(), false, p.pal.Ink, center)
		p.y = max(under, y)
	})
	switch window := p.windows(t.Windows); {
	case t.Own && x.Printed:
		p.box(p.t.ui("ticket.own", "window", window), p.pal.Warn, p.pal.WarnBg, true)
	case t.Own:
		p.box(p.t.ui("ticket.own-noslip", "window", window), p.pal.Warn, p.pal.WarnBg, true)
	case x.Printed:
		p.box(p.t.ui("ticket.slip"), p.pal.OK, p.pal.OKBg, true)
	default:
		p.box(p.t.ui("ticket.noslip"), p.pal.Warn, p.pal.WarnBg, true)
	}
	if what, do := p.t.say(x.What), p.t.say(x.Do); what != "" || do != "" {
		p.card(func() {
			if what != "" {
				p.y += p.para(what, p.x, p.y, p.w, m.body(), true, p.pal.Ink, left) + m.mm(1)
			}
			if do != "" {
				p.y += p.para(do, p.x, p.y, p.w, m.body(), false, p.pal.Ink, left)
			}
		})
	}
	p.footer(foot{nextID: "next", next: p.t.ui("understood"), nextDo: p.t.next})
}
