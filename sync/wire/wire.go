// Package wire is the contract between a terminal and the city's platform: what travels, how it is chained and signed,
// and where it is sent. It holds types and pure functions only; docs/protocol.md explains it to an integrator.
//
// # Records
//
// A terminal writes what happened as records in lanes. A lane is a contiguous sequence with its own hash chain, so that
// the platform can apply every record exactly once and both sides can prove what the other holds. The chain covers a
// salted hash of the body, not the body: a body may be sealed at rest, and its key destroyed later, while the chain still
// verifies.
//
//	hash(r) = SHA-256(prev || encoding of r's header, which contains SHA-256(salt || body))
//
// # Batches and acks
//
// A batch is a contiguous run of one lane, signed by the terminal, valid over HTTPS and as a file. The ack names epoch,
// high-water sequence and the hash there: a terminal forgets a record only when its own hash at that place is the same.
package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the envelope's version; it never changes meaning.
const Version = 1

// Limits of the wire, enforced by both sides.
const (
	MaxBatchRecords = 200
	MaxBatchBytes   = 1 << 20  // plain JSON of one batch
	MaxRecordBody   = 64 << 10 // one body
	MaxBlobBytes    = 16 << 20
	MaxAnswerBytes  = 8 << 20 // any answer of the platform a terminal accepts
	MaxInboxWait    = 55 * time.Second
)

// A Lane orders records of one kind.
type Lane string

// Lanes in sending order. Tel is lossy and carries no promise.
const (
	LanePay   Lane = "pay"
	LaneCtl   Lane = "ctl"
	LaneTx    Lane = "tx"
	LaneAudit Lane = "audit"
	LaneTel   Lane = "tel"
)

// Lanes that are acknowledged, in sending order.
var Lanes = []Lane{LanePay, LaneCtl, LaneTx, LaneAudit}

// Hash is a SHA-256; in JSON 64 lower-case hex digits.
type Hash [32]byte

// MarshalText writes hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != 64 {
		return fmt.Errorf("hash: %d characters, expected 64 hex digits", len(b))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// String is hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Header is what a record says in the open.
type Header struct {
	V        int       `json:"v"`
	Terminal string    `json:"terminal"`
	Epoch    uint32    `json:"epoch"`
	Lane     Lane      `json:"lane"`
	Seq      uint64    `json:"seq"` // from 1, contiguous
	ID       string    `json:"id"`  // UUIDv7, unique for ever, kept through an epoch change
	Case     string    `json:"case,omitempty"`
	Lease    uint64    `json:"lease,omitempty"` // fencing token under which the case is held; 0 where it was begun
	Type     string    `json:"type"`            // "case.opened", "rating", …
	Schema   int       `json:"schema"`
	Wall     time.Time `json:"wall"`         // the terminal's clock, millisecond UTC; never used for order
	Mono     int64     `json:"mono_ms"`      // since boot
	Boot     string    `json:"boot"`         // boot id
	ClockOff int64     `json:"clock_off_ms"` // estimated platform clock minus wall
	// ClockUnsure: the terminal's clock contradicted what it knew of the time; wall is its best guess, and mono tells
	// by the audit event clock.set of the same boot what it was.
	ClockUnsure bool `json:"clock_unsure,omitempty"`
	BodyHash    Hash `json:"body_hash"` // SHA-256(salt || body)
	Prev        Hash `json:"prev"`      // hash of seq-1 in this lane and epoch; zero for seq 1 of any epoch, which begins a chain of its own
}

// Record is a header with its body.
type Record struct {
	Header
	Salt Hash            `json:"salt"`
	Body json.RawMessage `json:"body"`
}

