package wire

import "time"

// Types of records and their bodies. Bodies carry personal data only in the fields that say so.
const (
	TypeCaseOpened = "case.opened"    // CaseOpened
	TypeCaseState  = "case.state"     // CaseState
	TypeEffect     = "effect"         // EffectOutcome
	TypeRating     = "rating"         // Rating
	TypeHotline    = "hotline"        // Hotline
	TypeAudit      = "audit"          // AuditEntry, lane audit
	TypeAuditHead  = "audit.head"     // AuditHead, lane audit
	TypeResult     = "command.result" // OrderResult, lane ctl
	TypeDevices    = "devices"
)

// CaseOpened is a case's first record: where a visit's answers became a case.
type CaseOpened struct {
	Item        string    `json:"item"`
	ItemHash    Hash      `json:"item_hash"`
	Schema      int       `json:"schema"`
	ReceiptCode string    `json:"receipt_code"`
	State       string    `json:"state"`
	At          time.Time `json:"at"`
	// Masked person ("王*明", last four digits); empty for items without identification.
	Person string `json:"person,omitempty"`
	Last4  string `json:"last4,omitempty"`
	// Details are the item's answers, by form field; personal where the item needs it (a phone number to call back).
	Details map[string]string `json:"details,omitempty"`
}

// CaseState is a change of state.
type CaseState struct {
	State string    `json:"state"` // domain.md 6.3: SUBMITTED, ACCEPTED, PRINTING, PRINTED, DELIVERED, CLOSED, PRINT_UNKNOWN …
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

// EffectOutcome is what one act on the world came to.
type EffectOutcome struct {
	Effect  string    `json:"effect"` // "case/step/attempt"
	Kind    string    `json:"kind"`   // "print-document", "print-receipt"
	State   string    `json:"state"`  // done, failed, not-sent, unknown
	Detail  string    `json:"detail,omitempty"`
	Number  string    `json:"number,omitempty"`  // certificate number
	Settled bool      `json:"settled,omitempty"` // found out afterwards, not seen at the time
	At      time.Time `json:"at"`
}

// Rating is one evaluation (好差评). Level "" means offered and not answered; never a default.
type Rating struct {
	Item    string    `json:"item"`
	Version string    `json:"version"`
	Level   string    `json:"level"`
	At      time.Time `json:"at"`
}

// Hotline is a request to 12345, written with a finger.
type Hotline struct {
	LocalNo  string    `json:"local_no"`
	Category string    `json:"category"`
	Phone    string    `json:"phone,omitempty"` // personal
	Ink      Hash      `json:"ink,omitempty"`   // blob: PNG of the handwriting, personal
	At       time.Time `json:"at"`
}

// AuditEntry is one line of the audit chain.
type AuditEntry struct {
	Event  Event             `json:"event"`
	Who    string            `json:"who,omitempty"` // operator id, "citizen", "system"
	Fields map[string]string `json:"fields,omitempty"`
	At     time.Time         `json:"at"`
}
