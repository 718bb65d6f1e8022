//go:build !release

package journey

// The journeys of a card beside the usual one: what goes wrong, and whom it costs what.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/facesim"
	"github.com/budayang/kiosk/sync/journal"
)

// fee is what a temporary identity card costs, in fen.
const fee = 1000

// temporaryIDSecond: the official needs time, and the citizen goes on at another machine.
func temporaryIDSecond() Journey {
	there := card(Journey{Name: "temporary-id-second", Tells: "the application goes on at a second terminal: one application, one bill, one card"}, nil)
	return card(Journey{Name: "temporary-id-second", Tells: "the citizen leaves during the audit wait, and pays and gets the card at a second terminal of the hall",
		Elsewhere: &there,
		Check: all(everyCaseAcked, cases(1), finals(journal.AuditWait), untroubled, stock(func(s *StockSummary) bool { return s.Hopper == Blanks }), money(fee, 0),
			second(everyCaseAcked, cases(1), finals(journal.Closed), untroubled, cardsIssued(1), seen("pay"), papers(0, 1)))},
		map[string]Act{"decision": leaveUndecided})
}

// temporaryIDRejected: the official says no.
func temporaryIDRejected() Journey {
	return card(Journey{Name: "temporary-id-rejected", Tells: "the official rejects the application: the reason is told, nothing is charged, no blank is drawn",
		Check: all(everyCaseAcked, finals(journal.Rejected), seen("trouble"), money(0, 0), stock(func(s *StockSummary) bool { return s.Hopper == Blanks && s.Balance.Remaining == Blanks }))},
		map[string]Act{"decision": func(_ context.Context, s *Stage, _ Screen) error {
			s.later(officialTime, func() {
				if err := s.world.Reject("照片有反光，请重新拍摄"); err == nil {
					s.Note("an official rejected the application")
				}
			})
			return nil
		}})
}

// temporaryIDTwice: a phone pays twice.
func temporaryIDTwice() Journey {
	return card(Journey{Name: "temporary-id-twice", Tells: "the fee is paid twice: the second payment goes back, and there is one card",
		After: func(ctx context.Context, s *Stage) error {
			return s.until(ctx, 20*time.Second, "the second payment is not back", func() bool { return s.world.Money().Returned == fee })
		},
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), money(2*fee, fee), ebills(receipted))},
		map[string]Act{"pay": func(_ context.Context, s *Stage, _ Screen) error {
			s.later(phoneTime, func() {
				for range 2 {
					if err := s.world.PayAnyway(); err != nil {
						s.Note("not paid: " + err.Error())
					}
				}
				s.Note("the fee was paid twice")
			})
			return nil
		}})
}

// temporaryIDLate: a phone pays what was given up.
func temporaryIDLate() Journey {
	return card(Journey{Name: "temporary-id-late", Tells: "the citizen gives up at the payment, and the phone pays all the same: the money goes back by itself", Rare: true,
		After: func(ctx context.Context, s *Stage) error {
			if err := s.world.PayAnyway(); err != nil {
				return err
			}
			s.Note("the fee was paid after the citizen had given up")
			return s.until(ctx, 45*time.Second, "the money is not back", func() bool { return s.world.Money().Returned == fee && s.world.State() == string(journal.Closed) })
		},
		Check: all(everyCaseAcked, finals(journal.Closed), money(fee, fee), ebills(EBillSummary{}), stock(func(s *StockSummary) bool { return s.Hopper == Blanks && s.Balance.Remaining == Blanks }))},
		map[string]Act{"pay": tap("cancel")})
}

// temporaryIDUnpaid: nobody pays.
func temporaryIDUnpaid() Journey {
	return card(Journey{Name: "temporary-id-unpaid", Tells: "the citizen walks away from the payment code: no card, no money, the blank stays in the hopper", Rare: true,
		Check: all(everyCaseAcked, finals(journal.PayUnknown), money(0, 0), stock(func(s *StockSummary) bool { return s.Hopper == Blanks && s.Balance.Reserved == 1 }))},
		map[string]Act{"pay": tap("exit")})
}

// temporaryIDPaysLater: the code still holds when the citizen comes back.
func temporaryIDPaysLater() Journey {
	return card(Journey{Name: "temporary-id-pays-later", Tells: "the citizen walks away from the payment code and comes back while it holds: the same bill is shown and paid, and there is one card", Rare: true, Visits: 2,
		Check: all(everyCaseAcked, cases(1), papers(0, 2), finals(journal.Closed), untroubled, cardsIssued(1), money(fee, 0))},
		map[string]Act{"attract": comeLater, "pay": func(ctx context.Context, s *Stage, now Screen) error {
			if s.count("pay") == 0 {
				s.bump("pay")
				return s.Tap(ctx, "exit")
			}
			return scanCode(ctx, s, now)
		}})
}

