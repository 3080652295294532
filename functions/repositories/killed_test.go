package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
)

// TestDeletionThatIsKilledAnywhereIsDoneOnce ends the function at each of its calls
// to the storage and to the host, one after the other, reads included. The last
// call takes effect, but its response is lost. A second request completes the
// deletion, and it is done once.
func TestDeletionThatIsKilledAnywhereIsDoneOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, ended := 1, false; !ended; n++ {
		id := strconv.Itoa(1000 + n)
		r.github.Install("42", vcstest.Repository{ID: int64(1000 + n), Owner: "acme", Name: "old", Archived: true})
		r.tell(t, "github", "42", id, "old", "1")
		before := len(r.due(t))
		calls := r.killAt(t, n, githubRepos+id)
		ended = calls < n
		if n == 1 && calls < 2 {
			t.Fatal("it was not killed")
		}
		switch _, err := r.known.Get(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(id))); {
		case err == nil: // nothing was changed
			if made := len(r.due(t)) - before; made != 0 {
				t.Fatalf("killed at call %d: %d tasks, and the repository is there", n, made)
			}
			r.start(t, "DELETE", githubRepos+id)
		case !errors.Is(err, fault.ErrNotFound):
			t.Fatal(err)
		}
		if status, body := r.ask(t, "DELETE", githubRepos+id); status != 400 || !strings.Contains(body, "REPO_NOT_FOUND") {
			t.Fatalf("killed at call %d, then asked for again and again: %d %s", n, status, body)
		}
		found := 0
		for _, due := range r.due(t) {
			made, err := r.tasks.Get(t.Context(), due, born)
			if err != nil {
				t.Fatal(err)
			}
			if made.Kind == task.RemovePullRequests && strings.Contains(made.Note, `"repository":"`+id+`"`) {
				found++
			}
		}
		if found != 1 {
			t.Fatalf("killed at call %d: %d tasks remove its pull requests, want one", n, found)
		}
		if ended && calls < 5 {
			t.Errorf("an undisturbed deletion made %d calls: that is not all of it", calls)
		}
	}
}

func (r *rig) due(t *testing.T) []string {
	t.Helper()
	ids, err := r.tasks.Due(t.Context(), task.Hosts, born.Add(1), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// killAt sends a deletion to a new function, which ends at its nth call. It returns
// how many calls the function made.
func (r *rig) killAt(t *testing.T, n int, path string) (calls int) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var mu sync.Mutex
	next := func() (last, dead bool) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return calls == n, calls > n
	}
	faults := &storagetest.Faults{Choose: func(string) storagetest.Fault {
		last, dead := next()
		switch {
		case dead:
			kill()
			return storagetest.Fault{Kind: storagetest.Refuse}
		case last:
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		}
		return storagetest.Fault{}
	}}
	db := r.Role.WithFaults(faults).DynamoDB
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return r.github.Key, nil }, r.github.API)
	dying := r.Serve(routes(r.over(db, &hostclient.Hosts{App: app})))
	defer r.Serve(routes(r.repositories))
	r.github.Choose(func(string) *vcstest.Failure {
		if last, dead := next(); last || dead {
			kill()
			return &vcstest.Failure{}
		}
		return nil
	})
	defer r.github.Choose(nil)
	// The function is killed, so its response does not matter.
	if _, err := dying.Handle(ctx, httpapitest.Event(t, "DELETE", path, r.Caller, "")); err != nil {
		t.Fatal(err)
	}
	return calls
}
