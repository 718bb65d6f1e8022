package card_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/card"
	"github.com/budayang/kiosk/devices/sim"
)

// families are the simulated dispensers and the profiles for them.
var families = []struct{ family, profile string }{{"k720", "k720"}, {"d1000", "d1000"}, {"crt", "crt-591"}}

type fataler interface {
	Helper()
	Fatal(...any)
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type stand struct {
	sim *sim.CardDispenser
	d   devices.CardDispenser
	opt card.Options
}

func build(t fataler, family, profile string, o sim.DispenserOptions) *stand {
	t.Helper()
	o.Family = family
	o.Line.Unpaced = true
	if o.Motion == 0 {
		o.Motion = 12 * time.Millisecond
	}
	s, err := sim.StartCardDispenser(o)
	must(t, err)
	p, err := card.FindProfile(profile)
	must(t, err)
	st := &stand{sim: s, opt: card.Options{Profile: p, Poll: 2 * time.Millisecond}}
	must(t, st.open())
	return st
}

// open opens the dispenser, again if need be.
func (s *stand) open() error {
	if s.d != nil {
		_ = s.d.Close()
		s.d = nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	u, err := bus.Parse(s.sim.URI())
	if err != nil {
		return err
	}
	b, err := bus.Open(ctx, u)
	if err != nil {
		return err
	}
	if s.d, err = card.Open(ctx, b, s.opt); err != nil {
		_ = b.Close()
	}
	return err
}

func (s *stand) close() {
	if s.d != nil {
		_ = s.d.Close()
	}
	_ = s.sim.Close()
}

func (s *stand) move(m devices.CardMove) devices.MoveResult { return s.d.Move(context.Background(), m) }

var (
	toReader = devices.CardMove{Act: devices.CardDispense, To: devices.CardReader}
	toMouth  = devices.CardMove{Act: devices.CardDispense, To: devices.CardMouth}
	eject    = devices.CardMove{Act: devices.CardEject}
	retain   = devices.CardMove{Act: devices.CardRetain}
)

// each runs a test against every family.
func each(t *testing.T, o sim.DispenserOptions, test func(t *testing.T, s *stand)) {
	for _, f := range families {
		t.Run(f.family, func(t *testing.T) {
			s := build(t, f.family, f.profile, o)
			defer s.close()
			test(t, s)
		})
	}
}

func want(t *testing.T, r devices.MoveResult, o devices.MoveOutcome, at devices.CardPosition) {
	t.Helper()
	if r.Outcome != o || r.At != at {
		t.Fatalf("%+v, expected %s at %s", r, o, at)
	}
}

func TestACardsWay(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
		st, err := s.d.Probe(context.Background())
		if err != nil || st.Unready() != devices.UnreadyNot || st.Paper != devices.SupplyFull || st.Media != devices.MediaNotPresent {
			t.Fatal(st, err)
		}
		want(t, s.move(toReader), devices.MoveDone, devices.CardReader)
		if n, ok := s.d.(devices.CardNumberReader); ok {
			if number, err := n.CardNumber(context.Background()); err != nil || number != "99000001" {
				t.Fatal(number, err)
			}
		}
		want(t, s.move(toReader), devices.MoveNotDone, devices.CardReader)
		want(t, s.move(eject), devices.MoveDone, devices.CardMouth)
		if !s.sim.Take() {
			t.Fatal("no card at the mouth")
		}
		want(t, s.move(eject), devices.MoveNotDone, devices.CardNone)
		want(t, s.move(retain), devices.MoveNotDone, devices.CardNone)
		want(t, s.move(toMouth), devices.MoveDone, devices.CardMouth)
		want(t, s.move(retain), devices.MoveDone, devices.CardNone)
		if x := s.sim.State(); x.Out != 2 || x.Hopper != 28 || x.Bin != 1 || x.Taken != 1 {
			t.Fatalf("%+v", x)
		}
		if stock, err := s.d.Stock(context.Background()); err != nil || stock.Retained == 0 {
			t.Fatalf("%+v %v", stock, err)
		}
	})
}

