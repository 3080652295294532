package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

// dispatched returns a run whose CI run 900 the host has started. job is the id with
// which its runner has asked for its work; it is empty if no runner has.
func (r *rig) dispatched(t *testing.T, on vcs.Repository, job string) run.ID {
	t.Helper()
	s, ctx := r.facts.runs, t.Context()
	spec := run.Spec{
		ID: run.NewID(), Repository: on, Owner: "acme", Name: "infra", Type: run.Apply, Kind: run.Kind{Name: run.Branch}, Principal: "ann",
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "main", Commit: "aa"},
		Dirspaces: []run.Dirspace{{Dir: "a", Workspace: "default"}},
	}
	if _, err := s.Create(ctx, runstore.Creation{
		Spec: spec, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, r.changer()); err != nil {
		t.Fatal(err)
	}
	claim, ok, err := s.Claim(ctx, on, time.Minute, r.changer())
	if err != nil || !ok {
		t.Fatal(err)
	}
	id := "900"
	if on.Installation.VCS == vcs.GitLab {
		id = run.PipelineID(id)
	}
	if _, err := s.Dispatched(ctx, claim, runstore.HostRun{ID: id}, r.changer()); err != nil {
		t.Fatal(err)
	}
	if job != "" {
		if _, err := s.Initiate(ctx, spec.ID, runstore.CIJob{Run: job, Commit: "aa"}, r.changer()); err != nil {
			t.Fatal(err)
		}
	}
	return spec.ID
}

func (r *rig) changer() change.Author {
	return change.Author{Principal: "ann", Request: uuid.NewString(), At: r.Clock.Now()}
}

