package sim

// The document printer: an IPP printer on the loopback network, its tray, its jobs and what lies in its output tray.

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// DocumentOptions of [StartDocumentPrinter].
type DocumentOptions struct {
	Listen   string        // "" is "127.0.0.1:0"
	PageTime time.Duration // for one impression; 0 means 3 s, negative is at once
	// JobTimeout is multiple-operation-time-out: how long a job waits for its document. 0 means 60 s.
	JobTimeout time.Duration
	Dir        string      // receives every printed document as certificate-NN.pdf
	OnPrint    func(Paper) // called for every complete document, from the printer's goroutine, before its job is over
	Now        func() time.Time
}

// DocumentPrinter is a simulated IPP printer.
type DocumentPrinter struct {
	opt    DocumentOptions
	kind   printerKind
	works  *cardWorks // of a card printer
	faults *faults
	addr   string
	uuid   string
	born   time.Time
	end    context.Context // ends with the printer
	cancel context.CancelFunc
	done   chan struct{}  // the engine's
	power  sync.Mutex     // held while switching on and off
	asked  sync.WaitGroup // requests being answered

	mu       sync.Mutex
	changed  chan struct{}
	server   *http.Server
	served   chan struct{} // closed when server's goroutine ended
	jobs     []*job
	nextID   int
	lifetime int // impressions ever made
	sheets   int // impressions since the fault paper-out-mid-job was set
	tray     int // documents in the output tray
	papers   []Paper
	count    int
	cycles   int // power cycles
	trouble  string
}

// A job is one job of the printer's.
type job struct {
	id          int
	uuid        string
	name, user  string
	state       int
	reasons     []string
	message     string
	data        []byte
	documents   int
	closed      bool // no more documents
	pages       int
	copies      int
	impressions int
	created     time.Time
	started     time.Time
	ended       time.Time
	deadline    time.Time // for the document
}

// Job states (RFC 8011).
const (
	jobPending    = 3
	jobHeld       = 4
	jobProcessing = 5
	jobStopped    = 6
	jobCanceled   = 7
	jobAborted    = 8
	jobCompleted  = 9
)

func (j *job) over() bool { return j.state >= jobCanceled }

// mostJobs are remembered; older ones are forgotten, as every printer does.
const mostJobs = 200

// A printerKind is what printers of one engine differ in.
type printerKind struct {
	device  string
	faults  []FaultInfo
	media   string
	formats []string
	file    string // pattern of the files that it leaves
	works   *cardWorks
}

// StartDocumentPrinter switches a printer on.
func StartDocumentPrinter(opt DocumentOptions) (*DocumentPrinter, error) {
	return startPrinter(opt, printerKind{device: DeviceDocumentPrinter, faults: documentFaults, media: mediaA4,
		formats: []string{"application/pdf", "application/octet-stream"}, file: "certificate-%02d.pdf"})
}

func startPrinter(opt DocumentOptions, kind printerKind) (*DocumentPrinter, error) {
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	if opt.PageTime == 0 {
		opt.PageTime = 3 * time.Second
	}
	if opt.JobTimeout <= 0 {
		opt.JobTimeout = time.Minute
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Dir != "" {
		if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("sim %s: %w", kind.device, err)
		}
	}
	p := &DocumentPrinter{opt: opt, kind: kind, works: kind.works, faults: newFaults(kind.faults), addr: opt.Listen, uuid: newUUID(), born: opt.Now(),
		changed: make(chan struct{}), nextID: 1, done: make(chan struct{})}
	if err := p.on(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.end, p.cancel = ctx, cancel
	go func() {
		defer close(p.done)
		p.engine(ctx)
	}()
	return p, nil
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// URI is how a driver opens the printer; it stays the same across power cycles.
func (p *DocumentPrinter) URI() string { return "ipp://" + p.addr + "/ipp/print" }

// on starts to listen; a printer that is on stays on.
func (p *DocumentPrinter) on() error {
	p.power.Lock()
	defer p.power.Unlock()
	if p.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("sim %s: %w", p.kind.device, err)
	}
	server := &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 10 * time.Second}
	server.SetKeepAlivesEnabled(true)
	served := make(chan struct{})
	if at := l.Addr().String(); p.addr != at {
		p.addr = at // the first time only: whoever asks for the URI does not wait for power
	}
	p.change(func() { p.server, p.served = server, served })
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with ErrServerClosed
	}()
	return nil
}

