package service_test

import (
	"context"
	"errors"
	"image"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// done is the way from the fee to the rating.
func (w *world) done() []script.Line {
	return lines([]script.Line{w.pays(), script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())
}

// troubled pays, and keeps what is told then.
func (w *world) troubled(seen *service.Trouble) []script.Line {
	return lines([]script.Line{w.pays(), script.On("trouble", script.Look(func(p service.Prompt) { *seen = p.(service.Trouble) }, script.Next()))}, leave())
}

// idles is nobody there for so long.
func (w *world) idles(d time.Duration) {
	w.t.Helper()
	w.play(script.On("attract", func(context.Context, service.Prompt) (service.Answer, error) {
		time.Sleep(d)
		return nil, service.ErrTimedOut
	}))
}

// again is somebody who comes back: they say who they are, and the case goes on.
func (w *world) again() []script.Line {
	return w.known()
}

func TestWhoeverComesToTheBooth(t *testing.T) {
	agrees := func(w *world) []script.Line {
		return lines(start("TID"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Next())),
		})
	}
	rest := func(w *world) []script.Line {
		return lines([]script.Line{script.On("choose", script.Choose("self")), script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")),
			script.On("ink", script.Draw(ink(w.t))), script.On("review", script.Next())}, w.done())
	}
	makingCards(t, "is known by face", func(t *testing.T, w *world) {
		c := w.play(lines(agrees(w), one(script.On("photo", script.Wait())), rest(w))...)
		w.one(journal.Closed)
		if w.plat.codes != 0 || slices.Contains(c.Seen(), "verify") {
			t.Error("a code was sent all the same")
		}
	})
	makingCards(t, "is not known by face, and by code", func(t *testing.T, w *world) {
		w.booth.office.other = 3
		var told service.Text
		w.play(lines(agrees(w), []script.Line{script.On("photo", script.Wait()), script.On("photo", script.Wait()),
			script.On("photo", script.Look(func(p service.Prompt) { told = p.(service.Pose).Problem }, script.Wait())), script.On("verify", script.Enter("123456"))}, rest(w))...)
		w.one(journal.Closed)
		if told.ID != "svc.face.other" {
			t.Errorf("told %+v", told)
		}
	})
	makingCards(t, "has no card and types the number", func(t *testing.T, w *world) {
		w.play(lines(start("TID"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", script.Next()),
			script.On("form", script.Fill("number", "99000019900307123")), script.On("form", script.Fill("number", citizenNumber(t))),
			script.On("consent", script.Reply(service.Cancelled{})), script.On("verify", script.Enter("123456")),
		}, rest(w))...)
		if k := w.one(journal.Closed); k.Last4 != citizenNumber(t)[14:] || k.Person != "" {
			t.Errorf("case of %q %q", k.Person, k.Last4)
		}
	})
	makingCards(t, "is photographed, and picks the second", func(t *testing.T, w *world) {
		w.booth.office.photo = false
		var first, second service.PickPhoto
		w.play(lines(w.known(), []script.Line{
			script.On("form", script.Fill("phone", "")), script.On("photo", script.Wait()),
			script.On("pick-photo", script.Look(func(p service.Prompt) { first = p.(service.PickPhoto) }, script.Reply(service.Again{}))),
			script.On("photo", script.Wait()),
			script.On("pick-photo", script.Look(func(p service.Prompt) { second = p.(service.PickPhoto) }, script.Choose("1"))),
			script.On("ink", script.Draw(ink(t))), script.On("review", script.Next()),
		}, w.done())...)
		w.one(journal.Closed)
		if len(first.Photos) != 2 || first.Left != 5 || second.Left != 4 || w.booth.office.photoLen < 10_000 {
			t.Errorf("%d photos, %d and %d left, %d bytes applied with", len(first.Photos), first.Left, second.Left, w.booth.office.photoLen)
		}
		for _, b := range append(first.Photos, second.Photos...) {
			if slices.Max(b) != 0 {
				t.Error("a photo is still in memory")
			}
		}
	})
	makingCards(t, "does not like five photos", func(t *testing.T, w *world) {
		w.booth.office.photo = false
		var all []script.Line
		for range 5 {
			all = append(all, script.On("photo", script.Wait()), script.On("pick-photo", script.Reply(service.Again{})))
		}
		c := w.play(lines(w.known(), one(script.On("form", script.Fill("phone", ""))), all,
			[]script.Line{script.On("photo", script.Wait()), script.On("pick-photo", script.Leave())})...)
		if last := c.Asked()[len(c.Asked())-2]; last.(service.PickPhoto).Left != 0 {
			t.Errorf("%+v", last)
		}
		if n := len(w.cases()); n != 0 {
			t.Errorf("%d cases", n)
		}
	})
	makingCards(t, "is a guardian", func(t *testing.T, w *world) {
		child := "990000201806010153"
		w.play(lines(start("TID"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Reply(service.Cancelled{}))),
			script.On("verify", script.Enter("123456")), script.On("choose", script.Choose("child")), script.On("form", script.Fill("number", child)),
			script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")), script.On("ink", script.Draw(ink(t))), script.On("review", script.Next()),
		}, w.done())...)
		w.one(journal.Closed)
		if !slices.Equal(w.booth.office.children, []string{child}) {
			t.Errorf("asked for %v", w.booth.office.children)
		}
	})
	for _, why := range []string{"not-signed", "other-person", "voucher-old", "under-age", "guardian", "valid-card", "excluded", "rare-name"} {
		makingCards(t, "may not: "+why, func(t *testing.T, w *world) {
			w.booth.office.refused = why
			var seen service.Trouble
			w.play(lines(w.known(), one(script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))), leave())...)
			if seen.What.Words["en"] != "why "+why || seen.Do.Words["en"] != "next "+why || len(w.cases()) != 0 {
				t.Errorf("told %+v, %d cases", seen, len(w.cases()))
			}
		})
	}
	makingCards(t, "shows the voucher's number", func(t *testing.T, w *world) {
		w.booth.office.refused = "no-voucher"
		w.play(lines(w.known(), []script.Line{
			script.On("form", script.Fill("voucher", "123")), script.On("form", script.Fill("voucher", strings.Repeat("7", 22))),
			script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")), script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())},
			w.done())...)
		w.one(journal.Closed)
	})
	voucher := strings.Repeat("7", 22)
	makingCards(t, "shows the voucher to the scanner instead of a card", func(t *testing.T, w *world) {
		w.set.add(devices.RoleCodeScanner, &fakeScanner{codes: []string{"https://example.invalid/other", voucher + "\r"}})
		var seen service.PlaceCard
		c := w.play(lines(start("TID"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", script.Look(func(p service.Prompt) { seen = p.(service.PlaceCard) }, script.Wait())),
			script.On("consent", script.Reply(service.Cancelled{})), script.On("verify", script.Enter("123456")),
		}, rest(w))...)
		if k := w.one(journal.Closed); k.Last4 != citizenNumber(t)[14:] || k.Person != "" {
			t.Errorf("case of %q %q", k.Person, k.Last4)
		}
		name, number := w.plat.who.Reveal()
		if !seen.Voucher || w.plat.who.Voucher() != voucher || name+number != "" || w.booth.office.vouchers[0] != voucher {
			t.Errorf("asked %+v; a code to %q %q %q, the office for %q", seen, name, number, w.plat.who.Voucher(), w.booth.office.vouchers)
		}
		told := false
		for _, v := range c.Told() {
			n, is := v.(service.CardNote)
			told = told || is && n.Event == service.NotVoucher
		}
		if !told {
			t.Error("nothing was said of a code that is no voucher's")
		}
	})
	makingCards(t, "puts the card down while the scanner looks", func(t *testing.T, w *world) {
		scan := &fakeScanner{}
		w.set.add(devices.RoleCodeScanner, scan)
		w.play(lines(w.applies(), w.done())...)
		if w.one(journal.Closed); w.plat.who.Voucher() != "" || scan.looking {
			t.Errorf("a code to the holder of %q; looking %v", w.plat.who.Voucher(), scan.looking)
		}
	})
	makingCards(t, "has a voucher, and no scanner is there", func(t *testing.T, w *world) {
		var seen service.PlaceCard
		w.play(lines(start("TID"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", script.Look(func(p service.Prompt) { seen = p.(service.PlaceCard) }, script.Leave()))})...)
		if seen.Voucher {
			t.Error("a scanner is spoken of")
		}
	})
	makingCards(t, "shows the voucher where it is asked for", func(t *testing.T, w *world) {
		w.booth.office.refused = "no-voucher"
		w.set.add(devices.RoleCodeScanner, &fakeScanner{after: 30 * time.Second, codes: []string{voucher}})
		w.play(lines(w.known(), []script.Line{
			script.On("form", script.Wait()), script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")),
			script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())}, w.done())...)
		if w.one(journal.Closed); !slices.Contains(w.booth.office.vouchers, voucher) {
			t.Errorf("the office was asked for %q", w.booth.office.vouchers)
		}
	})
	makingCards(t, "while the camera is pulled out", func(t *testing.T, w *world) {
		w.booth.office.photo = false
		w.set.add(devices.RoleCamera, &fakeCamera{left: 5})
		var seen service.Trouble
		w.play(lines(w.known(), []script.Line{script.On("form", script.Fill("phone", "")), script.On("photo", script.Wait()),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		if seen.Code != "E-CAMERA" || len(w.cases()) != 0 {
			t.Errorf("told %+v", seen)
		}
	})
	makingCards(t, "pays nothing", func(t *testing.T, w *world) {
		w.till.fee = 0
		c := w.play(lines(w.applies(), []script.Line{script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		if slices.Contains(c.Seen(), "pay") {
			t.Error("a code was shown for nothing")
		}
	})
}

func TestWhatGoesWrongAtTheBooth(t *testing.T) {
	makingCards(t, "the ribbon tears: the blank is spoiled, another one with another permit", func(t *testing.T, w *world) {
		w.booth.printer.print = func(n int) (devices.PrintResult, bool) {
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, n == 1
		}
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if w.blank("spoiled") != 1 || w.blank("taken") != 1 || len(w.booth.office.permits) != 2 || len(w.booth.cards.bin) != 1 {
			t.Errorf("%d spoiled, %d taken, permits %v, bin %v", w.blank("spoiled"), w.blank("taken"), w.booth.office.permits, w.booth.cards.bin)
		}
		want := []journal.State{journal.Bound, journal.Printing, journal.PrintFailed, journal.Spoiled, journal.ReissueDue, journal.Bound, journal.Printing, journal.Printed}
		if got := w.states(); !slices.Equal(got[8:16], want) {
			t.Errorf("states %v", got)
		}
	})
	makingCards(t, "both blanks fail: the card is owed, and made at the next visit", func(t *testing.T, w *world) {
		w.booth.printer.print = func(n int) (devices.PrintResult, bool) {
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, n <= 2
		}
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.ReissueDue)
		if !strings.Contains(seen.Code, "E-CARD-BLANKS") || w.blank("spoiled") != 2 {
			t.Errorf("told %+v, %d spoiled", seen, w.blank("spoiled"))
		}
		w.play(lines(w.again(), []script.Line{script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		if w.blank("taken") != 1 || len(w.till.bills) != 1 {
			t.Errorf("%d taken, %d bills", w.blank("taken"), len(w.till.bills))
		}
	})
	makingCards(t, "four blanks fail in two visits: each time there is a slip, and the second tells what was paid too", func(t *testing.T, w *world) {
		w.booth.printer.print = func(int) (devices.PrintResult, bool) {
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, true
		}
		var first, second service.Trouble
		w.play(lines(w.applies(), w.troubled(&first))...)
		w.play(lines(w.again(), one(script.On("trouble", script.Look(func(p service.Prompt) { second = p.(service.Trouble) }, script.Next()))), leave())...)
		w.one(journal.ReissueDue)
		slips := w.roll.texts()
		if len(slips) != 2 || !first.Printed || !second.Printed || second.QR != "" {
			t.Fatalf("%d slips; told %+v, then %+v", len(slips), first, second)
		}
		for _, s := range slips {
			if !strings.Contains(s, "E-CARD-BLANKS") || !strings.Contains(s, "¥ 10.00") || !strings.Contains(s, w.till.bills[0].Number) {
				t.Errorf("slip: %s", s)
			}
		}
	})
	makingCards(t, "nobody knows whether it printed: nothing moves any more", func(t *testing.T, w *world) {
		w.booth.printer.print = func(int) (devices.PrintResult, bool) { return devices.PrintResult{Outcome: devices.PrintUnknown}, true }
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.PrintUnknown)
		if w.blank("in-doubt") != 1 || len(w.booth.cards.began) != 1 || len(w.booth.printer.jobs) != 1 || !strings.Contains(seen.Code, "E-CARD-UNKNOWN") {
			t.Errorf("%d in doubt, motors %v, jobs %v, told %+v", w.blank("in-doubt"), w.booth.cards.began, w.booth.printer.jobs, seen)
		}
		for _, tile := range w.engine.Tiles() {
			if tile.Code == "TID" && (tile.Ready || tile.Why.ID != "svc.why.card-doubt") {
				t.Errorf("tile %+v", tile)
			}
		}
	})
	makingCards(t, "the printer's counter contradicts it", func(t *testing.T, w *world) {
		w.booth.printer.miscount = 1
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.PrintUnknown)
		if w.blank("in-doubt") != 1 || len(w.booth.cards.taken) != 0 {
			t.Errorf("%d in doubt, %v taken", w.blank("in-doubt"), w.booth.cards.taken)
		}
	})
	makingCards(t, "the ribbon is out: the blank is put away, the card is owed", func(t *testing.T, w *world) {
		w.booth.printer.ribbon = 0
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.ReissueDue)
		if w.blank("spoiled") != 1 || len(w.booth.printer.jobs) != 0 {
			t.Errorf("%d spoiled, jobs %v", w.blank("spoiled"), w.booth.printer.jobs)
		}
	})
	makingCards(t, "no blank comes out", func(t *testing.T, w *world) {
		w.booth.cards.hopper = nil
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.ReissueDue)
		if !strings.Contains(seen.Code, "E-CARD-DRAW") || len(w.booth.cards.began) != 0 {
			t.Errorf("told %+v, motors %v", seen, w.booth.cards.began)
		}
	})
	makingCards(t, "the dispenser refuses when it is told: the blank is stock again, and the next visit draws another", func(t *testing.T, w *world) {
		w.booth.cards.move = func(int, devices.CardMove) (devices.MoveResult, bool) {
			return devices.MoveResult{Outcome: devices.MoveNotDone, At: devices.CardNone, Detail: "refused"}, true
		}
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.ReissueDue)
		if !strings.Contains(seen.Code, "E-CARD-DRAW") || len(w.booth.cards.began) == 0 || w.blank("drawn") != 0 || w.blank("back") != 1 || w.cardsFree() != 5 {
			t.Errorf("told %+v, motors %v, %d drawn, %d back, %d free", seen, w.booth.cards.began, w.blank("drawn"), w.blank("back"), w.cardsFree())
		}
		w.booth.cards.move = nil
		w.play(lines(w.again(), []script.Line{script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		if w.blank("taken") != 1 || w.cardsFree() != 4 || len(w.booth.cards.hopper) != 4 {
			t.Errorf("%d taken, %d free, %d in the hopper", w.blank("taken"), w.cardsFree(), len(w.booth.cards.hopper))
		}
	})
	makingCards(t, "nobody knows whether a blank came out", func(t *testing.T, w *world) {
		w.booth.cards.move = func(int, devices.CardMove) (devices.MoveResult, bool) {
			return devices.MoveResult{Outcome: devices.MoveUnknown, At: devices.CardUnknown}, true
		}
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.Manual)
		if w.blank("in-doubt") != 1 || len(w.booth.office.permits) != 0 || len(w.booth.cards.began) != 1 {
			t.Errorf("%d in doubt, permits %v, motors %v", w.blank("in-doubt"), w.booth.office.permits, w.booth.cards.began)
		}
	})
	makingCards(t, "a chip that cannot be read: put away, and the next", func(t *testing.T, w *world) {
		w.booth.cards.noChip = 1
		w.play(lines(w.applies(), w.done())...)
		w.one(journal.Closed)
		if w.blank("spoiled") != 1 || w.blank("taken") != 1 || len(w.booth.office.permits) != 1 {
			t.Errorf("%d spoiled, %d taken, permits %v", w.blank("spoiled"), w.blank("taken"), w.booth.office.permits)
		}
	})
	makingCards(t, "a number that was there before", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), w.done())...)
		w.booth.cards.hopper[0] = w.booth.cards.taken[0]
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		if w.blank("in-doubt") != 1 || len(w.booth.printer.jobs) != 1 || !strings.Contains(seen.Code, "E-CARD-NUMBER") {
			t.Errorf("%d in doubt, jobs %v, told %+v", w.blank("in-doubt"), w.booth.printer.jobs, seen)
		}
	})
	for name, tamper := range map[string]func(*service.Permit){
		"another terminal's": func(p *service.Permit) { p.Terminal = "T-OTHER" },
		"another blank's":    func(p *service.Permit) { p.Blank = "E0FFFFFF" },
		"another case's":     func(p *service.Permit) { p.Key = "other" },
		"for too long":       func(p *service.Permit) { p.Expires = now().Add(24 * time.Hour) },
	} {
		makingCards(t, "a permit is "+name, func(t *testing.T, w *world) {
			w.booth.office.tamper = tamper
			var seen service.Trouble
			w.play(lines(w.applies(), w.troubled(&seen))...)
			w.one(journal.Manual)
			if len(w.booth.printer.jobs) != 0 || w.blank("spoiled") != 1 || !strings.Contains(seen.Code, "E-FORGED") {
				t.Errorf("jobs %v, %d spoiled, told %+v", w.booth.printer.jobs, w.blank("spoiled"), seen)
			}
		})
	}
	makingCards(t, "a permit that is nearly over", func(t *testing.T, w *world) {
		w.booth.office.tamper = func(p *service.Permit) { p.Expires = now().Add(10 * time.Second) }
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.Manual)
		if len(w.booth.printer.jobs) != 0 || !strings.Contains(seen.Code, "E-NO-PERMIT") {
			t.Errorf("jobs %v, told %+v", w.booth.printer.jobs, seen)
		}
	})
	makingCards(t, "a character that nobody has: nothing is printed", func(t *testing.T, w *world) {
		w.booth.office.tamper = func(p *service.Permit) { p.Card.Name = "李\uE863" }
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.Manual)
		if len(w.booth.printer.jobs) != 0 || !strings.Contains(seen.Code, "E-CARD-FACE") {
			t.Errorf("jobs %v, told %+v", w.booth.printer.jobs, seen)
		}
	})
	makingCards(t, "the card is not taken: drawn back, and kept", func(t *testing.T, w *world) {
		w.booth.cards.takes = false
		w.play(lines(w.applies(), []script.Line{w.pays(), script.On("take-output", script.Wait()), script.On("take-output", script.Wait())})...)
		w.one(journal.Retained)
		if w.blank("retained") != 1 || len(w.booth.cards.bin) != 1 {
			t.Errorf("%d retained, bin %v", w.blank("retained"), w.booth.cards.bin)
		}
	})
	makingCards(t, "the card is not taken, and the bin filled meanwhile: nobody is served until it is gone", func(t *testing.T, w *world) {
		w.booth.cards.takes = false
		tries := 0
		w.booth.cards.move = func(n int, m devices.CardMove) (devices.MoveResult, bool) {
			if m.Act != devices.CardRetain {
				return devices.MoveResult{}, false
			}
			tries++
			w.booth.cards.full = true
			return devices.MoveResult{Outcome: devices.MoveNotDone, At: devices.CardMouth, Detail: "retain bin is full"}, true
		}
		lies := func(m devices.Media) {
			w.set.change(devices.RoleCardDispenser, func(s *devices.Status) { s.Media = m })
		}
		var began time.Time
		var closed time.Duration
		c := w.play(lines(w.applies(), []script.Line{w.pays(), script.On("take-output", script.Wait()), script.On("take-output", func(ctx context.Context, p service.Prompt) (service.Answer, error) {
			lies(devices.MediaPresent)
			began = time.Now()
			go func() { // a technician comes after half an hour
				time.Sleep(30 * time.Minute)
				w.booth.cards.mu.Lock()
				w.booth.cards.path, w.booth.cards.at = "", devices.CardNone
				w.booth.cards.mu.Unlock()
				lies(devices.MediaNotPresent)
			}()
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}), script.On("attract", func(context.Context, service.Prompt) (service.Answer, error) {
			closed = time.Since(began)
			return nil, service.ErrTimedOut
		})})...)
		w.one(journal.Manual)
		var told *service.OutOfService
		for _, v := range c.Told() {
			if o, is := v.(service.OutOfService); is {
				told = &o
			}
		}
		if w.blank("in-doubt") != 1 || w.blank("reserved") != 0 || tries < 2 || closed < 30*time.Minute || told == nil || told.Code != "E-CARD-MOUTH" || w.audited(journal.EventCardMouth) != 3 {
			t.Errorf("%d in doubt, %d tries, closed for %s, told %+v, %d lines of the chain", w.blank("in-doubt"), tries, closed, told, w.audited(journal.EventCardMouth))
		}
	})
	makingCards(t, "a card lies in the mouth when the terminal begins to serve", func(t *testing.T, w *world) {
		w.booth.cards.takes, w.booth.cards.at, w.booth.cards.path = false, devices.CardMouth, "e1"
		w.set.change(devices.RoleCardDispenser, func(s *devices.Status) { s.Media = devices.MediaPresent })
		began := time.Now()
		go func() {
			time.Sleep(time.Hour)
			w.booth.cards.mu.Lock()
			w.booth.cards.path, w.booth.cards.at = "", devices.CardNone
			w.booth.cards.mu.Unlock()
		}()
		w.play(script.On("attract", func(context.Context, service.Prompt) (service.Answer, error) {
			if d := time.Since(began); d < time.Hour {
				t.Errorf("served after %s", d)
			}
			return nil, service.ErrTimedOut
		}))
	})
	makingCards(t, "taken in the last moment", func(t *testing.T, w *world) {
		w.booth.cards.takes = false
		w.booth.cards.move = func(n int, m devices.CardMove) (devices.MoveResult, bool) {
			if m.Act != devices.CardRetain {
				return devices.MoveResult{}, false
			}
			w.booth.cards.taken, w.booth.cards.path, w.booth.cards.at = append(w.booth.cards.taken, w.booth.cards.path), "", devices.CardNone
			return devices.MoveResult{Outcome: devices.MoveNotDone, At: devices.CardNone}, true
		}
		w.play(lines(w.applies(), []script.Line{w.pays(), script.On("take-output", script.Wait()), script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		if w.blank("taken") != 1 {
			t.Errorf("%d taken", w.blank("taken"))
		}
	})
	makingCards(t, "the office cannot be reached when the permit is due", func(t *testing.T, w *world) {
		var seen service.Trouble
		w.play(lines(w.applies(), []script.Line{script.On("pay", after(10*time.Second, func() { w.booth.office.dead = true; w.till.with(paidNow) })),
			script.Maybe("wait", script.Wait()),
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))}, leave())...)
		w.one(journal.ReissueDue)
		if !strings.Contains(seen.Code, "E-LINK") && !strings.Contains(seen.Code, "E-PERMIT") {
			t.Errorf("told %+v", seen)
		}
		w.booth.office.dead = false
		w.play(lines(w.again(), []script.Line{script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
	})
}

func TestComingBackToTheBooth(t *testing.T) {
	makingCards(t, "after the audit wait, at a second terminal", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		w.play(lines(w.applies(), one(script.On("decision", script.Reply(service.Cancelled{}))))...)
		k := w.one(journal.AuditWait)
		w.booth.office.decide(service.StandingApproved, "")
		other := neighbour(w)
		c := other.play(lines(other.again(), other.done())...)
		if slices.Contains(c.Seen(), "photo") || slices.Contains(c.Seen(), "ink") {
			t.Errorf("asked again: %v", c.Seen())
		}
		if k2 := other.one(journal.Closed); k2.ID != k.ID || k2.ReceiptCode != k.ReceiptCode || w.booth.office.applied != 1 {
			t.Errorf("case %s became %s, %d applications", k.ReceiptCode, k2.ReceiptCode, w.booth.office.applied)
		}
		if len(w.till.bills) != 1 || len(other.booth.cards.taken) != 1 || len(w.booth.cards.taken) != 0 {
			t.Errorf("%d bills, %v and %v taken", len(w.till.bills), other.booth.cards.taken, w.booth.cards.taken)
		}
	})
	makingCards(t, "leaves with the code on the screen, pays at home, comes back for the card", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.TimeOut())))...)
		w.one(journal.PayUnknown)
		w.till.with(paidNow)
		w.engine.AskBills(t.Context())
		w.one(journal.Paid)
		w.play(lines(w.again(), []script.Line{script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		if len(w.till.bills) != 1 || w.blank("taken") != 1 {
			t.Errorf("%d bills, %d taken", len(w.till.bills), w.blank("taken"))
		}
	})
	makingCards(t, "leaves with the code on the screen, comes back and pays: the same code is shown", func(t *testing.T, w *world) {
		var first, second service.Pay
		w.play(lines(w.applies(), one(script.On("pay", script.Look(func(p service.Prompt) { first = p.(service.Pay) }, script.Leave()))))...)
		w.one(journal.PayUnknown)
		w.play(lines(w.again(), []script.Line{
			script.On("pay", script.Look(func(p service.Prompt) { second = p.(service.Pay) }, after(10*time.Second, func() { w.till.with(paidNow) }))),
			script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())...)
		w.one(journal.Closed)
		w.payEffect(journal.EffectDone)
		if len(w.till.bills) != 1 || second.Number != first.Number || second.QR != first.QR || second.Number == "" || w.blank("taken") != 1 {
			t.Errorf("%d bills; shown %+v, then %+v; %d taken", len(w.till.bills), first, second, w.blank("taken"))
		}
		if slips := w.roll.texts(); len(slips) != 1 || !strings.Contains(slips[0], "¥ 10.00") {
			t.Errorf("slips %q", slips)
		}
	})
	makingCards(t, "leaves with the code on the screen: blank and ribbon are set aside for half an hour", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.Leave())))...)
		w.till.set(func() { w.till.dead = true }) // nobody can say what became of the bill
		for _, c := range []struct {
			stands time.Duration
			free   uint64
		}{{29 * time.Minute, 4}, {2 * time.Minute, 5}} {
			w.play(script.On("attract", func(context.Context, service.Prompt) (service.Answer, error) {
				time.Sleep(c.stands)
				return nil, service.ErrTimedOut
			}))
			w.one(journal.PayUnknown)
			if r := w.ribbon(); w.cardsFree() != c.free || r.Reserved != 5-c.free {
				t.Errorf("%d free, ribbon %+v", w.cardsFree(), r)
			}
		}
	})
	makingCards(t, "leaves with the code on the screen, comes back and gives it up", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.Leave())))...)
		w.play(lines(w.again(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
		w.one(journal.Expired)
		w.payEffect(journal.EffectFailed)
		if w.cardsFree() != 5 || w.till.bills[0].Why != "cancelled" {
			t.Errorf("%d free, bill %+v", w.cardsFree(), w.till.bills[0])
		}
	})
	makingCards(t, "comes back when the code is over, before anybody asked what became of it", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.Leave())))...)
		time.Sleep(6 * time.Minute)
		w.till.set(func() { w.till.dead = true })
		way := w.again()
		way[len(way)-1] = script.On("choose", script.Then(func() { w.till.set(func() { w.till.dead = false }) }, script.Choose("self")))
		var seen service.Trouble
		w.play(lines(way, one(script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))), leave())...)
		w.one(journal.Expired)
		if !strings.Contains(seen.Code, "E-PAY-EXPIRED") || w.cardsFree() != 5 {
			t.Errorf("told %+v, %d free", seen, w.cardsFree())
		}
	})
	for name, c := range map[string]struct {
		line  func(w *world) script.Line
		later func(w *world)
		to    journal.State
	}{
		"and pays there":             {func(w *world) script.Line { return w.pays() }, nil, journal.Closed},
		"gives it up there":          {func(*world) script.Line { return script.On("pay", script.Reply(service.Cancelled{})) }, nil, journal.Expired},
		"leaves again, pays at home": {func(*world) script.Line { return script.On("pay", script.Leave()) }, func(w *world) { w.till.with(paidNow) }, journal.Paid},
		"leaves again, never pays":   {func(*world) script.Line { return script.On("pay", script.Leave()) }, func(*world) { time.Sleep(10 * time.Minute) }, journal.Expired},
	} {
		makingCards(t, "leaves with the code on the screen, goes to a second terminal, "+name, func(t *testing.T, w *world) {
			w.play(lines(w.applies(), one(script.On("pay", script.Leave())))...)
			w.one(journal.PayUnknown)
			other := neighbour(w)
			all := lines(other.again(), one(c.line(other)))
			switch {
			case c.to == journal.Closed:
				all = lines(all, []script.Line{script.On("take-output", script.Wait()), script.On("done", script.Rate("5"))}, leave())
			case c.later == nil:
				all = lines(all, leave())
			}
			other.play(all...)
			if c.later != nil {
				other.one(journal.PayUnknown)
				c.later(other)
				for range 2 {
					other.engine.AskBills(t.Context())
				}
			}
			other.one(c.to)
			if len(w.till.bills) != 1 {
				t.Errorf("%d bills", len(w.till.bills))
			}
			if c.to == journal.Closed && (len(other.booth.cards.taken) != 1 || !strings.Contains(strings.Join(other.roll.texts(), ""), "¥ 10.00")) {
				t.Errorf("%v taken, slips %q", other.booth.cards.taken, other.roll.texts())
			}
		})
	}
	makingCards(t, "leaves with the code on the screen, has the card made at a second terminal: the first lets go of the case", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.Leave())))...)
		key := w.one(journal.PayUnknown).ID
		d := desk.New(w.journal, desk.Options{})
		listed := func() int {
			t.Helper()
			all, err := d.List()
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		other := neighbour(w)
		other.play(lines(other.again(), other.done())...)
		other.one(journal.Closed)
		w.till.set(func() { w.till.dead = true }) // nor is a bill told that another terminal asks for
		w.idles(time.Hour)
		if w.one(journal.PayUnknown); listed() != 1 {
			t.Errorf("%d cases for a person before the platform said anything", listed())
		}
		w.booth.office.moved = map[string]bool{key: true}
		w.idles(time.Hour)
		c := w.one(journal.PayUnknown)
		if listed() != 0 || !desk.HasMoved(c) || w.audited(journal.EventCaseMoved) != 1 || w.blank("reserved") != 0 {
			t.Errorf("%d cases for a person, %v, told %d times, %d set aside", listed(), c.Steps, w.audited(journal.EventCaseMoved), w.blank("reserved"))
		}
		if _, err := d.Decide(desk.Decision{Receipt: c.ReceiptCode, Action: desk.NotPaid, Operator: "op.chen", Second: "op.li", Reason: desk.StatementChecked}); !errors.Is(err, desk.ErrNotNow) {
			t.Errorf("decided here all the same: %v", err)
		}
		// It comes back, and is this terminal's again.
		w.booth.office.moved = nil
		other.one(journal.Closed)
		if err := w.journal.Update(func(tx *journal.Tx) error {
			l := wire.Lease{State: string(journal.PayUnknown), Grant: wire.Grant{Case: key, Terminal: "T-TEST", Token: 99, Granted: now()}}
			l.Opened.ReceiptCode, l.Opened.Item = c.ReceiptCode, c.Item
			_, err := tx.AdoptCase(l)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if listed() != 1 {
			t.Errorf("%d cases for a person when it had come back", listed())
		}
	})
	makingCards(t, "leaves while an official looks, has the card made at a second terminal: the first keeps nothing of theirs", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		w.play(lines(w.applies(), one(script.On("decision", script.Reply(service.Cancelled{}))))...)
		key := w.one(journal.AuditWait).ID
		swept := func() int {
			t.Helper()
			w.booth.office.hear()
			n, err := w.engine.Sweep(t.Context(), now())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		w.idles(25 * time.Hour)
		if n := swept(); n != 0 || desk.HasMoved(w.one(journal.AuditWait)) {
			t.Errorf("%d swept of a case that waits for its citizen", n)
		}
		w.booth.office.decide(service.StandingApproved, "")
		other := neighbour(w)
		other.play(lines(other.again(), other.done())...)
		other.one(journal.Closed)
		w.booth.office.moved = map[string]bool{key: true}
		w.idles(25 * time.Hour)
		if c := w.one(journal.AuditWait); !desk.HasMoved(c) {
			t.Errorf("%s after a day is this terminal's still: %v", c.State, c.Steps)
		}
		w.idles(25 * time.Hour)
		if n := swept(); n != 1 || w.audited(journal.EventCaseShredded) != 1 {
			t.Errorf("%d swept", n)
		}
	})
	makingCards(t, "paid here, no card here nor at a second terminal, never comes again: the money goes back", func(t *testing.T, w *world) {
		fails := func(int) (devices.PrintResult, bool) {
			return devices.PrintResult{Outcome: devices.PrintFailed, Detail: "ribbon"}, true
		}
		w.booth.printer.print = fails
		var seen service.Trouble
		w.play(lines(w.applies(), w.troubled(&seen))...)
		w.one(journal.ReissueDue)
		other := neighbour(w)
		other.booth.printer.print = fails
		other.play(lines(other.again(), one(script.On("trouble", script.Next())), leave())...)
		other.one(journal.ReissueDue)
		w.till.set(func() { w.till.dead = true })
		other.idles(25 * time.Hour)
		other.one(journal.ReissueDue) // nobody can say whether money is kept for it
		w.till.set(func() { w.till.dead = false })
		other.idles(time.Hour)
		other.one(journal.RefundDue)
		w.till.with(func(b *service.Bill) {
			b.State, b.Refunds = service.BillReturned, []service.BillRefund{{Why: "unissued", State: "done"}}
		})
		for range 3 {
			other.engine.AskBills(t.Context())
		}
		other.one(journal.Closed)
	})
	makingCards(t, "applied with a voucher and nothing else, and comes back with it", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		voucher := strings.Repeat("7", 22)
		w.set.add(devices.RoleCodeScanner, &fakeScanner{codes: []string{voucher, voucher}})
		shows := lines(start("TID"), []script.Line{script.On("consent", script.Next()), script.On("identify", script.Wait()),
			script.On("consent", script.Reply(service.Cancelled{})), script.On("verify", script.Enter("123456")), script.On("choose", script.Choose("self"))})
		w.play(lines(shows, []script.Line{script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")),
			script.On("ink", script.Draw(ink(t))), script.On("review", script.Next()), script.On("decision", script.Reply(service.Cancelled{}))})...)
		w.one(journal.AuditWait)
		w.booth.office.decide(service.StandingApproved, "")
		w.play(lines(shows, w.done())...)
		w.one(journal.Closed)
	})
	makingCards(t, "goes on at a second terminal before the first told that an official looks, and leaves again", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		w.play(lines(w.applies(), one(script.On("decision", script.Reply(service.Cancelled{}))))...)
		w.booth.office.stands = journal.Accepted
		other := neighbour(w)
		other.play(lines(other.again(), one(script.On("decision", script.Leave())))...)
		other.one(journal.Accepted)
	})
	makingCards(t, "pays at home and never comes: the money goes back after a day", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.TimeOut())))...)
		w.till.with(paidNow)
		w.engine.AskBills(t.Context())
		w.one(journal.Paid)
		stands := func(d time.Duration) script.Line {
			return script.On("attract", func(context.Context, service.Prompt) (service.Answer, error) {
				time.Sleep(d)
				return nil, service.ErrTimedOut
			})
		}
		w.play(stands(23 * time.Hour))
		w.one(journal.Paid)
		w.play(stands(90 * time.Minute))
		w.one(journal.RefundDue)
		if len(w.booth.printer.jobs) != 0 || w.cardsFree() != 5 {
			t.Errorf("jobs %v, %d free", w.booth.printer.jobs, w.cardsFree())
		}
	})
	makingCards(t, "never comes for what was decided: it ends, and not while an official looks", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		w.play(lines(w.applies(), one(script.On("decision", script.Reply(service.Cancelled{}))))...)
		stands := func(d time.Duration) script.Line {
			return script.On("attract", func(context.Context, service.Prompt) (service.Answer, error) {
				time.Sleep(d)
				return nil, service.ErrTimedOut
			})
		}
		w.play(stands(31 * time.Hour))
		w.one(journal.AuditWait)
		w.booth.office.decide(service.StandingApproved, "")
		w.play(stands(time.Hour))
		w.one(journal.Expired)
		if w.cardsFree() != 5 || len(w.till.bills) != 0 {
			t.Errorf("%d free, %d bills", w.cardsFree(), len(w.till.bills))
		}
	})
	makingCards(t, "does not pay: the card is free again", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
		w.one(journal.Cancelled)
		if w.cardsFree() != 5 {
			t.Errorf("%d free", w.cardsFree())
		}
	})
	makingCards(t, "pays too late: the money goes back", func(t *testing.T, w *world) {
		w.play(lines(w.applies(), one(script.On("pay", script.Reply(service.Cancelled{}))), leave())...)
		w.till.with(func(b *service.Bill) {
			b.State, b.Refunds = service.BillReturning, []service.BillRefund{{Why: "late", State: "asked"}}
		})
		w.engine.AskBills(t.Context())
		w.engine.AskBills(t.Context())
		w.engine.AskBills(t.Context())
		w.one(journal.Refunding)
		if len(w.booth.printer.jobs) != 0 {
			t.Errorf("jobs %v", w.booth.printer.jobs)
		}
	})
	makingCards(t, "applies twice: the second finds the first", func(t *testing.T, w *world) {
		w.booth.office.auto = false
		w.play(lines(w.applies(), one(script.On("decision", script.TimeOut())))...)
		w.play(lines(w.again(), one(script.On("decision", script.Leave())))...)
		w.one(journal.AuditWait)
		if w.booth.office.applied != 1 || len(w.roll.texts()) != 1 {
			t.Errorf("%d applications, %d slips", w.booth.office.applied, len(w.roll.texts()))
		}
	})
}