func TestWhatTheSensorsForbidIsNotSent(t *testing.T) {
	for _, c := range []struct {
		fault string
		first *devices.CardMove
		m     devices.CardMove
		why   devices.Unready
		words string
	}{
		{"empty", nil, toReader, devices.UnreadyPaperOut, "hopper-empty"},
		{"bin-full", &toReader, retain, devices.UnreadyNot, "retain-bin-full"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
				if c.first != nil {
					want(t, s.move(*c.first), devices.MoveDone, devices.CardReader)
				}
				must(t, s.sim.Fault(c.fault, ""))
				before := s.sim.State()
				began := false
				c.m.Began = func(devices.CardPosition) error { began = true; return nil }
				r := s.move(c.m)
				if r.Outcome != devices.MoveNotDone || r.Why != c.why || began || s.sim.State().Out != before.Out {
					t.Fatalf("%+v, began %v", r, began)
				}
				st, err := s.d.Probe(context.Background())
				if err != nil || fmt.Sprint(st.Reasons) != "["+c.words+"]" {
					t.Fatal(st.Reasons, err)
				}
			})
		})
	}
}

func TestLowHopperIsSaidAndForbidsNothing(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 3}, func(t *testing.T, s *stand) {
		st, err := s.d.Stock(context.Background())
		if err != nil || st.Hopper != devices.SupplyLow {
			t.Fatalf("%+v %v", st, err)
		}
		want(t, s.move(toReader), devices.MoveDone, devices.CardReader)
	})
}

func TestAJamIsUnknownWhereverItIs(t *testing.T) {
	for _, c := range []struct {
		fault string
		first *devices.CardMove
		m     devices.CardMove
	}{{"jam-hopper", nil, toReader}, {"jam-reader", nil, toReader}, {"jam-mouth", nil, toMouth}, {"jam-mouth", &toReader, eject}, {"jam-bin", &toReader, retain}} {
		t.Run(c.fault, func(t *testing.T) {
			each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
				if c.first != nil {
					want(t, s.move(*c.first), devices.MoveDone, devices.CardReader)
				}
				must(t, s.sim.Fault(c.fault, ""))
				if r := s.move(c.m); r.Outcome != devices.MoveUnknown || r.Why != devices.UnreadyJammed {
					t.Fatalf("%+v", r)
				}
				st, err := s.d.Probe(context.Background())
				if err != nil || st.Unready() != devices.UnreadyJammed {
					t.Fatalf("%+v %v", st, err)
				}
				if r := s.move(toReader); r.Outcome != devices.MoveNotDone {
					t.Fatalf("into a jam: %+v", r)
				}
				s.sim.Unjam()
				want(t, s.move(toReader), devices.MoveDone, devices.CardReader)
			})
		})
	}
}

func TestAnswersThatCannotBeRelied(t *testing.T) {
	for _, fault := range []string{"other-answer", "wrong-bcc"} {
		t.Run(fault, func(t *testing.T) {
			each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
				s.opt.Move, s.opt.Answer = time.Second, 200*time.Millisecond
				must(t, s.open())
				m := toReader
				m.Began = func(devices.CardPosition) error { return s.sim.Fault(fault, "1") }
				// The sensors show the card at its goal, and the path was empty.
				want(t, s.move(m), devices.MoveDone, devices.CardReader)
				if x := s.sim.State(); x.Out != 1 {
					t.Fatalf("%+v", x)
				}
			})
		})
	}
}

func TestACommandThatWasNotUnderstoodMovedNothing(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
		m := toReader
		m.Began = func(devices.CardPosition) error { return s.sim.Fault("nak", "1") }
		want(t, s.move(m), devices.MoveNotDone, devices.CardNone)
		want(t, s.move(toReader), devices.MoveDone, devices.CardReader)
	})
}

// A device that dies right after it took a command, or whose rollers slip without its noticing, has dispensed nothing,
// whatever it says and wherever the card was to go.
func TestTakenAndNotDoneIsUnknown(t *testing.T) {
	for _, fault := range []string{"dead-after-taken", "nothing-comes"} {
		for name, m := range map[string]devices.CardMove{"to the reader": toReader, "to the mouth": toMouth} {
			t.Run(fault+" "+name, func(t *testing.T) {
				each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
					s.opt.Move = 300 * time.Millisecond
					must(t, s.open())
					// A refusal before leaves nothing behind that counts for this act.
					first := m
					first.Began = func(devices.CardPosition) error { return s.sim.Fault("empty", "") }
					if r := s.move(first); r.Outcome == devices.MoveDone {
						t.Fatalf("from an empty hopper: %+v", r)
					}
					must(t, s.sim.Clear(""))
					m.Began = func(devices.CardPosition) error { return s.sim.Fault(fault, "1") }
					want(t, s.move(m), devices.MoveUnknown, devices.CardNone)
					if x := s.sim.State(); x.Out != 0 {
						t.Fatalf("%+v", x)
					}
				})
			})
		}
	}
}

