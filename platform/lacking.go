package platform

// Blobs that records speak of and that are not here: on their way, or lost with an old copy of the blobs.

import (
	"encoding/json"
	"os"

	"github.com/budayang/kiosk/sync/wire"
)

// lacking lists the blobs of a batch's records that are not held. A terminal that sent one before sends it again.
func (s *Server) lacking(b wire.Batch) (all []wire.Hash) {
	for _, r := range b.Records {
		if r.Type != wire.TypeHotline {
			continue
		}
		var h wire.Hotline
		if json.Unmarshal(r.Body, &h) != nil || h.Ink == (wire.Hash{}) {
			continue
		}
		if _, err := os.Stat(s.blobPath(h.Ink)); err != nil {
			all = append(all, h.Ink)
		}
	}
	return all
}