// neighbour is a second terminal of the same hall.
func neighbour(w *world) *world {
	o := newWorld(w.t)
	if err := o.journal.Close(); err != nil {
		w.t.Fatal(err)
	}
	d := newDispenser(5)
	for i, n := range d.hopper {
		d.hopper[i] = "b" + n[1:]
	}
	o.till = w.till
	p := &fakeCardPrinter{d: d, ribbon: 100}
	o.booth = &booth{w.booth.office, p, d, &fakeEye{p: p}}
	o.addBooth()
	o.start()
	w.booth.office.worlds = append(w.booth.office.worlds, o)
	if err := o.journal.Update(func(tx *journal.Tx) error { return loadCards(tx, 5) }); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// TestNoFaceStaysInMemory: after a visit every picture, photo, signature and face that passed through the terminal is zero.
func TestNoFaceStaysInMemory(t *testing.T) {
	makingCards(t, "from the comparison to the card", func(t *testing.T, w *world) {
		w.booth.office.photo = false
		cam := &fakeCamera{}
		w.set.add(devices.RoleCamera, cam)
		var live *service.Live
		w.play(lines(start("TID"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()), script.On("consent", script.Then(func() { w.reader.put(false) }, script.Next())),
			script.On("photo", script.Look(func(p service.Prompt) { live = p.(service.Pose).Live }, script.Wait())), script.On("choose", script.Choose("self")),
			script.On("form", script.Fill("phone", "")), script.On("photo", script.Wait()), script.On("pick-photo", script.Choose("0")),
			script.On("ink", script.Draw(ink(t))), script.On("review", script.Next())}, w.done())...)
		w.one(journal.Closed)
		if len(cam.handed) < 4 || len(w.booth.office.photos) != 4 || len(w.booth.printer.given) != 1 {
			t.Fatalf("%d rooms, %d photos, %d faces", len(cam.handed), len(w.booth.office.photos), len(w.booth.printer.given))
		}
		for _, room := range cam.handed {
			if slices.Max(room) != 0 {
				t.Error("a picture of the camera is still in memory")
			}
		}
		for _, b := range w.booth.office.photos {
			if len(b) == 0 || slices.Max(b) != 0 {
				t.Error("a photo or the signature is still in memory")
			}
		}
		if slices.Max(w.booth.printer.given[0].Pix) != 0 {
			t.Error("the card's face is still in memory")
		}
		if _, _, _, ok := live.Draw(image.NewRGBA(image.Rect(0, 0, 8, 8)), 0); ok {
			t.Error("the screen still has the camera's picture")
		}
		for _, s := range cam.streams {
			if !s.closed {
				t.Error("a stream is open")
			}
		}
	})
}

