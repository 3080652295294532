package vcsevent

import (
	"encoding/json"
	"strings"
)

// What is read of GitHub's payloads ("Webhook events and payloads", GitHub
// documentation).
type githubPayload struct {
	Action              string             `json:"action"`
	Account             githubAccount      `json:"account"`
	Installation        githubInstallation `json:"installation"`
	Repository          *githubRepository  `json:"repository"`
	PullRequest         *githubPull        `json:"pull_request"`
	Repositories        []githubShort      `json:"repositories"`
	RepositoriesAdded   []githubShort      `json:"repositories_added"`
	RepositoriesRemoved []githubShort      `json:"repositories_removed"`
}

// githubAccount is an organisation or a user. Only events about accounts tell
// when it was updated.
type githubAccount struct {
	Login     string   `json:"login"`
	Type      string   `json:"type"`
	UpdatedAt hostTime `json:"updated_at"`
}

type githubInstallation struct {
	ID          int64         `json:"id"`
	Account     githubAccount `json:"account"`
	UpdatedAt   hostTime      `json:"updated_at"`
	SuspendedAt hostTime      `json:"suspended_at"`
}

// githubShort is a repository as installation events list it.
type githubShort struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
	Private  bool   `json:"private"`
}

// GitHub reads a delivery of an event, the value of the header X-GitHub-Event.
// Events that are of no concern tell nothing, and are no error. A body that is
// not what the event should be is *Undecodable; the ids are then as far as they
// could be read.
func GitHub(event string, body []byte) (Event, error) {
	e := Event{Name: event}
	var p githubPayload
	if err := json.Unmarshal(body, &p); err != nil {
		return e, undecodable("the body is not the JSON of this event")
	}
	e.Action = actionOf(p.Action)
	var c checker
	if p.Installation.ID != 0 {
		e.Installation = c.id("installation.id", p.Installation.ID)
	}
	if p.Repository != nil {
		e.Repository = c.id("repository.id", p.Repository.ID)
	}
	if c.err != nil || e.Installation == "" {
		return e, c.err // without an installation nothing here is concerned
	}
	switch event {
	case "installation":
		e.Changes = p.installation(&c)
	case "installation_target":
		e.Changes = p.renamed(&c)
	case "installation_repositories":
		e.Changes = append(p.mention(&c), p.givenAndTaken(&c)...)
	default:
		e.Changes = append(p.mention(&c), p.repository(&c, event)...)
	}
	if c.err != nil {
		e.Changes = nil
	}
	return e, c.err
}

// installation reads what the event of that name tells. GitHub moves updated_at
// when an installation is suspended, and leaves it there when the suspension
// ends.
func (p *githubPayload) installation(c *checker) []Change {
	i := &InstallationSeen{
		ID: c.id("installation.id", p.Installation.ID), Name: c.name("installation.account.login", p.Installation.Account.Login, maxName),
		TargetType: c.optional("installation.account.type", p.Installation.Account.Type, maxName),
		State:      "installed", Version: Version{At: p.Installation.UpdatedAt.Time},
	}
	switch {
	case p.Action == "deleted":
		i.State, i.Rank = "uninstalled", rankEnded // for good: who installs again gets another id
	case p.Action == "unsuspend":
		i.Rank = rankResumed
	case p.Action == "suspend" || !p.Installation.SuspendedAt.IsZero():
		i.State = "suspended"
	}
	changes := []Change{i}
	if p.Action == "created" {
		changes = append(changes, &RepositoriesListed{List: listed(c, "repositories", p.Repositories), Version: Version{At: i.At}})
	}
	return changes
}

// renamed reads that the account was renamed that has the installation.
func (p *githubPayload) renamed(c *checker) []Change {
	if p.Action != "renamed" {
		return nil
	}
	return []Change{&InstallationRenamed{
		ID: c.id("installation.id", p.Installation.ID), Name: c.name("account.login", p.Account.Login, maxName),
		Version: Version{At: p.Account.UpdatedAt.Time},
	}}
}

// mention tells that the installation exists that a delivery names, called as
// the account that owns the repository where it names no account.
func (p *githubPayload) mention(c *checker) []Change {
	name := p.Installation.Account.Login
	if name == "" && p.Repository != nil {
		name = p.Repository.Owner.Login
	}
	if name == "" {
		return nil
	}
	return []Change{&InstallationSeen{
		ID: c.id("installation.id", p.Installation.ID), Name: c.name("installation.account.login", name, maxName),
	}}
}

// givenAndTaken reads which repositories the installation was given and has
// lost. The payload does not tell when.
func (p *githubPayload) givenAndTaken(c *checker) (changes []Change) {
	if len(p.RepositoriesAdded) > 0 {
		changes = append(changes, &RepositoriesListed{List: listed(c, "repositories_added", p.RepositoriesAdded)})
	}
	if len(p.RepositoriesRemoved) > 0 {
		gone := &RepositoriesGone{Version: Version{Rank: rankGone}}
		for _, r := range p.RepositoriesRemoved {
			gone.IDs = append(gone.IDs, c.id("repositories_removed.id", r.ID))
		}
		changes = append(changes, gone)
	}
	return changes
}

// repository reads what a delivery tells of its repository and pull request. A
// pull request that was updated says that its repository was there then.
func (p *githubPayload) repository(c *checker, event string) []Change {
	if p.Repository == nil {
		return nil
	}
	r := p.Repository.seen(c)
	if event == "repository" && p.Action == "deleted" {
		return []Change{&RepositoriesGone{IDs: []string{r.ID}, Version: Version{At: r.At, Rank: rankGone}}}
	}
	changes := []Change{r}
	if event == "pull_request" {
		if p.PullRequest == nil {
			c.fail("pull_request is missing")
			return nil
		}
		pull := p.PullRequest.seen(c, r.ID)
		r.There = later(r.There, pull.At)
		changes = append(changes, pull)
	}
	return changes
}

// split parts a full name, "owner/name".
func split(c *checker, member, full string) (owner, name string) {
	owner, name, _ = strings.Cut(full, "/")
	return c.name(member+" (owner)", owner, maxName), c.name(member+" (name)", name, maxName)
}
