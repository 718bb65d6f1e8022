package platform

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func TestKeysOfThePlatform(t *testing.T) {
	s, _ := newServer(t)
	dir := s.cfg.Dir
	secrets, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(secrets) != 4 {
		t.Fatalf("%v, %v", secrets, err)
	}
	for _, f := range secrets {
		st, err := os.Stat(f)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, st.Mode(), err)
		}
		good, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for what, spoil := range map[string]func() error{
			"readable by others": func() error { return os.Chmod(f, 0o640) },
			"not PEM":            func() error { return os.WriteFile(f, []byte("x"), 0o600) },
			"not a key": func() error {
				return os.WriteFile(f, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
			},
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if x, err := New(context.Background(), Config{Dir: dir}); err == nil {
				_ = x.Close()
				t.Errorf("%s that is %s was taken", f, what)
			} else if !strings.Contains(err.Error(), filepath.Base(f)) {
				t.Errorf("%s: %v does not name the file", f, err)
			}
			if err := os.WriteFile(f, good, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(f, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	again, err := New(context.Background(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if string(again.CA()) != string(s.CA()) {
		t.Error("a restart made another authority")
	}
}

// The server's own certificates are remade before they end.
func TestServerCertificatesAreRemade(t *testing.T) {
	s, later := clocked(t)
	first, err := s.keys.server(s.now())
	if err != nil {
		t.Fatal(err)
	}
	signing, err := s.keys.signingCert(s.now())
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		later(shortLife / 3)
		c, err := s.keys.server(s.now())
		if err != nil || s.now().After(c.Leaf.NotAfter) || s.now().Before(c.Leaf.NotBefore) {
			t.Errorf("%v: %v to %v", err, c.Leaf.NotBefore, c.Leaf.NotAfter)
		}
		x, err := s.keys.signingCert(s.now())
		if err != nil || s.now().After(x.NotAfter) {
			t.Errorf("%v", err)
		}
	}
	if c, _ := s.keys.server(s.now()); c == first {
		t.Error("the first certificate is still shown")
	}
	if x, _ := s.keys.signingCert(s.now()); x == signing || x.NotAfter.Sub(s.now()) < 30*24*time.Hour {
		t.Error("the first signing certificate is still shown")
	}
}

// Servers that start together on a new directory have one set of keys between them.
func TestKeysMadeByManyAtOnceAreOneSet(t *testing.T) {
	for range 5 {
		dir, all := t.TempDir(), make(chan *keys)
		for range 8 {
			go func() {
				k, err := openKeys(dir, nil, time.Now())
				if err != nil {
					t.Error(err)
				}
				all <- k
			}()
		}
		var first *keys
		for range 8 {
			k := <-all
			switch {
			case k == nil:
			case first == nil:
				first = k
			case !k.caKey.Equal(first.caKey) || string(k.caPEM) != string(first.caPEM) || !k.sign.Equal(first.sign) || !k.seal.Equal(first.seal) ||
				string(k.public[wire.SM2]) != string(first.public[wire.SM2]):
				t.Error("two servers have different keys")
			}
		}
		left, err := filepath.Glob(filepath.Join(dir, "*.new-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
	}
}
