package gitlabhost_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// withJobs returns a client and the commit of the branch "feature", with statuses and jobs.
func withJobs(t *testing.T, jobs ...vcstest.Job) (check func() ([]vcshost.Check, error), host *vcstest.GitLab) {
	t.Helper()
	client, host, content := withContent(t)
	commit := tip(content, "feature")
	host.Update(7, func(p *vcstest.Project) {
		p.Jobs = map[string][]vcstest.Job{commit: jobs}
		p.Pipelines = map[string][]int64{commit: {1, 2}}
	})
	return func() ([]vcshost.Check, error) { return client.Checks(t.Context(), infra, commit) }, host
}

func TestStateOfAStatusDecidesAboutItsCheck(t *testing.T) {
	t.Parallel()
	for state, want := range map[string][2]vcshost.CheckState{ // without and with leave to fail
		"success":            {vcshost.CheckSuccess, vcshost.CheckSuccess},
		"skipped":            {vcshost.CheckSuccess, vcshost.CheckSuccess},
		"failed":             {vcshost.CheckFailure, vcshost.CheckSuccess},
		"canceled":           {vcshost.CheckFailure, vcshost.CheckSuccess},
		"manual":             {vcshost.CheckPending, vcshost.CheckSuccess},
		"created":            {vcshost.CheckPending, vcshost.CheckPending},
		"pending":            {vcshost.CheckPending, vcshost.CheckPending},
		"running":            {vcshost.CheckPending, vcshost.CheckPending},
		"of a later version": {vcshost.CheckPending, vcshost.CheckPending},
	} {
		check, _ := withJobs(
			t,
			vcstest.Job{ID: 11, Pipeline: 1, Name: "a", State: state, URL: "https://ci.example.com/1", External: true},
			vcstest.Job{ID: 12, Pipeline: 1, Name: "b", State: state, AllowFailure: true},
		)
		wanted := []vcshost.Check{{Name: "a", State: want[0]}, {Name: "b", State: want[1], HostCI: true}}
		if got, err := check(); err != nil || !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: got %+v, %v, want %+v", state, got, err, wanted)
		}
	}
}

func TestJobsOfPipelinesAreToldFromExternalStatuses(t *testing.T) {
	t.Parallel()
	check, host := withJobs(
		t,
		vcstest.Job{ID: 11, Pipeline: 1, Name: "lint", State: "failed"},
		vcstest.Job{ID: 12, Pipeline: 2, Name: "lint", State: "success"},
		vcstest.Job{ID: 13, Pipeline: 2, Name: "child", State: "running", Bridge: true},
		vcstest.Job{ID: 14, Pipeline: 2, Name: "scan", State: "success", External: true, URL: "https://ci.example.com/1"},
		vcstest.Job{ID: 15, Pipeline: 1, Name: "scan", State: "failed", External: true, URL: "https://ci.example.com/-/jobs/15"},
		vcstest.Job{ID: 16, Pipeline: 1, Name: "plain", State: "pending", External: true},
		vcstest.Job{ID: 17, Pipeline: 1, Name: "lint", State: "failed", External: true, URL: "https://ci.example.com/2"},
		vcstest.Job{ID: 10, Pipeline: 1, Name: "lint", State: "failed", Retried: true},
	)
	want := []vcshost.Check{
		{Name: "child", State: vcshost.CheckPending, HostCI: true},
		{Name: "lint", State: vcshost.CheckFailure},
		{Name: "lint", State: vcshost.CheckSuccess, HostCI: true},
		{Name: "plain", State: vcshost.CheckPending},
		{Name: "scan", State: vcshost.CheckFailure},
	}
	if got, err := check(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if n := host.Asked("GET "); n != 5 { // statuses, and the jobs and bridges of two pipelines
		t.Errorf("asked %d times, want 5", n)
	}
}

func TestStatusOfAPipelineThatIsGoneIsExternal(t *testing.T) {
	t.Parallel()
	check, host := withJobs(t, vcstest.Job{ID: 11, Pipeline: 1, Name: "lint", State: "failed"})
	host.Fail(vcstest.Failure{Match: "/pipelines/", Status: 404, Body: `{}`})
	want := []vcshost.Check{{Name: "lint", State: vcshost.CheckFailure}}
	if got, err := check(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestChecksAreReadFromAllPagesOrNotAtAll(t *testing.T) {
	t.Parallel()
	var jobs []vcstest.Job
	for i := range 250 {
		jobs = append(jobs, vcstest.Job{ID: int64(i + 1), Pipeline: 1, Name: fmt.Sprintf("%03d", i), State: "success"})
	}
	check, host := withJobs(t, jobs...)
	got, err := check()
	if err != nil || len(got) != 250 {
		t.Fatalf("got %d, %v", len(got), err)
	}
	for i, c := range got {
		if c != (vcshost.Check{Name: fmt.Sprintf("%03d", i), State: vcshost.CheckSuccess, HostCI: true}) {
			t.Fatalf("place %d has %+v", i, c)
		}
	}
	if n := host.Asked("GET "); n != 6 {
		t.Errorf("asked %d times, want 6", n)
	}
	for match, bodies := range map[string][]string{
		"/statuses": {`{}`, `[{"id":1,"name":"a"}]`, `[{"id":1,"status":"success"}]`, `[{"name":"a","status":"success"}]`, `[null]`},
		"/jobs":     {`{}`, `[{}]`},
	} {
		for _, body := range bodies {
			check, host := withJobs(t, jobs[:1]...)
			host.Fail(vcstest.Failure{Match: match, Status: 200, Body: body})
			if got, err := check(); err == nil {
				t.Errorf("%s: %s: got %+v", match, body, got)
			}
		}
	}
}
