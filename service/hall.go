// The hall's queue: whoever is referred to a window may take a number along.

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/slip"
)

// A Hall gives numbers of its queue (取号). cmd/kiosk fits the uplink's client to it. Errors are those of [Platform].
type Hall interface {
	// Known are the queues as they were heard of last, which may be what was kept from before; none where there is no queue. It asks nobody.
	Known() []Queue
	// News is closed when Known is another.
	News() <-chan struct{}
	// Queues are those of this site as they stand; none where there is no queue. Without a link they are those for which the terminal gives
	// numbers by itself.
	Queues(ctx context.Context) ([]Queue, error)
	// Take gives a number: the same one for the same visit and business on one day.
	Take(ctx context.Context, q TicketQuery) (Ticket, error)
}

// Queue is one kind of business that windows call numbers of.
type Queue struct {
	Business string
	Name     Text
	Items    []string // whose citizens belong here
	Windows  []string
	Waiting  int           // -1: it cannot be said
	Wait     time.Duration // for whoever takes a number now; 0: it cannot be said
}

// TicketQuery asks for a number. It names nobody.
type TicketQuery struct {
	Business string
	Visit    string
	Reason   string // why it cannot be done here, in one word of a-z and "-"; may be ""
}

// Ticket is a number in the queue.
type Ticket struct {
	Number  string
	Name    Text // of the business
	Windows []string
	Ahead   int           // -1: it cannot be said
	Wait    time.Duration // as a guess; 0: it cannot be said
	Taken   time.Time
	Own     bool // of the terminal's own, given without a link: the window cannot see it yet
}

// windowTroubles are the referrals after which a window helps, by the names of their texts.
var windowTroubles = []string{
	"card-blank", "card-check", "card-contradicts", "card-desk", "card-doubt", "card-expired", "card-face", "card-forged", "card-inside", "card-issued",
	"card-kind", "card-no-permit", "card-rejected", "card-unknown", "card-unreadable", "forged", "locked", "no-phone", "no-record", "photo", "refused",
}

// queue is the one for whoever is referred to a window; nil where there is none, or nobody can say in a moment.
func (j *Journey) queue(ctx context.Context, r *Referral) *Queue {
	if j.e.cfg.Hall == nil || r.Window == "" {
		return nil
	}
	soon, stop := context.WithTimeout(ctx, j.e.t.Offer)
	defer stop()
	all, err := j.e.cfg.Hall.Queues(soon)
	if err != nil {
		j.e.log.WarnContext(ctx, "no number is offered", "item", j.item.Code, "err", err)
		return nil
	}
	i := slices.IndexFunc(all, func(q Queue) bool { return slices.Contains(q.Items, j.item.Code) })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// takeTicket takes a number and shows it, on paper too where that can be. taken is false when none could be had.
func (j *Journey) takeTicket(ctx context.Context, q Queue, r *Referral) (taken bool, err error) {
	t, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.ticket"), func(ctx context.Context) (t Ticket, err error) {
		for try := 1; ; try++ {
			// Asking again is the same number.
			t, err = j.e.cfg.Hall.Take(ctx, TicketQuery{Business: q.Business, Visit: j.v.id, Reason: r.Window})
			if err == nil || errors.Is(err, ErrRefused) || try >= j.e.t.IssueTries || !pause(ctx, j.e.t.IssuePause) {
				return t, err
			}
		}
	})
	switch {
	case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut), ctx.Err() != nil:
		return false, err
	case err != nil:
		j.e.log.WarnContext(ctx, "no number was given", "item", j.item.Code, "business", q.Business, "err", err)
		return false, nil
	}
	printed := false
	if j.e.canPrintSlip() {
		j.c.Tell(Progress{
			Page: j.closed(), Title: T("svc.progress.slip.title"), Hint: T("svc.progress.slip.hint"),
			Stages: []Stage{{Label: T("svc.stage.slip"), State: StageRunning, Percent: -1}},
		})
		printed = j.e.plainSlip(ctx, j.ticketSlip(t, r))
	}
	_, err = ask[Next](ctx, j, Queued{Page: j.closed(), Ticket: t, What: r.What, Do: r.Do, Printed: printed})
	if errors.Is(err, ErrBack) {
		err = nil
	}
	return true, err
}

// queueStep lets whoever comes choose what for, and gives a number. It knows nobody and opens no case.
type queueStep struct {
	Settings `yaml:",inline"`
	Title    Words `yaml:"title"`
	Hint     Words `yaml:"hint"`
}

