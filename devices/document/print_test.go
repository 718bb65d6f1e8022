// Every way a print can go, and what is honestly said of it.

package document

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

func TestPrintConfirmed(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	var l ledger
	l.then = func(string) {
		if f.documents != 0 {
			t.Error("document was sent before the facts were noted")
		}
	}
	var progress []int
	job := document(&l)
	job.Progress = func(n int) { progress = append(progress, n) }
	res := p.Print(t.Context(), job)
	want(t, res, devices.PrintConfirmed, "", "")
	if res.By != "ipp" || res.Sheets != 1 {
		t.Errorf("result %+v", res)
	}
	if !slices.Equal(progress, []int{1}) {
		t.Errorf("progress %v", progress)
	}
	if l.notes[NoteJobID] != "17" || !strings.HasPrefix(l.notes[NoteJobUUID], "urn:uuid:") {
		t.Errorf("notes %v", l.notes)
	}
	if !bytes.Equal(f.jobs[0].pdf, page) {
		t.Error("document was changed on its way")
	}
	if got := strings.Join(f.log, " "); got != "Get-Jobs Validate-Job Create-Job Send-Document" {
		t.Errorf("acts: %s", got)
	}
}

func TestWhatThePrinterIsTold(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	p.Print(t.Context(), document(&ledger{}))
	var create *goipp.Message
	for _, m := range f.seen {
		op := attributes(m.Operation)
		if m.Operation[0].Name != "attributes-charset" || m.Operation[1].Name != "attributes-natural-language" || m.Operation[2].Name != "printer-uri" {
			t.Errorf("%s: order of operation attributes", goipp.Op(m.Code))
		}
		if u := op.strings("requesting-user-name"); len(u) != 1 || u[0] != "kiosk" {
			t.Errorf("%s: user %q", goipp.Op(m.Code), u)
		}
		if op.has("job-id") && m.Operation[3].Name != "job-id" {
			t.Errorf("%s: job-id does not follow printer-uri", goipp.Op(m.Code))
		}
		if goipp.Op(m.Code) == goipp.OpCreateJob {
			create = m
		}
	}
	op, job := attributes(create.Operation), attributes(create.Job)
	if op.string("job-name") != jobName || op.string("printer-uri") != f.uri() || op.isFalse("ipp-attribute-fidelity") || !op.has("ipp-attribute-fidelity") {
		t.Errorf("operation attributes %v", create.Operation)
	}
	if job.int("copies", 0) != 1 || job.string("sides") != "one-sided" || job.string("media") != A4 || job.string("print-scaling") != "none" {
		t.Errorf("job attributes %v", create.Job)
	}
}

// hooked makes one operation fail in some way, each time it is asked.
func hooked(op goipp.Op, do func(f *fake, w http.ResponseWriter, req *goipp.Message)) func(*fake) {
	return func(f *fake) {
		f.hook = func(o goipp.Op, w http.ResponseWriter, req *goipp.Message) bool {
			if o != op {
				return false
			}
			do(f, w, req)
			return true
		}
	}
}

func status(s goipp.Status) func(*fake, http.ResponseWriter, *goipp.Message) {
	return func(_ *fake, w http.ResponseWriter, req *goipp.Message) { reply(w, response(req, s)) }
}

func hangUp(*fake, http.ResponseWriter, *goipp.Message) { panic(http.ErrAbortHandler) }

func halfABody(f *fake, w http.ResponseWriter, req *goipp.Message) {
	w.Header().Set("Content-Type", goipp.ContentType)
	w.Header().Set("Content-Length", "4000")
	_, _ = w.Write(make([]byte, 100))
}

func html(_ *fake, w http.ResponseWriter, _ *goipp.Message) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<html>Printer set-up</html>"))
}

func internalError(_ *fake, w http.ResponseWriter, _ *goipp.Message) {
	http.Error(w, "oops", http.StatusInternalServerError)
}

