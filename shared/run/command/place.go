package command

import (
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Place is where a run works: what it belongs to, and the commits.
type Place struct {
	Kind         run.Kind
	Base, Source run.Ref
}

// OnPullRequest returns the place of a run of a pull request of a repository. It
// refuses a pull request that is closed, and one of a fork: whoever can push to the
// fork would run code with the secrets of the repository.
func OnPullRequest(of vcs.Repository, p vcshost.PullRequest) (Place, error) {
	switch {
	case !p.Open:
		return Place{}, fault.Invalidf("PULL_REQUEST_CLOSED", "pull request %d is closed: open it again, or start the run on a branch", p.Number)
	case p.From != of.ID:
		return Place{}, fault.Invalidf("PULL_REQUEST_OF_FORK", "the branch of pull request %d is in a fork, and runs would use the secrets of this repository: "+
			"push the branch to this repository first", p.Number)
	}
	return Place{
		Kind: run.Kind{Name: run.PullRequest, Number: p.Number, Title: cut(p.Title)},
		Base: run.Ref{Branch: p.BaseBranch, Commit: p.BaseSHA}, Source: run.Ref{Branch: p.Branch, Commit: p.SHA},
	}, nil
}

// OnBranch returns the place of a run of another kind, on a branch.
func OnBranch(kind run.KindName, b vcshost.Branch) Place {
	ref := run.Ref{Branch: b.Name, Commit: b.SHA}
	return Place{Kind: run.Kind{Name: kind}, Base: ref, Source: ref}
}

// cut returns the beginning of a title that a run can hold.
func cut(title string) string {
	return strings.ToValidUTF8(title[:min(len(title), run.MaxText)], "")
}
