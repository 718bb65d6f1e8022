package platform

// Blobs that records speak of and that are not here: on their way, or lost with an old copy of the blobs.

import (
	"context"
	"encoding/json"

	"github.com/budayang/kiosk/sync/wire"
)

// lacking lists the blobs of a batch's records that are not held. A terminal that sent one before sends it again.
func (s *Server) lacking(ctx context.Context, b wire.Batch) []wire.Hash {
	return s.without(ctx, pictures(b))
}

// pictures are the blobs that a batch's records speak of.
func pictures(b wire.Batch) (all []wire.Hash) {
	for _, r := range b.Records {
		if r.Type != wire.TypeHotline {
			continue
		}
		var h wire.Hotline
		if json.Unmarshal(r.Body, &h) == nil && h.Ink != (wire.Hash{}) {
			all = append(all, h.Ink)
		}
	}
	return all
}

// without are those of some blobs that are not held.
func (s *Server) without(ctx context.Context, some []wire.Hash) (all []wire.Hash) {
	for _, h := range some {
		has, err := s.cfg.Blobs.Has(ctx, h)
		if err != nil {
			// The records are taken all the same; what is missing is asked for with a later batch, or comes by itself.
			s.cfg.Log.Warn("blobs cannot be looked at", "error", err)
			return nil
		}
		if !has {
			all = append(all, h)
		}
	}
	return all
}
