package bench_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/journey"
	"github.com/opsplane/opsplane/shared/kv"
)

// A sample is one upload or download of chunks with this number of connections.
const (
	connections = 10
	chunks      = 100
	// etcdGoal means that our rate must reach etcd's rate.
	etcdGoal = 1.0
)

// transfer is a way to store and fetch chunks. Every upload has a unique name.
type transfer struct {
	name string
	put  func(upload, n int) error
	get  func(upload, n int) error
	made atomic.Int64
}

// upload stores the chunks of a new upload.
func (t *transfer) upload() error {
	name := int(t.made.Add(1))
	return bench.Together(connections, chunks, func(n int) error { return t.put(name, n) })()
}

// download fetches the chunks of the last upload.
func (t *transfer) download() error {
	name := int(t.made.Load())
	return bench.Together(connections, chunks, func(n int) error { return t.get(name, n) })()
}

// BenchmarkChunks stores and fetches chunks through the stack's API, and through the store
// alone. Both use the stack's servers. It compares them with etcd, and with plain requests to
// the stack's S3 server.
func BenchmarkChunks(b *testing.B) {
	r := theStack(b)
	raw, text := chunk(b)
	member, at := r.Member(b)
	ours := []*transfer{overHTTP(member, at, raw, text), direct(b, r, raw, text)}
	theirs := []*transfer{plain(r, text)}
	if e := startEtcd(b); e != nil {
		theirs = append(theirs, overEtcd(e, raw))
	}
	for _, our := range ours {
		for _, their := range theirs {
			c := bench.Comparison{
				Subject:   bench.Side{Name: our.name, Do: our.upload},
				Reference: bench.Side{Name: their.name, Do: their.upload},
				Rate:      true, Samples: 10, Work: chunks, Unit: "chunk", Bytes: chunks * chunkBytes,
			}
			if their.name == "etcd" {
				c.Goal = etcdGoal
			}
			b.Run("upload/"+our.name+"-beside-"+their.name, func(b *testing.B) { bench.Compare(b, c) })
			c.Subject.Do, c.Reference.Do = our.download, their.download
			b.Run("download/"+our.name+"-beside-"+their.name, func(b *testing.B) { bench.Compare(b, c) })
		}
	}
}

// overHTTP returns a transfer through the API: base64 in JSON, through gateway, authorizer and
// function.
func overHTTP(member *journey.Client, at journey.Installation, raw, text []byte) *transfer {
	path := func(upload int) string { return at.Path("key", fmt.Sprint("upload-", upload)) }
	return &transfer{
		name: "http",
		put: func(upload, n int) error {
			body := fmt.Sprintf(`{"data":%s,"idx":%d,"committed":false}`, text, n)
			return ok(member.Try(http.MethodPut, path(upload), body))
		},
		get: func(upload, n int) error {
			resp, err := member.Try(http.MethodGet, fmt.Sprintf("%s?idx=%d&committed=false", path(upload), n), "")
			if err := ok(resp, err); err != nil {
				return err
			}
			var record struct {
				Data []byte `json:"data"` // decodes the base64
			}
			if err := json.Unmarshal(resp.Body, &record); err != nil {
				return err
			}
			return same(record.Data, raw)
		},
	}
}

func ok(resp journey.Response, err error) error {
	if err == nil && resp.Status != http.StatusOK {
		err = fmt.Errorf("got %v", resp)
	}
	return err
}

// direct returns a transfer through the store in this process.
func direct(b *testing.B, r rig, raw, text []byte) *transfer {
	store, v := r.store(), value(b, text)
	return &transfer{
		name: "store",
		put: func(upload, n int) error {
			w := kv.Write{Key: fmt.Sprint("direct-", upload), Idx: n, Value: v}
			_, err := store.Set(b.Context(), kv.Caller{Installation: ns, Author: author()}, w)
			return err
		},
		get: func(upload, n int) error {
			rec, err := store.Get(b.Context(), kv.Caller{Installation: ns}, kv.Position{Key: fmt.Sprint("direct-", upload), Idx: n}, true, true)
			if err != nil {
				return err
			}
			decoded, err := base64.StdEncoding.DecodeString(string(bytes.Trim(rec.Data, `"`)))
			if err != nil {
				return err
			}
			return same(decoded, raw)
		},
	}
}

func overEtcd(e *etcd, raw []byte) *transfer {
	key := func(upload, n int) string { return fmt.Sprintf("upload-%d/%d", upload, n) }
	return &transfer{
		name: "etcd",
		put:  func(upload, n int) error { return e.put(key(upload, n), raw) },
		get: func(upload, n int) error {
			got, err := e.get(key(upload, n))
			if err != nil {
				return err
			}
			return same(got, raw)
		},
	}
}

// plain returns a transfer that puts the same objects as the store, without records and
// conditions.
func plain(r rig, text []byte) *transfer {
	key := func(upload, n int) *string { return aws.String(fmt.Sprintf("bench/%d/%d", upload, n)) }
	return &transfer{
		name: "s3",
		put: func(upload, n int) error {
			_, err := r.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.bucket, Key: key(upload, n), Body: bytes.NewReader(text)})
			return err
		},
		get: func(upload, n int) error {
			out, err := r.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: key(upload, n)})
			if err != nil {
				return err
			}
			defer func() { _ = out.Body.Close() }()
			got, err := io.ReadAll(out.Body)
			if err != nil {
				return err
			}
			return same(got, text)
		},
	}
}

func same(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("got %d other bytes, want %d", len(got), len(want))
	}
	return nil
}
