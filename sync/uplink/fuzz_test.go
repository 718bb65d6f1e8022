package uplink

import (
	"crypto/x509"
	"encoding/json"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Whatever answers an enrolment or a question for the time, only what an authority of ours vouches for is believed; here
// there is none.
func FuzzTrust(f *testing.F) {
	dir := f.TempDir()
	id, err := LoadIdentity(dir, "990000-0003")
	if err != nil {
		f.Fatal(err)
	}
	asked, err := id.now.Load().ask(id.Terminal)
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(wire.Enrolled{Terminal: id.Terminal, Nonce: asked.Nonce, Profile: wire.P256, Certificate: asked.CSR, PlatformKey: asked.CSR, SigningCert: asked.CSR, Time: time.Now()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"time":"2026-11-25T00:00:00Z","nonce":"00","signing_cert":"MAA=","signature":"MAA="}`))
	f.Add([]byte(`{"profile":"sm2-sm3"}`))
	roots := x509.NewCertPool()
	client := &Client{id: id, roots: roots, now: time.Now}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e wire.Enrolled
		if json.Unmarshal(b, &e) == nil && id.accept(e, asked, roots, id.now.Load().file) == nil {
			t.Errorf("believed: %s", b)
		}
		var n wire.Now
		if json.Unmarshal(b, &n) == nil && client.believe(n, nil, time.Now(), 0) == nil {
			t.Errorf("believed: %s", b)
		}
		if id.Enrolled() {
			t.Fatal("something was kept")
		}
	})
}

// The identity file is ours, but a disk may turn it into anything.
func FuzzIdentityFile(f *testing.F) {
	keys, err := newKeys("T", wire.P256)
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(keys)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"profile":"sm2-sm3","key":"MAA=","certificate":"MAA=","platform_key":"MAA="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x onDisk
		if json.Unmarshal(b, &x) != nil {
			return
		}
		if c, err := x.credentials(); err == nil && (c.tls == nil || c.sign == nil || !c.profile.Known()) {
			t.Errorf("%+v", c)
		}
	})
}
