package uplink

import (
	"context"
	"fmt"
	"net/http"

	"github.com/budayang/kiosk/sync/wire"
)

// Finger has a picture of a finger compared with the register. A [StatusError] with E-FINGER-OTHER says that it is somebody else's.
func (c *Client) Finger(ctx context.Context, f wire.FingerCheck) (ok wire.CodeChecked, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathFingers, nil, f, &ok, false); err != nil {
		return ok, err
	}
	if ok.Token == "" {
		return ok, fmt.Errorf("%w: no token", ErrGarbled)
	}
	return ok, nil
}
