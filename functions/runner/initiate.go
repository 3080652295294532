package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/manifest"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
)

// initiation is a CI job that asks for the work of a run.
type initiation struct {
	id  run.ID
	job runstore.CIJob
}

// decodeInitiate reads the id of the run and what the CI job says of itself.
func decodeInitiate(r *http.Request) (initiation, error) {
	id, err := pathID(r)
	if err != nil {
		return initiation{}, err
	}
	var body struct {
		RunID *string `json:"run_id"`
		SHA   *string `json:"sha"`
	}
	if err := decodeBody(r, &body); err != nil {
		return initiation{}, err
	}
	for _, member := range []struct {
		name  string
		value *string
	}{{"run_id", body.RunID}, {"sha", body.SHA}} {
		if member.value == nil || !named(*member.value) {
			return initiation{}, fault.Invalidf("INVALID_BODY", "member %q must be a text of 1 to %d printable characters without spaces", member.name, maxName)
		}
	}
	return initiation{id, runstore.CIJob{Run: *body.RunID, Commit: *body.SHA}}, nil
}

// maxName is the largest length of an id of a CI run and of a commit, in bytes. Hosts
// send at most 64.
const maxName = 200

// named reports whether a text can be such an id.
func named(text string) bool {
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// initiate returns the manifest of the run, or the document that says that there is no
// work. The id of the run is the credential (runner protocol, 4.1): the runner sends
// no other. The same CI job gets the same bytes again.
func (s *runner) initiate(ctx context.Context, call httpapi.Call, asked initiation) (json.RawMessage, error) {
	of, err := s.runs.Bearer(ctx, asked.id)
	if err != nil {
		return nil, err
	}
	if of.Installation.VCS != call.VCS {
		return nil, fault.ErrNotFound
	}
	author := change.Author{Principal: access.PrincipalOfRun(string(asked.id)), Request: call.Request, Source: call.Source, At: call.Now}
	found, err := s.runs.Initiate(ctx, asked.id, asked.job, author)
	if err != nil {
		return nil, err
	}
	if !found.Work {
		return manifest.Done(), nil
	}
	frozen, err := s.manifests.read(ctx, found.Manifest)
	if err != nil {
		return nil, err
	}
	token, err := s.box.Open(ctx, runtoken.Place(asked.id), found.Sealed)
	if err != nil {
		return nil, err
	}
	return manifest.WithToken(frozen, string(token))
}
