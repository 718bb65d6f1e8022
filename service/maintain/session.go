package maintain

// A technician's presence: the home page, and how pages, forms and waits are asked.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
)

// session is one technician's presence.
type session struct {
	*Console
	citizen service.Citizen
	who     Person
	until   time.Time // unless something is touched
}

// touched gives a technician who is there another while.
func (s *session) touched() { s.until = time.Now().Add(s.cfg.Stay) }

// inside is the frame of every page of the console.
var inside = service.Page{At: -1, Back: true}

// errChanged: what the page shows is no longer so.
var errChanged = errors.New("what the page shows has changed")

// ask shows a prompt until it is answered, or nobody has answered one for as long as a technician may stay. changed, which may be
// nil, ends it with errChanged.
func (s *session) ask(ctx context.Context, prompt func(until time.Time) service.Prompt, changed <-chan struct{}) (service.Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(time.Until(s.until), func() { cancel(errIdle) })
	defer idle.Stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	done := make(chan struct{})
	defer close(done)
	if changed != nil {
		watching.Go(func() {
			select {
			case <-changed:
				cancel(errChanged)
			case <-done:
			}
		})
	}
	a, err := s.citizen.Ask(ctx, prompt(s.until))
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	switch {
	case err == nil, errors.Is(err, service.ErrBack):
		s.touched()
	case errors.Is(err, service.ErrLeft):
		err = errIdle
	}
	return a, err
}

// panel asks with a page; it returns the chosen id, and ErrBack.
func (s *session) panel(ctx context.Context, p Panel) (string, error) {
	return s.panelUntil(ctx, p, nil)
}

func (s *session) panelUntil(ctx context.Context, p Panel, changed <-chan struct{}) (string, error) {
	a, err := s.ask(ctx, func(until time.Time) service.Prompt {
		p.Who, p.Until = s.who.Name, until
		return p
	}, changed)
	if err != nil {
		return "", err
	}
	c, ok := a.(service.Chosen)
	if !ok {
		return "", fmt.Errorf("%w: %T to %s", service.ErrAnswer, a, p.Name())
	}
	return c.ID, nil
}

// form asks for values; nil values are of somebody who went back.
func (s *session) form(ctx context.Context, f service.Form) (map[string]string, error) {
	f.Page = inside
	a, err := s.ask(ctx, func(time.Time) service.Prompt { return f }, nil)
	if errors.Is(err, service.ErrBack) || errors.Is(err, service.ErrTimedOut) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, ok := a.(service.Filled)
	if !ok {
		return nil, fmt.Errorf("%w: %T to a form", service.ErrAnswer, a)
	}
	return v.Values, nil
}

// busy does something that takes its time, and lets it be given up after a few seconds.
func (s *session) busy(ctx context.Context, title, hint service.Text, do func(context.Context) error) error {
	work, giveUp := context.WithCancel(ctx)
	defer giveUp()
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		done <- do(work)
		close(ended)
	}()
	_, err := s.ask(ctx, func(time.Time) service.Prompt {
		return service.Wait{Page: service.Page{At: -1}, Title: title, Hint: hint, CancelAfter: 3 * time.Second}
	}, ended)
	giveUp()
	result := <-done
	if err != nil && !errors.Is(err, errChanged) {
		return err
	}
	return result
}

// tell shows how something ended.
func (s *session) tell(ctx context.Context, title service.Text, g Grade, what service.Text) error {
	return s.told(ctx, title, []Row{{Label: what, Pill: gradeText(g), Grade: g}})
}

// told shows how something ended, in several lines.
func (s *session) told(ctx context.Context, title service.Text, rows []Row) error {
	_, err := s.panel(ctx, Panel{Page: inside, ID: "told", Title: title, Rows: rows, Next: understood})
	if errors.Is(err, service.ErrBack) {
		return nil
	}
	return err
}

func gradeText(g Grade) service.Text {
	if g == GradeNone {
		return service.Text{}
	}
	return service.T("tech.grade." + string(g))
}

// pages are what the grid of the home page leads to.
func (s *session) pages() (buttons []Button, at map[string]func(context.Context) error) {
	at = map[string]func(context.Context) error{"supplies": s.supplies, "network": s.network, "logs": s.logs, "found": s.found,
		"settle": s.settle, "desk": s.desk, "board": s.board, "restart": s.restart}
	for _, id := range []string{"supplies", "network", "logs", "found", "settle", "restart", "desk", "board"} {
		buttons = append(buttons, Button{id, service.T("tech." + id)})
	}
	return buttons, at
}

