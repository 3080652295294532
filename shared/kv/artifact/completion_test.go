package artifact_test

import (
	"errors"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
)

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