// temporaryIDJam: paid, and the dispenser jams.
func temporaryIDJam() Journey {
	return card(Journey{Name: "temporary-id-jam", Tells: "the fee is paid and the dispenser jams: nothing more moves, the desk is told, the money is not asked for again", Rare: true,
		Check: all(everyCaseAcked, finals(journal.Manual), seen("trouble"), money(fee, 0), cardsPrinted(0), stock(func(s *StockSummary) bool { return s.Balance.InDoubt == 1 && s.Taken == 0 }))},
		map[string]Act{"pay": func(ctx context.Context, s *Stage, now Screen) error {
			if err := s.world.Cards.Fault("jam-reader", ""); err != nil {
				return err
			}
			return scanCode(ctx, s, now)
		}})
}

// temporaryIDPower: the power goes when the printer has answered and nobody has written it down. Every other point is in
// service.TestPowerCutAtTheBooth.
func temporaryIDPower() Journey {
	return card(Journey{Name: "temporary-id-power", Tells: "power is cut when the card left the printer and before that was written down: it is not printed again, and two people look",
		Crash: "card.acted",
		Check: all(everyCaseAcked, finals(journal.Manual), money(fee, 0), cardsPrinted(1), killed, stock(func(s *StockSummary) bool { return s.Balance.InDoubt == 1 && s.Taken == 0 }))}, nil)
}

// temporaryIDSmeared: the code on the printed card cannot be read.
func temporaryIDSmeared() Journey {
	return smeared(Journey{Name: "temporary-id-smeared", Tells: "the code on the printed card cannot be read: the card stays inside, nothing is printed again, the desk decides", Rare: true},
		func(string) string { return "" })
}

// temporaryIDOther: the printed card carries another code than its permit.
func temporaryIDOther() Journey {
	return smeared(Journey{Name: "temporary-id-other", Tells: "the printed card carries another code than its permit: it stays inside, and the desk decides", Rare: true},
		func(code string) string { return code + "7" })
}

func smeared(j Journey, how func(string) string) Journey {
	j.Before = func(_ context.Context, s *Stage) error { s.world.Smear(how); return nil }
	j.Check = all(everyCaseAcked, finals(journal.Manual), seen("trouble"), money(fee, 0), cardsPrinted(1),
		stock(func(s *StockSummary) bool { return s.Balance.InDoubt == 1 && s.Bin == 1 && s.Taken == 0 }))
	return card(j, nil)
}

// citizen is the number of who usually stands there, child that of her child.
const (
	citizen = "990000199211050228"
	child   = "990000201806010153"
)

// temporaryIDExempt: who pays nothing is shown no code.
func temporaryIDExempt() Journey {
	return card(Journey{Name: "temporary-id-exempt", Tells: "who is exempt pays nothing, and is shown no payment code", Rare: true,
		Fee:   func(p *platform.Prices) { p.Exempt = []string{citizen} },
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), money(0, 0), ebills(EBillSummary{}), unseen("pay"))}, nil)
}

// temporaryIDChild: a guardian applies for somebody under 16.
func temporaryIDChild() Journey {
	return card(Journey{Name: "temporary-id-child", Tells: "a guardian applies for a child under 16; the card carries the child's name", Rare: true,
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), money(fee, 0))},
		map[string]Act{
			"choose": once("option.child", "option.new"),
			"form": func(ctx context.Context, s *Stage, now Screen) error {
				if s.count("child") > 0 {
					return fillForm(ctx, s, now)
				}
				s.bump("child")
				if err := keys(ctx, s, child); err != nil {
					return err
				}
				return s.Tap(ctx, "next")
			},
		})
}

// showVoucher holds a voucher before the scanner once it looks.
func showVoucher(ctx context.Context, s *Stage, number string) error {
	return s.until(ctx, 10*time.Second, "the scanner does not look", func() bool { return s.world.Scanner.Show(number) })
}

// oldVoucher is the citizen's voucher of the year before.
const oldVoucher = "9900000012025010500002"

// temporaryIDVoucher: the voucher takes the place of a card, also of whoever comes back.
func temporaryIDVoucher() Journey {
	return card(Journey{Name: "temporary-id-voucher", Tells: "the citizen has no card and shows the bar code of the voucher to the scanner, leaves during the audit wait, and comes back with it", Visits: 2,
		Check: all(everyCaseAcked, cases(1), finals(journal.Closed), untroubled, cardsIssued(1), money(fee, 0), seen("decision"))},
		map[string]Act{"decision": leaveUndecided, "attract": comeLater, "identify": func(ctx context.Context, s *Stage, _ Screen) error {
			return showVoucher(ctx, s, platform.SeedVoucher(1))
		}})
}

