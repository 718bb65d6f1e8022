package camera

// HTTP cameras: one GET, answered by multipart/x-mixed-replace without an end, a JPEG in each part.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

const (
	maxHeader   = 8 << 10 // bytes of one part's header
	maxBoundary = 200
)

// web is an HTTP camera. It is connected while a stream is open only.
type web struct {
	url    string
	client *http.Client
	opt    Options

	mu     sync.Mutex
	cancel context.CancelFunc
	parts  *parts
	watch  *time.Timer
	count  uint32
	w, h   int // of the first good picture
}

func openHTTP(ctx context.Context, url string, opt Options) (source, error) {
	dial := net.Dialer{Timeout: 2 * time.Second}
	w := &web{url: url, opt: opt, client: &http.Client{
		Transport: &http.Transport{
			// A camera hangs on a line of the terminal's own: no proxy sees faces.
			Proxy: nil, DialContext: dial.DialContext, DisableCompression: true, DisableKeepAlives: true,
			ResponseHeaderTimeout: 2 * time.Second, MaxResponseHeaderBytes: 64 << 10, ReadBufferSize: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a camera that sends elsewhere is not followed")
		},
	}}
	if err := w.present(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *web) identity() devices.Identity { return devices.Identity{Maker: "http"} }

func (w *web) hold(bool) error { return devices.ErrFixedCamera }

func (w *web) close() error {
	w.stop()
	w.client.CloseIdleConnections()
	return nil
}

// present asks for the stream and lets it go after the answer's header.
func (w *web) present(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	body, _, err := w.get(ctx)
	if err != nil {
		return err
	}
	cancel() // before closing, or what comes is read to the end
	return errors.Join(body.Close())
}

// get asks for the stream and returns its body and boundary.
func (w *web) get(ctx context.Context) (io.ReadCloser, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", devices.ErrUnusable, err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			return nil, "", fmt.Errorf("%w: %w", devices.ErrSilent, err)
		}
		return nil, "", fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	}
	boundary, err := boundaryOf(resp)
	if err != nil {
		_ = resp.Body.Close()
		return nil, "", err
	}
	return resp.Body, boundary, nil
}

func boundaryOf(resp *http.Response) (string, error) {
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		return "", fmt.Errorf("%w: HTTP %d", devices.ErrBusy, resp.StatusCode)
	case resp.StatusCode >= 500:
		return "", fmt.Errorf("%w: HTTP %d", devices.ErrNoDevice, resp.StatusCode)
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return "", fmt.Errorf("%w: HTTP %d", devices.ErrUnusable, resp.StatusCode)
	case resp.StatusCode != http.StatusOK: // a camera that starts answers many things before it is there
		return "", fmt.Errorf("%w: HTTP %d", devices.ErrProtocol, resp.StatusCode)
	}
	kind, param, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	boundary := param["boundary"]
	if err != nil || kind != "multipart/x-mixed-replace" || strings.Trim(boundary, "-") == "" || len(boundary) > maxBoundary {
		return "", fmt.Errorf("%w: it sends no multipart/x-mixed-replace", devices.ErrProtocol)
	}
	return boundary, nil
}

// start implements source.
func (w *web) start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	answered := time.AfterFunc(patience, cancel)
	body, boundary, err := w.get(ctx)
	answered.Stop()
	if err != nil {
		cancel()
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel, w.parts, w.w, w.h = cancel, newParts(body, boundary), 0, 0
	// A reader within the HTTP client cannot look around: silence ends the request.
	w.watch = time.AfterFunc(patience, cancel)
	return nil
}

// stop implements source.
func (w *web) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel == nil {
		return
	}
	w.cancel()
	w.watch.Stop()
	w.parts.close()
	w.cancel, w.parts = nil, nil
}

// next implements source. It waits until a picture came, the watch strikes or ctx ends.
func (w *web) next(ctx context.Context, s *shot) error {
	w.mu.Lock()
	parts, watch := w.parts, w.watch
	w.mu.Unlock()
	if parts == nil {
		return devices.ErrNoDevice
	}
	data, err := parts.next(s.room(0))
	if err == nil || errors.Is(err, errPicture) {
		watch.Reset(patience)
	}
	s.data = data
	switch {
	case errors.Is(err, errPicture):
		return err
	case errors.Is(err, context.Canceled) && ctx.Err() == nil:
		return fmt.Errorf("nothing for %v: %w", patience, devices.ErrSilent)
	case err != nil:
		return fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	}
	w.count++
	*s = shot{format: MJPEG, sequence: w.count, at: time.Now(), data: data, width: w.w, height: w.h}
	l, err := survey(data)
	if err != nil {
		return err
	}
	if w.w == 0 {
		w.w, w.h = l.width, l.height
		s.width, s.height = l.width, l.height
	}
	if l.width != w.w || l.height != w.h {
		return fmt.Errorf("%w: %dx%d after %dx%d", errPicture, l.width, l.height, w.w, w.h)
	}
	return nil
}

