package wire

// Orders: what the platform tells a terminal through its inbox, and what the terminal answers in lane ctl.

import "time"

// Types of inbox messages and their bodies.
const (
	MessageConfig  = "config"  // ConfigDocument
	MessageItems   = "items"   // ItemsRelease
	MessageNotices = "notices" // NoticesRelease
	MessageCommand = "command" // Command
	MessageBackup  = "backup"  // BackedUp
	MessageBlank   = "blank"   // BlankVerdict
)

// Commands that a terminal knows. There is no other, and no remote shell.
const (
	CommandPause     = "pause"      // close with a reason until resumed
	CommandResume    = "resume"     // serve again
	CommandRestart   = "restart"    // end the program in good order; the service manager starts it again
	CommandLogs      = "logs"       // upload a bounded bundle of the log, without personal data
	CommandRotateKey = "rotate-key" // make a new key and have it certified
	CommandResync    = "resync"     // compare lanes anew, fetch the catalogue, send named ranges again
)

// MaxMessageBytes bounds the body of one inbox message.
const MaxMessageBytes = 1 << 20

// Command is the body of a command. What a command does not use is empty.
type Command struct {
	Name   string            `json:"name"`
	Why    map[string]string `json:"why,omitempty"`    // pause: wording for the screen, by language
	Ranges []Range           `json:"ranges,omitempty"` // resync: what to send again
}

// PathRefill takes records again that an operator asked for with [CommandResync]: POST Batch → Ack, which moves no lane.
const PathRefill = "/v1/sync/refill"

// MaxPast is how many places a hello shows, and how many ranges an operator asks for at once.
const MaxPast = 64

// MaxLeft is how many places a hello's Left has at most.
const MaxLeft = 32

// MaxEpoch is the last epoch that a lane can have. There is one for every fork, so that nothing honest comes near it.
const MaxEpoch = 1_000_000_000

// Range is a run of one lane, both ends included.
type Range struct {
	Epoch uint32 `json:"epoch"`
	Lane  Lane   `json:"lane"`
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
}

// Left is where a lane ended in an epoch that its terminal left.
type Left struct {
	Epoch uint32 `json:"epoch"`
	Lane  Lane   `json:"lane"`
	Seq   uint64 `json:"seq"`
	// Change is how many changes the journal had had.
	Change uint64 `json:"change,omitempty"`
}

// ConfigDocument is a terminal's whole configuration. A revision is a name, not an order: rolling back is sending an
// earlier revision again.
type ConfigDocument struct {
	Revision int64  `json:"revision"`
	TOML     string `json:"toml"`
}

// ItemsRelease is the whole catalogue of items. Files are named "*.yaml"; what is not named is no longer offered.
type ItemsRelease struct {
	Revision int64             `json:"revision"`
	Files    map[string]string `json:"files"`
}

// NoticesRelease is everything that the attract screen shows beside the items.
type NoticesRelease struct {
	Revision int64    `json:"revision"`
	Notices  []Notice `json:"notices"`
}

// Applied says which revisions a terminal works with; 0 is what came with its program or its local file.
type Applied struct {
	Config  int64 `json:"config"`
	Items   int64 `json:"items"`
	Notices int64 `json:"notices"`
}

// OrderStatus is what became of a message.
type OrderStatus string

// Order statuses. All are final.
const (
	OrderDone    OrderStatus = "done"
	OrderFailed  OrderStatus = "failed"  // tried, and left as it was before
	OrderRefused OrderStatus = "refused" // checked and found wrong; nothing was tried
	OrderExpired OrderStatus = "expired" // came, or could be done, only after its time
	OrderUnknown OrderStatus = "unknown" // this program does not know such a message or command
)

// OrderResult is the body of a record of TypeResult: the answer to one message.
type OrderResult struct {
	Message  string      `json:"message"` // its id
	Type     string      `json:"type"`
	Name     string      `json:"name,omitempty"` // of a command
	Status   OrderStatus `json:"status"`
	Detail   string      `json:"detail,omitempty"`   // for an engineer; no personal data
	Revision int64       `json:"revision,omitempty"` // that was applied
	Blob     Hash        `json:"blob,omitzero"`      // what was uploaded
	At       time.Time   `json:"at"`
	Again    bool        `json:"again,omitempty"` // the message came again; this is what became of it the first time
}

// BlankVerdict is what two people say became of a blank of which nobody knew, or which is kept in the bin. The terminal moves its
// ledger and the case in one change; a blank that stands elsewhere meanwhile refuses it.
type BlankVerdict struct {
	Kind   string     `json:"kind"`
	ID     string     `json:"id"` // at the terminal; "" where the platform knows the number alone
	Number string     `json:"number,omitempty"`
	Case   string     `json:"case"`
	To     BlankState `json:"to"` // taken, spoiled, retained or back
	// Money is "" but for spoiled and back: then it says what becomes of the case.
	Money  string `json:"money,omitempty"`
	By     string `json:"by"`
	Second string `json:"second"`
	Why    string `json:"why"` // in words; names nobody
}

// What becomes of a case whose blank carries no card.
const (
	VerdictAgain  = "again"  // another card is made when its citizen comes back
	VerdictReturn = "return" // it ends, and its payment goes back
	VerdictEnd    = "end"    // it ends; nothing was paid
)
