package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/event"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/canonical"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// sources are the tables whose records have events, with the owners of their items.
var sources = []audit.Source{
	{Table: audit.Runs, Owners: []audit.Owner{runstore.AuditRecord, runstore.AuditUnlock}},
	{Table: audit.KV, Owners: kvitem.Owners()},
	{Table: audit.Tokens, Owners: []audit.Owner{apikey.AuditRecord}},
	{Table: audit.VCS, Owners: []audit.Owner{pullrequest.AuditRecord}},
}

// watcher makes records of what has changed in the tables, as the auditor does.
type watcher struct {
	rig     *rig
	streams []*storagetest.Changes
	next    int
}

func watch(r *rig) *watcher {
	w := &watcher{rig: r}
	for _, s := range sources {
		w.streams = append(w.streams, &storagetest.Changes{Table: r.Env.Table(string(s.Table)), At: functiontest.Start})
	}
	return w
}

func (w *watcher) records(t *testing.T) []audit.Record {
	t.Helper()
	var list []audit.Record
	for i, s := range w.streams {
		changes, err := s.Since(t.Context(), w.rig.Env.DynamoDB)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			w.next++
			c.Change.SequenceNumber = strconv.Itoa(w.next)
			if r, ok := sources[i].Record(c); ok {
				list = append(list, r)
			}
		}
	}
	return list
}

// TestEventsOfRealChangesAreAsTheirSchemasSay makes real changes of every kind, and sends
// the events of their records. The rig compares each event with its schema.
func TestEventsOfRealChangesAreAsTheirSchemasSay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := watch(r)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func() {
		t.Helper()
		changes := r.added(t, w.records(t)...)
		if got := r.tell(t, r.publisher, changes...); got != len(changes) {
			t.Fatalf("done with %d of %d records", got, len(changes))
		}
	}
	// Runs: one that goes all the way, one that is unlocked.
	creation := func(of run.Type) runstore.Creation {
		return runstore.Creation{
			Spec: run.Spec{
				ID: run.NewID(), Repository: infraRepository, Owner: "acme", Name: "infra", Type: of, Kind: run.Kind{Name: run.PullRequest, Number: 17},
				Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Environment: "production",
				User: "Ann", Principal: "ann", Dirspaces: []run.Dirspace{{Dir: "net", Workspace: "default"}},
			},
			Token: runstore.Token{Hash: []byte("planted"), Sealed: []byte("planted")}, Manifest: runstore.Manifest{Body: []byte(`"planted"`)},
		}
	}
	for _, of := range []run.Type{run.Apply, run.Plan} {
		c := creation(of)
		_, err := r.runs.Create(t.Context(), c, r.author())
		must(err)
		publish()
		claimed, ok, err := r.runs.Claim(t.Context(), infraRepository, time.Minute, r.author())
		if must(err); !ok || claimed.ID != c.Spec.ID {
			t.Fatalf("claimed %s", claimed.ID)
		}
		_, err = r.runs.Dispatched(t.Context(), claimed, runstore.HostRun{ID: "9"}, r.author())
		must(err)
		_, err = r.runs.Initiate(t.Context(), c.Spec.ID, runstore.CIJob{Run: "9", Commit: "bb", URL: "https://host/9"}, r.author())
		must(err)
		publish()
		_, err = r.runs.Complete(t.Context(), c.Spec.ID, run.Result{Outcomes: []run.Outcome{run.HasResult | run.HasChanges}, Steps: 1, Payload: "results/x"}, r.author())
		must(err)
		publish()
	}
	waiting := creation(run.Plan)
	_, err := r.runs.Create(t.Context(), waiting, r.author())
	must(err)
	publish()
	_, err = r.runs.Unlock(t.Context(), infraRepository, run.OriginOfPullRequest(17), "Ben", r.author())
	must(err)
	publish()
	// An artifact that is committed at once, and a value whose draft is committed.
	table, bucket := r.Env.Table("KvTable"), r.Env.Bucket("KvBucket")
	records := kv.New(r.Env.DynamoDB, r.Env.S3, table, bucket)
	files := artifact.NewStore(r.Env.DynamoDB, r.Env.S3, records, table, bucket, artifact.Limits{})
	caller := kv.Caller{Installation: infraRepository.Installation, Author: r.author()}
	body := []byte("content")
	sum := sha256.Sum256(body)
	upload, page, err := files.Create(t.Context(), caller, artifact.New{
		Key: "build/1", Idx: 3, Committed: true, File: artifact.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), ContentType: "a/b"},
	})
	must(err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, page.Put.URL, bytes.NewReader(body))
	must(err)
	for name, value := range page.Put.Headers {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	must(err)
	_ = answer.Body.Close()
	_, err = files.Complete(t.Context(), caller, upload.ID)
	must(err)
	publish()
	caller.Author = r.author()
	value, err := canonical.Parse([]byte(`"planted"`))
	must(err)
	_, err = records.Set(t.Context(), caller, kv.Write{Key: "build/2", Value: value})
	must(err)
	caller.Author = r.author()
	_, err = records.Commit(t.Context(), caller, []kv.Target{{Key: "build/2"}})
	must(err)
	publish()
	// API keys and pull requests.
	keys := &apikey.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("TokensTable")}
	_, key, err := keys.Create(t.Context(), apikey.New{
		User: "5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", Name: "ci", Capabilities: access.Set{}, ExpiresAt: r.Clock.Now().Add(time.Hour),
	}, r.author())
	must(err)
	publish()
	must(keys.Revoke(t.Context(), "5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", key.ID, r.author()))
	publish()
	facts := r.Env.Table("VcsTable")
	repositories := repository.Store{DB: r.Env.DynamoDB, Table: facts}
	_, err = (pullrequest.Store{DB: r.Env.DynamoDB, Table: facts}).Apply(t.Context(), r.author(), infraRepository.Installation, pullrequest.PullRequest{
		Repository: "7", Number: 17, Title: "Add bucket", User: "ann", State: pullrequest.Open, BaseBranch: "main", BaseSHA: "aa", Branch: "feature", SHA: "bb",
	}, "1", repositories.NotEmptied(infraRepository, "1"))
	must(err)
	publish()

	r.sent(t)
	var types []string
	for _, e := range r.events.Events() {
		types = append(types, e.DetailType)
		if bytes.Contains(e.Detail, []byte("planted")) || bytes.Contains(e.Detail, []byte("opk_")) {
			t.Errorf("%s shows a secret", e.Detail)
		}
	}
	slices.Sort(types)
	types = slices.Compact(types)
	var want []string
	for _, of := range event.Types() {
		want = append(want, string(of))
	}
	slices.Sort(want)
	if !slices.Equal(types, want) {
		t.Errorf("got events of the types %q, want %q", types, want)
	}
}