// temporaryIDBadVoucher: an old one, one that was used, and somebody else's.
func temporaryIDBadVoucher() Journey {
	return card(Journey{Name: "temporary-id-bad-voucher", Tells: "a voucher that expired, one that was used, and another person's: each is refused, no case is opened", Rare: true, Visits: 3,
		Check: all(cases(0), money(0, 0), seen("trouble"), seen("verify"), stock(func(s *StockSummary) bool { return s.Hopper == Blanks }))},
		map[string]Act{
			"identify": func(ctx context.Context, s *Stage, _ Screen) error {
				s.bump("voucher")
				switch s.count("voucher") {
				case 1:
					s.Note("a voucher that expired in 2025")
					return showVoucher(ctx, s, oldVoucher)
				case 2:
					s.Note("a voucher whose identity card was collected")
					return showVoucher(ctx, s, platform.SeedVoucher(10))
				}
				s.Note("another person's voucher, and the register knows the face of its holder")
				s.world.faces.Steer(func(string, [32]byte) facesim.Verdict { return facesim.Other })
				return showVoucher(ctx, s, platform.SeedVoucher(0))
			},
			"verify": tap("exit"), // the code goes to its holder's phone
		})
}

// temporaryIDEBillLater: the money takes its time to the issuer of e-bills.
func temporaryIDEBillLater() Journey {
	return card(Journey{Name: "temporary-id-ebill-later", Tells: "the e-bill is not issued when the card is: the receipt says how to get it, and the citizen comes back and prints it", Rare: true, Visits: 2,
		Before: func(_ context.Context, s *Stage) error { s.world.Arrive(time.Hour); return nil },
		Check: all(everyCaseAcked, cases(2), finals(journal.Closed), untroubled, cardsIssued(1), money(fee, 0), seen("result"),
			ebills(EBillSummary{Issued: 1, Named: 1, Scanned: 1, Later: 1}))},
		map[string]Act{"attract": func(ctx context.Context, s *Stage, now Screen) error {
			if s.count("visit") == 0 {
				return tap("begin")(ctx, s, now)
			}
			s.world.Arrive(0)
			if err := s.until(ctx, 4*time.Minute, "the e-bill is not issued", func() bool { return s.world.EBills().Issued == 1 }); err != nil {
				return err
			}
			s.Note("the money arrived, and the e-bill was issued")
			return comeLater(ctx, s, now)
		}, "home": func(ctx context.Context, s *Stage, _ Screen) error {
			if s.bump("visit"); s.count("visit") == 1 {
				return s.Tap(ctx, "tile.TID")
			}
			return s.Tap(ctx, "tile.EBILL")
		}, "result": once("slip", "next")})
}

// temporaryIDTicket: whoever is not to have a card here leaves with a number, and a window calls it.
func temporaryIDTicket() Journey {
	return card(Journey{Name: "temporary-id-ticket", Tells: "somebody of a collective household is refused, takes a number for the window with the reason and what to bring, and the window calls it", Rare: true,
		After: callTheNumber,
		Check: all(cases(0), money(0, 0), seen("trouble"), seen("ticket"), stock(func(s *StockSummary) bool { return s.Hopper == Blanks }))},
		map[string]Act{"identify": func(ctx context.Context, s *Stage, _ Screen) error {
			return showVoucher(ctx, s, platform.SeedVoucher(6))
		}, "trouble": tap("ticket")})
}

// callTheNumber is the window: it calls the number that is on the slip, and nobody else's.
func callTheNumber(ctx context.Context, s *Stage) error {
	var paper string
	for _, p := range s.world.Props.Receipt.Slips() {
		paper += p.Text
	}
	number := regexp.MustCompile(`A[0-9]{3}`).FindString(paper)
	for _, must := range []string{number, "户籍业务", "您的户籍情况需由窗口人员核对", "户口簿", "窗口"} {
		if must == "" || !strings.Contains(paper, must) {
			return fmt.Errorf("%q is not on the slip:\n%s", must, paper)
		}
	}
	window, err := s.world.NewWindow(ctx, "window3", "3")
	if err != nil {
		return err
	}
	here, page, err := window.Press(ctx, "next")
	if err != nil {
		return err
	}
	if here != number || !strings.Contains(page, "户籍情况需核对") {
		return fmt.Errorf("the window called %q, and %q is on the slip", here, number)
	}
	s.Note("window 3 called " + here)
	if here, page, err = window.Press(ctx, "done"); err != nil || here != "" {
		return fmt.Errorf("%q is still at the window: %w", here, err)
	}
	if !strings.Contains(page, "<td>0</td><td>1</td><td>1</td><td>0</td>") {
		return errors.New("the day's figures do not count one who was called and is done")
	}
	s.Note("window 3 is done with " + number)
	return nil
}

