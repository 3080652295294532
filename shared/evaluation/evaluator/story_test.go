package evaluator_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
)

var twoDirs = map[string]string{"net/main.tf": "a", "app/main.tf": "b", "README.md": "c"}

func (r *rig) expect(what, got string, parts ...string) {
	r.t.Helper()
	if len(parts) == 0 && got != "" {
		r.t.Fatalf("%s: got a comment, want none:\n%s", what, got)
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			r.t.Fatalf("%s: want %q in:\n%s", what, part, got)
		}
	}
}

func (r *rig) did(what string, got []string, want ...string) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		r.t.Fatalf("%s: runners did %q, want %q", what, got, want)
	}
}

// TestAcceptanceStory is that of orchestration, 24.1.
func TestAcceptanceStory(t *testing.T) {
	t.Parallel()
	t.Run("GitHub", func(t *testing.T) {
		t.Parallel()
		newRig(t, twoDirs).acceptance("#1")
	})
	t.Run("GitLab", func(t *testing.T) {
		t.Parallel()
		newRigAtGitLab(t, twoDirs).acceptance("!1")
	})
}

// acceptance is the story. name is how the host names the first pull request.
func (r *rig) acceptance(name string) {
	t := r.t
	first := r.open("first", map[string]string{"net/main.tf": "a1", "app/main.tf": "b1"})
	if got := r.statuses(first)["terrateam apply"]; got != "pending" {
		t.Fatalf("the aggregate is %q", got)
	}
	r.expect("opened", r.news(first))
	r.did("opened", r.work(nil), "plan app default, net default")
	r.expect("planned", r.news(first), "## Plan: 2 directories", "2 to create", "terrateam apply")
	if got := r.statuses(first); r.github != nil && (got["terrateam plan: app default"] != "success" || got["terrateam plan: net default"] != "success") {
		t.Fatalf("statuses: %v", got)
	}
	second := r.open("second", map[string]string{"net/other.tf": "a2"})
	r.did("second", r.work(nil), "plan net default")
	r.write(first, ann, "terraform apply")
	r.did("applied", r.work(nil), "apply app default, net default")
	r.said = 0
	if got := r.statuses(first)["terrateam apply"]; got != "success" {
		t.Fatalf("the aggregate is %q", got)
	}
	r.news(second)
	r.write(second, bob, "terraform apply")
	r.expect("refused", r.news(second), "missing", name)
	r.did("refused", r.work(nil))
	r.write(second, bob, "terraform plan")
	r.did("planned again", r.work(nil), "plan net default")
	r.news(second)
	r.write(second, bob, "terraform apply")
	r.expect("locked", r.news(second), "locked", name, "unlock")
	r.merge(first)
	r.write(second, bob, "terraform apply")
	r.expect("after the merge", r.news(second), "missing", name)
	r.write(second, bob, "terraform plan")
	r.did("planned after the merge", r.work(nil), "plan net default")
	r.push(second, "second", map[string]string{"net/other.tf": "a3"})
	r.news(second)
	r.write(second, bob, "terraform apply")
	r.expect("apply while the plan of the push waits", r.news(second), "other runs work")
	r.did("planned after the push", r.work(map[string]outcome{"net": fails}), "plan net default")
	r.news(second)
	r.write(second, bob, "terraform apply")
	r.expect("apply of a failed plan", r.news(second), "missing", "failed")
}