// gigabyte sends a body that never ends, without saying how long it is.
func gigabyte(_ *fake, w http.ResponseWriter, _ *goipp.Message) {
	w.Header().Set("Content-Type", goipp.ContentType)
	chunk := make([]byte, 1<<16)
	for range 1 << 14 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func garbage(_ *fake, w http.ResponseWriter, _ *goipp.Message) {
	w.Header().Set("Content-Type", goipp.ContentType)
	_, _ = w.Write([]byte("\x02\x00\x00\x00these are not attributes"))
}

func fate(do func(*fakeJob)) func(*fake) {
	return func(f *fake) { f.received = do }
}

func ended(state, impressions int, reasons ...string) func(*fake) {
	return fate(func(j *fakeJob) { j.state, j.impressions, j.reasons = state, impressions, reasons })
}

func TestPrintOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		arrange   func(*fake)
		outcome   devices.PrintOutcome
		why       devices.Unready
		detail    string
		documents int // sent
	}{
		// Before a job exists.
		"stopped without paper":   {func(f *fake) { f.state, f.reasons = printerStopped, []string{"media-empty-error"} }, devices.PrintNotSent, devices.UnreadyPaperOut, "media-empty-error", 0},
		"paper reported missing":  {func(f *fake) { f.reasons = []string{"media-empty-report"} }, devices.PrintNotSent, devices.UnreadyPaperOut, "media-empty-report", 0},
		"other paper loaded":      {func(f *fake) { f.ready = []string{"na_letter_8.5x11in"} }, devices.PrintNotSent, devices.UnreadyPaperOut, "not-ready", 0},
		"jammed":                  {func(f *fake) { f.reasons = []string{"media-jam-warning"} }, devices.PrintNotSent, devices.UnreadyJammed, "media-jam", 0},
		"cover open":              {func(f *fake) { f.reasons = []string{"cover-open"} }, devices.PrintNotSent, devices.UnreadyCoverOpen, "cover-open", 0},
		"no toner":                {func(f *fake) { f.reasons = []string{"toner-empty"} }, devices.PrintNotSent, devices.UnreadyTonerOut, "toner-empty", 0},
		"paused":                  {func(f *fake) { f.state, f.reasons = printerStopped, []string{"paused"} }, devices.PrintNotSent, devices.UnreadyOffline, "paused", 0},
		"not accepting":           {func(f *fake) { f.accepting = false }, devices.PrintNotSent, devices.UnreadyOffline, "not-accepting-jobs", 0},
		"another job queued":      {func(f *fake) { f.queued = 2 }, devices.PrintNotSent, devices.UnreadyOffline, "queued-job-count 2", 0},
		"validation refuses":      {hooked(goipp.OpValidateJob, status(goipp.StatusErrorAttributesOrValues)), devices.PrintNotSent, devices.UnreadyBroken, "Validate-Job: client-error-attributes-or-values-not-supported", 0},
		"validation substitutes":  {hooked(goipp.OpValidateJob, substitutes("media")), devices.PrintNotSent, devices.UnreadyBroken, "will not honour media", 0},
		"list of jobs is refused": {hooked(goipp.OpGetJobs, status(goipp.StatusErrorInternal)), devices.PrintNotSent, devices.UnreadyBroken, "Get-Jobs: server-error-internal-error", 0},
		"list of jobs is cut":     {hooked(goipp.OpGetJobs, halfABody), devices.PrintNotSent, devices.UnreadyBroken, "Get-Jobs: answer breaks off", 0},

		// At Create-Job.
		"create refused":        {hooked(goipp.OpCreateJob, status(goipp.StatusErrorBusy)), devices.PrintNotSent, devices.UnreadyOffline, "Create-Job: server-error-busy", 0},
		"create answers 500":    {hooked(goipp.OpCreateJob, internalError), devices.PrintNotSent, devices.UnreadyBroken, "Create-Job: HTTP 500", 0},
		"create answers HTML":   {hooked(goipp.OpCreateJob, html), devices.PrintNotSent, devices.UnreadyBroken, `"text/html"`, 0},
		"create without end":    {hooked(goipp.OpCreateJob, gigabyte), devices.PrintNotSent, devices.UnreadyBroken, "larger than", 0},
		"create garbage":        {hooked(goipp.OpCreateJob, garbage), devices.PrintNotSent, devices.UnreadyBroken, "not an IPP answer", 0},
		"create without job-id": {hooked(goipp.OpCreateJob, status(goipp.StatusOk)), devices.PrintNotSent, devices.UnreadyBroken, "without a job-id", 0},
		"create substitutes":    {hooked(goipp.OpCreateJob, substitutes("sides")), devices.PrintNotSent, devices.UnreadyBroken, "", 0},
		"answer to another":     {hooked(goipp.OpCreateJob, anotherRequest), devices.PrintNotSent, devices.UnreadyBroken, "another request", 0},

		// After the document was sent.
		"aborted":                    {ended(jobAborted, 0, "aborted-by-system"), devices.PrintFailed, "", "aborted", 1},
		"aborted in the middle":      {ended(jobAborted, 1, "aborted-by-system"), devices.PrintUnknown, "", "aborted", 1},
		"aborted, counts missing":    {ended(jobAborted, -1, "aborted-by-system"), devices.PrintUnknown, "", "aborted", 1},
		"canceled at the panel":      {ended(jobCanceled, 0, "job-canceled-at-device"), devices.PrintFailed, "", "canceled", 1},
		"canceled after a sheet":     {ended(jobCanceled, 1, "job-canceled-at-device"), devices.PrintUnknown, "", "canceled", 1},
		"completed, nothing counted": {ended(jobCompleted, 0, "job-completed-successfully"), devices.PrintUnknown, "", "0 of 1", 1},
		"completed, one too many":    {ended(jobCompleted, 2, "job-completed-successfully"), devices.PrintUnknown, "", "2 of 1", 1},
		"completed, no count":        {ended(jobCompleted, -1, "job-completed-successfully"), devices.PrintUnknown, "", "-1 of 1", 1},
		"completed, format error":    {ended(jobCompleted, 0, "document-format-error", "job-completed-successfully"), devices.PrintFailed, "", "document-format-error", 1},
		"completed, yet spoilt":      {ended(jobCompleted, 1, "job-completed-successfully", "document-format-error"), devices.PrintUnknown, "", "document-format-error", 1},
		"completed with errors":      {ended(jobCompleted, 1, "job-completed-with-errors"), devices.PrintUnknown, "", "with-errors", 1},
		"completed, no reason":       {ended(jobCompleted, 1), devices.PrintUnknown, "", "completed", 1},
		"stuck":                      {ended(5, 0, "job-printing"), devices.PrintFailed, "", "canceled", 1},
		"stuck after a sheet":        {ended(5, 1, "job-printing"), devices.PrintUnknown, "", "canceled", 1},
		"refuses to be canceled":     {both(ended(5, 0, "job-printing"), hooked(goipp.OpCancelJob, status(goipp.StatusErrorNotPossible))), devices.PrintUnknown, "", "time is up", 1},
		"stopping for ever":          {ended(jobCanceled, 0, "processing-to-stop-point"), devices.PrintUnknown, "", "time is up", 1},
		"job forgotten":              {forgets, devices.PrintUnknown, "", "does not know the job", 1},
		"number given to another":    {recycles, devices.PrintUnknown, "", "does not know the job", 1},
		"send answered with 500":     {loses(internalError), devices.PrintConfirmed, "", "", 1},
		"send answered with HTML":    {loses(html), devices.PrintConfirmed, "", "", 1},
		"send answered by half":      {loses(halfABody), devices.PrintConfirmed, "", "", 1},
		"send answered by hang-up":   {loses(hangUp), devices.PrintConfirmed, "", "", 1},
		"send answered without end":  {loses(gigabyte), devices.PrintConfirmed, "", "", 1},
		"send refused":               {hooked(goipp.OpSendDocument, status(goipp.StatusErrorDocumentFormatError)), devices.PrintFailed, devices.UnreadyBroken, "Send-Document: client-error-document-format-error", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			opt := quick()
			if c.outcome != devices.PrintUnknown { // patience is only wasted where nothing will come
				opt.EndWait = 5 * time.Second
			}
			p := f.open(t, opt)
			f.lock(func() { c.arrange(f) })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if received := f.received; received != nil { // the time is up only once the document is there
				f.received = func(j *fakeJob) {
					received(j)
					if j.state < jobCanceled || slices.Contains(j.reasons, "processing-to-stop-point") {
						time.AfterFunc(50*time.Millisecond, cancel)
					}
				}
			}
			res := p.Print(ctx, document(&ledger{}))
			want(t, res, c.outcome, c.why, c.detail)
			f.lock(func() {
				if f.documents != c.documents {
					t.Errorf("%d documents reached the printer, want %d", f.documents, c.documents)
				}
				if n := count(f.log, "Send-Document"); n > 1 {
					t.Errorf("sent %d times", n)
				}
				if res.Outcome != devices.PrintNotSent {
					return
				}
				for _, j := range f.jobs {
					if j.state < jobCanceled {
						t.Errorf("a job of a print that did not happen is left: %+v", j)
					}
				}
			})
		})
	}
}

