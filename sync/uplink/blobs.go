package uplink

// Large blobs: sent in parts, and gone on with where a lost line left off.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/budayang/kiosk/sync/wire"
)

// partTries is how often the platform may say that it stands elsewhere before the upload is left for the next round.
const partTries = 5

// putParts uploads what the platform does not hold yet. After a break it asks where to go on.
func (c *Client) putParts(ctx context.Context, h wire.Hash, data []byte) error {
	path := wire.PathBlobs + h.String()
	var st wire.BlobState
	for range partTries {
		if err := c.call(ctx, http.MethodGet, path, nil, nil, &st, false); err != nil {
			return err
		}
		err := c.parts(ctx, h, data, &st)
		var refused *StatusError
		if errors.As(err, &refused) && refused.Body.Code == "E-OFFSET" {
			continue
		}
		return err
	}
	return fmt.Errorf("%w: blob stands elsewhere again and again", ErrGarbled)
}

func (c *Client) parts(ctx context.Context, h wire.Hash, data []byte, st *wire.BlobState) error {
	for !st.Held {
		from := st.Offset
		if from < 0 || from >= int64(len(data)) {
			return fmt.Errorf("%w: offset %d of %d bytes", ErrGarbled, from, len(data))
		}
		part := data[from:min(int64(len(data)), from+wire.MaxBlobPart)]
		var err error
		if *st, err = c.PutPart(ctx, h, from, len(data), part); err != nil {
			return err
		}
		if !st.Held && st.Offset <= from {
			return fmt.Errorf("%w: offset %d after a part at %d", ErrGarbled, st.Offset, from)
		}
	}
	return nil
}

// PutPart sends one part of a blob of so many bytes, and returns how much the platform holds.
func (c *Client) PutPart(ctx context.Context, h wire.Hash, offset int64, length int, part []byte) (st wire.BlobState, err error) {
	q := url.Values{"offset": {strconv.FormatInt(offset, 10)}, "length": {strconv.Itoa(length)}}
	err = c.send(ctx, http.MethodPost, wire.PathBlobs+h.String(), q, part, "application/octet-stream", &st, false)
	return st, err
}
