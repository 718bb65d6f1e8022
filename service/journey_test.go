package service_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

func journalLane(s string) wire.Lane { return wire.Lane(s) }

// each runs a test in a bubble of time: waiting costs nothing and every limit is exact.
func each(t *testing.T, name string, fn func(t *testing.T, w *world)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { fn(t, newWorld(t)) })
	})
}

func start(code string) []script.Line {
	return []script.Line{script.On("attract", script.Next()), script.On("home", script.Item(code))}
}

func lines(parts ...[]script.Line) []script.Line { return slices.Concat(parts...) }

func one(l script.Line) []script.Line { return []script.Line{l} }

// certificate is the way to the commit point.
func (w *world) certificate() []script.Line {
	return lines(start("SB-P"), w.identified(), []script.Line{
		script.On("form", script.Fill("purpose", "school")), script.On("review", script.Next()),
	})
}

func leave() []script.Line { return one(script.On("home", script.Leave())) }

func TestCertificate(t *testing.T) {
	each(t, "printed and rated", func(t *testing.T, w *world) {
		c := w.play(lines(w.certificate(), one(script.On("done", script.Rate("5"))), leave())...)
		k := w.one(journal.Closed)
		if k.Person != "张*丰" || k.Last4 != citizenNumber(t)[14:] {
			t.Errorf("case of %q %q", k.Person, k.Last4)
		}
		if got := w.pages.jobs; len(got) != 1 || !strings.HasPrefix(got[0], k.ID+"/print/") {
			t.Errorf("jobs %q", got)
		}
		if string(w.pages.bytes[0]) != string(document().PDF) {
			t.Error("the printer did not get what the platform issued, byte for byte")
		}
		if w.plat.issues[0] != k.ID {
			t.Errorf("issued under %q, expected the case's id", w.plat.issues[0])
		}
		slips := w.roll.texts()
		if len(slips) != 1 || !strings.Contains(slips[0], "QR "+k.ReceiptCode) || !strings.Contains(slips[0], "张*丰") {
			t.Fatalf("slips %q", slips)
		}
		for _, secret := range []string{citizenName, citizenNumber(t)} {
			if strings.Contains(slips[0], secret) {
				t.Error("the slip says who the citizen is")
			}
		}
		if r := w.records("rating"); len(r) != 1 || !strings.Contains(r[0], `"level":"5"`) {
			t.Errorf("ratings %q", r)
		}
		if seen := c.Seen(); !slices.Contains(seen, "progress") || !slices.Contains(seen, "ended") {
			t.Errorf("seen %v", seen)
		}
		if _, err := w.journal.CaseBlob(k.ID, "document"); err == nil {
			t.Error("the certificate's file was kept after delivery")
		}
		states := []journal.State{}
		for _, h := range k.History {
			states = append(states, h.State)
		}
		want := []journal.State{journal.Submitted, journal.Accepted, journal.Printing, journal.Printed, journal.Delivered, journal.Closed}
		if !slices.Equal(states, want) {
			t.Errorf("states %v, expected %v", states, want)
		}
	})
	each(t, "paper is counted", func(t *testing.T, w *world) {
		if err := w.journal.Update(func(tx *journal.Tx) error {
			_, err := tx.LoadStock(journal.StockSheet, 10, "op.test")
			if err == nil {
				_, err = tx.LoadStock(journal.StockSlip, 5, "op.test")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.play(lines(w.certificate(), one(script.On("done", script.Rate("5"))), leave())...)
		sheets, err := w.journal.StockBalance(journal.StockSheet)
		slips, serr := w.journal.StockBalance(journal.StockSlip)
		if err != nil || serr != nil || sheets.Issued != uint64(document().Pages) || sheets.Remaining+sheets.Issued != 10 || slips.Issued != 1 || slips.Remaining != 4 {
			t.Errorf("sheets %+v, slips %+v: %v %v", sheets, slips, err, serr)
		}
	})
	each(t, "paper in doubt is counted", func(t *testing.T, w *world) {
		if err := w.journal.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock(journal.StockSheet, 10, "op.test"); return err }); err != nil {
			t.Fatal(err)
		}
		w.pages.print = func(int, devices.DocumentJob) devices.PrintResult {
			return devices.PrintResult{Outcome: devices.PrintUnknown}
		}
		w.play(lines(w.certificate(), one(script.On("trouble", script.Next())), leave())...)
		if b, err := w.journal.StockBalance(journal.StockSheet); err != nil || b.InDoubt != uint64(document().Pages) {
			t.Errorf("%+v %v", b, err)
		}
	})
	each(t, "nobody rates", func(t *testing.T, w *world) {
		began := time.Now()
		w.play(lines(w.certificate(), one(script.On("done", script.Wait())))...)
		w.one(journal.Closed)
		if r := w.records("rating"); len(r) != 1 || !strings.Contains(r[0], `"level":""`) {
			t.Errorf("ratings %q, expected one that says nobody answered", r)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
	each(t, "going back keeps what was chosen", func(t *testing.T, w *world) {
		shown := ""
		w.play(lines(start("SB-P"), w.identified(), []script.Line{
			script.On("form", script.Fill("purpose", "loan", "period", "all")),
			script.On("review", script.Back()),
			script.On("form", script.Look(func(p service.Prompt) { shown = p.(service.Form).Fields[0].Value }, script.Back())),
		}, leave())...)
		if shown != "loan" {
			t.Errorf("the form shows %q", shown)
		}
		if n := len(w.cases()); n != 0 {
			t.Errorf("%d cases before the commit point", n)
		}
	})
	each(t, "a second item in the visit asks nothing again", func(t *testing.T, w *world) {
		w.play(lines(w.certificate(), []script.Line{
			script.On("done", script.Rate("")), script.On("home", script.Item("SB-Q")),
			script.On("result", script.Next()), script.On("done", script.Rate("4")),
		}, leave())...)
		if w.reader.reads != 1 || w.plat.codes != 1 {
			t.Errorf("%d reads, %d codes", w.reader.reads, w.plat.codes)
		}
	})
	each(t, "the printer does not know what became of it", func(t *testing.T, w *world) {
		w.pages.print = func(int, devices.DocumentJob) devices.PrintResult {
			return devices.PrintResult{Outcome: devices.PrintUnknown}
		}
		var seen service.Trouble
		w.play(lines(w.certificate(), one(script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next()))), leave())...)
		k := w.one(journal.PrintUnknown)
		if w.pages.count() != 1 {
			t.Errorf("printed %d times after nobody knew", w.pages.count())
		}
		if !seen.Printed || seen.QR != "" || !strings.HasPrefix(seen.Code, k.ReceiptCode) || seen.What.ID != "svc.trouble.print-unknown.what" {
			t.Errorf("trouble %+v", seen)
		}
	})
	each(t, "nothing was sent twice, then it prints", func(t *testing.T, w *world) {
		w.pages.print = func(n int, _ devices.DocumentJob) devices.PrintResult {
			if n < 3 {
				return devices.PrintResult{Outcome: devices.PrintNotSent}
			}
			return devices.PrintResult{Outcome: devices.PrintConfirmed}
		}
		w.play(lines(w.certificate(), one(script.On("done", script.Rate("5"))), leave())...)
		w.one(journal.Closed)
		if w.pages.count() != 3 || len(w.plat.issues) != 1 {
			t.Errorf("%d tries, %d issues", w.pages.count(), len(w.plat.issues))
		}
	})
	each(t, "paper out in the middle, refilled", func(t *testing.T, w *world) {
		w.pages.print = func(n int, job devices.DocumentJob) devices.PrintResult {
			if n > 1 {
				return devices.PrintResult{Outcome: devices.PrintConfirmed}
			}
			if job.Hindered != nil {
				job.Hindered(devices.UnreadyPaperOut)
			}
			time.AfterFunc(3*time.Minute, func() {
				w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Paper = devices.SupplyFull })
			})
			return devices.PrintResult{Outcome: devices.PrintFailed, Why: devices.UnreadyPaperOut, Sheets: 1}
		}
		c := w.play(lines(w.certificate(), one(script.On("done", script.Rate("5"))), leave())...)
		w.one(journal.Closed)
		told := false
		for _, v := range c.Told() {
			if p, ok := v.(service.Progress); ok && p.Hint.ID == "svc.progress.paper-out" {
				told = true
			}
		}
		if !told || w.pages.count() != 2 || len(w.plat.issues) != 1 {
			t.Errorf("told %v, %d prints, %d issues", told, w.pages.count(), len(w.plat.issues))
		}
	})
	each(t, "paper out, nobody comes", func(t *testing.T, w *world) {
		w.pages.print = func(int, devices.DocumentJob) devices.PrintResult {
			return devices.PrintResult{Outcome: devices.PrintFailed, Why: devices.UnreadyPaperOut, Sheets: 1}
		}
		w.play(lines(w.certificate(), one(script.On("trouble", script.Next())), leave())...)
		w.one(journal.PrintFailed)
		if w.pages.count() != 1 {
			t.Errorf("%d prints", w.pages.count())
		}
	})
	each(t, "no slip printer: code and picture on the screen", func(t *testing.T, w *world) {
		w.set.change(devices.RoleReceiptPrinter, func(s *devices.Status) { s.Connection = devices.ConnectionNoDevice })
		var seen service.Trouble
		w.play(lines(w.certificate(), []script.Line{
			script.On("trouble", script.Look(func(p service.Prompt) { seen = p.(service.Trouble) }, script.Next())),
			script.On("done", script.Rate("3")),
		}, leave())...)
		if k := w.one(journal.Closed); seen.QR != k.ReceiptCode || seen.Printed {
			t.Errorf("trouble %+v", seen)
		}
	})
	each(t, "the platform forges", func(t *testing.T, w *world) {
		w.plat.issue = func(int, string) (service.Document, error) {
			d := document()
			d.PDF = append(d.PDF, '!')
			return d, nil
		}
		w.play(lines(w.certificate(), one(script.On("trouble", script.Next())), leave())...)
		w.one(journal.Manual)
		if w.pages.count() != 0 {
			t.Error("a document that does not verify was printed")
		}
	})
	each(t, "the link drops at issue and comes back", func(t *testing.T, w *world) {
		w.plat.issue = func(n int, _ string) (service.Document, error) {
			if n < 3 {
				return service.Document{}, service.ErrLinkDown
			}
			return document(), nil
		}
		w.play(lines(w.certificate(), one(script.On("done", script.Rate("5"))), leave())...)
		k := w.one(journal.Closed)
		for _, key := range w.plat.issues {
			if key != k.ID {
				t.Error("asked again under another key")
			}
		}
	})
	each(t, "not issued", func(t *testing.T, w *world) {
		w.plat.issue = func(int, string) (service.Document, error) { return service.Document{}, service.ErrLinkDown }
		w.play(lines(w.certificate(), one(script.On("trouble", script.Next())), leave())...)
		w.one(journal.Cancelled)
	})
	each(t, "refused", func(t *testing.T, w *world) {
		w.plat.issue = func(int, string) (service.Document, error) { return service.Document{}, service.ErrNoRecord }
		w.play(lines(w.certificate(), one(script.On("trouble", script.Next())), leave())...)
		w.one(journal.Rejected)
	})
	each(t, "left in the mouth", func(t *testing.T, w *world) {
		w.pages.print = func(int, devices.DocumentJob) devices.PrintResult {
			w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Media = devices.MediaPresent })
			return devices.PrintResult{Outcome: devices.PrintConfirmed, Output: devices.MediaPresent}
		}
		w.play(lines(w.certificate(), []script.Line{
			script.On("take-output", script.Wait()), script.On("take-output", script.Wait()),
			// The next citizen's print is blocked while it lies there.
			script.On("attract", script.Item("SB-P")),
		}, w.identified(), []script.Line{
			script.On("form", script.Fill("purpose", "job")), script.On("review", script.Next()),
			script.On("take-output", script.Wait()), script.On("take-output", script.Wait()),
			script.On("trouble", script.Next()),
		}, leave())...)
		w.one(journal.Retained)
		if w.pages.count() != 1 {
			t.Errorf("%d prints", w.pages.count())
		}
	})
	each(t, "taken in time", func(t *testing.T, w *world) {
		w.pages.print = func(int, devices.DocumentJob) devices.PrintResult {
			w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Media = devices.MediaPresent })
			time.AfterFunc(35*time.Second, func() {
				w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Media = devices.MediaNotPresent })
			})
			return devices.PrintResult{Outcome: devices.PrintConfirmed}
		}
		c := w.play(lines(w.certificate(), []script.Line{
			script.On("take-output", script.Wait()), script.On("take-output", script.Wait()), script.On("done", script.Rate("5")),
		}, leave())...)
		w.one(journal.Closed)
		urgent := []bool{}
		for _, p := range c.Asked() {
			if to, ok := p.(service.TakeOutput); ok {
				urgent = append(urgent, to.Urgent)
			}
		}
		if !slices.Equal(urgent, []bool{false, true}) {
			t.Errorf("asked %v", urgent)
		}
	})
}

