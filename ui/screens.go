package ui

// Which screen draws which prompt.

import (
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
)

func (p *page) screen(x any) {
	switch x := x.(type) {
	case service.Attract:
		p.attract(x)
	case service.Home:
		p.home(x)
	case service.Consent:
		p.consent(x)
	case service.PlaceCard:
		p.placeCard(x)
	case service.EnterCode:
		p.enterCode(x)
	case service.Form:
		p.form(x)
	case service.Choose:
		p.choose(x)
	case service.Ink:
		p.ink(x)
	case service.Review:
		p.review(x)
	case service.Pose:
		p.pose(x)
	case service.PickPhoto:
		p.pickPhoto(x)
	case service.AwaitDecision:
		p.decision(x)
	case service.AwaitStaff:
		p.staff(x)
	case service.LayFinger:
		p.finger(x)
	case service.Pay:
		p.pay(x)
	case service.Result:
		p.result(x)
	case service.Guide:
		p.guide(x)
	case service.Wait:
		p.wait(x)
	case service.Progress:
		p.progress(x)
	case service.TakeCard:
		p.take("take-card", x.Urgent, "card")
	case service.TakeOutput:
		if x.Card {
			p.take("take-output.card", x.Urgent, "card")
			break
		}
		p.take("take-output", x.Urgent, "slip")
	case service.Done:
		p.done(x)
	case service.Trouble:
		p.trouble(x)
	case service.Queued:
		p.ticket(x)
	case maintain.Panel:
		p.panel(x)
	case service.OutOfService:
		p.outOfService(x)
	default:
		p.starting()
	}
}

func (t *Terminal) next() { t.answer(service.Next{}) }