// parts cuts a body into its parts. Cameras write delimiters loosely (mime/multipart refuses many of them): the boundary's
// parameter with or without its dashes, LF for CR LF, headers that are missing. A part ends by its Content-Length where it
// has one, else before the next delimiter.
type parts struct {
	body      io.Closer
	r         *bufio.Reader
	delimiter []byte // without what follows and precedes
}

func newParts(body io.ReadCloser, boundary string) *parts {
	return &parts{body, bufio.NewReaderSize(body, 64<<10), []byte("--" + strings.TrimLeft(boundary, "-"))}
}

func (p *parts) close() {
	_ = p.body.Close()
	// What the reader buffered is part of a picture.
	if n := p.r.Buffered(); n > 0 {
		b, _ := p.r.Peek(n)
		clear(b)
	}
}

// next appends the next part's body to into. errPicture: the part is not fit, and the next one may be.
func (p *parts) next(into []byte) ([]byte, error) {
	if err := p.seek(); err != nil {
		return into, err
	}
	length, err := p.header()
	if err != nil {
		return into, err
	}
	if length >= 0 {
		into = grow(into, length)[:length]
		_, err := io.ReadFull(p.r, into)
		return into, err
	}
	return p.until(into)
}

// grow makes room for n bytes and wipes what is left behind.
func grow(b []byte, n int) []byte {
	if cap(b) >= n {
		return b
	}
	bigger := make([]byte, len(b), n+n/4)
	copy(bigger, b)
	clear(b[:cap(b)])
	return bigger
}

// seek reads up to the line of the next delimiter. What comes before it (a part longer than it said, a preamble) is
// dropped.
func (p *parts) seek() error {
	dropped := 0
	for {
		line, err := p.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		// Anywhere in the line: what a short Content-Length left of a picture has no line end of its own.
		if i := bytes.Index(line, p.delimiter); i >= 0 {
			if bytes.HasPrefix(line[i+len(p.delimiter):], []byte("--")) {
				return io.EOF
			}
			return nil
		}
		if dropped += len(line); dropped > maxBytes {
			return fmt.Errorf("%w: no boundary", errPicture)
		}
	}
}

// header reads the part's header lines up to the empty one and returns its length, -1 when it says none. A header that
// runs into a picture is none.
func (p *parts) header() (length int, err error) {
	length = -1
	for total := 0; ; {
		line, err := p.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return -1, err
		}
		if total += len(line); total > maxHeader || err != nil {
			return -1, fmt.Errorf("%w: a part's header has no end", errPicture)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || textproto.CanonicalMIMEHeaderKey(string(bytes.TrimSpace(name))) != "Content-Length" {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < 0 || n > maxBytes {
			return -1, fmt.Errorf("%w: a part of %q bytes", errPicture, bytes.TrimSpace(value))
		}
		length = n
	}
}

// until reads the part up to the next delimiter, which stays.
func (p *parts) until(into []byte) ([]byte, error) {
	for {
		// At least so much must be seen at once to tell a delimiter.
		b, err := p.r.Peek(max(1, min(p.r.Buffered(), p.r.Size())))
		if err != nil {
			return into, err
		}
		if i := bytes.Index(b, p.delimiter); i >= 0 {
			into = append(grow(into, len(into)+i), b[:i]...)
			_, _ = p.r.Discard(i)
			return bytes.TrimRight(into, "\r\n"), nil
		}
		// A delimiter may have begun at the end of what is there.
		n := len(b) - (len(p.delimiter) - 1)
		if n <= 0 {
			if _, err := p.r.Peek(len(b) + 1); err != nil {
				return into, err
			}
			continue
		}
		if len(into)+n > maxBytes {
			return into[:0], fmt.Errorf("%w: a part without an end", errPicture)
		}
		into = append(grow(into, len(into)+n), b[:n]...)
		_, _ = p.r.Discard(n)
	}
}
