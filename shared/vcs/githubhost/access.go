package githubhost

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// roles are the names of the roles that GitHub itself has.
var roles = []string{"admin", "maintain", "write", "triage", "read"}

// access is what GitHub states about an account in a repository.
type access struct {
	// Permission is admin, write, read or none. GitHub folds the role "maintain" into
	// write and "triage" into read ("Get repository permissions for a user", GitHub
	// documentation).
	Permission string `json:"permission"`
	// Role is the name of the role. It may be one that an organisation has made. Old
	// Enterprise Servers do not state it.
	Role string `json:"role_name"`
	User struct {
		ID int64 `json:"id"`
	} `json:"user"`
}

// access returns what an account may do in a repository. GitHub finds the account by
// its login, and a login may belong to another account by now. So access reports
// false unless the account's id is the same.
func (i *Installation) access(ctx context.Context, r vcs.Description, account vcshost.Profile) (access, bool, error) {
	const doing = "read permission"
	var a access
	_, err := get(ctx, i.client, doing, fmt.Sprintf("repos/%s/%s/collaborators/%s/permission", r.Owner, r.Name, url.PathEscape(account.Login)), &a)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return access{}, false, nil
	case err != nil:
		return access{}, false, err
	case a.Permission == "" || a.User.ID <= 0:
		return access{}, false, fmt.Errorf("github: %s: the answer does not have the permission and the account", doing)
	}
	return a, strconv.FormatInt(a.User.ID, 10) == string(account.ID), nil
}

// MayWrite reports whether an account may push to a repository.
func (i *Installation) MayWrite(ctx context.Context, r vcs.Description, account vcshost.Profile) (bool, error) {
	a, same, err := i.access(ctx, r, account)
	return same && (a.Permission == "write" || a.Permission == "admin"), err
}

// Role returns the role of an account in a repository: admin, maintain, write, triage
// or read. A role that an organisation has made counts as the permission that it is
// based on: admin, write or read. Role returns the empty text for an account without
// access.
func (i *Installation) Role(ctx context.Context, r vcs.Description, account vcshost.Profile) (string, error) {
	a, same, err := i.access(ctx, r, account)
	if err != nil || !same {
		return "", err
	}
	for _, name := range []string{a.Role, a.Permission} {
		if slices.Contains(roles, name) {
			return name, nil
		}
	}
	return "", nil
}

// InTeam reports whether an account is an active member of a team, or of a team within
// it, of the organisation that has the repository. team is the team's slug. A team that
// does not exist has no members. GitHub finds the member by the login, and states no id.
// So login must be one that GitHub stated just now.
func (i *Installation) InTeam(ctx context.Context, r vcs.Description, team string, account vcshost.Profile) (bool, error) {
	const doing = "read membership of a team"
	if team == "" || team == "." || team == ".." {
		return false, nil
	}
	var m struct {
		State string `json:"state"`
	}
	_, err := get(ctx, i.client, doing, fmt.Sprintf("orgs/%s/teams/%s/memberships/%s", r.Owner, url.PathEscape(team), url.PathEscape(account.Login)), &m)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return false, nil
	case err != nil:
		return false, err
	case m.State == "":
		return false, fmt.Errorf("github: %s: the answer does not have the state", doing)
	}
	return m.State == "active", nil
}
