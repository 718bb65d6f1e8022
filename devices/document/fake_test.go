// An IPP printer for tests, built on the codec but not on the driver. It keeps jobs, and a hook lets each test break it.

package document

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// page is a document as far as a printer that does not print looks at it.
var page = []byte("%PDF-1.4\n% a page of 样张\n%%EOF\n")

type fakeJob struct {
	id          int
	name        string
	state       int
	reasons     []string
	impressions int // -1: not told
	documents   int
	pdf         []byte
}

type fake struct {
	*httptest.Server
	mu        sync.Mutex
	version   goipp.Version // the newest it speaks
	ops       []goipp.Op
	log       []string // operations in order, without polling
	state     int
	reasons   []string
	accepting bool
	queued    int
	ready     []string
	media     []string // more media
	formats   []string
	extra     goipp.Attributes // more printer attributes
	whichAll  bool
	jobs      []*fakeJob
	documents int // Send-Document requests whose document came
	seen      []*goipp.Message

	// received decides what becomes of a job when its document has come; nil completes it.
	received func(*fakeJob)
	// hook may answer a request itself: true means done.
	hook func(op goipp.Op, w http.ResponseWriter, req *goipp.Message) bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		version: goipp.MakeVersion(2, 0), state: printerIdle, accepting: true, whichAll: true,
		ready:   []string{A4},
		formats: []string{"application/octet-stream", "application/pdf", "image/pwg-raster"},
		ops: []goipp.Op{goipp.OpValidateJob, goipp.OpCreateJob, goipp.OpSendDocument, goipp.OpCancelJob,
			goipp.OpGetJobAttributes, goipp.OpGetJobs, goipp.OpGetPrinterAttributes},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	f.Server.Config.ErrorLog = nil
	t.Cleanup(f.Server.Close)
	return f
}

func (f *fake) uri() string { return strings.Replace(f.URL, "http://", "ipp://", 1) + "/ipp/print" }

// quick are options under which a test does not wait.
func quick() Options {
	return Options{Poll: 5 * time.Millisecond, EndWait: 150 * time.Millisecond, Timeout: 2 * time.Second}
}

func (f *fake) open(t *testing.T, opt Options) *Printer {
	t.Helper()
	p, err := Open(t.Context(), f.uri(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func (f *fake) lock(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func integer(name string, n int) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagInteger, goipp.Integer(n))
}

func enum(name string, n int) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagEnum, goipp.Integer(n))
}

func reasonsAttr(name string, reasons []string) goipp.Attribute {
	if len(reasons) == 0 {
		reasons = []string{"none"}
	}
	return keywords(name, reasons...)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	rest := bytes.NewReader(body)
	var req goipp.Message
	if err := req.Decode(rest); err != nil {
		http.Error(w, "not IPP", http.StatusBadRequest)
		return
	}
	document := body[len(body)-rest.Len():]
	op := goipp.Op(req.Code)

	f.mu.Lock()
	if op != goipp.OpGetPrinterAttributes && op != goipp.OpGetJobAttributes {
		f.log = append(f.log, op.String())
	}
	f.seen = append(f.seen, &req)
	hook := f.hook
	f.mu.Unlock()
	if hook != nil && hook(op, w, &req) {
		return
	}
	f.mu.Lock()
	answer := f.answer(op, &req, document)
	f.mu.Unlock()
	reply(w, answer)
}

func reply(w http.ResponseWriter, m *goipp.Message) {
	data, err := m.EncodeBytes()
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", goipp.ContentType)
	_, _ = w.Write(data)
}

func response(req *goipp.Message, s goipp.Status) *goipp.Message {
	m := goipp.NewResponse(req.Version, s, req.RequestID)
	m.Operation.Add(goipp.MakeAttr("attributes-charset", goipp.TagCharset, goipp.String("utf-8")))
	m.Operation.Add(goipp.MakeAttr("attributes-natural-language", goipp.TagLanguage, goipp.String("en")))
	return m
}

