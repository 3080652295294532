package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestStartedRunIsReadyForItsRunner starts runs at both hosts, and asks for their work as a
// runner does.
func TestStartedRunIsReadyForItsRunner(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, base := range []string{github, gitlab} {
		for where, want := range map[string]run.Spec{
			onMain: {Kind: run.Kind{Name: run.Branch}, Base: run.Ref{Branch: "main", Commit: r.head}, Source: run.Ref{Branch: "main", Commit: r.head}},
			onPull: {
				Kind: run.Kind{Name: run.PullRequest, Number: 17, Title: "Add bucket"},
				Base: run.Ref{Branch: "main", Commit: r.base}, Source: run.Ref{Branch: "feature", Commit: r.head},
			},
		} {
			got := r.made(t, base+"/repos/7/work-manifests", `{"run_type":"plan","dirspaces":[{"dir":"./net//a","workspace":"eu"},{"dir":""},{"dir":"net/a","workspace":"eu"}],`+
				`"environment":"prod","runs_on":["large","arm"],`+where+`}`)
			if got.State != run.Queued || got.Type != run.Plan || got.Kind != want.Kind || got.Base != want.Base || got.Source != want.Source || got.Owner != "acme" ||
				got.Name != "infra" || got.User != "ann" || got.Principal != r.people[ann] || got.Environment != "prod" || got.RunsOn != `["large","arm"]` ||
				!slices.Equal(got.Dirspaces, []run.Dirspace{{Dir: ".", Workspace: "default"}, {Dir: "net/a", Workspace: "eu"}}) {
				t.Errorf("%s %s: %+v", base, where, got)
			}
			r.work(t, got)
		}
	}
}

// work claims a run and asks for its work, and checks what its runner gets.
func (r *rig) work(t *testing.T, of run.Run) {
	t.Helper()
	claimed, ok, err := r.history.Runs.Claim(t.Context(), of.Repository, 1e9, r.Author())
	if err != nil || !ok || claimed.ID != of.ID {
		t.Fatalf("claimed %s, %t, %v; want %s", claimed.ID, ok, err, of.ID)
	}
	found, err := r.history.Runs.Initiate(t.Context(), of.ID, runstore.CIJob{Run: string(of.ID), Commit: of.Source.Commit}, r.Author())
	if err != nil || !found.Work {
		t.Fatalf("initiate: %+v, %v", found, err)
	}
	token, err := r.box.Open(t.Context(), runtoken.Place(of.ID), found.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := runtoken.RunOf(string(token)); !ok || id != of.ID {
		t.Errorf("the token %q is not that of the run", token)
	}
	var document struct {
		Type, Base_Ref, Api_Base_Url string
		Changed                      []any `json:"changed_dirspaces"`
	}
	text := found.Manifest.Body
	if found.Manifest.Object != "" {
		out, err := r.Env.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(r.Env.Bucket("RunsBucket")), Key: &found.Manifest.Object})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewDecoder(out.Body).Decode(&document); err != nil {
			t.Fatal(err)
		}
	} else if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	want := "https://ops.example.com/api/" + string(of.Repository.Installation.VCS)
	if document.Type != string(of.Type) || document.Base_Ref != of.Base.Branch || document.Api_Base_Url != want || len(document.Changed) != of.DirspaceCount {
		t.Errorf("the runner gets %+v, want %s at %s with %d dirspaces", document, of.Type, want, of.DirspaceCount)
	}
}

func TestRunOfManyDirspacesHasItsManifestInTheBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var list, paths []string
	for n := range 5000 {
		dir := fmt.Sprintf("team-%d/service-%d", n%10, n)
		list, paths = append(list, fmt.Sprintf(`{"dir":%q}`, dir)), append(paths, dir+"/main.tf")
	}
	r.git.Commit("large", files("", paths...))
	all := `{"run_type":"plan","branch":"large","dirspaces":[` + strings.Join(list, ",")
	made := r.made(t, infra, all+"]}")
	if made.DirspaceCount != 5000 {
		t.Errorf("the run has %d dirspaces, want 5000", made.DirspaceCount)
	}
	r.work(t, made)
	r.post(t, infra, "", all+`,{"dir":"one-more"}]}`).Want(t, 400, "TOO_MANY_DIRSPACES")
}

