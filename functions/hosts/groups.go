package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/grouptoken"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const gitlabName = "gitlab"

// group is a group that the caller can see.
type group struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// listGroups answers the groups of which the caller is a member at GitLab and
// which its credential reaches, by full name, known here or not.
func (h *hosts) listGroups(ctx context.Context, call httpapi.Call, _ struct{}) ([]group, error) {
	var list []group
	err := h.asCaller(ctx, call, func(client *gitlabhost.Client, _ user.Identity) error {
		found, err := client.Groups(ctx)
		list = []group{}
		for _, g := range found {
			if call.Caller.Within(vcs.Installation{VCS: gitlabName, ID: vcs.ID(strconv.FormatInt(g.ID, 10))}) {
				list = append(list, group{g.ID, g.FullName})
			}
		}
		return err
	})
	return list, err
}

// asCaller asks GitLab in the name of the caller, who must have logged in there:
// others are refused. What do answers is explained to the caller; it may be called
// a second time.
func (h *hosts) asCaller(ctx context.Context, call httpapi.Call, do func(*gitlabhost.Client, user.Identity) error) error {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return err
	}
	account, person := u.Identities[gitlabName]
	if _, configured := h.providers[gitlabName]; !configured {
		return fault.Invalidf("VCS_NOT_CONFIGURED", "this server has no application at GitLab: its operator must set GitlabAppId")
	}
	if !person {
		return access.Refuse(access.StepAccount, "the user has never logged in at gitlab")
	}
	of := session.Holder{User: u.ID, VCS: gitlabName, Account: account.ID}
	return explain(h.asPerson(ctx, call, of, h.providers[of.VCS].OAuth.Refresh, func(token string) error {
		client, err := h.gitlab.As(token)
		if err != nil {
			return err
		}
		return do(client, account)
	}))
}

// explain makes of an error of GitLab's, asked in the name of the caller, one
// for the caller: a grant that was taken back is no credential, nor is one of an
// account that is blocked, or that does not reach so far.
func explain(err error) error {
	var refusal *fault.Error
	switch {
	case errors.Is(err, session.ErrNoGrant):
		return access.Refuse(access.StepHost, "the grant of the login at gitlab is lost: the person has to log in again")
	case errors.Is(err, vcshost.ErrForbidden) && !vcshost.RefusesAddress(err):
		return access.Refuse(access.StepHost, "gitlab does not allow it to the user's account: %v", err)
	case err == nil, errors.As(err, &refusal):
		return err
	}
	return vcshost.Fault(gitlabName, err)
}

// membership says whether the server's own account is a member of a group.
type membership struct {
	Result bool `json:"result"`
}

// isMember answers whether the account whose token the group has stored is a
// member of the group, by the groups around it too. Who is no member of the
// group is told nothing of it.
func (h *hosts) isMember(ctx context.Context, call httpapi.Call, id string) (membership, error) {
	reaches, err := h.reaches(ctx, call, id)
	if err != nil {
		return membership{}, err
	}
	if !reaches {
		return membership{}, access.Refuse(access.StepMembership, "the credential does not reach the group's installation, by membership and restrictions")
	}
	client, account, err := h.asGroup(ctx, id)
	if errors.Is(err, grouptoken.ErrNone) || errors.Is(err, vcshost.ErrRefused) {
		return membership{}, nil
	}
	if err != nil {
		return membership{}, vcshost.Fault(gitlabName, err)
	}
	level, err := client.Level(ctx, id, account.ID)
	if err != nil {
		return membership{}, vcshost.Fault(gitlabName, err)
	}
	return membership{level > 0}, nil
}

// reaches reports whether the caller is a member of the group's installation.
func (h *hosts) reaches(ctx context.Context, call httpapi.Call, id string) (bool, error) {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return false, err
	}
	caller := call.Caller
	caller.Memberships = u.MembershipsFor(caller, call.Now)
	return caller.Reaches(vcs.Installation{VCS: gitlabName, ID: vcs.ID(id)}), nil
}

// asGroup is GitLab asked with a group's own token, and whose that is.
func (h *hosts) asGroup(ctx context.Context, id string) (*gitlabhost.Client, gitlabhost.Account, error) {
	text, err := h.groups.Get(ctx, id)
	if err != nil {
		return nil, gitlabhost.Account{}, err
	}
	client, err := h.gitlab.As(text)
	if err != nil {
		return nil, gitlabhost.Account{}, err
	}
	account, err := client.Whoami(ctx)
	return client, account, err
}

// bot is the account that the server acts as.
type bot struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

func decodeWhoareyou(r *http.Request) (string, error) {
	if _, err := gitlabOnly(r); err != nil {
		return "", err
	}
	query := httpapi.NewQuery(r)
	id := query.String("installation_id", "")
	if query.Has("installation_id") && installation.ValidID(gitlabName, id) != nil {
		return "", fault.Invalidf("INVALID_PARAMETER", "query parameter installation_id must be the id of a group")
	}
	return id, nil
}

// Bounds of where whoareyou looks: how many groups' tokens it reads, and how
// many of them it tries at GitLab.
const (
	maxLooked = 100
	maxTried  = 5
)

// whoareyou answers the account whose token a group of the caller has stored:
// the group that is named, or the first one by number that has a token which
// GitLab takes. Each group has a token of its own.
func (h *hosts) whoareyou(ctx context.Context, call httpapi.Call, id string) (bot, error) {
	groups, err := h.groupsOf(ctx, call, id)
	if err != nil {
		return bot{}, err
	}
	var answer error = fault.ErrNotFound
	tried := 0
	for _, group := range groups[:min(len(groups), maxLooked)] {
		_, account, err := h.asGroup(ctx, group)
		switch {
		case err == nil:
			n, err := strconv.ParseInt(account.ID, 10, 64)
			return bot{n, account.Username}, err
		case errors.Is(err, grouptoken.ErrNone):
			continue
		case vcshost.RefusesAddress(err), !slices.ContainsFunc([]error{vcshost.ErrRefused, vcshost.ErrForbidden, vcshost.ErrGone}, func(ends error) bool { return errors.Is(err, ends) }):
			return bot{}, vcshost.Fault(gitlabName, err)
		}
		answer = vcshost.Fault(gitlabName, vcshost.ErrRefused)
		if tried++; tried == maxTried {
			break
		}
	}
	return bot{}, answer
}

// groupsOf lists the ids of the groups that the caller reaches, by number; with
// an id that one alone, if it is among them.
func (h *hosts) groupsOf(ctx context.Context, call httpapi.Call, id string) ([]string, error) {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	caller := call.Caller
	caller.Memberships = u.MembershipsFor(caller, call.Now)
	var ids []string
	for _, m := range caller.Memberships {
		if m.VCS == gitlabName && (id == "" || string(m.ID) == id) && caller.Reaches(m) {
			ids = append(ids, string(m.ID))
		}
	}
	slices.SortFunc(ids, byNumber)
	return ids, nil
}
