package platform

// The population register, as far as cards need it: who has an application for an identity card under way, and what would stand on
// a temporary one. A city's own register takes the place of the synthetic one by being a back end of the service "card-register".

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"regexp"
	"slices"
	"time"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// A Register knows people for cards.
type Register interface {
	// CardPerson is what the register holds of a person. ErrNoRow: nothing; any other error: it cannot be asked now.
	CardPerson(ctx context.Context, number, name string) (RegisterEntry, error)
}

// A VoucherRegister is a Register that finds people by their voucher.
type VoucherRegister interface {
	// VoucherPerson is the identity number of the person whose application for an identity card has a number, expired, used and
	// unsigned ones included. ErrNoRow: there is none.
	VoucherPerson(ctx context.Context, voucher string) (number string, err error)
}

// RegisterEntry is what a register says of a person. It is personal and is neither logged nor kept as it is.
type RegisterEntry struct {
	Number    string `json:"number"`
	Name      string `json:"name"`
	NameImage []byte `json:"name_image,omitempty"` // PNG of a name that fonts lack a character of
	Sex       string `json:"sex"`
	Nation    string `json:"nation"`
	Born      string `json:"born"` // 2006-01-02
	Address   string `json:"address"`
	Authority string `json:"authority"` // that would issue the card
	Phone     string `json:"phone,omitempty"`
	Photo     []byte `json:"photo,omitempty"` // accepted for the identity card that is being made, JPEG 358 × 441
	// Vouchers are the person's applications for an identity card.
	Vouchers []RegisterVoucher `json:"vouchers,omitempty"`
	// Excluded says why only a counter may decide; "" when nothing does: collective-household, custody-household, virtual-address,
	// double-number, double-household, or a word of the register's own.
	Excluded string `json:"excluded,omitempty"`
	// ValidUntil is the last moment of a temporary card that the person holds.
	ValidUntil time.Time `json:"valid_until,omitzero"`
	Guardians  []string  `json:"guardians,omitempty"` // numbers of those who may apply for the person
}

// RegisterVoucher is one 领取凭证.
type RegisterVoucher struct {
	Number string    `json:"number"` // 22 digits
	Until  time.Time `json:"until"`
	Used   bool      `json:"used,omitempty"`   // the identity card was collected
	Signed bool      `json:"signed,omitempty"` // 签发: the home police signed the application off
}

// ServiceRegister is the service by which a back end is the register: POST personQuery to URL/query/card-register → RegisterEntry.
const ServiceRegister = "card-register"

var voucherNumber = regexp.MustCompile(`^[0-9]{22}$`)

// cityRegister asks the back end that answers for the register.
type cityRegister struct {
	s *Server
	b *backend
}

// CardPerson implements Register.
func (r cityRegister) CardPerson(ctx context.Context, number, name string) (e RegisterEntry, err error) {
	if err := r.s.backendWorks(ctx, r.b.cfg.Name); err != nil {
		return e, err
	}
	raw, err := r.b.ask(ctx, r.b.cfg.Timeout, personQuery{Service: ServiceRegister, Number: number, Name: name}, "query", ServiceRegister)
	if errors.Is(err, errNoRecord) {
		return e, ErrNoRow
	}
	if err == nil {
		e, err = readEntry(raw, number)
	}
	if err != nil {
		r.s.cfg.Log.Warn("register", "back end", r.b.cfg.Name, "error", err) // names no person
		if ctx.Err() == nil {
			err = errBackend
		}
	}
	return e, err
}

// VoucherPerson implements VoucherRegister. A back end that does not look for vouchers answers that it has no record.
func (r cityRegister) VoucherPerson(ctx context.Context, voucher string) (string, error) {
	if err := r.s.backendWorks(ctx, r.b.cfg.Name); err != nil {
		return "", err
	}
	raw, err := r.b.ask(ctx, r.b.cfg.Timeout, personQuery{Service: ServiceRegister, Params: map[string]string{"voucher": voucher}}, "query", ServiceRegister)
	if errors.Is(err, errNoRecord) {
		return "", ErrNoRow
	}
	var who struct {
		Number string `json:"number"`
	}
	if err == nil && (json.Unmarshal(raw, &who) != nil || idnum.CheckAny(who.Number) != nil) {
		err = fmt.Errorf("%w: register's entry: of nobody", errBackendFailed)
	}
	var e RegisterEntry
	if err == nil {
		e, err = readEntry(raw, who.Number)
	}
	if err == nil && !slices.ContainsFunc(e.Vouchers, func(v RegisterVoucher) bool { return v.Number == voucher }) {
		err = fmt.Errorf("%w: register's entry: without the voucher that was asked for", errBackendFailed)
	}
	if err != nil {
		r.s.cfg.Log.Warn("register", "back end", r.b.cfg.Name, "error", err) // names no person
		if ctx.Err() == nil {
			err = errBackend
		}
		return "", err
	}
	return e.Number, nil
}

