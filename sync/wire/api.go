package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// Paths of the platform's API for terminals. Every request but Enroll and Time is signed in its
// Authorization header, and comes over TLS with the terminal's certificate.
const (
	PathEnroll    = "/v1/enroll"    // POST Enroll → Enrolled
	PathRenew     = "/v1/renew"     // POST Renew → Enrolled
	PathTime      = "/v1/time"      // GET ?nonce=hex → Now
	PathHello     = "/v1/hello"     // POST Hello → Welcome
	PathPush      = "/v1/sync/push" // POST Batch → Ack
	PathPull      = "/v1/sync/pull" // GET ?after=N&wait=SECONDS → Inbox (long-poll)
	PathBlobs     = "/v1/blobs/"    // PUT {sha256} → 201 | 200 held already
	PathQuery     = "/v1/query/"    // POST {service} Query → Answer
	PathCode      = "/v1/codes"     // POST CodeRequest → CodeSent
	PathCodeCheck = "/v1/codes/check"
	PathDocuments = "/v1/documents" // POST DocumentRequest → Document; idempotent by Key
	PathCatalogue = "/v1/catalogue" // GET → Catalogue
)

// AuthScheme begins the Authorization header:
//
//	BUDAYANG-P256 terminal="T",time="1700000000000",nonce="hex16",signature="base64"
//
// The signature is by the terminal's key over [RequestSigningBytes], in its profile; with SM2 the header begins with
// [AuthSchemeSM2].
const (
	AuthScheme    = "BUDAYANG-P256"
	AuthSchemeSM2 = "BUDAYANG-SM2-SM3"
)

// MaxSkew is how far a request's time may lie from the platform's clock.
const MaxSkew = 180 * time.Second

// RequestSigningBytes is the canonical string of a request: method, path with query, time in ms, nonce, body hash.
func RequestSigningBytes(method, pathQuery string, unixMilli int64, nonce string, body Hash) []byte {
	return fmt.Appendf(nil, "budayang-request-v1\n%s\n%s\n%d\n%s\n%s\n", method, pathQuery, unixMilli, nonce, body)
}

