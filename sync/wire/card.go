package wire

// Cards that are made at a terminal: who may have one, the application for it, and the permission to print one card on one blank.

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// PathFaces is where a terminal has a live picture compared with the register: POST FaceCheck → CodeChecked; 403 E-FACE-OTHER
// when it is somebody else. The picture is not kept.
//
// PathCards is where cards are applied for: POST {"/eligible"} CardQuery → CardChance; POST CardApplication → CardCase, the same
// one for the same key; GET {key} → CardCase; POST {key}/permit PermitRequest → Permit. A key is a case's id. What became of a
// card travels as [TypeStock] records of its case.
const (
	PathFaces = "/v1/faces"
	PathCards = "/v1/cards"
)

// MaxPermit is the longest life of a permit.
const MaxPermit = 10 * time.Minute

// FaceCheck asks whether a live picture shows the person. The person agreed to it.
type FaceCheck struct {
	Person  PersonRef `json:"person"`
	Visit   string    `json:"visit"`
	Picture []byte    `json:"picture"` // JPEG, at most 256 KiB
	Agreed  time.Time `json:"agreed"`
}

// CardQuery asks whether the person whom the token proves may have a card of a kind.
type CardQuery struct {
	Kind    string `json:"kind"` // item code, "TID"
	Visit   string `json:"visit"`
	Token   string `json:"token"`
	Voucher string `json:"voucher,omitempty"` // 22-digit 受理号 of the 领取凭证; "" when the person has none at hand
	Child   string `json:"child,omitempty"`   // the child's number, when a guardian applies
}

// CardChance is the answer: either Refused, or what would be applied for. A case of the same person that is under way is shown
// in Existing, and no second one is begun.
type CardChance struct {
	Voucher  string            `json:"voucher,omitempty"`
	Rows     []AnswerRow       `json:"rows,omitempty"`  // what will stand on the card, masked
	Phone    string            `json:"phone,omitempty"` // the registered one, masked
	Photo    bool              `json:"photo,omitempty"` // the register holds an accepted picture that may be used
	Refused  string            `json:"refused,omitempty"`
	Why      map[string]string `json:"why,omitempty"`    // in Chinese and English
	Next     map[string]string `json:"next,omitempty"`   // what to do now, what to bring, which window
	Window   bool              `json:"window,omitempty"` // that is done at a window of the hall: where there is a queue, a number may be taken
	Existing *CardCase         `json:"existing,omitempty"`
}

// Reasons why a card is refused.
const (
	CardNotSigned   = "not-signed"   // the application for the identity card was not signed off yet
	CardNoVoucher   = "no-voucher"   // no application for an identity card is under way
	CardOtherPerson = "other-person" // the voucher is somebody else's
	CardVoucherOld  = "voucher-old"  // expired or used
	CardUnderAge    = "under-age"    // under 16: a guardian applies
	CardGuardian    = "guardian"     // not the child's guardian
	CardValid       = "valid-card"   // a temporary card is still valid
	CardExcluded    = "excluded"     // collective household, double number, …: the counter decides
	CardRareName    = "rare-name"    // a character that no font here has, and no picture of it
)

// CardApplication applies for a card. Key is the case's id: the same key is the same application.
type CardApplication struct {
	Key     string `json:"key"`
	Kind    string `json:"kind"`
	Token   string `json:"token"`
	Child   string `json:"child,omitempty"`
	Voucher string `json:"voucher"`
	Receipt string `json:"receipt"` // the case's receipt code
	Phone   string `json:"phone"`   // "" or the masked one of CardChance: the registered one
	// Photo is the accepted picture, JPEG, at most 64 KiB; empty when the register's is used.
	Photo      []byte      `json:"photo,omitempty"`
	Checks     []CardCheck `json:"checks,omitempty"`
	Profile    string      `json:"profile,omitempty"` // of the checks
	Signature  []byte      `json:"signature"`         // PNG, at most 64 KiB
	Form       Hash        `json:"form"`              // SHA-256 of what was signed
	FaceAgreed bool        `json:"face_agreed"`
}

// CardCheck is one measured property of a photo.
type CardCheck struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	OK    bool    `json:"ok"`
}

// CardState is where an application stands.
type CardState string

// States of an application.
const (
	CardWaiting  CardState = "waiting"
	CardApproved CardState = "approved"
	CardRejected CardState = "rejected"
	CardPrinting CardState = "printing" // a permit was given
	CardIssued   CardState = "issued"   // the card was presented, or taken
	CardDoubt    CardState = "in-doubt" // a person finds out what became of the blank
	CardEnded    CardState = "ended"    // no card was made and none will be
)

// CardCase is what the platform says of an application.
type CardCase struct {
	Key     string            `json:"key"`
	Number  string            `json:"number"` // of the application, printed on the slip
	Receipt string            `json:"receipt"`
	State   CardState         `json:"state"`
	Why     map[string]string `json:"why,omitempty"`  // rejected: the reviewer's reason
	Wait    int64             `json:"wait,omitempty"` // seconds until a decision, as a guess; 0 when it cannot be said
	Decided time.Time         `json:"decided,omitzero"`
}

// PermitRequest asks for the permission to print on a blank. Before it the case is paid, or costs nothing.
type PermitRequest struct {
	Blank string `json:"blank"` // number that was read off it
}

// Permit allows one card on one blank at one terminal until it expires. Asking again for the same blank gives the same one, and after
// it expired a new one while nothing was printed. Another blank is allowed only once the record tells that the former one is spoiled:
// one that is kept in the bin, or in doubt, may carry a card that two people hand over.
type Permit struct {
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	Kind      string    `json:"kind"`
	Terminal  string    `json:"terminal"`
	Blank     string    `json:"blank"`
	Expires   time.Time `json:"expires"` // at most ten minutes
	Card      CardFace  `json:"card"`
	Photo     []byte    `json:"photo"`     // JPEG 358 × 441
	Verify    string    `json:"verify"`    // text of the code on the card, which carries nothing personal
	Signature []byte    `json:"signature"` // by the platform, over SigningBytes
}

// CardFace is what stands on a card.
type CardFace struct {
	Name      string    `json:"name"`
	NameImage []byte    `json:"name_image,omitempty"` // PNG, for a character that fonts lack
	Sex       string    `json:"sex"`
	Nation    string    `json:"nation"`
	Born      string    `json:"born"` // 2006-01-02
	Address   string    `json:"address"`
	Number    string    `json:"number"`
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"` // three months later
	Authority string    `json:"authority"`
}

// SigningBytes is what the platform signs: everything of the permit.
func (p Permit) SigningBytes() []byte {
	c := p.Card
	return fmt.Appendf(nil, "budayang-permit-v1\n%s\n%s\n%s\n%s\n%s\n%d\n%s\n%s\n%s\n", p.ID, p.Key, p.Kind, p.Terminal, p.Blank, p.Expires.UnixMilli(),
		Hash(sha256.Sum256(p.Photo)), p.Verify,
		Hash(sha256.Sum256(fmt.Appendf(nil, "%q\n%s\n%q\n%q\n%q\n%q\n%q\n%d\n%d\n%q", c.Name, Hash(sha256.Sum256(c.NameImage)), c.Sex, c.Nation, c.Born, c.Address, c.Number,
			c.From.UnixMilli(), c.Until.UnixMilli(), c.Authority))))
}