func count(s []string, x string) (n int) {
	for _, v := range s {
		if v == x {
			n++
		}
	}
	return n
}

func both(a, b func(*fake)) func(*fake) { return func(f *fake) { a(f); b(f) } }

// loses does what Send-Document asks and answers badly.
func loses(how func(*fake, http.ResponseWriter, *goipp.Message)) func(*fake) {
	return hooked(goipp.OpSendDocument, func(f *fake, w http.ResponseWriter, req *goipp.Message) {
		f.lock(func() { f.answer(goipp.OpSendDocument, req, page) })
		how(f, w, req)
	})
}

func substitutes(what string) func(*fake, http.ResponseWriter, *goipp.Message) {
	return func(f *fake, w http.ResponseWriter, req *goipp.Message) {
		var m *goipp.Message
		f.lock(func() { m = f.answer(goipp.Op(req.Code), req, nil) })
		m.Code = goipp.Code(goipp.StatusOkIgnoredOrSubstituted)
		m.Unsupported = goipp.Attributes{keywords(what, "odd")}
		reply(w, m)
	}
}

func anotherRequest(f *fake, w http.ResponseWriter, req *goipp.Message) {
	var m *goipp.Message
	f.lock(func() { m = f.answer(goipp.Op(req.Code), req, nil) })
	m.RequestID += 5
	reply(w, m)
}

