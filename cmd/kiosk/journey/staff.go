//go:build !release

package journey

// Whoever of the staff is signed in at the platform's pages, and sends their forms as a browser does.

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/staff"
)

// browser is somebody's, signed in. It follows to the page on which what was done can be seen.
type browser struct {
	base   string
	client *http.Client
}

// signIn makes an account as an operator at the server's machine does, signs in with it and chooses a password.
func (w *World) signIn(ctx context.Context, name string) (*browser, error) {
	first, own := rand.Text(), rand.Text()
	by := platform.Operator{Who: "demonstration", Why: "staff of the demonstration"}
	if err := platform.AddAccount(ctx, w.store, platform.NewAccount{Name: name, Role: staff.Clerk, Password: first}, time.Now(), by); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.Platform.CA())
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &browser{base: "https://" + w.address, client: &http.Client{Jar: jar, Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}
	if _, err := b.send(ctx, "/login", http.StatusOK, "name", name, "password", first); err != nil {
		return nil, err
	}
	_, err = b.send(ctx, "/account/password", http.StatusOK, "old", first, "new", own, "again", own)
	return b, err
}

// page fetches one.
func (b *browser) page(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return "", err
	}
	return b.do(r, http.StatusOK)
}

// send sends a form of pairs of names and values, wants a status, and returns the page that comes.
func (b *browser) send(ctx context.Context, path string, want int, pairs ...string) (string, error) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r, want)
}

func (b *browser) do(r *http.Request, want int) (string, error) {
	resp, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s answers %d, expected %d: %.300s", r.Method, r.URL.Path, resp.StatusCode, want, page)
	}
	return string(page), err
}
