// Package object keeps the objects of evaluations in RunsBucket: what was read from hosts,
// and decisions that are too large for their table. An object is never changed.
package object

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Bucket is a bucket.
type Bucket struct {
	Client *s3.Client
	// Name is the physical name of RunsBucket.
	Name string
}

// Put writes an object.
func (b Bucket) Put(ctx context.Context, name string, body []byte) error {
	_, err := b.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: &name, Body: bytes.NewReader(body), ContentType: aws.String("application/octet-stream"),
	})
	if err != nil {
		return fmt.Errorf("write object: %w", err)
	}
	return nil
}

// Get reads an object. The error of one that is missing is a *types.NoSuchKey, if the role may
// list the bucket.
func (b Bucket) Get(ctx context.Context, name string) ([]byte, error) {
	found, err := b.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: &name})
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", name, err)
	}
	defer found.Body.Close()
	body, err := io.ReadAll(found.Body)
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", name, err)
	}
	return body, nil
}

// Remove removes objects whose names begin with a text, at most limit of them, and
// reports whether there may be more. S3 lists at most 1,000 at once.
func (b Bucket) Remove(ctx context.Context, prefix string, limit int) (more bool, err error) {
	page, err := b.Client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: &prefix, MaxKeys: aws.Int32(int32(limit))})
	if err != nil {
		return false, fmt.Errorf("list objects: %w", err)
	}
	if len(page.Contents) == 0 {
		return false, nil
	}
	names := make([]types.ObjectIdentifier, len(page.Contents))
	for i, o := range page.Contents {
		names[i].Key = o.Key
	}
	out, err := b.Client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.Name, Delete: &types.Delete{Objects: names, Quiet: aws.Bool(true)}})
	if err != nil {
		return false, fmt.Errorf("remove objects: %w", err)
	}
	if len(out.Errors) > 0 {
		return false, fmt.Errorf("remove objects: %d stay, the first because of %s", len(out.Errors), aws.ToString(out.Errors[0].Code))
	}
	return aws.ToBool(page.IsTruncated), nil
}