func TestApplyUsesThePlansThatDecide(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, where := range []string{onMain, onPull} {
		r.post(t, infra, "", body(run.Apply, where)).Want(t, 400, "PLAN_NEEDED")
		plan := r.made(t, infra, body(run.Plan, where))
		// It is not complete.
		r.post(t, infra, "", body(run.Apply, where)).Want(t, 400, map[string]string{onMain: "PLAN_NEEDED", onPull: "RUNS_IN_THE_WAY"}[where])
		r.report(t, plan.ID, false)
		r.post(t, infra, "", body(run.Apply, where)).Want(t, 400, "PLAN_FAILED")
		plan = r.made(t, infra, body(run.Plan, where))
		r.report(t, plan.ID, true)
		r.at(r.moved)
		r.post(t, infra, "", body(run.Apply, where)).Want(t, 400, "PLAN_NEEDED")
		r.at(r.head)
		apply := r.made(t, infra, body(run.Apply, where))
		uses, err := r.history.PlanStore.Uses(t.Context(), apply.ID)
		if err != nil || len(uses) != 1 || uses[0].Plan != plan.ID || uses[0].Dirspace != plan.Dirspaces[0] || uses[0].Digest == "" {
			t.Errorf("%s: the apply uses %+v, %v; want the plan of %s", where, uses, err, plan.ID)
		}
		r.post(t, infra, "", body(run.Apply, where)).Want(t, 400, "APPLY_UNDER_WAY")
		if _, _, err := r.history.Runs.Abort(t.Context(), apply.ID, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.Author()); err != nil {
			t.Fatal(err)
		}
		if err := r.history.PlanStore.RemoveUsed(t.Context(), apply.ID); err != nil {
			t.Fatal(err)
		}
		r.post(t, infra, "", body(run.Apply, where)).Want(t, 400, "PLAN_GONE")
	}
	r.post(t, infra, "", body(run.Apply, `"pull_number":20`)).Want(t, 400, "PLAN_NEEDED") // of another pull request
}

func TestRepeatedRequestStartsNothingAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.post(t, infra, "k-1", body(run.Plan, onMain))
	id := idOf(t, first)
	r.at(r.moved)
	if again := r.post(t, infra, "k-1", body(run.Plan, onMain)); again.StatusCode != http.StatusCreated || again.Body != first.Body {
		t.Errorf("again: %d %s, want %s", again.StatusCode, again.Body, first.Body)
	}
	r.post(t, infra, "k-1", body(run.Plan, onPull)).Want(t, 422, "IDEMPOTENCY_KEY_REUSED")
	rerun := github + "/work-manifests/" + string(id) + "/rerun"
	r.post(t, rerun, "k-1", "").Want(t, 422, "IDEMPOTENCY_KEY_REUSED")
	second := idOf(t, r.post(t, rerun, "k-2", ""))
	if other := idOf(t, r.post(t, rerun, "k-2", "")); other != second || second == id {
		t.Errorf("run again as %s and %s", second, other)
	}
	if got := idOf(t, r.post(t, infra, "", body(run.Plan, onMain))); got == id || got == second {
		t.Error("a request without a key got an earlier run")
	}
	r.Caller = r.token(r.machine, access.RunPlan)
	if got := idOf(t, r.post(t, infra, "k-1", body(run.Plan, onMain))); got == id {
		t.Error("the key of another principal led to its run")
	}
	for _, key := range []string{" ", "two words", "ü", strings.Repeat("x", 256)} {
		r.post(t, infra, key, body(run.Plan, onMain)).Want(t, 400, "INVALID_IDEMPOTENCY_KEY")
	}
}

func TestStartIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct{ target, body, id string }{
		"no type":                    {infra, `{"dirspaces":[{"dir":"net"}],"branch":"main"}`, "INVALID_BODY"},
		"other type":                 {infra, body("index", onMain), "INVALID_RUN_TYPE"},
		"no place":                   {infra, `{"run_type":"plan","dirspaces":[{"dir":"net"}]}`, "INVALID_BODY"},
		"two places":                 {infra, body(run.Plan, onMain+","+onPull), "INVALID_BODY"},
		"no directories":             {infra, `{"run_type":"plan","dirspaces":[],"branch":"main"}`, "NO_DIRSPACES"},
		"directory above":            {infra, `{"run_type":"plan","dirspaces":[{"dir":"net/../.."}],"branch":"main"}`, "INVALID_DIRSPACE"},
		"absolute directory":         {infra, `{"run_type":"plan","dirspaces":[{"dir":"/etc"}],"branch":"main"}`, "INVALID_DIRSPACE"},
		"directory with NUL":         {infra, `{"run_type":"plan","dirspaces":[{"dir":"a\u0000b"}],"branch":"main"}`, "INVALID_DIRSPACE"},
		"long directory":             {infra, `{"run_type":"plan","dirspaces":[{"dir":"` + strings.Repeat("d", 513) + `"}],"branch":"main"}`, "INVALID_DIRSPACE"},
		"empty workspace":            {infra, `{"run_type":"plan","dirspaces":[{"dir":"net","workspace":""}],"branch":"main"}`, "INVALID_DIRSPACE"},
		"branch that cannot be one":  {infra, body(run.Plan, `"branch":"a..b"`), "INVALID_BRANCH"},
		"branch that is not there":   {infra, body(run.Plan, `"branch":"gone"`), "BRANCH_NOT_FOUND"},
		"the same at GitLab":         {gitlab + "/repos/7/work-manifests", body(run.Plan, `"branch":"gone"`), "BRANCH_NOT_FOUND"},
		"pull request zero":          {infra, body(run.Plan, `"pull_number":0`), "INVALID_BODY"},
		"pull request not there":     {infra, body(run.Plan, `"pull_number":99`), "PULL_REQUEST_NOT_FOUND"},
		"closed pull request":        {infra, body(run.Plan, `"pull_number":18`), "PULL_REQUEST_CLOSED"},
		"pull request of a fork":     {infra, body(run.Plan, `"pull_number":19`), "PULL_REQUEST_OF_FORK"},
		"the same at a GitLab group": {gitlab + "/repos/7/work-manifests", body(run.Plan, `"pull_number":19`), "PULL_REQUEST_OF_FORK"},
		"long environment":           {infra, body(run.Plan, onMain+`,"environment":"`+strings.Repeat("e", 256)+`"`), "INVALID_ENVIRONMENT"},
		"label that is empty":        {infra, body(run.Plan, onMain+`,"runs_on":[""]`), "INVALID_RUNS_ON"},
		"many labels":                {infra, body(run.Plan, onMain+`,"runs_on":["a"`+strings.Repeat(`,"a"`, 20)+`]`), "INVALID_RUNS_ON"},
		"unknown repository":         {github + "/repos/9/work-manifests", body(run.Plan, onMain), "REPO_NOT_FOUND"},
		"id that is no number":       {github + "/repos/infra/work-manifests", body(run.Plan, onMain), "INVALID_REPO_ID"},
		"archived repository":        {github + "/repos/8/work-manifests", body(run.Plan, onMain), "REPO_ARCHIVED"},
	} {
		got := r.post(t, c.target, "", c.body)
		if got.Want(t, 400, c.id); t.Failed() {
			t.Fatal(name)
		}
	}
	r.starter.PublicBaseURL = ""
	r.post(t, infra, "", body(run.Plan, onMain)).Want(t, 400, "RUNS_NOT_CONFIGURED")
	if dump := r.Env.Dump("RunsTable"); dump != "" {
		t.Errorf("a refusal has stored %s", dump)
	}
}

