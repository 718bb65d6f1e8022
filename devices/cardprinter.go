package devices

// The card printer: one blank card, one side, printed at most once.

import (
	"context"
	"image"
)

// A card's face (ISO/IEC 7810 ID-1, 85.6 × 54 mm) at 300 dots an inch, lying.
const (
	CardWidth  = 1013 // dots
	CardHeight = 638  // dots
	CardDPI    = 300
)

// A CardJob is one face to print on one blank.
type CardJob struct {
	// Name is unique for ever (the effect's name) and becomes the printer's job-name: by it the job is found again. No person's
	// name or number belongs in it.
	Name string
	// Face has exactly [CardWidth] × [CardHeight] dots, the card lying and read from left to right. It is what comes on the card,
	// dot for dot: the printer neither scales nor crops. An *image.Gray is printed without colour.
	Face image.Image
	// Note persists a fact before the next act ("job-id"="17"). An error from it stops the job before any data is sent.
	Note func(key, value string) error
	// Hindered is called when the printer says what keeps this job from going on, and with [UnreadyNot] when it goes on
	// again; may be nil.
	Hindered func(why Unready)
}

// CardSupplies is what a card printer says of blanks, ribbon and exit. They are sensors and counters of the device: how many
// blanks there are, and which, is the ledger's (sync/journal).
type CardSupplies struct {
	Ribbon     Supply `json:"ribbon"`      // SupplyFull (enough), SupplyLow, SupplyOut
	RibbonLeft int    `json:"ribbon_left"` // faces that it still prints, -1 where the printer does not say
	Hopper     Supply `json:"hopper"`      // of blanks: SupplyFull (enough), SupplyLow, SupplyOut, SupplyJammed
	HopperLeft int    `json:"hopper_left"` // blanks, -1 where the printer does not say
	// Exit is MediaPresent while a card lies at the exit, MediaNotSupported where the printer cannot tell.
	Exit Media `json:"exit"`
	// Printed is the printer's own counter of faces ever printed, -1 where it has none.
	Printed int `json:"printed"`
}

// A CardPrinter prints blank cards from its own hopper. The number of the blank is read before (by the dispenser, or by a person
// who loads a range), and the ledger has it, before Print is called.
//
// What a [PrintResult] means for the blank:
//
//	PrintNotSent    no card was fed for this job, and none will be
//	PrintConfirmed  one card was printed; its counter, where it has one, went on by exactly one
//	PrintFailed     no whole card came of it; the blank that was fed, if one was, is spoiled
//	PrintUnknown    a card may have been printed: the blank is in doubt until a person looked
//
// Output of the result is MediaPresent while the card lies at the exit.
type CardPrinter interface {
	Device
	// Supplies asks the sensors and counters. It returns [ErrNoDevice], [ErrSilent] or [ErrProtocol]; it moves nothing.
	Supplies(ctx context.Context) (CardSupplies, error)
	// Print creates the job under its name, notes the printer's job id, sends the face once and waits until the job is settled. A
	// name that the printer already has is never sent again: Print then settles instead. A card that lies at the exit is somebody's:
	// the result is PrintNotSent with Output MediaPresent. When ctx ends after the face went out, the result is PrintUnknown, unless
	// the printer says what became of it.
	Print(ctx context.Context, job CardJob) PrintResult
	// Settle asks the printer what became of an earlier job, by its name and by the noted facts. It prints nothing and feeds nothing.
	Settle(ctx context.Context, name string, notes map[string]string) PrintResult
}
