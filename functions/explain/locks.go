package main

import (
	"context"
	"net/http"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// lockRow is a pull request that holds locks.
type lockRow struct {
	about
	BaseBranch string           `json:"base_branch"`
	Reason     rules.LockReason `json:"reason"`
	Since      string           `json:"since"`
	Text       string           `json:"text"`
	WayOut     string           `json:"way_out"`
	Command    string           `json:"command"`
	Dirspaces  []dirspace       `json:"dirspaces"`
	Omitted    int              `json:"dirspaces_omitted,omitempty"`
}

type dirspace struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
}

func dirspaceOf(d run.Dirspace) dirspace { return dirspace{d.Dir, d.Workspace} }

type lockPage struct {
	paging.Links
	Locks []lockRow `json:"locks"`
}

func decodeLocks(r *http.Request) (listing, error) { return decodeListing(r) }

// listLocks lists the pull requests of an installation that hold locks now.
func (e *explanations) listLocks(ctx context.Context, call httpapi.Call, l listing) (lockPage, error) {
	found, last, err := e.evaluator.Locks(ctx, call.Installation, l.query(call.Installation))
	if err != nil {
		return lockPage{}, err
	}
	rows := make([]lockRow, len(found))
	for i, h := range found {
		rows[i] = lockRow{
			about: aboutOf(h.PullRequest.Repository.ID, h.PullRequest.Number, h.About), BaseBranch: h.Branch, Reason: h.Reason, Since: timestamp.Format(h.Since),
			Text: h.Text, WayOut: h.WayOut, Command: h.Command, Dirspaces: make([]dirspace, len(h.Set)), Omitted: h.Count - len(h.Set),
		}
		for n, d := range h.Set {
			rows[i].Dirspaces[n] = dirspaceOf(d.Dirspace)
		}
	}
	page := part(l, rows, on(last), func(r lockRow) place { return r.place() })
	return lockPage{page.Links(), page.Results}, nil
}

// on returns the place of a pull request, or nil.
func on(last *vcs.PullRequest) *place {
	if last == nil {
		return nil
	}
	return placeOf(*last)
}
