// Package document prints issued documents on cut sheets, and faces on blank cards: PDF or PWG raster over IPP, spoken directly
// to the printer.
//
//	p, err := document.Open(ctx, "ipp://10.0.0.9/ipp/print", document.Options{})
//	res := p.Print(ctx, devices.DocumentJob{Name: "…", PDF: pdf, Sheets: 1, Note: note})
//	c, err := document.OpenCards(ctx, "ipp://10.0.0.10/ipp/print", document.Options{})
//	res = c.Print(ctx, devices.CardJob{Name: "…", Face: face, Note: note})
//
// A certificate must not be printed twice and must not be called printed when it is not, so the driver uses the parts of
// IPP/2.0 (RFC 8011, PWG 5100.12) that let a printer be asked, and trusts no queue in between: a spooler's "completed"
// only says that bytes were handed on. The order of acts is
//
//	Get-Jobs by name        a name that the printer has is never sent again, it is settled
//	Validate-Job            if the printer knows it
//	Get-Printer-Attributes  ready, accepting jobs, nothing queued, the right paper loaded
//	Create-Job              an empty job under our name, fidelity demanded
//	Note job-id, job-uuid   the caller's journal has them on disk
//	Send-Document           the only act that can bring paper out; once
//	Get-Job-Attributes      until the job is settled
//
// Because the note comes before the document, a job whose id was never noted was never sent. The answer is Confirmed only
// if the printer says "completed successfully", names no trouble, and counts exactly the expected impressions. What the
// printer cannot tell is Unknown, and a person looks.
//
// A card is a document of one sheet; its printer's counter is held against the answer as well (see card.go).
//
// The printer must advertise application/pdf (for cards image/pwg-raster), Create-Job, Send-Document, Get-Job-Attributes and Get-Jobs; other printers
// and CUPS queues (as far as they show that they are one) are [devices.ErrUnusable]. Job attributes carry no personal
// data: the user is "kiosk" and the job is named by the effect.
package document

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// A4 is the media a certificate is printed on (PWG 5101.1).
const A4 = "iso_a4_210x297mm"

// Options of [Open]. The zero value is an A4 printer on the terminal's own network.
type Options struct {
	// Media is the PWG name of the sheets; "" means [A4], and for cards what has their size.
	Media string
	// AnyTray does not refuse work because media-ready lacks Media: for printers that do not keep it true.
	AnyTray bool
	// AllowQueue accepts a CUPS queue. Its "completed" is not proof; the status says "cups-queue".
	AllowQueue bool
	// Pin is the SHA-256 of the printer's certificate in hexadecimal, for ipps. Printers sign their own certificates;
	// with a pin nothing else is checked, without one the system's authorities must vouch.
	Pin string
	// Status is told what the printer says of itself while a job is waited for; may be nil. It must not block.
	Status func(devices.Status)
	// Timeout bounds every request except Send-Document, which only the job's context bounds; 0 means 10 s.
	Timeout time.Duration
	// Poll is the time between two questions about a job; 0 means 500 ms.
	Poll time.Duration
	// EndWait is how long after the end of a job's context its cancelling may take; 0 means 3 s.
	EndWait time.Duration
}

// Printer is an open IPP printer. It implements [devices.DocumentPrinter].
type Printer struct {
	opt  Options
	at   target
	http *http.Client // keeps its connection between polls
	once *http.Client // a new connection for each request: a refused one proves that nothing was sent

	role   devices.Role
	format string   // of what is sent: a MIME type
	asks   []string // the attributes that say how the printer is

	version goipp.Version
	caps    capabilities
	request atomic.Uint32
	turn    chan struct{} // capacity 1: one Print or Settle at a time
	closed  context.Context
	close   context.CancelFunc
}

var _ devices.DocumentPrinter = (*Printer)(nil)

// capabilities are what the printer said at opening about what it can do.
type capabilities struct {
	validate, cancel bool
	whichAll         bool // Get-Jobs knows which-jobs=all
	copies, sides    bool
	unscaled         bool // print-scaling=none
	media            bool
}

