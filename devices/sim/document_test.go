package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"
)

// pdf is a document of n pages, as far as a printer looks at it; a signature has written the first page twice.
func pdf(n int) []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n")
	fmt.Fprintf(&b, "2 0 obj\n<</Type /Pages /Count %d>>\nendobj\n", n)
	for i := range n {
		fmt.Fprintf(&b, "%d 0 obj\n<</Type /Page /Parent 2 0 R>>\nendobj\n", 3+i)
	}
	b.WriteString("3 0 obj\n<</Type /Page /Parent 2 0 R /Annots []>>\nendobj\ntrailer\n%%EOF\n")
	return []byte(b.String())
}

func TestPagesAreCounted(t *testing.T) {
	for n := 1; n < 5; n++ {
		if got, ok := countPages(pdf(n)); got != n || !ok {
			t.Errorf("%d pages are %d, %v", n, got, ok)
		}
	}
	flat := []byte("%PDF-1.4\n3 0 obj\n<</Type/Page>>\nendobj\n3 0 obj\n<</Type/Page>>\nendobj\n4 0 obj <</Type/Page>> endobj\n%%EOF")
	if got, _ := countPages(flat); got != 2 {
		t.Errorf("without a tree: %d", got)
	}
	for _, bad := range []string{"", "%PDF-1.4", "<html>%%EOF", "%PDF-1.4\n%%EOF"} {
		if _, ok := countPages([]byte(bad)); ok {
			t.Errorf("%q has pages", bad)
		}
	}
}

