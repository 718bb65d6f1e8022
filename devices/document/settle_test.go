// What is said of a job after a restart.

package document

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

func TestSettle(t *testing.T) {
	noted := map[string]string{NoteJobID: "17", NoteJobUUID: "urn:uuid:00000000-0000-0000-0000-000000000017"}
	done := func(impressions int) *fakeJob {
		j := &fakeJob{id: 17, name: jobName, documents: 1}
		j.complete(impressions)
		return j
	}
	for name, c := range map[string]struct {
		job     *fakeJob
		notes   map[string]string
		arrange func(*fake)
		outcome devices.PrintOutcome
		why     devices.Unready
		detail  string
	}{
		"printed":                    {job: done(1), notes: noted, outcome: devices.PrintConfirmed},
		"printed, note lost":         {job: done(1), outcome: devices.PrintConfirmed},
		"completed, nothing out":     {job: done(0), notes: noted, outcome: devices.PrintUnknown, detail: "0 of 1"},
		"never created":              {outcome: devices.PrintNotSent, detail: "never sent"},
		"forgotten":                  {notes: noted, outcome: devices.PrintUnknown, detail: "does not know"},
		"unreadable note":            {notes: map[string]string{NoteJobID: "?"}, outcome: devices.PrintUnknown, detail: "does not know"},
		"number is another's":        {job: &fakeJob{id: 17, name: "other", state: jobCompleted}, notes: map[string]string{NoteJobID: "17", NoteJobUUID: "urn:uuid:mine"}, outcome: devices.PrintUnknown, detail: "does not know"},
		"name is hidden":             {job: &fakeJob{id: 17, state: jobCompleted, impressions: 1, documents: 1, reasons: []string{"job-completed-successfully"}}, notes: noted, outcome: devices.PrintConfirmed},
		"created, never sent":        {job: &fakeJob{id: 17, name: jobName, state: jobHeld, reasons: []string{"job-data-insufficient"}}, notes: noted, outcome: devices.PrintNotSent, detail: "canceled"},
		"dropped by the printer":     {job: &fakeJob{id: 17, name: jobName, state: jobAborted, reasons: []string{"aborted-by-system"}}, notes: noted, outcome: devices.PrintNotSent, detail: "aborted"},
		"dropped with its document":  {job: &fakeJob{id: 17, name: jobName, state: jobAborted, documents: 1, reasons: []string{"aborted-by-system"}}, notes: noted, outcome: devices.PrintFailed, detail: "aborted"},
		"dropped, note lost":         {job: &fakeJob{id: 17, name: jobName, state: jobAborted, documents: 1}, outcome: devices.PrintNotSent, detail: "aborted"},
		"lists are separate":         {job: done(1), notes: noted, arrange: func(f *fake) { f.whichAll = false }, outcome: devices.PrintConfirmed},
		"printer does not answer":    {notes: noted, arrange: hooked(goipp.OpGetJobs, hangUp), outcome: devices.PrintUnknown, why: devices.UnreadyNoDevice, detail: "Get-Jobs"},
		"list cannot be read":        {arrange: hooked(goipp.OpGetJobs, html), outcome: devices.PrintUnknown, why: devices.UnreadyBroken, detail: "Get-Jobs"},
		"still printing at the end":  {job: &fakeJob{id: 17, name: jobName, state: 5, documents: 1}, notes: noted, outcome: devices.PrintUnknown, detail: "time is up"},
		"refuses to drop what waits": {job: &fakeJob{id: 17, name: jobName, state: jobHeld, reasons: []string{"job-incoming"}}, notes: noted, arrange: hooked(goipp.OpCancelJob, status(goipp.StatusErrorNotPossible)), outcome: devices.PrintUnknown, detail: "time is up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			if c.arrange != nil {
				c.arrange(f)
			}
			p := f.open(t, quick())
			if c.job != nil {
				j := *c.job
				f.jobs = []*fakeJob{&j}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if c.detail == "time is up" { // when it was asked about twice and is no further
				asked, inner := 0, f.hook
				f.hook = func(op goipp.Op, w http.ResponseWriter, req *goipp.Message) bool {
					if op == goipp.OpGetJobAttributes {
						if asked++; asked == 2 {
							cancel()
						}
					}
					return inner != nil && inner(op, w, req)
				}
			}
			want(t, p.Settle(ctx, jobName, 1, c.notes), c.outcome, c.why, c.detail)
			f.lock(func() {
				if count(f.log, "Create-Job")+count(f.log, "Send-Document") > 0 {
					t.Error("settling sent something")
				}
				if count(f.log, "Cancel-Job") > 0 && c.job.state != jobHeld {
					t.Error("settling cancelled a job with a document")
				}
			})
		})
	}
}

func TestOfTwoJobsTheOneOnPaperCounts(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	printed := &fakeJob{id: 4, name: jobName}
	printed.complete(1)
	f.jobs = []*fakeJob{{id: 3, name: jobName, state: jobAborted}, printed, {id: 5, name: jobName, state: jobAborted}}
	want(t, p.Settle(t.Context(), jobName, 1, nil), devices.PrintConfirmed, "", "")
}
