//go:build !release

package journey

// Somebody at a window of the hall, who calls numbers on the platform's page as a browser does.

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"

	"github.com/budayang/kiosk/platform"
)

// hallWindows are those of the hall; the citizens of temporary identity cards belong to 3 and 4.
var hallWindows = platform.QueueConfig{
	Businesses: []platform.Business{
		{Code: "household", Letter: "A", Name: map[string]string{"zh": "户籍业务", "en": "Household registration"}, Items: []string{"TID"}},
		{Code: "social-insurance", Letter: "B", Name: map[string]string{"zh": "社保业务", "en": "Social insurance"}, Items: []string{"SB-P", "SB-Q"}},
	},
	Windows: []platform.Window{{Site: siteName, Name: "3", Businesses: []string{"household"}}, {Site: siteName, Name: "4", Businesses: []string{"household"}},
		{Site: siteName, Name: "6", Businesses: []string{"social-insurance"}}},
}

// Window is somebody at a window.
type Window struct {
	*browser
	at string
}

// NewWindow signs somebody in at a window.
func (w *World) NewWindow(ctx context.Context, name, window string) (*Window, error) {
	b, err := w.signIn(ctx, name)
	return &Window{b, siteName + "/" + window}, err
}

var (
	pageNumber = regexp.MustCompile(`id="here">([A-Z][0-9A-Za-z-]+)<`)
	pageCalls  = regexp.MustCompile(`name="calls" value="([0-9]+)"`)
)

// Look is the window's page and who is there; "" is nobody.
func (c *Window) Look(ctx context.Context) (number, page string, err error) {
	page, err = c.page(ctx, "/queue?at="+url.QueryEscape(c.at))
	if m := pageNumber.FindStringSubmatch(page); m != nil {
		number = m[1]
	}
	return number, page, err
}

// Press presses a button of the page ("next", "again", "done", "absent"), and says who is at the window then.
func (c *Window) Press(ctx context.Context, act string) (number, page string, err error) {
	number, page, err = c.Look(ctx)
	if err != nil {
		return "", "", err
	}
	calls := pageCalls.FindStringSubmatch(page)
	if calls == nil {
		return "", "", errors.New("the page has no buttons")
	}
	if page, err = c.send(ctx, "/queue", http.StatusOK, "at", c.at, "act", act, "number", number, "calls", calls[1]); err != nil {
		return "", "", err
	}
	number = ""
	if m := pageNumber.FindStringSubmatch(page); m != nil {
		number = m[1]
	}
	return number, page, nil
}