func TestQuery(t *testing.T) {
	each(t, "shown, slip masked", func(t *testing.T, w *world) {
		w.play(lines(start("SB-Q"), w.identified(), []script.Line{
			script.On("result", script.Reply(service.PrintSlip{})), script.On("result", script.Next()), script.On("done", script.Rate("4")),
		}, leave())...)
		k := w.one(journal.Closed)
		if k.Item != "SB-Q" {
			t.Errorf("case %+v", k)
		}
		slips := w.roll.texts()
		if len(slips) != 1 || strings.Contains(slips[0], "48231.07") || !strings.Contains(slips[0], "****") {
			t.Errorf("slips %q", slips)
		}
		if !strings.Contains(slips[0], "仅供参考") {
			t.Errorf("the slip does not say that it proves nothing: %q", slips[0])
		}
	})
	each(t, "an answer that says what its slip is, with a code", func(t *testing.T, w *world) {
		w.plat.query = func(context.Context) (service.Found, error) {
			return service.Found{Note: service.Worded(map[string]string{"zh": "凭以上号码查验", "en": "Check it"}), Sections: []service.Section{{QR: "https://e.example/7",
				Rows: []service.Row{{Label: service.T("svc.row.code"), Plain: "7"}}}}}, nil
		}
		w.play(lines(start("SB-Q"), w.identified(), []script.Line{
			script.On("result", script.Reply(service.PrintSlip{})), script.On("result", script.Next()), script.On("done", script.Rate("4")),
		}, leave())...)
		slips := w.roll.texts()
		if len(slips) != 1 || !strings.Contains(slips[0], "凭以上号码查验") || !strings.Contains(slips[0], "QR https://e.example/7") || strings.Contains(slips[0], "仅供参考") {
			t.Errorf("slips %q", slips)
		}
	})
	each(t, "slow platform, the citizen gives up", func(t *testing.T, w *world) {
		w.plat.query = func(ctx context.Context) (service.Found, error) { <-ctx.Done(); return service.Found{}, ctx.Err() }
		w.play(lines(start("SB-Q"), w.identified(), one(script.On("wait", script.Reply(service.Cancelled{}))), leave())...)
		if len(w.cases()) != 0 {
			t.Error("a case without an answer")
		}
	})
	each(t, "slow platform, the answer comes", func(t *testing.T, w *world) {
		w.plat.query = func(ctx context.Context) (service.Found, error) { return service.Found{}, sleep(ctx, 5*time.Second) }
		w.play(lines(start("SB-Q"), w.identified(), []script.Line{
			script.On("wait", script.Wait()), script.On("result", script.Next()), script.On("done", script.Rate("4")),
		}, leave())...)
	})
	each(t, "wrong code, then right", func(t *testing.T, w *world) {
		wrong := false
		w.play(lines(start("SB-Q"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("verify", script.Then(func() { w.reader.put(false) }, script.Enter("000000"))),
			script.On("verify", script.Look(func(p service.Prompt) { wrong = p.(service.EnterCode).Wrong }, script.Reply(service.Again{}))),
			script.On("verify", script.Enter("123456")), script.On("result", script.Next()), script.On("done", script.Rate("")),
		}, leave())...)
		if !wrong || w.plat.codes != 2 {
			t.Errorf("wrong %v, %d codes", wrong, w.plat.codes)
		}
	})
	each(t, "no phone: the window", func(t *testing.T, w *world) {
		w.plat.send = service.ErrNoPhone
		w.play(lines(start("SB-Q"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("trouble", script.Then(func() { w.reader.put(false) }, script.Next())),
		}, leave())...)
	})
}

