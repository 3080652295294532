package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// configure commits a configuration to all branches.
func (r *rig) configure(text string) {
	r.at(r.git.Commit("main", map[string][]byte{".terrateam/config.yml": []byte(text)}))
}

// manifest returns what the runner of the only run that waits gets.
func (r *rig) manifest(t *testing.T, of run.Run) string {
	t.Helper()
	if claimed, ok, err := r.history.Runs.Claim(t.Context(), of.Repository, 1e9, r.Author()); err != nil || !ok || claimed.ID != of.ID {
		t.Fatalf("claimed %s, %t, %v; want %s", claimed.ID, ok, err, of.ID)
	}
	found, err := r.history.Runs.Initiate(t.Context(), of.ID, runstore.CIJob{Run: string(of.ID), Commit: of.Source.Commit}, r.Author())
	if err != nil || !found.Work {
		t.Fatalf("initiate: %+v, %v", found, err)
	}
	return string(found.Manifest.Body)
}

// TestRunCarriesTheConfigurationOfItsCommit starts runs with a workflow, at both hosts.
func TestRunCarriesTheConfigurationOfItsCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("workflows: [{ tag_query: 'dir:net', environment: prod, runs_on: [large], plan: [{ type: init }, { type: plan }] }]\nstacks: { names: { base: { tag_query: 'dir:net', variables: { REGION: eu } } } }\n")
	for _, base := range []string{github, gitlab} {
		for _, where := range []string{onMain, onPull} {
			target := base + "/repos/7/work-manifests"
			got := r.made(t, target, body(run.Plan, where))
			if got.Environment != "prod" || got.RunsOn != `["large"]` {
				t.Errorf("%s: the run has the environment %q and runs on %q", where, got.Environment, got.RunsOn)
			}
			text := r.manifest(t, got)
			for _, part := range []string{`"stack_name":"base","workflow":0,"variables":{"REGION":"eu"}`, `"workflows":[{`, `"environment":"prod"`} {
				if !strings.Contains(text, part) {
					t.Errorf("%s: the runner does not get %s, but %s", where, part, text)
				}
			}
			r.report(t, got.ID, true)
			got = r.made(t, target, `{"run_type":"plan","dirspaces":[{"dir":"net"}],"environment":"test","runs_on":["small"],`+where+`}`)
			if got.Environment != "test" || got.RunsOn != `["small"]` {
				t.Errorf("%s: the run has the environment %q and runs on %q, against the request", where, got.Environment, got.RunsOn)
			}
			r.report(t, got.ID, true)
			r.post(t, target, "", `{"run_type":"plan","dirspaces":[{"dir":"net"},{"dir":"other"}],`+where+`}`).Want(t, 400, "WORKFLOWS_DIFFER")
			r.made(t, target, `{"run_type":"plan","dirspaces":[{"dir":"net"},{"dir":"other"}],"environment":"x","runs_on":["y"],`+where+`}`)
			r.post(t, base+"/repos/7/prs/17/unlock", "", "").Want(t, 200, "")
			r.abortAll(t, got.Repository)
		}
	}
}

