package maintain

// Self-tests: one device tried for real, as a citizen's business would use it. Nothing personal is shown.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/slip"
	"github.com/budayang/kiosk/sync/journal"
)

// test tries one device and tells what came of it.
func (s *session) test(ctx context.Context, d Device) error {
	title := service.T("tech.role." + string(d.Role))
	var said service.Text
	err := s.busy(ctx, title, TryHint(d.Role), func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Try)
		defer cancel()
		said, err = s.try(ctx, d.Role)
		return err
	})
	if errors.Is(err, errIdle) || ctx.Err() != nil {
		return err
	}
	g, result := GradeOK, "ok"
	if err != nil {
		g, result, said = GradeBad, "failed", Fault(err)
	}
	s.acted("test", string(d.Role), result)
	return s.tell(ctx, title, g, said)
}

// try uses a device once and says in a few words what it did.
func (s *session) try(ctx context.Context, role devices.Role) (service.Text, error) {
	dev, release, err := s.cfg.Devices.Use(role)
	if err != nil {
		return service.Text{}, err
	}
	defer release()
	return Try(ctx, dev, Trial{Page: s.cfg.Page, Slip: TestSlip(s.cfg.Place, s.cfg.Version, s.cfg.Journal.Now()), Printed: func(kind string, res devices.PrintResult) { s.count(kind, res) }})
}

// TryHint says what the technician has to do while a device is tried.
func TryHint(r devices.Role) service.Text {
	switch r {
	case devices.RoleIDReader:
		return service.T("tech.test.card")
	case devices.RoleSmartCard:
		return service.T("tech.test.social")
	case devices.RoleCodeScanner:
		return service.T("tech.test.code")
	case devices.RoleFingerprint:
		return service.T("tech.test.finger")
	case devices.RoleDoor:
		return service.T("tech.test.door")
	}
	return service.T("tech.test.wait")
}

// A Trial is what a device is tried with.
type Trial struct {
	Page    func() ([]byte, error) // one sheet, PDF
	Slip    slip.Slip
	Printed func(kind string, res devices.PrintResult) // hears of paper that was used; may be nil
}

func (t Trial) used(kind string, res devices.PrintResult) {
	if t.Printed != nil {
		t.Printed(kind, res)
	}
}

// Try uses a device once, as a citizen's business would, and says in a few words what it did. Nothing personal is in them.
func Try(ctx context.Context, dev devices.Device, with Trial) (said service.Text, err error) {
	switch dev := dev.(type) {
	case devices.IDReader:
		card, err := dev.Read(ctx, nil)
		if err != nil {
			return said, err
		}
		defer card.Wipe()
		photo := service.T("tech.said.no-photo")
		if card.WLT != nil || len(card.Photo) > 0 {
			photo = service.T("tech.said.photo")
		}
		return service.T("tech.said.card").With("kind", service.T("tech.kind."+string(card.Kind))).With("photo", photo), nil
	case devices.SocialCardReader:
		card, err := dev.Read(ctx, nil)
		if err != nil {
			return said, err
		}
		defer card.Wipe()
		return service.T("tech.said.social", "region", fmt.Sprintf("%.6s", card.ID), "version", card.Version), nil
	case devices.ReceiptPrinter:
		res := dev.Print(ctx, devices.ReceiptJob{ID: fmt.Sprintf("test/%d", time.Now().UnixNano()), Slip: with.Slip})
		with.used(journal.StockSlip, res)
		return printed(res)
	case devices.DocumentPrinter:
		if with.Page == nil {
			return said, errors.New("no test page")
		}
		pdf, err := with.Page()
		if err != nil {
			return said, err
		}
		res := dev.Print(ctx, devices.DocumentJob{Name: "budayang-test-" + time.Now().UTC().Format("20060102T150405.000000000"), PDF: pdf, Sheets: 1,
			Note: func(string, string) error { return nil }})
		with.used(journal.StockSheet, res)
		return printed(res)
	case devices.UPS:
		p, err := dev.Power(ctx)
		if err != nil {
			return said, err
		}
		return service.T("tech.said.power", "volts", fmt.Sprintf("%g", p.InputVolts), "load", fmt.Sprintf("%g", p.LoadPercent)).With("power", service.T("tech.power."+string(p.Power))), nil
	case devices.CodeScanner:
		code, err := dev.Scan(ctx)
		if err != nil {
			return said, err
		}
		defer code.Wipe()
		return service.T("tech.said.code", "bytes", fmt.Sprint(len(code.Data))), nil
	case devices.FingerSensor:
		pic, err := dev.Capture(ctx, nil)
		if err != nil {
			return said, err
		}
		defer pic.Wipe()
		return service.T("tech.said.finger", "width", fmt.Sprint(pic.Width), "height", fmt.Sprint(pic.Height)), nil
	case devices.Camera:
		return look(ctx, dev)
	case devices.Speaker:
		for _, tone := range devices.Tones() {
			if err := dev.Play(ctx, tone); err != nil {
				return said, err
			}
			if err := between(ctx); err != nil {
				return said, err
			}
		}
		return service.T("tech.said.tones"), nil
	case devices.LightBoard:
		st, err := dev.Probe(ctx)
		if err == nil && st.Role == devices.RoleLights {
			return blink(ctx, dev)
		}
		if board, senses := dev.(devices.ContactBoard); err == nil && senses {
			return swing(ctx, board)
		}
		return asked(st, err)
	}
	// What cannot be tried without using something up is asked how it is.
	return asked(dev.Probe(ctx))
}

