// Printing one document: the acts before the document leaves, and the one that lets it go.

package document

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// Keys of the facts noted about a job.
const (
	NoteJobID   = "job-id"
	NoteJobUUID = "job-uuid"
)

// maxName is how long a job's name may be: name(MAX) has 255 bytes (RFC 8011 section 5.1.3), and printers cut earlier.
const maxName = 127

// A task is one job on its way to the printer, whatever comes on the sheet.
type task struct {
	name     string
	document []byte
	sheets   int
	note     func(key, value string) error
	progress func(sheets int)
	hindered func(devices.Unready)
	// ready looks at the printer's attributes once more before a job exists; what it returns ends the job. May be nil.
	ready func(attributes) *devices.PrintResult
}

// Print prints one document; see the package comment for the order of acts.
func (p *Printer) Print(ctx context.Context, job devices.DocumentJob) devices.PrintResult {
	if why := unfit(job); why != "" {
		return notSent("", why)
	}
	giveBack, err := p.take(ctx)
	if err != nil {
		return refused(err)
	}
	defer giveBack()
	res, _ := p.perform(ctx, task{name: job.Name, document: job.PDF, sheets: job.Sheets, note: job.Note, progress: job.Progress,
		hindered: job.Hindered})
	return res
}

// perform does the acts of the package comment. again says that the printer had the job already, and nothing was sent.
func (p *Printer) perform(ctx context.Context, job task) (res devices.PrintResult, again bool) {
	found, err := p.find(ctx, job.name)
	if err != nil {
		return refused(err), false
	}
	if found != nil {
		return p.settle(ctx, watch{id: found.id, uuid: found.uuid, name: job.name, sheets: job.sheets,
			progress: job.progress, hindered: job.hindered}, *found), true
	}
	if res, ok := p.preflight(ctx, job); !ok {
		return res, false
	}
	w, err := p.create(ctx, job)
	if err != nil {
		if w.id > 0 {
			p.cancel(ctx, w.id)
		} else {
			p.cancelNamed(ctx, job.name)
		}
		return refused(err), false
	}
	return p.deliver(ctx, w, job.document), false
}

// unfit says why a job cannot be printed by anybody.
func unfit(job devices.DocumentJob) string {
	switch {
	case !fitName(job.Name):
		return badName
	case !bytes.HasPrefix(job.PDF, []byte("%PDF-")):
		return "document is not a PDF"
	case job.Sheets < 1:
		return "job without sheets"
	case job.Note == nil:
		return "job without a Note"
	}
	return ""
}

// badName is why a job with an unfit name is not printed.
var badName = fmt.Sprintf("job name is not 1 to %d printable ASCII characters", maxName)

func fitName(name string) bool {
	return name != "" && len(name) <= maxName && ascii(name, maxName) == name
}

func notSent(why devices.Unready, detail string) devices.PrintResult {
	return devices.PrintResult{Outcome: devices.PrintNotSent, Why: why, Detail: detail, Output: devices.MediaNotSupported}
}

// refused is NotSent because of an error.
func refused(err error) devices.PrintResult { return notSent(unready(err), err.Error()) }

// unready puts an error in the word that a citizen's screen explains.
func unready(err error) devices.Unready {
	switch {
	case errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrSilent):
		return devices.UnreadyNoDevice
	case errors.Is(err, devices.ErrBusy):
		return devices.UnreadyOffline
	case errors.Is(err, devices.ErrProtocol), errors.Is(err, devices.ErrUnusable):
		return devices.UnreadyBroken
	}
	return devices.UnreadyNot
}

// template are the job attributes of every certificate: one copy, one side, its own size, on the right sheet.
func (p *Printer) template() goipp.Attributes {
	var a goipp.Attributes
	if p.caps.copies {
		a.Add(goipp.MakeAttr("copies", goipp.TagInteger, goipp.Integer(1)))
	}
	if p.caps.sides {
		a.Add(goipp.MakeAttr("sides", goipp.TagKeyword, goipp.String("one-sided")))
	}
	if p.caps.media {
		a.Add(goipp.MakeAttr("media", goipp.TagKeyword, goipp.String(p.opt.Media)))
	}
	if p.caps.unscaled {
		a.Add(goipp.MakeAttr("print-scaling", goipp.TagKeyword, goipp.String("none")))
	}
	return a
}

func (p *Printer) documentFormat() goipp.Attribute {
	return goipp.MakeAttr("document-format", goipp.TagMimeType, goipp.String(p.format))
}

