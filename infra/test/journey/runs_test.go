//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// asked is the body of a request for a run.
type asked struct {
	Type      string          `json:"run_type"`
	Dirspaces []askedDirspace `json:"dirspaces"`
	Branch    string          `json:"branch,omitempty"`
	Pull      int64           `json:"pull_number,omitempty"`
}

type askedDirspace struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
}

// on returns a request for a run on a branch. places are "directory@workspace".
func on(branch, of string, places ...string) asked {
	a := asked{Type: of, Branch: branch}
	for _, p := range places {
		dir, workspace, _ := strings.Cut(p, "@")
		a.Dirspaces = append(a.Dirspaces, askedDirspace{dir, workspace})
	}
	return a
}

// command sends a request for a run.
func (d demoRepository) command(t *testing.T, c *Client, a asked) Response {
	t.Helper()
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(t, "POST", d.path("/repos/"+string(d.id)+"/work-manifests"), string(body))
}

// start starts a run by API and returns its id.
func (d demoRepository) start(t *testing.T, c *Client, a asked) string {
	t.Helper()
	var made struct{ ID string }
	d.command(t, c, a).Want(t, 201).Read(t, &made)
	return made.ID
}

// outcome returns one line about the dirspaces of a run.
func (r endedRun) outcome() string {
	var lines []string
	word := func(name string, b *bool) string {
		if b == nil || !*b {
			return ""
		}
		return " " + name
	}
	for _, d := range r.Dirspaces {
		lines = append(lines, d.Dir+"@"+d.Workspace+":"+word("ok", d.Success)+word("changes", d.HasChanges)+word("destroys", d.Destroys))
	}
	return strings.Join(lines, ", ")
}

// demoSecret is the value of a sensitive output in the files of the hosts.
const demoSecret = "planted-secret-of-the-demo"

// TestRunsGoFromCommandToOutputs starts runs by API. The hosts that stand in for GitHub and
// GitLab start their jobs, in which a runner plans and applies with terraform, tofu, or a
// stand-in: the log says which.
func TestRunsGoFromCommandToOutputs(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	for _, at := range []demoRepository{demoGitHub, demoGitLab} {
		t.Run(string(at.vcs), func(t *testing.T) {
			t.Parallel()
			c := s.demoMember(t, at)
			run := func(a asked, outcome string) endedRun {
				t.Helper()
				r := at.ended(t, c, at.start(t, c, a))
				if r.State != "completed" || r.outcome() != outcome {
					t.Fatalf("%+v ended as %s %q, want %q; reason %+v; printed %s", a, r.State, r.outcome(), outcome, r.Reason, r.Text)
				}
				for _, shown := range []string{r.Text, r.Outputs} {
					if strings.Contains(shown, demoSecret) {
						t.Errorf("%+v shows a sensitive output", a)
					}
				}
				return r
			}
			everything := []string{"prod/app@default", "prod/net@default", "staging/app@default"}
			run(on("main", "plan", everything...), "prod/app@default: ok changes, prod/net@default: ok changes, staging/app@default: ok changes")
			r := run(on("main", "apply", everything...), "prod/app@default: ok, prod/net@default: ok, staging/app@default: ok")
			if !strings.Contains(r.Text, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.") || !strings.Contains(r.Outputs, `"value":"10.0.0.0/16"`) {
				t.Errorf("the apply printed %s and has the outputs %s", r.Text, r.Outputs)
			}
			run(on("main", "plan", "prod/net@default"), "prod/net@default: ok")
			change := on("", "plan", "prod/net@default")
			change.Pull = at.change
			run(change, "prod/net@default: ok changes destroys")
			r = run(on("broken", "plan", "prod/app@default", "staging/app@default"), "prod/app@default:, staging/app@default: ok")
			if !strings.Contains(r.Text, "Resource precondition failed") {
				t.Errorf("the plan that failed printed %s", r.Text)
			}
			if refused := at.command(t, c, on("broken", "apply", "prod/app@default")); refused.Status < 400 || refused.Status > 499 {
				t.Errorf("an apply without a plan that succeeded: got %v", refused)
			}
		})
	}
	t.Cleanup(func() { t.Log(regexp.MustCompile(`the runner works with .*`).FindString(s.Printed())) })
}

// TestRunEndsWhateverItsRunnerDoes starts runs on branches where the runner does something
// wrong.
func TestRunEndsWhateverItsRunnerDoes(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	for _, at := range []demoRepository{demoGitHub, demoGitLab} {
		t.Run(string(at.vcs), func(t *testing.T) {
			t.Parallel()
			c := s.demoMember(t, at)
			for branch, want := range map[string]string{
				"runner/dies":    "aborted ci_job_failed ",
				"runner/lies":    "aborted result_refused ",
				"runner/repeats": "completed  staging/app@faults: ok changes",
				"runner/hook":    "completed  staging/app@faults:",
			} {
				r := at.ended(t, c, at.start(t, c, on(branch, "plan", "staging/app@faults")))
				reason := ""
				if r.Reason != nil {
					reason = r.Reason.Code
				}
				outcome := ""
				if r.State == "completed" {
					outcome = r.outcome()
				}
				if got := fmt.Sprintf("%s %s %s", r.State, reason, outcome); got != want {
					t.Errorf("%s: ended as %q, want %q; reason %+v", branch, got, want, r.Reason)
				}
			}
		})
	}
}

// TestRunIsAbortedInTheMiddleOfItsJob aborts a run whose runner works. The host is asked to
// cancel the job, which ends the runner.
func TestRunIsAbortedInTheMiddleOfItsJob(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	for _, at := range []demoRepository{demoGitHub, demoGitLab} {
		t.Run(string(at.vcs), func(t *testing.T) {
			t.Parallel()
			c := s.demoMember(t, at)
			id := at.start(t, c, on("runner/hangs", "plan", "staging/app@aborted"))
			var r struct{ State string }
			await(t, "start of the run", func() bool {
				c.Do(t, "GET", at.path("/work-manifests/"+id), "").Want(t, 200).Read(t, &r)
				return r.State == "running"
			})
			for range 2 { // the second request finds it aborted
				c.Do(t, "POST", at.path("/work-manifests/"+id+"/abort"), "").Want(t, 200).Read(t, &r)
				if r.State != "aborted" {
					t.Errorf("the response has the state %s", r.State)
				}
			}
			cancelled := regexp.MustCompile(`CI run \d+ of ` + at.owner + `/` + at.name + `: cancell?ed`)
			await(t, "end of the job", func() bool { return cancelled.MatchString(s.Printed()) })
			if r := at.ended(t, c, id); r.State != "aborted" || r.Reason == nil || r.Reason.Code != "aborted_by_user" {
				t.Errorf("the run is %+v with the reason %+v", r, r.Reason)
			}
		})
	}
}
