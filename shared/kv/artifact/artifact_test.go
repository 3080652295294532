package artifact_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
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

func TestFileInOnePiece(t *testing.T) {
	r := newRig(t)
	body := []byte(strings.Repeat("lambda", 1000))
	u, page := r.create(t, artifact.New{Key: "k", Committed: true, File: fileOf(body)})
	if _, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID); err == nil {
		t.Error("completed before anything arrived")
	}
	for what, wrong := range map[string][]byte{"content": bytes.Repeat([]byte("x"), len(body)), "length": body[1:]} {
		if got := send(t, page.Put, wrong); got == http.StatusOK {
			t.Errorf("a body of another %s was taken", what)
		}
	}
	for range 2 { // a repeat after a lost response
		if got := send(t, page.Put, body); got != http.StatusOK {
			t.Fatalf("PUT answers %d", got)
		}
	}
	first := r.complete(t, u.ID)
	if first.State != artifact.Done || first.Record.Version != 0 {
		t.Errorf("got %+v", first)
	}
	rec, err := r.records.Get(t.Context(), kv.Caller{Installation: r.ns}, kv.Position{Key: "k", Idx: 0}, false, true)
	want := `{"size":6000,"sha256":"` + u.File.SHA256 + `","file_name":"ü x.zip","content_type":"application/zip"}`
	if err != nil || string(rec.Data) != want || rec.Size != first.Record.Size {
		t.Errorf("record %s (%d), %v; want %s (%d)", rec.Data, rec.Size, err, want, first.Record.Size)
	}
	if got := r.download(t, "k"); !bytes.Equal(got, body) {
		t.Errorf("downloaded %d other bytes", len(got))
	}
	r.set(t, "k", "1")
	if again := r.complete(t, u.ID); again.Record.Version != 0 || again.State != artifact.Done {
		t.Errorf("second completion answers %+v", again)
	}
	rec, err = r.records.Get(t.Context(), kv.Caller{Installation: r.ns}, kv.Position{Key: "k", Idx: 0}, false, true)
	if err != nil || string(rec.Data) != "1" || rec.Version != 1 {
		t.Errorf("second completion wrote: %+v, %v", rec, err)
	}
	_, err = r.Open(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, kv.Position{Key: "k", Idx: 0}, false)
	wantFault(t, err, "NOT_AN_ARTIFACT")
}

func TestFileInParts(t *testing.T) {
	r := newRig(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 101<<16)
	u, page := r.create(t, artifact.New{Key: "big", Idx: 0, File: fileOf(body)})
	if u.PartCount != 2 || len(page.Parts) != 2 {
		t.Fatalf("got %+v", u)
	}
	slice := func(p artifact.Part) []byte { return body[p.Offset : p.Offset+p.Size] }
	if got := send(t, page.Parts[1].Put, slice(page.Parts[1])); got != http.StatusOK {
		t.Fatalf("PUT answers %d", got)
	}
	_, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
	wantFault(t, err, "INCOMPLETE_UPLOAD")
	_, page, err = r.Show(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, u.ID, 0, 1000)
	if err != nil || page.Parts[0].Arrived || !page.Parts[1].Arrived || page.Parts[1].Put != nil {
		t.Fatalf("show: %+v, %v", page, err)
	}
	if got := send(t, page.Parts[0].Put, slice(page.Parts[0])); got != http.StatusOK {
		t.Fatalf("PUT answers %d", got)
	}
	done := r.complete(t, u.ID)
	if done.State != artifact.Done || done.Committed {
		t.Errorf("got %+v", done)
	}
	_, err = r.Open(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, kv.Position{Key: "big", Idx: 0}, false)
	if !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a draft shows before its commit: %v", err)
	}
	if _, err := r.records.Commit(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, []kv.Target{{Key: "big"}}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.download(t, "big"), body) {
		t.Error("downloaded other bytes")
	}
}

func TestPartsOfAnotherFileAreRefusedAtCompletion(t *testing.T) {
	r := newRig(t)
	body := make([]byte, 101<<20)
	u, page := r.create(t, artifact.New{Key: "big", Committed: true, File: fileOf(body)})
	body[len(body)-1] = 1
	for _, p := range page.Parts {
		if got := send(t, p.Put, body[p.Offset:p.Offset+p.Size]); got != http.StatusOK {
			t.Fatalf("PUT answers %d", got)
		}
	}
	_, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
	wantFault(t, err, "WRONG_HASH")
	if _, err := r.records.Get(t.Context(), kv.Caller{Installation: r.ns}, kv.Position{Key: "big", Idx: 0}, true, false); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("the record exists: %v", err)
	}
	if used := r.used(t); used != strconv.Itoa(len(body)) {
		t.Errorf("%s bytes are counted; want those of the object that is still there", used)
	}
	r.discard(t)
	if used := r.used(t); used != "0" {
		t.Errorf("%s bytes are still counted", used)
	}
}

