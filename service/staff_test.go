package service_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/script"
	"github.com/budayang/kiosk/sync/journal"
)

// fakeStaff are the people who can be called: what each call comes to, and when.
type fakeStaff struct {
	mu        sync.Mutex
	there     bool
	fails     error // of StaffThere
	refuse    error // of CallStaff
	calls     []service.Shown
	open      map[string]chan service.StaffCall
	cancelled []string
}

func (s *fakeStaff) StaffThere(context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.there, s.fails
}

func (s *fakeStaff) CallStaff(_ context.Context, _ string, _ service.Person, shown service.Shown) (service.StaffCall, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return service.StaffCall{}, s.refuse
	}
	s.calls = append(s.calls, shown)
	id := string(rune('a' + len(s.calls) - 1))
	if s.open == nil {
		s.open = map[string]chan service.StaffCall{}
	}
	s.open[id] = make(chan service.StaffCall, 1)
	return service.StaffCall{ID: id, Number: "4827", State: service.StaffOpen, Until: now().Add(5 * time.Minute)}, nil
}

// says answers the last call.
func (s *fakeStaff) says(state service.StaffCallState, why service.Text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := service.StaffCall{State: state, Why: why}
	if state == service.StaffConfirmed {
		c.Token = service.Token{Value: "vouched", Until: now().Add(10 * time.Minute)}
	}
	s.open[string(rune('a'+len(s.calls)-1))] <- c
}

func (s *fakeStaff) StaffCallAfter(ctx context.Context, id string, wait time.Duration) (service.StaffCall, error) {
	s.mu.Lock()
	open := s.open[id]
	s.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	select {
	case c := <-open:
		c.ID = id
		return c, nil
	case <-ctx.Done():
		return service.StaffCall{ID: id, State: service.StaffOpen}, nil
	}
}

func (s *fakeStaff) CancelStaffCall(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled = append(s.cancelled, id)
	return nil
}