func TestCard(t *testing.T) {
	refusals := map[string]struct {
		card func(c *devices.IDCard)
		err  error
		want string
	}{
		"expired":       {card: func(c *devices.IDCard) { c.ValidTo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }, want: "E-CARD-EXPIRED"},
		"check digit":   {card: func(c *devices.IDCard) { c.Warnings = []string{"check-digit"} }, want: "E-CARD-DATA"},
		"foreign":       {card: func(c *devices.IDCard) { c.Kind = devices.CardForeignPR2023 }, want: "E-CARD-KIND"},
		"unreadable":    {err: devices.ErrCardUnreadable, want: "E-CARD-READ"},
		"unplugged":     {err: devices.ErrNoDevice, want: "E-READER"},
		"another card":  {err: devices.ErrNotIDCard, want: "E-CARD-READ"},
		"refuses (SAM)": {err: devices.ErrCardRejected, want: "E-CARD-READ"},
	}
	for name, r := range refusals {
		each(t, name, func(t *testing.T, w *world) {
			number := citizenNumber(t)
			w.reader.make = func() (*devices.IDCard, error) {
				if r.err != nil {
					return nil, r.err
				}
				c := card(number)
				r.card(c)
				return c, nil
			}
			var code string
			w.play(lines(start("SB-Q"), []script.Line{
				script.On("consent", script.Next()), script.On("identify", w.put()),
				script.Maybe("identify", script.Wait()), script.Maybe("identify", script.Wait()),
				script.On("trouble", script.Look(func(p service.Prompt) { code = p.(service.Trouble).Code }, script.Then(func() { w.reader.put(false) }, script.Next()))),
			}, leave())...)
			if code != r.want {
				t.Errorf("code %q, expected %q", code, r.want)
			}
		})
	}
	each(t, "long-term card", func(t *testing.T, w *world) {
		number := citizenNumber(t)
		w.reader.make = func() (*devices.IDCard, error) {
			c := card(number)
			c.ValidTo, c.LongTerm = time.Time{}, true
			return c, nil
		}
		w.play(lines(start("SB-Q"), w.identified(), []script.Line{script.On("result", script.Next()), script.On("done", script.Rate(""))}, leave())...)
	})
	each(t, "left on the reader", func(t *testing.T, w *world) {
		time.AfterFunc(5*time.Minute, func() { w.reader.put(false) })
		c := w.play(lines(start("SB-Q"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()), script.On("verify", script.TimeOut()),
			script.On("take-card", script.Wait()), script.On("take-card", script.Wait()),
			script.On("attract", script.Wait()),
		})[:7]...)
		if seen := c.Seen(); !slices.Contains(seen, "out-of-service") || !slices.Contains(seen, "attract") {
			t.Errorf("seen %v", seen)
		}
		if a := strings.Join(w.records("audit"), " "); !strings.Contains(a, "card.left") || !strings.Contains(a, "card.removed") {
			t.Errorf("audit %s", a)
		}
	})
}

