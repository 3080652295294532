package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// shown is an installation in the list.
type shown struct {
	AccountStatus string `json:"account_status"`
	CreatedAt     string `json:"created_at"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	Tier          tier   `json:"tier"`
}

// tier exists because clients expect it. This server sells no tiers.
type tier struct {
	Features struct{} `json:"features"`
	Name     string   `json:"name"`
}

// installationList holds the caller's installations.
type installationList struct {
	Installations []shown `json:"installations"`
	// AskedAt is the time at which the VCS was asked about the caller's
	// installations. It is empty if no statement of the VCS is valid.
	AskedAt string `json:"asked_at,omitempty"`
}

// list returns the installations of a VCS that the caller is a member of and its
// credential reaches, sorted by id. It leaves out those that are unknown here or
// were uninstalled. If the caller has logged in at the VCS, it asks the VCS first.
// If the VCS gives no response, it uses the VCS's last statement while that is
// valid.
func (h *hosts) list(ctx context.Context, call httpapi.Call, _ struct{}) (installationList, error) {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return installationList{}, err
	}
	if u.Hosted == nil {
		u.Hosted = map[vcs.VCS]user.Hosted{}
	}
	renewed := h.renew(ctx, call, u)
	if renewed != nil && !errors.Is(renewed, grant.ErrNone) && !noResponse(renewed) {
		return installationList{}, outward(call.VCS, renewed)
	}
	ids := reached(call, u)
	if renewed != nil && len(ids) == 0 {
		return installationList{}, outward(call.VCS, renewed)
	}
	found, err := h.people.Installations.Known(ctx, call.VCS, ids)
	if err != nil {
		return installationList{}, err
	}
	response := installationList{Installations: []shown{}}
	for _, each := range found {
		if each.State != installation.Uninstalled {
			response.Installations = append(response.Installations, show(each))
		}
	}
	said, holds := u.HostedFor(call.Caller, call.VCS, call.Now)
	if holds {
		response.AskedAt = timestamp.Format(said.AskedAt)
	}
	if noResponse(renewed) {
		h.log.LogAttrs(ctx, slog.LevelWarn, "installations listed as the host last said", slog.String("request_id", call.Request),
			slog.String("vcs", string(call.VCS)), slog.String("asked_at", response.AskedAt), slog.String("error", renewed.Error()))
	}
	return response, nil
}

// reached returns the ids of the installations at the call's VCS that the caller is
// a member of and its credential reaches, sorted by number.
func reached(call httpapi.Call, u user.User) []vcs.ID {
	caller := call.Caller
	caller.Memberships = u.MembershipsFor(caller, call.Now)
	var ids []vcs.ID
	for _, m := range caller.Memberships {
		if m.VCS == call.VCS && caller.Reaches(m) {
			ids = append(ids, m.ID)
		}
	}
	slices.SortFunc(ids, vcs.ID.Compare)
	return ids
}

// noResponse reports whether an error of renew says that the VCS gave no response,
// or none in time.
func noResponse(err error) bool {
	return errors.Is(err, vcshost.ErrNoAnswer) || errors.Is(err, grant.ErrRefreshing)
}

// outward turns an error of renew into one for the caller, if it comes from the
// host, from a missing grant, or from a grant that another call refreshes now. Other
// errors, such as those of the storage, are returned unchanged.
func outward(of vcs.VCS, err error) error {
	switch {
	case errors.Is(err, grant.ErrNone):
		return access.Refuse(access.StepHost, "the grant of the login at %s is lost: the person has to log in again", of)
	case noResponse(err):
		return vcshost.Fault(of, err)
	}
	return err
}

// defaultListTime is how long a VCS may take, for all its responses together, to state the
// caller's installations. The gateway gives the function more time. In the rest of it
// the function returns what is stored.
const defaultListTime = 18 * time.Second

// renew asks the VCS again which installations the user may act on, if the user has
// ever logged in there. It stores the statement in the table and in u. It returns
// grant.ErrNone if there is no valid grant of that login, and
// vcshost.ErrNoAnswer if the VCS gives no usable response. Then the earlier
// statement stays valid for some time.
func (h *hosts) renew(ctx context.Context, call httpapi.Call, u user.User) error {
	host, configured := h.loginHosts[call.VCS]
	account, person := u.Identities[call.VCS]
	if !configured || !person {
		return nil
	}
	of := grant.Holder{User: u.ID, Account: vcs.Account{VCS: call.VCS, ID: account.ID}}
	wait := &budget{left: cmp.Or(h.listTime, defaultListTime)}
	var ids []vcs.ID
	err := h.asPerson(ctx, call, of, wait.refresher(host.OAuth.Refresh), func(token string) (err error) {
		ids, err = h.people.Renew(ctx, call.Author(), timed{host.People, wait}, of, token)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(ids)
	u.Hosted[call.VCS] = user.Hosted{Installations: ids, AskedAt: call.Now}
	return nil
}

func show(i installation.Installation) shown {
	return shown{
		ID: string(i.ID), Name: i.Name, CreatedAt: timestamp.Format(i.CreatedAt), AccountStatus: status(i), Tier: tier{Name: "Unknown"},
	}
}

// status returns the client's name of an installation's state. On GitHub it is the
// state of an account, on GitLab that of the webhook.
func status(i installation.Installation) string {
	if i.VCS == vcs.GitLab {
		if i.State == installation.Installed {
			return "installed"
		}
		return "pending"
	}
	if i.State == installation.Suspended {
		return "disabled"
	}
	return "active"
}
