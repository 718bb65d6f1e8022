package maintain

// The exceptions desk: cases that a person must decide, decided under the technician's name.

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
)

// mostCases bounds the page; the longest waiting come first.
const mostCases = 50

func (s *session) desk(ctx context.Context) error {
	for {
		all, err := s.cfg.Desk.List()
		if err != nil {
			return err
		}
		p := Panel{Page: inside, ID: "desk", Title: service.T("tech.desk"), Hint: service.T("tech.desk.hint")}
		if len(all) == 0 {
			p.Hint = service.T("tech.desk.none")
		}
		for _, c := range all[:min(len(all), mostCases)] {
			p.Rows = append(p.Rows, Row{ID: c.ReceiptCode, Label: literal(c.ReceiptCode), Detail: literal(c.Item + " · " + c.Since.Local().Format("01-02 15:04")),
				Pill: service.T("tech.case." + string(c.State)), Grade: GradeWarn, Action: service.T("tech.desk.open")})
		}
		code, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		if err := s.oneCase(ctx, code); err != nil && !errors.Is(err, service.ErrBack) {
			return err
		}
	}
}

// oneCase shows a case and what may be decided.
func (s *session) oneCase(ctx context.Context, code string) error {
	v, err := s.cfg.Desk.Find(code)
	if err != nil {
		return err
	}
	p := Panel{Page: inside, ID: "case", Title: literal(v.ReceiptCode), Hint: service.T("tech.case.hint")}
	for _, e := range v.History[max(0, len(v.History)-6):] {
		p.Rows = append(p.Rows, Row{Label: service.T("tech.case." + string(e.State)), Detail: literal(e.Why), Pill: literal(e.At.Local().Format("15:04"))})
	}
	for _, m := range v.May {
		p.Grid = append(p.Grid, Button{string(m.Action), service.T("tech.may." + string(m.Action))})
	}
	id, err := s.panel(ctx, p)
	if err != nil {
		return err
	}
	for _, m := range v.May {
		if string(m.Action) == id {
			return s.decide(ctx, v, m)
		}
	}
	return nil
}

// decide asks why, and for a second person where one alone may not decide.
func (s *session) decide(ctx context.Context, v desk.View, m desk.Choice) error {
	title := service.T("tech.may." + string(m.Action))
	p := Panel{Page: inside, ID: "reason", Title: title, Hint: service.T("tech.reason.hint")}
	for _, r := range desk.Reasons(m.Action) {
		p.Grid = append(p.Grid, Button{string(r), service.T("tech.reason." + string(r))})
	}
	reason, err := s.panel(ctx, p)
	if err != nil {
		return err
	}
	want := desk.Decision{ID: uuid.NewString(), Receipt: v.ReceiptCode, Action: m.Action, Operator: s.who.Operator, Reason: desk.Reason(reason)}
	if want.Action == desk.Note || want.Reason == desk.Other {
		if want.Note, err = s.note(ctx, title); err != nil || len(want.Note) == 0 {
			return err
		}
		defer clear(want.Note)
	}
	if m.Two {
		if want.Second, err = s.second(ctx); err != nil || want.Second == "" {
			return err
		}
	}
	now, err := s.cfg.Desk.Decide(want)
	if err != nil {
		s.cfg.Logger.Warn("a decision was refused", "action", string(m.Action), "error", err)
		return s.tell(ctx, title, GradeBad, Fault(err))
	}
	return s.tell(ctx, title, GradeOK, service.T("tech.decided", "time", time.Now().Format("15:04")).With("state", service.T("tech.case."+string(now.State))))
}

// note asks for what the desk's words do not say; nil is of somebody who went back. It is sealed with the case, and may name a person: it
// is treated as such on the screen.
func (s *session) note(ctx context.Context, title service.Text) ([]byte, error) {
	v, err := s.form(ctx, service.Form{Title: title, Hint: service.T("tech.note.hint"), Fields: []service.Field{
		{ID: "note", Kind: service.FieldHan, Label: service.T("tech.note"), Required: true, Max: 200, Private: true}}})
	return []byte(strings.TrimSpace(v["note"])), err
}
