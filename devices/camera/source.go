package camera

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/devices"
)

// openSource opens what a URI names.
func openSource(ctx context.Context, uri string, opt Options) (source, error) {
	scheme, rest, _ := strings.Cut(uri, ":")
	switch scheme {
	case "v4l2":
		if !filepath.IsAbs(rest) {
			break
		}
		return openV4L2(rest, opt)
	case "http", "https":
		if u, err := url.Parse(uri); err != nil || u.Host == "" || u.User != nil {
			break
		}
		return openHTTP(ctx, uri, opt)
	case "file":
		if !filepath.IsAbs(rest) {
			break
		}
		return openFile(rest, opt)
	}
	return nil, fmt.Errorf("%w: expected v4l2:/dev/…, http://… or https://… without a password", devices.ErrUnusable)
}
