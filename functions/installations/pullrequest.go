package main

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
)

// pullRequestRow is a pull request in the list. What the host has not stated is
// left out.
type pullRequestRow struct {
	BaseBranch string `json:"base_branch"`
	BaseSHA    string `json:"base_sha,omitempty"`
	Branch     string `json:"branch"`
	// LatestRunAt is when the newest run was created; empty if there is none.
	LatestRunAt string      `json:"latest_work_manifest_run_at,omitempty"`
	MergedAt    string      `json:"merged_at,omitempty"`
	MergedSHA   string      `json:"merged_sha,omitempty"`
	Name        string      `json:"name"`
	Owner       string      `json:"owner"`
	PullNumber  int64       `json:"pull_number"`
	Repository  json.Number `json:"repository"`
	SHA         string      `json:"sha,omitempty"`
	State       string      `json:"state"`
	Title       string      `json:"title,omitempty"`
	User        string      `json:"user,omitempty"`
}

type pullRequestPage struct {
	paging.Links
	PullRequests []pullRequestRow `json:"pull_requests"`
}

func decodePullRequests(r *http.Request) (listQuery, error) {
	page, err := paging.Decode(r, pullRequestShape)
	if err != nil {
		return listQuery{}, err
	}
	if !page.First() {
		if _, ok := number(page.Cursor[0]); !ok || !page.Plain && !vcs.ID(page.Cursor[1]).Valid() {
			return listQuery{}, paging.ErrCursor
		}
	}
	q := listQuery{page: page}
	if query := httpapi.NewQuery(r); query.Has("pr") {
		var ok bool
		if q.number, ok = number(query.String("pr", "")); !ok {
			return listQuery{}, fault.Invalidf("INVALID_PARAMETER", "query parameter pr must be a whole number above 0")
		}
	}
	return q, nil
}

// number reads a pull request's number: decimal, 1 or more.
func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0 && n < math.MaxInt64
}

// listPullRequests returns an installation's pull requests, the largest number
// first.
func (i *installations) listPullRequests(ctx context.Context, call httpapi.Call, q listQuery) (pullRequestPage, error) {
	query := pullrequest.Query{Number: q.number, Limit: q.page.Limit + 1}
	if !q.page.First() {
		n, _ := number(q.page.Cursor[0]) // decoding has checked it
		switch {
		case q.page.Plain && q.page.Backward:
			query.BeforeNumber = n
		case q.page.Plain:
			query.AfterNumber = n
		case q.page.Backward:
			query.Before = pullrequest.PullRequest{Number: n, Repository: vcs.ID(q.page.Cursor[1])}.Cursor()
		default:
			query.After = pullrequest.PullRequest{Number: n, Repository: vcs.ID(q.page.Cursor[1])}.Cursor()
		}
	}
	rows, err := i.pullRequests.List(ctx, call.Installation, query)
	if err != nil {
		return pullRequestPage{}, err
	}
	page := paging.PageOf(q.page, rows, func(p pullrequest.PullRequest) []string {
		return []string{strconv.FormatInt(p.Number, 10), string(p.Repository)}
	})
	var ids []vcs.ID
	named := make([]runstore.PullRequest, len(page.Results))
	for n, p := range page.Results {
		ids = append(ids, p.Repository)
		named[n] = runstore.PullRequest{Repository: call.Installation.Repository(p.Repository), Number: p.Number}
	}
	names, err := i.repositories.Names(ctx, call.Installation, ids)
	if err != nil {
		return pullRequestPage{}, err
	}
	newest, err := i.runs.NewestRuns(ctx, named)
	if err != nil {
		return pullRequestPage{}, err
	}
	response := pullRequestPage{Links: page.Links(), PullRequests: make([]pullRequestRow, len(page.Results))}
	for n, p := range page.Results {
		response.PullRequests[n] = pullRequestRow{
			BaseBranch: p.BaseBranch, BaseSHA: p.BaseSHA, Branch: p.Branch, MergedAt: timestamp.Format(p.MergedAt), MergedSHA: p.MergedSHA,
			Name: names[p.Repository].Name, Owner: names[p.Repository].Owner, PullNumber: p.Number, Repository: json.Number(p.Repository), SHA: p.SHA,
			State: string(p.State), Title: p.Title, User: p.User, LatestRunAt: timestamp.Format(newest[named[n]]),
		}
	}
	return response, nil
}