// forgets is a printer that was switched off after the document came.
func forgets(f *fake) {
	f.received = func(*fakeJob) { f.jobs = nil }
}

// recycles is the same, and the number went to somebody else's job since.
func recycles(f *fake) {
	f.received = func(j *fakeJob) {
		other := &fakeJob{id: j.id, name: "somebody else's"}
		other.complete(1)
		f.jobs = []*fakeJob{other}
	}
	f.hook = func(op goipp.Op, w http.ResponseWriter, req *goipp.Message) bool {
		if op != goipp.OpGetJobAttributes {
			return false
		}
		var m *goipp.Message
		f.lock(func() { m = f.answer(op, req, nil) })
		if f.documents > 0 { // another uuid than the first
			for i, a := range m.Job {
				if a.Name == "job-uuid" {
					m.Job[i] = goipp.MakeAttr("job-uuid", goipp.TagURI, goipp.String("urn:uuid:other"))
				}
			}
		}
		reply(w, m)
		return true
	}
}

func TestSeveralSheets(t *testing.T) {
	for name, c := range map[string]struct {
		end     func(*fakeJob)
		outcome devices.PrintOutcome
		sheets  int
		told    []int
	}{
		"all":            {func(j *fakeJob) { j.complete(3) }, devices.PrintConfirmed, 3, []int{1, 3}},
		"torn off":       {func(j *fakeJob) { j.state, j.reasons = jobAborted, []string{"aborted-by-system"} }, devices.PrintFailed, 1, []int{1}},
		"fewer":          {func(j *fakeJob) { j.complete(2) }, devices.PrintUnknown, 2, []int{1, 2}},
		"canceled after": {func(j *fakeJob) { j.state = jobCanceled }, devices.PrintUnknown, 1, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.open(t, quick())
			f.received = func(j *fakeJob) { j.state, j.impressions = 5, 1 }
			job := document(&ledger{})
			job.Sheets = 3
			var told []int
			job.Progress = func(n int) {
				if told = append(told, n); n == 1 {
					f.lock(func() { c.end(f.jobs[0]) })
				}
			}
			res := p.Print(t.Context(), job)
			want(t, res, c.outcome, "", "")
			if res.Sheets != c.sheets || !slices.Equal(told, c.told) {
				t.Errorf("%d sheets, told %v", res.Sheets, told)
			}
		})
	}
}