// TestPowerCutAtTheBooth stops the terminal at every point between what is written and what moves; nothing is printed twice, and no
// blank is lost from the ledger.
func TestPowerCutAtTheBooth(t *testing.T) {
	for _, tc := range []struct {
		point string
		state journal.State
		doubt int
		free  uint64
	}{
		{"apply.before", journal.Cancelled, 0, 5},
		{"apply.after", journal.Cancelled, 0, 5},
		{"pay.reserved", journal.Reserved, 0, 4},
		{"draw.began", journal.Manual, 1, 4},
		{"draw.acted", journal.Manual, 1, 4},
		{"draw.after", journal.Paid, 1, 4},
		{"card.bound", journal.Manual, 1, 4},
		{"card.permitted", journal.Manual, 1, 4},
		{"card.sent", journal.PrintUnknown, 1, 4},
		{"card.acted", journal.PrintUnknown, 1, 4},
		{"card.printed", journal.Manual, 1, 4},
		{"card.checked", journal.Manual, 1, 4},
		{"deliver.before", journal.Manual, 1, 4},
		{"present.began", journal.Manual, 1, 4},
		{"present.acted", journal.Manual, 1, 4},
		{"present.after", journal.Manual, 1, 4},
		{"card.taken", journal.Closed, 0, 4},
	} {
		makingCards(t, tc.point, func(t *testing.T, w *world) {
			w.reached = func(p string) {
				if p == tc.point || strings.HasPrefix(tc.point, "draw.") && strings.HasPrefix(p, "draw-") && strings.HasSuffix(p, tc.point[4:]) {
					runtime.Goexit()
				}
			}
			c := script.New(lines(w.applies(), w.done())...)
			ctx, stop := context.WithCancel(t.Context())
			died, ended := true, make(chan struct{})
			go func() {
				defer close(ended)
				_ = w.engine.Serve(ctx, c)
				died = false
			}()
			<-ended
			stop()
			if !died {
				t.Fatalf("did not come by; seen %v", c.Seen())
			}
			w.reached = nil
			jobs := len(w.booth.printer.jobs)
			if err := w.journal.Close(); err != nil {
				t.Fatal(err)
			}
			// Power is back; the roles are free.
			for role := range w.set.used {
				w.set.used[role] = false
			}
			w.start()
			if _, err := w.engine.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.one(tc.state)
			if w.blank("in-doubt") != tc.doubt || w.cardsFree() != tc.free {
				t.Errorf("%d in doubt, %d free", w.blank("in-doubt"), w.cardsFree())
			}
			if len(w.booth.printer.jobs) != jobs {
				t.Error("printed again")
			}
			switch r := w.ribbon(); {
			case tc.state == journal.PrintUnknown && (r.InDoubt != 1 || r.Issued != 0),
				jobs == 1 && tc.state != journal.PrintUnknown && (r.InDoubt != 0 || r.Issued != 1),
				jobs == 0 && tc.state != journal.PrintUnknown && r.Remaining+r.Reserved != 100:
				t.Errorf("ribbon %+v", r)
			}
			if v, err := w.journal.Verify(t.Context()); err != nil || v.Unsettled != 0 {
				t.Errorf("%d unsettled, %v", v.Unsettled, err)
			}
			if tc.doubt > 0 {
				for _, tile := range w.engine.Tiles() {
					if tile.Code == "TID" && tile.Ready {
						t.Error("cards are made while one is in doubt")
					}
				}
			}
		})
	}
}
