package artifact_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// late is an upload for idx 7 of a key. The key is deleted immediately before the
// transaction that completes the upload.
type late struct {
	*rig
	upload     artifact.Upload
	generation string // the generation that the delete replaces
	writer     change.Author
}

func newLate(t *testing.T) *late {
	t.Helper()
	r := newRig(t)
	v, err := canonical.Parse([]byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.records.Set(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, kv.Write{Key: "k", Idx: 1, Value: v, Committed: true}); err != nil {
		t.Fatal(err)
	}
	body := []byte("late")
	u, page := r.create(t, artifact.New{Key: "k", Idx: 7, Committed: true, File: fileOf(body)})
	send(t, page.Put, body)
	return &late{r, u, r.item(t, "github:1", []byte("kk")).String("gn"), author()}
}

func (r *rig) item(t *testing.T, pk string, sk []byte) *attr.Reader {
	t.Helper()
	out, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(r.env.Table("KvTable")), Key: attr.Item{"pk": attr.String(pk), "sk": attr.Bytes(sk)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return attr.Read(out.Item)
}

// complete completes the upload. It calls armed after the key was deleted.
func (l *late) complete(ctx context.Context, t *testing.T, faults *storagetest.Faults, armed func()) error {
	faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Before: func() {
		if _, err := l.records.Delete(t.Context(), kv.Caller{Installation: l.ns, Author: author()}, kv.Target{Key: "k"}, nil); err != nil {
			t.Error(err)
		}
		armed()
	}})
	_, err := l.failing(faults).Complete(ctx, kv.Caller{Installation: l.ns, Author: l.writer}, l.upload.ID)
	return err
}

// marked reports whether the row says that it was deleted with its key.
func (l *late) marked(t *testing.T) bool {
	t.Helper()
	return l.item(t, "github:1:"+l.generation, []byte{0x80, 7}).String("wk") == l.writer.Request
}

// told are the requests whose response says that an upload is done.
var told = map[string]func(*testing.T, *rig, string) (artifact.State, error){
	"completed again": func(t *testing.T, r *rig, id string) (artifact.State, error) {
		u, err := r.Complete(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, id)
		return u.State, err
	},
	"shown": func(t *testing.T, r *rig, id string) (artifact.State, error) {
		u, _, err := r.Show(t.Context(), kv.Caller{Installation: r.ns, Author: change.Author{At: time.Now()}}, id, 0, 1)
		return u.State, err
	},
	"aborted": func(t *testing.T, r *rig, id string) (artifact.State, error) {
		err := r.Abort(t.Context(), kv.Caller{Installation: r.ns, Author: author()}, id)
		var f *fault.Error
		if errors.As(err, &f) && f.ID == "UPLOAD_DONE" {
			return artifact.Done, nil
		}
		return "", err
	},
}

// TestCompletionThatCannotSeeWhatBecameOfItsRowIsNotAcknowledged makes the requests
// fail that follow the transaction, and then those of every later request for the
// upload.
func TestCompletionThatCannotSeeWhatBecameOfItsRowIsNotAcknowledged(t *testing.T) {
	kinds := map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "answer lost": storagetest.LoseAnswer,
		"request lost": storagetest.LoseRequest, "connection refused": storagetest.Refuse, "twice": storagetest.Duplicate,
	}
	for kindName, kind := range kinds {
		for _, request := range []string{"GetItem", "UpdateItem"} {
			for often, nth := range map[string]int{"once": 1, "always": 0} {
				t.Run(kindName+" at "+request+" "+often, func(t *testing.T) {
					l := newLate(t)
					var faults storagetest.Faults
					err := l.complete(t.Context(), t, &faults, func() {
						faults.Add(storagetest.Fault{Operation: request, Nth: nth, Kind: kind})
					})
					if err == nil && !l.marked(t) {
						t.Error("the completion is acknowledged, and the trail does not tell that its row is gone")
					}
					for name, ask := range told {
						state, err := ask(t, l.failing(&faults), l.upload.ID) // lasting faults still apply
						if err == nil && (state != artifact.Done || !l.marked(t)) {
							t.Errorf("%s while it fails: %s, and the trail does not tell that its row is gone", name, state)
						}
					}
				})
			}
		}
	}
}

func TestWhoAsksAgainSettlesACompletionThatWasCutOff(t *testing.T) {
	for name, ask := range told {
		t.Run(name, func(t *testing.T) {
			l := newLate(t)
			ctx, kill := context.WithCancel(t.Context())
			var faults storagetest.Faults
			err := l.complete(ctx, t, &faults, func() {
				faults.Add(storagetest.Fault{Operation: "GetItem", Nth: 1, Before: kill})
			})
			if err == nil || l.marked(t) {
				t.Fatalf("got %v and a mark, want a call that was cut off", err)
			}
			var unanswered storagetest.Faults
			// The two reads are the upload's own item, then the head.
			unanswered.Add(storagetest.Fault{Operation: "GetItem", Nth: 2, Before: func() {
				unanswered.Add(storagetest.Fault{Operation: "GetItem", Kind: storagetest.ServerError})
			}})
			unanswered.Add(storagetest.Fault{Operation: "UpdateItem", Kind: storagetest.ServerError})
			_, err = ask(t, l.failing(&unanswered), l.upload.ID)
			wantFault(t, err, "OUTCOME_UNKNOWN")
			if state, err := ask(t, l.rig, l.upload.ID); err != nil || state != artifact.Done || !l.marked(t) {
				t.Errorf("got %s, %v; marked: %v; want done, and the row marked", state, err, l.marked(t))
			}
		})
	}
}