func TestCardLiftedInTime(t *testing.T) {
	each(t, "after being asked urgently", func(t *testing.T, w *world) {
		var asked []bool
		look := func(p service.Prompt) { asked = append(asked, p.(service.TakeCard).Urgent) }
		c := w.play(lines(start("SB-Q"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()), script.On("verify", script.Leave()),
			script.On("take-card", script.Look(look, script.Wait())),
			script.On("take-card", script.Look(look, script.Then(func() { w.reader.put(false) }, script.Wait()))),
		})...)
		if !slices.Equal(asked, []bool{false, true}) || slices.Contains(c.Seen(), "out-of-service") {
			t.Errorf("asked %v, seen %v", asked, c.Seen())
		}
		if a := strings.Join(w.records("audit"), " "); strings.Contains(a, "card.left") {
			t.Errorf("audit %s", a)
		}
	})
	each(t, "never", func(t *testing.T, w *world) {
		began := time.Now()
		w.play(lines(start("SB-Q"), []script.Line{
			script.On("consent", script.Next()), script.On("identify", w.put()), script.On("verify", script.TimeOut()),
			script.On("take-card", script.Leave()), script.On("take-card", script.TimeOut()), script.On("attract", script.Wait()),
		})[:7]...)
		if took := time.Since(began); took < 9*time.Minute || took > 12*time.Minute {
			t.Errorf("blocked for %v", took)
		}
		if a := strings.Join(w.records("audit"), " "); !strings.Contains(a, "card.left") || !strings.Contains(a, "card.given-up") {
			t.Errorf("audit %s", a)
		}
	})
}

