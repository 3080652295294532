package artifact_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/vcs"
)

// rig is a store of artifacts on real servers.
type rig struct {
	*artifact.Store
	records *kv.Store
	env     *storagetest.Env
	ns      vcs.Installation
}

const quota = 1 << 30

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	return rigOn(storagetest.New(t))
}

func rigOn(env *storagetest.Env) *rig { return rigOf(env, artifact.Limits{Stored: quota}) }

func rigOf(env *storagetest.Env, limits artifact.Limits) *rig {
	table, bucket := env.Table("KvTable"), env.Bucket("KvBucket")
	records := kv.New(env.DynamoDB, env.S3, table, bucket)
	return &rig{
		artifact.NewStore(env.DynamoDB, env.S3, records, table, bucket, limits), records, env,
		vcs.Installation{VCS: "github", ID: "1"},
	}
}

func (r *rig) failing(f *storagetest.Faults) *rig { return rigOn(r.env.WithFaults(f)) }

func author() change.Author {
	return change.Author{Principal: "user", Request: uuid.NewString(), At: time.Now()}
}

func fileOf(body []byte) artifact.File {
	sum := sha256.Sum256(body)
	return artifact.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), ContentType: "application/zip", Name: "ü x.zip"}
}

func (r *rig) create(t *testing.T, n artifact.New) (artifact.Upload, artifact.Page) {
	t.Helper()
	u, page, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, n)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return u, page
}

func (r *rig) complete(t *testing.T, id string) artifact.Upload {
	t.Helper()
	u, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, id)
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	return u
}

// send sends the request that Create returned, and returns the status.
func send(t *testing.T, put *artifact.Put, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, put.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range put.Headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0 // the server may close the connection if it refuses the body
	}
	defer res.Body.Close()
	return res.StatusCode
}

func (r *rig) download(t *testing.T, key string) []byte {
	t.Helper()
	d, err := r.Open(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, kv.Position{Key: key, Idx: 0}, false)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	res, err := http.Get(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("download: %v, %v", res.Status, err)
	}
	if kind := res.Header.Get("Content-Type"); kind != d.File.ContentType {
		t.Errorf("content type %q, want %q", kind, d.File.ContentType)
	}
	return got
}

func (r *rig) used(t *testing.T) string {
	t.Helper()
	out, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(r.env.Table("KvTable")), Key: kv.NamespaceKey(r.ns),
	})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := out.Item["by"].(*types.AttributeValueMemberN)
	if n == nil {
		return "no"
	}
	return n.Value
}

func wantFault(t *testing.T, err error, id string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.ID != id {
		t.Errorf("got %v, want %s", err, id)
	}
}

func (r *rig) set(t *testing.T, key, text string) {
	t.Helper()
	v, err := canonical.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.records.Set(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, kv.Write{Key: key, Value: v, Committed: true}); err != nil {
		t.Fatal(err)
	}
}
