package vcsevent

import "time"

type githubRepository struct {
	ID            int64         `json:"id"`
	Name          string        `json:"name"`
	Owner         githubAccount `json:"owner"`
	Private       bool          `json:"private"`
	Archived      bool          `json:"archived"`
	DefaultBranch string        `json:"default_branch"`
	UpdatedAt     hostTime      `json:"updated_at"`
	PushedAt      hostTime      `json:"pushed_at"`
}

// seen reads a whole repository. GitHub sets updated_at when its settings
// change and pushed_at when it is pushed to; both describe the same state.
func (r *githubRepository) seen(c *checker) *RepositorySeen {
	at := r.UpdatedAt.Time
	if r.PushedAt.After(at) {
		at = r.PushedAt.Time
	}
	return &RepositorySeen{
		ID: c.id("repository.id", r.ID), Owner: c.name("repository.owner.login", r.Owner.Login, maxName),
		Name: c.name("repository.name", r.Name, maxName), Private: &r.Private, Archived: &r.Archived,
		DefaultBranch: c.name("repository.default_branch", r.DefaultBranch, maxBranch), Version: Version{At: at},
	}
}

// listed reads repositories as installation events list them.
func listed(c *checker, member string, list []githubShort, at time.Time) []Change {
	changes := make([]Change, len(list))
	for i, r := range list {
		owner, name := split(c, member+".full_name", r.FullName)
		changes[i] = &RepositorySeen{
			ID: c.id(member+".id", r.ID), Owner: owner, Name: name, Private: &r.Private, Version: Version{At: at},
		}
	}
	return changes
}

type githubBranch struct {
	Ref string `json:"ref"`
	SHA string `json:"sha"`
}

type githubPull struct {
	Number         int64         `json:"number"`
	State          string        `json:"state"`
	Title          string        `json:"title"`
	User           githubAccount `json:"user"`
	Draft          bool          `json:"draft"`
	Merged         bool          `json:"merged"`
	MergedAt       hostTime      `json:"merged_at"`
	MergeCommitSHA string        `json:"merge_commit_sha"`
	UpdatedAt      hostTime      `json:"updated_at"`
	Base           githubBranch  `json:"base"`
	Head           githubBranch  `json:"head"`
}

// seen reads a whole pull request, which GitHub sends with every action.
func (p *githubPull) seen(c *checker, r *RepositorySeen) *PullRequestSeen {
	if p.Number <= 0 {
		c.fail("pull_request.number is missing or is not above 0")
	}
	if p.UpdatedAt.IsZero() {
		c.fail("pull_request.updated_at is missing")
	}
	seen := &PullRequestSeen{
		Repository: r.ID, Number: p.Number, Title: cut(p.Title, maxTitle), Draft: p.Draft,
		User:       c.optional("pull_request.user.login", p.User.Login, maxName),
		BaseBranch: c.name("pull_request.base.ref", p.Base.Ref, maxBranch), BaseSHA: c.name("pull_request.base.sha", p.Base.SHA, maxSHA),
		Branch: c.name("pull_request.head.ref", p.Head.Ref, maxBranch), SHA: c.name("pull_request.head.sha", p.Head.SHA, maxSHA),
		State: "open", Version: Version{At: p.UpdatedAt.Time},
	}
	switch {
	case p.Merged || !p.MergedAt.IsZero():
		seen.State, seen.Rank = "merged", rankMerged
		seen.MergedAt, seen.MergedSHA = p.MergedAt.Time, c.optional("pull_request.merge_commit_sha", p.MergeCommitSHA, maxSHA)
	case p.State == "closed":
		seen.State, seen.Rank = "closed", rankClosed
	case p.State != "open":
		c.fail("pull_request.state is neither open nor closed")
	}
	return seen
}