// Error is the body of every answer that is not 2xx. Code is from the error registry (docs/error-codes.md).
type Error struct {
	Code         string `json:"code"`    // "E-…", ASCII
	Message      string `json:"message"` // for an engineer, English, without personal data
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

func (e Error) Error() string { return e.Code + ": " + e.Message }

// Hello opens a conversation: what the terminal holds.
type Hello struct {
	Terminal     string               `json:"terminal"`
	Software     string               `json:"software"`
	Capabilities []string             `json:"capabilities"`
	Epoch        uint32               `json:"epoch"`
	Lanes        map[Lane]LanePoint   `json:"lanes"`
	Status       []TerminalRoleStatus `json:"status,omitempty"`
	// Past are the last acknowledged records of every lane in this epoch and the earlier ones that are still kept, newest
	// first, at most [MaxPast]. They are shown in the first hello, and before the terminal obeys an order for a new epoch.
	Past []Place `json:"past,omitempty"`
	// Left is where the lanes ended in the last epochs before this one, newest first, at most [MaxLeft]; shown together with Past.
	Left []Left `json:"left,omitempty"`
	// Boot names the run of the terminal's program and MS how long it has lasted, so that the platform can tell a hello that the
	// line brought late from a terminal that comes back with less than it had. Without them it does not compare hellos.
	Boot string `json:"boot,omitempty"`
	MS   int64  `json:"boot_ms,omitempty"`
	// Compared says that this run has compared what it holds with a welcome. Until then the platform shows the same again.
	Compared bool     `json:"compared,omitempty"`
	Change   uint64   `json:"change,omitempty"`   // counts the changes of the journal, whatever they were about
	Inbox    uint64   `json:"inbox,omitempty"`    // number of the last message that was taken
	InboxID  string   `json:"inbox_id,omitempty"` // and its id
	Applied  *Applied `json:"applied,omitempty"`
	Paused   bool     `json:"paused,omitempty"` // closed by a command
}

// LanePoint is a place in a lane.
type LanePoint struct {
	Seq  uint64 `json:"seq"`
	Hash Hash   `json:"hash"`
}

// Place is a record's place in a lane of some epoch, with the record's id: it may be held under another epoch.
type Place struct {
	Epoch uint32 `json:"epoch"`
	Lane  Lane   `json:"lane"`
	LanePoint
	ID string `json:"id,omitempty"`
}

// TerminalRoleStatus is one device's state for the fleet's page.
type TerminalRoleStatus struct {
	Role    string `json:"role"`
	Unready string `json:"unready,omitempty"`
	Paper   string `json:"paper,omitempty"`
}

// Welcome answers: what the platform holds, and its time.
type Welcome struct {
	Epoch uint32             `json:"epoch"` // higher than the hello's when the terminal must begin a new epoch
	Lanes map[Lane]LanePoint `json:"lanes"`
	Fork  []Lane             `json:"fork,omitempty"` // lanes whose history differs from the platform's
	// Want names, for each lane and epoch of the hello's past whose record the platform does not hold, the last place that it
	// holds there instead, 0 when it holds nothing. A terminal takes what it has beyond that along into the epoch that is
	// ordered with it.
	Want []Place `json:"want,omitempty"`
	// Shown is where the lanes stood in this epoch when the terminal last showed or delivered something. Another hash there on the
	// terminal's side is a fork: its disk was set back and has grown since.
	Shown     map[Lane]LanePoint `json:"shown,omitempty"`
	Time      time.Time          `json:"time"`
	Catalogue int64              `json:"catalogue"` // current revision
	Inbox     uint64             `json:"inbox"`     // newest message number
	Limits    Limits             `json:"limits"`
}

// Limits are the platform's wishes.
type Limits struct {
	BatchRecords int   `json:"batch_records"`
	SpreadMS     int64 `json:"spread_ms"` // first contact after an outage is delayed by hash(terminal) mod this
}

// Inbox is what the platform has for the terminal.
type Inbox struct {
	Messages []Message `json:"messages"`
	Time     time.Time `json:"time"`
}

// Message is one signed thing from the platform. No is contiguous per terminal.
type Message struct {
	No        uint64          `json:"no"`
	ID        string          `json:"id"`
	Type      string          `json:"type"` // MessageConfig, MessageItems, MessageNotices, MessageCommand, MessageBackup, MessageBlank
	Expires   time.Time       `json:"expires"`
	Body      json.RawMessage `json:"body"`
	Signature []byte          `json:"signature"`
}

// SigningBytes is what the platform signs.
func (m Message) SigningBytes(terminal string) []byte {
	return fmt.Appendf(nil, "budayang-message-v1\n%s\n%d\n%s\n%s\n%d\n%s\n",
		terminal, m.No, m.ID, m.Type, m.Expires.UnixMilli(), HashBody(Hash{}, m.Body))
}

// PersonRef names a citizen to the platform. It travels in request bodies only and is never stored in the open.
type PersonRef struct {
	Number string `json:"number"`
	Name   string `json:"name"`
	// Voucher is the 22-digit number of the person's application for an identity card, where only it is known; Number and Name are "" then.
	Voucher string `json:"voucher,omitempty"`
}

// CodeRequest asks the platform to send a one-time code to the registered phone.
type CodeRequest struct {
	Person PersonRef `json:"person"`
	Visit  string    `json:"visit"` // UUIDv7
}

// CodeSent says where it went, masked, and until when it is good.
type CodeSent struct {
	Challenge string    `json:"challenge"`
	Phone     string    `json:"phone"` // "138****0001"
	Until     time.Time `json:"until"`
	Tries     int       `json:"tries"`
}

// CodeCheck tries a code.
type CodeCheck struct {
	Challenge string `json:"challenge"`
	Code      string `json:"code"`
}

// CodeChecked carries the token that proves the person for this visit. Wrong codes are answered with 403 E-CODE-WRONG.
type CodeChecked struct {
	Token string    `json:"token"`
	Until time.Time `json:"until"`
}

// Query asks a back end, through the platform.
type Query struct {
	Token  string            `json:"token,omitempty"` // for items that need a verified person
	Visit  string            `json:"visit"`
	Params map[string]string `json:"params,omitempty"`
}

// Answer is a table of labelled values, already worded by the back end in each language.
type Answer struct {
	Title    map[string]string `json:"title"`
	Sections []AnswerSection   `json:"sections"`
	AsOf     time.Time         `json:"as_of"`
	Note     map[string]string `json:"note,omitempty"` // what a slip of it says of itself; none: that it is for reference only
}

// AnswerSection is one group of rows.
type AnswerSection struct {
	Title map[string]string `json:"title,omitempty"`
	Rows  []AnswerRow       `json:"rows"`
	QR    string            `json:"qr,omitempty"` // an address that a slip of the answer carries as a code ([Web])
}

// AnswerRow is one labelled value. Private values are masked until the citizen presses to see them.
type AnswerRow struct {
	Label   map[string]string `json:"label"`
	Value   string            `json:"value"`
	Masked  string            `json:"masked,omitempty"`
	Private bool              `json:"private,omitempty"`
}

// DocumentRequest asks for an issued document. The same Key always yields the same document.
type DocumentRequest struct {
	Key    string            `json:"key"`  // the case id
	Kind   string            `json:"kind"` // "SB-P"
	Token  string            `json:"token"`
	Params map[string]string `json:"params,omitempty"`
}

// Document is what the platform issued. Signature is by the platform's key over SigningBytes.
type Document struct {
	Number    string    `json:"number"` // certificate number, printed on it
	Kind      string    `json:"kind"`
	Key       string    `json:"key"`
	Pages     int       `json:"pages"`
	SHA256    Hash      `json:"sha256"`
	PDF       []byte    `json:"pdf"`
	Verify    string    `json:"verify"` // URL in the verification QR
	Issued    time.Time `json:"issued"`
	Signature []byte    `json:"signature"`
}

// SigningBytes binds the bytes to number, kind and case.
func (d Document) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-document-v1\n%s\n%s\n%s\n%d\n%s\n", d.Number, d.Kind, d.Key, d.Pages, d.SHA256)
}

// Catalogue is what changes without a new program: availability, rating levels, hotline categories.
type Catalogue struct {
	Revision  int64            `json:"revision"`
	Items     map[string]Avail `json:"items"` // by item code; an item not named is available
	Rating    RatingForm       `json:"rating"`
	Hotline   []Option         `json:"hotline"`
	Notices   []Notice         `json:"notices,omitempty"`
	Phone     string           `json:"phone"` // the city's hotline number, "12345"
	Signature []byte           `json:"signature,omitempty"`
}

// Avail says whether a back end works now.
type Avail struct {
	Available bool              `json:"available"`
	Why       map[string]string `json:"why,omitempty"`
}

// RatingForm is the 好差评 form; its content is versioned nationally.
type RatingForm struct {
	Version string   `json:"version"`
	Levels  []Option `json:"levels"` // five, best first
}

// Option is a choice with its wording.
type Option struct {
	Code string            `json:"code"`
	Name map[string]string `json:"name"`
}

// Notice is shown on the attract screen.
type Notice struct {
	ID    string            `json:"id"`
	Text  map[string]string `json:"text"`
	Until time.Time         `json:"until"`
}
