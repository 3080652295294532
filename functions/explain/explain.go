package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explaining is a request for an explanation.
type explaining struct {
	repository vcs.ID
	number     int64
	// all asks for every directory, also those that the change does not touch.
	all bool
}

func decodeExplain(r *http.Request) (explaining, error) {
	q := explaining{repository: vcs.ID(r.PathValue("repo_id"))}
	if !q.repository.Valid() {
		return q, fault.Invalidf("INVALID_REPO_ID", "%.40q is not the id of a repository; it is a number", q.repository)
	}
	var err error
	if q.number, err = strconv.ParseInt(r.PathValue("pull_request_id"), 10, 64); err != nil || q.number < 1 {
		return q, fault.Invalidf("INVALID_PULL_REQUEST_ID", "%.40q is not the number of a pull request; the first number is 1", r.PathValue("pull_request_id"))
	}
	values := httpapi.NewQuery(r)
	q.all = values.Bool("all", false)
	return q, values.Err()
}

// explain explains a pull request. The host is asked what it is like now.
func (e *explanations) explain(ctx context.Context, call httpapi.Call, q explaining) (explanation, error) {
	of := call.Installation.Repository(q.repository)
	if _, err := e.known.Get(ctx, of); err != nil {
		return explanation{}, err
	}
	found, err := e.evaluator.Explain(ctx, of, q.number)
	if errors.Is(err, vcshost.ErrGone) {
		return explanation{}, fault.ErrNotFound
	}
	if err != nil {
		return explanation{}, hostFault(call.VCS, err)
	}
	return explanationOf(q, found)
}
