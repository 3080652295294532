package kv

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/opsplane/opsplane/shared/vcs"
)

// InlineMax is the largest value that is kept in its item, in bytes. A larger value
// is an object in the bucket. At 8 KiB, writing an item costs as much as writing an
// object. Above 8 KiB, DynamoDB's price grows with every KiB and S3's price does
// not (docs/costs.md).
const InlineMax = 8 << 10

// bodies keeps large values as objects of the bucket. Every write makes a new
// object under a new name. So an object belongs to exactly one write of one row: if
// no row names the object now, no row will name it later.
type bodies struct {
	client *s3.Client
	bucket string
}

// errBodyGone says that a row's object no longer exists. After the row was read, it
// was overwritten and its object was collected.
var errBodyGone = errors.New("body is gone")

// ObjectName returns the name that an object has in the bucket. NewObjectID made
// the id.
func ObjectName(ns vcs.Installation, id string) string {
	return ns.String() + "/" + id
}

// NewObjectID makes the id of an object: 128 random bits, as 32 hexadecimal digits.
func NewObjectID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// body names the object of a value and holds the hash of its content.
type body struct {
	id   string
	hash string // SHA-256, hexadecimal
}

// put stores a value as a new object.
func (b bodies) put(ctx context.Context, ns vcs.Installation, value []byte) (body, error) {
	sum := sha256.Sum256(value)
	made := body{NewObjectID(), hex.EncodeToString(sum[:])}
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.bucket, Key: aws.String(ObjectName(ns, made.id)),
		Body: bytes.NewReader(value), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return body{}, fmt.Errorf("put body: %w", err)
	}
	return made, nil
}

// get reads a value and compares its hash with the expected hash.
func (b bodies) get(ctx context.Context, ns vcs.Installation, at body) ([]byte, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String(ObjectName(ns, at.id))})
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
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != at.hash {
		return nil, fmt.Errorf("body %s does not have its hash", at.id)
	}
	return value, nil
}

// value returns the value of a cell, from the item or from the bucket.
func (b bodies) value(ctx context.Context, ns vcs.Installation, c cell) ([]byte, error) {
	if c.body.hash == "" {
		return c.inline, nil
	}
	return b.get(ctx, ns, c.body)
}
