package uplink

// Identity: the terminal's key and whom it trusts.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Identity is who the terminal is: a P-256 key in a file of mode 0600, and, once enrolled, the platform's keys.
type Identity struct {
	Terminal string
	dir      string
	key      *ecdsa.PrivateKey
	platform atomic.Pointer[ecdsa.PublicKey] // nil until enrolled
}

// trust is the enrolment's result on disk.
type trust struct {
	Terminal    string `json:"terminal"`
	PlatformKey []byte `json:"platform_key"`
	SealKey     []byte `json:"seal_key,omitempty"`
}

// LoadIdentity reads the identity from a directory, and makes the key when there is none.
func LoadIdentity(dir, terminal string) (*Identity, error) {
	id := &Identity{Terminal: terminal, dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("terminal key: %w", err)
	}
	path := filepath.Join(dir, "terminal.key")
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := id.newKey(path); err != nil {
			return nil, fmt.Errorf("terminal key: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("terminal key: %w", err)
	case st.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("terminal key %s can be read by others: chmod 600", path)
	default:
		if err := id.readKey(path); err != nil {
			return nil, fmt.Errorf("terminal key %s: %w", path, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "platform.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return id, nil
	}
	if err != nil {
		return nil, fmt.Errorf("enrolment: %w", err)
	}
	var t trust
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("enrolment: platform.json: %w", err)
	}
	if t.Terminal != terminal {
		return nil, fmt.Errorf("enrolment: platform.json is terminal %s's, this is %s", t.Terminal, terminal)
	}
	key, err := parseKey(t.PlatformKey)
	if err != nil {
		return nil, fmt.Errorf("enrolment: platform.json: %w", err)
	}
	id.platform.Store(key)
	return id, nil
}

func (id *Identity) newKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	id.key = key
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (id *Identity) readKey(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return errors.New("not PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return errors.New("not a P-256 key")
	}
	id.key = key
	return nil
}

// writeFile replaces a secret file whole: written aside, synced, renamed, its directory synced.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func parseKey(der []byte) (*ecdsa.PublicKey, error) {
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("platform key: %w", err)
	}
	key, ok := k.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("platform key: not P-256")
	}
	return key, nil
}

// Enrolled says whether the platform knows this key.
func (id *Identity) Enrolled() bool { return id.platform.Load() != nil }

// accept keeps the platform's keys.
func (id *Identity) accept(e wire.Enrolled) error {
	key, err := parseKey(e.PlatformKey)
	if err != nil {
		return err
	}
	b, err := json.Marshal(trust{id.Terminal, e.PlatformKey, e.SealKey})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(id.dir, "platform.json"), b); err != nil {
		return fmt.Errorf("enrolment: %w", err)
	}
	id.platform.Store(key)
	return nil
}

func (id *Identity) sign(b []byte) ([]byte, error) {
	sum := sha256.Sum256(b)
	return id.key.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// verify checks the platform's signature.
func (id *Identity) verify(b, signature []byte) error {
	key := id.platform.Load()
	if key == nil {
		return errors.New("not enrolled")
	}
	sum := sha256.Sum256(b)
	if !ecdsa.VerifyASN1(key, sum[:], signature) {
		return wire.ErrSignature
	}
	return nil
}

// enrolment is the request that introduces this terminal.
func (id *Identity) enrolment(site, name string, secret []byte) (wire.Enroll, error) {
	der, err := x509.MarshalPKIXPublicKey(&id.key.PublicKey)
	if err != nil {
		return wire.Enroll{}, err
	}
	e := wire.Enroll{Terminal: id.Terminal, Site: site, Name: name, PublicKey: der, Nonce: nonce()}
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%s\n%s\n", e.Terminal, e.Nonce)
	m.Write(der)
	copy(e.Proof[:], m.Sum(nil))
	return e, nil
}

func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// authorize signs a request.
func (id *Identity) authorize(r *http.Request, body []byte, now time.Time) error {
	n, ms := nonce(), now.UnixMilli()
	sig, err := id.sign(wire.RequestSigningBytes(r.Method, r.URL.RequestURI(), ms, n, sha256.Sum256(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", fmt.Sprintf(`%s terminal="%s",time="%d",nonce="%s",signature="%s"`,
		wire.AuthScheme, id.Terminal, ms, n, base64.StdEncoding.EncodeToString(sig)))
	return nil
}
