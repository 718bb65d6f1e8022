// Package proving is the world of tests of a city's simulated servers by which people are proved: a platform that asks them, and a terminal
// over the wire that is not one of ours.
package proving

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// World is a platform, and an enrolled client. It ends with the test.
type World struct {
	*uplink.Client
	dir string // of all that platform and client write
	log bytes.Buffer
}

// Asking is a World whose platform asks back ends.
func Asking(t *testing.T, backends ...platform.BackendConfig) *World {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &World{dir: t.TempDir()}
	s, err := platform.New(t.Context(), platform.Config{Dir: filepath.Join(w.dir, "platform"), Backends: backends,
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done; _ = s.Close() })
	code, _, err := s.IssueCode(t.Context(), "990000-0001", 0, platform.Operator{Who: "test"})
	must(err)
	ca := filepath.Join(w.dir, "ca.pem")
	must(os.WriteFile(ca, s.CA(), 0o600))
	id, err := uplink.LoadIdentity(w.dir, "990000-0001")
	must(err)
	w.Client, err = uplink.NewClient("https://"+l.Addr().String(), ca, id)
	must(err)
	t.Cleanup(w.Close)
	must(w.Enroll(t.Context(), "s", "n", code))
	return w
}

// Answered is the code by which the platform refused, "" where it did not.
func Answered(t *testing.T, err error) string {
	t.Helper()
	var no *uplink.StatusError
	if errors.As(err, &no) {
		return no.Body.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// Eligible wants a person who was just proved to be asked for no more: the platform takes the token.
func (w *World) Eligible(t *testing.T, proved wire.CodeChecked) {
	t.Helper()
	if may, err := w.Chance(t.Context(), wire.CardQuery{Kind: "TID", Visit: "v", Token: proved.Token}); err != nil || may.Refused != "" {
		t.Errorf("%+v %v", may, err)
	}
}

// NothingLeft looks for pieces of pictures in whatever the platform wrote, and returns its log.
func (w *World) NothingLeft(t *testing.T, pieces ...string) (log string) {
	t.Helper()
	look := func(where string, b []byte) {
		for _, p := range pieces {
			if bytes.Contains(b, []byte(p)) {
				t.Errorf("a picture is left in %s", where)
			}
		}
	}
	files := 0
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		look(path, b)
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
	look("the log", w.log.Bytes())
	return w.log.String()
}
