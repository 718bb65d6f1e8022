// Waiting for a job until the printer has settled it.

package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// A watch is a job that is waited for.
type watch struct {
	id         int
	uuid, name string
	sheets     int
	way        trace
	cancels    bool // cancel it when the context ends
	progress   func(sheets int)
	hindered   func(devices.Unready)

	done int             // sheets told to progress
	why  devices.Unready // what hinders it, as told to hindered
}

// errForgotten: the printer does not know the job, or has given its number to another one.
var errForgotten = errors.New("printer does not know the job")

// job asks for one job by its number.
func (p *Printer) job(ctx context.Context, id int) (jobView, error) {
	m, err := p.ask(ctx, p.newRequest(goipp.OpGetJobAttributes,
		goipp.MakeAttr("job-id", goipp.TagInteger, goipp.Integer(id)), keywords("requested-attributes", asking...)))
	var e *Error
	if errors.As(err, &e) && (e.Status == goipp.StatusErrorNotFound || e.Status == goipp.StatusErrorGone) {
		return jobView{}, errForgotten
	}
	if err != nil {
		return jobView{}, err
	}
	got := group(m, goipp.TagJobGroup)
	if got == nil {
		return jobView{}, &Error{Op: goipp.OpGetJobAttributes, Err: fmt.Errorf("answer without a job: %w", devices.ErrProtocol)}
	}
	j := readJob(got)
	j.id = id
	return j, nil
}

// watched asks for the watched job and makes sure that it is this one: a printer that was switched off may count its
// jobs from 1 again.
func (p *Printer) watched(ctx context.Context, w *watch) (jobView, error) {
	j, err := p.job(ctx, w.id)
	if err != nil && !errors.Is(err, errForgotten) {
		return j, err
	}
	if err == nil && w.fits(j) {
		return j, nil
	}
	found, err := p.find(ctx, w.name)
	if err != nil {
		return jobView{}, err
	}
	if found == nil {
		return jobView{}, errForgotten
	}
	w.id, w.uuid = found.id, found.uuid
	return *found, nil
}

// fits says whether a job is the watched one. Its uuid decides where both have one, else its name.
func (w *watch) fits(j jobView) bool {
	if w.uuid != "" && j.uuid != "" {
		return w.uuid == j.uuid
	}
	return j.name == "" || j.name == w.name
}

// await waits until the job is settled or ctx ends. sent, which may be nil, tells the end of Send-Document.
func (p *Printer) await(ctx context.Context, w watch, sent <-chan delivery) devices.PrintResult {
	var (
		failures   int       // questions in a row without an answer
		settledAt  time.Time // since when the job is over but its counts do not fit
		sendFailed error
		last       = "no answer since the document was sent"
	)
	ticker := time.NewTicker(p.opt.Poll)
	defer ticker.Stop()
	for {
		select {
		case d := <-sent:
			sent = nil
			if d.err != nil && !d.begun {
				p.cancel(ctx, w.id)
				return refused(d.err)
			}
			sendFailed = d.err
		case <-ticker.C:
		case <-p.closed.Done():
			return unknown(devices.UnreadyNoDevice, "printer was closed: "+last)
		case <-ctx.Done():
			return p.giveUp(ctx, w, last)
		}

		j, err := p.watched(ctx, &w)
		switch {
		case errors.Is(err, errForgotten):
			return w.forgotten(sendFailed)
		case err != nil:
			failures++
		default:
			failures = 0
			last = j.describe(w.sheets)
			w.tellProgress(j)
		}
		if err == nil && j.settled() {
			res := j.verdict(w.sheets, w.way)
			if settledAt.IsZero() {
				settledAt = time.Now()
			}
			// Some printers end the job first and count afterwards.
			if res.Outcome != devices.PrintUnknown || time.Since(settledAt) >= p.opt.EndWait {
				return w.finish(res, sendFailed)
			}
			continue
		}
		if err == nil && sendFailed != nil && j.waiting() {
			// The printer still waits for a document that will not be sent a second time.
			p.cancel(ctx, w.id)
			continue
		}
		p.watchPrinter(ctx, &w, failures)
	}
}