func TestCountsMayComeLate(t *testing.T) {
	f := newFake(t)
	f.received = func(j *fakeJob) {
		j.complete(0)
		time.AfterFunc(40*time.Millisecond, func() { f.lock(func() { j.impressions = 1 }) })
	}
	opt := quick()
	opt.EndWait = 5 * time.Second
	p := f.open(t, opt)
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "")
}

func TestPaperRunsOutAndIsRefilled(t *testing.T) {
	f := newFake(t)
	opt := quick()
	var mu sync.Mutex
	var papers []devices.Supply
	opt.Status = func(st devices.Status) {
		mu.Lock()
		defer mu.Unlock()
		papers = append(papers, st.Paper)
	}
	p := f.open(t, opt)
	f.received = func(j *fakeJob) {
		j.state, j.reasons = 6, []string{"printer-stopped"}
		f.state, f.reasons = printerStopped, []string{"media-empty-warning"}
	}
	job := document(&ledger{})
	var told []devices.Unready
	job.Hindered = func(why devices.Unready) {
		told = append(told, why)
		if why == devices.UnreadyPaperOut {
			f.lock(func() {
				f.state, f.reasons = printerIdle, nil
				f.jobs[0].complete(1)
			})
		}
	}
	want(t, p.Print(t.Context(), job), devices.PrintConfirmed, "", "")
	if !slices.Equal(told, []devices.Unready{devices.UnreadyPaperOut, devices.UnreadyNot}) {
		t.Errorf("told %q", told)
	}
	if !slices.Contains(papers, devices.SupplyOut) {
		t.Errorf("status said %q", papers)
	}
}

func TestPaperRunsOutAndNobodyComes(t *testing.T) {
	f := newFake(t)
	opt := quick()
	opt.EndWait = 5 * time.Second
	p := f.open(t, opt)
	f.received = func(j *fakeJob) {
		j.state = 5
		f.reasons = []string{"media-empty-error"}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := document(&ledger{})
	job.Hindered = func(devices.Unready) { cancel() }
	res := p.Print(ctx, job)
	want(t, res, devices.PrintFailed, devices.UnreadyPaperOut, "canceled")
	if res.Sheets != 0 {
		t.Errorf("sheets %d", res.Sheets)
	}
}

func TestPrinterVanishes(t *testing.T) {
	t.Run("between Create-Job and Send-Document", func(t *testing.T) {
		f := newFake(t)
		p := f.open(t, quick())
		l := ledger{then: func(key string) {
			if key == NoteJobUUID {
				f.Listener.Close()
				f.CloseClientConnections()
			}
		}}
		want(t, p.Print(t.Context(), document(&l)), devices.PrintNotSent, devices.UnreadyNoDevice, "Send-Document: device is not there")
	})
	t.Run("after the document came", func(t *testing.T) {
		f := newFake(t)
		p := f.open(t, quick())
		f.received = func(j *fakeJob) { j.state = 5 }
		f.hook = func(op goipp.Op, w http.ResponseWriter, req *goipp.Message) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.documents > 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		job := document(&ledger{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var told []devices.Unready
		job.Hindered = func(why devices.Unready) {
			told = append(told, why)
			cancel()
		}
		res := p.Print(ctx, job)
		want(t, res, devices.PrintUnknown, devices.UnreadyNoDevice, "time is up")
		if res.Sheets != -1 || !slices.Equal(told, []devices.Unready{devices.UnreadyNoDevice}) {
			t.Errorf("sheets %d, told %q", res.Sheets, told)
		}
	})
	t.Run("before", func(t *testing.T) {
		f := newFake(t)
		p := f.open(t, quick())
		f.Close()
		want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintNotSent, devices.UnreadyNoDevice, "device is not there")
	})
}

func TestANameIsNeverSentTwice(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "")
	f.lock(func() { f.state, f.reasons, f.queued = printerStopped, []string{"media-empty"}, 3 })
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "") // it is on paper, whatever there is now
	if f.documents != 1 || len(f.jobs) != 1 {
		t.Errorf("%d documents, %d jobs", f.documents, len(f.jobs))
	}

	// One that is still being printed is waited for.
	f.lock(func() { f.jobs = []*fakeJob{{id: 30, name: jobName, state: 5, documents: 1}} })
	time.AfterFunc(30*time.Millisecond, func() { f.lock(func() { f.jobs[0].complete(1) }) })
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "")
	if f.documents != 1 {
		t.Errorf("%d documents", f.documents)
	}
}

