package devices

import (
	"context"

	"github.com/budayang/kiosk/slip"
)

// PrintOutcome is the honest answer to "did it print?".
type PrintOutcome string

// Print outcomes. Only NotSent may be tried again without a person.
const (
	// PrintNotSent: not one byte of the job reached the printer.
	PrintNotSent PrintOutcome = "not-sent"
	// PrintConfirmed: the printer itself said that this very job is on paper.
	PrintConfirmed PrintOutcome = "confirmed"
	// PrintFailed: the printer said that this job is not (wholly) on paper and will not be.
	PrintFailed PrintOutcome = "failed"
	// PrintUnknown: bytes went out and nobody can say what became of them. A person looks.
	PrintUnknown PrintOutcome = "unknown"
)

// PrintResult is what became of one job.
type PrintResult struct {
	Outcome PrintOutcome `json:"outcome"`
	// By says how a confirmation was had: "process-id", "fence", "ipp".
	By string `json:"by,omitempty"`
	// Why is the stable word for what went wrong, if anything did.
	Why Unready `json:"why,omitempty"`
	// Sheets on paper, as far as the printer counts; -1 when it does not.
	Sheets int `json:"sheets"`
	// Output is the paper at the mouth afterwards: MediaPresent until it is taken, where the head can tell.
	Output Media `json:"output,omitempty"`
	// Detail is for the technician, ASCII, without personal data.
	Detail string `json:"detail,omitempty"`
}

// A ReceiptJob is one slip to print. ID is unique for ever (the effect's name); heads with a process id echo a number
// derived from it.
type ReceiptJob struct {
	ID   string
	Slip slip.Slip
}

// A ReceiptPrinter prints slips.
type ReceiptPrinter interface {
	Device
	// Print prints one slip, cuts and presents it, and waits for the honest answer. ctx bounds the wait; when it ends
	// after the first byte the result is PrintUnknown. Print never sends a job twice.
	Print(ctx context.Context, job ReceiptJob) PrintResult
	// Settle says what became of a job sent before a restart. Most heads forget: PrintUnknown.
	Settle(ctx context.Context, id string) PrintResult
	// Output tells whether a slip is still at the mouth; MediaNotSupported where the head cannot tell.
	Output(ctx context.Context) (Media, error)
}

// A DocumentJob is one issued document to print, byte for byte.
type DocumentJob struct {
	// Name is unique for ever (the effect's name) and becomes the printer's job-name: by it the job is found again.
	Name string
	// PDF is exactly what the platform issued, already verified.
	PDF []byte
	// Sheets is how many impressions a complete print has.
	Sheets int
	// Note persists a fact before the next act ("job-id"="17"). An error from it stops the job before any data is sent.
	Note func(key, value string) error
	// Progress is called with sheets done so far; may be nil.
	Progress func(sheets int)
	// Hindered is called when the printer says what keeps this job from going on, and with [UnreadyNot] when it goes on
	// again (paper was refilled), so that whoever waits can be told; may be nil.
	Hindered func(why Unready)
}

// A DocumentPrinter prints whole documents on cut sheets.
type DocumentPrinter interface {
	Device
	// Print creates the job under its name, notes the printer's job id, sends the document and waits until the job is
	// settled. A name that the printer already has is never sent again: Print then settles instead.
	Print(ctx context.Context, job DocumentJob) PrintResult
	// Settle looks the job up by name, and by the noted facts, and says what became of it. sheets as in the job.
	// It sends nothing to print.
	Settle(ctx context.Context, name string, sheets int, notes map[string]string) PrintResult
}