func (s *queueStep) check() error {
	return errors.Join(s.Title.check("title", true), s.Hint.check("hint", false))
}

// here: a place without a queue shows no tile for it.
func (s *queueStep) here(sc Scene) bool { return len(sc.Queues) > 0 }

// Ready: there must be a queue.
func (s *queueStep) Ready(sc Scene) Text {
	if len(sc.Queues) == 0 {
		return T("svc.why.no-queue")
	}
	return Text{}
}

// Run asks how the queues stand, what the citizen comes for, and takes the number.
func (s *queueStep) Run(ctx context.Context, j *Journey) error {
	all, err := await(ctx, j, j.e.t.Quiet, T("svc.wait.queue"), func(ctx context.Context) ([]Queue, error) {
		soon, stop := context.WithTimeout(ctx, j.e.t.Cancel)
		defer stop()
		return j.e.cfg.Hall.Queues(soon)
	})
	if err != nil {
		return platformTrouble(err)
	}
	if len(all) == 0 {
		return refer("no-queue", "E-NO-QUEUE", nil)
	}
	var opts []Option
	for _, q := range all {
		detail := T("svc.queue.detail", "window", j.windows(q.Windows))
		if q.Waiting >= 0 {
			detail = T("svc.queue.detail-waiting", "window", j.windows(q.Windows), "n", strconv.Itoa(q.Waiting))
		}
		opts = append(opts, Option{ID: q.Business, Label: q.Name, Detail: detail})
	}
	pick, err := ask[Chosen](ctx, j, Choose{Page: j.page(), Title: s.Title.Text(), Hint: s.Hint.Text(), Options: opts})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(q Queue) bool { return q.Business == pick.ID })
	if i < 0 {
		return fmt.Errorf("%w: no business %q", ErrAnswer, pick.ID)
	}
	if taken, err := j.takeTicket(ctx, all[i], &Referral{}); taken || err != nil {
		return err
	}
	return refer("no-ticket", "E-NO-TICKET", nil, "window", j.windows(all[i].Windows))
}

// closed is a page from which nobody goes back.
func (j *Journey) closed() Page {
	p := j.page()
	p.Back = false
	return p
}

// windows writes the names of windows in one language.
func (j *Journey) windows(all []string) string { return strings.Join(all, j.say(T("svc.ticket.or"))) }

// ticketSlip is the number to take along, with what to bring. It names nobody.
func (j *Journey) ticketSlip(t Ticket, r *Referral) slip.Slip {
	b := j.slipHead(j.say(T("svc.slip.ticket.title")))
	b = append(b, slip.Text{Text: t.Number, Align: slip.Center, Bold: true, Size: 2}, slip.Space{Dots: 12})
	rows := []Row{
		{Label: T("svc.row.business"), Value: t.Name},
		{Label: T("svc.row.window"), Plain: j.windows(t.Windows)},
	}
	if t.Ahead >= 0 {
		rows = append(rows, Row{Label: T("svc.row.ahead"), Value: T("svc.row.people", "n", strconv.Itoa(t.Ahead))})
	}
	if t.Wait > 0 {
		rows = append(rows, Row{Label: T("svc.row.wait"), Value: T("svc.row.minutes", "min", strconv.Itoa(Minutes(t.Wait)))})
	}
	rows = append(rows, Row{Label: T("svc.row.time"), Plain: stamp(t.Taken.In(j.e.now().Location()))})
	if j.opened {
		rows = append(rows, Row{Label: T("svc.row.receipt"), Plain: j.kase.ReceiptCode})
	}
	b = append(b, j.slipRows(rows), slip.Space{Dots: 12})
	for _, part := range []struct {
		title string
		says  Text
	}{{"svc.slip.ticket.why", r.What}, {"svc.slip.ticket.do", r.Do}} {
		if says := j.say(part.says); says != "" {
			b = append(b, slip.Text{Text: j.say(T(part.title)), Bold: true}, slip.Text{Text: says}, slip.Space{Dots: 12})
		}
	}
	says := T("svc.slip.ticket.today")
	if t.Own {
		says = T("svc.slip.ticket.own", "window", j.windows(t.Windows))
	}
	b = append(b, slip.Text{Text: j.say(says)})
	return slip.Slip{Blocks: append(b, j.slipFoot()...)}
}

// Minutes are whole minutes of waiting, rounded up.
func Minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
