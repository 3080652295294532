package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/apikey"
	"github.com/opsplane/opsplane/shared/httpapi"
)

// markTimeout bounds the record of a key's use. It is a service to the owner,
// not worth a caller's wait.
const markTimeout = time.Second

// refreshed is the answer to a refresh.
type refreshed struct {
	Token string `json:"token"`
}

// refresh answers an access token for the API key that the authorizer has just
// looked up, which is all that it costs: the signing key is remembered, and the
// use is recorded at most once in apikey.UseInterval.
func (t *tokens) refresh(ctx context.Context, call httpapi.Call, _ struct{}) (refreshed, error) {
	key, err := t.signer.key(ctx, call.Now)
	if err != nil {
		return refreshed{}, err
	}
	if err := t.markUsed(ctx, call); err != nil {
		return refreshed{}, err
	}
	token, err := t.domain.Mint(key.ID, key.Private, call.Caller, call.Now)
	return refreshed{Token: token}, err
}

// markUsed records the use of the caller's key if the last one that the
// authorizer saw is old enough. It refuses a key that was revoked meanwhile;
// any other failure is logged and passed over.
func (t *tokens) markUsed(ctx context.Context, call httpapi.Call) error {
	if call.Now.Sub(time.Unix(call.Caller.LastUsed, 0)) < apikey.UseInterval {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	err := t.keys.MarkUsed(ctx, call.Caller.User, call.Caller.Key, call.Author())
	if errors.Is(err, apikey.ErrRevoked) {
		return access.Refuse(access.StepCredential, "the API key was revoked meanwhile")
	}
	if err != nil {
		t.log.LogAttrs(ctx, slog.LevelWarn, "use of an API key not recorded",
			slog.String("request_id", call.Request), slog.String("error", err.Error()))
	}
	return nil
}