// discard does what the collector does with every upload for which no bytes can
// arrive any more.
func (r *rig) discard(t *testing.T) {
	t.Helper()
	held, err := r.Held(t.Context(), r.ns)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if h.Done {
			continue
		}
		if _, _, err := r.Discard(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, h); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuotaIsHeldUnderConcurrentUploads(t *testing.T) {
	r := newRig(t)
	file := fileOf(nil)
	file.Size = quota / 4
	var wg sync.WaitGroup
	made := make(chan string, 8)
	for range 8 {
		wg.Go(func() {
			u, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: "k", File: file})
			if err == nil {
				made <- u.ID
				return
			}
			wantFault(t, err, "QUOTA_EXCEEDED")
		})
	}
	wg.Wait()
	close(made)
	if len(made) != 4 {
		t.Errorf("%d uploads fit, want 4", len(made))
	}
	for id := range made {
		for range 2 {
			if err := r.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.Show(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, id, 0, 1); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("an aborted upload answers %v", err)
		}
	}
	if used := r.used(t); used != strconv.Itoa(quota) {
		t.Errorf("%s bytes are counted; want all, as the addresses still work", used)
	}
	for range 2 {
		r.discard(t)
	}
	if used := r.used(t); used != "0" {
		t.Errorf("%s bytes are still counted", used)
	}
}

func TestConditionsHoldAtCreationAndAtCompletion(t *testing.T) {
	r := newRig(t)
	body := []byte("x")
	u, page := r.create(t, artifact.New{Key: "k", Committed: true, File: fileOf(body), Absent: true})
	send(t, page.Put, body)
	r.set(t, "k", "1")
	if _, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID); !errors.Is(err, fault.ErrUnmet) {
		t.Errorf("completion over a newer row: %v", err)
	}
	_, _, err := r.Create(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, artifact.New{Key: "k", File: fileOf(body), Absent: true})
	if !errors.Is(err, fault.ErrUnmet) {
		t.Errorf("creation: %v", err)
	}
	version := 0
	u, page = r.create(t, artifact.New{Key: "k", Committed: true, File: fileOf(body), Version: &version})
	send(t, page.Put, body)
	if done := r.complete(t, u.ID); done.Record.Version != 1 {
		t.Errorf("got version %d, want 1", done.Record.Version)
	}
}

func TestExpiredUploadIsGone(t *testing.T) {
	r := newRig(t)
	u, _ := r.create(t, artifact.New{Key: "k", File: fileOf(nil)})
	if _, _, err := r.Show(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: u.ExpiresAt}}, u.ID, 0, 1); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	other := r.ns
	other.ID = "2"
	if _, _, err := r.Show(t.Context(), kv.Caller{Installation: other, Author: change.Author{At: time.Now()}}, u.ID, 0, 1); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("another installation sees it: %v", err)
	}
}

func TestCompletionHappensOnceUnderEveryFault(t *testing.T) {
	kinds := map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "answer lost": storagetest.LoseAnswer,
		"request lost": storagetest.LoseRequest, "refused": storagetest.Refuse, "conflict": storagetest.Conflict,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			body := []byte("body")
			r.set(t, "k", "1")
			u, page := r.create(t, artifact.New{Key: "k", Committed: true, File: fileOf(body)})
			send(t, page.Put, body)
			var faults storagetest.Faults
			faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: kind})
			done, err := r.failing(&faults).Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := r.records.Get(t.Context(), kv.Caller{Installation: r.ns}, kv.Position{Key: "k", Idx: 0}, false, false)
			if err != nil || rec.Version != 1 || done.Record.Version != 1 {
				t.Errorf("got version %d and answer %d, %v; want 1", rec.Version, done.Record.Version, err)
			}
		})
	}
}

func TestCompletionOnARowThatItMadeItselfIsDone(t *testing.T) {
	for name, faults := range map[string]func(t *testing.T, r *rig, id string) []storagetest.Fault{
		"another call was quicker": func(t *testing.T, r *rig, id string) []storagetest.Fault {
			return []storagetest.Fault{{Operation: "s3:HEAD", Nth: 1, Before: func() { r.complete(t, id) }}}
		},
		"every answer of the first try was lost": func(*testing.T, *rig, string) []storagetest.Fault {
			lost := storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.LoseAnswer}
			list := []storagetest.Fault{lost, lost, lost}
			for i := range list {
				list[i].Nth = i + 1
			}
			return list
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			body := []byte("file")
			u, page := r.create(t, artifact.New{Key: "k", File: fileOf(body), Committed: true, Absent: true})
			send(t, page.Put, body)
			var f storagetest.Faults
			for _, fault := range faults(t, r, u.ID) {
				f.Add(fault)
			}
			got, err := r.failing(&f).Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, u.ID)
			if err != nil || got.State != artifact.Done || got.Record == nil || got.Record.Version != 0 {
				t.Errorf("got %+v, %v; want the record that it became", got, err)
			}
		})
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
