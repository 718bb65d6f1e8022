// Opening a printer: addresses, versions, and printers that will not do.

package document

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/budayang/kiosk/devices"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]target{
		"ipp://10.0.0.9":                        {"ipp://10.0.0.9:631/ipp/print", "http://10.0.0.9:631/ipp/print", false},
		"ipp://localhost:60000/ipp/print":       {"ipp://localhost:60000/ipp/print", "http://localhost:60000/ipp/print", false},
		"ipps://printer.example/ipp/print%20it": {"ipps://printer.example:631/ipp/print%20it", "https://printer.example:631/ipp/print%20it", true},
		"ipp://[fd00::9]/":                      {"ipp://[fd00::9]:631/ipp/print", "http://[fd00::9]:631/ipp/print", false},
	} {
		got, err := parseTarget(in)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "http://10.0.0.9", "ipp://", "ipp:///ipp/print", "ipp://user:secret@host/", "ipp://host/?x=1", "ipp://ho st", "ipp://host:port/"} {
		_, err := parseTarget(in)
		if !errors.Is(err, devices.ErrUnusable) {
			t.Errorf("%q: %v", in, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	without := func(op goipp.Op) func(*fake) {
		return func(f *fake) { f.ops = slices.DeleteFunc(f.ops, func(o goipp.Op) bool { return o == op }) }
	}
	every := func(how func(*fake, http.ResponseWriter, *goipp.Message)) func(*fake) {
		return hooked(goipp.OpGetPrinterAttributes, how)
	}
	for name, c := range map[string]struct {
		arrange func(*fake)
		opt     Options
		is      error
		says    string
	}{
		"no PDF":          {func(f *fake) { f.formats = []string{"image/pwg-raster"} }, Options{}, devices.ErrUnusable, "application/pdf"},
		"no formats":      {func(f *fake) { f.formats = nil }, Options{}, devices.ErrUnusable, "application/pdf"},
		"no Create-Job":   {without(goipp.OpCreateJob), Options{}, devices.ErrUnusable, "Create-Job"},
		"no Get-Jobs":     {without(goipp.OpGetJobs), Options{}, devices.ErrUnusable, "Get-Jobs"},
		"other media":     {func(*fake) {}, Options{Media: "iso_a3_297x420mm"}, devices.ErrUnusable, "iso_a3"},
		"CUPS queue":      {cups, Options{}, devices.ErrUnusable, "CUPS queue"},
		"wrong path":      {every(httpStatus(http.StatusNotFound)), Options{}, devices.ErrUnusable, "HTTP 404"},
		"wants password":  {every(httpStatus(http.StatusUnauthorized)), Options{}, devices.ErrUnusable, "HTTP 401"},
		"wants ipps":      {every(httpStatus(http.StatusUpgradeRequired)), Options{}, devices.ErrUnusable, "HTTP 426"},
		"sends elsewhere": {every(httpStatus(http.StatusFound)), Options{}, devices.ErrUnusable, "HTTP 302"},
		"fails":           {every(internalError), Options{}, devices.ErrProtocol, "HTTP 500"},
		"HTML":            {every(html), Options{}, devices.ErrProtocol, "text/html"},
		"half a body":     {every(halfABody), Options{}, devices.ErrProtocol, "breaks off"},
		"endless":         {every(gigabyte), Options{}, devices.ErrProtocol, "larger"},
		"garbage":         {every(garbage), Options{}, devices.ErrProtocol, "not an IPP answer"},
		"hangs up":        {every(hangUp), Options{}, devices.ErrNoDevice, "closed"},
		"no attributes":   {every(status(goipp.StatusOk)), Options{}, devices.ErrProtocol, "without printer attributes"},
		"busy":            {every(status(goipp.StatusErrorBusy)), Options{}, devices.ErrBusy, "server-error-busy"},
		"silent":          {every(func(*fake, http.ResponseWriter, *goipp.Message) { time.Sleep(200 * time.Millisecond) }), Options{Timeout: 50 * time.Millisecond}, devices.ErrSilent, ""},
		"bad version":     {func(f *fake) { f.version = 0x0100 }, Options{}, devices.ErrUnusable, "version-not-supported"},
		"pin without TLS": {func(*fake) {}, Options{Pin: "00ff"}, devices.ErrUnusable, "ipps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			c.arrange(f)
			p, err := Open(t.Context(), f.uri(), c.opt)
			if err == nil {
				_ = p.Close()
			}
			if !errors.Is(err, c.is) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("error names an address: %v", err)
			}
		})
	}
}

func cups(f *fake) {
	f.extra = goipp.Attributes{goipp.MakeAttr("cups-version", goipp.TagText, goipp.String("2.4.2")), enum("printer-type", 4)}
}

func httpStatus(code int) func(*fake, http.ResponseWriter, *goipp.Message) {
	return func(_ *fake, w http.ResponseWriter, _ *goipp.Message) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
	}
}

func TestAQueueThatIsAllowedIsNamed(t *testing.T) {
	f := newFake(t)
	cups(f)
	opt := quick()
	opt.AllowQueue = true
	st, err := f.open(t, opt).Probe(t.Context())
	if err != nil || !slices.Contains(st.Reasons, "cups-queue") {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestOlderVersion(t *testing.T) {
	f := newFake(t)
	f.version = goipp.MakeVersion(1, 1)
	p := f.open(t, quick())
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "")
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	for _, uri := range []string{"ipp://" + addr + "/ipp/print", "ipp://printer.invalid/"} {
		if _, err := Open(t.Context(), uri, quick()); !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestProbe(t *testing.T) {
	f := newFake(t)
	p := f.open(t, quick())
	st, err := p.Probe(t.Context())
	if err != nil || st.Connection != devices.ConnectionOnline || st.Unready() != devices.UnreadyNot {
		t.Errorf("%+v, %v", st, err)
	}
	if id := (devices.Identity{Maker: "Example", Model: "Page 1", Serial: "12345678-0000-0000-0000-000000000001"}); st.Identity != id {
		t.Errorf("identity %+v", st.Identity)
	}
	if len(f.log) != 0 {
		t.Errorf("probing did %v", f.log)
	}
	f.Close()
	if _, err := p.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("gone: %v", err)
	}
	_ = p.Close()
	if _, err := p.Probe(t.Context()); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("closed: %v", err)
	}
}

func TestPinnedCertificate(t *testing.T) {
	f := newFake(t)
	secure := httptest.NewTLSServer(http.HandlerFunc(f.serve))
	defer secure.Close()
	uri := strings.Replace(secure.URL, "https://", "ipps://", 1) + "/ipp/print"
	sum := sha256.Sum256(secure.Certificate().Raw)

	opt := quick()
	opt.Pin = hex.EncodeToString(sum[:])
	p, err := Open(t.Context(), uri, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want(t, p.Print(t.Context(), document(&ledger{})), devices.PrintConfirmed, "", "")

	for name, pin := range map[string]string{"another pin": strings.Repeat("00", 32), "no pin": "", "bad pin": "xyz"} {
		opt.Pin = pin
		if _, err := Open(t.Context(), uri, opt); !errors.Is(err, devices.ErrUnusable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