func TestCardFromBeforeTheStart(t *testing.T) {
	each(t, "is not the next citizen's", func(t *testing.T, w *world) {
		w.reader.put(true)
		w.play(lines([]script.Line{
			script.On("attract", script.Next()),
			script.On("take-card", script.Then(func() { w.reader.put(false) }, script.Wait())),
		}, start("SB-Q")[1:], w.identified(), []script.Line{script.On("result", script.Next()), script.On("done", script.Rate(""))}, leave())...)
		if w.reader.reads != 1 {
			t.Errorf("card read %d times, expected once: the one put down when it was asked for", w.reader.reads)
		}
	})
}

func TestWrongAnswerEndsServe(t *testing.T) {
	each(t, "choice", func(t *testing.T, w *world) {
		c := script.New(lines(start("GUIDE"), one(script.On("choose", script.Choose("nothing"))))...)
		if err := w.engine.Serve(t.Context(), c); !errors.Is(err, service.ErrAnswer) {
			t.Errorf("serve: %v", err)
		}
	})
	each(t, "off script", func(t *testing.T, w *world) {
		if err := w.engine.Serve(t.Context(), script.New(script.On("home", script.Next()))); !errors.Is(err, script.ErrOffScript) {
			t.Errorf("serve: %v", err)
		}
	})
}

