// A print job as the printer describes it, and the verdict on it.

package document

import (
	"fmt"
	"slices"

	"github.com/budayang/kiosk/devices"
)

// job-state (RFC 8011 section 5.3.7).
const (
	jobPending   = 3
	jobHeld      = 4
	jobCanceled  = 7
	jobAborted   = 8
	jobCompleted = 9
)

// asking are the job attributes that every question about a job wants.
var asking = []string{
	"job-id", "job-uuid", "job-name", "job-state", "job-state-reasons", "job-impressions-completed",
	"job-media-sheets-completed", "number-of-documents",
}

// A jobView is what the printer says of one job. Counts are -1 where it does not say.
type jobView struct {
	id                             int
	uuid, name                     string
	state                          int
	reasons                        []string
	impressions, sheets, documents int
}

func readJob(a attributes) jobView {
	return jobView{
		id:          a.int("job-id", 0),
		uuid:        a.string("job-uuid"),
		name:        a.string("job-name"),
		state:       a.int("job-state", 0),
		reasons:     reasonsOf(a.strings("job-state-reasons")),
		impressions: a.int("job-impressions-completed", -1),
		sheets:      a.int("job-media-sheets-completed", -1),
		documents:   a.int("number-of-documents", -1),
	}
}

func (j jobView) has(reason string) bool { return slices.Contains(j.reasons, reason) }

// printed is the larger of the printer's two counts, -1 when it has none: jobs are one-sided, an impression is a sheet.
func (j jobView) printed() int { return max(j.impressions, j.sheets) }

// counts says whether each count that the printer gives, and at least one, is n.
func (j jobView) counts(n int) bool {
	return j.printed() == n && (j.impressions == n || j.impressions < 0) && (j.sheets == n || j.sheets < 0)
}

// over says whether the job's state is one of the final three.
func (j jobView) over() bool {
	return j.state == jobCanceled || j.state == jobAborted || j.state == jobCompleted
}

// settled says whether nothing more will happen to the job: a printer that still has a sheet on its way after the end
// says processing-to-stop-point.
func (j jobView) settled() bool { return j.over() && !j.has("processing-to-stop-point") }

// waiting says whether the job was created and waits for its document, of which a part may have come.
func (j jobView) waiting() bool {
	return (j.state == jobPending || j.state == jobHeld) && j.documents <= 0 && (j.has("job-data-insufficient") || j.has("job-incoming"))
}

// blank says whether the printer itself says that no document came.
func (j jobView) blank() bool {
	return j.documents == 0 || j.documents < 0 && j.waiting() && j.has("job-data-insufficient")
}

// spoils are reasons that take the word "completed" back (OpenPrinting/cups issue 1703: completed, format error, 0
// impressions).
var spoils = []string{"job-completed-with-errors", "job-completed-with-warnings", "aborted-by-system", "document-format-error",
	"document-unprintable-error", "document-access-error", "job-canceled-by-user", "job-canceled-by-operator", "job-canceled-at-device",
	"errors-detected", "unsupported-document-format", "compression-error", "submission-interrupted"}

// A trace is what is certain about the way of a job's document.
type trace int

const (
	traceLost   trace = iota // nobody remembers whether it was sent
	traceUnsent              // it was never sent
	traceBegun               // it was sent, at least in part
)

// verdict says what became of a settled job that should have brought n sheets.
//
//	completed, successfully, nothing against it, all counts n   Confirmed
//	document never sent, nothing printed                        NotSent
//	canceled or aborted, the printer never had a document       NotSent
//	canceled or aborted, 0 printed                              Failed
//	aborted, fewer than n printed                               Failed
//	completed with a document error, 0 printed                  Failed
//	anything else, no counts included                           Unknown
func (j jobView) verdict(n int, way trace) devices.PrintResult {
	res := devices.PrintResult{Outcome: devices.PrintUnknown, Sheets: j.printed(), Output: devices.MediaNotSupported}
	spoilt := slices.ContainsFunc(j.reasons, func(r string) bool { return slices.Contains(spoils, r) })
	dropped := j.state == jobCanceled || j.state == jobAborted
	switch {
	case j.state == jobCompleted && j.has("job-completed-successfully") && !spoilt && j.counts(n):
		res.Outcome, res.By = devices.PrintConfirmed, "ipp"
		return res
	case way == traceUnsent && j.printed() <= 0, way == traceLost && dropped && j.documents == 0 && j.printed() == 0:
		res.Outcome, res.Sheets = devices.PrintNotSent, 0
	case dropped && j.printed() == 0:
		res.Outcome = devices.PrintFailed
	case j.state == jobAborted && j.printed() > 0 && j.printed() < n:
		res.Outcome = devices.PrintFailed
	case j.state == jobCompleted && spoilt && j.printed() == 0:
		res.Outcome = devices.PrintFailed
	}
	res.Detail = j.describe(n)
	return res
}

// describe is the technician's line: no name, no person.
func (j jobView) describe(n int) string {
	state := map[int]string{3: "pending", 4: "held", 5: "processing", 6: "stopped", 7: "canceled", 8: "aborted", 9: "completed"}[j.state]
	if state == "" {
		state = fmt.Sprintf("state %d", j.state)
	}
	return fmt.Sprintf("job %d %s %v, %d of %d impressions", j.id, state, j.reasons, j.impressions, n)
}
