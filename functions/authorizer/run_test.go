package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// run creates a queued run of an installation and returns its id and its token.
func (h *rig) run(t testing.TB, in vcs.Installation) (run.ID, string) {
	t.Helper()
	id := run.NewID()
	token := runtoken.New(id)
	main := run.Ref{Branch: "main", Commit: "aa"}
	_, err := h.runs.Create(ctx, runstore.Creation{
		Spec: run.Spec{
			ID: id, Repository: in.Repository("7"), Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
			Base: main, Source: main, Principal: h.owner.ID, Dirspaces: []run.Dirspace{{Dir: ".", Workspace: "default"}},
		},
		Token: runstore.Token{Hash: runtoken.Digest(token), Sealed: []byte("sealed")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, h.Author())
	if err != nil {
		t.Fatal(err)
	}
	return id, token
}

var github1 = vcs.Installation{VCS: vcs.GitHub, ID: "1"}

func TestTokenOfARunStandsForTheRunInEachState(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	id, token := h.run(t, github1)
	check := func(state run.State, active bool) {
		t.Helper()
		var got access.Caller
		var ok bool
		if n := h.count(func() { got, ok = h.allowed(t, "bearer "+token, atInstallation1) }); n != 1 {
			t.Errorf("%s: %d storage calls, want 1", state, n)
		}
		want := access.OfRun(string(id), github1, active)
		if !ok || got.Kind != access.KindRun || got.User != "run:"+string(id) || got.Run() != string(id) || got.Active != active ||
			!slices.Equal(got.Capabilities, want.Capabilities) || !slices.Equal(got.Memberships, want.Memberships) {
			t.Errorf("%s: got %+v, %t, want %+v", state, got, ok, want)
		}
	}
	check(run.Queued, true)
	if _, ok, err := h.runs.Claim(ctx, github1.Repository("7"), time.Minute, h.Author()); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := h.runs.Initiate(ctx, id, runstore.CIJob{Run: "1", Commit: "aa"}, h.Author()); err != nil {
		t.Fatal(err)
	}
	check(run.Running, true)
	if _, err := h.runs.Complete(ctx, id, run.Result{Outcomes: make([]run.Outcome, 1)}, h.Author()); err != nil {
		t.Fatal(err)
	}
	check(run.Completed, false)
	id, token = h.run(t, github1)
	if _, _, err := h.runs.Abort(ctx, id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, h.Author()); err != nil {
		t.Fatal(err)
	}
	check(run.Aborted, false)
}

func TestOtherTokensOfRunsAreRefused(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	id, token := h.run(t, github1)
	_, other := h.run(t, github1)
	const secret = 43 // characters
	for name, text := range map[string]string{
		"another secret":               runtoken.New(id),
		"the secret of another run":    token[:len(token)-secret] + other[len(other)-secret:],
		"an unknown run":               runtoken.New(run.NewID()),
		"cut short":                    token[:len(token)-1],
		"the prefix":                   runtoken.Prefix,
		"an id alone":                  runtoken.Prefix + string(id),
		"the digest in place of it":    runtoken.Prefix + string(id) + "_" + string(runtoken.Digest(token)),
		"the id in upper case letters": runtoken.Prefix + strings.ToUpper(string(id)) + token[len(token)-secret-1:],
		"more behind it":               token + "x",
	} {
		if caller, ok := h.allowed(t, "Bearer "+text, atInstallation1); ok {
			t.Errorf("%s: got %+v, want a refusal", name, caller)
		}
	}
}

func TestRunWhoseTokenCannotBeReadIsNotLetIn(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, token := h.run(t, github1)
	h.Faults.Add(storagetest.Fault{Operation: "GetItem", Kind: storagetest.ServerError})
	if answer, err := h.handle(ctx, event("Bearer "+token, atInstallation1)); err == nil {
		t.Errorf("got %+v, want a failure", answer)
	}
}
