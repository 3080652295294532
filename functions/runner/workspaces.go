package main

import (
	"context"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// workspace is a dirspace on the wire.
type workspace struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
}

// workspaces returns the dirspaces that the run works on.
func (s *runner) workspaces(ctx context.Context, call httpapi.Call, _ struct{}) ([]workspace, error) {
	r, err := s.runs.Get(ctx, idOf(call))
	if err != nil {
		return nil, err
	}
	if !r.State.Active() {
		return nil, ended()
	}
	list := make([]workspace, len(r.Dirspaces))
	for i, d := range r.Dirspaces {
		list[i] = workspace{d.Dir, d.Workspace}
	}
	return list, nil
}