// asked is what a device says of itself.
func asked(st devices.Status, err error) (said service.Text, _ error) {
	if err != nil {
		return said, err
	}
	if st.Unready() != devices.UnreadyNot {
		return said, unready{st}
	}
	pill, _ := stateOf(st)
	return service.T("tech.said.answers").With("state", pill), nil
}

// between two of a row that a person tells apart.
func between(ctx context.Context) error {
	select {
	case <-time.After(400 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// blink switches one lamp on after the other, and each off again whatever happens.
func blink(ctx context.Context, dev devices.LightBoard) (said service.Text, err error) {
	all := dev.Lights()
	for _, l := range all {
		if err := errors.Join(dev.Light(ctx, l, true), between(ctx), dev.Light(context.WithoutCancel(ctx), l, false)); err != nil {
			return said, err
		}
	}
	return service.T("tech.said.lamps", "count", fmt.Sprint(len(all))), nil
}

// doorTime is how long the door's switch is looked at for a change; tests do not wait as long.
var doorTime = 15 * time.Second

// swing looks at the cabinet's switches until the door's has changed, which shows that it hangs at the door. That the door is open is no
// fault here: a technician stands inside. Errors: [stillDoor], or as of the board.
func swing(ctx context.Context, dev devices.ContactBoard) (said service.Text, err error) {
	first, err := dev.Contacts(ctx)
	if err != nil {
		return said, err
	}
	now := first
	for end := time.Now().Add(doorTime); now.Door == first.Door && first.Door != devices.CoverNotSupported; {
		if time.Now().After(end) {
			return said, stillDoor{first.Door}
		}
		if err := between(ctx); err != nil {
			return said, err
		}
		if now, err = dev.Contacts(ctx); err != nil {
			return said, err
		}
	}
	id := "tech.said.door"
	if first.Door == devices.CoverNotSupported {
		id = "tech.said.no-door"
	}
	return service.T(id).With("door", coverText(now.Door)).With("tamper", service.T("tech.contact."+string(now.Tamper))).With("body", service.T("tech.contact."+string(now.Body))), nil
}

func coverText(c devices.Cover) service.Text { return service.T("tech.door." + string(c)) }

// look takes pictures for a second. None is kept.
func look(ctx context.Context, dev devices.Camera) (said service.Text, err error) {
	stream, err := dev.Stream(ctx)
	if err != nil {
		return said, err
	}
	defer stream.Close()
	var f devices.Frame
	defer func() { f.Wipe() }()
	n, began := 0, time.Now()
	for time.Since(began) < time.Second || n < 2 {
		if err := stream.Next(ctx, &f, devices.View{}); err != nil {
			return said, err
		}
		n++
	}
	return service.T("tech.said.pictures", "width", fmt.Sprint(f.Width), "height", fmt.Sprint(f.Height), "rate", fmt.Sprintf("%.0f", float64(n)/time.Since(began).Seconds())), nil
}

func printed(res devices.PrintResult) (service.Text, error) {
	if res.Outcome != devices.PrintConfirmed {
		return service.Text{}, printFault{res}
	}
	return service.T("tech.said.printed", "by", res.By), nil
}

// count takes a test's paper off the ledger.
func (s *session) count(kind string, res devices.PrintResult) {
	err := s.cfg.Journal.Update(func(tx *journal.Tx) error {
		switch res.Outcome {
		case devices.PrintConfirmed:
			return tx.UseStock(kind, 1, "taken")
		case devices.PrintUnknown:
			return tx.UseStock(kind, 1, "in-doubt")
		}
		return nil
	})
	if err != nil {
		s.cfg.Logger.Error("paper of a test was not counted", "kind", kind, "error", err)
	}
}

// TestSlip is a slip with what a head may draw wrong.
func TestSlip(place, version string, now time.Time) slip.Slip {
	return slip.Slip{Blocks: []slip.Block{
		slip.Text{Text: "打印测试 Test slip", Align: slip.Center, Bold: true, Size: 2},
		slip.Text{Text: place, Align: slip.Center},
		slip.Rule{},
		slip.Table{Columns: []slip.Column{{Share: 1}, {Share: 2, Align: slip.Right}}, Rows: [][]string{
			{"时间 Time", now.Format(time.DateTime)},
			{"汉字 Chinese", "直骨角令海门 龘𠮷"},
			{"程序 Version", version},
		}},
		slip.QR{Data: "BUDAYANG TEST", Caption: "QR"},
		slip.Rule{Dashed: true},
	}}
}
