package wire

// A member of staff vouches for the person at a terminal.

import "time"

// PathProofs is where a terminal has a member of staff called who compares the person with their document: GET → ProofWays; POST
// ProofRequest → Proof; GET {id} → Proof, which may be held back (while, wait) as long as nothing changes; POST {id}/cancel → Proof. A
// platform that does not know it answers 404, and nobody is offered it.
const PathProofs = "/v1/proofs"

// Words of [ProofWays].
const (
	ProofStaff  = "staff"       // a member of staff comes
	ProofFinger = "fingerprint" // the city compares fingers ([PathFingers])
)

// ProofWays are the ways beside codes in which the platform proves somebody at this terminal now.
type ProofWays struct {
	Ways []string `json:"ways"` // a terminal passes over words that it does not know
}

// What was shown to the terminal, for whoever comes.
const (
	ShownCard    = "card"    // an identity card, which was read
	ShownVoucher = "voucher" // 领取凭证
	ShownNumber  = "number"  // nothing: the number was typed
)

// ProofRequest calls a member of staff. A terminal has one request open; another one takes its place.
type ProofRequest struct {
	Person PersonRef `json:"person"`
	Visit  string    `json:"visit"` // UUIDv7
	Shown  string    `json:"shown"`
}

// ProofState is where a request stands.
type ProofState string

// States of a request. All but open are ends.
const (
	ProofOpen      ProofState = "open"
	ProofConfirmed ProofState = "confirmed"
	ProofRefused   ProofState = "refused"
	ProofCancelled ProofState = "cancelled" // the citizen went, or asked for another
	ProofEnded     ProofState = "ended"     // nobody came in time
)

// Proof is a request as the platform tells it. Number stands large on the screen: whoever enters it stands before it. Token and its end
// come with confirmed alone, as often as it is asked.
type Proof struct {
	ID         string            `json:"id"`
	Number     string            `json:"number,omitempty"` // digits, 4 to 6; once, in the answer to the ProofRequest
	State      ProofState        `json:"state"`
	Until      time.Time         `json:"until"`
	Why        map[string]string `json:"why,omitempty"` // refused: in Chinese and English
	Token      string            `json:"token,omitempty"`
	TokenUntil time.Time         `json:"token_until,omitzero"`
}
