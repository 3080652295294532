package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// developer is the access level of GitLab from which a member may push.
const developer = 30

// roles are the lowest access levels of the roles, the highest first. GitLab's own names
// are Owner, Maintainer, Developer, Reporter and Guest. A level in between has the rights
// of the one below it ("Roles and permissions", "Members API", GitLab documentation). The
// level 5, minimal access, gives no right in a project.
var roles = []struct {
	level int
	name  string
}{{50, "admin"}, {Maintainer, "maintain"}, {developer, "write"}, {20, "triage"}, {guest, "read"}}

// guest is the lowest access level that gives a right.
const guest = 10

// MayWrite reports whether an account is a member of a project, direct or through a
// group, with at least the role of a developer.
func (i *Installation) MayWrite(ctx context.Context, r vcs.Description, account vcshost.Profile) (bool, error) {
	level, err := i.projectLevel(ctx, r, account)
	return level >= developer, err
}

// Role returns what an account may do in a project as a member, direct or through a group:
// "admin", "maintain", "write", "triage" or "read". It returns the empty text for an
// account that is not a member, also in a public project.
func (i *Installation) Role(ctx context.Context, r vcs.Description, account vcshost.Profile) (string, error) {
	level, err := i.projectLevel(ctx, r, account)
	if err != nil {
		return "", err
	}
	for _, role := range roles {
		if level >= role.level {
			return role.name, nil
		}
	}
	return "", nil
}

// projectLevel returns the access level of an account in a project, direct or through a
// group. It is 0 if the account is not a member, or not an active one.
func (i *Installation) projectLevel(ctx context.Context, r vcs.Description, account vcshost.Profile) (int, error) {
	const doing = "read membership"
	if !account.ID.Valid() {
		return 0, fmt.Errorf("gitlab: %s: the account has no id", doing)
	}
	var m struct {
		ID    int64  `json:"id"`
		Level int    `json:"access_level"`
		State string `json:"state"`
	}
	_, err := i.get(ctx, doing, projectPath(r, "members", "all", string(account.ID)), nil, &m)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return 0, nil
	case err != nil:
		return 0, err
	case m.ID <= 0:
		return 0, fmt.Errorf("gitlab: %s: the answer does not have the member's id", doing)
	case strconv.FormatInt(m.ID, 10) != string(account.ID) || m.State != "active":
		return 0, nil
	}
	return m.Level, nil
}

// InTeam reports whether an account is a direct member of a group. The team is the path of
// a group below the project's top-level group, such as "platform/sre", or a full path that
// begins with that of the top-level group. Members of the groups above are not counted:
// all of them are members of each subgroup, so that each could approve in the name of each
// team. GitLab's own approval rules count like this ("Merge request approval rules",
// GitLab documentation: group approvers). A group that does not exist, or that the token
// cannot see, has no members.
func (i *Installation) InTeam(ctx context.Context, r vcs.Description, team string, account vcshost.Profile) (bool, error) {
	if team == "" {
		return false, nil
	}
	group := team
	if team != r.Owner && !strings.HasPrefix(team, r.Owner+"/") {
		group = r.Owner + "/" + team
	}
	if strings.Trim(group, "0123456789") == "" {
		return false, nil // GitLab would take the path for the id of any group
	}
	level, err := i.level(ctx, i.gitlab.GroupMembers.GetGroupMember, group, account.ID)
	return level >= guest, err
}
