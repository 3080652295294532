package vcsevent

import (
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// githubAccount is an organisation, a user or an enterprise. An enterprise has a
// slug instead of a login. Only events about accounts state when the account was
// updated.
type githubAccount struct {
	ID        member[int64]  `json:"id"`
	Login     member[string] `json:"login"`
	Slug      member[string] `json:"slug"`
	Type      member[string] `json:"type"`
	UpdatedAt hostTime       `json:"updated_at"`
}

// name returns the account's name. It is empty if the payload does not state it.
func (a githubAccount) name() string {
	if login := optional(a.Login, maxName); login != "" {
		return login
	}
	return optional(a.Slug, maxName)
}

// githubInstallation is an installation. Events that are not about installations
// state only its id.
type githubInstallation struct {
	ID          member[int64]         `json:"id"`
	Account     member[githubAccount] `json:"account"`
	AppID       member[int64]         `json:"app_id"`
	TargetType  member[string]        `json:"target_type"`
	UpdatedAt   hostTime              `json:"updated_at"`
	SuspendedAt hostTime              `json:"suspended_at"`
}

// githubShort is a repository in the form that installation events list.
type githubShort struct {
	ID       member[int64]  `json:"id"`
	FullName member[string] `json:"full_name"`
	Private  member[bool]   `json:"private"`
}

// installation reads the facts of the event "installation". GitHub changes
// updated_at when an installation is suspended, but not when the suspension ends.
// The account may be null, for example if the account itself is deleted. The id is
// enough.
func (p *githubPayload) installation(c *checker) []Fact {
	told := p.Installation.value
	if !told.Account.there && !told.AppID.there && !told.TargetType.there {
		c.fail("the body is not that of the event installation: installation.account is missing")
		return nil
	}
	account := told.Account.value
	i := &InstallationSeen{
		ID: c.id("installation.id", told.ID), Name: account.name(), TargetType: optional(account.Type, maxName),
		State: "installed", Moment: vcs.Moment{At: told.UpdatedAt.Time},
	}
	if i.TargetType == "" { // enterprises have none of their own
		i.TargetType = optional(told.TargetType, maxName)
	}
	action := p.action(c)
	switch action {
	case "deleted":
		i.State, i.Rank = "uninstalled", vcs.RankEnded // final: a new installation of the App gets another id
	case "unsuspend":
		i.Rank = vcs.RankResumed
	case "suspend":
		i.State = "suspended"
	case "created", "new_permissions_accepted":
		if !told.SuspendedAt.IsZero() {
			i.State = "suspended"
		}
	default:
		return p.mention(c)
	}
	facts := []Fact{i}
	if action == "created" {
		facts = append(facts, &RepositoriesListed{List: listed(c, "repositories", p.Repositories), Moment: vcs.Moment{At: i.At}})
	}
	return facts
}

// renamed reads that the account of the installation was renamed.
func (p *githubPayload) renamed(c *checker) []Fact {
	if p.action(c) != "renamed" {
		return nil
	}
	account := part(c, "account", p.Account)
	name := account.name()
	if name == "" {
		c.fail("account.login and account.slug are missing, longer than %d bytes, or no text", maxName)
	}
	return []Fact{&InstallationRenamed{
		ID: c.id("installation.id", p.Installation.value.ID), Name: name, Moment: vcs.Moment{At: account.UpdatedAt.Time},
	}}
}

// givenAndTaken reads which repositories the installation was given and which it
// has lost. The payload does not state when.
func (p *githubPayload) givenAndTaken(c *checker) (facts []Fact) {
	if action := p.action(c); action != "added" && action != "removed" {
		return nil
	}
	if list := listed(c, "repositories_added", p.RepositoriesAdded); len(list) > 0 {
		facts = append(facts, &RepositoriesListed{List: list})
	}
	gone := &RepositoriesGone{Moment: vcs.Moment{Rank: vcs.RankGone}}
	each(c, "repositories_removed", p.RepositoriesRemoved, func(c *checker, path string, r githubShort) {
		if id := c.id(path+".id", r.ID); id != "" {
			gone.IDs = append(gone.IDs, id)
		}
	})
	if len(gone.IDs) > 0 {
		facts = append(facts, gone)
	}
	return facts
}

// listed reads repositories in the form that installation events list.
func listed(c *checker, path string, list member[[]member[githubShort]]) []vcs.Description {
	found := []vcs.Description{}
	each(c, path, list, func(c *checker, path string, r githubShort) {
		full := c.text(path+".full_name", r.FullName, maxBranch)
		owner, name, _ := strings.Cut(full, "/")
		repository := vcs.Description{
			ID: c.id(path+".id", r.ID), Owner: c.name(path+".full_name (owner)", owner, maxName), Name: c.name(path+".full_name (name)", name, maxName),
			Private: told(r.Private),
		}
		if c.err == nil {
			found = append(found, repository)
		}
	})
	return found
}

// each reads the entries of a list. An entry that cannot be read is left out, so
// that the others are still used.
func each[T any](c *checker, path string, list member[[]member[T]], read func(c *checker, path string, entry T)) {
	for n, entry := range part(c, path, list) {
		var own checker
		at := fmt.Sprintf("%s.%d", path, n)
		value := part(&own, at, entry)
		if own.err == nil {
			read(&own, at, value)
		}
		if own.err != nil {
			c.skip(own.err.(*Undecodable).Reason)
		}
	}
}

// told returns a boolean that a payload states. It returns nil if the member is not
// a boolean. If the member is absent, GitHub's default holds: false.
func told(m member[bool]) *bool {
	if m.wrong != "" || m.null {
		return nil
	}
	return &m.value
}
