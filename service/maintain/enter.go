package maintain

// Coming in.

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		v, badge, err := c.ask(ctx, citizen, problem)
		if err != nil {
			return Person{}, gone(ctx, err)
		}
		by := byCode
		if badge != nil {
			by = byCard
		}
		who, left, err := c.check(v, badge)
		badge.Wipe()
		if err != nil || who.Operator != "" {
			who.by = by
			return who, err
		}
		problem = service.T("tech.enter.wrong-"+by, "left", fmt.Sprint(left))
	}
}

// How somebody came in.
const (
	byCode = "code"
	byCard = "card"
)

// errBadge ends a form: a card was shown.
var errBadge = errors.New("a card was shown")

// ask asks for code and PIN, or for the PIN alone once a card was shown.
func (c *Console) ask(ctx context.Context, citizen service.Citizen, problem service.Text) (v map[string]string, badge *Badge, err error) {
	for {
		asking, end := context.WithCancelCause(ctx)
		came, stop := c.reading(asking)
		if came != nil {
			go func() {
				select {
				case <-came:
					end(errBadge)
				case <-asking.Done():
				}
			}()
		}
		a, err := citizen.Ask(asking, c.door(problem))
		badge := stop()
		end(nil)
		if !errors.Is(err, errBadge) {
			badge.Wipe()
			v, err := filled(a, err)
			return v, nil, err
		}
		v, err := filled(citizen.Ask(ctx, service.Form{Page: knocking, Title: service.T("tech.enter.title"), Hint: service.T("tech.enter.card"), Fields: pinField(service.Text{})}))
		if err == nil {
			return v, badge, nil
		}
		badge.Wipe()
		if !errors.Is(err, service.ErrBack) || ctx.Err() != nil {
			return nil, nil, err
		}
	}
}

// knocking is the page after a card was shown: Back leads to where a code is typed.
var knocking = service.Page{At: -1, Back: true, Exit: true}

// door is the form that asks who it is.
func (c *Console) door(problem service.Text) service.Form {
	hint := service.T("tech.enter.hint")
	if k, knows := c.cfg.Keeper.(CardKeeper); knows && k.Cards() {
		hint = service.T("tech.enter.hint-card")
	}
	return service.Form{Page: outside, Title: service.T("tech.enter.title"), Hint: hint, Fields: append(codeField(), pinField(problem)...)}
}

func codeField() []service.Field {
	return []service.Field{{ID: "code", Kind: service.FieldDigits, Label: service.T("tech.enter.code"), Required: true, Max: 8}}
}

func pinField(problem service.Text) []service.Field {
	return []service.Field{{ID: "pin", Kind: service.FieldDigits, Label: service.T("tech.enter.pin"), Required: true, Max: 12, Secret: true, Problem: problem}}
}

func filled(a service.Answer, err error) (map[string]string, error) {
	if err != nil {
		return nil, err
	}
	f, ok := a.(service.Filled)
	if !ok {
		return nil, fmt.Errorf("%w: %T to the console's door", service.ErrAnswer, a)
	}
	return f.Values, nil
}

// check counts a try before it is looked at.
func (c *Console) check(v map[string]string, badge *Badge) (who Person, left int, err error) {
	if err := c.guard.attempt(); err != nil {
		return who, 0, err
	}
	if k, knows := c.cfg.Keeper.(CardKeeper); badge != nil && knows {
		who, err = k.CheckCard(badge, v["pin"])
	} else {
		who, err = c.cfg.Keeper.Check(v["code"], v["pin"])
	}
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
		v, badge, err := s.askSecond(ctx, problem)
		if err != nil || v == nil {
			return "", err
		}
		by := byCode
		if badge != nil {
			by = byCard
		}
		who, left, err := s.check(v, badge)
		badge.Wipe()
		switch {
		case err != nil:
			return "", err
		case who.Operator == s.who.Operator:
			problem = service.T("tech.second.same")
		case who.Operator != "":
			return who.Operator, nil
		default:
			problem = service.T("tech.enter.wrong-"+by, "left", fmt.Sprint(left))
		}
	}
}

// askSecond asks the second technician as the door asks the first; nil values are of somebody who went back.
func (s *session) askSecond(ctx context.Context, problem service.Text) (v map[string]string, badge *Badge, err error) {
	came, stop := s.reading(ctx)
	f := service.Form{Page: inside, Title: service.T("tech.second.title"), Hint: service.T("tech.second.hint"), Fields: append(codeField(), pinField(problem)...)}
	a, err := s.ask(ctx, func(time.Time) service.Prompt { return f }, came)
	badge = stop()
	switch {
	case errors.Is(err, errChanged):
		v, err = s.form(ctx, service.Form{Title: service.T("tech.second.title"), Hint: service.T("tech.enter.card"), Fields: pinField(service.Text{})})
		if err != nil || v == nil {
			badge.Wipe()
			return nil, nil, err
		}
		return v, badge, nil
	case errors.Is(err, service.ErrBack), errors.Is(err, service.ErrTimedOut):
		badge.Wipe()
		return nil, nil, nil
	}
	badge.Wipe()
	v, err = filled(a, err)
	return v, nil, err
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
