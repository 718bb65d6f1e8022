package wire

// Counted stock: blank cards and what is used up with them. Every blank is in exactly one state; what a terminal was loaded with
// is always what became of it.

import (
	"fmt"
	"time"
)

// TypeStock is the record of a change of counted stock; body StockMove, lane pay.
const TypeStock = "stock"

// BlankState is where one blank stands.
type BlankState string

// Blank states.
const (
	BlankReserved  BlankState = "reserved"  // set aside for a case; its number is not known yet
	BlankDrawn     BlankState = "drawn"     // the dispenser was told to give it out
	BlankBound     BlankState = "bound"     // its number was read; it belongs to the case
	BlankSent      BlankState = "sent"      // the printer was told to print on it
	BlankPresented BlankState = "presented" // it lies in the mouth
	BlankTaken     BlankState = "taken"     // the citizen has it
	BlankSpoiled   BlankState = "spoiled"   // nobody can use it
	BlankRetained  BlankState = "retained"  // it was not taken and is kept in the bin
	BlankDoubt     BlankState = "in-doubt"  // a person looks where it is
	BlankBack      BlankState = "back"      // set aside in vain: it is stock again
)

// blankMoves is what may follow what.
var blankMoves = map[BlankState][]BlankState{
	BlankReserved:  {BlankDrawn, BlankBound, BlankBack, BlankSpoiled},
	BlankDrawn:     {BlankBound, BlankSpoiled, BlankRetained, BlankDoubt, BlankBack}, // back: the dispenser certainly refused
	BlankBound:     {BlankSent, BlankSpoiled, BlankDoubt},
	BlankSent:      {BlankPresented, BlankSpoiled, BlankRetained, BlankDoubt},
	BlankPresented: {BlankTaken, BlankRetained, BlankDoubt},
	BlankRetained:  {BlankTaken, BlankSpoiled},
	BlankDoubt:     {BlankTaken, BlankSpoiled, BlankRetained, BlankBack},
	BlankTaken:     {},
	BlankSpoiled:   {},
	BlankBack:      {},
}

// Known says whether the table has the state.
func (s BlankState) Known() bool { _, ok := blankMoves[s]; return ok }

// May says whether another state may follow.
func (s BlankState) May(to BlankState) bool {
	for _, n := range blankMoves[s] {
		if n == to {
			return true
		}
	}
	return false
}

// Persons is how many people a move needs: two where one of them alone says what became of a blank.
func (s BlankState) Persons(to BlankState) int {
	if s == BlankDoubt || s == BlankRetained {
		return 2
	}
	return 0
}

// StockBalance is what became of what a terminal was loaded with, since the shift began.
type StockBalance struct {
	Loaded    uint64 `json:"loaded"`
	Remaining uint64 `json:"remaining"` // free for a case
	Reserved  uint64 `json:"reserved"`  // reserved, drawn, bound, sent and presented: under way
	Issued    uint64 `json:"issued"`
	Spoiled   uint64 `json:"spoiled"`
	Retained  uint64 `json:"retained"`
	InDoubt   uint64 `json:"in_doubt"`
}

// Check says that the sums agree.
func (b StockBalance) Check() error {
	if sum := b.Issued + b.Spoiled + b.Retained + b.InDoubt + b.Reserved + b.Remaining; sum != b.Loaded {
		return fmt.Errorf("loaded %d, accounted for %d", b.Loaded, sum)
	}
	return nil
}

// StockMove is one change of counted stock: of one blank, or of the whole (ID ""): why says loaded, removed,
// counted, shift or, of a ribbon, used.
type StockMove struct {
	Kind    string       `json:"kind"`             // "card", "ribbon"
	ID      string       `json:"id,omitempty"`     // of the blank at the terminal
	Number  string       `json:"number,omitempty"` // printed on the blank, once it is known
	From    BlankState   `json:"from,omitempty"`   // "" for one that was stock until now
	To      BlankState   `json:"to,omitempty"`
	Why     string       `json:"why,omitempty"`
	By      string       `json:"by,omitempty"` // operator
	Second  string       `json:"second,omitempty"`
	Balance StockBalance `json:"balance"` // after the change
	At      time.Time    `json:"at"`
}
