package garbage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/vcs"
)

// rig holds the stores of one table and bucket, and a collector for them.
type rig struct {
	*garbage.Collector
	records *kv.Store
	files   *artifact.Store
	env     *storagetest.Env
	ns      vcs.Installation
	dying   bool // the operations of callers fail, and the test expects it
}

// rest is the rest of the collectors in tests. It passes on the clock that a test
// gives them.
var rest = garbage.Rest{Write: time.Hour, Keep: 24 * time.Hour}

func newRig(t testing.TB) *rig {
	t.Helper()
	return rigOn(storagetest.New(t), rest)
}

func rigOn(env *storagetest.Env, rest garbage.Rest) *rig {
	table, bucket := env.Table("KvTable"), env.Bucket("KvBucket")
	records := kv.New(env.DynamoDB, env.S3, table, bucket)
	files := artifact.NewStore(env.DynamoDB, env.S3, records, table, bucket, artifact.Limits{Stored: 1 << 30})
	return &rig{garbage.New(records, files, env.S3, bucket, rest), records, files, env, vcs.Installation{VCS: "github", ID: "1"}, false}
}

// failed fails the test, unless callers are expected to fail.
func (r *rig) failed(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil && !r.dying {
		t.Errorf("%s: %v", what, err)
	}
}

// failing returns the same rig behind a network that fails as f says.
func (r *rig) failing(f *storagetest.Faults) *rig { return rigOn(r.env.WithFaults(f), rest) }

func author() change.Author {
	return change.Author{Principal: "user", Request: uuid.NewString(), At: time.Now()}
}

// collect runs the collector as if the time were later by this duration.
func (r *rig) collect(t testing.TB, later time.Duration) garbage.Report {
	t.Helper()
	report, err := r.run(t.Context(), later)
	if err != nil {
		t.Fatalf("collect: %v", err)
	}
	return report
}

func (r *rig) run(ctx context.Context, later time.Duration) (garbage.Report, error) {
	by := change.Author{Principal: "collector", Request: uuid.NewString(), At: time.Now().Add(later)}
	return r.Run(ctx, by)
}

// collectAll runs the collector until everything that is garbage now has rested.
func (r *rig) collectAll(t testing.TB) {
	t.Helper()
	r.collect(t, 30*time.Hour)
	r.collect(t, 60*time.Hour)
}

// large returns a value that becomes an object. Different texts give different
// objects.
func large(text string) string { return `"` + text + strings.Repeat("x", 2*kv.InlineMax) + `"` }

func (r *rig) set(t testing.TB, key string, idx int, value string, committed bool) {
	t.Helper()
	v, err := canonical.Parse([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	w := kv.Write{Key: key, Idx: idx, Value: v, Committed: committed}
	_, err = r.records.Set(context.Background(), kv.Caller{Installation: r.ns, Author: author()}, w)
	r.failed(t, "set "+key, err)
}

func (r *rig) delete(t testing.TB, key string, idx *int) {
	t.Helper()
	_, err := r.records.Delete(context.Background(), kv.Caller{Installation: r.ns, Author: author()}, kv.Target{Key: key, Idx: idx}, nil)
	r.failed(t, "delete "+key, err)
}

func (r *rig) commit(t testing.TB, keys ...string) {
	t.Helper()
	targets := make([]kv.Target, len(keys))
	for i, key := range keys {
		targets[i].Key = key
	}
	_, err := r.records.Commit(context.Background(), kv.Caller{Installation: r.ns, Author: author()}, targets)
	r.failed(t, "commit", err)
}

func (r *rig) announce(t testing.TB, key string, body []byte) (artifact.Upload, artifact.Page) {
	t.Helper()
	u, page, err := r.files.Create(context.Background(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: key, Committed: true, File: fileOf(body)})
	r.failed(t, "announce "+key, err)
	return u, page
}

func fileOf(body []byte) artifact.File {
	sum := sha256.Sum256(body)
	return artifact.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), ContentType: "application/zip"}
}

func (r *rig) upload(t testing.TB, key string, body []byte) artifact.Upload {
	t.Helper()
	u, page := r.announce(t, key, body)
	if u.ID == "" {
		return u
	}
	send(t, page, body)
	return r.complete(t, u)
}

func (r *rig) complete(t testing.TB, u artifact.Upload) artifact.Upload {
	t.Helper()
	done, err := r.files.Complete(context.Background(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
	r.failed(t, "complete", err)
	return done
}

func send(t testing.TB, page artifact.Page, body []byte) {
	t.Helper()
	if page.Put == nil {
		t.Error("there is no URL to send the file to")
		return
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPut, page.Put.URL, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	for name, value := range page.Put.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("PUT answers %s", response.Status)
	}
}

// boundary waits for the next full second. An object carries the second in which it
// was made. So objects from before and after the boundary can be told apart.
func boundary() time.Time {
	second := time.Now().Truncate(time.Second).Add(time.Second)
	time.Sleep(time.Until(second))
	return second
}

// around runs the collector twice, so that the second run removes what the first
// run finds. It takes everything from before since to be older than any write, and
// everything else to be younger. The requests of the stores go the same way as
// those of r.
func (r *rig) around(t testing.TB, since time.Time) {
	t.Helper()
	for _, error := range r.twice(since) {
		if error != nil {
			t.Errorf("collect: %v", error)
		}
	}
}

func (r *rig) twice(since time.Time) (errs [2]error) {
	for n := range errs {
		// The second run is later by more than the rounding of the first run's
		// times.
		later := time.Hour + time.Duration(n)*2*time.Second
		c := rigOn(r.env, garbage.Rest{Write: later})
		_, errs[n] = c.Run(context.Background(), change.Author{Principal: "collector", Request: uuid.NewString(), At: since.Add(later)})
	}
	return errs
}
