package sim

// The operations of the printer.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"
)

// operations are what the printer does.
var operations = []goipp.Op{goipp.OpPrintJob, goipp.OpValidateJob, goipp.OpCreateJob, goipp.OpSendDocument, goipp.OpCancelJob,
	goipp.OpGetJobAttributes, goipp.OpGetJobs, goipp.OpGetPrinterAttributes, goipp.OpCloseJob}

func (p *DocumentPrinter) operate(req, resp *goipp.Message, document []byte) error {
	switch goipp.Op(req.Code) {
	case goipp.OpGetPrinterAttributes:
		resp.Printer = requested(req, p.attributes())
		return nil
	case goipp.OpValidateJob:
		return p.validate(req)
	case goipp.OpCreateJob, goipp.OpPrintJob:
		return p.create(req, resp, document)
	case goipp.OpSendDocument:
		return p.send(req, resp, document)
	case goipp.OpCloseJob:
		return p.withJob(req, func(j *job) error {
			j.closed = true
			return nil
		})
	case goipp.OpCancelJob:
		return p.withJob(req, func(j *job) error {
			if j.over() {
				return &ippFault{goipp.StatusErrorNotPossible, "the job is over"}
			}
			p.endLocked(j, jobCanceled, "job-canceled-by-user")
			return nil
		})
	case goipp.OpGetJobAttributes:
		return p.withJob(req, func(j *job) error {
			resp.Job = requested(req, p.jobAttributes(j))
			return nil
		})
	case goipp.OpGetJobs:
		return p.list(req, resp)
	}
	return &ippFault{goipp.StatusErrorOperationNotSupported, "not an operation of this printer"}
}

// validate checks a job's attributes as it would when it is created.
func (p *DocumentPrinter) validate(req *goipp.Message) error {
	if p.faults.has("not-accepting") {
		return &ippFault{goipp.StatusErrorNotAcceptingJobs, "not accepting jobs"}
	}
	if f := text(req.Operation, "document-format"); f != "" && !slices.Contains(p.kind.formats, f) {
		return &ippFault{goipp.StatusErrorDocumentFormatNotSupported, p.kind.formats[0]}
	}
	if c := text(req.Operation, "compression"); c != "" && c != "none" {
		return &ippFault{goipp.StatusErrorCompressionNotSupported, "no compression"}
	}
	strict := text(req.Operation, "ipp-attribute-fidelity") == "true"
	if m := text(req.Job, "media"); strict && m != "" && m != p.kind.media {
		return &ippFault{goipp.StatusErrorAttributesOrValues, p.kind.media}
	}
	if n := number(req.Job, "copies", 1); n < 1 || n > 99 {
		return &ippFault{goipp.StatusErrorAttributesOrValues, "copies 1 to 99"}
	}
	if s := text(req.Job, "sides"); strict && s != "" && s != "one-sided" {
		return &ippFault{goipp.StatusErrorAttributesOrValues, "one-sided"}
	}
	return nil
}

// create makes a job; Print-Job brings the document with it.
func (p *DocumentPrinter) create(req, resp *goipp.Message, document []byte) error {
	if err := p.validate(req); err != nil {
		return err
	}
	whole := goipp.Op(req.Code) == goipp.OpPrintJob
	j := &job{uuid: newUUID(), name: text(req.Operation, "job-name"), user: text(req.Operation, "requesting-user-name"),
		state: jobPending, reasons: []string{"job-incoming"}, copies: number(req.Job, "copies", 1), created: p.opt.Now(),
		deadline: time.Now().Add(p.opt.JobTimeout)}
	if whole {
		j.take(document)
		j.closed = true
	}
	p.change(func() {
		j.id = p.nextID
		p.nextID++
		if j.name == "" {
			j.name = "untitled"
		}
		p.jobs = append(p.jobs, j)
		p.jobs = p.jobs[max(0, len(p.jobs)-mostJobs):]
		resp.Job = p.brief(j)
	})
	return nil
}

// take adds a document to the job.
func (j *job) take(document []byte) {
	j.documents++
	j.data = append(j.data, document...)
	j.reasons = []string{"none"}
}

