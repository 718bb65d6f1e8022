package sim

// The printer's network side: HTTP with IPP inside, and what can go wrong with either.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/OpenPrinting/goipp"
)

// mostBody of a request: a document of 64 MiB is refused.
const mostBody = 64 << 20

func (p *DocumentPrinter) serve(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	defer p.asked.Done()
	if r.Method != http.MethodPost {
		http.Error(w, "IPP is POST", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path != "/ipp/print" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	if p.refuse(w, r) {
		return
	}
	rest := bytes.NewReader(body)
	var req goipp.Message
	if err := req.DecodeEx(rest, goipp.DecoderOptions{EnableWorkarounds: true}); err != nil {
		http.Error(w, "not IPP", http.StatusBadRequest)
		return
	}
	document, _ := io.ReadAll(rest) // memory does not fail
	resp, op := p.answer(&req, document), goipp.Op(req.Code)
	if (op == goipp.OpCreateJob && p.faults.once("vanish-after-create")) ||
		((op == goipp.OpSendDocument || op == goipp.OpPrintJob) && p.faults.once("vanish-mid-send")) {
		p.off()
		p.lose()
		panic(http.ErrAbortHandler) // the server's way to drop a connection without an answer
	}
	out, err := resp.EncodeBytes()
	if err != nil {
		http.Error(w, "cannot encode", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/ipp")
	switch {
	case p.faults.once("half-body"):
		w.Header().Set("Content-Length", itoa(len(out)))
		_, _ = w.Write(out[:len(out)/2])
		panic(http.ErrAbortHandler)
	case p.faults.once("huge-body"):
		out = append(out, make([]byte, 64<<20)...)
	}
	_, _ = w.Write(out)
}

// refuse answers a request in a way that is not IPP, and reports whether it did.
func (p *DocumentPrinter) refuse(w http.ResponseWriter, r *http.Request) bool {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if ms, on := p.faults.value("slow"); on && sleep(ctx, time.Duration(ms)*time.Millisecond) != nil {
		return true
	}
	switch {
	case p.faults.has("silent"):
		p.hush(ctx)
		panic(http.ErrAbortHandler)
	case p.faults.once("http-500"):
		http.Error(w, "internal error", http.StatusInternalServerError)
		return true
	case p.faults.once("html"):
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body><h1>Printer Web Page</h1></body></html>")
		return true
	}
	return false
}

// hush waits while the printer is silent.
func (p *DocumentPrinter) hush(ctx context.Context) {
	for p.faults.has("silent") {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// ippFault is an operation's refusal.
type ippFault struct {
	status  goipp.Status
	message string
}

func (e *ippFault) Error() string { return e.message }

// answer executes one request.
func (p *DocumentPrinter) answer(req *goipp.Message, document []byte) *goipp.Message {
	resp := goipp.NewResponse(answerVersion(req.Version), goipp.StatusOk, req.RequestID)
	resp.Operation.Add(goipp.MakeAttribute("attributes-charset", goipp.TagCharset, goipp.String("utf-8")))
	resp.Operation.Add(goipp.MakeAttribute("attributes-natural-language", goipp.TagLanguage, goipp.String("en")))
	err := sound(req)
	if err == nil {
		err = p.operate(req, resp, document)
	}
	var fault *ippFault
	if errors.As(err, &fault) {
		resp.Code = goipp.Code(fault.status)
		resp.Operation.Add(goipp.MakeAttribute("status-message", goipp.TagText, goipp.String(fault.message)))
	}
	return resp
}

// answerVersion: a printer answers in the request's version if it knows it.
func answerVersion(v goipp.Version) goipp.Version {
	if v.Major() == 1 || v.Major() == 2 {
		return v
	}
	return goipp.MakeVersion(2, 0)
}

// sound checks what RFC 8011 asks of every request (sections 4.1.4 and 4.1.8).
func sound(req *goipp.Message) error {
	if m := req.Version.Major(); m != 1 && m != 2 {
		return &ippFault{goipp.StatusErrorVersionNotSupported, "IPP 1.x and 2.x"}
	}
	if req.RequestID == 0 {
		return &ippFault{goipp.StatusErrorBadRequest, "request-id 0"}
	}
	op := req.Operation
	if len(op) < 3 || op[0].Name != "attributes-charset" || op[1].Name != "attributes-natural-language" {
		return &ippFault{goipp.StatusErrorBadRequest, "attributes-charset, attributes-natural-language and a target come first"}
	}
	if cs := text(op, "attributes-charset"); cs != "utf-8" && cs != "us-ascii" {
		return &ippFault{goipp.StatusErrorCharset, "utf-8"}
	}
	if text(op, "printer-uri") == "" && text(op, "job-uri") == "" {
		return &ippFault{goipp.StatusErrorBadRequest, "no target"}
	}
	return nil
}
