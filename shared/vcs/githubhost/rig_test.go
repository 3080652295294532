package githubhost_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
)

// rig is a host that has the repository infra with content, and the client of it.
type rig struct {
	host    *vcstest.GitHub
	content *vcstest.Memory
	client  *githubhost.Installation
	// first is a commit of main. base is the one after it, and head is one of feature
	// after base. The pull request 5 asks to merge feature.
	first, base, head string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	app, host := newApp(t)
	m := vcstest.NewMemory()
	r := &rig{host: host, content: m, client: open(t, app, "42")}
	r.first = m.Commit("main", map[string][]byte{"a/main.tf": []byte("old"), "b/main.tf": []byte("b"), "c.tf": []byte("c")})
	r.base = m.Commit("main", map[string][]byte{"a/main.tf": []byte("a")})
	m.SetBranch("feature", r.base)
	r.head = m.Commit("feature", map[string][]byte{"a/main.tf": []byte("new"), "b/main.tf": nil, "d/main.tf": []byte("b"), "c.tf": nil})
	host.Install("42", vcstest.Repository{
		ID: 7, Owner: "acme", Name: "infra", DefaultBranch: "main", Content: m,
		Changes: []vcstest.Change{{Number: 5, Title: "Add", Author: "ann", AuthorID: 1, Base: "main", Head: "feature", From: 7}},
	})
	return r
}

// update changes the repository at the host.
func (r *rig) update(f func(*vcstest.Repository)) { r.host.Update("acme", "infra", f) }

// change changes the pull request at the host, or reads it.
func (r *rig) change(f func(*vcstest.Change)) {
	r.update(func(repo *vcstest.Repository) { f(&repo.Changes[0]) })
}

// comments returns the comments of the pull request.
func (r *rig) comments() (list []vcstest.Comment) {
	r.change(func(c *vcstest.Change) { list = append(list, c.Comments...) })
	return list
}

// requests returns the number of requests that were sent, without those for tokens.
func (r *rig) requests() int { return r.host.Asked("") - r.host.Asked("POST /app/installations/") }
