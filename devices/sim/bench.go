package sim

// The bench: a reader, three printers and the cabinet, steered by name.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// BenchOptions of [StartBench].
type BenchOptions struct {
	// Dir holds the links of the serial lines and the control socket; "" makes a temporary one, removed by Close.
	Dir string
	// Out receives what is printed: receipt-NN.png, certificate-NN.pdf, card-NN.png. It fills in for the printers' own Dir.
	Out         string
	Cards       []Card // that can be put down; nil is [SampleCards]
	Reader      ReaderOptions
	Receipt     ReceiptOptions
	Document    DocumentOptions
	CardPrinter CardPrinterOptions
	Cabinet     IOBoardOptions
	// NoSocket leaves the control socket out.
	NoSocket bool
}

// Bench is a table with a reader and three printers on it, in a cabinet with a door and lamps. Its methods may be called from any goroutine.
type Bench struct {
	Reader      *IDReader
	Receipt     *ReceiptPrinter
	Document    *DocumentPrinter
	CardPrinter *CardPrinter
	Cabinet     *IOBoard

	cards   []Card
	own     string
	control *control
	socket  string
}

// SocketName is the control socket in a bench's directory.
const SocketName = "sim.sock"

// StartBench switches everything on.
func StartBench(opt BenchOptions) (b *Bench, err error) {
	b = &Bench{cards: opt.Cards}
	if b.cards == nil {
		b.cards = SampleCards()
	}
	defer func() {
		if err != nil {
			_ = b.Close()
		}
	}()
	if opt.Dir == "" {
		if b.own, err = os.MkdirTemp("", "budayang-sim-"); err != nil {
			return b, fmt.Errorf("sim: %w", err)
		}
		opt.Dir = b.own
	} else if err = os.MkdirAll(opt.Dir, 0o755); err != nil {
		return b, fmt.Errorf("sim: %w", err)
	}
	for _, dir := range []*string{&opt.Reader.Line.Dir, &opt.Receipt.Line.Dir, &opt.Cabinet.Line.Dir} {
		if *dir == "" {
			*dir = opt.Dir
		}
	}
	for _, dir := range []*string{&opt.Receipt.Dir, &opt.Document.Dir, &opt.CardPrinter.Dir} {
		if *dir == "" {
			*dir = opt.Out
		}
	}
	if b.Reader, err = StartIDReader(opt.Reader); err != nil {
		return b, err
	}
	if b.Receipt, err = StartReceiptPrinter(opt.Receipt); err != nil {
		return b, err
	}
	if b.Document, err = StartDocumentPrinter(opt.Document); err != nil {
		return b, err
	}
	if b.CardPrinter, err = StartCardPrinter(opt.CardPrinter); err != nil {
		return b, err
	}
	opt.Cabinet.Door = true
	if b.Cabinet, err = StartIOBoard(opt.Cabinet); err != nil {
		return b, err
	}
	if opt.NoSocket {
		return b, nil
	}
	b.socket = filepath.Join(opt.Dir, SocketName)
	b.control, err = listenControl(b.socket, b)
	return b, err
}

// Close switches everything off and waits for all goroutines.
func (b *Bench) Close() error {
	var all []error
	if b.control != nil {
		all = append(all, b.control.close())
	}
	if b.Reader != nil {
		all = append(all, b.Reader.Close())
	}
	if b.Receipt != nil {
		all = append(all, b.Receipt.Close())
	}
	if b.Document != nil {
		all = append(all, b.Document.Close())
	}
	if b.CardPrinter != nil {
		all = append(all, b.CardPrinter.Close())
	}
	if b.Cabinet != nil {
		all = append(all, b.Cabinet.Close())
	}
	if b.own != "" {
		all = append(all, os.RemoveAll(b.own))
	}
	return errors.Join(all...)
}

// Socket is the control socket's path for [Dial], "" without one.
func (b *Bench) Socket() string { return b.socket }

// URIs of the devices, by name.
func (b *Bench) URIs() map[string]string {
	return map[string]string{DeviceIDReader: b.Reader.URI(), DeviceReceiptPrinter: b.Receipt.URI(), DeviceDocumentPrinter: b.Document.URI(),
		DeviceCardPrinter: b.CardPrinter.URI(), DeviceIOBoard: b.Cabinet.URI()}
}

// Cards are the names that PutCard takes.
func (b *Bench) Cards() []string {
	names := make([]string, len(b.cards))
	for i, c := range b.cards {
		names[i] = c.Label()
	}
	return names
}

// PutCard lays a card down, by name or index.
func (b *Bench) PutCard(name string) error {
	c, err := FindCard(b.cards, name)
	if err != nil {
		return err
	}
	return b.Reader.PutCard(c)
}

// TakeCard takes the card away.
func (b *Bench) TakeCard() error {
	b.Reader.TakeCard()
	return nil
}

// TakeOutput takes what lies at the printers.
func (b *Bench) TakeOutput() error {
	b.Receipt.Take()
	b.CardPrinter.Take()
	b.Document.Take()
	return nil
}

// device is what all have in common.
type device interface {
	Fault(name, value string) error
	Clear(name string) error
}

func (b *Bench) device(name string) (device, error) {
	switch name {
	case DeviceIDReader:
		return b.Reader, nil
	case DeviceReceiptPrinter:
		return b.Receipt, nil
	case DeviceDocumentPrinter:
		return b.Document, nil
	case DeviceCardPrinter:
		return b.CardPrinter, nil
	case DeviceIOBoard:
		return b.Cabinet, nil
	}
	return nil, fmt.Errorf("%w: device %q; there are %s", ErrUnknown, name, strings.Join(Devices(), ", "))
}

// Fault breaks a device; value "" takes the fault's default.
func (b *Bench) Fault(device, name, value string) error {
	d, err := b.device(device)
	if err != nil {
		return err
	}
	return d.Fault(name, value)
}

// Clear mends everything at a device, or at all for "".
func (b *Bench) Clear(device string) error { return b.ClearFault(device, "") }

// ClearFault mends one fault of a device, or all for "".
func (b *Bench) ClearFault(device, name string) error {
	if device == "" && name == "" {
		return errors.Join(b.Reader.Clear(""), b.Receipt.Clear(""), b.Document.Clear(""), b.CardPrinter.Clear(""), b.Cabinet.Clear(""))
	}
	d, err := b.device(device)
	if err != nil {
		return err
	}
	return d.Clear(name)
}

// State is everything that can be seen.
type State struct {
	Reader      ReaderState      `json:"id-reader"`
	Receipt     ReceiptState     `json:"receipt-printer"`
	Document    DocumentState    `json:"document-printer"`
	CardPrinter CardPrinterState `json:"card-printer"`
	Cabinet     IOBoardState     `json:"door"`
	Slips       []Paper          `json:"slips,omitempty"`
	Documents   []Paper          `json:"documents,omitempty"`
	Cards       []Paper          `json:"cards,omitempty"`
}

// State tells how everything is.
func (b *Bench) State() (State, error) {
	return State{Reader: b.Reader.State(), Receipt: b.Receipt.State(), Document: b.Document.State(), CardPrinter: b.CardPrinter.State(), Cabinet: b.Cabinet.State(),
		Slips: b.Receipt.Slips(), Documents: b.Document.Documents(), Cards: b.CardPrinter.Cards()}, nil
}
