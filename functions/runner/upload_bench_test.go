package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// uploadSize is the size of the plan that is uploaded, in bytes.
const uploadSize = 100_000_000

// BenchmarkUploadedPlan carries a plan of 100 MB as the command of the storage does: from the
// runner of a plan to the bucket, and to the runner of the apply, each with the SHA-256 of the
// file. It compares each way with one plain presigned request that carries the same bytes.
func BenchmarkUploadedPlan(b *testing.B) {
	f := newBenchmarked(b)
	plan := make([]byte, uploadSize)
	_, _ = rand.Read(plan)
	bucket, plain := f.Env.Bucket("RunsBucket"), "bench/plan"
	presign := s3.NewPresignClient(f.Env.S3)
	compare := func(name string, subject, reference func(*testing.B) error) {
		b.Run(name, func(b *testing.B) {
			bench.Compare(b, bench.Comparison{
				Subject:   bench.Side{Name: "route", Do: func() error { return subject(b) }},
				Reference: bench.Side{Name: "plain", Do: func() error { return reference(b) }},
				Rate:      true, Samples: 5, Bytes: uploadSize,
			})
		})
	}
	j := f.start(b, vcs.GitHub, run.Plan)
	compare("upload", func(b *testing.B) error {
		var to uploadTo
		j.ask(b, "POST", "/plans/upload", announcement(plan)).Read(b, &to)
		if err := sendPlan(b.Context(), to.URL, to.Headers, plan); err != nil {
			return err
		}
		j.store(b, net, uploadedPlan, "").WantBody(b, 200, "")
		return nil
	}, func(b *testing.B) error {
		signed, err := presign.PresignPutObject(b.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &plain, ContentLength: aws.Int64(uploadSize)})
		if err != nil {
			return err
		}
		return sendPlan(b.Context(), signed.URL, nil, plan)
	})
	apply := f.start(b, vcs.GitHub, run.Apply, j.chosen(b)...)
	compare("download", func(b *testing.B) error {
		var from downloadFrom
		apply.ask(b, "GET", "/plans/download"+query(net), "").Read(b, &from)
		sum := sha256.New()
		if err := readPlan(b.Context(), from.URL, sum); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != from.SHA256 {
			return fmt.Errorf("got a plan with the SHA-256 %s, want %s", got, from.SHA256)
		}
		return nil
	}, func(b *testing.B) error {
		signed, err := presign.PresignGetObject(b.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &plain})
		if err != nil {
			return err
		}
		return readPlan(b.Context(), signed.URL, io.Discard)
	})
}

// announcement returns the body that announces the upload of a plan of net.
func announcement(plan []byte) string {
	return fmt.Sprintf(`{"path":%q,"workspace":%q,"size":%d,"sha256":"%x"}`, net.Dir, net.Workspace, len(plan), sha256.Sum256(plan))
}

// sendPlan sends a plan to a presigned URL.
func sendPlan(ctx context.Context, url string, headers map[string]string, plan []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(plan))
	if err != nil {
		return err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	return transfer(request, io.Discard)
}

// readPlan writes the plan of uploadSize bytes at a presigned URL to a writer.
func readPlan(ctx context.Context, url string, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	var count counter
	if err := transfer(request, io.MultiWriter(to, &count)); err != nil {
		return err
	}
	if count != uploadSize {
		return fmt.Errorf("got %d bytes, want %d", count, uploadSize)
	}
	return nil
}

// counter counts bytes.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// transfer makes a request and writes the body of its response to a writer.
func transfer(request *http.Request, to io.Writer) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(to, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("S3 returned %s", response.Status)
	}
	return nil
}
