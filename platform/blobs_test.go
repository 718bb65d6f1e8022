package platform

// What every keeper of blobs promises: a directory, and a bucket of an S3 server that is not ours.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/budayang/kiosk/sync/wire"
)

// keeper is a kind of blob store; spoil changes what is held under a hash, below the port.
type keeper struct {
	name string
	open func(t *testing.T) (b Blobs, spoil func(t *testing.T, h wire.Hash, body []byte))
}

var keepers = []keeper{
	{name: "directory", open: func(t *testing.T) (Blobs, func(*testing.T, wire.Hash, []byte)) {
		dir := filepath.Join(t.TempDir(), "blobs")
		b, err := OpenBlobs(dir)
		if err != nil {
			t.Fatal(err)
		}
		return b, func(t *testing.T, h wire.Hash, body []byte) {
			if err := os.WriteFile(filepath.Join(dir, h.String()), body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{name: "s3", open: func(t *testing.T) (Blobs, func(*testing.T, wire.Hash, []byte)) {
		backend, server := s3Server(t)
		b, err := OpenBlobs("s3://budayang/some/prefix?endpoint=" + server.URL)
		if err != nil {
			t.Fatal(err)
		}
		return b, func(t *testing.T, h wire.Hash, body []byte) {
			_, err := backend.PutObject("budayang", "some/prefix/"+h.String(), map[string]string{"Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT"}, bytes.NewReader(body), int64(len(body)), nil)
			if err != nil {
				t.Fatal(err)
			}
		}
	}},
}

// s3Server is an independent implementation of the S3 API that refuses who does not sign with the test's key.
func s3Server(t *testing.T) (gofakes3.Backend, *httptest.Server) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("budayang"); err != nil {
		t.Fatal(err)
	}
	s3 := gofakes3.New(backend, gofakes3.WithIntegrityCheck(true)).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=KEYOFTHETEST/") {
			http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
			return
		}
		s3.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = KEYOFTHETEST\naws_secret_access_key = secretofthetest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	return backend, server
}

func TestBlobs(t *testing.T) {
	for _, k := range keepers {
		t.Run(k.name, func(t *testing.T) { blobSuite(t, k) })
	}
}

func blobSuite(t *testing.T, k keeper) {
	ctx := context.Background()
	body := bytes.Repeat([]byte("斑马\x00\xff"), 1<<18)
	h := wire.Hash(sha256.Sum256(body))

	t.Run("what is not there", func(t *testing.T) {
		b, _ := k.open(t)
		if has, err := b.Has(ctx, h); has || err != nil {
			t.Errorf("%v %v", has, err)
		}
		if _, err := b.Get(ctx, h); !errors.Is(err, ErrNoBlob) {
			t.Errorf("%v", err)
		}
	})
	t.Run("comes back as it went", func(t *testing.T) {
		b, _ := k.open(t)
		for i, body := range [][]byte{body, {0}} {
			h := wire.Hash(sha256.Sum256(body))
			for n, want := range []bool{true, false} {
				if made, err := b.Put(ctx, h, body); made != want || err != nil {
					t.Errorf("blob %d, time %d: %v %v", i, n, made, err)
				}
			}
			if has, err := b.Has(ctx, h); !has || err != nil {
				t.Errorf("blob %d: %v %v", i, has, err)
			}
			if got, err := b.Get(ctx, h); err != nil || !bytes.Equal(got, body) {
				t.Errorf("blob %d: %d bytes, %v", i, len(got), err)
			}
		}
	})
	t.Run("put by many at once", func(t *testing.T) {
		b, _ := k.open(t)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := b.Put(ctx, h, body); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, err := b.Get(ctx, h); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("damage is noticed, and half a blob is put again", func(t *testing.T) {
		b, spoil := k.open(t)
		spoil(t, h, append(bytes.Clone(body[:len(body)-1]), 'x'))
		if _, err := b.Get(ctx, h); !errors.Is(err, ErrBlobDamaged) {
			t.Errorf("a changed byte: %v", err)
		}
		spoil(t, h, body[:100])
		if made, err := b.Put(ctx, h, body); !made || err != nil {
			t.Errorf("half a blob: %v %v", made, err)
		}
		if got, err := b.Get(ctx, h); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("through the server", func(t *testing.T) {
		b, _ := k.open(t)
		s, err := New(ctx, Config{Dir: t.TempDir(), Blobs: b})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := newPeer(t, s, "990000-0001")
		p.enroll(p.code())
		for _, c := range []struct {
			method, hash string
			body         []byte
			want         int
		}{{"HEAD", h.String(), nil, 404}, {"PUT", h.String(), []byte("other"), 422}, {"PUT", h.String(), body, 201}, {"PUT", h.String(), body, 200}, {"HEAD", h.String(), nil, 200}} {
			if w := p.do(c.method, wire.PathBlobs+c.hash, c.body); w.Code != c.want {
				t.Errorf("%s %s: %d, want %d: %s", c.method, c.hash, w.Code, c.want, w.Body)
			}
		}
	})
}

func TestS3ThatFails(t *testing.T) {
	body := []byte("b")
	h := wire.Hash(sha256.Sum256(body))
	_, server := s3Server(t)
	missing, err := OpenBlobs("s3://no-such-bucket?endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := missing.Put(t.Context(), h, body); !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrNoBlob) || err == nil {
		t.Errorf("no bucket: %v", err)
	}
	var how atomic.Int32
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(how.Load())) }))
	defer broken.Close()
	b, err := OpenBlobs("s3://budayang?endpoint=" + broken.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{403, 500, 503, 301} {
		how.Store(int32(status))
		if _, err := b.Put(t.Context(), h, body); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%d: put: %v", status, err)
		}
		if has, err := b.Has(t.Context(), h); has || !errors.Is(err, ErrUnreachable) {
			t.Errorf("%d: has: %v %v", status, has, err)
		}
	}
	for address, want := range map[string]string{
		"s3://budayang":                                  "endpoint",
		"s3://?endpoint=https://h":                       "names no bucket",
		"s3://KEY:s3cret@budayang?endpoint=https://h":    "AWS_SHARED_CREDENTIALS_FILE",
		"s3://budayang?endpoint=ftp://h":                 "endpoint",
		"s3://budayang?endpoint=https://h/path":          "endpoint",
		"s3://budayang/%zz?endpoint=https://h&secret=no": "cannot be read",
	} {
		if _, err := OpenBlobs(address); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