// TestLayersFollowEachOther is the worked example of orchestration, 8.6.
func TestLayersFollowEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{
		"network/main.tf": "a", "app/main.tf": "b", "app/prod.tfvars": "c", "modules/vpc/main.tf": "d", "README.md": "e",
		".terrateam/config.yml": `dirs:
  app:
    tags: [apps]
    workspaces: { staging: {}, prod: { tags: [critical] } }
    when_modified:
      depends_on: 'dir:network'
  modules/**:
    when_modified: { file_patterns: [] }
workflows:
  - tag_query: critical
    environment: production
    plan: [ { type: init }, { type: plan } ]
`,
	})
	n := r.open("change", map[string]string{"network/main.tf": "a1"})
	r.did("opened", r.work(nil), "plan network default")
	r.write(n, ann, "terrateam apply")
	r.did("applied", r.work(nil), "apply network default", "plan app staging", "plan app prod")
	if got := r.statuses(n)["terrateam apply"]; got != "pending" {
		t.Errorf("the aggregate is %q", got)
	}
	r.write(n, ann, "terrateam apply critical")
	r.did("applied one", r.work(nil), "apply app prod")
	if got := r.statuses(n)["terrateam apply"]; got != "pending" {
		t.Errorf("the aggregate is %q", got)
	}
	r.write(n, ann, "terrateam apply")
	r.did("applied the rest", r.work(nil), "apply app staging")
	if got := r.statuses(n)["terrateam apply"]; got != "success" {
		t.Errorf("the aggregate is %q", got)
	}
	silent := r.open("silent", map[string]string{"README.md": "e1"})
	r.said = 0
	r.expect("no directory", r.news(silent))
	if got := r.statuses(silent)["terrateam apply"]; got != "success" {
		t.Errorf("the aggregate is %q", got)
	}
	r.write(silent, ann, "terraform plan")
	r.expect("no directory", r.news(silent), "No directory")
	same1 := r.open("same", map[string]string{"network/main.tf": "a2"})
	_ = same1
	r.did("no changes", r.work(map[string]outcome{"network": same}), "plan network default", "plan app staging", "plan app prod")
}

// TestAutomerge merges when everything is applied.
func TestAutomerge(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", ".terrateam/config.yml": "automerge: { enabled: true, delete_branch: true }\n"})
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.write(n, ann, "terraform apply")
	r.work(nil)
	p, err := r.host.Pull(named, n)
	r.must(err)
	if p.State != "merged" {
		t.Errorf("the pull request is %q", p.State)
	}
	if _, there := r.git.Branch("change"); there {
		t.Error("the branch is still there")
	}
}

// TestReadersCannotCommand refuses the commands of those who may only read.
func TestReadersCannotCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.news(n)
	for _, text := range []string{"terraform apply", "terraform plan", "terraform unlock", "terraform apply-force"} {
		r.write(n, rob, text)
		r.expect(text, r.news(n), "Refused", "may not write")
	}
	r.did("refused", r.work(nil))
}

// TestEverybodyOfTheAccessControlMeansThoseWhoMayWrite has commands of those who may only
// read, and of somebody whom the host does not describe.
func TestEverybodyOfTheAccessControlMeansThoseWhoMayWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ control, by, want string }{
		{"access_control: {policies: [{tag_query: ''}]}\n", "ann", "Apply"},
		{"access_control: {policies: [{tag_query: ''}]}\n", "rob", "may not write"},
		{"access_control: {policies: [{tag_query: ''}]}\n", "sam", "may not write"},
		{"access_control: {policies: [{tag_query: '', apply: ['user:rob']}]}\n", "rob", "Apply"},
		{"access_control: {policies: [{tag_query: '', apply: ['user:sam']}]}\n", "sam", "Apply"},
		{"", "sam", "Apply"}, // somebody let them in
	} {
		files := maps.Clone(twoDirs)
		files[".terrateam/config.yml"] = c.control + files[".terrateam/config.yml"]
		r := newRig(t, files)
		n := r.open("change", map[string]string{"net/main.tf": "a1"})
		r.work(nil)
		r.news(n)
		r.write(n, map[string]vcstest.Account{"ann": ann, "rob": rob, "sam": {ID: 44, Login: "sam"}}[c.by], "terraform apply")
		r.work(nil)
		r.expect(c.control+c.by, r.news(n), c.want)
	}
}

// TestStrangersOfAnInternalRepositoryCannotCommand has commands of somebody of the same
// enterprise whom nobody let in.
func TestStrangersOfAnInternalRepositoryCannotCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	r.github.Update("acme", "infra", func(repo *vcstest.Repository) { repo.Internal = true })
	n := r.open("change", map[string]string{"net/main.tf": "a1"})
	r.work(nil)
	r.news(n)
	r.write(n, vcstest.Account{ID: 44, Login: "sam"}, "terraform apply")
	r.expect("strangers get no reply", r.news(n))
	r.did("refused", r.work(nil))
}

