package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/vcs"
)

// createRequest asks for a key.
type createRequest struct {
	name        string
	description string
	// capabilities are as asked for.
	capabilities []access.Capability
	expires      time.Time // zero: not asked for
}

// created is the answer to a createRequest.
type created struct {
	// RefreshToken is the key's text. The name is what clients know.
	RefreshToken string `json:"refresh_token"`
}

func decodeCreate(r *http.Request) (createRequest, error) {
	b := decodeBody(r)
	q := createRequest{
		name: b.text("name", required), capabilities: b.capabilities("capabilities"),
		description: b.text("description", optional), expires: b.time("expires_at"),
	}
	return q, b.err
}

// create makes a key that reaches no further and lasts no longer than the
// caller's own.
func (t *tokens) create(ctx context.Context, call httpapi.Call, q createRequest) (created, error) {
	end, err := t.parentEnd(ctx, call)
	if err != nil {
		return created{}, err
	}
	n := apikey.New{User: call.Caller.User, Name: q.name, Description: q.description}
	if call.Caller.Kind != access.KindSession {
		n.Parent = call.Caller.Key
	}
	if n.ExpiresAt, err = expiry(q.expires, end); err != nil {
		return created{}, err
	}
	if n.Capabilities, err = t.grant(ctx, call, q.capabilities); err != nil {
		return created{}, err
	}
	text, _, err := t.keys.Create(ctx, n, call.Author())
	if errors.Is(err, apikey.ErrRevoked) {
		err = errParentOver
	}
	return created{RefreshToken: text}, err
}

// errParentOver refuses a token whose key is revoked or over. A token may be used
// for some seconds after that, which must not be enough to make another key.
var errParentOver = access.Refuse(access.StepCredential, "the API key behind the access token is revoked or over")

// parentEnd answers when the key ends that the caller's token was made with;
// zero if never, and for a person with a session, who hands on rights of its own
// and not of a key: the key outlives the session.
func (t *tokens) parentEnd(ctx context.Context, call httpapi.Call) (time.Time, error) {
	if call.Caller.Kind == access.KindSession {
		return time.Time{}, t.admit(ctx, call.Caller)
	}
	own, err := t.keys.Get(ctx, call.Caller.User, call.Caller.Key)
	if errors.Is(err, apikey.ErrNotFound) || err == nil && !own.LiveAt(call.Now) {
		return time.Time{}, errParentOver
	}
	return own.ExpiresAt, err
}

// expiry answers when a key ends that is made with a key that ends at own.
func expiry(asked, own time.Time) (time.Time, error) {
	switch {
	case own.IsZero():
		return asked, nil
	case asked.IsZero():
		return own, nil
	case asked.After(own):
		return time.Time{}, fault.Invalidf("INVALID_EXPIRY",
			"expires_at is later than the end of the key that you use, %s", own.Format(time.RFC3339))
	}
	return asked, nil
}

// grant answers the capabilities of the new key: of what it may do, as much as
// the caller may; of where, exactly what was asked for, or a fault. The VCS of
// the path always bounds it.
func (t *tokens) grant(ctx context.Context, call httpapi.Call, asked []access.Capability) (access.Set, error) {
	if err := access.Bounded("a key", asked); err != nil {
		return nil, err
	}
	granted := access.Set{access.VCS(call.VCS)}
	for _, c := range asked {
		if c.Restricts() || call.Caller.Capabilities.Has(c) {
			granted = append(granted, c)
		}
	}
	for _, system := range granted.VCSs() {
		if system != call.VCS {
			return nil, fault.Invalidf("VCS_MISMATCH", "a key made at %s cannot be restricted to %.64q", call.VCS, system)
		}
	}
	ids := granted.Installations()
	if len(ids) == 0 {
		for _, id := range call.Caller.Capabilities.Installations() {
			granted = append(granted, access.Installation(id))
		}
		return access.Normalize(granted), nil
	}
	return access.Normalize(granted), t.reachable(ctx, call, ids)
}

// reachable answers a fault unless the caller reaches every installation. It
// asks storage, as the caller may be known to have only some of them.
func (t *tokens) reachable(ctx context.Context, call httpapi.Call, ids []vcs.ID) error {
	u, err := t.users.Admitted(ctx, call.Caller)
	if err != nil {
		return err
	}
	memberships := u.MembershipsFor(call.Caller, call.Now)
	for _, id := range ids {
		target := vcs.Installation{VCS: call.VCS, ID: id}
		if !call.Caller.Narrow(memberships, target).Reaches(target) {
			return fault.Invalidf("INSTALLATION_OUT_OF_REACH", "you cannot reach installation %.64q of %s, so you cannot restrict a key to it", id, call.VCS)
		}
	}
	return nil
}
