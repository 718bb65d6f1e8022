// A visit: who is there, as long as they are there, and never on disk.

package service

import (
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/idnum"
)

// visit is one citizen's presence.
type visit struct {
	id         string
	card       *devices.IDCard
	voucher    string // 22 digits, of whoever showed nothing else; card is empty then
	token      Token
	consents   map[string]bool // scopes agreed to
	faceAgreed time.Time       // when the citizen agreed to be compared by face; zero when they did not
	cardRead   bool            // a card lay on the reader in this visit, and may lie there still
	forget     func()          // tells the log's net that nobody is there any more; nil when nobody was
}

// verified tells whether the person is proved for a while longer than a step takes.
func (v *visit) verified(now time.Time) bool {
	return v.card != nil && v.token.Value != "" && now.Add(30*time.Second).Before(v.token.Until)
}

// person is who is there, for the platform.
func (v *visit) person() Person {
	switch {
	case v.card == nil:
		return Person{}
	case v.voucher != "":
		return NewHolder(v.voucher)
	}
	return NewPerson(v.card.Name, v.card.Number)
}

// masked is who is there, for screens, slips and the journal.
func (v *visit) masked() (name, number, last4 string) {
	if v.card == nil {
		return "", "", ""
	}
	n := v.card.Name
	if n == "" {
		n = v.card.NameEN
	}
	return idnum.MaskName(n), idnum.Mask(v.card.Number), idnum.Last4(v.card.Number)
}

// hold keeps a card for as long as its citizen is there. known, which may be nil, is told what the citizen could be known by.
func (v *visit) hold(card *devices.IDCard, known func(names ...string) (forget func())) {
	v.drop()
	v.card = card
	if known != nil {
		v.forget = known(card.Name, card.NameEN, card.Number, card.Address, card.TravelPermit)
	}
}

// holdVoucher keeps a voucher's number in place of a card.
func (v *visit) holdVoucher(voucher string, known func(names ...string) (forget func())) {
	v.drop()
	v.card, v.voucher = &devices.IDCard{Kind: devices.CardResident}, voucher
	if known != nil {
		v.forget = known(voucher)
	}
}

// drop forgets the card.
func (v *visit) drop() {
	v.card.Wipe()
	v.card, v.voucher, v.token = nil, "", Token{}
	if v.forget != nil {
		v.forget()
		v.forget = nil
	}
}

// wipe forgets the citizen. Bytes are overwritten; strings are dropped, which is what Go allows.
func (v *visit) wipe() {
	v.drop()
	clear(v.consents)
	v.faceAgreed = time.Time{}
}
