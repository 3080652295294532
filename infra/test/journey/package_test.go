//go:build unix

package journey

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest/gitrepo"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// scriptName is the first line of a script in a guide.
var scriptName = regexp.MustCompile(`^# ([a-z-]+\.sh)`)

// runScripts writes the scripts of the guide that steps of a run use, as they would be in the
// root of a repository.
func runScripts(t *testing.T, s *Stack) string {
	t.Helper()
	guide, root := filepath.Join(s.programs.root, "docs", "guide-artifacts.md"), t.TempDir()
	scripts := map[string]string{"artifact.sh": strings.Join(blocks(t, guide, "bash"), "")}
	for _, text := range blocks(t, guide, "shell") {
		scripts[scriptName.FindStringSubmatch(text)[1]] = text
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestPackageGoesFromPlanToApplyWithTheTokenOfTheRun does what the guide to artifacts describes
// for runs, with its own scripts: a zip that is made in the plan is used in the apply.
func TestPackageGoesFromPlanToApplyWithTheTokenOfTheRun(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	for _, at := range []demoRepository{demoGitHub, demoGitLab} {
		t.Run(string(at.vcs), func(t *testing.T) {
			t.Parallel()
			c, root, commit := s.demoMember(t, at), runScripts(t, s), s.demoCommit(t, at)
			step := func(script string) string {
				return fmt.Sprintf(`{"type":"init"},{"type":"run","cmd":["bash","-c","bash \"$TERRATEAM_ROOT/%s\""],"env":{"TERRATEAM_ROOT":%q}}`, script, root)
			}
			w := Work{
				Repository: at.installation().Repository(at.id), Owner: at.owner, Name: at.name, Type: run.Plan, Source: run.Ref{Branch: "main", Commit: commit},
				Dirspaces: []run.Dirspace{{Dir: "staging/app", Workspace: "package"}},
				Config:    `{"version":"1","workflows":[{"tag_query":"","plan":[` + step("package.sh") + `,{"type":"plan"}],"apply":[` + step("fetch.sh") + `,{"type":"apply"}]}]}`,
			}
			id, planToken := s.Start(t, w)
			sum := packageOf(t, at.ended(t, c, string(id)))
			w.Type, w.Plan = run.Apply, id
			id, token := s.Start(t, w)
			if got := packageOf(t, at.ended(t, c, string(id))); got != sum {
				t.Errorf("the apply has the package %s, the plan made %s", got, sum)
			}
			key := "/api/v1/" + string(at.vcs) + "/kv/" + string(at.installationID) + "/key/packages%2F" + commit + "%2Fstaging%2Fapp%2Flambda.zip"
			c.Do(t, "GET", key, "").Want(t, 200)
			for _, used := range []string{planToken, token} {
				s.Do(t, Request{Method: "GET", Target: key, Authorization: Bearer(used)}).WantRefused(t)
				if strings.Contains(s.Printed(), used) {
					t.Error("the token of a run is in what the stack printed")
				}
			}
		})
	}
}

// sum is a line of sha256sum.
var sum = regexp.MustCompile(`([0-9a-f]{64}) +lambda\.zip`)

// packageOf returns the SHA-256 of the package that the steps of a run printed.
func packageOf(t *testing.T, r endedRun) string {
	t.Helper()
	if r.State != "completed" || !r.succeeded() {
		t.Fatalf("the run ended as %+v and printed %s", r, r.Text)
	}
	found := sum.FindStringSubmatch(r.Text)
	if found == nil {
		t.Fatalf("the run printed %s", r.Text)
	}
	return found[1]
}

// demoRepository is a repository of the hosts that stand in for GitHub and GitLab.
type demoRepository struct {
	vcs                vcs.VCS
	installationID, id vcs.ID
	installationName   string
	owner, name        string
	change             int64 // the number of an open change that destroys a resource of prod/net
}

// demoCommit returns the commit of the branch main.
func (s *Stack) demoCommit(t *testing.T, d demoRepository) string {
	t.Helper()
	git, err := gitrepo.Open(filepath.Join(s.State, "data", "git", string(d.vcs), d.owner, d.name+".git"))
	if err != nil {
		t.Fatal(err)
	}
	commit, err := git.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

var (
	demoGitHub = demoRepository{vcs.GitHub, "424242", "99001133", "acme", "acme", "platform", 17}
	demoGitLab = demoRepository{vcs.GitLab, "77", "501", "acme-group", "acme-group", "network", 4}
)

func (d demoRepository) installation() vcs.Installation {
	return vcs.Installation{VCS: d.vcs, ID: d.installationID}
}

func (d demoRepository) path(rest string) string {
	return "/api/v1/" + string(d.vcs) + "/installations/" + string(d.installationID) + rest
}
