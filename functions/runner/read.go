package main

import (
	"encoding/json"
	"errors"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

// read decodes the results of a run of a type. For a plan or an apply, it returns a
// fault if they cannot be read. The runner of an index or a builder ignores the
// response, and its results tell nothing about infrastructure: what cannot be read is
// a failure.
func read(of run.Type, body []byte) (*result.Result, error) {
	r, err := result.Decode(body)
	var f *fault.Error
	if of.IsPlan() || of.IsApply() {
		if err == nil && r.Kind != result.Steps {
			err = fault.Invalidf("INVALID_RESULT", "the body is not the result of a plan or an apply: it has no steps")
		}
		return r, err
	}
	switch {
	case errors.As(err, &f):
		r = &result.Result{Kind: result.BuilderFailure, Message: f.Detail}
	case err != nil:
		return nil, err
	case !fits(of, r.Kind):
		r = &result.Result{Kind: result.BuilderFailure, Message: "the runner sent a result of another kind"}
	}
	return asStep(of, r)
}

// fits reports whether an index or a builder may have a result of a kind.
func fits(of run.Type, kind result.Kind) bool {
	switch kind {
	case result.BuilderFailure:
		return true
	case result.Index:
		return of == run.Index
	case result.Config:
		return of == run.BuildConfig
	case result.Tree:
		return of == run.BuildTree
	}
	return false
}

// built is the payload of the step that stands for the result of an index or a
// builder.
type built struct {
	// Text says why it failed. It is empty on success.
	Text     string                        `json:"text,omitempty"`
	Paths    map[string]result.IndexedPath `json:"paths,omitempty"`
	Symlinks map[string]string             `json:"symlinks,omitempty"`
	Config   json.RawMessage               `json:"config,omitempty"`
	Files    []file                        `json:"files,omitempty"`
}

// file is a file of a tree that a builder made.
type file struct {
	Path    string `json:"path"`
	ID      string `json:"id"`
	Changed *bool  `json:"changed,omitempty"`
}

// asStep returns the result of an index or a builder as one step of the run, so that
// it is stored, kept and shown like what other runs print.
func asStep(of run.Type, r *result.Result) (*result.Result, error) {
	payload := built{Text: r.Message, Paths: r.Index.Paths, Symlinks: r.Index.Symlinks, Config: r.Config}
	for _, f := range r.Files {
		payload.Files = append(payload.Files, file{f.Path, f.ID, f.Changed})
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	return &result.Result{
		Kind: r.Kind, Success: r.Success, Payloads: text,
		Steps: []result.Step{{Name: string(of.Shown()), Scope: result.Scope{Type: result.ScopeRun}, Success: r.Success, Length: len(text)}},
	}, nil
}
