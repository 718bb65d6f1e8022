// Where the printer is, and the HTTP clients that reach it.

package document

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A target is a printer's address in the two forms that IPP needs (RFC 8010 section 4, RFC 7472).
type target struct {
	uri    string // ipp://host:631/path: the attribute printer-uri
	post   string // http://host:631/path: where requests go
	secure bool
}

// parseTarget reads ipp://host[:port][/path] or ipps://…. Port 631 and the path /ipp/print are what a printer has when
// nothing is said (PWG 5100.14).
func parseTarget(s string) (target, error) {
	bad := func(why string) (target, error) {
		return target{}, fmt.Errorf("%w: printer address: %s", devices.ErrUnusable, why)
	}
	u, err := url.Parse(s)
	if err != nil {
		return bad("not a URI")
	}
	var scheme string
	switch u.Scheme {
	case "ipp":
		scheme = "http"
	case "ipps":
		scheme = "https"
	default:
		return bad("expected ipp:// or ipps://")
	}
	switch {
	case u.Hostname() == "":
		return bad("names no host")
	case u.User != nil:
		return bad("carries a password")
	case u.RawQuery != "" || u.Fragment != "":
		return bad("ends in a query")
	}
	port := u.Port()
	if port == "" {
		port = "631"
	}
	host := net.JoinHostPort(u.Hostname(), port)
	path := u.EscapedPath()
	if path == "" || path == "/" {
		path = "/ipp/print"
	}
	return target{uri: u.Scheme + "://" + host + path, post: scheme + "://" + host + path, secure: u.Scheme == "ipps"}, nil
}

// tlsConfig trusts the one pinned certificate, or the system's authorities when pin is "".
func tlsConfig(pin string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if pin == "" {
		return conf, nil
	}
	want, err := hex.DecodeString(pin)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%w: pin is not a SHA-256 in hexadecimal", devices.ErrUnusable)
	}
	conf.InsecureSkipVerify = true // the pin is checked instead, on every connection, resumed ones too
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 || sha256.Sum256(s.PeerCertificates[0].Raw) != [sha256.Size]byte(want) {
			return errPin
		}
		return nil
	}
	return conf, nil
}

// errPin: somebody else answers at the printer's address.
var errPin = errors.New("certificate is not the pinned one")

// untrusted says whether an error is about the printer's certificate.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.Is(err, errPin) || errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host)
}

// client makes an HTTP client that goes straight to the printer: no proxy, no redirect, no compression. net/http repeats
// a POST by itself only if it had not written a byte of it, which single connections rule out as well.
func client(conf *tls.Config, single bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:        conf,
			TLSHandshakeTimeout:    5 * time.Second,
			DisableCompression:     true,
			DisableKeepAlives:      single,
			MaxConnsPerHost:        4, // small printers have few sockets
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