func quickDocument(t *testing.T, opt DocumentOptions) *DocumentPrinter {
	t.Helper()
	if opt.PageTime == 0 {
		opt.PageTime = -1
	}
	p, err := StartDocumentPrinter(opt)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// ask sends one request.
func ask(p *DocumentPrinter, op goipp.Op, document []byte, attrs ...goipp.Attribute) (*goipp.Message, error) {
	req := goipp.NewRequest(goipp.MakeVersion(2, 0), op, 7)
	req.Operation.Add(stringsAttr("attributes-charset", goipp.TagCharset, "utf-8"))
	req.Operation.Add(stringsAttr("attributes-natural-language", goipp.TagLanguage, "en"))
	req.Operation.Add(stringsAttr("printer-uri", goipp.TagURI, p.URI()))
	for _, a := range attrs {
		req.Operation.Add(a)
	}
	body, err := req.EncodeBytes()
	if err != nil {
		return nil, err
	}
	hr, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http"+strings.TrimPrefix(p.URI(), "ipp"), bytes.NewReader(append(body, document...)))
	if err != nil {
		return nil, err
	}
	hr.Header.Set("Content-Type", "application/ipp")
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Do(hr)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if ct := res.Header.Get("Content-Type"); res.StatusCode != 200 || ct != "application/ipp" {
		return nil, fmt.Errorf("HTTP %d %s", res.StatusCode, ct)
	}
	all, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var m goipp.Message
	return &m, m.DecodeBytes(all)
}

// printIt creates a job and sends a document of n pages.
func printIt(t *testing.T, p *DocumentPrinter, name string, n int) int {
	t.Helper()
	m, err := ask(p, goipp.OpCreateJob, nil, stringsAttr("job-name", goipp.TagName, name))
	must(t, err)
	id := number(m.Job, "job-id", 0)
	m, err = ask(p, goipp.OpSendDocument, pdf(n), intAttr("job-id", id), boolAttr("last-document", true))
	must(t, err)
	if goipp.Status(m.Code) != goipp.StatusOk {
		t.Fatalf("Send-Document: %v", goipp.Status(m.Code))
	}
	return id
}

func jobIn(p *DocumentPrinter, id int) JobState {
	for _, j := range p.State().Jobs {
		if j.ID == id {
			return j
		}
	}
	return JobState{}
}

func TestADocumentIsPrintedAndCounted(t *testing.T) {
	dir := t.TempDir()
	got, looked := make(chan Paper, 1), make(chan struct{})
	p := quickDocument(t, DocumentOptions{Dir: dir, OnPrint: func(d Paper) { got <- d; <-looked }})
	id := printIt(t, p, "case-1", 3)
	d := <-got
	if state := jobIn(p, id).State; state != "processing" {
		t.Errorf("the job is %s before its paper was looked at", state)
	}
	close(looked)
	for end := time.Now().Add(10 * time.Second); jobIn(p, id).State == "processing" && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if d.Pages != 3 || d.File != "certificate-01.pdf" || !bytes.Equal(d.Data, pdf(3)) {
		t.Errorf("%d pages in %s", d.Pages, d.File)
	}
	file, err := os.ReadFile(filepath.Join(dir, d.File))
	must(t, err)
	if !bytes.Equal(file, pdf(3)) {
		t.Error("the file is not the document")
	}
	m, err := ask(p, goipp.OpGetJobAttributes, nil, intAttr("job-id", id))
	must(t, err)
	if number(m.Job, "job-state", 0) != 9 || text(m.Job, "job-state-reasons") != "job-completed-successfully" ||
		number(m.Job, "job-impressions-completed", -1) != 3 || text(m.Job, "job-name") != "case-1" {
		t.Errorf("%v", m.Job)
	}
	if p.Lifetime() != 3 || !p.Present() || p.Take() != 1 || p.Present() {
		t.Error("counter or tray is wrong")
	}
}

func TestDocumentPrinterHindrances(t *testing.T) {
	for fault, reason := range map[string]string{"media-empty": "media-empty-error", "cover-open": "cover-open-error",
		"media-jam": "media-jam-error", "toner-empty": "toner-empty-error", "paper-out-mid-job": "media-empty-error",
		"jam-mid-job": "media-jam-error", "output-full": "output-area-full-error", "paused": "paused"} {
		t.Run(fault, func(t *testing.T) {
			p := quickDocument(t, DocumentOptions{})
			value := ""
			mid := strings.HasSuffix(fault, "-mid-job")
			if mid {
				value = "2"
			}
			must(t, p.Fault(fault, value))
			id := printIt(t, p, "case", 3)
			eventually(t, "stopped", func() bool { return jobIn(p, id).State == "stopped" })
			m, err := ask(p, goipp.OpGetPrinterAttributes, nil)
			must(t, err)
			if !slices.Contains(texts(m.Printer, "printer-state-reasons"), reason) || number(m.Printer, "printer-state", 0) != 5 {
				t.Errorf("reasons %v", texts(m.Printer, "printer-state-reasons"))
			}
			if n := jobIn(p, id).Impressions; (n == 2) != mid {
				t.Errorf("%d impressions", n)
			}
			must(t, p.Clear(""))
			eventually(t, "completed", func() bool { return jobIn(p, id).State == "completed" })
			if p.Lifetime() != 3 {
				t.Errorf("%d impressions", p.Lifetime())
			}
		})
	}
}

func TestDocumentPrinterNetworkFaults(t *testing.T) {
	for _, fault := range []string{"http-500", "html", "half-body", "silent", "not-accepting"} {
		t.Run(fault, func(t *testing.T) {
			p := quickDocument(t, DocumentOptions{})
			must(t, p.Fault(fault, ""))
			stop := time.AfterFunc(200*time.Millisecond, func() { _ = p.Clear("silent") })
			defer stop.Stop()
			m, err := ask(p, goipp.OpValidateJob, nil)
			refused := m != nil && goipp.Status(m.Code) == goipp.StatusErrorNotAcceptingJobs
			if err == nil && !refused {
				t.Error("it answered well")
			}
			must(t, p.Clear(""))
			if m, err = ask(p, goipp.OpValidateJob, nil); err != nil || goipp.Status(m.Code) != goipp.StatusOk {
				t.Errorf("after it: %v", err)
			}
		})
	}
}

func TestHugeAndSlowAnswers(t *testing.T) {
	p := quickDocument(t, DocumentOptions{})
	must(t, p.Fault("huge-body", "1"))
	res, err := http.Post("http"+strings.TrimPrefix(p.URI(), "ipp"), "application/ipp", bytes.NewReader([]byte{2, 0, 0, 4, 0, 0, 0, 1, 3}))
	must(t, err)
	n, err := io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if err != nil || n < 64<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	must(t, p.Fault("slow", "300"))
	begin := time.Now()
	if _, err := ask(p, goipp.OpValidateJob, nil); err != nil || time.Since(begin) < 300*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestPowerAndMemory(t *testing.T) {
	p := quickDocument(t, DocumentOptions{})
	uri := p.URI()
	must(t, p.Fault("vanish-after-create", ""))
	if _, err := ask(p, goipp.OpCreateJob, nil, stringsAttr("job-name", goipp.TagName, "case-1")); err == nil {
		t.Fatal("it answered")
	}
	if p.State().On {
		t.Error("it is on")
	}
	must(t, p.Clear(""))
	m, err := ask(p, goipp.OpGetJobs, nil, keywordAttr("which-jobs", "all"), keywordAttr("requested-attributes", "job-name", "job-state"))
	must(t, err)
	if text(m.Job, "job-name") != "case-1" || p.URI() != uri {
		t.Errorf("jobs %v at %s", m.Job, p.URI())
	}
	must(t, p.Fault("forget-jobs", ""))
	must(t, p.Fault("power-cycle", ""))
	if n := len(p.State().Jobs); n != 0 {
		t.Errorf("it remembers %d jobs", n)
	}
	must(t, p.Clear(""))
	must(t, p.Fault("media-empty", ""))
	id := printIt(t, p, "case-2", 1)
	eventually(t, "stopped", func() bool { return jobIn(p, id).State == "stopped" })
	must(t, p.Fault("power-cycle", ""))
	if s := jobIn(p, id); s.State != "aborted" || s.Impressions != 0 {
		t.Errorf("%+v", s)
	}
	must(t, p.Clear(""))
	must(t, p.Fault("vanish-mid-send", ""))
	m, err = ask(p, goipp.OpPrintJob, pdf(1), stringsAttr("job-name", goipp.TagName, "case-3"))
	if err == nil {
		t.Errorf("it answered %v", m)
	}
}

func TestJobsEndOnTheirOwn(t *testing.T) {
	p := quickDocument(t, DocumentOptions{JobTimeout: 50 * time.Millisecond})
	m, err := ask(p, goipp.OpCreateJob, nil)
	must(t, err)
	id := number(m.Job, "job-id", 0)
	eventually(t, "aborted", func() bool { return jobIn(p, id).State == "aborted" })

	must(t, p.Fault("abort", ""))
	id = printIt(t, p, "broken", 1)
	eventually(t, "aborted", func() bool { return slices.Contains(jobIn(p, id).Reasons, "document-format-error") })

	must(t, p.Fault("wrong-impressions", ""))
	id = printIt(t, p, "short", 2)
	eventually(t, "completed", func() bool { return jobIn(p, id).State == "completed" })
	m, err = ask(p, goipp.OpGetJobAttributes, nil, intAttr("job-id", id))
	must(t, err)
	if n := number(m.Job, "job-impressions-completed", -1); n != 1 || p.Lifetime() != 2 {
		t.Errorf("it claims %d of %d", n, p.Lifetime())
	}
	must(t, p.Fault("media-empty", ""))
	id = printIt(t, p, "cancel", 1)
	_, err = ask(p, goipp.OpCancelJob, nil, intAttr("job-id", id))
	must(t, err)
	if s := jobIn(p, id); s.State != "canceled" {
		t.Errorf("%+v", s)
	}
}

// ipptool is a client of the CUPS project; its test files judge the answers.
func TestIPPToolAgrees(t *testing.T) {
	need(t, "ipptool")
	file := filepath.Join(t.TempDir(), "page.pdf")
	must(t, os.WriteFile(file, pdf(1), 0o600))
	p := quickDocument(t, DocumentOptions{})
	for _, test := range []string{"get-printer-attributes.test", "print-job.test", "get-jobs.test", "create-job.test", "get-completed-jobs.test", "ipp-1.1.test"} {
		t.Run(test, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, "ipptool", "-tIf", file, "-d", "filetype=application/pdf", p.URI(), test).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func FuzzIPPRequests(f *testing.F) {
	p, err := StartDocumentPrinter(DocumentOptions{PageTime: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = p.Close() })
	for _, op := range operations {
		req := goipp.NewRequest(goipp.MakeVersion(2, 0), op, 1)
		req.Operation.Add(stringsAttr("attributes-charset", goipp.TagCharset, "utf-8"))
		req.Operation.Add(stringsAttr("attributes-natural-language", goipp.TagLanguage, "en"))
		req.Operation.Add(stringsAttr("printer-uri", goipp.TagURI, p.URI()))
		req.Operation.Add(intAttr("job-id", 1))
		b, err := req.EncodeBytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var req goipp.Message
		rest := bytes.NewReader(in)
		if req.Decode(rest) != nil {
			return
		}
		document, _ := io.ReadAll(rest)
		if _, err := p.answer(&req, document).EncodeBytes(); err != nil {
			t.Fatalf("an answer that cannot be sent: %v", err)
		}
		if len(p.State().Jobs) > mostJobs {
			t.Fatal("it remembers too many jobs")
		}
	})
}
