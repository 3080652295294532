package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// waitingRow is a pull request that waits for people.
type waitingRow struct {
	about
	WaitsFor evaluator.WaitsFor `json:"waits_for"`
	Since    string             `json:"since"`
	// Approvals are those that are missing, if it waits for one.
	Approvals []evaluator.Approval `json:"approvals,omitempty"`
	Dirspaces []dirspace           `json:"dirspaces"`
	Omitted   int                  `json:"dirspaces_omitted,omitempty"`
}

type waitingPage struct {
	paging.Links
	PullRequests []waitingRow `json:"pull_requests"`
}

// waitingFor is a page of pull requests that wait.
type waitingFor struct {
	listing
	// me asks only for those that the caller can help on.
	me bool
}

func decodeWaiting(r *http.Request) (waitingFor, error) {
	l, err := decodeListing(r)
	if err != nil {
		return waitingFor{}, err
	}
	values := httpapi.NewQuery(r)
	q := waitingFor{l, values.String("for", "") == "me"}
	if values.Has("for") && !q.me {
		return waitingFor{}, fault.Invalidf("INVALID_PARAMETER", "query parameter for must be me")
	}
	return q, nil
}

// listWaiting lists the pull requests of an installation that wait for an approval or an
// apply.
func (e *explanations) listWaiting(ctx context.Context, call httpapi.Call, q waitingFor) (waitingPage, error) {
	found, last, err := e.evaluator.Waiting(ctx, call.Installation, q.query(call.Installation))
	if err != nil {
		return waitingPage{}, err
	}
	goesOn := on(last)
	if q.me {
		p, err := e.person(ctx, call)
		if err != nil {
			return waitingPage{}, err
		}
		var stopped *place
		if found, stopped, err = p.choose(ctx, found); err != nil {
			return waitingPage{}, hostFault(call.VCS, err)
		}
		if stopped != nil {
			goesOn = stopped
		}
	}
	rows := make([]waitingRow, len(found))
	for i, w := range found {
		rows[i] = waitingRow{
			about: aboutOf(w.PullRequest.Repository.ID, w.PullRequest.Number, w.About), WaitsFor: w.For, Since: timestamp.Format(w.Since), Approvals: w.Approvals,
			Dirspaces: make([]dirspace, len(w.Dirspaces)), Omitted: w.Count - len(w.Dirspaces),
		}
		for n, d := range w.Dirspaces {
			rows[i].Dirspaces[n] = dirspaceOf(d)
		}
	}
	page := part(q.listing, rows, goesOn, func(r waitingRow) place { return r.place() })
	return waitingPage{page.Links(), page.Results}, nil
}

// person returns the caller as the host knows them.
func (e *explanations) person(ctx context.Context, call httpapi.Call) (*person, error) {
	u, err := e.users.Get(ctx, call.Caller.User)
	if errors.Is(err, user.ErrNotFound) {
		return nil, access.Refuse(access.StepAccount, "the user is gone")
	}
	if err != nil {
		return nil, err
	}
	account, ok := u.Identities[call.VCS]
	if !ok {
		return nil, fault.Invalidf("NO_ACCOUNT", "the caller has no account at %s, so nothing there waits for them: log in there first, or leave out the parameter for", call.VCS.Label())
	}
	host, err := e.evaluator.Open(ctx, call.Installation)
	if err != nil {
		return nil, hostFault(call.VCS, err)
	}
	return &person{account: vcshost.Profile{ID: account.ID, Login: account.Login}, host: &memory{Host: host, said: map[string]string{}}}, nil
}