// off cuts all connections and stops to listen.
func (p *DocumentPrinter) off() {
	p.power.Lock()
	defer p.power.Unlock()
	server, served := p.server, p.served
	if server == nil {
		return
	}
	p.change(func() { p.server = nil })
	_ = server.Close()
	<-served
}

// Close switches the printer off and waits for its goroutines.
func (p *DocumentPrinter) Close() error {
	p.off()
	p.cancel()
	<-p.done
	p.asked.Wait()
	return nil
}

func (p *DocumentPrinter) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Present reports whether paper lies in the output tray.
func (p *DocumentPrinter) Present() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tray > 0
}

// Take empties the output tray and returns how many documents lay there.
func (p *DocumentPrinter) Take() (n int) {
	p.change(func() { n, p.tray = p.tray, 0 })
	return n
}

// Documents are the last printed documents, oldest first.
func (p *DocumentPrinter) Documents() []Paper {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.papers)
}

// Lifetime is the page counter: impressions ever made.
func (p *DocumentPrinter) Lifetime() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lifetime
}

// JobState is a job as it looks from outside.
type JobState struct {
	ID          int      `json:"id"`
	Name        string   `json:"name"`
	State       string   `json:"state"`
	Reasons     []string `json:"reasons,omitempty"`
	Impressions int      `json:"impressions"`
	Pages       int      `json:"pages"`
}

// DocumentState is what a printer looks like from outside.
type DocumentState struct {
	On       bool       `json:"on"`
	Stopped  bool       `json:"stopped"` // it waits for a person
	Tray     int        `json:"tray"`    // documents in the output tray
	Printed  int        `json:"printed"`
	Lifetime int        `json:"lifetime"` // impressions ever made
	Jobs     []JobState `json:"jobs,omitempty"`
	Trouble  string     `json:"trouble,omitempty"`
	Faults   []string   `json:"faults,omitempty"`
	URI      string     `json:"uri"`
}

// State tells how the printer is.
func (p *DocumentPrinter) State() DocumentState {
	s := DocumentState{Faults: p.faults.names(), URI: p.URI()}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.On, s.Stopped = p.server != nil, p.stoppedLocked()
	s.Tray, s.Printed, s.Lifetime, s.Trouble = p.tray, p.count, p.lifetime, p.trouble
	for _, j := range p.jobs {
		s.Jobs = append(s.Jobs, JobState{ID: j.id, Name: j.name, State: stateNames[j.state], Reasons: slices.Clone(j.reasons),
			Impressions: j.impressions, Pages: j.pages})
	}
	return s
}

var stateNames = map[int]string{jobPending: "pending", jobHeld: "held", jobProcessing: "processing", jobStopped: "stopped",
	jobCanceled: "canceled", jobAborted: "aborted", jobCompleted: "completed"}

// finish keeps a document that was printed.
func (p *DocumentPrinter) finish(j *job) {
	paper := Paper{At: p.opt.Now(), Pages: j.impressions, Data: j.data}
	p.mu.Lock()
	p.count++
	paper.N = p.count
	p.mu.Unlock()
	var err error
	if p.works != nil {
		paper.Data, err = cardPicture(j.data)
	}
	if p.opt.Dir != "" && err == nil {
		paper.File = fmt.Sprintf(p.kind.file, paper.N)
		err = writeWhole(filepath.Join(p.opt.Dir, paper.File), paper.Data)
	}
	p.change(func() {
		if err != nil {
			p.trouble = err.Error()
		}
		if p.works == nil { // a card was counted as it was made
			p.tray++
		}
		p.papers = append(p.papers, paper)
		p.papers = p.papers[max(0, len(p.papers)-keep):]
	})
	if p.opt.OnPrint != nil {
		p.opt.OnPrint(paper)
	}
}
