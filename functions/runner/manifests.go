package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/shared/run/runstore"
)

// manifests reads the manifests that are objects of RunsBucket.
type manifests struct {
	objects *s3.Client
	bucket  string
}

// read returns the document of a manifest, without the token.
func (m manifests) read(ctx context.Context, of runstore.Manifest) ([]byte, error) {
	if of.Object == "" {
		return of.Body, nil
	}
	out, err := m.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &m.bucket, Key: &of.Object})
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	defer func() { _ = out.Body.Close() }()
	text, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return text, nil
}
