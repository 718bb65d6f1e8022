package platform

// The blob port: what records refer to by hash and is too large for a row. A blob is written once and never changes, so
// whoever puts it twice, at whichever server, changes nothing.

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/budayang/kiosk/sync/wire"
)

// Errors of blobs.
var (
	// ErrNoBlob: no blob of this hash is held.
	ErrNoBlob = errors.New("no such blob")
	// ErrBlobDamaged: what is held under a hash does not have it any more.
	ErrBlobDamaged = errors.New("blob does not have its hash")
)

// Blobs keeps bytes by their SHA-256. What Put acknowledged is durable. A store that cannot be reached is ErrUnreachable.
type Blobs interface {
	// Put keeps body, whose hash the caller checked; made is false when it was held.
	Put(ctx context.Context, h wire.Hash, body []byte) (made bool, err error)
	Has(ctx context.Context, h wire.Hash) (bool, error)
	// Get returns at most wire.MaxBlobBytes, checked against the hash: ErrNoBlob, ErrBlobDamaged.
	Get(ctx context.Context, h wire.Hash) ([]byte, error)
}

// OpenBlobs opens a directory, or a bucket named by
// "s3://bucket/prefix?endpoint=https://s3.example&region=cn-north-1": see [OpenS3].
func OpenBlobs(address string) (Blobs, error) {
	if !strings.HasPrefix(address, "s3://") {
		return OpenBlobDir(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("blobs: the S3 address cannot be read")
	}
	return OpenS3(u)
}

type blobDir struct{ dir string }

// OpenBlobDir keeps blobs as files of a directory; several servers may share it.
func OpenBlobDir(dir string) (Blobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	return blobDir{dir}, nil
}

func (d blobDir) path(h wire.Hash) string { return filepath.Join(d.dir, h.String()) }

func (d blobDir) Put(_ context.Context, h wire.Hash, body []byte) (bool, error) {
	if st, err := os.Stat(d.path(h)); err == nil && st.Size() == int64(len(body)) {
		return false, nil
	}
	return true, writeDurably(d.path(h), body)
}

func (d blobDir) Has(_ context.Context, h wire.Hash) (bool, error) {
	_, err := os.Stat(d.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (d blobDir) Get(_ context.Context, h wire.Hash) ([]byte, error) {
	f, err := os.Open(d.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoBlob
	}
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	defer func() { _ = f.Close() }()
	return readBlob(f, h)
}

// readBlob reads a blob to its end and believes it only when it has its hash.
func readBlob(r io.Reader, h wire.Hash) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, wire.MaxBlobBytes+1))
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(b) != h {
		return nil, ErrBlobDamaged
	}
	return b, nil
}

func writeDurably(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("blob: %w", err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
