//go:build !release

package journey

// Somebody at a window of the hall, who calls numbers on the platform's page as a browser does.

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/staff"
)

// hallSite is where the demonstration's terminals stand.
const hallSite = "示例区市民之家"

// hallWindows are those of the hall; the citizens of temporary identity cards belong to 3 and 4.
var hallWindows = platform.QueueConfig{
	Businesses: []platform.Business{
		{Code: "household", Letter: "A", Name: map[string]string{"zh": "户籍业务", "en": "Household registration"}, Items: []string{"TID"}},
		{Code: "social-insurance", Letter: "B", Name: map[string]string{"zh": "社保业务", "en": "Social insurance"}, Items: []string{"SB-P", "SB-Q"}},
	},
	Windows: []platform.Window{{Site: hallSite, Name: "3", Businesses: []string{"household"}}, {Site: hallSite, Name: "4", Businesses: []string{"household"}},
		{Site: hallSite, Name: "6", Businesses: []string{"social-insurance"}}},
}

// Window is somebody at a window, signed in.
type Window struct {
	client *http.Client
	base   string
	at     string
}

// NewWindow makes an account and signs in with it, as whoever was given a first password does.
func (w *World) NewWindow(ctx context.Context, name, window string) (*Window, error) {
	first, own := rand.Text(), rand.Text()
	if err := platform.AddAccount(ctx, w.store, platform.NewAccount{Name: name, Role: staff.Clerk, Password: first}, time.Now(), platform.Operator{Who: "demonstration", Why: "a window"}); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.Platform.CA())
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &Window{base: "https://" + w.address, at: hallSite + "/" + window, client: &http.Client{Jar: jar, Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}
	if _, err := c.send(ctx, http.MethodPost, "/login", url.Values{"name": {name}, "password": {first}}); err != nil {
		return nil, err
	}
	_, err = c.send(ctx, http.MethodPost, "/account/password", url.Values{"old": {first}, "new": {own}, "again": {own}})
	return c, err
}

// send follows to the page on which what was done can be seen.
func (c *Window) send(ctx context.Context, method, path string, form url.Values) (page string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return string(b), err
}

var (
	pageNumber = regexp.MustCompile(`id="here">([A-Z][0-9A-Za-z-]+)<`)
	pageCalls  = regexp.MustCompile(`name="calls" value="([0-9]+)"`)
)

// Look is the window's page and who is there; "" is nobody.
func (c *Window) Look(ctx context.Context) (number, page string, err error) {
	page, err = c.send(ctx, http.MethodGet, "/queue?at="+url.QueryEscape(c.at), nil)
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
	if page, err = c.send(ctx, http.MethodPost, "/queue", url.Values{"at": {c.at}, "act": {act}, "number": {number}, "calls": {calls[1]}}); err != nil {
		return "", "", err
	}
	number = ""
	if m := pageNumber.FindStringSubmatch(page); m != nil {
		number = m[1]
	}
	return number, page, nil
}
