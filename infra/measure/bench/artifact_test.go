package bench_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

// fileBytes is the size of the file.
const fileBytes = 1 << 30

// artifactGoal is the minimum ratio of an artifact's rate to the rate of one plain PUT or GET
// of the same file.
const artifactGoal = 0.95

// carrier transfers one file, as an artifact and as a plain object.
type carrier struct {
	storage
	artifacts *artifact.Store
	presign   *s3.PresignClient
	path      string
	file      artifact.File
	uploaded  artifact.Upload // the last one
}

func newCarrier(b *testing.B) *carrier {
	b.Helper()
	s := newStorage(b)
	c := &carrier{
		storage: s, artifacts: artifact.NewStore(s.db, s.objects, s.store(), s.table, s.bucket, artifact.Limits{}),
		presign: s3.NewPresignClient(s.objects), path: filepath.Join(b.TempDir(), "file"),
	}
	file, err := os.Create(c.path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(file, sum), rand.Reader, fileBytes); err != nil {
		b.Fatal(err)
	}
	c.file = artifact.File{Size: fileBytes, SHA256: hex.EncodeToString(sum.Sum(nil)), ContentType: "application/octet-stream"}
	return c
}

// put sends a part of the file.
func (c *carrier) put(url string, headers map[string]string, offset, size int64) error {
	file, err := os.Open(c.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	req, err := http.NewRequest(http.MethodPut, url, io.NewSectionReader(file, offset, size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("S3 returned %s: %.300s", resp.Status, response)
	}
	return err
}

// get reads a file completely.
func (c *carrier) get(url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || n != fileBytes) {
		err = fmt.Errorf("S3 returned %s, %d bytes", resp.Status, n)
	}
	return err
}

// upload creates an artifact and sends its parts over a number of connections.
func (c *carrier) upload(connections int) func() error {
	return func() error {
		u, page, err := c.artifacts.Create(ctx, kv.Caller{Installation: ns, Author: author()}, artifact.New{Key: "file", Committed: true, File: c.file})
		if err != nil {
			return err
		}
		c.uploaded = u
		if len(page.Parts) != u.PartCount {
			return fmt.Errorf("the first page has %d of %d parts", len(page.Parts), u.PartCount)
		}
		return bench.Together(connections, u.PartCount, func(n int) error {
			p := page.Parts[n]
			return c.put(p.Put.URL, p.Put.Headers, p.Offset, p.Size)
		})()
	}
}

// uploadAndComplete does what upload does, and then completes the upload, which verifies it.
func (c *carrier) uploadAndComplete(connections int) func() error {
	upload := c.upload(connections)
	return func() error {
		if err := upload(); err != nil {
			return err
		}
		for {
			u, err := c.artifacts.Complete(ctx, kv.Caller{Installation: ns, Author: author()}, c.uploaded.ID)
			if err != nil || u.State == artifact.Done {
				return err
			}
		}
	}
}

// abandon aborts the last upload, so that the disk does not fill up.
func (c *carrier) abandon() error {
	if c.uploaded.ID == "" {
		return nil
	}
	return c.artifacts.Abort(ctx, kv.Caller{Installation: ns, Author: author()}, c.uploaded.ID)
}

// plainPut sends the whole file with one presigned PUT.
func (c *carrier) plainPut() error {
	key := "bench/file"
	signed, err := c.presign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, ContentLength: &c.file.Size})
	if err != nil {
		return err
	}
	return c.put(signed.URL, nil, 0, fileBytes)
}

func (c *carrier) plainGet() error {
	key := "bench/file"
	signed, err := c.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &key})
	if err != nil {
		return err
	}
	return c.get(signed.URL)
}

func (c *carrier) download() error {
	d, err := c.artifacts.Open(ctx, kv.Caller{Installation: ns, Author: change.Author{At: time.Now()}}, kv.Position{Key: "file", Idx: 0}, false)
	if err != nil {
		return err
	}
	return c.get(d.URL)
}

// BenchmarkArtifact transfers a file of 1 GiB. It measures the upload alone, the upload with
// its completion, which computes the SHA-256 of the whole file, and the download.
func BenchmarkArtifact(b *testing.B) {
	c := newCarrier(b)
	compare := func(name string, samples int, subject, reference bench.Side) {
		b.Run(name, func(b *testing.B) {
			bench.Compare(b, bench.Comparison{
				Subject: subject, Reference: reference, Rate: true, Goal: artifactGoal, Samples: samples, Bytes: fileBytes,
			})
		})
	}
	plain := bench.Side{Name: "plain-put", Do: c.plainPut}
	compare("upload", 3, bench.Side{Name: "one-connection", Before: c.abandon, Do: c.upload(1)}, plain)
	compare("upload-and-complete", 3, bench.Side{Name: "one-connection", Do: c.uploadAndComplete(1)}, plain)
	compare("upload-and-complete-parallel", 3, bench.Side{Name: "four-connections", Do: c.uploadAndComplete(4)}, plain)
	compare("download", 5, bench.Side{Name: "redirected", Do: c.download}, bench.Side{Name: "plain-get", Do: c.plainGet})
}
