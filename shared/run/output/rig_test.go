package output_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runquery"
)

// rig is a store on real servers.
type rig struct {
	*output.Store
	env *storagetest.Env
	id  run.ID
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return rigOn(storagetest.New(t), run.NewID())
}

func rigOn(env *storagetest.Env, id run.ID) *rig {
	return &rig{output.New(env.DynamoDB, env.S3, env.Table("RunsTable"), env.Bucket("RunsBucket")), env, id}
}

// failing returns the same store behind a network that fails as faults say.
func (r *rig) failing(faults *storagetest.Faults) *rig { return rigOn(r.env.WithFaults(faults), r.id) }

// expires lies in the future, because the local server removes expired items.
var expires = time.Now().Add(24 * time.Hour)

// put stores a result, and returns what the run's item then says.
func (r *rig) put(t testing.TB, of *result.Result) run.Result {
	t.Helper()
	stored, err := r.Put(t.Context(), r.id, of, expires)
	if err != nil {
		t.Fatal(err)
	}
	return run.Result{Payload: stored.Payload, Gates: stored.Gates, Steps: stored.Steps}
}

func (r *rig) page(t testing.TB, of run.Result, q output.Request) output.Page {
	t.Helper()
	page, err := r.Page(t.Context(), r.id, of, q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// drop removes an object.
func (r *rig) drop(t testing.TB, name string) {
	t.Helper()
	bucket := r.env.Bucket("RunsBucket")
	if _, err := r.env.S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &name}); err != nil {
		t.Fatal(err)
	}
}

// objects returns the names and the contents of all objects.
func (r *rig) objects(t testing.TB) map[string]string {
	t.Helper()
	bucket, found := r.env.Bucket("RunsBucket"), map[string]string{}
	list, err := r.env.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range list.Contents {
		out, err := r.env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		found[*object.Key] = string(content)
	}
	return found
}

func download(t testing.TB, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("got %s of the type %s, %v", response.Status, response.Header.Get("Content-Type"), err)
	}
	return string(text)
}

func decode(t testing.TB, body string) *result.Result {
	t.Helper()
	r, err := result.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// results makes the result of a run: a pre-hook, then init and plan of each of n/2
// dirspaces, so that there are n+1 steps. Each plan has text of about size bytes.
func results(t testing.TB, n, size int) *result.Result {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"steps":[{"step":"env","success":true,"scope":{"type":"run","flow":"hooks","subflow":"pre"},"payload":{"text":"é"}}`)
	for i := range n {
		name, payload := "tf/init", map[string]any{"text": fmt.Sprintf("init %d", i), "visible_on": "error"}
		if i%2 == 1 {
			name, payload = "tf/plan", map[string]any{"text": fmt.Sprintf("plan %d ", i) + strings.Repeat("\x1b[1m\"x\"\n", size/9), "has_changes": i%3 == 0}
		}
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, `,{"step":%q,"success":%t,"ignore_errors":%t,"scope":{"type":"dirspace","dir":"prod/d%d","workspace":"w%d"},"payload":%s}`,
			name, i%7 != 3, i%5 == 0, i/2%40, i%3, text)
	}
	return decode(t, b.String()+`]}`)
}

// compile reads a query text.
func compile(t testing.TB, text string) runquery.Query {
	t.Helper()
	q, err := runquery.Outputs.Compile(text, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return q
}
