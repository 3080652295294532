package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/fold"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/vcs"
)

// stand completes a run of one type with the payload of the last step of each
// directory, and folds it in.
func (r *rig) stand(t *testing.T, of run.Type, in vcs.ID, payload string, dirs ...string) run.ID {
	t.Helper()
	r.runType = of
	id := r.create(t, in, dirs...)
	r.runType = run.Plan
	var list []string
	for _, dir := range dirs {
		list = append(list, fmt.Sprintf(`{"scope":{"type":"dirspace","dir":%q,"workspace":"default"},"step":"tf/%s","success":true,"payload":%s}`, dir, of, payload))
	}
	r.send(t, id, list)
	ended, err := r.store.Get(t.Context(), id)
	if err == nil {
		err = fold.Folder{Runs: r.store, Standing: r.stands.Store, Results: r.outputs}.Run(t.Context(), ended)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const (
	changes = `{"text":"Plan: 1 to add, 0 to change, 1 to destroy.","has_changes":true}`
	outputs = `{"text":"done","outputs":{"url":{"sensitive":false,"type":"string","value":"https://a"},"key":{"sensitive":true,"type":"string","value":"planted"}}}`
)

func TestWorkspaceIsShownAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	apply := r.stand(t, run.Apply, "42", outputs, "net")
	plan := r.stand(t, run.Plan, "42", changes, "net")
	r.stand(t, run.Plan, "43", changes, "foreign")
	const (
		of      = `"base_branch":"main","base_ref":"9f2c","branch":"feature/x","branch_ref":"77ab","completed_at":"2096-10-02T07:06:4`
		planned = `{"work_manifest_id":"PLAN",` + of + `2Z","kind":"pr","pull_number":17,"success":true,"has_changes":true,"destroys":true}`
		want    = `{"workspaces":[{"owner":"acme","repo":"infra","repo_id":"7","dir":"net","workspace":"default","states":["waiting"],"plan":` + planned +
			`,"waiting_plan":` + planned + `,"apply":{"work_manifest_id":"APPLY",` + of + `1Z","kind":"pr","pull_number":17,"success":true},` +
			`"outputs":{"work_manifest_id":"APPLY","values":[{"name":"key","type":"string","sensitive":true},{"name":"url","type":"string","value":"https://a"}]}}]}`
	)
	names := strings.NewReplacer("PLAN", string(plan), "APPLY", string(apply))
	if got := r.Do(t, "GET", base+"/workspaces", ""); got.StatusCode != 200 || got.Body != names.Replace(want) {
		t.Errorf("got %d %s\nwant %s", got.StatusCode, got.Body, names.Replace(want))
	}
	// An apply waits for a runner: it holds the directory.
	r.runType = run.Apply
	next := r.create(t, "42", "net")
	if _, ok, err := r.store.Claim(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), 60e9, r.Author()); err != nil || !ok {
		t.Fatal(ok, err)
	}
	held := `"locked_by":{"work_manifest_id":"` + string(next) + `","state":"queued"}`
	if got := r.Do(t, "GET", base+"/workspaces", ""); !strings.Contains(got.Body, held) {
		t.Errorf("got %s, want %s", got.Body, held)
	}
	if _, err := r.store.Unlock(t.Context(), vcs.Installation{VCS: "github", ID: "42"}.Repository("7"), run.OriginOfPullRequest(17), "ann", r.Author()); err != nil {
		t.Fatal(err)
	}
	if got := r.Do(t, "GET", base+"/workspaces", ""); !strings.Contains(got.Body, `"states":["clean"]`) || !strings.Contains(got.Body, `"unlocked":true`) || strings.Contains(got.Body, "waiting_plan") {
		t.Errorf("after an unlock: %s", got.Body)
	}
}

func TestWorkspacesAreFilteredAndPagedBothWays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var dirs []string
	for n := range 7 {
		dirs = append(dirs, fmt.Sprintf("prod/%d", n))
	}
	r.stand(t, run.Plan, "42", changes, append(dirs, "stage")...)
	r.stand(t, run.Apply, "42", `{}`, dirs[:3]...)
	for query, want := range map[string]int{
		"": 8, "&q=state:waiting": 5, "&q=state:waiting+and+dir:prod/*": 4, "&q=state:clean": 3, "&q=not+state:waiting": 3, "&q=repo:infra+dir:stage": 1,
		"&q=destroys": 5, "&q=pr:17": 8, "&q=sort:desc": 8, "&d=desc": 8, "&q=applied_at:2096..": 3, "&q=repo:other": 0, "&q=workspace:default": 8,
	} {
		var all, back []string
		last := ""
		for target := base + "/workspaces?limit=2" + query; target != ""; {
			got := r.Do(t, "GET", target, "")
			all, last = append(all, rows(t, got)...), target
			target = got.Links(t)["next"]
		}
		for target := last; target != ""; {
			got := r.Do(t, "GET", target, "")
			back = append(rows(t, got), back...)
			target = got.Links(t)["prev"]
		}
		if len(all) != want || !slices.Equal(all, back) {
			t.Errorf("%s: %d rows, want %d; backwards the same: %t", query, len(all), want, slices.Equal(all, back))
		}
	}
	for target, want := range map[string]string{
		"?q=state:odd": `{"id":"Invalid state: odd","data":"the states are waiting, drift, plan_failed, apply_failed, clean"}`, "?q=user:ann": `{"id":"UNKNOWN_TAG","data":"user"}`, "?q=(": `{"id":"PARSE_ERROR"`,
		"?page=n&page=Nw&page=YQ": `{"id":"INVALID_PARAMETER"`, "?page=n&page=Nw&page=Li4&page=ZA": `{"id":"INVALID_PARAMETER"`, "?d=up": `{"id":"INVALID_PARAMETER"`,
	} {
		if got := r.Do(t, "GET", base+"/workspaces"+target, ""); got.StatusCode != 400 || !strings.HasPrefix(got.Body, want) {
			t.Errorf("%s: %d %s, want %s", target, got.StatusCode, got.Body, want)
		}
	}
}

// send stores the steps of a run as its result, and completes the run.
func (r *rig) send(t testing.TB, id run.ID, steps []string) {
	t.Helper()
	found, err := result.Decode([]byte(`{"version":2,"steps":[` + strings.Join(steps, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	of, err := r.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.outputs.Put(t.Context(), id, found, r.Clock.Now().Add(r.store.Limits.Keep))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Complete(t.Context(), id, run.Result{
		Outcomes: found.Outcomes(of.Dirspaces), Success: found.Success, Steps: stored.Steps, Payload: stored.Payload,
	}, r.Author()); err != nil {
		t.Fatal(err)
	}
}
