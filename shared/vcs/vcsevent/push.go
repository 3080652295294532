package vcsevent

import (
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Pushed states that the default branch of a repository has new commits. Pushes to
// other branches are no facts.
type Pushed struct {
	Repository vcs.ID
	// Sender and SenderID are the login and the id of the account that pushed. They
	// may be empty.
	Sender   string
	SenderID vcs.ID
	// Moment is the time of the push. GitLab does not state it.
	vcs.Moment
}

// branchPrefix begins the full name of a branch ("gitglossary", git documentation).
const branchPrefix = "refs/heads/"

// isBranch reports whether a ref is the one of a branch.
func isBranch(ref member[string], branch string) bool {
	return branch != "" && ref.value == branchPrefix+branch
}

// pushed reads a push to the default branch of a repository ("push", GitHub
// documentation).
func (p *githubPayload) pushed(r *RepositorySeen) []Fact {
	if p.Deleted.value || !isBranch(p.Ref, r.DefaultBranch) {
		return nil
	}
	return []Fact{&Pushed{
		Repository: r.ID, Sender: optional(p.Sender.value.Login, maxName), SenderID: idOf(p.Sender.value.ID),
		Moment: vcs.Moment{At: p.Repository.value.PushedAt.Time},
	}}
}

// pushed reads a push to the default branch of a project ("Push events", GitLab
// documentation). The commit of a branch that was deleted consists of zeros.
func (p *gitlabPayload) pushed(r *RepositorySeen) []Fact {
	if strings.Trim(p.After.value, "0") == "" || !isBranch(p.Ref, r.DefaultBranch) {
		return nil
	}
	return []Fact{&Pushed{Repository: r.ID, Sender: optional(p.UserUsername, maxName), SenderID: idOf(p.UserID)}}
}
