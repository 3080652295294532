package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/stack"
	"github.com/opsplane/opsplane/shared/vcs"
)

// onePullRequest names a pull request of an installation.
type onePullRequest struct {
	repository vcs.ID
	number     int64
}

func decodePullRequest(r *http.Request) (onePullRequest, error) {
	p := onePullRequest{repository: vcs.ID(r.PathValue("repo_id"))}
	if !p.repository.Valid() {
		return onePullRequest{}, fault.Invalidf("INVALID_REPO_ID", "%.40q is not the id of a repository; it is a number", p.repository)
	}
	var err error
	if p.number, err = strconv.ParseInt(r.PathValue("pull_request_id"), 10, 64); err != nil || p.number < 1 {
		return onePullRequest{}, fault.Invalidf("INVALID_PULL_REQUEST_ID", "%.40q is not the number of a pull request; the first number is 1", r.PathValue("pull_request_id"))
	}
	return p, nil
}

// stacks are the stacks of a pull request.
type stacks struct {
	Stacks []outerStack `json:"stacks"`
}

type outerStack struct {
	Name   string       `json:"name"`
	Stacks []innerStack `json:"stacks"`
	State  stack.State  `json:"state"`
}

type innerStack struct {
	// ApplyAfter and PlanAfter are the names of the stacks that come first.
	ApplyAfter []string `json:"apply_after,omitempty"`
	// Dirspaces are the dirspaces of the stack. Omitted is the number of those that no
	// response could carry.
	Dirspaces []stackDirspace `json:"dirspaces"`
	Omitted   int             `json:"dirspaces_omitted,omitempty"`
	Name      string          `json:"name"`
	Paths     [][]string      `json:"paths"`
	PlanAfter []string        `json:"plan_after,omitempty"`
	State     stack.State     `json:"state"`
}

type stackDirspace struct {
	Dirspace dirspaceName `json:"dirspace"`
	// Layer is the place in the order of the change, from 1; absent if the pull
	// request does not change the dirspace.
	Layer int         `json:"layer,omitempty"`
	State stack.State `json:"state"`
}

type dirspaceName struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
}

// listStacks returns the stacks of a pull request with their states.
func (r *runs) listStacks(ctx context.Context, call httpapi.Call, p onePullRequest) (stacks, error) {
	of := call.Installation.Repository(p.repository)
	set, err := r.changes.Get(ctx, of, p.number)
	if err != nil {
		return stacks{}, err
	}
	unlocked, err := r.store.Unlocked(ctx, of, run.OriginOfPullRequest(p.number))
	if err != nil {
		return stacks{}, err
	}
	found, err := r.index.OfPullRequest(ctx, of, p.number, set.Base, set.Commits())
	if err != nil {
		return stacks{}, err
	}
	return stacksOf(set, stack.Derive(set, found, unlocked.Seq)), nil
}

// Limits of a response with stacks, in bytes. Lambda takes 6 MB.
const (
	maxStackBytes     = 4 << 20
	stackDirspaceSize = 96 // of a dirspace in JSON besides its texts
)

// stacksOf returns the response. What does not fit is counted: first go the dirspaces
// that the pull request does not change.
func stacksOf(set changeset.Set, outers []stack.Outer) stacks {
	room := maxStackBytes
	for _, s := range set.Stacks {
		for _, m := range s.Members {
			if m.Changed() {
				room -= sizeOf(m)
			}
		}
	}
	left := maxStackBytes // for all
	response := stacks{Stacks: make([]outerStack, len(outers))}
	for i, o := range outers {
		response.Stacks[i] = outerStack{Name: o.Name, State: o.State, Stacks: make([]innerStack, len(o.Inner))}
		for n, inner := range o.Inner {
			shown := innerStack{
				ApplyAfter: inner.ApplyAfter, Dirspaces: []stackDirspace{}, Name: inner.Name, Paths: inner.Paths, PlanAfter: inner.PlanAfter, State: inner.State,
			}
			for at, m := range inner.Members {
				size := sizeOf(m)
				if left < size || !m.Changed() && room < size {
					shown.Omitted++
					continue
				}
				if left -= size; !m.Changed() {
					room -= size
				}
				shown.Dirspaces = append(shown.Dirspaces, stackDirspace{dirspaceName{m.Dir, m.Workspace}, m.Layer, inner.States[at]})
			}
			response.Stacks[i].Stacks[n] = shown
		}
	}
	return response
}

func sizeOf(m changeset.Member) int { return len(m.Dir) + len(m.Workspace) + stackDirspaceSize }
