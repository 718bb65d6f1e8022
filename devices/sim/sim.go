// Package sim is the other side of the bus: peripherals that speak the wire, for `kiosk sim`, `kiosk demo`, journeys and
// tests. A simulator takes the place of a device, never of a driver, and shares no protocol code with one; what it says
// comes from the byte tables of the protocols.
//
// Five devices stand on the [Bench]: an [IDReader] (a SAM module and the cards that are put on it), a [ReceiptPrinter] (an
// ESC/POS head that draws what it is sent and cuts slips), a [DocumentPrinter] (an IPP printer that keeps what it printed)
// a [CardPrinter] (the same with a hopper of blanks, a ribbon and an exit); and an [IOBoard] with the cabinet's door. The first two hang on a pseudo-terminal, whose name is a link that stays valid when the plug is pulled and put back, or on
// TCP; their lines are paced like a UART.
//
//	reader, err := sim.StartIDReader(sim.ReaderOptions{})
//	defer reader.Close()
//	open(reader.URI())                      // "serial:/tmp/…/id-reader?baud=115200"
//	reader.PutCard(sim.SampleCards()[1])
//	reader.Fault("read-fails", "2")         // the card moves twice, then it reads
//
// A [CodeScanner], a [UPS], a [Camera] and a [USBCamera] stand by themselves, beside the bench.
//
// Every device can be broken while it runs: [Faults] lists how, and the names are stable. [Bench] holds them, lets
// them be steered by name, and offers the same over a UNIX socket to a [Client] in another process.
//
// All people on the cards are synthetic: district 990000 does not exist.
package sim

import (
	"errors"
	"time"
)

// Errors of this package.
var (
	// ErrUnknown: no such card, device, fault or command; the text lists what exists.
	ErrUnknown = errors.New("sim: unknown name")
	// ErrValue: a fault's value is not a number in its range, or a card's field does not fit its record.
	ErrValue = errors.New("sim: value does not fit")
	// ErrClosed: the simulator was closed.
	ErrClosed = errors.New("sim: closed")
)

// keep bounds how many finished papers a printer remembers; files in a directory are all kept.
const keep = 100

// Paper is one piece of paper that came out of a printer.
type Paper struct {
	N    int       `json:"n"`              // counts from 1
	At   time.Time `json:"at"`             // when it came out
	File string    `json:"file,omitempty"` // base name in the output directory, "" without one
	// Text is a slip's transcript; it may hold personal data of the synthetic person.
	Text string `json:"text,omitempty"`
	// Length of a slip in dots, Pages of a document.
	Length int `json:"length,omitempty"`
	Pages  int `json:"pages,omitempty"`
	// Data is the slip's PNG or the document's PDF.
	Data []byte `json:"-"`
}
