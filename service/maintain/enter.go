package maintain

// Coming in.

import (
	"context"
	"errors"
	"fmt"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
)

// outside is the frame of what is shown before somebody came in: they may always leave.
var outside = service.Page{At: -1, Exit: true}

// enter asks for code and PIN. The zero Person is somebody who did not get in, or went.
func (c *Console) enter(ctx context.Context, citizen service.Citizen) (Person, error) {
	problem := service.Text{}
	for {
		until, err := c.guard.locked()
		if err != nil {
			return Person{}, err
		}
		if !until.IsZero() {
			return Person{}, c.tellLocked(ctx, citizen, until.Local().Format("15:04"))
		}
		if !c.cfg.Keeper.Any() {
			_, err := citizen.Ask(ctx, Panel{Page: outside, ID: "nobody", Title: service.T("tech.nobody.title"), Hint: service.T("tech.nobody.hint"), Next: understood})
			return Person{}, gone(ctx, err)
		}
		a, err := citizen.Ask(ctx, service.Form{Page: outside, Title: service.T("tech.enter.title"), Hint: service.T("tech.enter.hint"), Fields: []service.Field{
			{ID: "code", Kind: service.FieldDigits, Label: service.T("tech.enter.code"), Required: true, Max: 8},
			{ID: "pin", Kind: service.FieldDigits, Label: service.T("tech.enter.pin"), Required: true, Max: 12, Secret: true, Problem: problem},
		}})
		if err != nil {
			return Person{}, gone(ctx, err)
		}
		f, ok := a.(service.Filled)
		if !ok {
			return Person{}, fmt.Errorf("%w: %T to the console's door", service.ErrAnswer, a)
		}
		who, left, err := c.check(f.Values["code"], f.Values["pin"])
		if err != nil || who.Operator != "" {
			return who, err
		}
		problem = service.T("tech.enter.wrong", "left", fmt.Sprint(left))
	}
}

// check counts a try before it is looked at.
func (c *Console) check(code, pin string) (who Person, left int, err error) {
	if err := c.guard.attempt(); err != nil {
		return who, 0, err
	}
	who, err = c.cfg.Keeper.Check(code, pin)
	switch {
	case err != nil:
		return Person{}, 0, err
	case who.Operator != "":
		return who, 0, c.guard.passed()
	}
	left, err = c.guard.refused()
	return who, left, err
}

func (c *Console) tellLocked(ctx context.Context, citizen service.Citizen, until string) error {
	_, err := citizen.Ask(ctx, Panel{Page: outside, ID: "locked", Title: service.T("tech.locked.title"), Hint: service.T("tech.locked.hint", "time", until), Next: understood})
	return gone(ctx, err)
}

var understood = Button{"understood", service.T("tech.understood")}

// gone is nil for whoever only went away.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, service.ErrLeft) || errors.Is(err, service.ErrBack) || errors.Is(err, service.ErrTimedOut) {
		return nil
	}
	return err
}

// second asks for another technician, for what one alone may not decide. "" is nobody.
func (s *session) second(ctx context.Context) (operator string, err error) {
	problem := service.Text{}
	for {
		if until, err := s.guard.locked(); err != nil || !until.IsZero() {
			return "", err
		}
		v, err := s.form(ctx, service.Form{Title: service.T("tech.second.title"), Hint: service.T("tech.second.hint"), Fields: []service.Field{
			{ID: "code", Kind: service.FieldDigits, Label: service.T("tech.enter.code"), Required: true, Max: 8},
			{ID: "pin", Kind: service.FieldDigits, Label: service.T("tech.enter.pin"), Required: true, Max: 12, Secret: true, Problem: problem},
		}})
		if err != nil || v == nil {
			return "", err
		}
		who, left, err := s.check(v["code"], v["pin"])
		switch {
		case err != nil:
			return "", err
		case who.Operator == s.who.Operator:
			problem = service.T("tech.second.same")
		case who.Operator != "":
			return who.Operator, nil
		default:
			problem = service.T("tech.enter.wrong", "left", fmt.Sprint(left))
		}
	}
}

// acted writes down what a technician did.
func (s *session) acted(action, subject, result string) {
	fields := map[string]string{"action": action}
	if subject != "" {
		fields["subject"] = subject
	}
	if result != "" {
		fields["result"] = result
	}
	if err := s.audit(journal.EventTechnicianActed, s.who.Operator, fields); err != nil {
		s.cfg.Logger.Error("what the technician did could not be recorded", "action", action, "error", err)
	}
}