// answer does what a printer does. Called with the mutex held.
func (f *fake) answer(op goipp.Op, req *goipp.Message, document []byte) *goipp.Message {
	if req.Version > f.version {
		return response(req, goipp.StatusErrorVersionNotSupported)
	}
	ok := response(req, goipp.StatusOk)
	asked := attributes(req.Operation)
	var job *fakeJob
	for _, j := range f.jobs {
		if j.id == asked.int("job-id", 0) {
			job = j
		}
	}
	switch op {
	case goipp.OpGetPrinterAttributes:
		ok.Printer = f.printer()
		return ok
	case goipp.OpValidateJob:
		return ok
	case goipp.OpCreateJob:
		job = &fakeJob{id: 17 + len(f.jobs), name: asked.string("job-name"), state: jobHeld, reasons: []string{"job-data-insufficient"}}
		f.jobs = append(f.jobs, job)
		ok.Job = goipp.Attributes{integer("job-id", job.id), enum("job-state", job.state)}
		return ok
	case goipp.OpGetJobs:
		var answered goipp.Groups
		answered.Add(goipp.Group{Tag: goipp.TagOperationGroup, Attrs: ok.Operation})
		for _, j := range f.jobs {
			over := j.state >= jobCanceled
			which := asked.string("which-jobs")
			if which == "all" && !f.whichAll {
				return response(req, goipp.StatusErrorAttributesOrValues)
			}
			if which == "all" || which == "completed" && over || which == "not-completed" && !over {
				answered.Add(goipp.Group{Tag: goipp.TagJobGroup, Attrs: j.attributes()})
			}
		}
		ok.Groups = answered
		return ok
	}
	if job == nil {
		return response(req, goipp.StatusErrorNotFound)
	}
	switch op {
	case goipp.OpGetJobAttributes:
		ok.Job = job.attributes()
	case goipp.OpCancelJob:
		if job.state >= jobCanceled {
			return response(req, goipp.StatusErrorNotPossible)
		}
		job.state, job.reasons = jobCanceled, []string{"job-canceled-by-user"}
	case goipp.OpSendDocument:
		if job.state >= jobCanceled {
			return response(req, goipp.StatusErrorNotPossible)
		}
		f.documents++
		job.documents++
		job.pdf = document
		if f.received != nil {
			f.received(job)
		} else {
			job.complete(1)
		}
	}
	return ok
}

func (j *fakeJob) complete(impressions int) {
	j.state, j.reasons, j.impressions = jobCompleted, []string{"job-completed-successfully"}, impressions
}

func (j *fakeJob) attributes() goipp.Attributes {
	a := goipp.Attributes{
		integer("job-id", j.id),
		goipp.MakeAttr("job-uuid", goipp.TagURI, goipp.String(fmt.Sprintf("urn:uuid:00000000-0000-0000-0000-%012d", j.id))),
		goipp.MakeAttr("job-name", goipp.TagName, goipp.String(j.name)),
		enum("job-state", j.state), reasonsAttr("job-state-reasons", j.reasons),
		integer("number-of-documents", j.documents),
	}
	if j.impressions >= 0 {
		a.Add(integer("job-impressions-completed", j.impressions))
	}
	return a
}

func (f *fake) printer() goipp.Attributes {
	a := goipp.Attributes{
		enum("printer-state", f.state), reasonsAttr("printer-state-reasons", f.reasons),
		goipp.MakeAttr("printer-is-accepting-jobs", goipp.TagBoolean, goipp.Boolean(f.accepting)),
		integer("queued-job-count", f.queued),
		keywords("media-supported", append([]string{A4, "na_letter_8.5x11in"}, f.media...)...),
		goipp.MakeAttr("copies-supported", goipp.TagRange, goipp.Range{Lower: 1, Upper: 9}),
		keywords("sides-supported", "one-sided"),
		keywords("print-scaling-supported", "auto", "none"),
		goipp.MakeAttr("printer-uuid", goipp.TagURI, goipp.String("urn:uuid:12345678-0000-0000-0000-000000000001")),
		goipp.MakeAttr("printer-device-id", goipp.TagText, goipp.String("MFG:Example;MDL:Page 1;CMD:PDF;")),
	}
	var ops goipp.Attribute
	ops.Name = "operations-supported"
	for _, op := range f.ops {
		ops.Values.Add(goipp.TagEnum, goipp.Integer(op))
	}
	a.Add(ops)
	if len(f.formats) > 0 {
		x := goipp.Attribute{Name: "document-format-supported"}
		for _, s := range f.formats {
			x.Values.Add(goipp.TagMimeType, goipp.String(s))
		}
		a.Add(x)
	}
	if len(f.ready) > 0 {
		a.Add(keywords("media-ready", f.ready...))
	}
	if f.whichAll {
		a.Add(keywords("which-jobs-supported", "all", "completed", "not-completed"))
	}
	for _, x := range f.extra {
		a.Add(x)
	}
	return a
}

// A ledger takes notes as a journal would.
type ledger struct {
	mu    sync.Mutex
	notes map[string]string
	fail  error
	then  func(key string)
}

func (l *ledger) note(key, value string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if l.notes == nil {
		l.notes = make(map[string]string)
	}
	l.notes[key] = value
	if l.then != nil {
		l.then(key)
	}
	return nil
}

const jobName = "0192f3a0-1111-7000-8000-000000000001/print/1"

func document(l *ledger) devices.DocumentJob {
	return devices.DocumentJob{Name: jobName, PDF: page, Sheets: 1, Note: l.note}
}

// soon is a context for jobs that never settle.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func want(t *testing.T, res devices.PrintResult, outcome devices.PrintOutcome, why devices.Unready, detail string) {
	t.Helper()
	if res.Outcome != outcome || res.Why != why || !strings.Contains(res.Detail, detail) {
		t.Errorf("got %+v\nwant %s, why %q, detail with %q", res, outcome, why, detail)
	}
	if strings.Contains(res.Detail, "127.0.0.1") || strings.Contains(res.Detail, jobName) {
		t.Errorf("detail names an address or the job: %s", res.Detail)
	}
}

var errDisk = errors.New("disk is full")
