package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/command"
	"github.com/opsplane/opsplane/shared/vcs"
)

// startRequest is a request that starts a run.
type startRequest struct {
	repository vcs.ID
	start      command.Start
	key        string
}

// maxKey is the largest length of an idempotency key, in bytes.
const maxKey = 255

// decodeKey reads the header Idempotency-Key. It is empty if the request has none.
func decodeKey(r *http.Request) (string, error) {
	sent := r.Header.Values("Idempotency-Key")
	if len(sent) == 0 {
		return "", nil
	}
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if key := sent[0]; len(sent) == 1 && key != "" && len(key) <= maxKey && !strings.ContainsFunc(key, invisible) {
		return key, nil
	}
	return "", fault.Invalidf("INVALID_IDEMPOTENCY_KEY", "send Idempotency-Key once, with 1 to %d visible ASCII characters, such as a UUID", maxKey)
}

// dirspaces is the member that names them.
var dirspaces = httpapi.ObjectList{
	Must: `is required: a list of objects with "dir" and, unless it is default, "workspace"`, Element: `must be a list of objects with the member "dir"`,
	Max: command.MaxDirspaces, TooMany: "TOO_MANY_DIRSPACES",
}

const (
	maxPullNumber = 1<<53 - 1 // the largest whole number that every JSON client has
	workspace     = "default"
)

func decodeStart(r *http.Request) (startRequest, error) {
	s := startRequest{}
	var err error
	if s.repository, err = decodeRepository(r); err != nil {
		return s, err
	}
	if s.key, err = decodeKey(r); err != nil {
		return s, err
	}
	b := httpapi.NewBody(r)
	if err := b.Err(); err != nil {
		return s, err
	}
	b.IgnoreNull()
	s.start.Type = run.Type(b.String("run_type"))
	for each := range b.Objects("dirspaces", dirspaces) {
		dir, in := each.String("dir"), each.OptionalString("workspace")
		if b.Err() != nil {
			break
		}
		if in == nil {
			in = new(workspace)
		}
		d, err := run.NewDirspace(dir, *in)
		if err != nil {
			return s, fault.Invalidf("INVALID_DIRSPACE", "%v", err)
		}
		s.start.Dirspaces = append(s.start.Dirspaces, d)
	}
	s.start.Dirspaces = run.SortDirspaces(s.start.Dirspaces)
	branch, number := b.OptionalString("branch"), b.OptionalInt("pull_number", 1, maxPullNumber)
	if name := b.OptionalString("environment"); name != nil {
		s.start.Environment = *name
	}
	var labels []string
	for label := range b.Strings("runs_on") {
		if labels = append(labels, label); len(labels) > command.MaxLabels {
			break
		}
	}
	if err := b.Err(); err != nil {
		return s, err
	}
	if s.start.RunsOn, err = command.RunsOn(labels); err != nil {
		return s, err
	}
	switch {
	case (branch == nil) == (number == nil):
		return s, fault.Invalidf("INVALID_BODY", `send either "pull_number" or "branch"`)
	case number != nil:
		s.start.Target = command.Target{Kind: run.PullRequest, Number: int64(*number)}
	default:
		s.start.Target = command.Target{Kind: run.Branch, Branch: *branch}
	}
	return s, s.start.Check()
}

// mayStart refuses a token that does not have the capability for a type of run.
func mayStart(caller access.Caller, of run.Type) error {
	needed := access.RunPlan
	if of.IsApply() {
		needed = access.RunApply
	}
	if caller.Kind != access.KindSession && !caller.Capabilities.Has(needed) {
		return access.Refuse(access.StepCapability, "the credential lacks %s", needed.Name)
	}
	return nil
}

// start starts a run.
func (c *commands) start(ctx context.Context, call httpapi.Call, s startRequest) (started, error) {
	if err := mayStart(call.Caller, s.start.Type); err != nil {
		return started{}, err
	}
	at, err := c.enter(ctx, call, s.repository)
	if err != nil {
		return started{}, err
	}
	return c.create(ctx, call, at, creating{Start: s.start, key: s.key})
}
