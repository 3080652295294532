package vcsevent

import "github.com/opsplane/opsplane/shared/shorten"

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
// change and pushed_at when it is pushed to; both describe the same state. That
// it was transferred is told to the account that has it from then on, and to
// nobody else.
func (r *githubRepository) seen(c *checker) *RepositorySeen {
	at := later(r.UpdatedAt.Time, r.PushedAt.Time)
	return &RepositorySeen{
		Repository: Repository{
			ID: c.id("repository.id", r.ID), Owner: c.name("repository.owner.login", r.Owner.Login, maxName),
			Name: c.name("repository.name", r.Name, maxName), Private: &r.Private, Archived: &r.Archived,
			DefaultBranch: c.name("repository.default_branch", r.DefaultBranch, maxBranch),
		},
		There: at, Version: Version{At: at},
	}
}

// listed reads repositories as installation events list them.
func listed(c *checker, member string, list []githubShort) []Repository {
	found := make([]Repository, len(list))
	for i, r := range list {
		owner, name := split(c, member+".full_name", r.FullName)
		found[i] = Repository{ID: c.id(member+".id", r.ID), Owner: owner, Name: name, Private: &r.Private}
	}
	return found
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
func (p *githubPull) seen(c *checker, repository string) *PullRequestSeen {
	if p.Number <= 0 {
		c.fail("pull_request.number is missing or is not above 0")
	}
	if p.UpdatedAt.IsZero() {
		c.fail("pull_request.updated_at is missing")
	}
	seen := &PullRequestSeen{
		Repository: repository, Number: p.Number, Title: shorten.Head(p.Title, maxTitle), Draft: p.Draft,
		User:       c.optional("pull_request.user.login", p.User.Login, maxName),
		BaseBranch: c.name("pull_request.base.ref", p.Base.Ref, maxBranch), BaseSHA: c.name("pull_request.base.sha", p.Base.SHA, maxSHA),
		Branch: c.name("pull_request.head.ref", p.Head.Ref, maxBranch), SHA: c.name("pull_request.head.sha", p.Head.SHA, maxSHA),
		State: "open", Version: Version{At: p.UpdatedAt.Time},
	}
	switch {
	case p.Merged || !p.MergedAt.IsZero():
		seen.State, seen.Rank = "merged", rankEnded
		seen.MergedAt, seen.MergedSHA = p.MergedAt.Time, c.optional("pull_request.merge_commit_sha", p.MergeCommitSHA, maxSHA)
	case p.State == "closed":
		seen.State = "closed"
	case p.State != "open":
		c.fail("pull_request.state is neither open nor closed")
	}
	return seen
}
