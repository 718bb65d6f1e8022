// Finding a job again by its name, after a restart or before it would be sent twice.

package document

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// settleTries is how often [Printer.Settle] asks a printer that does not answer.
const settleTries = 3

// Settle looks the job up by name in all of the printer's lists, then by the noted job-id, and waits within ctx until it
// is settled. A job that still waits for its document is cancelled: nobody is left who would send it.
//
// A job without a noted job-id was never sent, since Print notes before it sends: if the printer does not have it
// either, it is NotSent. A noted job that the printer no longer knows is Unknown.
func (p *Printer) Settle(ctx context.Context, name string, sheets int, notes map[string]string) devices.PrintResult {
	giveBack, err := p.take(ctx)
	if err != nil {
		return unknown(unready(err), err.Error())
	}
	defer giveBack()

	w := watch{name: name, sheets: sheets, uuid: notes[NoteJobUUID]}
	if notes[NoteJobID] == "" {
		w.way = traceUnsent
	}
	w.id, _ = strconv.Atoi(notes[NoteJobID]) // an unreadable note is a noted one: only the name helps then
	found, err := p.lookup(ctx, w)
	for try := 1; err != nil && try < settleTries; try++ {
		select {
		case <-time.After(p.opt.Poll):
		case <-ctx.Done():
		case <-p.closed.Done():
		}
		found, err = p.lookup(ctx, w)
	}
	switch {
	case err != nil:
		return unknown(unready(err), err.Error())
	case found == nil:
		return w.forgotten(nil)
	}
	w.id, w.uuid = found.id, found.uuid
	return p.settle(ctx, w, *found)
}

// settle says what became of a job that the printer has.
func (p *Printer) settle(ctx context.Context, w watch, found jobView) devices.PrintResult {
	if found.settled() {
		// What is not clear yet may only want the printer's last count: then it is waited for like any other job.
		if res := found.verdict(w.sheets, w.way); res.Outcome != devices.PrintUnknown {
			return res
		}
	}
	if found.waiting() {
		if found.blank() {
			w.way = traceUnsent
		}
		p.cancel(ctx, w.id)
	}
	return p.await(ctx, w, nil)
}

// lookup finds the job by name, else by the noted number if that still is the same job. It returns nil, nil when the
// printer does not have it.
func (p *Printer) lookup(ctx context.Context, w watch) (*jobView, error) {
	found, err := p.find(ctx, w.name)
	if err != nil || found != nil || w.id <= 0 {
		return found, err
	}
	j, err := p.job(ctx, w.id)
	if errors.Is(err, errForgotten) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Without a name in the lists only the uuid proves that the number was not given to another job.
	if w.uuid == "" || j.uuid != w.uuid {
		return nil, nil
	}
	return &j, nil
}

// find looks for a job by name in all of the printer's lists. It returns nil, nil when the printer answered and has no
// such job. Of several it returns the one that brought most paper out.
func (p *Printer) find(ctx context.Context, name string) (*jobView, error) {
	// First those under way: a job that ends between two questions is then in the second answer.
	lists := []string{"not-completed", "completed"}
	if p.caps.whichAll {
		lists = []string{"all"}
	}
	var found *jobView
	for _, which := range lists {
		m, err := p.ask(ctx, p.newRequest(goipp.OpGetJobs, requester,
			goipp.MakeAttr("which-jobs", goipp.TagKeyword, goipp.String(which)),
			keywords("requested-attributes", asking...)))
		if err != nil {
			return nil, err
		}
		for _, g := range groups(m, goipp.TagJobGroup) {
			j := readJob(g)
			if j.id <= 0 || j.name != name {
				continue
			}
			if found == nil || j.printed() > found.printed() || j.id == found.id {
				found = &j
			}
		}
	}
	return found, nil
}
