package vcsevent

import "github.com/opsplane/opsplane/shared/vcs"

// githubPayload has the members of GitHub's payloads that are read ("Webhook events
// and payloads", GitHub documentation).
type githubPayload struct {
	Action              member[string]                `json:"action"`
	Account             member[githubAccount]         `json:"account"`
	Installation        member[githubInstallation]    `json:"installation"`
	Repository          member[githubRepository]      `json:"repository"`
	PullRequest         member[githubPull]            `json:"pull_request"`
	Repositories        member[[]member[githubShort]] `json:"repositories"`
	RepositoriesAdded   member[[]member[githubShort]] `json:"repositories_added"`
	RepositoriesRemoved member[[]member[githubShort]] `json:"repositories_removed"`
	WorkflowJob         member[githubCI]              `json:"workflow_job"`
	WorkflowRun         member[githubCI]              `json:"workflow_run"`
	Issue               member[githubIssue]           `json:"issue"`
	Comment             member[githubComment]         `json:"comment"`
	Sender              member[githubAccount]         `json:"sender"`
	Changes             member[githubChanges]         `json:"changes"`
	Ref                 member[string]                `json:"ref"`
	Deleted             member[bool]                  `json:"deleted"`

	names names // the names of all members
}

// GitHub reads a delivery of an event. event is the value of the header
// X-GitHub-Event. For an event that this server does not use, GitHub returns only
// the repository that it is about. The rest of such a body does not matter, and is
// never an error. The error is *Undecodable if a body does not have the form of its
// event. Then the ids are set as far as they could be read.
//
// The signature of a delivery does not cover the event's name. So the name alone
// must not decide what a body means. Where the body of another event could be read
// as a loss, the body must also have the form of the event that is named.
func GitHub(event string, body []byte) (Event, error) {
	e := Event{Name: event}
	p, err := decode[githubPayload](body)
	if err != nil {
		return e, err
	}
	e.Action = actionOf(p.Action.value)
	var c checker
	i := part(&c, "installation", p.Installation)
	if i.ID.wrong != "" || i.ID.value != 0 {
		e.Installation = c.id("installation.id", i.ID)
	}
	e.Repository = idOf(p.Repository.value.ID)
	if c.err != nil || e.Installation == "" {
		return e, c.err // without an installation there is nothing to store
	}
	switch event {
	case "installation":
		e.Facts = p.installation(&c)
	case "installation_target":
		e.Facts = p.renamed(&c)
	case "installation_repositories":
		e.Facts = append(p.mention(&c), p.givenAndTaken(&c)...)
	case "repository", "pull_request":
		e.Facts = append(p.mention(&c), p.repository(&c, event)...)
	case "workflow_job", "workflow_run":
		e.Facts = append(p.mention(&c), p.repository(&c, event)...)
		e.Facts = append(e.Facts, p.ci(&c, event, e.Repository)...)
	case "issue_comment":
		e.Facts = append(p.mention(&c), p.repository(&c, event)...)
		e.Facts = append(e.Facts, p.comment(&c, e.Repository)...)
	default:
		var own checker
		found := p.repository(&own, event)
		if own.err != nil {
			found = nil
			c.skip(own.err.(*Undecodable).Reason)
		}
		e.Facts = append(p.mention(&c), found...)
	}
	if c.err != nil {
		e.Facts = nil
		return e, c.err
	}
	e.Skipped = c.left()
	return e, nil
}

// mention returns the fact that the installation named in a delivery exists. Its
// name is the name of its account. If the delivery does not state that, the name is
// the login of the repository's owner.
func (p *githubPayload) mention(c *checker) []Fact {
	name := p.Installation.value.Account.value.name()
	if name == "" {
		name = p.Repository.value.Owner.value.name()
	}
	if name == "" {
		return nil
	}
	return []Fact{&InstallationSeen{ID: c.id("installation.id", p.Installation.value.ID), Name: name}}
}

// repository reads what a delivery states about its repository and pull request. An
// update of a pull request proves that its repository existed then.
func (p *githubPayload) repository(c *checker, event string) []Fact {
	repository := part(c, "repository", p.Repository)
	if !p.Repository.has() {
		switch event {
		case "repository", "pull_request", "issue_comment", "workflow_job", "workflow_run":
			c.fail("repository is missing")
		}
		return nil
	}
	r := repository.seen(c)
	switch event {
	case "repository":
		if action := p.action(c); action == "deleted" {
			c.form(p.names, event, "action", "changes", "enterprise", "installation", "organization", "repository", "sender")
			return []Fact{&RepositoriesGone{IDs: []vcs.ID{r.ID}, Moment: vcs.Moment{At: r.At, Rank: vcs.RankGone}}}
		}
	case "pull_request":
		pull := part(c, "pull_request", p.PullRequest)
		if !p.PullRequest.has() {
			c.fail("pull_request is missing")
			return nil
		}
		seen := pull.seen(c, r.ID)
		seen.Action = p.pullAction()
		seen.Sender, seen.SenderID = optional(p.Sender.value.Login, maxName), idOf(p.Sender.value.ID)
		r.There = later(r.There, seen.At)
		return []Fact{r, seen}
	case "push":
		return append([]Fact{r}, p.pushed(r)...)
	}
	return []Fact{r}
}

// action reads the action of an event whose meaning depends on it.
func (p *githubPayload) action(c *checker) string {
	if p.Action.wrong != "" {
		c.fail("action is %s, not a string", p.Action.wrong)
	}
	return p.Action.value
}
