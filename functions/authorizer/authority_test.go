package main

import (
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
)

func TestAccessTokenNeedsNoCallWhileTheAuthorityIsFresh(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t, access.KVStoreRead)
	token := h.token(t, text)
	if calls := h.count(func() { h.allowed(t, "Bearer "+token, nil) }); calls != 2 {
		t.Errorf("got %d calls for the first token, want 2", calls)
	}
	calls := h.count(func() {
		for range 49 {
			h.Clock.Add(100 * time.Millisecond)
			if _, ok := h.allowed(t, "Bearer "+token, atInstallation1); !ok {
				t.Fatal("the token is refused")
			}
		}
	})
	if calls != 0 {
		t.Errorf("got %d calls within 4.9 s, want none", calls)
	}
	h.Clock.Add(100 * time.Millisecond)
	if calls := h.count(func() { h.allowed(t, "Bearer "+token, nil) }); calls != 2 {
		t.Errorf("got %d calls after 5 s, want 2", calls)
	}
}

func TestTokensOfARevokedKeyEndWithinTheBound(t *testing.T) {
	t.Parallel()
	// This holds for every age of the authorizer's view at the moment of the
	// revocation.
	for age := time.Duration(0); age < signing.SnapshotAge; age += 700 * time.Millisecond {
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			text, k := h.key(t)
			token := h.token(t, text)
			h.allowed(t, "Bearer "+token, nil)
			h.Clock.Add(age)
			h.revoke(t, k)
			if _, ok := h.allowed(t, "Bearer "+text, nil); ok {
				t.Error("the key is accepted after its revocation")
			}
			revoked := h.Clock.Now()
			var lasted time.Duration
			for h.Clock.Now().Sub(revoked) <= time.Minute {
				if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
					lasted = h.Clock.Now().Sub(revoked)
				}
				h.Clock.Add(250 * time.Millisecond)
			}
			if lasted >= signing.SnapshotAge {
				t.Errorf("the token was accepted %v after the revocation", lasted)
			}
		})
	}
}

// A refresh may be admitted just before its key is revoked, and make a token just
// after. That token is refused as long as it lives.
func TestTokenMintedAcrossARevocationIsRefused(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, k := h.key(t)
	h.token(t, text) // its use was recorded
	h.revoke(t, k)
	h.Clock.Add(29 * time.Second)
	keys, err := h.signing.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	late := access.Caller{Kind: access.KindAPIKey, User: h.owner.ID, Key: k.ID}
	token, err := h.domain.Mint(keys[0].ID, keys[0].Private, late, h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
			t.Fatalf("the token is accepted %v after the revocation", h.Clock.Now().Sub(start))
		}
		h.Clock.Add(time.Second)
	}
}

func TestKeyAndItsTokensEndWithItsExpiry(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _, err := h.keys.Create(ctx, apikey.New{User: h.owner.ID, ExpiresAt: start.Add(10 * time.Second)}, h.Author())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := h.allowed(t, "Bearer "+text, nil); !ok || got.Expires != start.Unix()+10 {
		t.Errorf("got %+v, %t; want the key's end", got, ok)
	}
	token := h.token(t, text)
	h.Clock.Add(10*time.Second - time.Millisecond)
	for _, credential := range []string{text, token} {
		if _, ok := h.allowed(t, "Bearer "+credential, nil); !ok {
			t.Errorf("%.8s is refused before the end", credential)
		}
	}
	h.Clock.Add(time.Millisecond)
	for _, credential := range []string{text, token} {
		if _, ok := h.allowed(t, "Bearer "+credential, nil); ok {
			t.Errorf("%.8s is accepted at the end", credential)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	h, other := newRig(t), newRig(t)
	text, _ := other.key(t)
	foreign := other.token(t, text)
	if _, ok := h.allowed(t, "Bearer "+foreign, nil); ok {
		t.Error("a token of another deployment is accepted")
	}
	// Unknown signing keys cost at most one read a second.
	h.Clock.Add(time.Minute)
	calls := h.count(func() {
		for range 100 {
			h.Clock.Add(100 * time.Millisecond)
			h.allowed(t, "Bearer "+foreign, nil)
		}
	})
	if calls < 9 || calls > 11 {
		t.Errorf("got %d calls for 100 forged tokens within 10 s, want about 10", calls)
	}
}

func TestRotationGoesUnnoticed(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	ends := h.Clock.Now().Add(time.Minute)
	h.rotate(t, signing.Planned)
	for h.Clock.Now().Before(ends) {
		if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
			t.Fatal("the token of the old key is refused while it lives")
		}
		h.Clock.Add(time.Second)
		if _, ok := h.allowed(t, "Bearer "+h.token(t, text), nil); !ok {
			t.Fatal("a new token is refused")
		}
	}
}

func TestCompromiseRefusesTheOldAndTakesTheNewAtOnce(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t)
	old := h.token(t, text)
	if _, ok := h.allowed(t, "Bearer "+old, nil); !ok {
		t.Fatal("the token is refused")
	}
	h.Clock.Add(time.Second)
	h.rotate(t, signing.Compromised)
	if _, ok := h.allowed(t, "Bearer "+h.token(t, text), nil); !ok {
		t.Error("a token of the new key is refused, though it is news")
	}
	if _, ok := h.allowed(t, "Bearer "+old, nil); ok {
		t.Error("a token of the old key is accepted after the new one was seen")
	}
}

func TestStorageFailureLetsNobodyIn(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	h.allowed(t, "Bearer "+token, nil)
	for name, kind := range map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "no answer": storagetest.LoseRequest, "unreachable": storagetest.Refuse,
	} {
		h.Faults.Clear()
		h.Faults.Add(storagetest.Fault{Kind: kind})
		if _, err := h.handle(ctx, event("Bearer "+text, nil)); err == nil {
			t.Errorf("%s, API key: got an answer", name)
		}
		if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
			t.Errorf("%s, token, fresh authority: refused", name)
		}
		h.Clock.Add(signing.SnapshotAge)
		if _, err := h.handle(ctx, event("Bearer "+token, nil)); err == nil {
			t.Errorf("%s, token, authority too old: got an answer", name)
		}
		h.Faults.Clear()
		if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
			t.Errorf("after %s: refused", name)
		}
	}
}

func TestManyRequestsShareOneReading(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	h.Faults.Add(storagetest.Fault{Operation: "Query", Delay: 50 * time.Millisecond})
	calls := h.count(func() {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
					t.Error("refused")
				}
			})
		}
		wg.Wait()
	})
	if calls != 2 {
		t.Errorf("got %d calls, want 2", calls)
	}
}

// The age of the view counts from before it was read, because it may lack what
// happens during a slow reading.
func TestSlowReadingIsOldWhenItArrives(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, k := h.key(t)
	token := h.token(t, text)
	// The second query reads the list.
	h.Faults.Add(storagetest.Fault{Operation: "Query", Nth: 2, Before: func() { h.Clock.Add(2 * time.Second) }})
	if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
		t.Fatal("refused")
	}
	h.revoke(t, k)
	h.Clock.Add(3 * time.Second)
	if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
		t.Error("the token is accepted on a view that was begun 5 s ago")
	}
}