// Hash chains the header: SHA-256 over prev and every other field, each length-prefixed in the order of the struct.
func (h Header) Hash() Hash {
	var b bytes.Buffer
	b.Write(h.Prev[:])
	str := func(s string) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(s)))
		b.WriteString(s)
	}
	num := func(n uint64) { _ = binary.Write(&b, binary.BigEndian, n) }
	num(uint64(h.V))
	str(h.Terminal)
	num(uint64(h.Epoch))
	str(string(h.Lane))
	num(h.Seq)
	str(h.ID)
	str(h.Case)
	str(h.Type)
	num(uint64(h.Schema))
	num(uint64(h.Wall.UnixMilli()))
	num(uint64(h.Mono))
	str(h.Boot)
	num(uint64(h.ClockOff))
	b.Write(h.BodyHash[:])
	if h.Lease > 0 {
		num(h.Lease) // at the end, and only when there is one: chains without leases hash as they always did
	}
	if h.ClockUnsure {
		str("clock_unsure") // likewise
	}
	return sha256.Sum256(b.Bytes())
}

// HashBody is what the header's BodyHash must be.
func HashBody(salt Hash, body []byte) Hash {
	d := sha256.New()
	d.Write(salt[:])
	d.Write(body)
	return Hash(d.Sum(nil))
}

// Check verifies one record against the hash before it.
func (r Record) Check(prev Hash) error {
	switch {
	case r.V != Version:
		return fmt.Errorf("record %s/%d: envelope version %d, expected %d", r.Lane, r.Seq, r.V, Version)
	case r.Prev != prev:
		return fmt.Errorf("record %s/%d: %w", r.Lane, r.Seq, ErrChain)
	case len(r.Body) > MaxRecordBody:
		return fmt.Errorf("record %s/%d: body of %d bytes, limit %d", r.Lane, r.Seq, len(r.Body), MaxRecordBody)
	case HashBody(r.Salt, r.Body) != r.BodyHash:
		return fmt.Errorf("record %s/%d: %w", r.Lane, r.Seq, ErrBody)
	}
	return nil
}

// Errors of checking.
var (
	ErrChain     = errors.New("hash chain does not continue")
	ErrBody      = errors.New("body does not match its hash")
	ErrSignature = errors.New("signature does not verify")
)

// Batch is a contiguous, signed run of one lane.
type Batch struct {
	V         int      `json:"v"`
	Terminal  string   `json:"terminal"`
	Epoch     uint32   `json:"epoch"`
	Lane      Lane     `json:"lane"`
	Records   []Record `json:"records"`
	Signature []byte   `json:"signature"` // by the terminal's key, in its profile, over SigningBytes
}

// SigningBytes covers the whole batch through its chain: place, first prev and last hash.
func (b Batch) SigningBytes() []byte {
	if len(b.Records) == 0 {
		return nil
	}
	first, last := b.Records[0].Header, b.Records[len(b.Records)-1].Header
	return fmt.Appendf(nil, "budayang-batch-v1\n%s\n%d\n%s\n%d\n%d\n%s\n%s\n",
		b.Terminal, b.Epoch, b.Lane, first.Seq, last.Seq, first.Prev, last.Hash())
}

// RecordOutcome is what the platform did with one record.
type RecordOutcome string

// Record outcomes. All three are final for the terminal.
const (
	Accepted    RecordOutcome = "accepted"
	Duplicate   RecordOutcome = "duplicate"   // held already, with the same hash or the same id
	Quarantined RecordOutcome = "quarantined" // held, but a person must look; Reason says why
)

// Outcome is one record's.
type Outcome struct {
	Seq    uint64        `json:"seq"`
	Status RecordOutcome `json:"status"`
	Reason string        `json:"reason,omitempty"`
}

// Ack answers a batch. Everything up to High is durable at the platform.
type Ack struct {
	Terminal  string    `json:"terminal"`
	Epoch     uint32    `json:"epoch"`
	Lane      Lane      `json:"lane"`
	High      uint64    `json:"high"`
	Hash      Hash      `json:"hash"` // the platform's hash at High
	Outcomes  []Outcome `json:"outcomes,omitempty"`
	Lacking   []Hash    `json:"lacking,omitempty"` // blobs of these records that the platform does not hold
	Time      time.Time `json:"time"`
	Signature []byte    `json:"signature"` // by the platform's key, over SigningBytes
}

// SigningBytes is what the platform signs, so that an ack is valid as a file too.
func (a Ack) SigningBytes() []byte {
	return fmt.Appendf(nil, "budayang-ack-v1\n%s\n%d\n%s\n%d\n%s\n", a.Terminal, a.Epoch, a.Lane, a.High, a.Hash)
}
