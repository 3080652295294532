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

// InlineMax is the largest value kept in its item, in bytes; larger ones are
// objects in the bucket. At 8 KiB an item costs as much to write as an object,
// and above it DynamoDB's price grows with every KiB while S3's does not
// (docs/costs.md).
const InlineMax = 8 << 10

// bodies keeps large values as objects of the bucket. Every write makes an
// object of its own, under a name that nobody used before, so an object belongs
// to exactly one write of one row: once no row names it, none ever will.
type bodies struct {
	client *s3.Client
	bucket string
}

// errBodyGone is answered when a row's object no longer exists: the row was
// overwritten and its object collected since the row was read.
var errBodyGone = errors.New("body is gone")

// ObjectName is the name, in the bucket, of the object with an id that
// NewObjectID made.
func ObjectName(ns vcs.Installation, id string) string {
	return ns.String() + "/" + id
}

// NewObjectID makes the id of an object: 128 random bits as 32 hexadecimal
// digits.
func NewObjectID() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// body names the object of a value, and its content.
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

// get reads a value and checks it against its hash.
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

// value reads the value of a cell.
func (b bodies) value(ctx context.Context, ns vcs.Installation, c cell) ([]byte, error) {
	if c.body.hash == "" {
		return c.inline, nil
	}
	return b.get(ctx, ns, c.body)
}
