//go:build !release

package journey

// The crowd: as many synthetic people as a long run needs, each with an application for an identity card.

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/platform"
)

// crowd is a register that knows these people only, by number.
type crowd map[string]platform.RegisterEntry

// CardPerson implements platform.Register.
func (c crowd) CardPerson(_ context.Context, number, _ string) (platform.RegisterEntry, error) {
	if e, known := c[number]; known {
		return e, nil
	}
	return platform.RegisterEntry{}, platform.ErrNoRow
}

// gather makes the crowd: cards for the reader, rows for the platform, and the register.
func (w *World) gather(ctx context.Context, cfg *platform.Config) error {
	store, err := platform.OpenSQLite(ctx, filepath.Join(w.opt.Dir, "crowd.db"))
	if err != nil {
		return err
	}
	known := crowd{}
	var rows []platform.CitizenRow
	family, given := []rune("王李张刘陈杨赵黄周吴"), []rune("安宁平静文明光华芳青")
	for i := range w.opt.Crowd {
		born := time.Date(1970+i%30, time.Month(1+i/30%12), 1+i%28, 0, 0, 0, 0, time.UTC)
		number, err := idnum.Complete(fmt.Sprintf("990000%s%03d", born.Format("20060102"), i%1000))
		if err != nil {
			return err
		}
		name := string([]rune{family[i%10], given[i/10%10], given[i/100%10]})
		sex, word := byte('2'), "女"
		if male, _ := idnum.Male(number); male {
			sex, word = '1', "男"
		}
		address := fmt.Sprintf("示例市示例区样张路%d号", i+1)
		w.people = append(w.people, sim.Card{Kind: sim.Resident, Name: name, Sex: sex, Nation: "01", Birth: born.Format("20060102"), Number: number,
			Address: address, Issuer: "示例市公安局示例分局", From: "20200101", To: "20400101"})
		phone := fmt.Sprintf("138%08d", 1000+i)
		rows = append(rows, platform.CitizenRow{Number: number, Name: name, Phone: phone})
		known[number] = platform.RegisterEntry{Number: number, Name: name, Sex: word, Nation: "汉", Born: born.Format(time.DateOnly), Address: address,
			Authority: "示例市公安局示例分局", Phone: phone,
			Vouchers: []platform.RegisterVoucher{{Number: fmt.Sprintf("99000000120260105%05d", i+1), Until: time.Now().AddDate(1, 0, 0), Signed: true}}}
	}
	cfg.Store, cfg.Register = store, known
	return store.Update(ctx, func(tx platform.Tx) error {
		for _, r := range rows {
			if err := tx.PutCitizen(r); err != nil {
				return err
			}
		}
		return nil
	})
}