// TestHostAndCapabilitiesDecideWhoMayStart sends plans and applies of callers of all kinds.
func TestHostAndCapabilitiesDecideWhoMayStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plan := r.made(t, infra, body(run.Plan, onMain))
	r.report(t, plan.ID, true)
	person, other := r.people[ann], r.people[bob]
	stranger := r.session(ann)
	stranger.Memberships = []vcs.Installation{{VCS: "github", ID: "43"}}
	for name, c := range map[string]struct {
		caller      *access.Caller
		plan, apply int
	}{
		"person who may write":             {r.session(ann), 201, 400},
		"person who may read":              {r.session(bob), 403, 403},
		"person of another installation":   {stranger, 403, 403},
		"person's key for plans":           {r.token(person, access.RunPlan, access.RunRead), 201, 403},
		"person's key for applies":         {r.token(person, access.RunApply), 403, 400},
		"key of a person who may read":     {r.token(other, access.RunPlan, access.RunApply, access.RunAdmin), 403, 403},
		"machine's key for plans":          {r.token(r.machine, access.RunPlan), 201, 403},
		"machine's key for reports":        {r.token(r.machine, access.RunRead, access.RunAdmin), 403, 403},
		"machine's key for both":           {r.token(r.machine, access.RunPlan, access.RunApply), 201, 400},
		"user who is gone":                 {r.token("5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", access.RunPlan, access.RunApply), 403, 403},
		"session of a user who has no VCS": {&access.Caller{Kind: access.KindSession, User: r.machine, Key: "k", Memberships: installations}, 403, 403},
		"token of a run":                   {&access.Caller{Kind: access.KindRun, User: "run:x", Key: "x", Active: true, Memberships: installations}, 403, 403},
	} {
		for of, want := range map[run.Type]int{run.Plan: c.plan, run.Apply: c.apply} {
			r.Caller = c.caller
			text := body(of, onMain)
			if of == run.Apply {
				text = strings.Replace(text, `"net"`, `"other"`, 1) // for which there is no plan: 400 says that the caller may
			}
			if got := r.post(t, infra, "", text); got.StatusCode != want || want == 403 && got.Body != "" {
				t.Errorf("%s, %s: got %d %s, want %d", name, of, got.StatusCode, got.Body, want)
			}
		}
	}
}

func TestHostThatIsAwayIsNeverAYes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, part := range []string{"/permission", "/branches/"} {
		r.github.Fail(vcstest.Failure{Match: part, Status: http.StatusBadGateway})
		r.post(t, infra, "", body(run.Plan, onMain)).Want(t, 503, "HOST_UNAVAILABLE")
		r.github.Heal()
	}
	r.gitlab.Fail(vcstest.Failure{Match: "/members/all/", Status: http.StatusBadGateway})
	r.post(t, gitlab+"/repos/7/work-manifests", "", body(run.Plan, onMain)).Want(t, 503, "HOST_UNAVAILABLE")
	if dump := r.Env.Dump("RunsTable"); dump != "" {
		t.Errorf("a run was stored: %s", dump)
	}
	r.made(t, infra, body(run.Plan, onMain))
}