// Guesses at vouchers, whose numbers follow each other: what one terminal may look up in a while.
const (
	vouchersMost   = 30
	vouchersWindow = 10 * time.Minute
)

// resolve finds the number of a person who is named by a voucher only.
func (s *Server) resolve(ctx context.Context, p wire.PersonRef) (wire.PersonRef, error) {
	if p.Voucher == "" {
		if idnum.CheckAny(p.Number) != nil {
			return p, errMalformed
		}
		return p, nil
	}
	if !voucherNumber.MatchString(p.Voucher) || p.Number != "" || p.Name != "" {
		return p, errMalformed
	}
	reg, knows := s.register().(VoucherRegister)
	if !knows {
		return p, errNoRecord
	}
	if ok, err := s.allowed(ctx, &s.vouchers, "voucher "+terminalOf(ctx), vouchersMost, vouchersWindow); err != nil {
		return p, err
	} else if !ok {
		return p, errCodeLocked
	}
	number, err := reg.VoucherPerson(ctx, p.Voucher)
	if errors.Is(err, ErrNoRow) {
		return p, errNoRecord
	}
	return wire.PersonRef{Number: number}, err
}

// Bounds of an entry.
const (
	entryText      = 200 // bytes of a name, an address, an authority
	entryVouchers  = 20
	entryGuardians = 10
)

// readEntry believes an entry only when it is about who was asked for and all of it can stand on a card.
func readEntry(raw []byte, number string) (e RegisterEntry, err error) {
	bad := func(what string) (RegisterEntry, error) {
		return RegisterEntry{}, fmt.Errorf("%w: register's entry: %s", errBackendFailed, what)
	}
	if json.Unmarshal(raw, &e) != nil {
		return bad("cannot be read")
	}
	if e.Number != number {
		return bad("of somebody else")
	}
	for _, text := range []string{e.Name, e.Sex, e.Nation, e.Address, e.Authority} {
		if text == "" || len(text) > entryText || !printable(text) {
			return bad("a text is missing, too long, or has control characters")
		}
	}
	if _, err := time.Parse(time.DateOnly, e.Born); err != nil {
		return bad("date of birth")
	}
	if len(e.Vouchers) > entryVouchers || len(e.Guardians) > entryGuardians || len(e.Excluded) > 64 || len(e.Phone) > 20 {
		return bad("too much of something")
	}
	for _, v := range e.Vouchers {
		if !voucherNumber.MatchString(v.Number) {
			return bad("a voucher's number")
		}
	}
	if len(e.Photo) > 0 && checkPhoto(e.Photo) != nil {
		return bad("picture")
	}
	if len(e.NameImage) > 0 && checkInk(e.NameImage) != nil {
		return bad("picture of the name")
	}
	return e, nil
}

// printable says that a text has no control characters.
func printable(s string) bool {
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd {
			return false
		}
	}
	return true
}

// register is the one in force.
func (s *Server) register() Register {
	if s.cfg.Register != nil {
		return s.cfg.Register
	}
	if b := s.backendOf(ServiceRegister); b != nil {
		return cityRegister{s, b}
	}
	return seededRegister{s.now}
}

// seededRegister is the synthetic register. What it knows beside [seedPeople] stands in seedCards.
type seededRegister struct{ now func() time.Time }

// seedCards tells of synthetic people what a register would; the key is the place in seedPeople. Who is missing has no application
// for an identity card.
var seedCards = map[int]struct {
	nation, excluded string
	unsigned, used   bool
	valid            bool // a temporary card that is valid for another month
	guardians        []int
	halves           [2]rune // of the name's last character, drawn side by side
}{
	0: {}, 1: {}, 2: {nation: "回"}, 3: {nation: "藏"}, 4: {},
	5:  {guardians: []int{1, 0}},
	6:  {excluded: "collective-household"},
	7:  {valid: true},
	8:  {unsigned: true},
	9:  {},
	10: {used: true},
	11: {halves: [2]rune{'亻', '恩'}},
}