// giveUp ends a job whose context has ended and says what is certain.
func (p *Printer) giveUp(ctx context.Context, w watch, last string) devices.PrintResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opt.EndWait)
	defer cancel()
	if w.cancels {
		p.cancel(ctx, w.id)
	}
	for ctx.Err() == nil {
		j, err := p.watched(ctx, &w)
		if errors.Is(err, errForgotten) {
			return w.forgotten(nil)
		}
		if err == nil {
			last = j.describe(w.sheets)
			w.tellProgress(j)
			if j.settled() {
				return w.finish(j.verdict(w.sheets, w.way), nil)
			}
			if !w.cancels {
				break
			}
		}
		select {
		case <-time.After(p.opt.Poll):
		case <-p.closed.Done():
			cancel()
		case <-ctx.Done():
		}
	}
	res := unknown(w.why, "time is up: "+last)
	res.Sheets = max(w.done, -1)
	if w.done == 0 {
		res.Sheets = -1
	}
	return res
}

// watchPrinter asks the printer how it is and tells whoever waits what keeps the job from going on.
func (p *Printer) watchPrinter(ctx context.Context, w *watch, failures int) {
	st, err := p.status(ctx)
	switch {
	case err == nil:
		p.tell(st)
		w.tellHindered(st.Unready())
	case ctx.Err() == nil && failures > 1: // one lost answer is no news
		w.tellHindered(devices.UnreadyNoDevice)
	}
}

func (w *watch) tellHindered(why devices.Unready) {
	if why == w.why {
		return
	}
	w.why = why
	if w.hindered != nil {
		w.hindered(why)
	}
}

func (w *watch) tellProgress(j jobView) {
	n := j.printed()
	if n <= w.done {
		return
	}
	w.done = n
	if w.progress != nil {
		w.progress(n)
	}
}

// finish completes a verdict with why it went wrong.
func (w *watch) finish(res devices.PrintResult, sendFailed error) devices.PrintResult {
	if res.Outcome == devices.PrintConfirmed {
		w.tellHindered(devices.UnreadyNot)
		return res
	}
	res.Why = w.why
	if sendFailed != nil {
		res.Detail += "; " + sendFailed.Error()
		if res.Why == "" {
			res.Why = unready(sendFailed)
		}
	}
	return res
}

// forgotten is the verdict on a job that is in none of the printer's lists.
func (w *watch) forgotten(sendFailed error) devices.PrintResult {
	if w.way == traceUnsent {
		return notSent(w.why, errForgotten.Error()+", and its document was never sent")
	}
	return w.finish(unknown(w.why, errForgotten.Error()+" any more"), sendFailed)
}

func unknown(why devices.Unready, detail string) devices.PrintResult {
	return devices.PrintResult{Outcome: devices.PrintUnknown, Why: why, Sheets: -1, Detail: detail, Output: devices.MediaNotSupported}
}

// cancel asks the printer to drop a job. Whether it did is seen in the job, not in the answer. It outlives ctx, for
// that may be why the job is dropped.
func (p *Printer) cancel(ctx context.Context, id int) {
	if !p.caps.cancel {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opt.EndWait)
	defer cancel()
	_, _ = p.ask(ctx, p.newRequest(goipp.OpCancelJob, goipp.MakeAttr("job-id", goipp.TagInteger, goipp.Integer(id))))
}

// cancelNamed drops a job whose Create-Job had no usable answer, so that it does not block the next one until the
// printer drops it itself (multiple-operation-time-out).
func (p *Printer) cancelNamed(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opt.EndWait)
	defer cancel()
	if found, err := p.find(ctx, name); err == nil && found != nil && !found.over() {
		p.cancel(ctx, found.id)
	}
}
