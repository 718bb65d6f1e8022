package devices

// The card dispenser: blank stock that is counted.

import "context"

// CardPosition is where the one card in a dispenser's path stands.
type CardPosition string

// Card positions.
const (
	CardNone    CardPosition = "none"    // the path is empty
	CardReader  CardPosition = "reader"  // inside, where it is read or written; nobody can take it
	CardMouth   CardPosition = "mouth"   // held at the opening; a person can take it
	CardBetween CardPosition = "between" // in the path, at no position with a name
	CardUnknown CardPosition = "unknown" // the device could not be asked
)

// CardAct is what a motor is told to do.
type CardAct string

// Card acts.
const (
	CardDispense CardAct = "dispense" // one card leaves the hopper for CardReader or CardMouth
	CardEject    CardAct = "eject"    // the card in the path goes to the mouth
	CardRetain   CardAct = "retain"   // the card in the path goes to the retain bin
)

// MoveOutcome is the honest answer to "did it move?".
type MoveOutcome string

// Move outcomes. Only NotDone may be tried again without a person.
const (
	// MoveDone: the card stands where it was sent, or it was seen on its way, the device says that it arrived, and it could
	// be taken meanwhile.
	MoveDone MoveOutcome = "done"
	// MoveNotDone: no card moved for this act, and none will.
	MoveNotDone MoveOutcome = "not-done"
	// MoveUnknown: a card may have moved. It counts as in doubt until a person looked into hopper, path and bin.
	MoveUnknown MoveOutcome = "unknown"
)

// A CardMove is one act of the motors. It is plain data but for Began, so that an effect can keep it.
type CardMove struct {
	Act CardAct      `json:"act"`
	To  CardPosition `json:"to,omitempty"` // of a dispense: CardReader or CardMouth
	// From is where the card stood when the command was about to go out, as handed to Began. [CardDispenser.Settle] needs
	// it; empty means that nothing was ever sent.
	From CardPosition `json:"from,omitempty"`
	// Began persists From before the first byte of the command is sent. An error from it stops the act; may be nil.
	Began func(from CardPosition) error `json:"-"`
}

// A MoveResult is what became of one act.
type MoveResult struct {
	Outcome MoveOutcome `json:"outcome"`
	// At is where the card stands afterwards, as far as the device could be asked.
	At CardPosition `json:"at"`
	// Why is the stable word for what keeps the act from being done, if a status word fits.
	Why Unready `json:"why,omitempty"`
	// Detail is for the technician, ASCII, without a card's number.
	Detail string `json:"detail,omitempty"`
}

// CardStock is what the dispenser's sensors say. They see levels, never numbers: the count is the ledger's.
type CardStock struct {
	At     CardPosition `json:"at"`
	Hopper Supply       `json:"hopper"` // SupplyFull (enough), SupplyLow, SupplyOut
	Bin    Supply       `json:"bin"`    // the retain bin; SupplyFull means that nothing more fits
	// Retained is the device's own counter of the bin, -1 where it has none.
	Retained int `json:"retained"`
}

// A CardDispenser hands out blank cards. Only one card is ever in its path. Stock that is counted never moves by itself:
// opening, probing and asking move nothing, and no act is ever sent twice.
type CardDispenser interface {
	Device
	// Stock asks the sensors. It returns [ErrNoDevice], [ErrSilent] or [ErrProtocol].
	Stock(ctx context.Context) (CardStock, error)
	// Move does one act, after the sensors said that it can be done: a dispense wants an empty path and a hopper that is not
	// empty, eject and retain want a card in the path, retain wants room in the bin. Otherwise it is MoveNotDone and
	// nothing was sent. When ctx ends after the command went out, the result is MoveUnknown.
	Move(ctx context.Context, m CardMove) MoveResult
	// Settle says what became of an act whose end was not seen (power cut, restart), by asking the sensors only. It must be
	// called before any other act. A move without From was never sent: MoveNotDone.
	Settle(ctx context.Context, m CardMove) MoveResult
}

// A CardNumberReader is a dispenser that can tell the number of the card at its reader.
type CardNumberReader interface {
	// CardNumber reads the number of the card's chip, hexadecimal. It moves nothing. It returns [ErrCardUnreadable] when no
	// card at the reader answers. The number may come to belong to a person: it is not for logs.
	CardNumber(ctx context.Context) (string, error)
}