// SeedVoucher is the number of the valid voucher of the synthetic person at a place in the list: 990000001 and 20260105, then the place.
func SeedVoucher(place int) string { return fmt.Sprintf("99000000120260105%05d", place+1) }

// seedVoucherOld is one that expired in 2025.
func seedVoucherOld(place int) string { return fmt.Sprintf("99000000120250105%05d", place+1) }

// CardPerson implements Register.
func (r seededRegister) CardPerson(_ context.Context, number, _ string) (e RegisterEntry, err error) {
	for i, p := range seedPeople {
		n, err := idnum.Complete(p.first17)
		if err != nil {
			return e, err
		}
		if n != number {
			continue
		}
		more, known := seedCards[i]
		birth, _ := idnum.Birth(n)
		sex := "女"
		if male, _ := idnum.Male(n); male {
			sex = "男"
		}
		e = RegisterEntry{Number: n, Name: p.name, Sex: sex, Nation: "汉", Born: birth.Format(time.DateOnly), Address: fmt.Sprintf("示例市示例区样张路%d号", 10*(i+1)),
			Authority: "示例市公安局示例分局", Phone: p.phone, Excluded: more.excluded}
		if more.nation != "" {
			e.Nation = more.nation
		}
		if known {
			e.Vouchers = []RegisterVoucher{{Number: seedVoucherOld(i), Until: time.Date(2025, 7, 5, 0, 0, 0, 0, time.UTC), Signed: true},
				{Number: SeedVoucher(i), Until: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC), Signed: !more.unsigned, Used: more.used}}
		}
		if more.valid {
			e.ValidUntil = r.now().AddDate(0, 1, 0)
		}
		if more.halves[0] != 0 {
			if e.NameImage, err = drawnName(p.name, more.halves); err != nil {
				return e, err
			}
		}
		for _, g := range more.guardians {
			other, err := idnum.Complete(seedPeople[g].first17)
			if err != nil {
				return e, err
			}
			e.Guardians = append(e.Guardians, other)
		}
		return e, nil
	}
	return e, ErrNoRow
}

// VoucherPerson implements VoucherRegister.
func (r seededRegister) VoucherPerson(_ context.Context, voucher string) (string, error) {
	for i := range seedCards {
		if voucher == SeedVoucher(i) || voucher == seedVoucherOld(i) {
			return idnum.Complete(seedPeople[i].first17)
		}
	}
	return "", ErrNoRow
}

// mayApplyFor says whether a person is a guardian in the register.
func (e RegisterEntry) mayApplyFor(guardian string) bool {
	return slices.Contains(e.Guardians, guardian)
}

// Size of a name's picture, in pixels for one character.
const nameSide = 96

// drawnName is a picture of a name whose last character no font has: it is put together of two others, each half as wide.
func drawnName(name string, halves [2]rune) ([]byte, error) {
	f, err := opentype.Parse(assets.Font("wide-regular.ttf"))
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: nameSide, DPI: 72})
	if err != nil {
		return nil, err
	}
	defer func() { _ = face.Close() }()
	runes := []rune(name)
	out := image.NewGray(image.Rect(0, 0, nameSide*len(runes), nameSide*5/4))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	char := func(r rune, into image.Rectangle) {
		cell := image.NewGray(image.Rect(0, 0, nameSide, nameSide*5/4))
		draw.Draw(cell, cell.Bounds(), image.White, image.Point{}, draw.Src)
		d := font.Drawer{Dst: cell, Src: image.Black, Face: face, Dot: fixed.P(0, nameSide)}
		d.DrawString(string(r))
		draw.CatmullRom.Scale(out, into, cell, cell.Bounds(), draw.Src, nil)
	}
	for i, r := range runes {
		at := image.Rect(i*nameSide, 0, (i+1)*nameSide, nameSide*5/4)
		if i < len(runes)-1 {
			char(r, at)
			continue
		}
		left, right := at, at
		left.Max.X = at.Min.X + nameSide*2/5
		right.Min.X = left.Max.X
		char(halves[0], left)
		char(halves[1], right)
	}
	var b bytes.Buffer
	err = png.Encode(&b, out)
	return b.Bytes(), err
}
