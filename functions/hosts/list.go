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
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
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

// tier is there because clients ask for it: this server sells none.
type tier struct {
	Features struct{} `json:"features"`
	Name     string   `json:"name"`
}

// list of the caller's installations.
type installationList struct {
	Installations []shown `json:"installations"`
	// AskedAt is when the VCS was asked for what it says of the caller; empty where
	// nothing that it said holds.
	AskedAt string `json:"asked_at,omitempty"`
}

// list answers the installations of a VCS that the caller is a member of and
// its credential reaches, by id, but for those that are unknown here or were
// uninstalled. Of a caller who has logged in at the VCS it asks the VCS first. If
// that gives no answer, what it said last is answered for as long as it holds.
func (h *hosts) list(ctx context.Context, call httpapi.Call, vcs string) (installationList, error) {
	u, err := h.people.Users.Admitted(ctx, call.Caller)
	if err != nil {
		return installationList{}, err
	}
	if u.Hosted == nil {
		u.Hosted = map[string]user.Hosted{}
	}
	renewed := h.renew(ctx, call, vcs, u)
	if renewed != nil && !errors.Is(renewed, session.ErrNoGrant) && !unanswered(renewed) {
		return installationList{}, outward(vcs, renewed)
	}
	reached := call.Caller
	reached.Memberships = u.MembershipsFor(call.Caller, call.Now)
	var ids []string
	for _, m := range reached.Memberships {
		if string(m.VCS) == vcs && reached.Reaches(m) {
			ids = append(ids, string(m.ID))
		}
	}
	if renewed != nil && len(ids) == 0 {
		return installationList{}, outward(vcs, renewed)
	}
	slices.SortFunc(ids, byNumber)
	found, err := h.people.Installations.Known(ctx, vcs, ids)
	if err != nil {
		return installationList{}, err
	}
	answer := installationList{Installations: []shown{}}
	for _, each := range found {
		if each.State != installation.Uninstalled {
			answer.Installations = append(answer.Installations, show(each))
		}
	}
	said, holds := u.HostedFor(call.Caller, vcs, call.Now)
	if holds {
		answer.AskedAt = stamp(said.AskedAt)
	}
	if unanswered(renewed) {
		h.log.LogAttrs(ctx, slog.LevelWarn, "installations listed as the host last said", slog.String("request_id", call.Request),
			slog.String("vcs", vcs), slog.String("asked_at", answer.AskedAt), slog.String("error", renewed.Error()))
	}
	return answer, nil
}

// unanswered reports whether an error of renew says that the VCS gave no answer,
// or none in time.
func unanswered(err error) bool {
	return errors.Is(err, vcshost.ErrNoAnswer) || errors.Is(err, session.ErrRefreshing)
}

// outward makes of an error of renew one for the caller. What is neither the
// host's nor a refusal is storage's, and stays as it is.
func outward(vcs string, err error) error {
	switch {
	case errors.Is(err, session.ErrNoGrant):
		return access.Refuse(access.StepHost, "the grant of the login at %s is lost: the person has to log in again", vcs)
	case errors.Is(err, vcshost.ErrNoAnswer):
		return vcshost.Fault(vcs, err)
	}
	return err
}

// askTime is how long a VCS may take, all its answers together, to say what the
// caller may act on. It leaves time, of what the gateway gives the function, to
// answer what is remembered.
const askTime = 18 * time.Second

// renew has the VCS say anew what the user may act on, in u too, if the user has
// ever logged in there. session.ErrNoGrant if the grant of that login is lost,
// vcshost.ErrNoAnswer if the VCS says nothing: then what it said before holds for
// a while.
func (h *hosts) renew(ctx context.Context, call httpapi.Call, vcs string, u user.User) error {
	provider, ok := h.providers[vcs]
	account, person := u.Identities[vcs]
	if !ok || !person {
		return nil
	}
	of := session.Holder{User: u.ID, VCS: vcs, Account: account.ID}
	wait := &budget{left: cmp.Or(h.patience, askTime)}
	var ids []string
	err := h.asPerson(ctx, call, of, wait.refresher(provider.OAuth.Refresh), func(token string) (err error) {
		ids, err = h.people.Renew(ctx, call.Author(), timed{provider.Host, wait}, of, token)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(ids)
	u.Hosted[vcs] = user.Hosted{Installations: ids, AskedAt: call.Now}
	return nil
}

// byNumber compares decimal numbers without leading zeros.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return slices.Compare([]byte(a), []byte(b))
}

func show(i installation.Installation) shown {
	return shown{
		ID: i.ID, Name: i.Name, CreatedAt: stamp(i.CreatedAt), AccountStatus: status(i), Tier: tier{Name: "Unknown"},
	}
}

// status is what clients call an installation's state: on GitHub that of an
// account, on GitLab that of the webhook.
func status(i installation.Installation) string {
	if i.VCS == "gitlab" {
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

// stamp formats a time to the second.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
