package wire

// Leases: who may write of a case that was begun elsewhere.

import (
	"fmt"
	"time"
)

// PathLeases is where a terminal asks for a case: POST LeaseRequest → Lease.
const PathLeases = "/v1/leases"

// TypeLease is the record of a terminal that took a case over; body Grant. It stands in every lane that carries records of
// cases, before the first record under it, so that a platform that lost the lease learns it again in time.
const TypeLease = "case.leased"

// LeaseRequest asks for a case by its receipt code, for the person whom the token proves.
type LeaseRequest struct {
	ReceiptCode string `json:"receipt_code"`
	Token       string `json:"token"` // of CodeChecked
}

// Grant says that from now on one terminal writes of a case. Token grows with every grant of the case: records that carry
// a smaller one were written by somebody who no longer holds it.
type Grant struct {
	Case      string    `json:"case"`
	Terminal  string    `json:"terminal"`
	Token     uint64    `json:"lease"`
	Granted   time.Time `json:"granted"`
	Signature []byte    `json:"signature"` // by the platform, over SigningBytes
}

// SigningBytes is what the platform signs.
func (g Grant) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-lease-v1\n%s\n%s\n%d\n%d\n", g.Case, g.Terminal, g.Token, g.Granted.UnixMilli())
}

// Lease is a grant with what the platform knows of the case.
type Lease struct {
	Grant
	State  string     `json:"state"`
	Opened CaseOpened `json:"opened"`
}
