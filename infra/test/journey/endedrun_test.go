//go:build unix

package journey

import (
	"encoding/json"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs"
)

// demoMember stores the repository as a delivery would, and returns a client of a new member
// of its installation with all capabilities.
func (s *Stack) demoMember(t *testing.T, d demoRepository) *Client {
	t.Helper()
	in := Installation{VCS: string(d.vcs), ID: string(d.installationID)}
	s.Admin(t, "installation", "create", "--vcs", in.VCS, "--id", in.ID, "--name", d.installationName)
	s.Repository(t, in, vcs.Description{ID: d.id, Owner: d.owner, Name: d.name, DefaultBranch: "main"})
	if d.vcs == vcs.GitLab {
		s.GroupToken(t, in, "glpat-9-bot")
	}
	return s.Client(s.Key(t, s.User(t, in), Capabilities()...))
}

// endedRun is a run that has ended, as the API shows it, with all that it printed.
type endedRun struct {
	State     string
	Reason    *struct{ Code, Text string }
	Dirspaces []struct {
		Dir, Workspace string
		Success        *bool
		HasChanges     *bool `json:"has_changes"`
		Destroys       *bool
	}
	Text    string `json:"-"` // …/text
	Outputs string `json:"-"` // …/outputs
}

// succeeded reports whether every dirspace succeeded.
func (r endedRun) succeeded() bool {
	for _, d := range r.Dirspaces {
		if d.Success == nil || !*d.Success {
			return false
		}
	}
	return len(r.Dirspaces) > 0
}

// ended waits for the end of a run.
func (d demoRepository) ended(t *testing.T, c *Client, id string) endedRun {
	t.Helper()
	target, r := d.path("/work-manifests/"+id), endedRun{}
	await(t, "end of the run "+id, func() bool {
		resp := c.Do(t, "GET", target, "").Want(t, 200)
		if err := json.Unmarshal([]byte(resp.Body), &r); err != nil {
			t.Fatal(err)
		}
		return r.State == "completed" || r.State == "aborted"
	})
	if r.State == "completed" {
		text, err := c.Try("GET", target+"/text", "") // it is no JSON, so the document says nothing about it
		if err != nil {
			t.Fatal(err)
		}
		r.Text = string(text.Want(t, 200).Body)
		r.Outputs = string(c.Do(t, "GET", target+"/outputs?limit=100", "").Want(t, 200).Body)
	}
	return r
}
