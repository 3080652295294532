package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// report stores the results of a run and completes the run. What the results name is
// stored first, so a run that is completed has all of its results. A repeated request
// changes nothing.
func (s *runner) report(ctx context.Context, call httpapi.Call, body []byte) (httpapi.Empty, error) {
	var done httpapi.Empty
	r, err := s.runs.Get(ctx, idOf(call))
	if err != nil {
		return done, err
	}
	switch r.State {
	case run.Completed:
		return done, nil
	case run.Aborted:
		return done, aborted()
	}
	found, err := read(r.Type, body)
	if err != nil {
		return done, s.refuse(ctx, call, r, err)
	}
	stored, err := s.outputs.Put(ctx, r.ID, found, r.CreatedAt.Add(s.runs.Limits.Keep))
	if err != nil {
		return done, err
	}
	outcomes, err := s.outcomes(ctx, call, r, found)
	if err != nil {
		return done, err
	}
	_, err = s.runs.Complete(ctx, r.ID, run.Result{
		Outcomes: outcomes, Success: found.Success, Steps: stored.Steps, Payload: stored.Payload, Gates: stored.Gates,
	}, call.Author())
	if errors.Is(err, runstore.ErrAborted) {
		err = aborted()
	}
	return done, err
}

// aborted refuses results that nobody waits for any more.
func aborted() error { return access.Refuse(access.StepCredential, "the run was aborted") }

// refuse aborts a run whose results cannot be read. The runner does not send them in
// another form, so the run would otherwise look as if it was running until somebody
// finds out that its CI job has failed.
func (s *runner) refuse(ctx context.Context, call httpapi.Call, r run.Run, why error) error {
	var f *fault.Error
	if !errors.As(why, &f) {
		return why
	}
	now, _, err := s.runs.Abort(ctx, r.ID, runstore.Abortion{Reason: run.ReasonResultRefused(f.Detail)}, call.Author())
	switch {
	case err != nil:
		return err
	case now.State == run.Completed:
		return nil // by another request, with results that could be read
	}
	return why
}

// outcomes returns the outcomes of the dirspaces of the run, in their order.
func (s *runner) outcomes(ctx context.Context, call httpapi.Call, r run.Run, found *result.Result) ([]run.Outcome, error) {
	outcomes := found.Outcomes(r.Dirspaces)
	if !r.Type.IsPlan() {
		return outcomes, nil
	}
	plans, err := s.plans.Of(ctx, r.ID, call.Now)
	if err != nil {
		return nil, err
	}
	bits := make(map[run.Dirspace]run.Outcome, len(plans))
	for _, p := range plans {
		bits[p.Dirspace] = run.PlanStored
		if p.HasChanges {
			bits[p.Dirspace] |= run.HasChanges
		}
	}
	for i, d := range r.Dirspaces {
		outcomes[i] |= bits[d]
	}
	return outcomes, nil
}
