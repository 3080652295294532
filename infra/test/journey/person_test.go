//go:build unix

package journey

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// person does something at the hosts that stand in for GitHub and GitLab, as "make host" does.
func (s *Stack) person(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.programs.host, args...)
	cmd.Dir, cmd.Env = s.programs.root, append(os.Environ(), "STATE="+s.State)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("host %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pullAtAPI is a pull request as the API shows it.
type pullAtAPI struct {
	Number int64  `json:"pull_number"`
	State  string `json:"state"`
	Branch string `json:"branch"`
	SHA    string `json:"sha"`
}

// peopleActAtTheHosts opens, pushes and merges pull requests at both hosts. The API then shows
// what the hosts say.
func peopleActAtTheHosts(t *testing.T, s *Stack) {
	for _, at := range []demoRepository{demoGitHub, demoGitLab} {
		c := s.demoMember(t, at)
		repo := []string{"--host", string(at.vcs), "--repo", at.owner + "/" + at.name}
		person := func(args ...string) string {
			t.Helper()
			return s.person(t, append(args, repo...)...)
		}
		// pull returns the pull request when it is as wanted.
		pull := func(want string, so func(pullAtAPI) bool) (found pullAtAPI) {
			t.Helper()
			await(t, want, func() bool {
				var page struct {
					Pulls []json.RawMessage `json:"pull_requests"`
				}
				c.Do(t, "GET", at.path("/pull-requests"), "").Want(t, 200).Read(t, &page)
				return slices.ContainsFunc(page.Pulls, func(text json.RawMessage) bool {
					if err := json.Unmarshal(text, &found); err != nil {
						t.Fatal(err)
					}
					return found.Branch == "change-1" && so(found)
				})
			})
			return found
		}
		person("pr", "open", "--title", "Ours")
		opened := pull("a pull request that was opened", func(p pullAtAPI) bool { return p.State == "open" })
		if shown := person("pr", "show"); !strings.Contains(shown, "Ours") || !strings.Contains(shown, opened.SHA) {
			t.Errorf("%s: the page shows %s, the API the commit %s", at.vcs, shown, opened.SHA)
		}
		person("pr", "push")
		pull("the new commit", func(p pullAtAPI) bool { return p.SHA != opened.SHA })
		person("pr", "comment", "it looks good")
		person("pr", "approve")
		person("pr", "merge")
		pull("the merge", func(p pullAtAPI) bool { return p.State == "merged" })
	}
}
