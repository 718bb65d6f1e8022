//go:build !release

package camera

// Pictures from files, for demonstrations and tests. Releases have none of this: a terminal's photo comes from a camera.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Schemes are the URI schemes that cameras are found by.
func Schemes() []string { return []string{"v4l2", "http", "https", "file"} }

const (
	maxFile  = 256 << 20 // bytes of a file of JPEGs on end
	maxFiles = 10000
)

// reel plays JPEGs, or YUYV of the size of the options, again and again at their rate.
type reel struct {
	path  string
	opt   Options
	names []string // of a directory
	whole []byte   // of a file
	rest  []byte
	count uint32
	due   time.Time
}

func openFile(path string, opt Options) (source, error) {
	r := &reel{path: path, opt: opt}
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	case st.IsDir():
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
		}
		for _, e := range entries {
			if ext := strings.ToLower(filepath.Ext(e.Name())); (ext == ".jpg" || ext == ".jpeg") && len(r.names) < maxFiles {
				r.names = append(r.names, filepath.Join(path, e.Name()))
			}
		}
		slices.Sort(r.names)
	case st.Size() > maxFile:
		return nil, fmt.Errorf("%w: a file of %d bytes", devices.ErrUnusable, st.Size())
	default:
		if r.whole, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
		}
	}
	if size := 2 * opt.Width * opt.Height; opt.Format == YUYV {
		if len(r.whole) == 0 || len(r.whole)%size != 0 {
			return nil, fmt.Errorf("%s: %w: expected pictures of %d bytes (%dx%d, two bytes a pixel) on end", path, devices.ErrUnusable, size, opt.Width, opt.Height)
		}
		return r, nil
	}
	if len(r.names) == 0 && !bytes.Contains(r.whole, []byte{0xFF, mSOI}) {
		return nil, fmt.Errorf("%s: %w: no JPEG", path, devices.ErrUnusable)
	}
	return r, nil
}

func (r *reel) identity() devices.Identity { return devices.Identity{Maker: "file"} }
func (r *reel) hold(bool) error            { return devices.ErrFixedCamera }
func (r *reel) stop()                      {}
func (r *reel) close() error               { return nil }

func (r *reel) start(context.Context) error {
	r.rest, r.due = r.whole, time.Now()
	return nil
}

func (r *reel) present(context.Context) error {
	if _, err := os.Stat(r.path); err != nil {
		return fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	}
	return nil
}

func (r *reel) next(ctx context.Context, s *shot) error {
	if wait := min(time.Until(r.due), tick); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		return errNothing
	}
	r.due = r.due.Add(time.Second / time.Duration(r.opt.Rate))
	if late := time.Now(); r.due.Before(late) {
		r.due = late
	}
	r.count++
	*s = shot{format: MJPEG, sequence: r.count, at: time.Now(), data: s.data}
	if r.opt.Format == YUYV {
		if len(r.rest) == 0 {
			r.rest = r.whole
		}
		size := 2 * r.opt.Width * r.opt.Height
		s.format, s.width, s.height, s.stride = YUYV, r.opt.Width, r.opt.Height, 2*r.opt.Width
		s.fill(r.rest[:size])
		r.rest = r.rest[size:]
		return nil
	}
	if len(r.names) > 0 {
		return r.read(r.names[int(r.count-1)%len(r.names)], s)
	}
	for again := false; ; {
		var picture []byte
		if picture, r.rest = split(r.rest); picture != nil && len(picture) <= maxBytes {
			s.fill(picture)
			return nil
		}
		if len(r.rest) == 0 {
			if again {
				return fmt.Errorf("%w: no whole JPEG in the file", errPicture)
			}
			again, r.rest = true, r.whole
		}
	}
}

// read takes a file of a directory.
func (r *reel) read(name string, s *shot) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("%w: %w", devices.ErrNoDevice, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil || len(b) > maxBytes {
		return fmt.Errorf("%w: a file of more than %d bytes", errPicture, maxBytes)
	}
	s.fill(b)
	_, err = survey(b)
	return err
}
