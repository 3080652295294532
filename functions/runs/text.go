package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/output"
)

// oneStep names a step of a run.
type oneStep struct {
	id  run.ID
	idx int
}

func decodeStep(r *http.Request) (s oneStep, err error) {
	if s.id, err = decodeID(r); err != nil {
		return oneStep{}, err
	}
	if s.idx, err = strconv.Atoi(r.PathValue("idx")); err != nil {
		return oneStep{}, fault.Invalidf("INVALID_IDX", "%.40q is not the idx of a step; it is a number from 0, as the list of outputs has it", r.PathValue("idx"))
	}
	return s, nil
}

// stepText returns what a step printed, as plain text.
func (r *runs) stepText(ctx context.Context, call httpapi.Call, s oneStep) (httpapi.Response, error) {
	return r.printed(ctx, call, s.id, func(of run.Result) (output.Text, error) { return r.outputs.StepText(ctx, s.id, of, s.idx) })
}

// text returns what all steps printed, as plain text.
func (r *runs) text(ctx context.Context, call httpapi.Call, id run.ID) (httpapi.Response, error) {
	return r.printed(ctx, call, id, func(of run.Result) (output.Text, error) { return r.outputs.RunText(ctx, id, of) })
}

// printed returns a text, or sends the client to its address if it is too long.
func (r *runs) printed(ctx context.Context, call httpapi.Call, id run.ID, read func(run.Result) (output.Text, error)) (httpapi.Response, error) {
	found, err := r.find(ctx, call.Installation, id)
	if err != nil {
		return nil, err
	}
	if found.Result == nil {
		return nil, fault.ErrNotFound
	}
	text, err := read(*found.Result)
	switch {
	case errors.Is(err, output.ErrNoStep), errors.Is(err, output.ErrExpired):
		return nil, fault.ErrNotFound
	case err != nil:
		return nil, err
	case text.URL != "":
		return httpapi.Redirect{Status: http.StatusFound, Location: text.URL}, nil
	default:
		return httpapi.File{ContentType: "text/plain; charset=utf-8", Body: text.Body}, nil
	}
}