// home is the console's first page; it returns why the technician leaves.
func (s *session) home(ctx context.Context) error {
	grid, at := s.pages()
	for {
		changed := s.cfg.Devices.Changed()
		figures, err := s.figures()
		if err != nil {
			return err
		}
		rows, err := s.rows()
		if err != nil {
			return err
		}
		id, err := s.panelUntil(ctx, Panel{Page: service.Page{At: -1}, ID: "home", Title: service.T("tech.title"), Figures: figures, Rows: rows,
			Grid: grid, Left: Button{"leave", service.T("tech.leave")}, Next: Button{"resume", service.T("tech.resume")}}, changed)
		switch {
		case errors.Is(err, errChanged), errors.Is(err, service.ErrBack):
			continue
		case err != nil:
			return err
		case id == "resume":
			return errResumed
		case id == "leave":
			return errClosed
		}
		do := at[id]
		if do == nil {
			for _, d := range s.cfg.Roles {
				if id == "test."+string(d.Role) {
					do = func(ctx context.Context) error { return s.test(ctx, d) }
				}
			}
		}
		if do == nil {
			return fmt.Errorf("%w: %q at the console", service.ErrAnswer, id)
		}
		if err := do(ctx); err != nil && !errors.Is(err, service.ErrBack) {
			return err
		}
	}
}

// figures are what waits for the platform, the cases of the day and the blank cards.
func (s *session) figures() ([]Figure, error) {
	g, err := s.cfg.Journal.Gauge()
	if err != nil {
		return nil, err
	}
	today, err := s.today()
	if err != nil {
		return nil, err
	}
	card, err := s.cfg.Journal.StockBalance(journal.StockCard)
	if err != nil {
		return nil, err
	}
	return []Figure{{service.T("tech.figure.waiting"), fmt.Sprint(g.Waiting)}, {service.T("tech.figure.cases"), fmt.Sprint(len(today))},
		{service.T("tech.figure.cards"), fmt.Sprint(card.Remaining)}}, nil
}

// today are the cases that were opened since midnight.
func (s *session) today() ([]journal.Case, error) {
	y, m, d := s.cfg.Journal.Now().Date()
	from := time.Date(y, m, d, 0, 0, 0, 0, time.Local)
	return s.cfg.Journal.Cases(func(c journal.Case) bool { return !c.Opened.Before(from) })
}

// rows are what closes the making of cards, and the devices.
func (s *session) rows() (rows []Row, err error) {
	for _, k := range kinds {
		lock, locked, err := s.locked(k)
		if err != nil {
			return nil, err
		}
		if locked {
			rows = append(rows, Row{ID: "supplies", Label: service.T("tech.stock." + k), Detail: lock, Pill: service.T("tech.lock.pill"), Grade: GradeBad, Action: service.T("tech.lock.look")})
			break // the page names all
		}
	}
	return append(rows, s.devices()...), nil
}

// devices are a row each.
func (s *session) devices() (rows []Row) {
	for _, d := range s.cfg.Roles {
		st := s.cfg.Devices.Status(d.Role)
		pill, g := stateOf(st)
		detail := st.Identity.Model
		if detail != "" {
			detail += " · "
		}
		rows = append(rows, Row{ID: "test." + string(d.Role), Label: service.T("tech.role." + string(d.Role)), Detail: literal(detail + short(d.Where)), Pill: pill, Grade: g,
			Action: service.T("tech.test")})
	}
	return rows
}

// shortest and longest of a place on the screen, in characters.
const placeLength = 36

// short leaves a URI's ends, which tell.
func short(uri string) string {
	r := []rune(uri)
	if len(r) <= placeLength {
		return uri
	}
	return string(r[:placeLength/2-1]) + "…" + string(r[len(r)-placeLength/2:])
}

// stateOf is a device's state in a word.
func stateOf(st devices.Status) (service.Text, Grade) {
	switch why := st.Unready(); {
	case why == devices.UnreadyStarting:
		return service.T("tech.state.starting"), GradeWarn
	case why != devices.UnreadyNot:
		return service.T("tech.state." + string(why)), GradeBad
	case st.Paper == devices.SupplyLow:
		return service.T("tech.state.paper-low"), GradeWarn
	case st.Toner == devices.SupplyLow:
		return service.T("tech.state.toner-low"), GradeWarn
	case st.Media == devices.MediaPresent && hasMouth(st.Role):
		return service.T("tech.state.taken"), GradeWarn
	}
	return service.T("tech.state.ok"), GradeOK
}

// hasMouth says whether what lies at a device's opening is there for a citizen to take. A card on a reader, and a body before the
// cabinet's sensor, are not.
func hasMouth(r devices.Role) bool {
	switch r {
	case devices.RoleReceiptPrinter, devices.RoleDocumentPrinter, devices.RoleCardPrinter, devices.RoleCardDispenser:
		return true
	}
	return false
}
