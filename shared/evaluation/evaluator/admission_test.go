package evaluator_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// byAPI starts a run by API, as ann. It returns the refusal as "ID: detail", or the empty
// text.
func (r *rig) byAPI(of run.Type, at command.Target, dirs ...string) string {
	r.t.Helper()
	var list []run.Dirspace
	for _, dir := range dirs {
		list = append(list, run.Dirspace{Dir: dir, Workspace: "default"})
	}
	found, err := r.Admission(r.t.Context(), evaluator.Wanted{Target: at, Actor: vcshost.Profile{ID: "1", Login: ann.Login}, Spec: run.Spec{
		ID: run.NewID(), Repository: r.of, Type: of, User: ann.Login, Principal: "7", Dirspaces: run.SortDirspaces(list),
	}})
	if err == nil {
		_, err = r.Start.Start(r.t.Context(), found.Order, r.author())
	}
	var refusal *fault.Error
	if err != nil && !errors.As(err, &refusal) {
		r.t.Fatal(err)
	}
	if err != nil {
		return refusal.Error()
	}
	return ""
}

func pullRequest(n int64) command.Target { return command.Target{Kind: run.PullRequest, Number: n} }

var onMain = command.Target{Kind: run.Branch, Branch: "main"}

// refused expects a refusal that has all of some parts. Without parts, it expects none.
func (r *rig) refused(what, got string, parts ...string) {
	r.t.Helper()
	if len(parts) == 0 && got != "" {
		r.t.Errorf("%s: refused with %q", what, got)
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			r.t.Errorf("%s: got %q, want %q in it", what, got, part)
		}
	}
}

// TestLocksAndPlansCountForRunsByAPI follows two pull requests with one directory.
func TestLocksAndPlansCountForRunsByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	first := r.open("first", map[string]string{"net/main.tf": "a1"})
	r.refused("while it is planned", r.byAPI(run.Apply, pullRequest(first), "net"), "RUNS_IN_THE_WAY", "pull request 1 (plan)")
	r.work(nil)
	second := r.open("second", map[string]string{"net/other.tf": "x"})
	r.work(nil)
	r.refused("main is planned", r.byAPI(run.Plan, onMain, "net", "app"))
	r.work(nil)
	r.refused("applied by API", r.byAPI(run.Apply, pullRequest(first), "net"))
	r.refused("twice", r.byAPI(run.Apply, pullRequest(first), "net"), "APPLY_UNDER_WAY")
	r.refused("second waits", r.byAPI(run.Apply, pullRequest(second), "net"), "RUNS_IN_THE_WAY", "pull request 1 (apply)")
	r.did("applied by API", r.work(nil), "apply net default")
	r.refused("nothing is left", r.byAPI(run.Apply, pullRequest(first), "net"), "NOTHING_TO_DO", "it is applied")
	r.refused("overtaken", r.byAPI(run.Apply, pullRequest(second), "net"), "PLAN_GONE", "pull request 1")
	r.refused("overtaken, of main", r.byAPI(run.Apply, onMain, "net"), "PLAN_GONE")
	r.refused("planned again", r.byAPI(run.Plan, pullRequest(second), "net"))
	r.refused("main is planned again", r.byAPI(run.Plan, onMain, "net"))
	r.work(nil)
	r.refused("locked", r.byAPI(run.Apply, pullRequest(second), "net"), "LOCKED", "pull request 1", "merge", "unlock")
	r.refused("locked, of main", r.byAPI(run.Apply, onMain, "net"), "LOCKED", "pull request 1")
	r.refused("not locked, of main", r.byAPI(run.Apply, onMain, "app"))
	r.did("app of main", r.work(nil), "apply app default")
	r.write(first, ann, "terraform unlock")
	r.refused("unlocked", r.byAPI(run.Apply, pullRequest(second), "net"))
	r.did("unlocked", r.work(nil), "apply net default")
}

// TestConflictsAndGoneThingsAreRefusedByAPI names what does not exist, or cannot be merged.
func TestConflictsAndGoneThingsAreRefusedByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.refused("no such pull request", r.byAPI(run.Plan, pullRequest(99), "net"), "PULL_REQUEST_NOT_FOUND", "99")
	r.refused("no such branch", r.byAPI(run.Plan, command.Target{Kind: run.Branch, Branch: "gone"}, "net"), "BRANCH_NOT_FOUND", "gone")
	_, err := r.host.Push(named, "main", bob, bytesOf(map[string]string{"net/main.tf": "other"}))
	r.must(err)
	r.refused("conflict", r.byAPI(run.Plan, pullRequest(n), "net"), "MERGE_CONFLICT", "Merge the destination")
	r.must(r.host.ClosePull(named, n, ann))
	r.refused("closed", r.byAPI(run.Plan, pullRequest(n), "net"), "PULL_REQUEST_CLOSED")
	_, err = r.host.Push(named, "evil", rob, bytesOf(map[string]string{"net/main.tf": "x"}))
	r.must(err)
	fork, err := r.host.OpenPull(named, rob, vcstest.Opening{Title: "Evil", Head: "evil", From: 666})
	r.must(err)
	r.refused("fork", r.byAPI(run.Plan, pullRequest(fork), "net"), "PULL_REQUEST_OF_FORK")
}

// TestMergedPullRequestIsAppliedByAPI applies after the merge, which the requirements want.
func TestMergedPullRequestIsAppliedByAPI(t *testing.T) {
	t.Parallel()
	files := map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": "apply_requirements: { checks: [{ tag_query: '', apply_after_merge: { enabled: true } }] }\n"}
	r := newRig(t, files)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.refused("open", r.byAPI(run.Apply, pullRequest(n), "net"), "REQUIREMENTS_NOT_MET", "after the merge")
	r.merge(n)
	r.refused("merged", r.byAPI(run.Apply, pullRequest(n), "net"))
	r.did("merged", r.work(nil), "apply net default")
	r.refused("applied", r.byAPI(run.Apply, pullRequest(n), "net"), "NOTHING_TO_DO")
}

// TestEarlierLayersComeFirstByAPI plans a layer when the one before is applied.
func TestEarlierLayersComeFirstByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": "dirs: { app: { when_modified: { depends_on: 'dir:net' } } }\n"})
	n := r.open("change", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
	r.did("first layer", r.work(nil), "plan net default")
	r.refused("second layer", r.byAPI(run.Plan, pullRequest(n), "app"), "NOTHING_TO_DO", "layer")
	r.refused("both layers", r.byAPI(run.Plan, pullRequest(n), "app", "net"), "NOTHING_TO_DO", "app")
	r.refused("first layer", r.byAPI(run.Apply, pullRequest(n), "net"))
	r.did("the second follows", r.work(nil), "apply net default", "plan app default")
	r.refused("second layer", r.byAPI(run.Apply, pullRequest(n), "app"))
	r.did("second layer", r.work(nil), "apply app default")
}
