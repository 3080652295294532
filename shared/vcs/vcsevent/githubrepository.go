package vcsevent

import (
	"github.com/opsplane/opsplane/shared/vcs"
)

type githubRepository struct {
	ID            member[int64]         `json:"id"`
	Name          member[string]        `json:"name"`
	Owner         member[githubAccount] `json:"owner"`
	Private       member[bool]          `json:"private"`
	Archived      member[bool]          `json:"archived"`
	DefaultBranch member[string]        `json:"default_branch"`
	UpdatedAt     hostTime              `json:"updated_at"`
	PushedAt      hostTime              `json:"pushed_at"`
}

// seen reads a whole repository. GitHub sets updated_at when the repository's
// settings change, and pushed_at when somebody pushes to it. Both describe the same
// state. GitHub reports a transfer only to the account that receives the
// repository. A repository without a commit may have no default branch.
func (r *githubRepository) seen(c *checker) *RepositorySeen {
	at := later(r.UpdatedAt.Time, r.PushedAt.Time)
	owner := part(c, "repository.owner", r.Owner)
	return &RepositorySeen{
		Description: vcs.Description{
			ID: c.id("repository.id", r.ID), Owner: c.name("repository.owner.login", owner.name(), maxName),
			Name: c.text("repository.name", r.Name, maxName), Private: told(r.Private), Archived: told(r.Archived),
			DefaultBranch: optional(r.DefaultBranch, maxBranch),
		},
		There: at, Moment: vcs.Moment{At: at},
	}
}

type githubBranch struct {
	Ref member[string] `json:"ref"`
	SHA member[string] `json:"sha"`
}

type githubPull struct {
	Number         member[int64]         `json:"number"`
	State          member[string]        `json:"state"`
	Title          member[string]        `json:"title"`
	User           member[githubAccount] `json:"user"`
	Draft          member[bool]          `json:"draft"`
	Merged         member[bool]          `json:"merged"`
	MergedAt       hostTime              `json:"merged_at"`
	MergeCommitSHA member[string]        `json:"merge_commit_sha"`
	UpdatedAt      hostTime              `json:"updated_at"`
	Base           member[githubBranch]  `json:"base"`
	Head           member[githubBranch]  `json:"head"`
}

// seen reads a whole pull request, which GitHub sends with every action. Title,
// user and draft are optional: a title or user that is not a text, or a draft that
// is not a boolean, counts as not stated.
func (p *githubPull) seen(c *checker, repository vcs.ID) *PullRequestSeen {
	base, head := part(c, "pull_request.base", p.Base), part(c, "pull_request.head", p.Head)
	seen := &PullRequestSeen{
		Repository: repository, Number: c.whole("pull_request.number", p.Number), Title: title(p.Title), Draft: p.Draft.value,
		User:   optional(p.User.value.Login, maxName),
		State:  "open",
		Moment: vcs.Moment{At: c.time("pull_request.updated_at", p.UpdatedAt)},

		BaseBranch: c.text("pull_request.base.ref", base.Ref, maxBranch), BaseSHA: c.text("pull_request.base.sha", base.SHA, maxSHA),
		Branch: c.text("pull_request.head.ref", head.Ref, maxBranch), SHA: c.text("pull_request.head.sha", head.SHA, maxSHA),
	}
	switch {
	case p.Merged.value || !p.MergedAt.IsZero():
		seen.State, seen.Rank = "merged", vcs.RankEnded
		seen.MergedAt, seen.MergedSHA = p.MergedAt.Time, optional(p.MergeCommitSHA, maxSHA)
	case p.State.wrong != "":
		c.fail("pull_request.state is %s, not a string", p.State.wrong)
	case p.State.value == "closed":
		seen.State = "closed"
	case p.State.value != "open":
		c.fail("pull_request.state is neither open nor closed")
	}
	return seen
}