func TestWalkAwayLeavesNothingPersonal(t *testing.T) {
	for _, at := range []string{"consent", "identify", "verify", "form", "review"} {
		each(t, at, func(t *testing.T, w *world) {
			var way []script.Line
			for _, l := range w.certificate() {
				if l.Prompt == at {
					way = append(way, script.On(at, script.Then(func() { w.reader.put(false) }, script.TimeOut())))
					break
				}
				way = append(way, l)
			}
			w.play(way...)
			if len(w.cases()) != 0 {
				t.Error("a case of somebody who walked away")
			}
			for _, secret := range []string{citizenName, "张*丰", citizenNumber(t)} {
				inDir(t, w.dir, secret)
			}
		})
	}
}

// inDir fails when a file under dir holds the secret.
func inDir(t *testing.T, dir, secret string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), secret) {
			t.Errorf("%s holds personal data", filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOffline(t *testing.T) {
	each(t, "guide", func(t *testing.T, w *world) {
		w.plat.set(service.LinkDown)
		w.play(lines(start("GUIDE"), []script.Line{
			script.On("choose", script.Choose("temporary-id")), script.On("guide", script.Back()),
			script.On("choose", script.Choose("property")), script.On("guide", script.Reply(service.PrintSlip{})), script.On("guide", script.Next()),
		}, leave())...)
		if s := w.roll.texts(); len(s) != 1 || !strings.Contains(s[0], "不动产权证书原件") {
			t.Errorf("slips %q", s)
		}
		if len(w.cases()) != 0 {
			t.Error("a guide opens no case")
		}
	})
	each(t, "ten requests to the hotline", func(t *testing.T, w *world) {
		w.plat.set(service.LinkDown)
		for range 10 {
			w.play(lines(start("12345"), []script.Line{
				script.On("choose", script.Choose("road")), script.On("form", script.Fill("phone", "139")),
				script.On("form", script.Fill("phone", "13900000001")), script.On("ink", script.Draw(ink(t))),
				script.On("review", script.Next()), script.On("done", script.Rate("5")),
			}, leave())...)
		}
		codes := map[string]bool{}
		for _, k := range w.cases() {
			if k.State != journal.Closed {
				t.Errorf("case %s is %s", k.ReceiptCode, k.State)
			}
			codes[k.ReceiptCode] = true
		}
		if len(codes) != 10 || len(w.records("hotline")) != 10 || len(w.records("rating")) != 10 || len(w.roll.slips) != 10 {
			t.Errorf("%d codes, %d records, %d ratings, %d slips", len(codes), len(w.records("hotline")), len(w.records("rating")), len(w.roll.slips))
		}
		if b, err := w.journal.PendingBlobs(); err != nil || len(b) != 1 {
			t.Errorf("%d pictures wait, expected the one all ten wrote: %v", len(b), err)
		}
		inDir(t, w.dir, "13900000001")
	})
	each(t, "tiles tell the truth", func(t *testing.T, w *world) {
		why := func(code string) string {
			for _, tile := range w.engine.Tiles() {
				if tile.Code == code {
					return tile.Why.ID
				}
			}
			return "no tile"
		}
		w.plat.set(service.LinkDown)
		if why("SB-P") != "svc.why.link-down" || why("GUIDE") != "" || why("12345") != "" {
			t.Error(why("SB-P"), why("GUIDE"), why("12345"))
		}
		w.plat.set(service.LinkUp)
		w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Paper = devices.SupplyOut })
		if why("SB-P") != "svc.why.document-printer.paper-out" || why("SB-Q") != "" {
			t.Error(why("SB-P"), why("SB-Q"))
		}
		w.plat.cat.Unavailable = map[string]service.Text{"SB-Q": {}}
		if why("SB-Q") != "svc.why.backend-down" {
			t.Error(why("SB-Q"))
		}
		w.set.change(devices.RoleDocumentPrinter, func(s *devices.Status) { s.Paper = devices.SupplyFull })
		if why("SB-P") != "" {
			t.Error(why("SB-P"))
		}
		// A clock that is set back under the terminal's hands dates nothing until the time is known again.
		if err := w.journal.Update(func(tx *journal.Tx) error { return tx.Audit(journal.EventCardLeft, wire.WhoCitizen, nil) }); err != nil {
			t.Fatal(err)
		}
		w.wrong = -48 * time.Hour
		if why("SB-P") != "svc.why.clock" || why("GUIDE") != "" || why("12345") != "" {
			t.Error(why("SB-P"), why("GUIDE"), why("12345"))
		}
		if err := w.journal.TrustTime(now()); err != nil {
			t.Fatal(err)
		}
		if why("SB-P") != "" {
			t.Error(why("SB-P"))
		}
	})
	each(t, "the attract screen follows", func(t *testing.T, w *world) {
		time.AfterFunc(time.Minute/2, func() { w.plat.set(service.LinkDown) })
		ready := []bool{}
		look := func(p service.Prompt) { ready = append(ready, p.(service.Attract).Tiles[0].Ready) }
		w.play(script.On("attract", script.Look(look, script.Wait())), script.On("attract", script.Look(look, script.Next())), script.On("home", script.Leave()))
		if !slices.Equal(ready, []bool{true, false}) {
			t.Errorf("ready %v", ready)
		}
	})
}

func TestSweep(t *testing.T) {
	each(t, "after acknowledgement and retention", func(t *testing.T, w *world) {
		w.play(lines(w.certificate(), one(script.On("done", script.Rate("5"))), leave())...)
		sweep := func(want int, when string) {
			t.Helper()
			if n, err := w.engine.Sweep(t.Context(), now()); err != nil || n != want {
				t.Errorf("%s: %d swept, %v, expected %d", when, n, err, want)
			}
		}
		time.Sleep(25 * time.Hour)
		sweep(0, "not acknowledged")
		for _, lane := range []wire.Lane{wire.LaneTx, wire.LaneAudit} {
			rs, err := w.journal.Pending(lane, 200, 1<<20)
			if err != nil || len(rs) == 0 {
				t.Fatal(len(rs), err)
			}
			last := rs[len(rs)-1]
			if err := w.journal.Acked(wire.Ack{Epoch: last.Epoch, Lane: lane, High: last.Seq, Hash: last.Header.Hash(), Terminal: last.Terminal}); err != nil {
				t.Fatal(err)
			}
		}
		w.verify()
		sweep(1, "acknowledged, a day later")
		sweep(0, "again")
		w.verify()
	})
}
