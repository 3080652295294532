package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/apikey"
)

// decodeRevoke returns the id of the key to revoke.
func decodeRevoke(r *http.Request) (string, error) {
	text := httpapi.NewQuery(r).String("id", "")
	id, err := uuid.Parse(text)
	// The parser also accepts forms with braces and prefixes.
	if err != nil || len(text) != len(uuid.Nil.String()) {
		return "", fault.Invalidf("INVALID_PARAMETER", "query parameter id must be the id of a key, as the list shows it")
	}
	return id.String(), nil
}

// revoke ends one of the caller's keys. If the caller does not have the key, or the
// key reaches further than the caller, revoke does nothing and reports no error.
func (t *tokens) revoke(ctx context.Context, call httpapi.Call, id string) (httpapi.Empty, error) {
	if err := t.admit(ctx, call.Caller); err != nil {
		return httpapi.Empty{}, err
	}
	key, err := t.keys.Get(ctx, call.Caller.User, id)
	if errors.Is(err, apikey.ErrNotFound) {
		return httpapi.Empty{}, nil
	}
	if err != nil || !key.RevokedAt.IsZero() || !key.Capabilities.Within(call.Caller.Capabilities) {
		return httpapi.Empty{}, err
	}
	err = t.keys.Revoke(ctx, call.Caller.User, id, call.Author())
	if errors.Is(err, apikey.ErrNotFound) {
		err = nil
	}
	return httpapi.Empty{}, err
}
