package platform

// The seeded city: synthetic citizens, their insurance, the first catalogue.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// seedPeople are nobody: district 990000 does not exist.
var seedPeople = []struct{ name, first17, phone string }{
	{"王建国", "99000019850312011", "13800000001"},
	{"李晓雯", "99000019921105022", "13800000002"},
	{"赵䶮", "99000019780721033", "13800000003"},
	{"𠮷田美", "99000020010130044", "13800000004"},
	{"陈桂芳", "99000019510909066", "13800000006"},
	// For cards made at a terminal; see seedCards.
	{"王小明", "99000020180601015", "13800000007"},
	{"马俊", "99000019880808017", "13800000008"},
	{"周敏", "99000019950402028", "13800000009"},
	{"孙强", "99000019900101039", "13800000010"},
	{"李\uE863", "99000019930303041", "13800000011"}, // a character of a register's own, which no font has
	{"何静", "99000019970707042", "13800000012"},
	{"欧阳\uE864", "99000019860606053", "13800000013"}, // likewise; the register has a picture of the name
}

func (s *Server) seed(ctx context.Context) error {
	return s.store.Update(ctx, func(tx Tx) error {
		for _, p := range seedPeople {
			number, err := idnum.Complete(p.first17)
			if err != nil {
				return err
			}
			if err := tx.PutCitizen(CitizenRow{number, p.name, p.phone}); err != nil {
				return err
			}
		}
		// The textbook example of GB 11643, with no phone registered.
		if err := tx.PutCitizen(CitizenRow{"11010519491231002X", "张三", ""}); err != nil {
			return err
		}
		if _, err := tx.Setting(catalogueSetting); !errors.Is(err, ErrNoRow) {
			return err
		}
		b, err := json.Marshal(firstCatalogue())
		if err != nil {
			return err
		}
		return tx.PutSetting(catalogueSetting, string(b))
	})
}

func both(zh, en string) map[string]string { return map[string]string{"zh": zh, "en": en} }

func firstCatalogue() wire.Catalogue {
	return wire.Catalogue{
		Revision: 1,
		Items:    map[string]wire.Avail{},
		Phone:    "12345",
		Rating: wire.RatingForm{Version: "2021-01", Levels: []wire.Option{
			{Code: "5", Name: both("非常满意", "Very satisfied")},
			{Code: "4", Name: both("满意", "Satisfied")},
			{Code: "3", Name: both("基本满意", "Fairly satisfied")},
			{Code: "2", Name: both("不满意", "Dissatisfied")},
			{Code: "1", Name: both("非常不满意", "Very dissatisfied")},
		}},
		Hotline: []wire.Option{
			{Code: "service", Name: both("窗口与办事服务", "Counter and services")},
			{Code: "terminal", Name: both("自助终端使用", "Using this terminal")},
			{Code: "social", Name: both("社会保障", "Social security")},
			{Code: "housing", Name: both("住房与物业", "Housing")},
			{Code: "traffic", Name: both("交通出行", "Traffic")},
			{Code: "other", Name: both("其他", "Something else")},
		},
		Notices: []wire.Notice{{ID: "welcome", Text: both("全天 24 小时服务，法定节假日不打烊", "Open 24 hours a day, every day of the year"),
			Until: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)}},
	}
}

// insurance is one kind of social insurance of one person.
type insurance struct {
	zh, en  string
	from    time.Time // first month
	months  int       // paid so far
	balance int       // fen; -1 where there is no account
	base    int       // yuan a month
}

// insurances makes up a person's history, always the same for the same number and month.
func insurances(number string, now time.Time) []insurance {
	h := fnv.New64a()
	_, _ = h.Write([]byte(number))
	seed := h.Sum64()
	birth, _ := idnum.Birth(number)
	start := birth.AddDate(22+int(seed%4), int(seed>>8%12), 0)
	if floor := time.Date(1996, 1, 1, 0, 0, 0, 0, time.UTC); start.Before(floor) {
		start = floor
	}
	start = time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -1, 0)
	if pension := birth.AddDate(60, 0, 0); pension.Before(last) {
		last = pension
	}
	months := max(1, (last.Year()-start.Year())*12+int(last.Month())-int(start.Month())+1)
	base := 4200 + int(seed>>16%80)*100
	return []insurance{
		{"企业职工基本养老保险", "Basic pension insurance", start, months, months * base * 8, base},
		{"职工基本医疗保险", "Basic medical insurance", start, months, base * 31, base},
		{"失业保险", "Unemployment insurance", start, months, -1, base},
		{"工伤保险", "Work injury insurance", start, months, -1, base},
		{"生育保险", "Maternity insurance", start, months, -1, base},
	}
}

func yuan(fen int) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }
