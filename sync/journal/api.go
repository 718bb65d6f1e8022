package journal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Options of [Open].
type Options struct {
	Terminal string           // terminal id, in every record
	No       string           // short number of the terminal, in receipt codes ("03")
	KeyFile  string           // where the key lies when no Vault is given; made with mode 0600 together with a new journal
	Vault    KeyVault         // where the key lies that wraps data keys; nil means [FileVault] of KeyFile
	Cipher   wire.Cipher      // what is sealed from here on is sealed so; "" means AES-256-GCM
	BlobDir  string           // sealed blobs; "" means path + ".blobs"
	Now      func() time.Time // the machine's clock; nil means time.Now
	// Mono is how long ago the journal was opened, by a clock that does not jump; nil means Go's own.
	Mono func() time.Duration
	// Floor is a time that has certainly been, such as the program's build; a machine's clock before it is not believed.
	Floor   time.Time
	Log     *slog.Logger // nil means discard
	MaxSize int64        // bytes, 0 means 256 MiB
	// DiskFloor is how much free disk (bytes) new business needs; 0 means 100 MiB.
	DiskFloor int64
	// Emergency is the size (bytes) of a file that is given up when the disk is full, so that what was begun can be
	// finished; 0 means 16 MiB.
	Emergency int64
	Boot      string // boot id; "" means a new one
	// Crash is called at named points of every change ("effect.intended", "effect.acted", …). Tests kill the process
	// there; nil in production.
	Crash func(point string)
}

// Errors of this package.
var (
	// ErrLocked: another process holds the journal.
	ErrLocked = errors.New("journal is in use by another process")
	// ErrDamaged: the file is not a sound journal. It was left as it is.
	ErrDamaged = errors.New("journal is damaged")
	// ErrKey: the vault's key does not open what the journal sealed, or cannot be had.
	ErrKey = errors.New("journal key does not fit")
	// ErrFull: the quota is reached; new business stops, what was begun can be finished.
	ErrFull = errors.New("journal is full")
	// ErrDisk: the disk failed in the middle of a change. Nobody can say whether that change is there; the journal takes
	// no other until it is opened again.
	ErrDisk = errors.New("journal's disk failed")
	// ErrNotFound: no such case, effect, blob or value.
	ErrNotFound = errors.New("not in the journal")
	// ErrState: the case's state does not allow this.
	ErrState = errors.New("case state does not allow this")
	// ErrClock: a time cannot be right.
	ErrClock = errors.New("time cannot be right")
	// ErrUnsettled: the effect was intended before and nobody knows its outcome; it is never done again by itself.
	ErrUnsettled = errors.New("effect has no outcome yet")
	// ErrFork: the platform's hash differs from ours at the same place.
	ErrFork = errors.New("lane has forked from the platform's")
)

// A State is where a case stands (domain.md 6.3).
type State string

// NewCase is what a visit's answers become at the commit point.
type NewCase struct {
	Item     string
	ItemHash wire.Hash
	Schema   int
	Visit    string
	Person   string            // masked name
	Last4    string            // last four digits of the number
	Details  map[string]string // answers for the platform; sealed at rest
}

// Case is the durable record of one item being done for one citizen. It carries no personal data in the open.
type Case struct {
	ID          string      `json:"id"` // UUIDv7
	Item        string      `json:"item"`
	ItemHash    wire.Hash   `json:"item_hash"`
	Schema      int         `json:"schema"`
	Visit       string      `json:"visit"`
	ReceiptCode string      `json:"receipt_code"` // "03-20261122-000138", unique per terminal
	State       State       `json:"state"`
	Person      string      `json:"person,omitempty"` // masked
	Last4       string      `json:"last4,omitempty"`
	Opened      time.Time   `json:"opened"`
	Updated     time.Time   `json:"updated"`
	History     []CaseEvent `json:"history"`
	Lease       uint64      `json:"lease,omitempty"` // the platform's fencing token, when the case was begun elsewhere
	// Steps are recorded results by step name, JSON without personal data: a resumed case does not ask twice.
	Steps map[string]json.RawMessage `json:"steps,omitempty"`
	// Decisions are what people decided at the desk, oldest first.
	Decisions []Decision `json:"decisions,omitempty"`
}

// CaseEvent is one change of state.
type CaseEvent struct {
	State State     `json:"state"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

// EffectName names one act on the world: it happens at most once.
type EffectName struct {
	Case    string `json:"case"`
	Step    string `json:"step"`
	Attempt int    `json:"attempt"` // from 1
}

// EffectState is what is known about an effect.
type EffectState string

// Effect states.
const (
	EffectIntended EffectState = "intended" // on disk, outcome not known
	EffectDone     EffectState = "done"
	EffectFailed   EffectState = "failed"   // certainly did not (wholly) happen
	EffectNotSent  EffectState = "not-sent" // certainly nothing happened: may be tried again
	EffectUnknown  EffectState = "unknown"  // a person must look
)

// Effect is one act with its intent and outcome.
type Effect struct {
	EffectName
	Kind     string            `json:"kind"` // chooses the settler: "print-document", "print-receipt"
	State    EffectState       `json:"state"`
	Intent   json.RawMessage   `json:"intent,omitempty"` // no personal data
	Notes    map[string]string `json:"notes,omitempty"`  // facts persisted between intent and outcome ("job-id")
	Detail   string            `json:"detail,omitempty"`
	Number   string            `json:"number,omitempty"`
	Settled  bool              `json:"settled,omitempty"` // outcome found out after a restart
	Intended time.Time         `json:"intended"`
	Ended    time.Time         `json:"ended,omitzero"`
}

// Intent is what is about to be done.
type Intent struct {
	EffectName
	Kind string
	Body any   // JSON, no personal data
	Case State // the case's state while it is being done ("" leaves it)
}

// Outcome is what came of it.
type Outcome struct {
	State  EffectState
	Detail string // ASCII, no personal data
	Number string
	Case   State  // the case's state afterwards ("" leaves it)
	Why    string // why the case has this state
	// Also runs in the same transaction, which may come after Do has returned [ErrFull], for whatever belongs together with the outcome; may be nil.
	Also func(tx *Tx) error
}

// A Settler finds out, after a restart, what became of an effect of its kind: by asking, never by acting.
type Settler func(ctx context.Context, e Effect) Outcome

// Settled is one effect's classification at boot.
type Settled struct {
	Effect  Effect
	Outcome EffectState
	Case    State
}

// LaneStatus is one lane at a glance.
type LaneStatus struct {
	Lane      wire.Lane `json:"lane"`
	Epoch     uint32    `json:"epoch"`
	Head      uint64    `json:"head"` // last sequence written
	HeadHash  wire.Hash `json:"head_hash"`
	Acked     uint64    `json:"acked"` // last sequence acknowledged
	AckedHash wire.Hash `json:"acked_hash"`
	Waiting   uint64    `json:"waiting"`
	Oldest    time.Time `json:"oldest,omitzero"` // wall time of the oldest waiting record
}

// VerifyReport is what [Journal.Verify] counted.
type VerifyReport struct {
	Cases, Effects, Records, AuditEntries int
	Unsettled                             int // effects intended and not settled
	Problems                              []string
}

/*
The methods, in one place (bodies are in the files of their concern):

	func Open(path string, opt Options) (*Journal, error)
	func (j *Journal) Close() error
	func Recover(ctx context.Context, path string, opt Options) (Recovered, error)      a new database from the spill
	func Salvage(path string, each func(wire.SealedRecord) error) (left int, err error) what waits, without the key file
	func (j *Journal) Update(fn func(tx *Tx) error) error        one bbolt transaction, fsynced
	func (j *Journal) Changed() <-chan struct{}                  closed after the next committed Update

	func (tx *Tx) OpenCase(n NewCase) (Case, error)              case + record case.opened + audit
	func (tx *Tx) AdoptCase(l wire.Lease) (Case, error)          a case begun elsewhere goes on here under a lease
	func (tx *Tx) SetState(caseID string, to State, why string) error   checks the transition; record case.state
	func (tx *Tx) RecordStep(caseID, step string, result any) error
	func (tx *Tx) Seal(caseID, name string, value []byte) error  sealed personal value, ≤ 64 KiB
	func (tx *Tx) KeepBlob(caseID, name string, h wire.Hash) error      a blob belongs to the case (kept sealed until shredded)
	func (tx *Tx) UploadBlob(caseID string, h wire.Hash) error   and goes to the platform
	func (tx *Tx) Emit(lane wire.Lane, caseID, typ string, schema int, body any) (recordID string, err error)
	func (tx *Tx) Audit(event Event, who string, fields map[string]string) error    refuses what the catalogue does not hold
	func (tx *Tx) Decide(caseID string, d Decision, path []State, judge Judgement, note []byte) (Case, error)    a person's decision
	func (tx *Tx) Tell(t wire.Telemetry) error                   telemetry: a ring, no promise
	func (tx *Tx) SetMeta(key string, value []byte) error

	func (j *Journal) Do(ctx context.Context, in Intent, act func(ctx context.Context, note func(k, v string) error) Outcome) (Effect, error)
	func (j *Journal) Settle(ctx context.Context, by map[string]Settler) ([]Settled, error)
	func (j *Journal) Resettle(ctx context.Context, kind string, ask Settler) ([]Settled, error)   what stayed unknown

	func (j *Journal) Case(id string) (Case, error)
	func (j *Journal) CaseByReceipt(code string) (Case, error)
	func (j *Journal) Cases(match func(Case) bool) ([]Case, error)      oldest first; nil matches all
	func (j *Journal) Effects(caseID string) ([]Effect, error)
	func (j *Journal) Sealed(caseID, name string) ([]byte, error)
	func (j *Journal) Shred(caseID string) error                 destroys the key to the case's sealed values and blobs
	func (j *Journal) PutBlob(data []byte) (wire.Hash, error)    sealed file, fsynced; call before the Update that refers to it
	func (j *Journal) Blob(h wire.Hash) ([]byte, error)
	func (j *Journal) CaseBlob(caseID, name string) ([]byte, error)
	func (j *Journal) Meta(key string) ([]byte, error)

	func (j *Journal) Note(caseID, decision string) ([]byte, error)
	func (j *Journal) SignHead(why string, sign func([]byte) ([]byte, error)) (wire.AuditHead, error)
	func (j *Journal) AuditAck() (wire.Ack, error)
	func (j *Journal) VerifyAudit(ctx context.Context, signed func(wire.AuditHead) error, claims []wire.Claim) (AuditReport, error)

	func (j *Journal) Lanes() ([]LaneStatus, error)
	func (j *Journal) Pending(lane wire.Lane, records, bytes int) ([]wire.Record, error)   after the acked one, bodies opened
	func (j *Journal) HashAt(lane wire.Lane, seq uint64) (wire.Hash, error)
	func (j *Journal) Acked(a wire.Ack) error                    ErrFork when our hash at High differs
	func (j *Journal) Rewind(lane wire.Lane, p wire.LanePoint) error    the platform is behind: send again from there
	func (j *Journal) NewEpochAfter(epoch uint32, want []wire.Place) error    and what the platform lost again
	func (j *Journal) NewEpochForked(epoch uint32, want []wire.Place, held map[wire.Lane]uint64) error    and told how far another history goes
	func (j *Journal) NewEpoch(epoch uint32) error               unsent records are chained anew, ids kept
	func (j *Journal) PendingBlobs() ([]wire.Hash, error)
	func (j *Journal) BlobSent(h wire.Hash) error
	func (j *Journal) CaseAcked(caseID string) (bool, error)     all records of the case acknowledged
	func (j *Journal) SetClockOffset(d time.Duration)           the platform's clock minus the machine's, as estimated
	func (j *Journal) TrustTime(signed time.Time) error         and what time it is, as the platform signed it: corrects what is written from then on
	func (j *Journal) TrustFloor(signed time.Time) error        a time that was signed some time ago: it is not before that
	func (j *Journal) ConfirmTime(who string, watch time.Time) error    a person says that the machine's clock is right
	func (j *Journal) ClockUnsure() bool                        until then, when the machine's clock contradicts what is known
	func (j *Journal) Now() time.Time                           the best that is known
	func (j *Journal) Known() time.Time                         the latest time that was signed
	func (j *Journal) Certain() time.Time                       now, or Known while the clock is unsure
	func (j *Journal) SealTo(public []byte) error               the platform's X25519 key: data keys are sealed to it too
	func (j *Journal) SealedCopies(lane wire.Lane, after uint64, most int) ([]wire.SealedRecord, error)   only the platform opens them
	func (j *Journal) BackedUp(lane wire.Lane, epoch uint32, p wire.LanePoint) error    its backup holds a lane up to here
	func (j *Journal) DropBlob(caseID, name string) error        a printed certificate's file goes
	func (j *Journal) Trim(before time.Time) (records, cases int, err error)   forgets what was acknowledged and shredded long ago
	func (j *Journal) Told(most int) ([]wire.Sample, error)      and Forget(seq), once it was sent
	func (j *Journal) Compact() (before, after int64, err error) Trim does it when most of a big file is free
	func (j *Journal) Full() bool                                new business would eat into the reserve
	func (j *Journal) Size() (used, quota int64)
	func (j *Journal) Gauge() (Gauge, error)                     what waits and what room there is, for telemetry

	func (j *Journal) Range(epoch uint32, lane wire.Lane, from, to uint64, records, bytes int) (…)   what lies here, acknowledged or not
	func (j *Journal) Past(most int) ([]wire.Place, error)       the last acknowledged record of every lane and epoch
	func (j *Journal) Left() ([]wire.Left, error)                where the lanes ended in the epochs before this one

	func (tx *Tx) LoadStock(kind string, n int, by string) (wire.StockBalance, error)    and CountStock, CloseShift
	func (tx *Tx) ReserveStock(caseID string, want map[string]int, until time.Time) error    all or none; FreeStock gives back
	func (tx *Tx) MoveBlank(kind, id string, to wire.BlankState, m BlankMove) (Blank, error)    before the motor
	func (tx *Tx) DoubtStock() ([]Blank, error)                  after a restart: what was under way
	func (tx *Tx) EndShift(by string, waits func(Case) bool) (Shift, error)  of all that is counted; PrintShift and ShiftPrinted for its slip, Shifts lists
	func (tx *Tx) UseStockOf(caseID, kind string, n int, to wire.BlankState) error    paper and ribbon, with the outcome of a print
	func (j *Journal) HoldStock(kind string, says Says) (string, error)    a machine's own counters beside the ledger; and Fitting
	func (j *Journal) Blanks(match func(Blank) bool) ([]Blank, error)    and StockBalance

	func (tx *Tx) TakeOrder(m wire.Message) (bool, error)        keeps a message of the platform until it is done
	func (tx *Tx) EndOrder(id string, r wire.OrderResult) error  its one result, for the platform
	func (j *Journal) Orders() ([]Order, error)                  those that wait

	func (j *Journal) Verify(ctx context.Context) (VerifyReport, error)  chains, ledgers, sealed values, bbolt pages
*/
