package kv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// InlineMax is the largest value kept in its item, in bytes; larger ones are
// objects in the bucket. At 8 KiB an item costs as much to write as an object,
// and above it DynamoDB's price grows with every KiB while S3's does not
// (docs/costs.md).
const InlineMax = 8 << 10

// bodies keeps large values as objects named by their content.
type bodies struct {
	client *s3.Client
	bucket string
}

// errBodyGone is answered when a row's object no longer exists: the row was
// overwritten and its object collected since the row was read.
var errBodyGone = errors.New("body is gone")

func objectKey(ns Namespace, hash string) string {
	return ns.VCS + "/" + ns.Installation + "/" + hash
}

// put stores a value and answers its hash. It always writes, also where the
// object exists: that renews the object's age, and the collector spares the
// young.
func (b bodies) put(ctx context.Context, ns Namespace, value []byte) (string, error) {
	sum := sha256.Sum256(value)
	hash := hex.EncodeToString(sum[:])
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.bucket, Key: aws.String(objectKey(ns, hash)),
		Body: bytes.NewReader(value), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return "", fmt.Errorf("put body: %w", err)
	}
	return hash, nil
}

// get reads a value and checks it against its hash.
func (b bodies) get(ctx context.Context, ns Namespace, hash string) ([]byte, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String(objectKey(ns, hash))})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, errBodyGone
	}
	if err != nil {
		return nil, fmt.Errorf("get body: %w", err)
	}
	defer out.Body.Close()
	value, err := io.ReadAll(io.LimitReader(out.Body, MaxEscapedValue+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("body %s does not have its hash", hash)
	}
	return value, nil
}

// value reads the value of a cell.
func (b bodies) value(ctx context.Context, ns Namespace, c cell) ([]byte, error) {
	if c.hash == "" {
		return c.inline, nil
	}
	return b.get(ctx, ns, c.hash)
}
