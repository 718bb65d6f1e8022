package platform

// Blobs in a bucket of anything that speaks the S3 API.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	s3keys "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/budayang/kiosk/sync/wire"
)

type blobBucket struct {
	client         *minio.Client
	bucket, prefix string
}

// OpenS3 keeps blobs in a bucket that exists: "s3://bucket/prefix?endpoint=https://host:port&region=R". Buckets are
// addressed by path. The access key comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the file that
// AWS_SHARED_CREDENTIALS_FILE names (profile AWS_PROFILE); an address that contains one is refused, for others can read
// it. Nothing is asked of the server yet.
func OpenS3(u *url.URL) (Blobs, error) {
	q := u.Query()
	end, err := url.Parse(q.Get("endpoint"))
	switch {
	case u.User != nil:
		return nil, errors.New("blobs: the S3 address contains a key, which others can read: put it into the file that AWS_SHARED_CREDENTIALS_FILE names")
	case u.Host == "":
		return nil, errors.New("blobs: the S3 address names no bucket")
	case err != nil || end.Host == "" || end.Scheme != "https" && end.Scheme != "http" || strings.Trim(end.Path, "/") != "":
		return nil, errors.New("blobs: endpoint in the S3 address is not https://host or http://host")
	}
	region := q.Get("region")
	if region == "" {
		region = "us-east-1" // what servers without regions expect
	}
	client, err := minio.New(end.Host, &minio.Options{
		Creds: s3keys.NewChainCredentials([]s3keys.Provider{&s3keys.EnvAWS{},
			&s3keys.FileAWSCredentials{}}),
		Secure: end.Scheme == "https", Region: region, BucketLookup: minio.BucketLookupPath, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &blobBucket{client, u.Host, prefix}, nil
}

func (b *blobBucket) key(h wire.Hash) string { return b.prefix + h.String() }

// failed gives S3's errors our names. Whatever is not about the one blob is the server's state.
func (b *blobBucket) failed(err error) error {
	r := minio.ToErrorResponse(err)
	if r.Code == minio.NoSuchKey || r.Code == "" && r.StatusCode == http.StatusNotFound {
		return ErrNoBlob
	}
	return fmt.Errorf("blobs: bucket %s: %w: %w", b.bucket, ErrUnreachable, err)
}

func (b *blobBucket) size(ctx context.Context, h wire.Hash) (int64, error) {
	st, err := b.client.StatObject(ctx, b.bucket, b.key(h), minio.StatObjectOptions{})
	if err != nil {
		return 0, b.failed(err)
	}
	return st.Size, nil
}

func (b *blobBucket) Put(ctx context.Context, h wire.Hash, body []byte) (bool, error) {
	n, err := b.size(ctx, h)
	if err == nil && n == int64(len(body)) {
		return false, nil
	}
	if err != nil && !errors.Is(err, ErrNoBlob) {
		return false, err
	}
	_, err = b.client.PutObject(ctx, b.bucket, b.key(h), bytes.NewReader(body), int64(len(body)),
		minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true, SendContentMd5: true})
	if err != nil {
		return false, b.failed(err)
	}
	return true, nil
}

func (b *blobBucket) Has(ctx context.Context, h wire.Hash) (bool, error) {
	_, err := b.size(ctx, h)
	if errors.Is(err, ErrNoBlob) {
		return false, nil
	}
	return err == nil, err
}

func (b *blobBucket) Get(ctx context.Context, h wire.Hash) ([]byte, error) {
	o, err := b.client.GetObject(ctx, b.bucket, b.key(h), minio.GetObjectOptions{})
	if err != nil {
		return nil, b.failed(err)
	}
	defer func() { _ = o.Close() }()
	body, err := readBlob(o, h)
	if err != nil && !errors.Is(err, ErrBlobDamaged) {
		return nil, b.failed(err)
	}
	return body, err
}
