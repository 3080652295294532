package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/vcs"
)

func (h *rig) refresh(t *testing.T, caller *access.Caller) functiontest.Response {
	t.Helper()
	return h.do(t, "POST", "/api/v1/access-token/refresh", caller, "")
}

func TestRefreshAnswersATokenOfTheKey(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	k := h.newKey(t, apikey.New{Capabilities: access.Set{access.VCS("github"), access.KVStoreRead}})
	holder := h.holder(t, k)
	got, err := h.verify(t, decode[refreshed](t, h.refresh(t, holder)).Token)
	want := access.Caller{
		Kind: access.KindAccessToken, User: h.owner.ID, Key: k.ID, Capabilities: k.Capabilities,
		Memberships: []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "github", ID: "2"}},
		Expires:     start.Unix() + 60,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestOnlyAnAPIKeyIsRefreshed(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	for name, caller := range map[string]*access.Caller{"nobody": nil, "an access token": h.bearer(t, h.key)} {
		if resp := h.refresh(t, caller); resp.StatusCode != 403 || resp.Body != "" {
			t.Errorf("%s: got %d %q, want an empty 403", name, resp.StatusCode, resp.Body)
		}
	}
	expired := h.holder(t, h.key)
	expired.Expires = start.Unix()
	want(t, h.refresh(t, expired), 403, "")
}

func TestRefreshCostsOneWriteInTenMinutesAndOneReadAMinute(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
	reads, writes := h.Faults.Calls("Query"), h.Faults.Calls("UpdateItem")
	if reads != 1 || writes != 1 || h.Faults.Calls("") != 2 {
		t.Errorf("got %d reads, %d writes of %d calls for the first; want one each", reads, writes, h.Faults.Calls(""))
	}
	for range 59 {
		h.Clock.Add(time.Second)
		decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
	}
	if n := h.Faults.Calls(""); n != 2 {
		t.Errorf("got %d further calls within a minute, want none", n-2)
	}
	h.Clock.Add(time.Second)
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
	if reads, writes := h.Faults.Calls("Query"), h.Faults.Calls("UpdateItem"); reads != 2 || writes != 1 {
		t.Errorf("got %d reads and %d writes after a minute, want 2 and 1", reads, writes)
	}
	h.Clock.Add(9 * time.Minute)
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
	if reads, writes := h.Faults.Calls("Query"), h.Faults.Calls("UpdateItem"); reads != 3 || writes != 2 {
		t.Errorf("got %d reads and %d writes after ten minutes, want 3 and 2", reads, writes)
	}
	if k := h.holder(t, h.key); k.LastUsed != start.Unix()+600 {
		t.Errorf("got last used %d, want %d", k.LastUsed, start.Unix()+600)
	}
}

func TestUseThatCannotBeRecordedIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
	for name, fault := range map[string]storagetest.Fault{
		"throttled":    {Operation: "UpdateItem", Kind: storagetest.Throttle},
		"server error": {Operation: "UpdateItem", Kind: storagetest.ServerError},
		"lost answers": {Operation: "UpdateItem", Kind: storagetest.LoseAnswer},
		"conflict":     {Operation: "UpdateItem", Kind: storagetest.Conflict},
		"slow":         {Operation: "UpdateItem", Delay: time.Minute},
	} {
		h.Clock.Add(apikey.UseInterval)
		h.Faults.Clear()
		caller := h.holder(t, h.key)
		h.Faults.Add(fault)
		began := time.Now()
		decode[refreshed](t, h.refresh(t, caller))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: the answer took %v", name, took)
		}
	}
}

// Verifiers learn of the revocation of a key only if its item says that it was
// exchanged. So there must be no token before the item says so.
func TestFirstExchangeThatCannotBeRecordedMakesNoToken(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	for name, fault := range map[string]storagetest.Fault{
		"throttled":     {Operation: "UpdateItem", Kind: storagetest.Throttle},
		"server error":  {Operation: "UpdateItem", Kind: storagetest.ServerError},
		"lost requests": {Operation: "UpdateItem", Kind: storagetest.LoseRequest},
		"conflict":      {Operation: "UpdateItem", Kind: storagetest.Conflict},
		"slow":          {Operation: "UpdateItem", Delay: time.Minute},
	} {
		h.Faults.Clear()
		h.Faults.Add(fault)
		resp := h.refresh(t, h.holder(t, h.key))
		want(t, resp, 503, "NOT_RECORDED")
		if len(resp.MultiValueHeaders["Retry-After"]) == 0 {
			t.Errorf("%s: got no Retry-After", name)
		}
	}
	h.Faults.Clear()
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
	if err := h.keys.Revoke(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil || !h.told(t, h.key) {
		t.Errorf("got %v; want the revocation of an exchanged key told", err)
	}
}

func TestKeyRevokedMeanwhileIsNotRefreshed(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	holder := h.holder(t, h.key)
	// The authorizer has admitted the request. Now, before the use is recorded,
	// somebody revokes the key.
	h.Faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Before: func() {
		if err := h.keys.Revoke(ctx, h.owner.ID, h.key.ID, h.Author()); err != nil {
			t.Error(err)
		}
	}})
	want(t, h.refresh(t, holder), 403, "")
	if h.told(t, h.key) {
		t.Error("verifiers are told of a key that has no token")
	}
}

func TestTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	k := h.newKey(t, apikey.New{ExpiresAt: start.Add(5 * time.Second)})
	got, err := h.verify(t, decode[refreshed](t, h.refresh(t, h.holder(t, k))).Token)
	if err != nil || got.Expires != start.Unix()+5 {
		t.Errorf("got %d, %v; want the key's end", got.Expires, err)
	}
}

func TestWithoutASigningKeyTheOperatorIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	resp := h.refresh(t, h.holder(t, h.key))
	want(t, resp, 503, "NO_SIGNING_KEY")
	if len(resp.MultiValueHeaders["Retry-After"]) == 0 {
		t.Error("got no Retry-After")
	}
	h.rotate(t, signing.Planned)
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
}

func TestSignerFollowsRotations(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	token := decode[refreshed](t, h.refresh(t, h.holder(t, h.key))).Token
	h.rotate(t, signing.Planned)
	for range 90 {
		h.Clock.Add(time.Second)
		if _, err := h.verify(t, decode[refreshed](t, h.refresh(t, h.holder(t, h.key))).Token); err != nil {
			t.Fatalf("%v after the rotation: %v", h.Clock.Now().Sub(start), err)
		}
		if _, err := h.verify(t, token); h.Clock.Now().Sub(start) < time.Minute && err != nil {
			t.Fatalf("the old token is refused while it lives: %v", err)
		}
	}
	// Signers with the old view sign with a key that nobody trusts, until they read
	// again.
	h.rotate(t, signing.Compromised)
	h.Clock.Add(signing.SignerAge)
	if _, err := h.verify(t, decode[refreshed](t, h.refresh(t, h.holder(t, h.key))).Token); err != nil {
		t.Errorf("a minute after a compromise: %v", err)
	}
}

func TestSigningKeysOutOfReachAreAFailure(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned)
	h.Faults.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.ServerError})
	want(t, h.refresh(t, h.holder(t, h.key)), 500, "")
	h.Faults.Clear()
	decode[refreshed](t, h.refresh(t, h.holder(t, h.key)))
}