// abortAll ends what waits in a repository.
func (r *rig) abortAll(t *testing.T, of vcs.Repository) {
	t.Helper()
	active, err := r.history.Runs.Active(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range active {
		if a.State.Active() {
			r.post(t, "/api/v1/"+string(of.Installation.VCS)+"/installations/"+string(of.Installation.ID)+"/work-manifests/"+string(a.ID)+"/abort", "", "").Want(t, 200, "")
		}
	}
}

// TestRulesOfTheConfigurationRefuseRuns has a configuration for each rule.
func TestRulesOfTheConfigurationRefuseRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const branches = "destination_branches: [main]\n"
	on := func(dir, where string) string {
		return strings.Replace(body(run.Plan, where), `"net"`, `"`+dir+`"`, 1)
	}
	for name, c := range map[string]struct{ config, body, id, says string }{
		"mistakes, on a branch":             {"workflow: []\nenabled: 1\n", on("net", onMain), "CONFIG_INVALID", "config.yml:2"},
		"mistakes, on a pull request":       {"workflow: []\nenabled: 1\n", on("net", onPull), "CONFIG_INVALID", "workflows"},
		"disabled, on a branch":             {"enabled: false\n", on("net", onMain), "DISABLED", "enabled"},
		"disabled, on a pull request":       {"enabled: false\n", on("net", onPull), "DISABLED", "enabled"},
		"another destination":               {"destination_branches: [release]\n", on("net", onPull), "DESTINATION_BRANCH", "destination_branches"},
		"unknown directory, on a branch":    {branches, on("none", onMain), "UNKNOWN_DIRSPACE", "none"},
		"unknown directory":                 {branches, on("none", onPull), "UNKNOWN_DIRSPACE", "none"},
		"unknown workspace":                 {branches, on(`net","workspace":"eu`, onPull), "UNKNOWN_DIRSPACE", "eu"},
		"not changed":                       {branches, on("still", onPull), "NOTHING_TO_DO", "pull request 17 does not change it"},
		"access, on a branch":               {"access_control: { policies: [{ tag_query: '', plan: ['user:bob'] }] }\n", on("net", onMain), "ACCESS_DENIED", "user:bob"},
		"access, on a pull request":         {"access_control: { policies: [{ tag_query: '', plan: ['user:bob'] }] }\n", on("net", onPull), "ACCESS_DENIED", "user:bob"},
		"access without a policy":           {"access_control: { policies: [{ tag_query: 'dir:a' }] }\n", on("net", onPull), "ACCESS_DENIED", "no policy"},
		"file that ann may not change":      {"access_control: { policies: [{ tag_query: '' }], files: { net/main.tf: ['user:bob'] } }\n", on("net", onPull), "ACCESS_DENIED", "net/main.tf"},
		"one of two directories is refused": {"access_control: { policies: [{ tag_query: 'dir:net' }] }\n", `{"run_type":"plan","dirspaces":[{"dir":"a"},{"dir":"net"}],` + onPull + `}`, "ACCESS_DENIED", "a (default)"},
	} {
		r.configure(c.config)
		got := r.post(t, infra, "", c.body)
		var refused struct{ ID, Data string }
		if err := json.Unmarshal([]byte(got.Body), &refused); err != nil || got.StatusCode != 400 || refused.ID != c.id || !strings.Contains(refused.Data, c.says) {
			t.Errorf("%s: got %d %s, want %s with %q", name, got.StatusCode, got.Body, c.id, c.says)
		}
	}
	r.configure("access_control: { policies: [{ tag_query: 'dir:net', plan: ['user:robot', 'role:read'] }, { tag_query: '', plan: ['*'] }] }\n")
	r.made(t, infra, on("net", onPull))
	r.Caller = r.token(r.machine, access.RunPlan)
	r.post(t, infra, "", on("net", onPull)).Want(t, 400, "ACCESS_DENIED") // a login could have the name of a machine account
	r.made(t, infra, on("a", onPull))
}

// TestPlanOfAPullRequestTakesThePlaceOfEarlierOnes starts plans with directories in common.
func TestPlanOfAPullRequestTakesThePlaceOfEarlierOnes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	branch, first := r.made(t, infra, body(run.Plan, onMain)), r.made(t, infra, body(run.Plan, onPull))
	other := r.made(t, infra, strings.Replace(body(run.Plan, onPull), "net", "a", 1))
	second := r.made(t, infra, body(run.Plan, onPull))
	if got := r.get(t, first.ID); got.State != run.Aborted || got.Reason.Code != run.Superseded || !strings.Contains(got.Reason.Text, string(second.ID)) {
		t.Errorf("the first plan is %s, %+v", got.State, got.Reason)
	}
	for _, id := range []run.ID{branch.ID, other.ID, second.ID} {
		if got := r.get(t, id); got.State != run.Queued {
			t.Errorf("%v is %s", got.Dirspaces, got.State)
		}
	}
}

// TestApplyOfAPullRequestIsAskedAbout waits for the runs of others, and asks for an
// evaluation, which stores what the pull request may lock.
func TestApplyOfAPullRequestIsAskedAbout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("apply_requirements: { checks: [{ tag_query: 'dir:a', approved: { enabled: true, any_of: ['user:bob'], any_of_count: 1 } }, { tag_query: '' }] }\n")
	plan := r.made(t, infra, `{"run_type":"plan","dirspaces":[{"dir":"a"},{"dir":"net"}],`+onPull+`}`)
	r.report(t, plan.ID, true)
	branch := r.made(t, infra, body(run.Plan, onMain))
	r.post(t, infra, "", body(run.Apply, onPull)).Want(t, 400, "RUNS_IN_THE_WAY")
	r.report(t, branch.ID, true)
	r.post(t, infra, "", strings.Replace(body(run.Apply, onPull), "net", "a", 1)).Want(t, 400, "REQUIREMENTS_NOT_MET")
	if got := r.asked(t, plan.Repository); len(got) > 0 {
		t.Errorf("plans and refusals ask for the evaluations %q", got)
	}
	r.made(t, infra, body(run.Apply, onPull))
	if got := r.asked(t, plan.Repository); !slices.Equal(got, []string{"pull#17 by ann"}) {
		t.Errorf("the apply asks for the evaluations %q", got)
	}
}