func (r *rig) run(t *testing.T, id run.ID) run.Run {
	t.Helper()
	got, err := r.facts.runs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

var (
	ofGitHub = vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7")
	ofGitLab = vcs.Installation{VCS: vcs.GitLab, ID: "77"}.Repository("501")
)

// workflow returns the body of an event of GitHub about run 900, or about a job of it.
func workflow(event string, run int, conclusion string) string {
	object := fmt.Sprintf(`"workflow_run":{"id":%d,"conclusion":%q,"html_url":"https://github.com/acme/infra/actions/runs/%[1]d"}`, run, conclusion)
	if event == "workflow_job" {
		object = fmt.Sprintf(`"workflow_job":{"id":5,"run_id":%d,"conclusion":%q,"html_url":"https://github.com/acme/infra/actions/runs/%[1]d/job/5"}`, run, conclusion)
	}
	return `{"action":"completed",` + object + `,"installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main"}}`
}

const ofProject = `"project":{"id":501,"path_with_namespace":"acme/infra","web_url":"https://gitlab.com/acme/infra"}`

func build(job, pipeline int, status string) string {
	return fmt.Sprintf(`{"object_kind":"build","build_id":%d,"build_status":%q,"pipeline_id":%d,"project_id":501,%s}`, job, status, pipeline, ofProject)
}

func pipeline(id int, status string) string {
	return fmt.Sprintf(`{"object_kind":"pipeline","object_attributes":{"id":%d,"status":%q,"url":"https://gitlab.com/acme/infra/-/pipelines/%[1]d"},%[3]s}`, id, status, ofProject)
}

func TestRunEndsWithItsCIJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := 0
	for _, c := range []struct {
		name  string
		on    vcs.Repository
		job   string // with which the runner asked for its work
		event string
		body  string
		want  run.ReasonCode // empty: the run goes on
	}{
		{"a job fails", ofGitHub, "900", "workflow_job", workflow("workflow_job", 900, "failure"), run.JobFailed},
		{"a job fails before its runner asks", ofGitHub, "", "workflow_job", workflow("workflow_job", 900, "failure"), run.JobFailed},
		{"a job is cancelled", ofGitHub, "900", "workflow_job", workflow("workflow_job", 900, "cancelled"), run.JobCancelled},
		{"a job is out of time", ofGitHub, "900", "workflow_job", workflow("workflow_job", 900, "timed_out"), run.JobTimedOut},
		{"a workflow cannot start", ofGitHub, "", "workflow_run", workflow("workflow_run", 900, "startup_failure"), run.JobNotStarted},
		{"a workflow is cancelled while it waits", ofGitHub, "", "workflow_run", workflow("workflow_run", 900, "cancelled"), run.JobCancelled},
		{"a job succeeds", ofGitHub, "900", "workflow_job", workflow("workflow_job", 900, "success"), ""},
		{"another workflow fails", ofGitHub, "900", "workflow_job", workflow("workflow_job", 901, "failure"), ""},
		{"the dispatched workflow fails, but another one works", ofGitHub, "902", "workflow_job", workflow("workflow_job", 900, "failure"), ""},
		{"a job of GitLab fails", ofGitLab, "44", "Job Hook", build(44, 900, "failed"), run.JobFailed},
		{"a job of GitLab is cancelled", ofGitLab, "44", "Job Hook", build(44, 900, "canceled"), run.JobCancelled},
		{"another job of the pipeline fails", ofGitLab, "44", "Job Hook", build(45, 900, "failed"), ""},
		{"a job fails before its runner asks, and may be tried again", ofGitLab, "", "Job Hook", build(44, 900, "failed"), ""},
		{"a pipeline fails", ofGitLab, "", "Pipeline Hook", pipeline(900, "failed"), run.JobFailed},
		{"a pipeline fails while the run has its work", ofGitLab, "44", "Pipeline Hook", pipeline(900, "failed"), run.JobFailed},
		{"a pipeline is skipped", ofGitLab, "", "Pipeline Hook", pipeline(900, "skipped"), run.JobNotStarted},
		{"another pipeline fails", ofGitLab, "", "Pipeline Hook", pipeline(901, "failed"), ""},
		{"a job has the number of the pipeline", ofGitLab, "", "Job Hook", build(900, 1, "failed"), ""},
	} {
		id := r.dispatched(t, c.on, c.job)
		r.Clock.Add(time.Minute)
		for range 2 { // the host repeats itself
			n++
			d := github(fmt.Sprintf("2d3162e0-cc78-11e3-81ab-%012d", n), c.event, time.Duration(n)*time.Second)
			if c.on == ofGitLab {
				d = gitlab(d.ID, c.event, time.Duration(n)*time.Second)
			}
			if invoke(t, r.worker, r.arrive(t, d, c.body)) != 1 || r.state(t, d).State != delivery.Done && !strings.Contains(c.name, "succeeds") {
				t.Errorf("%s: the delivery is %+v", c.name, r.state(t, d))
			}
		}
		got := r.run(t, id)
		if got.Reason.Code != c.want || (c.want == "") != got.State.Active() {
			t.Errorf("%s: the run is %s because of %q, want %q", c.name, got.State, got.Reason.Code, c.want)
		}
		if c.want != "" && (!strings.Contains(got.Reason.Text, "https://") || !got.EndedAt.Equal(r.Clock.Now())) {
			t.Errorf("%s: ended at %s: %s", c.name, got.EndedAt, got.Reason.Text)
		}
		if got.State.Active() {
			if _, _, err := r.facts.runs.Abort(t.Context(), id, runstore.Abortion{Reason: run.ReasonByPerson("ann")}, r.changer()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEndOfACIJobThatIsOfNoConcernChangesNothing delivers the end of a job for a run
// that has its result, for one of another installation, and before the dispatch is
// recorded.
func TestEndOfACIJobThatIsOfNoConcernChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	failed := workflow("workflow_job", 900, "failure")
	deliver := func(n int, d delivery.Delivery) {
		t.Helper()
		d.ID = fmt.Sprintf("2d3162e1-cc78-11e3-81ab-%012d", n)
		if invoke(t, r.worker, r.arrive(t, d, failed)) != 1 {
			t.Errorf("delivery %d was given back", n)
		}
	}
	deliver(1, github("", "workflow_job", time.Second)) // no run is known by it yet
	id := r.dispatched(t, ofGitHub, "")
	if got := r.run(t, id); got.State != run.Queued {
		t.Errorf("the run is %s", got.State)
	}
	if _, err := r.facts.runs.Initiate(t.Context(), id, runstore.CIJob{Run: "900", Commit: "aa"}, r.changer()); err != nil {
		t.Fatal(err)
	}
	other := github("", "workflow_job", 2*time.Second)
	other.Installation.ID = "43"
	failed = strings.Replace(failed, `"id":42`, `"id":43`, 1)
	deliver(2, other)
	if got := r.run(t, id); got.State != run.Running {
		t.Errorf("another installation has ended the run: %+v", got.Reason)
	}
	failed = workflow("workflow_job", 900, "failure")
	if _, err := r.facts.runs.Complete(t.Context(), id, run.Result{Outcomes: make([]run.Outcome, 1), Success: true}, r.changer()); err != nil {
		t.Fatal(err)
	}
	deliver(3, github("", "workflow_job", 3*time.Second))
	if got := r.run(t, id); got.State != run.Completed {
		t.Errorf("the run is %s", got.State)
	}
}

// TestResultThatMeetsTheEndOfItsJobCounts completes a run before each request of the
// worker.
func TestResultThatMeetsTheEndOfItsJobCounts(t *testing.T) {
	t.Parallel()
	for nth, there := 1, true; there; nth++ {
		r := newRig(t)
		id := r.dispatched(t, ofGitHub, "900")
		faults := &storagetest.Faults{}
		var completed bool
		faults.Add(storagetest.Fault{Nth: nth, Before: func() {
			if _, err := r.facts.runs.Complete(t.Context(), id, run.Result{Outcomes: make([]run.Outcome, 1), Success: true}, r.changer()); err == nil {
				completed = true
			}
		}})
		d := github("2d3162e2-cc78-11e3-81ab-000000000001", "workflow_job", time.Second)
		invoke(t, r.over(r.Role.WithFaults(faults)), r.arrive(t, d, workflow("workflow_job", 900, "failure")))
		there = faults.Calls("") >= nth
		if got := r.run(t, id); completed != (got.State == run.Completed) || got.State.Active() {
			t.Errorf("a result before request %d: taken %t, the run is %s", nth, completed, got.State)
		}
	}
}
