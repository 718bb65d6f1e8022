package platform

// Large blobs in parts: what arrived is in the store, common to all servers, until all of it is there and has its hash.

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"

	"github.com/budayang/kiosk/sync/wire"
)

// partsEach is how many blobs a terminal may have begun; the one that was touched longest ago gives way.
const partsEach = 4

func (s *Server) blobState(w http.ResponseWriter, r *http.Request, _ []byte) {
	var h wire.Hash
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil {
		s.refuse(w, errMalformed, "path is not a hash")
		return
	}
	st, err := s.heldOf(r.Context(), terminalOf(r.Context()), h)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, st)
}

func (s *Server) heldOf(ctx context.Context, terminal string, h wire.Hash) (st wire.BlobState, err error) {
	if st.Held, err = s.cfg.Blobs.Has(ctx, h); err != nil || st.Held {
		return st, err
	}
	err = s.store.View(ctx, func(tx Tx) error { st.Offset, err = tx.PartsHeld(terminal, h); return err })
	return st, err
}

func (s *Server) putPart(w http.ResponseWriter, r *http.Request, body []byte) {
	var h wire.Hash
	offset, oerr := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	length, lerr := strconv.ParseInt(r.URL.Query().Get("length"), 10, 64)
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil || oerr != nil || lerr != nil || offset < 0 || len(body) == 0 || length > wire.MaxBlobBytes || offset+int64(len(body)) > length {
		s.refuse(w, errMalformed, "hash, offset, length and part do not fit together")
		return
	}
	st, err := s.part(r.Context(), terminalOf(r.Context()), h, offset, length, body)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, st)
}

// part adds to what was begun; the last part moves it to its place.
func (s *Server) part(ctx context.Context, terminal string, h wire.Hash, offset, length int64, body []byte) (wire.BlobState, error) {
	st, err := s.heldOf(ctx, terminal, h)
	if err != nil || st.Held {
		return st, err
	}
	var whole []byte
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		whole = nil
		if st.Offset, err = tx.PartsHeld(terminal, h); err != nil {
			return err
		}
		if st.Offset != offset {
			return errOffset
		}
		if offset == 0 {
			if err := makeRoom(tx, terminal); err != nil {
				return err
			}
		}
		if offset+int64(len(body)) == length {
			// The last part is not begun: it comes again until all of it is in its place.
			whole, err = tx.Parts(terminal, h)
			whole = append(whole, body...)
			return err
		}
		st.Offset += int64(len(body))
		return tx.PutPart(terminal, h, offset, body, s.now())
	})
	if err != nil || whole == nil {
		return st, err
	}
	drop := func() error {
		return s.store.Update(ctx, func(tx Tx) error { return tx.DropParts(terminal, h) })
	}
	if sha256.Sum256(whole) != h {
		return st, errors.Join(errBlob, drop())
	}
	if _, err := s.cfg.Blobs.Put(ctx, h, whole); err != nil {
		return st, err
	}
	return wire.BlobState{Held: true}, drop()
}

// makeRoom lets the begun blobs of a terminal go that were touched longest ago.
func makeRoom(tx Tx, terminal string) error {
	begun, err := tx.PartsBegun(terminal)
	if err != nil {
		return err
	}
	for len(begun) >= partsEach {
		if err := tx.DropParts(terminal, begun[0]); err != nil {
			return err
		}
		begun = begun[1:]
	}
	return nil
}