// jobRequest is Validate-Job or Create-Job.
func (p *Printer) jobRequest(op goipp.Op, name string) *goipp.Message {
	more := []goipp.Attribute{
		requester,
		goipp.MakeAttr("job-name", goipp.TagName, goipp.String(name)),
		goipp.MakeAttr("ipp-attribute-fidelity", goipp.TagBoolean, goipp.Boolean(true)),
	}
	if op == goipp.OpValidateJob {
		more = append(more, p.documentFormat())
	}
	m := p.newRequest(op, more...)
	m.Job = p.template()
	return m
}

// preflight asks everything that can be asked before a job exists.
func (p *Printer) preflight(ctx context.Context, job task) (res devices.PrintResult, ok bool) {
	if p.caps.validate {
		m, err := p.ask(ctx, p.jobRequest(goipp.OpValidateJob, job.name))
		if err != nil {
			return refused(err), false
		}
		if what := wrongSubstitution(m); what != "" {
			return notSent(devices.UnreadyBroken, "Validate-Job: printer will not honour "+what), false
		}
	}
	got, err := p.attributes(ctx, p.asks)
	if err != nil {
		return refused(err), false
	}
	st := p.statusOf(got)
	p.tell(st)
	switch why := st.Unready(); {
	case why != devices.UnreadyNot:
		return notSent(why, fmt.Sprintf("printer is not ready: %s %v", why, st.Reasons)), false
	case got.isFalse("printer-is-accepting-jobs"):
		return notSent(devices.UnreadyOffline, "printer does not accept jobs"), false
	case got.int("queued-job-count", 0) != 0:
		return notSent(devices.UnreadyOffline, "printer has another job: queued-job-count "+strconv.Itoa(got.int("queued-job-count", 0))), false
	}
	if job.ready != nil {
		if end := job.ready(got); end != nil {
			return *end, false
		}
	}
	return res, true
}

func (p *Printer) tell(st devices.Status) {
	if p.opt.Status != nil {
		p.opt.Status(st)
	}
}

// create makes the empty job and has its facts noted. After an error nothing of the document was sent; the id in the
// watch, if any, is that of a job to be cancelled.
func (p *Printer) create(ctx context.Context, job task) (watch, error) {
	w := watch{name: job.name, sheets: job.sheets, progress: job.progress, hindered: job.hindered, cancels: true}
	m, err := p.ask(ctx, p.jobRequest(goipp.OpCreateJob, job.name))
	if err != nil {
		return w, err
	}
	made := readJob(group(m, goipp.TagJobGroup))
	w.id, w.uuid = made.id, made.uuid
	if w.id <= 0 {
		return w, &Error{Op: goipp.OpCreateJob, Err: fmt.Errorf("answer without a job-id: %w", devices.ErrProtocol)}
	}
	if what := wrongSubstitution(m); what != "" {
		return w, &Error{Op: goipp.OpCreateJob, Err: fmt.Errorf("printer does not honour %s: %w", what, devices.ErrProtocol)}
	}
	if w.uuid == "" { // most printers tell it only when asked
		seen, err := p.job(ctx, w.id)
		if err != nil {
			return w, err
		}
		w.uuid = seen.uuid
	}
	if err := job.note(NoteJobID, strconv.Itoa(w.id)); err != nil {
		return w, fmt.Errorf("noting the job: %w", err)
	}
	if w.uuid != "" {
		if err := job.note(NoteJobUUID, ascii(w.uuid, maxName)); err != nil {
			return w, fmt.Errorf("noting the job: %w", err)
		}
	}
	return w, ctx.Err()
}

// A delivery is the end of Send-Document.
type delivery struct {
	begun bool // something may have left this machine
	err   error
}

// deliver sends the document, once, and waits for what becomes of the job. A printer out of paper may stop reading in
// the middle, so its state is asked while the document is still on its way.
func (p *Printer) deliver(ctx context.Context, w watch, document []byte) devices.PrintResult {
	m := p.newRequest(goipp.OpSendDocument,
		goipp.MakeAttr("job-id", goipp.TagInteger, goipp.Integer(w.id)),
		p.documentFormat(),
		goipp.MakeAttr("last-document", goipp.TagBoolean, goipp.Boolean(true)))
	sending, stop := context.WithCancel(ctx)
	ended, done := make(chan delivery, 1), make(chan struct{})
	go func() {
		defer close(done)
		_, begun, err := p.send(sending, m, document)
		ended <- delivery{begun, err}
	}()
	w.way = traceBegun // until it proves otherwise
	res := p.await(ctx, w, ended)
	stop()
	<-done
	select {
	case d := <-ended: // nobody waited for it any more
		if d.err != nil && !d.begun && res.Outcome != devices.PrintConfirmed {
			return refused(d.err)
		}
	default:
	}
	return res
}
