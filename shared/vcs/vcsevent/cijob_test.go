package vcsevent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// ciFacts returns the facts of an event that are about CI, in one line.
func ciFacts(e vcsevent.Event) string {
	var found []string
	for _, f := range e.Facts {
		if ended, ok := f.(*vcsevent.CIEnded); ok {
			found = append(found, text(ended))
		}
	}
	return strings.Join(found, "; ")
}

func TestEndOfGitHubsJobWithoutSuccessIsAFact(t *testing.T) {
	t.Parallel()
	const page = "https://github.com/acme/infra/actions/runs/900"
	job := func(action, conclusion string) string {
		return `"action":"` + action + `","workflow_job":{"id":5,"run_id":900,"conclusion":` + conclusion + `,"html_url":"` + page + `/job/5"},` + aRepository
	}
	run := func(conclusion string) string {
		return `"action":"completed","workflow_run":{"id":900,"conclusion":"` + conclusion + `","html_url":"` + page + `"},` + aRepository
	}
	for _, c := range []struct{ event, members, want string }{
		{"workflow_job", job("queued", "null"), ""},
		{"workflow_job", job("in_progress", "null"), ""},
		{"workflow_job", job("completed", `"success"`), ""},
		{"workflow_job", job("completed", `"neutral"`), ""},
		{"workflow_job", job("completed", `"failure"`), "CI of 7: run 900 job  failure " + page + "/job/5"},
		{"workflow_job", job("completed", `"cancelled"`), "CI of 7: run 900 job  cancelled " + page + "/job/5"},
		{"workflow_job", job("completed", `"timed_out"`), "CI of 7: run 900 job  timed_out " + page + "/job/5"},
		{"workflow_job", job("completed", `"skipped"`), "CI of 7: run 900 job  skipped " + page + "/job/5"},
		{"workflow_run", run("startup_failure"), "CI of 7: run 900 job  startup_failure " + page},
		{"workflow_run", run("success"), ""},
		{"workflow_job", `"action":"completed","workflow_job":{"run_id":900,"conclusion":"failure","html_url":"javascript:x"},` + aRepository, "CI of 7: run 900 job  failure"},
	} {
		e, err := vcsevent.GitHub(c.event, with(c.members))
		if got := ciFacts(e); err != nil || got != c.want {
			t.Errorf("%s %s: got %q, %v, want %q", c.event, c.members, got, err, c.want)
		}
	}
	for _, members := range []string{
		`"action":"completed","workflow_job":{"conclusion":"failure"},` + aRepository,
		`"action":"completed","workflow_job":{"run_id":900},` + aRepository,
		`"action":"completed","workflow_job":[],` + aRepository,
		`"action":"completed",` + aRepository,
		`"action":"completed","workflow_job":{"run_id":900,"conclusion":"failure"}`,
	} {
		var wrong *vcsevent.Undecodable
		if e, err := vcsevent.GitHub("workflow_job", with(members)); !errors.As(err, &wrong) {
			t.Errorf("%s: got %q, %v", members, ciFacts(e), err)
		}
	}
}

func TestEndOfGitLabsJobWithoutSuccessIsAFact(t *testing.T) {
	t.Parallel()
	const project = `"project":{"id":501,"path_with_namespace":"acme/infra","web_url":"https://gitlab.com/acme/infra"}`
	build := func(status, rest string) string {
		return `{"object_kind":"build","build_id":44,"build_status":"` + status + `","pipeline_id":900,"project_id":501,` + rest + project + `}`
	}
	pipeline := func(status string) string {
		return `{"object_kind":"pipeline","object_attributes":{"id":900,"status":"` + status + `","url":"https://gitlab.com/acme/infra/-/pipelines/900"},` + project + `}`
	}
	for body, want := range map[string]string{
		build("failed", ""):                            "CI of 501: run 900 job 44 failed https://gitlab.com/acme/infra/-/jobs/44",
		build("canceled", ""):                          "CI of 501: run 900 job 44 canceled https://gitlab.com/acme/infra/-/jobs/44",
		build("skipped", ""):                           "CI of 501: run 900 job 44 skipped https://gitlab.com/acme/infra/-/jobs/44",
		build("failed", `"build_allow_failure":true,`): "",
		build("success", ""):                           "",
		build("running", ""):                           "",
		pipeline("failed"):                             "CI of 501: run 900 job  failed https://gitlab.com/acme/infra/-/pipelines/900",
		pipeline("canceled"):                           "CI of 501: run 900 job  canceled https://gitlab.com/acme/infra/-/pipelines/900",
		pipeline("success"):                            "",
	} {
		e, err := gitlab("Job Hook", []byte(body))
		if got := ciFacts(e); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", body, got, err, want)
		}
	}
	for _, body := range []string{
		`{"object_kind":"build","build_status":"failed","pipeline_id":900,` + project + `}`,
		`{"object_kind":"build","build_id":44,"build_status":"failed",` + project + `}`,
		`{"object_kind":"pipeline","object_attributes":{"status":"failed"},` + project + `}`,
		`{"object_kind":"pipeline",` + project + `}`,
	} {
		e, err := gitlab("Job Hook", []byte(body))
		if got := ciFacts(e); err != nil || got != "" || len(e.Skipped) != 1 {
			t.Errorf("%s: got %q, %v, skipped %q", body, got, err, e.Skipped)
		}
	}
}
