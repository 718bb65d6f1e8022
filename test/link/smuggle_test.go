package link

// What is hidden in the form of a request: refused by the server itself, and never answered as two.

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func dialTLS(t *testing.T, c *city) net.Conn {
	t.Helper()
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(c.url, "https://"), &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSmuggledRequests(t *testing.T) {
	c := newCity(t)
	hidden := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	for what, raw := range map[string]string{
		"two lengths":             "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + hidden,
		"length and chunks":       "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a coding of its own":     "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunks, spelt oddly":     "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a chunk that is no size": "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + hidden,
		"a negative length":       "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" + hidden,
		"a line end in a name":    "GET /v1/catalogue HTTP/1.1\r\nHost: x\r\nA\nuthorization: x\r\n\r\n",
		"two hosts":               "GET /v1/catalogue HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"no host":                 "GET /v1/catalogue HTTP/1.1\r\n\r\n",
		"nothing known":           "\x16\x03\x01\r\n\r\n",
		"headers without end":     "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			conn := dialTLS(t, c)
			if _, err := io.WriteString(conn, raw); err != nil {
				return // it hung up, which is an answer
			}
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("%s was answered %s", what, resp.Status)
			}
			if again, err := http.ReadResponse(r, nil); err == nil && again.StatusCode < 400 {
				t.Errorf("a hidden request was answered %s", again.Status)
			}
		})
	}
}

// A body of 1 GiB is cut off at its limit, over a real line, and the server lives.
func TestHugeBodies(t *testing.T) {
	c := newCity(t)
	for what, head := range map[string]string{
		"announced": "Content-Length: 1073741824\r\n",
		"chunked":   "Transfer-Encoding: chunked\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			conn := dialTLS(t, c)
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n", wire.PathEnroll, head); err != nil {
				t.Fatal(err)
			}
			sent := 0
			for chunk := strings.Repeat(" ", 1<<16); sent < 1<<30; sent += len(chunk) {
				piece := chunk
				if what == "chunked" {
					piece = fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
				}
				if _, err := io.WriteString(conn, piece); err != nil {
					break
				}
			}
			if sent > 16<<20 {
				t.Errorf("%d bytes of it were taken", sent)
			}
		})
	}
	all, err := c.SecurityEvents(t.Context(), 100)
	if err != nil || len(all) == 0 || all[0].Code != "E-TOO-LARGE" || all[0].Route != "POST "+wire.PathEnroll {
		t.Errorf("%+v, %v", all, err)
	}
}
