package platform

// The store port for records and what they tell. Lists are of one batch, so that a batch costs a handful of statements.

import "github.com/budayang/kiosk/sync/wire"

// RecordRows keeps records for ever.
type RecordRows interface {
	Lane(terminal string, lane wire.Lane) (LaneRow, error) // the zero row of epoch 1 when nothing came yet
	PutLane(terminal string, lane wire.Lane, r LaneRow) error

	// AddRecords keeps records, and says of each whether it did: a record whose id or whose place is held already, or
	// stands earlier in the list, is not added. One that is kept beside its lane has no place that could be held.
	AddRecords(rs []RecordRow) (added []bool, err error)
	RecordAt(terminal string, epoch uint32, lane wire.Lane, seq uint64) (RecordRow, error)
	// Known are the terminals of records, by id; one that is not held is not in it.
	Known(ids []string) (map[string]string, error)
	// CaseRecords are the accepted records of cases that tell of their states and effects, in no order.
	CaseRecords(cases []string) ([]RecordRow, error)
	// Held are the hashes at the places from first to last, both included; a place that holds nothing is not in it.
	Held(terminal string, epoch uint32, lane wire.Lane, first, last uint64) (map[uint64]wire.Hash, error)
}

// CaseRows keeps what records tell of cases. A list may name the same key twice; the later row is the later word.
type CaseRows interface {
	Case(id string) (CaseRow, error)
	PutCase(CaseRow) error
	Cases(newest int) ([]CaseRow, error)
	// CaseOwners are the terminals of cases; one that is not held is not in it.
	CaseOwners(ids []string) (map[string]string, error)

	// OpenCases sets who, where and what of cases and adds to Times; State and Updated count only for a case that is new,
	// because its later states may have come first, in another lane.
	OpenCases([]CaseRow) error
	// MoveCases sets State and Updated; the rest counts only for a case that is new.
	MoveCases([]CaseRow) error

	PutEffects([]EffectRow) error
	PutRatings([]RatingRow) error   // one that is held stays
	PutHotlines([]HotlineRow) error // one that is held stays
}
