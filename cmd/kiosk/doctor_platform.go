package main

// The doctor's look at the way to the platform: name, authority, TLS, how long it takes, whether it lets this terminal in.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/uplink"
)

// checkIdentity looks at the enrolment and at the age of the certificate.
func checkIdentity(c config.Config, now time.Time) []finding {
	if _, err := os.Stat(filepath.Join(c.Terminal.Data, uplink.IdentityFile)); errors.Is(err, fs.ErrNotExist) {
		return []finding{bad(mend("enrol", "id", c.Terminal.ID), "identity.none", "id", c.Terminal.ID)}
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	switch {
	case err != nil:
		return []finding{bad(mend("identity.spoiled", "id", c.Terminal.ID), "identity.error").because(err)}
	case !id.Enrolled():
		return []finding{bad(mend("enrol", "id", c.Terminal.ID), "identity.not-enrolled", "id", c.Terminal.ID)}
	}
	from, until := id.Certified()
	days := int(until.Sub(now).Hours() / 24)
	switch {
	case now.Before(from):
		return []finding{bad(mend("cert.early"), "cert.early", "time", from.Local().Format(time.DateTime))}
	case now.After(until):
		return []finding{warn(mend("cert.over"), "cert.over", "date", until.Local().Format(time.DateOnly))}
	case days < 30:
		return []finding{warn(mend("cert.soon"), "cert.soon", "days", fmt.Sprint(days))}
	}
	return []finding{ok("identity", "id", c.Terminal.ID, "profile", string(id.Profile()), "days", fmt.Sprint(days))}
}

// checkLetIn asks for the catalogue as the terminal does.
func checkLetIn(ctx context.Context, c config.Config) []finding {
	if _, err := os.Stat(filepath.Join(c.Terminal.Data, uplink.IdentityFile)); err != nil {
		return nil
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	if err != nil || !id.Enrolled() {
		return nil
	}
	client, err := newClient(c, id)
	if err != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	_, err = client.Catalogue(ctx)
	var refused *uplink.StatusError
	switch {
	case err == nil:
		return []finding{ok("let-in")}
	case !errors.As(err, &refused):
		return nil // that it cannot be reached was said above
	}
	word := "tell"
	switch refused.Body.Code {
	case "E-REVOKED", "E-TERMINAL", "E-CERT", "E-AUTH", "E-CERT-EXPIRED", "E-CLOCK":
		word = refused.Body.Code
	}
	return []finding{bad(mend("refused."+word, "id", c.Terminal.ID), "refused", "code", refused.Body.Code)}
}

// Limits of the way to the platform.
const (
	slowPlatform = 2 * time.Second
	certSoon     = 14 * 24 * time.Hour
)

// authority reads whom the terminal trusts.
func authority(path string, now time.Time) (roots *x509.CertPool, all []finding) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, []finding{bad(mend("ca"), "ca.error").because(err)}
	}
	roots = x509.NewCertPool()
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			continue
		}
		n++
		roots.AddCert(cert)
		switch {
		case now.After(cert.NotAfter):
			all = append(all, bad(mend("ca.over"), "ca.over", "path", path, "date", cert.NotAfter.Local().Format(time.DateOnly)))
		case now.Add(certSoon).After(cert.NotAfter):
			all = append(all, warn(mend("ca.soon"), "ca.soon", "path", path, "date", cert.NotAfter.Local().Format(time.DateOnly)))
		}
	}
	if n == 0 {
		return nil, []finding{bad(mend("ca"), "ca.none", "path", path)}
	}
	return roots, all
}

// checkPlatform resolves the platform's name, speaks TLS with it and compares clocks.
func checkPlatform(ctx context.Context, c config.Config) []finding {
	roots, all := authority(c.Platform.CA, time.Now())
	if roots == nil {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u, err := url.Parse(c.Platform.URL)
	if err != nil {
		return append(all, bad(mend("url"), "url").because(err))
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer tr.CloseIdleConnections()
	ask, key := u.Hostname(), "platform.url"
	if c.Platform.Proxy != "" { // which then knows the platform's name; only its own is looked up here
		proxy, err := url.Parse(c.Platform.Proxy)
		if err != nil {
			return append(all, bad(mend("proxy-url"), "proxy-url").because(err))
		}
		tr.Proxy = http.ProxyURL(proxy)
		ask, key = proxy.Hostname(), "platform.proxy"
	}
	if net.ParseIP(ask) == nil {
		found, err := net.DefaultResolver.LookupHost(ctx, ask)
		if err != nil {
			return append(all, bad(mend("name", "key", key), "name").because(err))
		}
		all = append(all, ok("name.found", "name", ask, "addresses", strings.Join(found, " ")))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("healthz").String(), nil)
	if err != nil {
		return append(all, bad(mend("url"), "url").because(err))
	}
	before := time.Now()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		if c.Platform.Proxy != "" {
			var op *net.OpError
			if errors.As(err, &op) && op.Op == "proxyconnect" || strings.Contains(err.Error(), "proxyconnect") {
				return append(all, bad(mend("proxy"), "proxy", "proxy", c.Platform.Proxy).because(err))
			}
			how := mend("platform.proxy", "host", u.Host).With("mend", mendPlatform(err))
			if faultOf(err).ID == "fault.other" { // the proxy's own words, whatever they are
				err = saying("fault.proxy-refused", "words", err.Error())
			}
			return append(all, bad(how, "platform.proxy", "host", u.Host, "proxy", c.Platform.Proxy).because(err))
		}
		return append(all, bad(mendPlatform(err), "platform", "host", u.Host).because(err))
	}
	_ = resp.Body.Close()
	took := time.Since(before)
	switch {
	case resp.StatusCode != http.StatusOK:
		all = append(all, bad(mend("refused.tell"), "platform.status", "host", u.Host, "status", resp.Status, "code", strconv.Itoa(resp.StatusCode)))
	case took > slowPlatform:
		all = append(all, warn(mend("slow"), "platform.answers", "host", u.Host, "time", took.Round(time.Millisecond).String()))
	default:
		all = append(all, ok("platform.answers", "host", u.Host, "time", took.Round(time.Millisecond).String()))
	}
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		if end := resp.TLS.PeerCertificates[0].NotAfter; time.Until(end) < certSoon {
			all = append(all, warn(mend("platform.cert"), "platform.cert", "date", end.Local().Format(time.DateOnly)))
		}
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		off := time.Since(t).Round(time.Second)
		switch {
		case off.Abs() > 3*time.Minute:
			all = append(all, bad(mend("clock.off"), "clock.off"))
		case off.Abs() > 10*time.Second:
			all = append(all, warn(mend("clock.ntp"), "clock.off"))
		default:
			all = append(all, ok("clock.agrees"))
		}
		last := &all[len(all)-1]
		last.What = last.What.With("off", span(off.Abs()))
	}
	return all
}

func mendPlatform(err error) service.Text {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return mend("platform.authority")
	case errors.As(err, &name):
		return mend("platform.name")
	case errors.As(err, &invalid):
		return mend("platform.invalid")
	}
	return mend("platform.line")
}

// span is a time of whole seconds in words.
func span(d time.Duration) service.Text {
	h, m, s := strconv.Itoa(int(d.Hours())), strconv.Itoa(int(d.Minutes())%60), strconv.Itoa(int(d.Seconds())%60)
	switch {
	case d >= time.Hour:
		return service.T("doc.span.hours", "h", h, "m", m, "s", s)
	case d >= time.Minute:
		return service.T("doc.span.minutes", "m", m, "s", s)
	}
	return service.T("doc.span.seconds", "s", s)
}
