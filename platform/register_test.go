package platform

// A city's register behind its signed wire takes the synthetic one's place.

import (
	"context"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func TestACitysRegisterAnswers(t *testing.T) {
	for _, profile := range []string{ProfileRIO, ProfileCanonical} {
		t.Run(profile, func(t *testing.T) {
			o := newOffice(t, profile, profile == ProfileCanonical)
			cfg := o.config()
			cfg.Services, cfg.Items = []string{ServiceRegister}, []string{"TID"}
			box := &mailbox{}
			s, err := New(context.Background(), Config{Dir: t.TempDir(), SMS: box, Backends: []BackendConfig{cfg}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			p := enrolled(t, s, "990000-0001")
			good := func(number string) RegisterEntry {
				return RegisterEntry{Number: number, Name: "李晓雯", Sex: "女", Nation: "汉", Born: "1992-11-05", Address: "示例市示例区1号", Authority: "示例市公安局", Photo: aPhoto(t, photoW, photoH),
					Vouchers: []RegisterVoucher{{Number: SeedVoucher(77), Until: time.Now().Add(time.Hour), Signed: true}}}
			}
			q := wire.CardQuery{Kind: "TID", Visit: "v", Token: p.proven(box, 1, "李晓雯")}
			says := func(entry func(number string) any) {
				o.set(func() { o.answers = map[string]func(string) any{ServiceRegister: entry} })
			}
			says(func(n string) any { return good(n) })
			var c wire.CardChance
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				w := p.do("POST", wire.PathCards+"/eligible", q)
				if w.Code == 200 {
					c = p.chance(wire.CardQuery{Token: q.Token}, 200)
					break
				}
				if code(w) != "E-BACKEND" || time.Now().After(deadline) {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			if c.Voucher != SeedVoucher(77) || !c.Photo || c.Refused != "" {
				t.Errorf("%+v", c)
			}
			says(func(string) any { return nil })
			if c := p.chance(wire.CardQuery{Token: q.Token}, 200); c.Refused != wire.CardNoVoucher {
				t.Errorf("whom it does not know: %+v", c)
			}
			for what, change := range map[string]func(*RegisterEntry){
				"somebody else":       func(e *RegisterEntry) { e.Number = numberOf(t, 0) },
				"no name":             func(e *RegisterEntry) { e.Name = "" },
				"a control character": func(e *RegisterEntry) { e.Address = "a\x1bb" },
				"no date":             func(e *RegisterEntry) { e.Born = "1992" },
				"a voucher of words":  func(e *RegisterEntry) { e.Vouchers[0].Number = "none" },
				"a picture of words":  func(e *RegisterEntry) { e.Photo = []byte("none") },
			} {
				says(func(n string) any { e := good(n); change(&e); return e })
				if w := p.do("POST", wire.PathCards+"/eligible", wire.CardQuery{Kind: "TID", Visit: "v", Token: q.Token}); code(w) != "E-BACKEND" {
					t.Errorf("%s: %d %s", what, w.Code, w.Body)
				}
			}
		})
	}
}
