package main

// The doctor's look at the way to the platform: name, authority, TLS, how long it takes, whether it lets this terminal in.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/uplink"
)

// checkIdentity looks at the enrolment and at the age of the certificate.
func checkIdentity(c config.Config, now time.Time) []finding {
	if _, err := os.Stat(filepath.Join(c.Terminal.Data, uplink.IdentityFile)); errors.Is(err, fs.ErrNotExist) {
		return []finding{bad("have a code made (platform enroll "+c.Terminal.ID+") and run kiosk enroll", "terminal %s has no keys yet and is not enrolled", c.Terminal.ID)}
	}
	id, err := uplink.LoadIdentity(c.Terminal.Data, c.Terminal.ID)
	switch {
	case err != nil:
		return []finding{bad("if the file is spoiled, move it away, have the terminal reset (platform reset "+c.Terminal.ID+") and enrol it again", "%v", err)}
	case !id.Enrolled():
		return []finding{bad("have a code made (platform enroll "+c.Terminal.ID+") and run kiosk enroll", "terminal %s is not enrolled", c.Terminal.ID)}
	}
	from, until := id.Certified()
	days := int(until.Sub(now).Hours() / 24)
	switch {
	case now.Before(from):
		return []finding{bad("look at the clock: it is before this terminal's enrolment", "certificate begins %s", from.Local().Format(time.DateTime))}
	case now.After(until):
		return []finding{warn("nothing by hand if this is less than half a year ago: it renews itself when the platform can be reached; later, have the terminal reset and enrol it again", "certificate ended %s", until.Local().Format(time.DateOnly))}
	case days < 30:
		return []finding{warn("let the terminal reach its platform: it should have renewed its certificate by now", "certificate ends in %d days", days)}
	}
	return []finding{ok("enrolled as %s (%s); certificate good for %d days", c.Terminal.ID, id.Profile(), days)}
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
		return []finding{ok("the platform lets this terminal in")}
	case !errors.As(err, &refused):
		return nil // that it cannot be reached was said above
	}
	again := "have it reset (platform reset " + c.Terminal.ID + "), a new code made, and run kiosk enroll"
	mend := map[string]string{
		"E-REVOKED":      "an operator put it out: ask why; then " + again,
		"E-TERMINAL":     "it was reset or never enrolled there: have a code made (platform enroll " + c.Terminal.ID + ") and run kiosk enroll",
		"E-CERT":         "ask the platform's operator: it was put out or reset, or its certificate is older than the platform's, as on a restored or copied disk; then " + again + " --new-keys",
		"E-AUTH":         "its keys are not those the platform knows, as on a restored or copied disk: " + again + " --new-keys",
		"E-CERT-EXPIRED": "nothing by hand: the running terminal renews it, up to half a year after its end",
		"E-CLOCK":        "look at the clock and its battery",
	}[refused.Body.Code]
	if mend == "" {
		mend = "tell the platform's operator"
	}
	return []finding{bad(mend, "the platform does not let this terminal in: %s", refused.Body.Code)}
}

// Limits of the way to the platform.
const (
	slowPlatform = 2 * time.Second
	certSoon     = 14 * 24 * time.Hour
)

const copyCA = "copy the authority's PEM from the platform (platform ca prints it) to this place"

// authority reads whom the terminal trusts.
func authority(path string, now time.Time) (roots *x509.CertPool, all []finding) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, []finding{bad(copyCA, "%v", err)}
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
			all = append(all, bad("look at the clock; if it is right, "+copyCA, "the authority in %s ended on %s", path, cert.NotAfter.Local().Format(time.DateOnly)))
		case now.Add(certSoon).After(cert.NotAfter):
			all = append(all, warn("ask the platform's operator for the new authority and put it into the same file beside the old one", "the authority in %s ends on %s", path, cert.NotAfter.Local().Format(time.DateOnly)))
		}
	}
	if n == 0 {
		return nil, []finding{bad(copyCA, "%s holds no certificate", path)}
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
		return append(all, bad("correct platform.url", "platform: %v", err))
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer tr.CloseIdleConnections()
	ask, key := u.Hostname(), "platform.url"
	if c.Platform.Proxy != "" { // which then knows the platform's name; only its own is looked up here
		proxy, err := url.Parse(c.Platform.Proxy)
		if err != nil {
			return append(all, bad("correct platform.proxy", "proxy: %v", err))
		}
		tr.Proxy = http.ProxyURL(proxy)
		ask, key = proxy.Hostname(), "platform.proxy"
	}
	if net.ParseIP(ask) == nil {
		found, err := net.DefaultResolver.LookupHost(ctx, ask)
		if err != nil {
			return append(all, bad("look at the name in "+key+" and at the name server (resolvectl status; /etc/resolv.conf); the terminal serves what works offline meanwhile", "name of the platform: %v", err))
		}
		all = append(all, ok("%s is %s", ask, strings.Join(found, " ")))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("healthz").String(), nil)
	if err != nil {
		return append(all, bad("correct platform.url", "platform: %v", err))
	}
	before := time.Now()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		if c.Platform.Proxy != "" {
			var op *net.OpError
			if errors.As(err, &op) && op.Op == "proxyconnect" || strings.Contains(err.Error(), "proxyconnect") {
				return append(all, bad("look at platform.proxy, and whether the proxy runs", "proxy %s: %v", c.Platform.Proxy, err))
			}
			return append(all, bad(mendPlatform(err)+"; or the proxy refuses: it must let CONNECT to "+u.Host+" through", "platform %s by way of proxy %s: %v", u.Host, c.Platform.Proxy, err))
		}
		return append(all, bad(mendPlatform(err), "platform %s: %v", u.Host, err))
	}
	_ = resp.Body.Close()
	took := time.Since(before)
	switch {
	case resp.StatusCode != http.StatusOK:
		all = append(all, bad("tell the platform's operator", "platform %s answers %s", u.Host, resp.Status))
	case took > slowPlatform:
		all = append(all, warn("look at the line: citizens wait for every answer", "platform %s answers in %v", u.Host, took.Round(time.Millisecond)))
	default:
		all = append(all, ok("platform %s answers in %v", u.Host, took.Round(time.Millisecond)))
	}
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		if end := resp.TLS.PeerCertificates[0].NotAfter; time.Until(end) < certSoon {
			all = append(all, warn("tell the platform's operator to renew it", "the platform's certificate ends on %s", end.Local().Format(time.DateOnly)))
		}
	}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		off := time.Since(t).Round(time.Second)
		switch {
		case off.Abs() > 3*time.Minute:
			all = append(all, bad("set the clock (timedatectl set-ntp true) and change its battery; the platform refuses requests more than 180 s off", "clock is %v off the platform's", off))
		case off.Abs() > 10*time.Second:
			all = append(all, warn("let the clock be set by NTP", "clock is %v off the platform's", off))
		default:
			all = append(all, ok("clock agrees with the platform's"))
		}
	}
	return all
}

func mendPlatform(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "platform.ca is not the authority of this platform: copy the right one"
	case errors.As(err, &name):
		return "platform.url names another host than the platform's certificate"
	case errors.As(err, &invalid):
		return "the platform's certificate is not valid at this machine's time: look at the clock first; if it is right, tell the platform's operator to renew it"
	}
	return "look at cable, network and the address in platform.url; the terminal serves what works offline meanwhile"
}
