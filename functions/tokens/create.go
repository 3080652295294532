package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/vcs"
)

// createRequest is the request to create a key.
type createRequest struct {
	name        string
	description string
	// capabilities are those that the request names.
	capabilities []access.Capability
	expires      time.Time // zero: the request names none
}

// created is the response to a createRequest.
type created struct {
	// RefreshToken is the key's text. Clients know it by this name.
	RefreshToken string `json:"refresh_token"`
}

func decodeCreate(r *http.Request) (createRequest, error) {
	b := httpapi.NewBody(r).IgnoreNull()
	b.Require("name", "must be the key's name")
	b.Require("capabilities", "must be a list of capabilities")
	q := createRequest{name: b.String("name")}
	q.capabilities, _ = b.Capabilities("capabilities")
	if text := b.OptionalString("description"); text != nil {
		q.description = *text
	}
	expires := b.OptionalString("expires_at")
	if err := b.Err(); err != nil || expires == nil {
		return q, err
	}
	var err error
	if q.expires, err = timestamp.Parse(*expires); err != nil {
		return q, fault.Invalidf("INVALID_EXPIRY", "member %q must be a time such as %s", "expires_at", timestamp.Example)
	}
	return q, nil
}

// create makes a key that reaches no further and lasts no longer than the caller's
// own key.
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

// errParentOver refuses a token whose key is revoked or has ended. Such a token can
// still be used for some seconds. That must not be enough to make another key.
var errParentOver = access.Refuse(access.StepCredential, "the API key behind the access token is revoked or over")

// parentEnd returns when the key ends with which the caller's token was made. It
// returns zero if that key never ends. For a person with a session it also returns
// zero: the person passes on own rights, not those of a key, and the new key
// outlives the session.
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

// expiry returns the end of a new key, made with a key that ends at own.
func expiry(asked, own time.Time) (time.Time, error) {
	switch {
	case own.IsZero():
		return asked, nil
	case asked.IsZero():
		return own, nil
	case asked.After(own):
		return time.Time{}, fault.Invalidf("INVALID_EXPIRY",
			"expires_at is later than the end of the key that you use, %s", timestamp.Format(own))
	}
	return asked, nil
}

// grant returns the capabilities of the new key, or a fault. Of the requested
// capabilities that allow something, the new key gets those that the caller has. It
// gets exactly the requested restrictions. If the request names no installation,
// the key gets the caller's restrictions to installations. The VCS of the path
// always restricts it.
func (t *tokens) grant(ctx context.Context, call httpapi.Call, asked []access.Capability) (access.Set, error) {
	granted := access.Set{access.VCS(call.VCS)}
	for _, c := range asked {
		// A person may do in a session what keys need capabilities for.
		ofPerson := call.Caller.Kind == access.KindSession && slices.Contains(access.OfRuns(), c)
		if c.Restricts() || ofPerson || call.Caller.Capabilities.Has(c) {
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

// reachable returns a fault unless the caller reaches every installation. It reads
// the user from storage, because the caller may carry only some of the memberships.
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
