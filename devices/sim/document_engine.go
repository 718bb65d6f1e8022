package sim

// The printer's engine: one job after the other, one sheet after the other.

import (
	"context"
	"time"
)

// engine prints until ctx ends.
func (p *DocumentPrinter) engine(ctx context.Context) {
	for ctx.Err() == nil {
		j, changed, until := p.pick()
		if j == nil {
			p.rest(ctx, changed, until)
			continue
		}
		p.print(ctx, j)
	}
}

// rest waits for a change, or until a job's time is over.
func (p *DocumentPrinter) rest(ctx context.Context, changed <-chan struct{}, until time.Duration) {
	t := time.NewTimer(until)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-t.C:
	}
}

// pick takes the oldest job that has its document, aborts those whose document did not come in time, and says how long
// nothing can happen.
func (p *DocumentPrinter) pick() (*job, <-chan struct{}, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Hour
	now := time.Now()
	for _, j := range p.jobs {
		if j.over() {
			continue
		}
		if j.closed {
			if j.documents == 0 {
				p.endLocked(j, jobAborted, "aborted-by-system")
				continue
			}
			if p.server == nil {
				return nil, p.changed, until // off
			}
			j.state, j.started = jobProcessing, p.opt.Now()
			j.reasons = []string{"job-printing"}
			return j, nil, 0
		}
		if left := j.deadline.Sub(now); left > 0 {
			until = min(until, left)
		} else {
			p.endLocked(j, jobAborted, "aborted-by-system", "job-data-insufficient")
		}
	}
	return nil, p.changed, until
}

// print makes a job's impressions.
func (p *DocumentPrinter) print(ctx context.Context, j *job) {
	count := countPages
	if p.works != nil {
		count = countCards
	}
	pages, ok := count(j.data)
	broken := !ok || p.faults.once("abort")
	p.change(func() {
		if broken {
			p.endLocked(j, jobAborted, "aborted-by-system", "document-format-error")
			return
		}
		j.pages = pages * j.copies
		p.sheets = 0
	})
	for !broken {
		if !p.clearWay(ctx, j) {
			return
		}
		if p.made(j) {
			p.finish(j) // the paper lies there, and was looked at, before anybody hears that the job is over
			p.complete(j)
			return
		}
		if p.works != nil && p.faults.once("says-done") {
			p.change(func() {
				j.impressions++
				p.endLocked(j, jobCompleted, "job-completed-successfully")
			})
			return
		}
		if p.works != nil && !p.feed(j) {
			return
		}
		if p.opt.PageTime > 0 && sleep(ctx, p.opt.PageTime) != nil {
			return
		}
		if !p.impress(j) {
			return
		}
	}
}

// clearWay waits until nothing hinders the engine; false means that the job is over.
func (p *DocumentPrinter) clearWay(ctx context.Context, j *job) bool {
	for {
		p.mu.Lock()
		changed := p.changed
		if j.over() {
			p.mu.Unlock()
			return false
		}
		if j.impressions >= j.pages || !p.stoppedLocked() {
			j.state, j.reasons = jobProcessing, []string{"job-printing"}
			p.mu.Unlock()
			return true
		}
		j.state, j.reasons = jobStopped, []string{"printer-stopped"}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// made tells whether all sheets of a job are out.
func (p *DocumentPrinter) made(j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return j.impressions >= j.pages
}

// complete ends a job of which all sheets are out.
func (p *DocumentPrinter) complete(j *job) {
	p.change(func() {
		if !j.over() {
			p.endLocked(j, jobCompleted, "job-completed-successfully")
		}
	})
}

// impress makes one sheet; false means that the job ended meanwhile.
func (p *DocumentPrinter) impress(j *job) (on bool) {
	if p.works != nil {
		return p.face(j)
	}
	p.change(func() {
		if on = !j.over(); on {
			j.impressions++
			p.lifetime++
			p.sheets++
		}
	})
	return on
}
