package main

import (
	"context"
	"encoding/json"
	"errors"
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
	"github.com/opsplane/opsplane/shared/vcs"
)

// initiation is a CI job that asks for the work of a run.
type initiation struct {
	workToken string
	job       runstore.CIJob
}

// decodeInitiate reads the work token and what the CI job says of itself.
func decodeInitiate(r *http.Request) (initiation, error) {
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
	return initiation{workToken(r), runstore.CIJob{Run: *body.RunID, Commit: *body.SHA}}, nil
}

// maxName is the largest length of an id of a CI run and of a commit, in bytes. Hosts
// send at most 64.
const maxName = 200

// named reports whether a text can be such an id.
func named(text string) bool {
	return text != "" && len(text) <= maxName && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// initiate returns the manifest of the run, or the document that says that there is no
// work. The work token is the credential (runner protocol, 4.1): the runner sends no
// other. The same CI job gets the same bytes again.
func (s *runner) initiate(ctx context.Context, call httpapi.Call, asked initiation) (json.RawMessage, error) {
	id, err := s.find(ctx, asked.workToken, call.VCS)
	if err != nil {
		return nil, err
	}
	author := change.Author{Principal: access.PrincipalOfRun(string(id)), Request: call.Request, Source: call.Source, At: call.Now}
	found, err := s.runs.Initiate(ctx, id, asked.job, author)
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
	token, err := s.box.Open(ctx, runtoken.Place(id), found.Sealed)
	if err != nil {
		return nil, err
	}
	return manifest.WithToken(frozen, string(token))
}

// find returns the id of the run of a VCS that has a work token. It returns
// fault.ErrNotFound if there is none.
func (s *runner) find(ctx context.Context, workToken string, at vcs.VCS) (run.ID, error) {
	for id, err := range s.work.Runs(ctx, workToken) {
		if err != nil {
			return "", err
		}
		of, err := s.runs.Bearer(ctx, id)
		switch {
		case err == nil && of.Installation.VCS == at:
			return id, nil
		case err != nil && !errors.Is(err, fault.ErrNotFound):
			return "", err
		}
	}
	return "", fault.ErrNotFound
}
