package main

import (
	"context"
	"sync"
	"time"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// issuer makes the tokens of an installation of the GitHub App.
type issuer interface {
	// RunnerToken returns a new token for a runner, and when it ends.
	RunnerToken(ctx context.Context) (token string, ends time.Time, err error)
}

// How long tokens of GitHub are used again, and for how many installations. A token
// lives for an hour. A runner asks once for each dirspace, sometimes for several at
// the same time (runner protocol, 5.2).
const (
	tokenAge  = 50 * time.Second
	maxTokens = 1000
)

// tokens remembers the newest token of each installation for tokenAge.
type tokens struct {
	// open returns the issuer of an installation. It sends no request.
	open func(ctx context.Context, id vcs.ID) (issuer, error)

	mu     sync.Mutex // one request at a time: the others use its token
	issued map[vcs.ID]issued
}

// issued is a token with the time until which it is used.
type issued struct {
	token string
	until time.Time
}

// get returns a token of an installation that was made at most tokenAge before now.
func (t *tokens) get(ctx context.Context, id vcs.ID, now time.Time) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.issued[id]; ok && now.Before(known.until) && !now.Before(known.until.Add(-tokenAge)) {
		return known.token, nil
	}
	of, err := t.open(ctx, id)
	if err != nil {
		return "", err
	}
	token, _, err := of.RunnerToken(ctx)
	if err != nil {
		return "", err
	}
	if t.issued == nil || len(t.issued) >= maxTokens {
		t.issued = map[vcs.ID]issued{}
	}
	t.issued[id] = issued{token, now.Add(tokenAge)}
	return token, nil
}

// accessToken is the response with a token of GitHub.
type accessToken struct {
	AccessToken string `json:"access_token"`
}

// accessToken returns a token of GitHub with which the runner reads modules and writes
// comments.
func (s *runner) accessToken(ctx context.Context, call httpapi.Call, _ struct{}) (accessToken, error) {
	// The authorizer has read the installation from the run.
	of := call.Caller.Memberships[0]
	token, err := s.tokens.get(ctx, of.ID, call.Now)
	if err != nil {
		return accessToken{}, vcshost.Fault(of.VCS, err)
	}
	return accessToken{token}, nil
}