// send is Send-Document.
func (p *DocumentPrinter) send(req, resp *goipp.Message, document []byte) error {
	last := text(req.Operation, "last-document")
	if last == "" {
		return &ippFault{goipp.StatusErrorBadRequest, "last-document is missing"}
	}
	if f := text(req.Operation, "document-format"); f != "" && !slices.Contains(p.kind.formats, f) {
		return &ippFault{goipp.StatusErrorDocumentFormatNotSupported, p.kind.formats[0]}
	}
	return p.withJob(req, func(j *job) error {
		switch {
		case j.over() || j.closed:
			return &ippFault{goipp.StatusErrorNotPossible, "the job takes no more documents"}
		case len(document) > 0 && j.documents > 0:
			return &ippFault{goipp.StatusErrorMultipleJobsNotSupported, "one document a job"}
		case len(document) > 0:
			j.take(document)
		}
		j.deadline = time.Now().Add(p.opt.JobTimeout)
		j.closed = last == "true"
		resp.Job = p.brief(j)
		return nil
	})
}

// withJob finds the request's job and does something to it.
func (p *DocumentPrinter) withJob(req *goipp.Message, do func(*job) error) error {
	id := number(req.Operation, "job-id", 0)
	if uri := text(req.Operation, "job-uri"); id == 0 && uri != "" {
		id, _ = strconv.Atoi(uri[strings.LastIndexByte(uri, '/')+1:])
	}
	var err error
	p.change(func() {
		i := slices.IndexFunc(p.jobs, func(j *job) bool { return j.id == id })
		if i < 0 {
			err = &ippFault{goipp.StatusErrorNotFound, fmt.Sprintf("no job %d", id)}
			return
		}
		err = do(p.jobs[i])
	})
	return err
}

// list is Get-Jobs: by default those that are not over.
func (p *DocumentPrinter) list(req, resp *goipp.Message) error {
	which, user := text(req.Operation, "which-jobs"), ""
	switch which {
	case "", "not-completed", "completed", "all":
	default:
		return &ippFault{goipp.StatusErrorAttributesOrValues, "which-jobs: all, completed, not-completed"}
	}
	if text(req.Operation, "my-jobs") == "true" {
		user = text(req.Operation, "requesting-user-name")
	}
	limit := number(req.Operation, "limit", mostJobs)
	if text(req.Operation, "requested-attributes") == "" {
		req.Operation.Add(goipp.MakeAttr("requested-attributes", goipp.TagKeyword, goipp.String("job-uri"), goipp.String("job-id")))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	resp.Groups = goipp.Groups{{Tag: goipp.TagOperationGroup, Attrs: resp.Operation}}
	for _, j := range slices.Backward(p.jobs) {
		if limit == 0 || (user != "" && j.user != user) || (which == "completed") != j.over() && which != "all" {
			continue
		}
		limit--
		resp.Groups.Add(goipp.Group{Tag: goipp.TagJobGroup, Attrs: requested(req, p.jobAttributes(j))})
	}
	return nil
}

// requested keeps what the request asks for; nothing asked is everything.
func requested(req *goipp.Message, all goipp.Attributes) goipp.Attributes {
	want := texts(req.Operation, "requested-attributes")
	if len(want) == 0 {
		return all
	}
	var out goipp.Attributes
	for _, a := range all {
		if slices.Contains(want, a.Name) || slices.Contains(want, "all") || slices.ContainsFunc(groupsOf(a.Name), func(g string) bool { return slices.Contains(want, g) }) {
			out.Add(a)
		}
	}
	return out
}

// groupsOf are the group keywords that an attribute's name belongs to.
func groupsOf(name string) []string {
	switch {
	case strings.HasPrefix(name, "job-") || strings.HasPrefix(name, "time-at") || name == "date-time-at":
		return []string{"job-description"}
	case strings.HasSuffix(name, "-default") || strings.HasSuffix(name, "-supported") && !strings.HasPrefix(name, "operations"):
		return []string{"job-template", "printer-description"}
	}
	return []string{"printer-description"}
}

func texts(all goipp.Attributes, name string) []string {
	var out []string
	for _, a := range all {
		if a.Name != name {
			continue
		}
		for _, v := range a.Values {
			out = append(out, v.V.String())
		}
	}
	return out
}

func text(all goipp.Attributes, name string) string {
	if t := texts(all, name); len(t) > 0 {
		return t[0]
	}
	return ""
}

func number(all goipp.Attributes, name string, otherwise int) int {
	for _, a := range all {
		if a.Name == name && len(a.Values) > 0 {
			if n, ok := a.Values[0].V.(goipp.Integer); ok {
				return int(n)
			}
		}
	}
	return otherwise
}

func itoa(n int) string { return strconv.Itoa(n) }