// What was taken and not answered may still move: a card that stands where it stood is no proof that it will stay.
func TestAnEjectOrRetainThatDidNothingIsUnknown(t *testing.T) {
	for _, fault := range []string{"dead-after-taken", "nothing-comes"} {
		for _, m := range []devices.CardMove{eject, retain} {
			t.Run(fault+" "+string(m.Act), func(t *testing.T) {
				each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
					s.opt.Move = 300 * time.Millisecond
					must(t, s.open())
					want(t, s.move(toReader), devices.MoveDone, devices.CardReader)
					must(t, s.sim.Fault(fault, "1"))
					want(t, s.move(m), devices.MoveUnknown, devices.CardReader)
					if x := s.sim.State(); x.Out != 1 || x.Bin != 0 || x.Taken != 0 {
						t.Fatalf("%+v", x)
					}
				})
			})
		}
	}
}

// A card that a person takes while the intent is written down is not sent for: the device would feed another one.
func TestACardTakenBeforeTheCommandIsNotSentFor(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
		want(t, s.move(toMouth), devices.MoveDone, devices.CardMouth)
		m := retain
		m.Began = func(devices.CardPosition) error {
			if !s.sim.Take() {
				return errors.New("no card at the mouth")
			}
			return nil
		}
		want(t, s.move(m), devices.MoveNotDone, devices.CardNone)
		if x := s.sim.State(); x.Out != 1 || x.Bin != 0 {
			t.Fatalf("%+v", x)
		}
	})
}

// A person who is quicker than the device's answer has a card; whether it counts as done or in doubt, it counts once.
func TestACardThatIsGrabbedCountsOnce(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 30, Motion: 300 * time.Millisecond}, func(t *testing.T, s *stand) {
		must(t, s.sim.Fault("grabbed", "1"))
		if r := s.move(toMouth); r.Outcome == devices.MoveNotDone || r.At != devices.CardNone {
			t.Fatalf("%+v", r)
		}
		if x := s.sim.State(); x.Out != 1 || x.Taken != 1 {
			t.Fatalf("%+v", x)
		}
	})
}

// A cable that is pulled while the motors run: unknown, until the sensors can be asked again, also by a new driver that has
// nothing but what was written down.
func TestUnpluggedMidMoveIsSettledAfterwards(t *testing.T) {
	for _, fault := range []string{"unplug-mid-move", "silent-after-taken"} {
		t.Run(fault, func(t *testing.T) {
			each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
				s.opt.Move, s.opt.Ack, s.opt.Answer = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
				must(t, s.open())
				must(t, s.sim.Fault(fault, "1"))
				var kept []byte
				m := toReader
				m.Began = func(from devices.CardPosition) (err error) {
					m.From = from
					kept, err = json.Marshal(m)
					return err
				}
				r := s.move(m)
				if r.Outcome == devices.MoveNotDone {
					t.Fatalf("%+v", r)
				}
				must(t, s.sim.Clear(""))
				eventually(t, func() bool { return !s.sim.State().Moving })
				must(t, s.open())
				var again devices.CardMove
				must(t, json.Unmarshal(kept, &again))
				want(t, s.d.Settle(context.Background(), again), devices.MoveDone, devices.CardReader)
				if x := s.sim.State(); x.Out != 1 {
					t.Fatalf("%+v", x)
				}
				want(t, s.d.Settle(context.Background(), toReader), devices.MoveNotDone, devices.CardUnknown)
			})
		})
	}
}

func TestAnUnwrittenIntentMovesNothing(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
		m := toReader
		m.Began = func(devices.CardPosition) error { return errors.New("disk is full") }
		want(t, s.move(m), devices.MoveNotDone, devices.CardNone)
		if x := s.sim.State(); x.Out != 0 {
			t.Fatalf("%+v", x)
		}
	})
}

