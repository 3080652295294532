package artifact_test

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

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