func TestNoteFails(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	want(t, p.Print(t.Context(), document(&ledger{fail: errDisk})), devices.PrintNotSent, "", "disk is full")
	if f.documents != 0 || f.jobs[0].state != jobCanceled {
		t.Errorf("%d documents, job %+v", f.documents, f.jobs[0])
	}
}

func TestJobsThatNobodyCanPrint(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	good := document(&ledger{})
	for name, spoil := range map[string]func(*devices.DocumentJob){
		"no name":       func(j *devices.DocumentJob) { j.Name = "" },
		"name too long": func(j *devices.DocumentJob) { j.Name = strings.Repeat("x", 128) },
		"chinese name":  func(j *devices.DocumentJob) { j.Name = "张三" },
		"no document":   func(j *devices.DocumentJob) { j.PDF = nil },
		"not a PDF":     func(j *devices.DocumentJob) { j.PDF = []byte("<html>") },
		"no sheets":     func(j *devices.DocumentJob) { j.Sheets = 0 },
		"no ledger":     func(j *devices.DocumentJob) { j.Note = nil },
	} {
		job := good
		spoil(&job)
		if res := p.Print(t.Context(), job); res.Outcome != devices.PrintNotSent || res.Detail == "" {
			t.Errorf("%s: %+v", name, res)
		}
	}
	if len(f.log) != 0 {
		t.Errorf("the printer was bothered: %v", f.log)
	}
}

func TestOneJobAtATime(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	f.received = func(j *fakeJob) { j.state = 5 }
	started := make(chan struct{})
	var once sync.Once
	job := document(&ledger{then: func(string) { once.Do(func() { close(started) }) }})
	first := make(chan devices.PrintResult, 1)
	go func() { first <- p.Print(t.Context(), job) }()
	<-started
	other := document(&ledger{})
	other.Name = "other"
	want(t, p.Print(soon(t), other), devices.PrintNotSent, devices.UnreadyOffline, "another job")
	if _, err := p.Probe(t.Context()); err != nil {
		t.Errorf("probing meanwhile: %v", err)
	}
	f.lock(func() { f.jobs[0].complete(1) })
	// The document may come only after that.
	f.lock(func() { f.received = nil })
	want(t, <-first, devices.PrintConfirmed, "", "")
}

func TestCloseEndsAPrint(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	f.received = func(j *fakeJob) {
		j.state = 5
		time.AfterFunc(20*time.Millisecond, func() { _ = p.Close() })
	}
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintUnknown, devices.UnreadyNoDevice, "closed")
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintNotSent, devices.UnreadyNoDevice, "closed")
}