func TestUnpluggedAndSilent(t *testing.T) {
	each(t, sim.DispenserOptions{Cards: 30}, func(t *testing.T, s *stand) {
		s.opt.Ack = 100 * time.Millisecond
		must(t, s.open())
		must(t, s.sim.Fault("silent", ""))
		if _, err := s.d.Probe(context.Background()); !errors.Is(err, devices.ErrSilent) {
			t.Fatal(err)
		}
		must(t, s.sim.Fault("unplug", ""))
		if _, err := s.d.Stock(context.Background()); !errors.Is(err, devices.ErrNoDevice) {
			t.Fatal(err)
		}
		if r := s.move(toReader); r.Outcome != devices.MoveNotDone {
			t.Fatalf("%+v", r)
		}
	})
}

// heavy are the faults that strike around one command; the property draws them in pairs.
var heavy = []string{"jam-hopper", "jam-reader", "jam-mouth", "jam-bin", "silent-after-taken", "other-answer", "wrong-bcc", "nak",
	"unplug-mid-move", "dead-after-taken", "nothing-comes", "grabbed", "empty", "bin-full", "low"}

// count is what a ledger would make of the driver's answers.
type count struct{ done, unknown, kept, lost int }

func (c *count) add(m devices.CardMove, r devices.MoveResult) {
	done, unknown := r.Outcome == devices.MoveDone, r.Outcome == devices.MoveUnknown
	switch {
	case m.Act == devices.CardDispense && done:
		c.done++
	case m.Act == devices.CardDispense && unknown:
		c.unknown++
	case m.Act == devices.CardRetain && done:
		c.kept++
	case unknown:
		c.lost++
	}
}

// check compares it with what the hopper and the bin really did.
func (c *count) check(t fataler, x sim.DispenserState) {
	t.Helper()
	if x.Out < c.done || x.Out > c.done+c.unknown {
		t.Fatal(fmt.Sprintf("%d left the hopper, %d done, %d unknown", x.Out, c.done, c.unknown))
	}
	if x.Bin < c.kept || x.Bin > c.kept+c.lost {
		t.Fatal(fmt.Sprintf("%d in the bin, %d retained, %d acts unknown", x.Bin, c.kept, c.lost))
	}
}

// Over random acts and pairs of faults around the same command, what left the hopper is what was reported as done, plus at
// most what was reported as unknown; and so it is with the bin.
func TestTheCountHolds(t *testing.T) {
	for _, f := range families {
		t.Run(f.family, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := build(t, f.family, f.profile, sim.DispenserOptions{Cards: rapid.IntRange(0, 6).Draw(t, "cards"), Bin: 2, Motion: 6 * time.Millisecond})
				defer s.close()
				s.opt.Ack, s.opt.Answer, s.opt.Move, s.opt.Poll = 60*time.Millisecond, 60*time.Millisecond, 120*time.Millisecond, time.Millisecond
				must(t, s.open())
				var c count
				for range rapid.IntRange(1, 6).Draw(t, "acts") {
					before := rapid.SampledFrom(append([]string{"", "", ""}, heavy...)).Draw(t, "before")
					amid := rapid.SliceOfNDistinct(rapid.SampledFrom(heavy), 0, 2, rapid.ID).Draw(t, "amid")
					if before != "" {
						must(t, s.sim.Fault(before, ""))
					}
					m := rapid.SampledFrom([]devices.CardMove{toMouth, toReader, toMouth, eject, retain}).Draw(t, "act")
					m.Began = func(devices.CardPosition) (err error) {
						for _, fault := range amid {
							err = errors.Join(err, s.sim.Fault(fault, ""))
						}
						return err
					}
					c.add(m, s.move(m))
					must(t, s.sim.Clear(""))
					for end := time.Now().Add(10 * time.Second); s.sim.State().Moving && time.Now().Before(end); {
						time.Sleep(time.Millisecond)
					}
					c.check(t, s.sim.State())
					if s.sim.State().Jam {
						s.sim.Unjam()
					}
					if rapid.Bool().Draw(t, "take") {
						s.sim.Take()
					}
					// Opening again is for a line that hung up; one that answers is kept, as the supervisor keeps it.
					if _, err := s.d.Stock(context.Background()); err == nil {
						continue
					}
					for end := time.Now().Add(10 * time.Second); s.open() != nil; {
						if time.Now().After(end) {
							t.Fatal("does not open again")
						}
					}
				}
			})
		})
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("never")
}
