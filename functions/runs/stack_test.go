package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// changed stores the change set of pull request 17, on the commits of create.
func (r *rig) changed(t *testing.T, stacks ...changeset.Stack) {
	t.Helper()
	write, err := r.changes.Write(t.Context(), changeset.Set{
		Repository: vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), Number: 17, Base: "9f2c", Head: "77ab", At: r.Clock.Now(), Stacks: stacks,
	})
	if err == nil {
		err = table.Table{DB: r.Env.DynamoDB, Name: r.store.Table}.Transact(t.Context(), write)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// members returns dirspaces in the workspace default that the pull request changes.
func members(dirs ...string) (list []changeset.Member) {
	for n, dir := range dirs {
		list = append(list, changeset.Member{Dirspace: run.Dirspace{Dir: dir, Workspace: "default"}, Layer: n + 1})
	}
	return list
}

const stacksOf17 = base + "/repos/7/prs/17/stacks"

func TestStacksAreShownAsTheContractSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if got := r.Do(t, "GET", stacksOf17, ""); got.StatusCode != 404 || got.Body != "" {
		t.Errorf("without a change set: %d %s", got.StatusCode, got.Body)
	}
	r.changed(t,
		changeset.Stack{Name: "prod-app", Paths: [][]string{{"prod", "prod-app"}}, PlanAfter: []string{"prod-net"}, Members: members("app")},
		changeset.Stack{Name: "prod-net", Paths: [][]string{{"prod", "prod-net"}}, Members: append(members("net"), changeset.Member{Dirspace: run.Dirspace{Dir: "dns", Workspace: "default"}})})
	const want = `{"stacks":[{"name":"prod","stacks":[` +
		`{"dirspaces":[{"dirspace":{"dir":"net","workspace":"default"},"layer":1,"state":"NET"},{"dirspace":{"dir":"dns","workspace":"default"},"state":"no_changes"}],` +
		`"name":"prod-net","paths":[["prod","prod-net"]],"state":"NET"},` +
		`{"dirspaces":[{"dirspace":{"dir":"app","workspace":"default"},"layer":1,"state":"APP"}],"name":"prod-app","paths":[["prod","prod-app"]],"plan_after":["prod-net"],"state":"APP"}],"state":"ALL"}]}`
	expect := func(what, net, app, all string) {
		t.Helper()
		wanted := strings.NewReplacer("NET", net, "APP", app, "ALL", all).Replace(want)
		if got := r.Do(t, "GET", stacksOf17, ""); got.StatusCode != 200 || got.Body != wanted {
			t.Errorf("%s: got %d %s\nwant %s", what, got.StatusCode, got.Body, wanted)
		}
	}
	expect("before a run", "plan_pending", "plan_pending", "plan_pending")
	r.complete(t, r.create(t, "42", "net", "app"), true, false)
	expect("after a plan", "apply_success", "plan_failed", "plan_failed") // the plan was not stored
	id := r.create(t, "42", "app")
	if _, err := r.store.Complete(t.Context(), id, run.Result{
		Success: true, Outcomes: []run.Outcome{run.HasResult | run.Succeeded | run.PlanStored | run.HasChanges},
	}, r.Author()); err != nil {
		t.Fatal(err)
	}
	expect("after another plan", "apply_success", "apply_pending", "apply_pending")
	r.complete(t, r.create(t, "43", "net", "app"), false, false)
	expect("after a run of another installation", "apply_success", "apply_pending", "apply_pending")
	if _, err := r.store.Unlock(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), run.OriginOfPullRequest(17), "ann", r.Author()); err != nil {
		t.Fatal(err)
	}
	expect("after an unlock", "plan_pending", "plan_pending", "plan_pending")
	for target, status := range map[string]int{
		base + "/repos/7/prs/18/stacks": 404, base + "/repos/8/prs/17/stacks": 404, base + "/repos/x/prs/17/stacks": 400, base + "/repos/7/prs/0/stacks": 400,
		base + "/repos/7/prs/x/stacks": 400, "/api/v1/github/installations/43/repos/7/prs/17/stacks": 403,
	} {
		if got := r.Do(t, "GET", target, ""); got.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", target, got.StatusCode, got.Body, status)
		}
	}
}

func TestStacksOfAHugeRepositoryFitIntoAResponse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var list []changeset.Member
	for n := range changeset.MaxMembers {
		list = append(list, changeset.Member{Dirspace: run.Dirspace{Dir: fmt.Sprintf("%05d/%s", n, strings.Repeat("d", 400)), Workspace: "default"}})
	}
	list[len(list)-1].Layer = 1
	r.changed(t, changeset.Stack{Name: "default", Paths: [][]string{{"default"}}, Members: list})
	got := r.Do(t, "GET", stacksOf17, "")
	var response stacks
	got.Read(t, &response)
	inner := response.Stacks[0].Stacks[0]
	if got.StatusCode != 200 || len(got.Body) > 5<<20 || inner.Omitted == 0 || len(inner.Dirspaces)+inner.Omitted != len(list) || inner.State != "plan_pending" {
		t.Errorf("status %d, %d bytes, %d dirspaces and %d omitted", got.StatusCode, len(got.Body), len(inner.Dirspaces), inner.Omitted)
	}
	if last := inner.Dirspaces[len(inner.Dirspaces)-1]; last.Layer != 1 {
		t.Error("the dirspace that the pull request changes was left out")
	}
}
