package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/journey"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/vcs"
)

var ctx = context.Background()

var ns = vcs.Installation{VCS: "github", ID: "1"}

// storage is a table without its stream, and a bucket, on some servers.
type storage struct {
	db            *dynamodb.Client
	objects       *s3.Client
	table, bucket string
}

// store returns a key-value store on the storage. The options are those of its DynamoDB client.
func (s storage) store(options ...func(*dynamodb.Options)) *kv.Store {
	return kv.New(dynamodb.New(s.db.Options(), options...), s.objects, s.table, s.bucket)
}

// newStorage returns storage on servers that keep tables in memory.
func newStorage(b *testing.B) storage {
	b.Helper()
	env := storagetest.New(b)
	return storage{env.DynamoDB, env.S3, env.Table("KvTable"), env.Bucket("KvBucket")}
}

// rig is a running local stack, which keeps its tables in a file.
type rig struct {
	*journey.Stack
	storage
}

var launched atomic.Bool

// launch starts the stack when the first benchmark needs it.
var launch = sync.OnceValues(func() (rig, error) {
	state, err := os.MkdirTemp("", "opsplane-bench-")
	if err != nil {
		return rig{}, err
	}
	launched.Store(true)
	var r rig
	if r.Stack, err = journey.Launch(state); err != nil {
		return r, errors.Join(err, os.RemoveAll(state))
	}
	text, err := os.ReadFile(filepath.Join(state, "stack.json"))
	if err != nil {
		return r, err
	}
	var at struct {
		DynamoDB string            `json:"dynamodb_url"`
		S3       string            `json:"s3_url"`
		Tables   map[string]string `json:"tables"`
		Buckets  map[string]string `json:"buckets"`
	}
	if err := json.Unmarshal(text, &at); err != nil {
		return r, err
	}
	r.storage = connect(at.DynamoDB, at.S3, at.Tables["KvTable"], at.Buckets["KvBucket"])
	return r, nil
})

func theStack(b *testing.B) rig {
	b.Helper()
	r, err := launch()
	if err != nil {
		b.Fatal(err)
	}
	if err := bench.WithoutStream(b.Context(), r.db, r.table); err != nil {
		b.Log(err) // the stream is off already
	}
	return r
}

func TestMain(m *testing.M) {
	code := m.Run()
	if launched.Load() {
		if r, err := launch(); err == nil {
			if err := errors.Join(r.Stop(), os.RemoveAll(r.State)); err != nil {
				fmt.Fprintln(os.Stderr, "stop the stack:", err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// client keeps a connection open for every goroutine of a benchmark.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// author returns an author with a request id of its own.
func author() change.Author {
	return change.Author{Principal: "user-1", Credential: "key-1", Request: uuid.NewString(), Source: "192.0.2.1", At: time.Now()}
}

// chunkBytes is the size of a chunk before it is encoded.
const chunkBytes = 100 << 10

// chunk returns random bytes, and the same bytes as a JSON string of base64.
func chunk(b *testing.B) (raw, text []byte) {
	b.Helper()
	raw = make([]byte, chunkBytes)
	_, _ = rand.Read(raw)
	return raw, []byte(`"` + base64.StdEncoding.EncodeToString(raw) + `"`)
}

func value(b *testing.B, text []byte) canonical.Value {
	b.Helper()
	v, err := canonical.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// connect returns storage with clients of the servers of a stack.
func connect(dynamoDBURL, s3URL, table, bucket string) storage {
	cfg := aws.Config{
		Region: storagetest.Region, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(storagetest.AccessKey, storagetest.SecretKey, ""),
	}
	return storage{
		db: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(dynamoDBURL) }),
		objects: s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.BaseEndpoint = aws.String(s3URL)
			o.UsePathStyle = true
		}),
		table: table, bucket: bucket,
	}
}