// TestDriftIsFoundAndReconciled follows a schedule of the default branch.
func TestDriftIsFoundAndReconciled(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"net/main.tf": "a", "app/main.tf": "b", ".terrateam/config.yml": `drift:
  enabled: true
  schedules:
    nightly: { schedule: daily, tag_query: "dir:net or dir:app", reconcile: true }
`})
	r.ask(lane.Request{Kind: lane.Push})
	r.did("pushed", r.work(map[string]outcome{"app": same}), "plan app default, net default", "apply net default")
	r.check()
	r.did("the same day", r.work(nil))
	r.clock.Add(25 * time.Hour)
	r.check()
	r.did("the next day", r.work(map[string]outcome{"app": same, "net": same}), "plan app default, net default")
}

// check asks for the drift checks that are due.
func (r *rig) check() {
	r.t.Helper()
	list, err := r.acting.Lanes.Checks(r.t.Context(), r.Now(), 10)
	r.must(err)
	for _, c := range list {
		r.must(r.acting.Lanes.AskCheck(r.t.Context(), c, r.Now()))
	}
	r.evaluate()
}

// TestMergeWithoutApplyKeepsTheLock is orchestration, 13: what was planned and merged, and
// not applied, is locked until somebody unlocks it.
func TestMergeWithoutApplyKeepsTheLock(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	first := r.open("first", map[string]string{"net/main.tf": "a1"})
	r.did("opened", r.work(nil), "plan net default")
	second := r.open("second", map[string]string{"net/other.tf": "a2"})
	r.did("opened", r.work(nil), "plan net default")
	r.merge(first)
	r.write(second, bob, "terraform plan")
	r.did("planned after the merge", r.work(nil), "plan net default")
	r.said = 0
	r.news(second)
	r.write(second, bob, "terraform apply")
	r.expect("locked", r.news(second), "## Not applied: locked", "#1", "unlock")
	r.did("locked", r.work(nil))
	if got := r.statuses(second)["terrateam apply: net default"]; got == "pending" {
		t.Error("the status of an apply that was refused is pending")
	}
	r.write(first, ann, "terraform unlock")
	r.write(second, bob, "terraform apply")
	r.did("unlocked", r.work(nil), "apply net default")
}

// TestOwnMergeDoesNotRenewAPlan merges a pull request whose plan another merge has
// overtaken: the plan does not count afterwards either (orchestration, 12.1).
func TestOwnMergeDoesNotRenewAPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	first := r.open("first", map[string]string{"net/main.tf": "a1"})
	second := r.open("second", map[string]string{"net/other.tf": "a2"})
	base, _ := r.git.Branch("main")
	r.github.Update("acme", "infra", func(repo *vcstest.Repository) { repo.Changes[1].BaseSHA = base }) // GitHub does not move it with the branch
	r.work(nil)
	r.merge(first)
	r.write(first, ann, "terraform unlock")
	r.merge(second)
	r.said = 0
	r.news(second)
	r.write(second, ann, "terraform apply")
	r.expect("apply", r.news(second), "missing")
	r.did("apply", r.work(nil))
	r.ask(lane.Request{Kind: lane.Pull, Number: second, Sender: ann.Login, SenderID: "1"})
	r.write(second, ann, "terraform apply")
	r.expect("apply after the merge was evaluated twice", r.news(second), "missing")
	r.did("apply after the merge was evaluated twice", r.work(nil))
}

// TestPlanBeforeTheMergeCountsUntilAnotherOneFollows merges another pull request, which
// touches nothing of the first one: its plan from before its merge does not count any more
// (orchestration, 12.1).
func TestPlanBeforeTheMergeCountsUntilAnotherOneFollows(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoDirs)
	first := r.open("first", map[string]string{"net/main.tf": "a1"})
	second := r.open("second", map[string]string{"app/main.tf": "b1"})
	third := r.open("third", map[string]string{"app/third.tf": "b3"})
	r.work(nil)
	r.merge(second)
	r.write(second, ann, "terraform apply")
	r.did("its merge is the newest", r.work(nil), "apply app default")
	base, _ := r.git.Branch("main")
	r.github.Update("acme", "infra", func(repo *vcstest.Repository) { repo.Changes[0].BaseSHA = base })
	r.write(first, ann, "terraform plan")
	r.work(nil)
	r.merge(first)
	r.merge(third)
	r.write(third, ann, "terraform unlock")
	r.said = 0
	r.news(first)
	r.write(first, ann, "terraform apply")
	r.expect("another merge followed", r.news(first), "missing")
	r.did("another merge followed", r.work(nil))
}
