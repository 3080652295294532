package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/apikey"
)

const (
	// markTimeout limits the time for recording a key's use. The record helps the
	// owner, but a caller should not wait for it.
	markTimeout = time.Second
	// firstMarkTimeout limits the time for recording the first use. This record is
	// required: without it, a revocation of the key would not be published to
	// verifiers.
	firstMarkTimeout = 4 * time.Second
)

// errNotRecorded refuses the first exchange of a key if the record of that use
// failed.
var errNotRecorded = fault.Busyf("NOT_RECORDED",
	"the first exchange of this API key could not be recorded, without which no token is made: try again in a moment")

// refreshed is the response to a refresh.
type refreshed struct {
	Token string `json:"token"`
}

// refresh returns an access token for the API key that the authorizer has just
// read. Reading the key is the only regular cost: the signing key is remembered,
// and the use is recorded at most once in apikey.UseInterval.
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

// markUsed records the use of the caller's key if the last use that the authorizer
// saw is old enough. It refuses a key that was revoked meanwhile. It also refuses a
// key whose first use cannot be recorded, because Revoke depends on that record to
// inform verifiers. Any other failure is only logged.
func (t *tokens) markUsed(ctx context.Context, call httpapi.Call) error {
	if call.Now.Sub(time.Unix(call.Caller.LastUsed, 0)) < apikey.UseInterval {
		return nil
	}
	first, timeout := call.Caller.LastUsed == 0, markTimeout
	if first {
		timeout = firstMarkTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := t.keys.MarkUsed(ctx, call.Caller.User, call.Caller.Key, call.Author())
	if errors.Is(err, apikey.ErrRevoked) {
		return access.Refuse(access.StepCredential, "the API key was revoked meanwhile")
	}
	if err != nil && first {
		return fmt.Errorf("%w: %w", errNotRecorded, err)
	}
	if err != nil {
		t.log.LogAttrs(ctx, slog.LevelWarn, "use of an API key not recorded",
			slog.String("request_id", call.Request), slog.String("error", err.Error()))
	}
	return nil
}