// Open asks the printer at uri (ipp://host[:631]/path or ipps://…) what it is. Errors: [devices.ErrNoDevice] when nobody
// answers there, [devices.ErrSilent], [devices.ErrProtocol], and [devices.ErrUnusable] with the reason when it will
// never do.
func Open(ctx context.Context, uri string, opt Options) (*Printer, error) {
	if opt.Media == "" {
		opt.Media = A4
	}
	p, err := newPrinter(uri, opt)
	if err != nil {
		return nil, err
	}
	p.role, p.format, p.asks = devices.RoleDocumentPrinter, "application/pdf", reporting
	if _, err := p.introduce(ctx, describing, nil); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// newPrinter prepares the connection; nothing is asked yet.
func newPrinter(uri string, opt Options) (*Printer, error) {
	at, err := parseTarget(uri)
	if err != nil {
		return nil, err
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&opt.Timeout, 10 * time.Second}, {&opt.Poll, 500 * time.Millisecond}, {&opt.EndWait, 3 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	var conf *tls.Config
	if opt.Pin != "" && !at.secure {
		return nil, fmt.Errorf("%w: a pinned certificate needs an ipps:// address", devices.ErrUnusable)
	}
	if at.secure {
		if conf, err = tlsConfig(opt.Pin); err != nil {
			return nil, err
		}
	}
	p := &Printer{
		opt: opt, at: at, version: goipp.MakeVersion(2, 0),
		http: client(conf, false), once: client(conf, true),
		turn: make(chan struct{}, 1),
	}
	p.closed, p.close = context.WithCancel(context.Background())
	return p, nil
}

// introduce finds the version and what the printer can do, and refuses one that will not do. choose, which may be nil, may
// set the media by what is supported.
func (p *Printer) introduce(ctx context.Context, describing []string, choose func(attributes)) (attributes, error) {
	got, err := p.attributes(ctx, describing)
	var e *Error
	if errors.As(err, &e) && (e.Status == goipp.StatusErrorVersionNotSupported || e.Status == goipp.StatusErrorBadRequest) {
		p.version = goipp.MakeVersion(1, 1)
		got, err = p.attributes(ctx, describing)
	}
	if err != nil {
		if errors.As(err, &e) && e.hopeless() {
			return nil, fmt.Errorf("%w: %w", devices.ErrUnusable, err)
		}
		return nil, err
	}
	if isQueue(got) && !p.opt.AllowQueue {
		return unusable("is a CUPS queue, which cannot tell what came out: name the printer's own address")
	}
	if !slices.Contains(got.strings("document-format-supported"), p.format) {
		return unusable("does not take %s", p.format)
	}
	ops := got.ints("operations-supported")
	for _, op := range []goipp.Op{goipp.OpCreateJob, goipp.OpSendDocument, goipp.OpGetJobAttributes, goipp.OpGetJobs} {
		if !slices.Contains(ops, int(op)) {
			return unusable("does not know %s", op)
		}
	}
	if choose != nil {
		choose(got)
	}
	if media := got.strings("media-supported"); len(media) > 0 && !slices.Contains(media, p.opt.Media) {
		return unusable("does not know the media %s", p.opt.Media)
	}
	p.caps = capabilities{
		validate: slices.Contains(ops, int(goipp.OpValidateJob)),
		cancel:   slices.Contains(ops, int(goipp.OpCancelJob)),
		whichAll: slices.Contains(got.strings("which-jobs-supported"), "all"),
		copies:   got.has("copies-supported"),
		sides:    slices.Contains(got.strings("sides-supported"), "one-sided"),
		unscaled: slices.Contains(got.strings("print-scaling-supported"), "none"),
		media:    got.has("media-supported"),
	}
	return got, nil
}

func unusable(format string, a ...any) (attributes, error) {
	return nil, fmt.Errorf("%w: printer %s", devices.ErrUnusable, fmt.Sprintf(format, a...))
}

// probeLimit keeps [Printer.Probe] short, as a [devices.Device] promises.
const probeLimit = 2 * time.Second

// Probe asks the printer how it is.
func (p *Printer) Probe(ctx context.Context) (devices.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return p.status(ctx)
}

// status is [Printer.Probe] bounded only by the request's time-out.
func (p *Printer) status(ctx context.Context) (devices.Status, error) {
	got, err := p.attributes(ctx, p.asks)
	if err != nil {
		return devices.Status{}, err
	}
	return p.statusOf(got), nil
}

// Close ends what is under way and lets the connections go.
func (p *Printer) Close() error {
	p.close()
	p.http.CloseIdleConnections()
	p.once.CloseIdleConnections()
	return nil
}

// take waits for this caller's turn at the printer.
func (p *Printer) take(ctx context.Context) (giveBack func(), err error) {
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("another job is being printed: %w", devices.ErrBusy)
	case <-p.closed.Done():
		return nil, fmt.Errorf("printer is closed: %w", devices.ErrNoDevice)
	}
}
