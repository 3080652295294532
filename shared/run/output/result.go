package output

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/result"
)

// Result reads the whole result of a completed run, without its gates. It returns
// ErrExpired if it is gone. A run without steps has an empty result.
func (s *Store) Result(ctx context.Context, id run.ID, of run.Result) (*result.Result, error) {
	if of.Steps == 0 {
		return &result.Result{}, nil
	}
	steps, size := make([]result.Step, 0, of.Steps), 0
	err := s.walk(ctx, id, of, Request{Limit: of.Steps}, func(f found) bool {
		steps = append(steps, result.Step{
			Name: f.Name, Success: f.Success, IgnoreErrors: f.Ignore, Offset: f.offset, Length: f.Length,
			Scope: result.Scope{Type: f.Type, Dir: f.Dir, Workspace: f.Workspace, Flow: f.Flow, Subflow: f.Subflow},
		})
		size = f.offset + f.Length
		return true
	})
	if err != nil {
		return nil, err
	}
	payloads, err := s.getObject(ctx, of.Payload, "")
	if err != nil {
		return nil, err
	}
	if len(payloads) != size {
		return nil, fmt.Errorf("%s has %d bytes, want %d", of.Payload, len(payloads), size)
	}
	return result.Read(steps, payloads), nil
}
