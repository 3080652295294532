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
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// group is a group that the caller can see.
type group struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// listGroups returns the groups of which the caller is a member at GitLab and which
// its credential reaches, sorted by full name. The groups do not have to be known
// to this server.
func (h *hosts) listGroups(ctx context.Context, call httpapi.Call, _ struct{}) ([]group, error) {
	var list []group
	err := h.asCaller(ctx, call, func(client *gitlabhost.Client, _ user.Identity) error {
		found, err := client.Groups(ctx)
		list = []group{}
		for _, g := range found {
			if call.Caller.Within(groupOf(vcs.ID(strconv.FormatInt(g.ID, 10)))) {
				list = append(list, group{g.ID, g.FullName})
			}
		}
		return err
	})
	return list, err
}

// asCaller asks GitLab in the name of the caller. The caller must have logged in
// there; others are refused. Errors of do are turned into errors for the caller. do
// may be called a second time.
func (h *hosts) asCaller(ctx context.Context, call httpapi.Call, do func(*gitlabhost.Client, user.Identity) error) error {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return err
	}
	account, person := u.Identities[vcs.GitLab]
	if _, configured := h.loginHosts[vcs.GitLab]; !configured {
		return fault.Invalidf("VCS_NOT_CONFIGURED", "this server has no application at GitLab: its operator must set GitlabAppId")
	}
	if !person {
		return access.Refuse(access.StepAccount, "the user has never logged in at gitlab")
	}
	of := grant.Holder{User: u.ID, Account: vcs.Account{VCS: vcs.GitLab, ID: account.ID}}
	return explain(h.asPerson(ctx, call, of, h.loginHosts[vcs.GitLab].OAuth.Refresh, func(token string) error {
		client, err := h.vcs.GitLab.As(token)
		if err != nil {
			return err
		}
		return do(client, account)
	}))
}

// explain turns an error of GitLab into one for the caller. The request was made in
// the caller's name. A grant that was revoked, that belongs to a blocked account,
// or that does not allow the request is no valid credential.
func explain(err error) error {
	var refusal *fault.Error
	switch {
	case errors.Is(err, grant.ErrNone):
		return access.Refuse(access.StepHost, "the grant of the login at gitlab is lost: the person has to log in again")
	case errors.Is(err, vcshost.ErrForbidden) && !vcshost.RefusesAddress(err):
		return access.Refuse(access.StepHost, "gitlab does not allow it to the user's account: %v", err)
	case err == nil, errors.As(err, &refusal):
		return err
	}
	return vcshost.Fault(vcs.GitLab, err)
}

// memberResponse says whether the server's own account is a member of a group.
type memberResponse struct {
	Result bool `json:"result"`
}

// isMember reports whether the account of the group's stored token is a member of
// the group, direct or through a parent group. A caller who is not a member of the
// group is refused and learns nothing about it.
func (h *hosts) isMember(ctx context.Context, call httpapi.Call, of vcs.Installation) (memberResponse, error) {
	groups, err := h.groupsOf(ctx, call, of.ID)
	if err != nil {
		return memberResponse{}, err
	}
	if len(groups) == 0 {
		return memberResponse{}, access.Refuse(access.StepMembership, "the credential does not reach the group's installation, by membership and restrictions")
	}
	var member bool
	client, err := h.vcs.Group(ctx, of.ID)
	if err == nil {
		member, err = client.IsMember(ctx)
	}
	if errors.Is(err, vcshost.ErrNoToken) || errors.Is(err, vcshost.ErrRefused) {
		return memberResponse{}, nil
	}
	if err != nil {
		return memberResponse{}, vcshost.Fault(vcs.GitLab, err)
	}
	return memberResponse{member}, nil
}

// botOf returns the account of a group's stored token.
func (h *hosts) botOf(ctx context.Context, id vcs.ID) (vcshost.Profile, error) {
	client, err := h.vcs.Group(ctx, id)
	if err != nil {
		return vcshost.Profile{}, err
	}
	return client.Whoami(ctx)
}

// bot is the account that the server acts as.
type bot struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// decodeWhoareyou returns the id of the group that the request names. It is empty
// if the request names none.
func decodeWhoareyou(r *http.Request) (vcs.ID, error) {
	query := httpapi.NewQuery(r)
	id := vcs.ID(query.String("installation_id", ""))
	if query.Has("installation_id") && !id.Valid() {
		return "", fault.Invalidf("INVALID_PARAMETER", "query parameter installation_id must be the id of a group")
	}
	return id, nil
}

// Limits of whoareyou: how many groups' tokens it reads, and how many of them it
// tries at GitLab.
const (
	maxLooked = 100
	maxTried  = 5
)

// whoareyou returns the account of the token that a group of the caller has stored.
// It is the group that the request names. If the request names none, it is the
// first group, by number, with a token that GitLab accepts. Each group has its own
// token.
func (h *hosts) whoareyou(ctx context.Context, call httpapi.Call, id vcs.ID) (bot, error) {
	groups, err := h.groupsOf(ctx, call, id)
	if err != nil {
		return bot{}, err
	}
	var refused error = fault.ErrNotFound
	tried := 0
	for _, group := range groups[:min(len(groups), maxLooked)] {
		account, err := h.botOf(ctx, group)
		switch {
		case err == nil:
			n, err := strconv.ParseInt(string(account.ID), 10, 64)
			return bot{n, account.Login}, err
		case errors.Is(err, vcshost.ErrNoToken):
			continue
		case vcshost.RefusesAddress(err), !slices.ContainsFunc([]error{vcshost.ErrRefused, vcshost.ErrForbidden, vcshost.ErrGone}, func(ends error) bool { return errors.Is(err, ends) }):
			return bot{}, vcshost.Fault(vcs.GitLab, err)
		}
		refused = vcshost.Fault(vcs.GitLab, vcshost.ErrRefused)
		if tried++; tried == maxTried {
			break
		}
	}
	return bot{}, refused
}

// groupsOf returns the ids of the groups that the caller reaches, sorted by number.
// If id is not empty, it returns only that one, if it is among them.
func (h *hosts) groupsOf(ctx context.Context, call httpapi.Call, id vcs.ID) ([]vcs.ID, error) {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	ids := reached(call, u)
	if id != "" && !slices.Contains(ids, id) {
		return nil, nil
	}
	if id != "" {
		return []vcs.ID{id}, nil
	}
	return ids, nil
}