// until waits for something around the terminal.
func (s *Stage) until(ctx context.Context, limit time.Duration, not string, is func() bool) error {
	for deadline := time.Now().Add(s.slow(limit)); !is(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s after %v", not, limit)
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// ---- checks ----

// second checks what the second terminal did.
func second(checks ...check) check {
	return func(s *Summary) error {
		if s.Second == nil {
			return errors.New("nobody went to a second terminal")
		}
		if err := all(checks...)(s.Second); err != nil {
			return fmt.Errorf("second terminal: %w", err)
		}
		return nil
	}
}

// money expects so much paid and returned at the channel, in fen.
func money(paid, returned int64) check {
	return func(s *Summary) error {
		if s.Money.Paid != paid || s.Money.Returned != returned {
			return fmt.Errorf("%d fen paid, %d returned, expected %d and %d", s.Money.Paid, s.Money.Returned, paid, returned)
		}
		return nil
	}
}

// ebills expects e-bills at their issuer and on slips.
func ebills(want EBillSummary) check {
	return func(s *Summary) error {
		if s.EBills != want {
			return fmt.Errorf("e-bills %+v, expected %+v", s.EBills, want)
		}
		return nil
	}
}

// receipted is one e-bill, named on the receipt with its code to scan.
var receipted = EBillSummary{Issued: 1, Named: 1, Scanned: 1}

// stock expects the ledger of blanks and the machine to be as told, and the ledger to balance.
func stock(as func(*StockSummary) bool) check {
	return func(s *Summary) error {
		if s.Stock == nil {
			return errors.New("no ledger of blanks")
		}
		if err := s.Stock.Balance.Check(); err != nil {
			return err
		}
		if !as(s.Stock) {
			return fmt.Errorf("ledger and machine: %+v", *s.Stock)
		}
		return nil
	}
}

func cardsPrinted(n int) check {
	return func(s *Summary) error {
		if s.Totals.Cards != n {
			return fmt.Errorf("%d cards printed, expected %d", s.Totals.Cards, n)
		}
		return nil
	}
}

func killed(s *Summary) error {
	if s.Kills != 1 {
		return fmt.Errorf("killed %d times, expected once", s.Kills)
	}
	return nil
}

func unseen(screen string) check {
	return func(s *Summary) error {
		if seen(screen)(s) == nil {
			return fmt.Errorf("screen %q was shown", screen)
		}
		return nil
	}
}

// temporaryIDByStaff: neither face nor code, but a person who comes.
func temporaryIDByStaff() Journey {
	var clerk *Clerk
	vouched := false
	return card(Journey{Name: "temporary-id-staff", Tells: "the citizen wants neither face nor code: a member of staff comes, compares person and document, and enters the screen's number at the platform's page; another one approves",
		Before: func(ctx context.Context, s *Stage) (err error) {
			if clerk, err = s.world.NewClerk(ctx, "demo.wu"); err != nil {
				return err
			}
			// The hall is known once its terminal is.
			if err := s.until(ctx, 20*time.Second, "nobody can be on duty", func() bool { return clerk.OnDuty(ctx, siteName) == nil }); err != nil {
				return err
			}
			s.Note("a member of staff is on duty")
			s.timers.Go(func() { clerk.LooksOn(s.stopped) })
			return nil
		},
		Check: all(everyCaseAcked, finals(journal.Closed), untroubled, cardsIssued(1), money(fee, 0), seen("choose"), seen("staff"), unseen("verify"), func(*Summary) error {
			if !vouched {
				return errors.New("nobody vouched, or whoever did could approve")
			}
			return nil
		})},
		map[string]Act{
			"consent": otherwise,
			"choose": func(ctx context.Context, s *Stage, now Screen) error {
				if _, ways := now.Find("option.staff"); ways {
					return s.Tap(ctx, "option.staff")
				}
				return chooseFirst(ctx, s, now)
			},
			"staff": func(_ context.Context, s *Stage, now Screen) error {
				s.later(officialTime, func() {
					if err := clerk.Vouch(s.stopped, s.world.id, now.Number); err != nil {
						s.Note("not vouched for: " + err.Error())
						return
					}
					s.Note("a member of staff vouched for the citizen")
				})
				return nil
			},
			"decision": func(ctx context.Context, s *Stage, now Screen) error {
				if err := clerk.ApprovesNot(ctx); err != nil {
					return err
				}
				vouched = true
				s.Note("whoever vouched cannot approve")
				return approve(ctx, s, now)
			},
		})
}
