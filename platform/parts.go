package platform

// Large blobs in parts: what arrived lies in a file of its own until all of it is there and has its hash.

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/budayang/kiosk/sync/wire"
)

// partsEach is how many blobs a terminal may have begun; the one that was touched longest ago gives way.
const partsEach = 4

// parts lets one request at a time write.
type parts struct{ mu sync.Mutex }

func (s *Server) partPath(terminal string, h wire.Hash) string {
	return filepath.Join(s.cfg.Dir, "parts", terminal+"."+h.String())
}

func (s *Server) blobState(w http.ResponseWriter, r *http.Request, _ []byte) {
	var h wire.Hash
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil {
		s.refuse(w, errMalformed, "path is not a hash")
		return
	}
	st, err := s.heldOf(terminalOf(r.Context()), h)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, st)
}

func (s *Server) heldOf(terminal string, h wire.Hash) (st wire.BlobState, err error) {
	if _, err := os.Stat(s.blobPath(h)); err == nil {
		return wire.BlobState{Held: true}, nil
	}
	f, err := os.Stat(s.partPath(terminal, h))
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return st, fmt.Errorf("blob: %w", err)
	}
	st.Offset = f.Size()
	return st, nil
}

func (s *Server) putPart(w http.ResponseWriter, r *http.Request, body []byte) {
	var h wire.Hash
	offset, oerr := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	length, lerr := strconv.ParseInt(r.URL.Query().Get("length"), 10, 64)
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil || oerr != nil || lerr != nil || offset < 0 || len(body) == 0 || length > wire.MaxBlobBytes || offset+int64(len(body)) > length {
		s.refuse(w, errMalformed, "hash, offset, length and part do not fit together")
		return
	}
	s.parts.mu.Lock()
	defer s.parts.mu.Unlock()
	st, err := s.part(terminalOf(r.Context()), h, offset, length, body)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, st)
}

// part adds to what was begun; the last part moves it to its place.
func (s *Server) part(terminal string, h wire.Hash, offset, length int64, body []byte) (wire.BlobState, error) {
	st, err := s.heldOf(terminal, h)
	if err != nil || st.Held {
		return st, err
	}
	if st.Offset != offset {
		return st, errOffset
	}
	path := s.partPath(terminal, h)
	if offset == 0 {
		if err := s.makeRoom(terminal); err != nil {
			return st, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return st, fmt.Errorf("blob: %w", err)
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return st, fmt.Errorf("blob: %w", err)
	}
	if st.Offset += int64(len(body)); st.Offset < length {
		return st, nil
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		return st, fmt.Errorf("blob: %w", err)
	}
	if sha256.Sum256(whole) != h {
		return st, errors.Join(errBlob, os.Remove(path))
	}
	if err := writeDurably(s.blobPath(h), whole); err != nil {
		return st, err
	}
	return wire.BlobState{Held: true}, os.Remove(path)
}

// makeRoom lets the oldest begun blobs of a terminal go.
func (s *Server) makeRoom(terminal string) error {
	dir := filepath.Join(s.cfg.Dir, "parts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	var mine []fs.FileInfo
	for _, e := range all {
		if i, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), terminal+".") {
			mine = append(mine, i)
		}
	}
	for len(mine) >= partsEach {
		oldest := 0
		for i := range mine {
			if mine[i].ModTime().Before(mine[oldest].ModTime()) {
				oldest = i
			}
		}
		if err := os.Remove(filepath.Join(dir, mine[oldest].Name())); err != nil {
			return fmt.Errorf("blob: %w", err)
		}
		mine = append(mine[:oldest], mine[oldest+1:]...)
	}
	return nil
}
