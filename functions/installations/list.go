package main

import (
	"context"
	"net/http"
	"slices"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/httpapi"
	"github.com/opsplane/opsplane/shared/installation"
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
}

func vcsOf(r *http.Request) (string, error) { return r.PathValue("vcs"), nil }

// list answers the installations of a VCS that the caller is a member of and
// its credential reaches, by id, but for those that are unknown here or were
// uninstalled.
func (i *installations) list(ctx context.Context, call httpapi.Call, vcs string) (installationList, error) {
	memberships := call.Caller.Memberships
	if call.Caller.Partial {
		u, err := i.users.Get(ctx, call.Caller.User)
		if err != nil {
			return installationList{}, err
		}
		memberships = u.MembershipsFor(call.Caller.Kind, call.Now)
	}
	var ids []string
	reached := call.Caller
	reached.Memberships = memberships
	for _, m := range memberships {
		if m.VCS == vcs && reached.Reaches(access.Target(m)) {
			ids = append(ids, m.Installation)
		}
	}
	slices.SortFunc(ids, byNumber)
	found, err := i.known.Known(ctx, vcs, ids)
	if err != nil {
		return installationList{}, err
	}
	answer := installationList{Installations: []shown{}}
	for _, each := range found {
		if each.State != installation.Uninstalled {
			answer.Installations = append(answer.Installations, show(each))
		}
	}
	return answer, nil
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
