package main

// Logs for the platform: what the program said lately, bounded, with everything masked that could be somebody's.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// ringBytes is how much of the log is kept in memory.
const ringBytes = 256 << 10

// ring keeps the last lines that were written to it.
type ring struct {
	mu    sync.Mutex
	lines [][]byte
	size  int
}

// Write implements io.Writer; the log writes whole lines.
func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.size = append(r.lines, bytes.Clone(p)), r.size+len(p)
	for r.size > ringBytes && len(r.lines) > 1 {
		r.size -= len(r.lines[0])
		r.lines = r.lines[1:]
	}
	return len(p), nil
}

func (r *ring) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join(r.lines, nil)
}

var (
	// numbers of 7 digits and more in a row: identity numbers, phones, cards, social security numbers.
	longNumber = regexp.MustCompile(`[0-9]{7,}[Xx]?`)
	han        = regexp.MustCompile(`\p{Han}+`)
)

// masked takes out what could be somebody's name or number. The log's own words are English and its times are written in
// groups, so that nothing is lost that a technician needs.
func masked(b []byte) []byte {
	b = longNumber.ReplaceAllFunc(b, func(m []byte) []byte { return fmt.Appendf(nil, "<%d digits>", len(m)) })
	return han.ReplaceAllFunc(b, func(m []byte) []byte { return fmt.Appendf(nil, "<%d han>", len([]rune(string(m)))) })
}

// bundle is what the platform gets: how the terminal is, and its log.
func (t *terminal) bundle() ([]byte, error) {
	var b strings.Builder
	used, quota := t.journal.Size()
	fmt.Fprintf(&b, "terminal %s\nsoftware %s\nwritten %s\nconfig %d items %d\njournal %d of %d bytes\nlink %s\n", t.cfg.Terminal.ID, version,
		time.Now().UTC().Format(time.RFC3339), t.cfg.Revision, t.itemsRevision.Load(), used, quota, t.link.State())
	lanes, err := t.journal.Lanes()
	if err != nil {
		return nil, err
	}
	for _, l := range lanes {
		fmt.Fprintf(&b, "lane %s epoch %d written %d acked %d\n", l.Lane, l.Epoch, l.Head, l.Acked)
	}
	for _, s := range t.status() {
		fmt.Fprintf(&b, "device %s unready %q paper %q\n", s.Role, s.Unready, s.Paper)
	}
	b.WriteString("\n")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(b.String()))
	_, _ = z.Write(masked(t.ring.bytes()))
	err = z.Close()
	return packed.Bytes(), err
}

// upload is a bundle on its way.
type upload struct {
	done chan struct{}
	blob wire.Hash
	err  error
}

// uploadTime is how long one may take; a slow line gets another try.
const uploadTime = time.Minute

// logs bundles between visits and uploads while the terminal serves on; the order is answered when the bundle has arrived.
func (t *terminal) logs(ctx context.Context, m wire.Message) (uplink.Doing, error) {
	u := t.uploads[m.ID]
	if u == nil {
		b, err := t.bundle()
		if err != nil {
			return uplink.Doing{}, err
		}
		u = &upload{done: make(chan struct{}), blob: sha256.Sum256(b)}
		t.uploads[m.ID] = u
		t.background.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, uploadTime)
			defer cancel()
			u.err = t.client.PutBlob(ctx, u.blob, b)
			close(u.done)
			t.orders.Again(0)
		})
	}
	select {
	case <-u.done:
	default:
		return uplink.Doing{Later: true}, nil
	}
	delete(t.uploads, m.ID)
	if u.err != nil {
		return uplink.Doing{}, u.err
	}
	d := doneOrder("uploaded")
	d.Result.Blob = u.blob
	return d, nil
}
