//go:build !release

package journey

// A member of staff at the platform's pages, as a browser sends their forms: signed in, on duty, called to the terminal.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/staff"
)

// Clerk is somebody signed in at the platform's pages.
type Clerk struct {
	name   string
	base   string
	client *http.Client
}

// NewClerk makes an account as an operator at the server's machine does, signs in with it and chooses a password.
func (w *World) NewClerk(ctx context.Context, name string) (*Clerk, error) {
	store, err := platform.OpenSQLite(ctx, filepath.Join(w.opt.Dir, "platform", "platform.db"))
	if err != nil {
		return nil, err
	}
	const first, own = "Das erste Losungswort", "Lange Wege, kurze Zeiten"
	by := platform.Operator{Who: "demonstration", Why: "a clerk of the demonstration"}
	err = platform.AddAccount(ctx, store, platform.NewAccount{Name: name, Role: staff.Clerk, Password: first}, time.Now(), by)
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.Platform.CA())
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &Clerk{name: name, base: "https://" + w.address, client: &http.Client{Jar: jar, Timeout: 10 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if err := c.form(ctx, "/login", http.StatusSeeOther, "name", name, "password", first); err != nil {
		return nil, err
	}
	return c, c.form(ctx, "/account/password", http.StatusSeeOther, "old", first, "new", own, "again", own)
}

// form sends pairs of names and values, and wants a status.
func (c *Clerk) form(ctx context.Context, path string, want int, pairs ...string) error {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	status, page, err := c.send(ctx, http.MethodPost, path, f)
	if err == nil && status != want {
		err = fmt.Errorf("%s answers %d, expected %d: %.300s", path, status, want, page)
	}
	return err
}

func (c *Clerk) page(ctx context.Context, path string) (string, error) {
	status, page, err := c.send(ctx, http.MethodGet, path, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d", path, status)
	}
	return page, err
}

func (c *Clerk) send(ctx context.Context, method, path string, f url.Values) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(f.Encode()))
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", c.base)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(b), err
}

// OnDuty begins a duty at a site, and keeps the page open until ctx ends.
func (c *Clerk) OnDuty(ctx context.Context, site string) error {
	return c.form(ctx, "/proofs/duty", http.StatusSeeOther, "act", "on", "site", site, "hours", "1")
}

// LooksOn is the open page's script.
func (c *Clerk) LooksOn(ctx context.Context) {
	for sleep(ctx, 3*time.Second) == nil {
		_, _ = c.page(ctx, "/proofs.json")
	}
}

// Vouch answers the call of a terminal with the number that stands on its screen; a number that does not confirms nobody.
func (c *Clerk) Vouch(ctx context.Context, terminal, number string) error {
	page, err := c.page(ctx, "/proofs")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`data-call="([0-9a-f]+)"><td class="long">` + regexp.QuoteMeta(terminal) + `<`).FindStringSubmatch(page)
	if m == nil {
		return fmt.Errorf("no call of %s on the page", terminal)
	}
	if regexp.MustCompile(`[>"\s]` + number + `[<"\s]`).MatchString(page) {
		return errors.New("the number of the screen stands on the page")
	}
	other := "0000"
	if number == other {
		other = "0001"
	}
	say := func(number string, want int) error {
		return c.form(ctx, "/proofs/"+m[1], want, "act", "confirm", "number", number, "document", "resident", "saw", "yes", "same", "yes")
	}
	if err := say(other, http.StatusBadRequest); err != nil {
		return fmt.Errorf("another number: %w", err)
	}
	return say(number, http.StatusSeeOther)
}

// ApprovesNot says that this clerk cannot approve the one application that waits, and is named on its page as who vouched.
func (c *Clerk) ApprovesNot(ctx context.Context) error {
	list, err := c.page(ctx, "/cards")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`href="/cards/([0-9A-Za-z-]{8,64})"`).FindStringSubmatch(list)
	if m == nil {
		return errors.New("no application waits")
	}
	page, err := c.page(ctx, "/cards/"+m[1])
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`id="proved"[^>]*>[^<]*现场核验[^<]* · ` + regexp.QuoteMeta(c.name)).MatchString(page) {
		return errors.New("the reviewer's page does not say who vouched")
	}
	return c.form(ctx, "/cards/"+m[1]+"/decide", http.StatusBadRequest, "act", "approve", "rev", "1")
}