func TestAMemberOfStaffComes(t *testing.T) {
	// toWays is the way of whoever does not want to be compared by face.
	toWays := func(w *world) []script.Line {
		return lines(start("TID"), []script.Line{script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Reply(service.Cancelled{})))})
	}
	rest := func(w *world) []script.Line {
		return lines([]script.Line{script.On("choose", script.Choose("self")), script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")),
			script.On("ink", script.Draw(ink(w.t))), script.On("review", script.Next())}, w.done())
	}
	// comes answers the call after a while, with the number on the screen.
	comes := func(w *world, state service.StaffCallState, why service.Text) script.Line {
		return script.On("staff", script.Look(func(p service.Prompt) {
			if x := p.(service.AwaitStaff); x.Number != "4827" || !x.Back {
				w.t.Errorf("%+v", x)
			}
			go func() { time.Sleep(40 * time.Second); w.plat.says(state, why) }()
		}, script.Wait()))
	}
	staffed := func(name string, fn func(t *testing.T, w *world)) {
		makingCards(t, name, func(t *testing.T, w *world) {
			w.plat.there = true
			fn(t, w)
		})
	}
	var offered service.Choose
	look := func(id string) script.Line {
		return script.On("choose", script.Look(func(p service.Prompt) { offered = p.(service.Choose) }, script.Choose(id)))
	}
	ids := func() (out []string) {
		for _, o := range offered.Options {
			out = append(out, o.ID)
		}
		return out
	}
	staffed("and vouches", func(t *testing.T, w *world) {
		w.play(lines(toWays(w), []script.Line{look("staff"), comes(w, service.StaffConfirmed, service.Text{})}, rest(w))...)
		w.one(journal.Closed)
		if !slices.Equal(ids(), []string{"code", "staff"}) || w.plat.codes != 0 || !slices.Equal(w.plat.calls, []service.Shown{service.ShownCard}) || w.plat.cancelled != nil {
			t.Errorf("%v, %d codes, %v", ids(), w.plat.codes, w.plat.calls)
		}
		if o := w.booth.office; o.applied != 1 || o.token != "vouched" {
			t.Errorf("%d applications, by %q", o.applied, o.token)
		}
	})
	staffed("after the face was not known three times", func(t *testing.T, w *world) {
		w.booth.office.other = 3
		w.play(lines(start("TID"), []script.Line{script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Next())),
			script.On("photo", script.Wait()), script.On("photo", script.Wait()), script.On("photo", script.Wait()),
			look("staff"), comes(w, service.StaffConfirmed, service.Text{})}, rest(w))...)
		w.one(journal.Closed)
	})
	staffed("where no phone is registered", func(t *testing.T, w *world) {
		w.plat.send = &service.PlatformError{Err: service.ErrNoPhone, Code: "E-NO-PHONE"}
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("code")), look("staff"), comes(w, service.StaffConfirmed, service.Text{})}, rest(w))...)
		w.one(journal.Closed)
		if !slices.Equal(ids(), []string{"staff"}) || offered.Hint.ID != "svc.trouble.no-phone.what" {
			t.Errorf("%v %+v", ids(), offered.Hint)
		}
	})
	staffed("and says no, and comes again", func(t *testing.T, w *world) {
		why := service.Worded(map[string]string{"zh": "没有出示证件", "en": "No document"})
		w.play(lines(toWays(w), []script.Line{look("staff"), comes(w, service.StaffRefused, why), look("staff"), comes(w, service.StaffConfirmed, service.Text{})}, rest(w))...)
		w.one(journal.Closed)
		if offered.Hint.Words["zh"] != "没有出示证件" || len(w.plat.calls) != 2 || len(ids()) != 2 {
			t.Errorf("%+v %v", offered, w.plat.calls)
		}
	})
	staffed("too late: another way", func(t *testing.T, w *world) {
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("staff")), comes(w, service.StaffEnded, service.Text{}), look("code"), script.On("verify", script.Enter("123456"))}, rest(w))...)
		w.one(journal.Closed)
		if offered.Hint.ID != "svc.trouble.staff-nobody.what" {
			t.Errorf("%+v", offered.Hint)
		}
	})
	staffed("and the citizen has another way meanwhile: the call is taken back", func(t *testing.T, w *world) {
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("staff")), script.On("staff", script.Reply(service.Cancelled{})),
			script.On("choose", script.Choose("code")), script.On("verify", script.Reply(service.Cancelled{})), script.On("choose", script.Choose("staff")),
			script.On("staff", script.Back()), script.On("choose", script.Choose("code")), script.On("verify", script.Enter("123456"))}, rest(w))...)
		w.one(journal.Closed)
		if !slices.Equal(w.plat.cancelled, []string{"a", "b"}) {
			t.Errorf("taken back: %v", w.plat.cancelled)
		}
	})
	for name, do := range map[string]script.Do{"the citizen leaves": script.Leave(), "the citizen walks away": script.TimeOut()} {
		staffed(name+": the call is taken back, nothing is kept", func(t *testing.T, w *world) {
			w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("staff")), script.On("staff", do)})...)
			if len(w.cases()) != 0 || !slices.Equal(w.plat.cancelled, []string{"a"}) {
				t.Errorf("%d cases, taken back: %v", len(w.cases()), w.plat.cancelled)
			}
		})
	}
	staffed("called too often: the other way is left", func(t *testing.T, w *world) {
		w.plat.refuse = &service.PlatformError{Err: service.ErrLocked, Code: "E-STAFF-LOCKED"}
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("staff")), look("code"), script.On("verify", script.Enter("123456"))}, rest(w))...)
		w.one(journal.Closed)
		if !slices.Equal(ids(), []string{"code"}) || offered.Hint.ID != "svc.trouble.staff-locked.what" {
			t.Errorf("%v %+v", ids(), offered.Hint)
		}
	})
	staffed("no way is left: the window is named", func(t *testing.T, w *world) {
		w.plat.send = &service.PlatformError{Err: service.ErrNoPhone, Code: "E-NO-PHONE"}
		w.plat.refuse = service.ErrNoStaff
		var told service.Trouble
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("code")), script.On("choose", script.Choose("staff")),
			script.On("trouble", script.Look(func(p service.Prompt) { told = p.(service.Trouble) }, script.Next())), script.On("home", script.Leave())})...)
		if told.What.ID != "svc.trouble.no-staff.what" || told.Code != "E-NO-STAFF" {
			t.Errorf("%+v", told)
		}
	})
	staffed("who has approved the application: somebody else must", func(t *testing.T, w *world) {
		w.booth.office.vouched, w.booth.office.auto = "vouched", false
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("code")), script.On("verify", script.Enter("123456")), script.On("choose", script.Choose("self")),
			script.On("form", script.Fill("phone", "")), script.On("choose", script.Choose("kept")), script.On("ink", script.Draw(ink(w.t))), script.On("review", script.Next()),
			script.On("decision", script.Reply(service.Cancelled{}))})...)
		w.booth.office.decide(service.StandingApproved, "")
		var told service.Trouble
		w.play(lines(toWays(w), []script.Line{script.On("choose", script.Choose("staff")), comes(w, service.StaffConfirmed, service.Text{}), script.On("choose", script.Choose("self")),
			script.On("trouble", script.Look(func(p service.Prompt) { told = p.(service.Trouble) }, script.Next())),
			script.On("home", script.Item("TID")), script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Reply(service.Cancelled{}))),
			script.On("choose", script.Choose("code")), script.On("verify", script.Enter("123456")), script.On("choose", script.Choose("self"))}, w.done())...)
		w.one(journal.Closed)
		if told.What.ID != "svc.trouble.same-staff.what" || told.Code != "E-VOUCHED" {
			t.Errorf("%+v", told)
		}
	})
	makingCards(t, "nobody is there: a code is sent at once, as with a platform of before", func(t *testing.T, w *world) {
		c := w.play(lines(toWays(w), []script.Line{script.On("verify", script.Look(func(p service.Prompt) {
			if p.(service.EnterCode).Others {
				t.Error("another way is offered")
			}
		}, script.Enter("123456")))}, rest(w))...)
		w.one(journal.Closed)
		if slices.Contains(c.Seen(), "staff") {
			t.Error(c.Seen())
		}
	})
	makingCards(t, "nobody knows whether somebody is there: a code is sent", func(t *testing.T, w *world) {
		w.plat.fails = service.ErrPlatform
		w.play(lines(toWays(w), []script.Line{script.On("verify", script.Enter("123456"))}, rest(w))...)
		w.one(journal.Closed)
	})
}

// A platform that answers no more does not keep a citizen at a number for ever.
func TestACallThatThePlatformForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := boothWorld(t, 5)
		w.plat.there = true
		var after service.Choose
		w.play(lines(start("TID"), []script.Line{script.On("consent", script.Next()), script.On("identify", w.put()),
			script.On("consent", script.Then(func() { w.reader.put(false) }, script.Reply(service.Cancelled{}))),
			script.On("choose", script.Choose("staff")), script.On("staff", script.Wait()), // nobody says anything
			script.On("choose", script.Look(func(p service.Prompt) { after = p.(service.Choose) }, script.Leave()))})...)
		if after.Hint.ID != "svc.trouble.staff-nobody.what" {
			t.Errorf("%+v", after.Hint)
		}
	})
}
