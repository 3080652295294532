package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
)

// step is a step of a run, and what it printed.
type step struct {
	CreatedAt    string          `json:"created_at"`
	Idx          int             `json:"idx"`
	IgnoreErrors bool            `json:"ignore_errors"`
	Payload      json.RawMessage `json:"payload,omitempty"`
	Scope        scope           `json:"scope"`
	State        string          `json:"state"`
	Step         string          `json:"step"`
	// Withheld says why the payload is not there: too_large or expired.
	Withheld string `json:"withheld,omitempty"`
}

// scope is what a step belongs to: a dirspace, or a part of the run.
type scope struct {
	Dir       string `json:"dir,omitempty"`
	Flow      string `json:"flow,omitempty"`
	Subflow   string `json:"subflow,omitempty"`
	Type      string `json:"type,omitempty"`
	Workspace string `json:"workspace,omitempty"`
}

var withheld = map[output.Withheld]string{output.TooLarge: "too_large", output.Expired: "expired"}

type outputPage struct {
	paging.Links
	Steps []step `json:"steps"`
}

var outputsShape = paging.Shape{Elements: 1, Default: 20, Max: 100}

// outputListing is a page of the steps of a run.
type outputListing struct {
	listing
	id   run.ID
	from *int
	lite bool
}

func decodeOutputs(r *http.Request) (outputListing, error) {
	l, err := decodeListing(r, outputsShape, runquery.Outputs, false)
	if err != nil {
		return outputListing{}, err
	}
	values := httpapi.NewQuery(r)
	q := outputListing{listing: l, lite: values.Bool("lite", false)}
	if err := values.Err(); err != nil {
		return outputListing{}, err
	}
	if q.id, err = decodeID(r); err != nil {
		return outputListing{}, err
	}
	if !l.page.First() {
		idx, err := strconv.Atoi(l.page.Cursor[0])
		if err != nil || idx < 0 {
			return outputListing{}, paging.ErrCursor
		}
		q.from = &idx
	}
	return q, nil
}

// tagOutputs returns the tag of a page of outputs: that of its run.
func (r *runs) tagOutputs(ctx context.Context, call httpapi.Call, q outputListing) (httpapi.Tag, error) {
	tag, err := r.tag(ctx, call, q.id)
	if errors.Is(err, fault.ErrNotFound) {
		return httpapi.NewTag("none"), nil
	}
	return tag, err
}

// listOutputs returns steps of a run. A run that the installation does not have, or
// that has no results, has no steps.
func (r *runs) listOutputs(ctx context.Context, call httpapi.Call, q outputListing) (outputPage, error) {
	if err := q.compile(call.Now); err != nil {
		return outputPage{}, err
	}
	found, err := r.find(ctx, call.Installation, q.id)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return outputPage{}, err
	}
	var page output.Page
	if err == nil && found.Result != nil {
		page, err = r.outputs.Page(ctx, q.id, *found.Result, output.Request{
			Query: q.query, Limit: q.page.Limit, Descending: q.descending, From: q.from, Backward: q.page.Backward, Lite: q.lite,
		})
		if err != nil && !errors.Is(err, output.ErrExpired) {
			return outputPage{}, err
		}
	}
	cursor := func(s output.Step) []string { return []string{strconv.Itoa(s.Idx)} }
	var on []string
	if page.More {
		on = cursor(page.Steps[len(page.Steps)-1])
	}
	part := paging.Part(q.page, page.Steps, on, cursor)
	return outputPage{part.Links(), paging.Map(part, func(s output.Step) step { return stepOf(found, s) }).Results}, nil
}

func stepOf(r *runindex.Run, s output.Step) step {
	shown := step{
		CreatedAt: timestamp.Format(r.EndedAt), Idx: s.Idx, IgnoreErrors: s.IgnoreErrors, Payload: s.Payload, State: s.State(), Step: s.Name,
		Scope: scope{Type: s.Type, Flow: s.Flow, Subflow: s.Subflow}, Withheld: withheld[s.Withheld],
	}
	if s.Type == result.ScopeDirspace {
		shown.Scope = scope{Type: s.Type, Dir: s.Dir, Workspace: s.Workspace}
	}
	return shown
}
