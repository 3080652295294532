package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

// flood writes n revocations of a user's keys for verifiers.
func (h *rig) flood(t *testing.T, user string, n int) {
	t.Helper()
	for i := range n {
		item := signing.Revocation(user, fmt.Sprint("flood-", i), h.Author())
		if _, err := h.keys.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(h.keys.Table), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
}

// withToken returns a rig and an access token of a key. The authorizer admitted
// the token once.
func withToken(t *testing.T) (*rig, string, apikey.Key) {
	t.Helper()
	h := newRig(t)
	text, k := h.key(t)
	token := h.token(t, text)
	h.allowed(t, "Bearer "+token, nil)
	return h, token, k
}

var unreadable = map[string]storagetest.Kind{
	"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "no answer": storagetest.LoseRequest, "unreachable": storagetest.Refuse,
}

func TestTokensOfOthersAreGoodWhateverOneUserRevokes(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, k := h.key(t)
	token := h.token(t, text)
	dead := func() string { text, k := h.key(t); token := h.token(t, text); h.revoke(t, k); return token }()
	// Another user shares the list and fills it with far more revocations than one
	// reading returns.
	flooder := uuid.NewString()
	for signing.RevocationList(flooder) != signing.RevocationList(h.owner.ID) {
		flooder = uuid.NewString()
	}
	h.flood(t, flooder, 300)
	h.allowed(t, "Bearer "+token, nil)
	// In five seconds each list is read once, and the key is read once.
	calls := h.count(func() {
		for range 100 {
			if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
				t.Fatal("a token is refused for what another user has revoked")
			}
		}
	})
	if calls != 0 {
		t.Errorf("got %d calls for 100 tokens of one key within 5 s, want none", calls)
	}
	if _, ok := h.allowed(t, "Bearer "+dead, nil); ok {
		t.Error("a revoked key's token is accepted, since the list is too long")
	}
	h.revoke(t, k)
	h.Clock.Add(signing.SnapshotAge)
	if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
		t.Error("a token is accepted 5 s after its key was revoked, since the list is too long")
	}
}

func TestTokensAreJudgedByTheirKeysWhereTheListIsUnread(t *testing.T) {
	t.Parallel()
	for name, kind := range unreadable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, token, k := withToken(t)
			h.Faults.Add(storagetest.Fault{Operation: "Query", Kind: kind})
			for range 20 { // 20 s: longer than any list is valid
				h.Clock.Add(time.Second)
				if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
					t.Fatal("a good token is refused")
				}
			}
			h.revoke(t, k)
			h.Clock.Add(signing.SnapshotAge)
			if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
				t.Error("the token is accepted 5 s after its key was revoked")
			}
		})
	}
}

// A token that cannot be checked at all is not let in. Nothing else is affected.
func TestTokenWhoseKeyIsUnreadTooIsNotLetIn(t *testing.T) {
	t.Parallel()
	h, token, _ := withToken(t)
	h.Clock.Add(signing.SnapshotAge)
	h.Faults.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.Throttle})
	h.Faults.Add(storagetest.Fault{Operation: "GetItem", Kind: storagetest.Throttle})
	if _, err := h.handle(ctx, event("Bearer "+token, nil)); err == nil {
		t.Error("got an answer about a token of which nothing can be read")
	}
}

func TestKeysThatVerifyAreKeptForAWhileWhereTheyAreUnread(t *testing.T) {
	t.Parallel()
	for name, kind := range unreadable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, token, _ := withToken(t)
			h.rotate(t, signing.Compromised)
			h.Faults.Add(storagetest.Fault{Operation: "Query", Kind: kind})
			h.Clock.Add(signing.StaleAge - time.Millisecond)
			if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
				t.Error("a token is refused on a word of 30 s ago, while no other can be had")
			}
			h.Clock.Add(time.Second)
			if _, err := h.handle(ctx, event("Bearer "+token, nil)); err == nil {
				t.Error("got an answer on a word of over 30 s ago")
			}
			h.Faults.Clear()
			h.Clock.Add(time.Second)
			if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
				t.Error("a token of a compromised key is accepted, though the new word can be read")
			}
		})
	}
}

// A throttled partition is not kept busy by the authorizers that cannot read it.
func TestWhatCannotBeReadIsAskedForOnceASecond(t *testing.T) {
	t.Parallel()
	h, token, _ := withToken(t)
	h.Clock.Add(signing.SnapshotAge)
	h.Faults.Clear()
	h.Faults.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.Throttle})
	const attempts = 3 // of the client
	for second := range 3 {
		for range 50 {
			if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
				t.Fatal("a good token is refused")
			}
		}
		if got, most := h.Faults.Calls("Query"), 2*attempts*(second+1); got > most {
			t.Errorf("got %d queries after %d s, want at most %d", got, second+1, most)
		}
		h.Clock.Add(time.Second)
	}
}

func TestKeysThatWereAskedForAreForgottenInTime(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, k := h.key(t)
	caller := access.Caller{User: k.User, Key: k.ID}
	full := map[string]finding{}
	for i := range maxChecked {
		full[fmt.Sprint(i)] = finding{}
	}
	h.revoked.checked = full
	if revoked, err := h.revoked.check(ctx, caller, h.Clock.Now()); revoked || err != nil {
		t.Errorf("got %t, %v; want a good key", revoked, err)
	}
	if n := len(h.revoked.checked); n > maxChecked {
		t.Errorf("got %d keys remembered, want at most %d", n, maxChecked)
	}
	if revoked, err := h.revoked.check(ctx, access.Caller{User: k.User, Key: uuid.NewString()}, h.Clock.Now()); !revoked || err != nil {
		t.Errorf("got %t, %v of a key that does not exist; want it refused", revoked, err)
	}
}
