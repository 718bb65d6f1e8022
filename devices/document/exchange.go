// One request and its answer over HTTP, and what can go wrong between them.

package document

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

// user is who prints: the machine, never the citizen.
const user = "kiosk"

// An Error is a request that did not succeed. It wraps the sentinel of package devices that fits.
type Error struct {
	Op     goipp.Op
	Status goipp.Status // of the answer; 0 when there was none
	HTTP   int          // status of the HTTP answer when it was not 200; 0 otherwise
	Err    error
}

func (e *Error) Error() string {
	switch {
	case e.Status != 0:
		return fmt.Sprintf("%s: %s", e.Op, e.Status)
	case e.HTTP != 0:
		return fmt.Sprintf("%s: HTTP %d", e.Op, e.HTTP)
	}
	return fmt.Sprintf("%s: %v", e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// hopeless says whether asking the same again cannot help: wrong path, password wanted, encryption wanted.
func (e *Error) hopeless() bool {
	switch e.HTTP {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUpgradeRequired,
		http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	switch e.Status {
	case goipp.StatusErrorForbidden, goipp.StatusErrorNotAuthenticated, goipp.StatusErrorNotAuthorized,
		goipp.StatusErrorNotFound, goipp.StatusErrorGone, goipp.StatusErrorURIScheme, goipp.StatusErrorOperationNotSupported,
		goipp.StatusErrorVersionNotSupported, goipp.StatusErrorBadRequest:
		return true
	}
	return errors.Is(e.Err, devices.ErrUnusable)
}

// succeeded covers successful-ok and its variants (RFC 8011 section B.1.2).
func succeeded(s goipp.Status) bool { return s < 0x0100 }

// newRequest begins a request with the operation attributes that every one needs, in the order that RFC 8011 demands.
func (p *Printer) newRequest(op goipp.Op, more ...goipp.Attribute) *goipp.Message {
	m := goipp.NewRequest(p.version, op, p.request.Add(1))
	m.Operation.Add(goipp.MakeAttr("attributes-charset", goipp.TagCharset, goipp.String("utf-8")))
	m.Operation.Add(goipp.MakeAttr("attributes-natural-language", goipp.TagLanguage, goipp.String("en")))
	m.Operation.Add(goipp.MakeAttr("printer-uri", goipp.TagURI, goipp.String(p.at.uri)))
	for _, a := range more {
		m.Operation.Add(a)
		if a.Name == "job-id" { // stands right behind printer-uri
			m.Operation.Add(requester)
		}
	}
	if group := attributes(m.Operation); !group.has("requesting-user-name") {
		m.Operation.Add(requester)
	}
	return m
}

var requester = goipp.MakeAttr("requesting-user-name", goipp.TagName, goipp.String(user))

// keywords is an attribute of several keywords.
func keywords(name string, words ...string) goipp.Attribute {
	a := goipp.Attribute{Name: name}
	for _, w := range words {
		a.Values.Add(goipp.TagKeyword, goipp.String(w))
	}
	return a
}

// attributes asks for the printer's attributes.
func (p *Printer) attributes(ctx context.Context, wanted []string) (attributes, error) {
	m, err := p.ask(ctx, p.newRequest(goipp.OpGetPrinterAttributes, keywords("requested-attributes", wanted...)))
	if err != nil {
		return nil, err
	}
	got := group(m, goipp.TagPrinterGroup)
	if got == nil {
		return nil, &Error{Op: goipp.OpGetPrinterAttributes, Err: fmt.Errorf("answer without printer attributes: %w", devices.ErrProtocol)}
	}
	return got, nil
}

// ask makes a request without a document.
func (p *Printer) ask(ctx context.Context, req *goipp.Message) (*goipp.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, p.opt.Timeout)
	defer cancel()
	c := p.http
	if goipp.Op(req.Code) == goipp.OpCreateJob {
		c = p.once
	}
	m, _, err := p.exchange(ctx, c, req, nil)
	return m, err
}

// send makes a request with a document. begun says whether anything of it may have left this machine.
func (p *Printer) send(ctx context.Context, req *goipp.Message, document []byte) (m *goipp.Message, begun bool, err error) {
	return p.exchange(ctx, p.once, req, document)
}

// A counted reader knows whether it was ever read: the transport reads the body only once it has a connection.
type counted struct {
	io.Reader
	read atomic.Bool
}

func (c *counted) Read(b []byte) (int, error) {
	c.read.Store(true)
	return c.Reader.Read(b)
}

// exchange posts one request and reads its answer. Every failure is an *Error.
func (p *Printer) exchange(ctx context.Context, c *http.Client, req *goipp.Message, document []byte) (m *goipp.Message, begun bool, err error) {
	op := goipp.Op(req.Code)
	fail := func(err error) error { return &Error{Op: op, Err: err} }
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.closed, cancel)()

	head, err := req.EncodeBytes()
	if err != nil {
		return nil, false, fail(err)
	}
	body := &counted{Reader: io.MultiReader(bytes.NewReader(head), bytes.NewReader(document))}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, p.at.post, body)
	if err != nil {
		return nil, false, fail(err)
	}
	post.ContentLength = int64(len(head) + len(document))
	post.Header.Set("Content-Type", goipp.ContentType)
	post.Header.Set("Accept", goipp.ContentType)
	post.Header.Set("User-Agent", user)

	resp, err := c.Do(post)
	if err != nil {
		return nil, body.read.Load(), fail(p.classify(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, true, &Error{Op: op, HTTP: resp.StatusCode, Err: devices.ErrProtocol}
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != goipp.ContentType {
		return nil, true, fail(fmt.Errorf("answer is %q, not IPP: %w", ascii(kind, 40), devices.ErrProtocol))
	}
	if resp.ContentLength > maxAnswer {
		return nil, true, fail(fmt.Errorf("answer of %d bytes: %w", resp.ContentLength, devices.ErrProtocol))
	}
	m, err = readAnswer(resp.Body)
	switch {
	case err != nil && ctx.Err() == nil && !errors.Is(err, devices.ErrProtocol):
		return nil, true, fail(fmt.Errorf("answer breaks off: %w: %w", err, devices.ErrProtocol))
	case err != nil:
		return nil, true, fail(p.classify(ctx, err))
	case m.RequestID != req.RequestID:
		return nil, true, fail(fmt.Errorf("answer to another request: %w", devices.ErrProtocol))
	case !succeeded(goipp.Status(m.Code)):
		return m, true, &Error{Op: op, Status: goipp.Status(m.Code), Err: refusal(goipp.Status(m.Code))}
	}
	return m, true, nil
}

// refusal puts an unsuccessful status in the words of package devices.
func refusal(s goipp.Status) error {
	switch s {
	case goipp.StatusErrorBusy, goipp.StatusErrorTooManyJobs, goipp.StatusErrorNotAcceptingJobs, goipp.StatusErrorServiceUnavailable,
		goipp.StatusErrorTemporary, goipp.StatusErrorPrinterIsDeactivated:
		return devices.ErrBusy
	}
	return devices.ErrProtocol
}

// classify puts a failure of the network in the words of package devices. Addresses stay out of the text: they are in
// the role's configuration.
func (p *Printer) classify(ctx context.Context, err error) error {
	var timeout net.Error
	var op *net.OpError
	var dns *net.DNSError
	dialed := false
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	for errors.As(err, &op) { // each layer but the innermost names addresses
		dialed = dialed || op.Op == "dial"
		err = op.Err
	}
	switch {
	case errors.Is(err, devices.ErrProtocol):
		return err
	case p.closed.Err() != nil:
		return fmt.Errorf("printer is closed: %w", devices.ErrNoDevice)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", devices.ErrSilent, context.DeadlineExceeded)
	case ctx.Err() != nil:
		return ctx.Err()
	case untrusted(err):
		return fmt.Errorf("%w: %w", devices.ErrUnusable, err)
	case errors.As(err, &dns):
		return fmt.Errorf("name is not known: %w", devices.ErrNoDevice)
	case dialed:
		return fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return devices.ErrSilent
	case op != nil:
		return fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("connection was closed: %w", devices.ErrNoDevice)
	}
	return fmt.Errorf("%w: %w", devices.ErrProtocol, err)
}
