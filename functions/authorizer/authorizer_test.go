package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/access"
	"github.com/opsplane/opsplane/shared/apikey"
	"github.com/opsplane/opsplane/shared/signing"
)

var atInstallation1 = map[string]string{"vcs": "github", "installation_id": "1"}

func TestAPIKeyIsLookedUpWithOneCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, k := h.key(t, access.KVStoreRead)
	want := access.Caller{
		Kind: access.KindAPIKey, User: h.owner.ID, Key: k.ID, Capabilities: access.Set{access.KVStoreRead},
		Memberships: []access.Membership{{VCS: "github", Installation: "1"}},
	}
	calls := h.count(func() {
		if got, ok := h.allowed(t, "Bearer "+text, nil); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %t; want %+v", got, ok, want)
		}
	})
	if calls != 1 || h.faults.Calls("BatchGetItem") != 1 {
		t.Errorf("got %d calls, want one BatchGetItem", calls)
	}
	if err := h.keys.MarkUsed(ctx, h.owner.ID, k.ID, h.author()); err != nil {
		t.Fatal(err)
	}
	if got, _ := h.allowed(t, "Bearer "+text, nil); got.LastUsed != start.Unix() {
		t.Errorf("got last used %d, want %d", got.LastUsed, start.Unix())
	}
}

func TestAccessTokenNeedsNoCallWhileTheAuthorityIsFresh(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t, access.KVStoreRead)
	token := h.token(t, text)
	if calls := h.count(func() { h.allowed(t, "Bearer "+token, nil) }); calls != 1 {
		t.Errorf("got %d calls for the first token, want 1", calls)
	}
	calls := h.count(func() {
		for range 49 {
			h.clock.add(100 * time.Millisecond)
			if _, ok := h.allowed(t, "Bearer "+token, atInstallation1); !ok {
				t.Fatal("the token is refused")
			}
		}
	})
	if calls != 0 {
		t.Errorf("got %d calls within 4.9 s, want none", calls)
	}
	h.clock.add(100 * time.Millisecond)
	if calls := h.count(func() { h.allowed(t, "Bearer "+token, nil) }); calls != 1 {
		t.Errorf("got %d calls after 5 s, want 1", calls)
	}
}

func TestTokensOfARevokedKeyEndWithinTheBound(t *testing.T) {
	t.Parallel()
	// However old the authorizer's view is at the moment of the revocation.
	for age := time.Duration(0); age < signing.SnapshotAge; age += 700 * time.Millisecond {
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			text, k := h.key(t)
			token := h.token(t, text)
			h.allowed(t, "Bearer "+token, nil)
			h.clock.add(age)
			h.revoke(t, k)
			if _, ok := h.allowed(t, "Bearer "+text, nil); ok {
				t.Error("the key is accepted after its revocation")
			}
			revoked := h.clock.now()
			var lasted time.Duration
			for h.clock.now().Sub(revoked) <= time.Minute {
				if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
					lasted = h.clock.now().Sub(revoked)
				}
				h.clock.add(250 * time.Millisecond)
			}
			if lasted >= signing.SnapshotAge {
				t.Errorf("the token was accepted %v after the revocation", lasted)
			}
		})
	}
}

// A token that is minted just after its key was revoked, for a refresh that
// was let in just before, is refused as long as it lives.
func TestTokenMintedAcrossARevocationIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, k := h.key(t)
	h.revoke(t, k)
	h.clock.add(29 * time.Second)
	keys, err := h.signing.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	late := access.Caller{Kind: access.KindAPIKey, User: h.owner.ID, Key: k.ID}
	token, err := h.domain.Mint(keys[0].ID, keys[0].Private, late, h.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
			t.Fatalf("the token is accepted %v after the revocation", h.clock.now().Sub(start))
		}
		h.clock.add(time.Second)
	}
}

func TestKeyAndItsTokensEndWithItsExpiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _, err := h.keys.Create(ctx, apikey.New{User: h.owner.ID, ExpiresAt: start.Add(10 * time.Second)}, h.author())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := h.allowed(t, "Bearer "+text, nil); !ok || got.Expires != start.Unix()+10 {
		t.Errorf("got %+v, %t; want the key's end", got, ok)
	}
	token := h.token(t, text)
	h.clock.add(10*time.Second - time.Millisecond)
	for _, credential := range []string{text, token} {
		if _, ok := h.allowed(t, "Bearer "+credential, nil); !ok {
			t.Errorf("%.8s is refused before the end", credential)
		}
	}
	h.clock.add(time.Millisecond)
	for _, credential := range []string{text, token} {
		if _, ok := h.allowed(t, "Bearer "+credential, nil); ok {
			t.Errorf("%.8s is accepted at the end", credential)
		}
	}
}

func TestOtherCredentialsAreRefusedWithoutACall(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	flipped := "A"
	if strings.HasSuffix(text, "A") {
		flipped = "B"
	}
	h.faults.Clear()
	for name, header := range map[string]string{
		"nothing":                 "",
		"scheme alone":            "Bearer",
		"scheme and space":        "Bearer ",
		"no scheme":               token,
		"basic":                   "Basic dXNlcjpwYXNz",
		"basic with a key":        "Basic " + text,
		"garbage":                 "Bearer garbage",
		"key of a wrong checksum": "Bearer " + text[:len(text)-1] + flipped,
		"key cut short":           "Bearer " + text[:50],
		"two keys":                "Bearer " + text + " " + text,
		"joined by a proxy":       "Bearer " + text + ",Bearer " + text,
		"too long":                "Bearer " + strings.Repeat("a", 8<<10),
		"too long, of a real key": "Bearer " + text + strings.Repeat(" ", 8<<10),
		"too long, of spaces":     strings.Repeat(" ", 8<<10) + "Bearer " + text,
	} {
		if got, ok := h.allowed(t, header, nil); ok {
			t.Errorf("%s: got %+v, want a refusal", name, got)
		}
	}
	if n := h.faults.Calls(""); n != 0 {
		t.Errorf("got %d storage calls, want none", n)
	}
}

func TestSchemeAndHeaderMayBeInAnyCase(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	for _, header := range []string{"Bearer " + text, "bearer " + text, "BEARER   " + text + "  ", " Bearer " + text} {
		if _, ok := h.allowed(t, header, nil); !ok {
			t.Errorf("%.12q is refused", header)
		}
	}
	e := event("", nil)
	for _, name := range []string{"Authorization", "authorization", "AUTHORIZATION"} {
		e.MultiValueHeaders = map[string][]string{name: {"Bearer " + text}}
		e.Headers = nil
		for _, form := range []string{"multi-value", "single-value"} {
			answer, err := h.handle(ctx, e)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := verdict(t, answer); !ok {
				t.Errorf("%s in %s headers is refused", name, form)
			}
			e.Headers, e.MultiValueHeaders = map[string]string{name: "Bearer " + text}, nil
		}
	}
	for _, headers := range []map[string][]string{
		{"Authorization": {"Bearer " + text, "Bearer " + text}},
		{"Authorization": {"Bearer " + text}, "authorization": {"Bearer x"}},
		{"Authorization": {}},
		{},
	} {
		e.MultiValueHeaders = headers
		answer, err := h.handle(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := verdict(t, answer); ok {
			t.Errorf("headers %.40v are accepted", headers)
		}
	}
}

func TestUnknownAPIKeysAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other := newHouse(t)
	foreign, _ := other.key(t)
	nobody, _, err := h.keys.Create(ctx, apikey.New{User: uuid.NewString()}, h.author())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"of another deployment": foreign, "of a user who does not exist": nobody} {
		if calls := h.count(func() {
			if _, ok := h.allowed(t, "Bearer "+text, nil); ok {
				t.Errorf("a key %s is accepted", name)
			}
		}); calls != 1 {
			t.Errorf("a key %s: %d calls, want 1 as for any", name, calls)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	h, other := newHouse(t), newHouse(t)
	text, _ := other.key(t)
	foreign := other.token(t, text)
	if _, ok := h.allowed(t, "Bearer "+foreign, nil); ok {
		t.Error("a token of another deployment is accepted")
	}
	// Unknown signing keys cost at most a read a second.
	h.clock.add(time.Minute)
	calls := h.count(func() {
		for range 100 {
			h.clock.add(100 * time.Millisecond)
			h.allowed(t, "Bearer "+foreign, nil)
		}
	})
	if calls < 9 || calls > 11 {
		t.Errorf("got %d calls for 100 forged tokens within 10 s, want about 10", calls)
	}
}

func TestRotationGoesUnnoticed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	ends := h.clock.now().Add(time.Minute)
	h.rotate(t, signing.Planned)
	for h.clock.now().Before(ends) {
		if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
			t.Fatal("the token of the old key is refused while it lives")
		}
		h.clock.add(time.Second)
		if _, ok := h.allowed(t, "Bearer "+h.token(t, text), nil); !ok {
			t.Fatal("a new token is refused")
		}
	}
}

func TestCompromiseRefusesTheOldAndTakesTheNewAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	old := h.token(t, text)
	if _, ok := h.allowed(t, "Bearer "+old, nil); !ok {
		t.Fatal("the token is refused")
	}
	h.clock.add(time.Second)
	h.rotate(t, signing.Compromised)
	if _, ok := h.allowed(t, "Bearer "+h.token(t, text), nil); !ok {
		t.Error("a token of the new key is refused, though it is news")
	}
	if _, ok := h.allowed(t, "Bearer "+old, nil); ok {
		t.Error("a token of the old key is accepted after the new one was seen")
	}
}

func TestMembershipsAreNarrowedToThePath(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.join(t, "gitlab", "1")
	h.join(t, "github", "2")
	text, _ := h.key(t)
	token := h.token(t, text)
	all := []access.Membership{{VCS: "github", Installation: "1"}, {VCS: "github", Installation: "2"}, {VCS: "gitlab", Installation: "1"}}
	for _, credential := range []string{text, token} {
		for _, c := range []struct {
			path map[string]string
			want []access.Membership
		}{
			{nil, all},
			{map[string]string{"vcs": "github"}, all},
			{atInstallation1, all[:1]},
			{map[string]string{"vcs": "gitlab", "installation_id": "1"}, all[2:]},
			{map[string]string{"vcs": "gitlab", "installation_id": "2"}, nil},
			{map[string]string{"vcs": "github", "installation_id": "%31"}, nil},
			{map[string]string{"installation_id": "1"}, nil},
		} {
			got, ok := h.allowed(t, "Bearer "+credential, c.path)
			if !ok || !slices.Equal(got.Memberships, c.want) {
				t.Errorf("%.4s at %v: got %v, %t; want %v", credential, c.path, got.Memberships, ok, c.want)
			}
		}
	}
}

func TestUserOfManyInstallationsCostsACallAtEach(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range access.MaxMemberships {
		h.join(t, "github", fmt.Sprint(100+i))
	}
	text, _ := h.key(t, access.KVStoreRead)
	restricted, _ := h.key(t, access.Installation("150"))
	token := h.token(t, text)
	if got, ok := h.allowed(t, "Bearer "+token, nil); !ok || !got.Partial || got.Memberships != nil {
		t.Errorf("got %+v, %t; want no memberships, and told so", got, ok)
	}
	path := map[string]string{"vcs": "github", "installation_id": "150"}
	want := []access.Membership{{VCS: "github", Installation: "150"}}
	calls := h.count(func() {
		if got, ok := h.allowed(t, "Bearer "+token, path); !ok || got.Partial || !slices.Equal(got.Memberships, want) {
			t.Errorf("got %+v, %t; want %v", got, ok, want)
		}
	})
	if calls != 1 {
		t.Errorf("got %d calls, want 1", calls)
	}
	// A key restricted to one of them carries it.
	narrow := h.token(t, restricted)
	calls = h.count(func() {
		if got, ok := h.allowed(t, "Bearer "+narrow, path); !ok || !slices.Equal(got.Memberships, want) {
			t.Errorf("got %+v, %t; want %v", got, ok, want)
		}
	})
	if calls != 0 {
		t.Errorf("got %d calls, want none", calls)
	}
}

func TestStorageFailureLetsNobodyIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	h.allowed(t, "Bearer "+token, nil)
	for name, kind := range map[string]storagetest.Kind{
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError, "no answer": storagetest.LoseRequest, "unreachable": storagetest.Refuse,
	} {
		h.faults.Clear()
		h.faults.Add(storagetest.Fault{Kind: kind})
		if _, err := h.handle(ctx, event("Bearer "+text, nil)); err == nil {
			t.Errorf("%s, API key: got an answer", name)
		}
		if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
			t.Errorf("%s, token, fresh authority: refused", name)
		}
		h.clock.add(signing.SnapshotAge)
		if _, err := h.handle(ctx, event("Bearer "+token, nil)); err == nil {
			t.Errorf("%s, token, authority too old: got an answer", name)
		}
		h.faults.Clear()
		if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
			t.Errorf("after %s: refused", name)
		}
	}
}

func TestOneThrottledCallIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	for _, kind := range []storagetest.Kind{storagetest.Throttle, storagetest.ServerError, storagetest.LoseAnswer} {
		h.faults.Clear()
		h.faults.Add(storagetest.Fault{Operation: "BatchGetItem", Nth: 1, Kind: kind})
		if _, ok := h.allowed(t, "Bearer "+text, nil); !ok {
			t.Errorf("fault %d: refused", kind)
		}
	}
}

func TestManyRequestsShareOneReading(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	h.faults.Add(storagetest.Fault{Operation: "Query", Delay: 50 * time.Millisecond})
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
	if calls != 1 {
		t.Errorf("got %d calls, want 1", calls)
	}
}

// The view's age counts from before it was read: what happens during a slow
// reading may be missing in it.
func TestSlowReadingIsOldWhenItArrives(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, k := h.key(t)
	token := h.token(t, text)
	h.faults.Add(storagetest.Fault{Operation: "Query", Nth: 1, Before: func() { h.clock.add(2 * time.Second) }})
	if _, ok := h.allowed(t, "Bearer "+token, nil); !ok {
		t.Fatal("refused")
	}
	h.revoke(t, k)
	h.clock.add(3 * time.Second)
	if _, ok := h.allowed(t, "Bearer "+token, nil); ok {
		t.Error("the token is accepted on a view that was begun 5 s ago")
	}
}

func TestNeitherCredentialNorPathIsLogged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, k := h.key(t)
	token := h.token(t, text)
	var log bytes.Buffer
	h.authorizer.log = slog.New(slog.NewJSONHandler(&log, nil))
	h.revoke(t, k)
	h.clock.add(10 * time.Second)
	credentials := []string{text, token, token[:len(token)-4] + "AAAA", "secret-garbage", "eyJhbGciOiJub25lIn0.eyJjYXAiOlsic2VjcmV0LWdhcmJhZ2UiXX0."}
	for _, c := range credentials {
		e := event("Bearer "+c, nil)
		e.Path = "/api/v1/github/kv/1/key/secret-garbage"
		if _, err := h.handle(ctx, e); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), e.RequestContext.RequestID) {
			t.Errorf("the refusal of %.12s is not logged", c)
		}
	}
	for _, c := range append(credentials, "secret-garbage", text[20:60], token[len(token)-20:], strings.Split(token, ".")[1]) {
		if strings.Contains(log.String(), c) {
			t.Errorf("the log holds %.12s…", c)
		}
	}
	if got := strings.Count(log.String(), `"refused":1`); got != len(credentials) {
		t.Errorf("got %d refusals counted, want %d", got, len(credentials))
	}
}

func TestOtherEventsAreErrors(t *testing.T) {
	t.Parallel()
	a := &authorizer{log: slog.New(slog.DiscardHandler), now: time.Now}
	for _, e := range []events.APIGatewayCustomAuthorizerRequestTypeRequest{
		{}, {MethodArn: "live/GET"}, {MethodArn: "arn:aws:execute-api:r:1:x"}, {MethodArn: "arn:aws:execute-api:r:1:x//GET/a"},
	} {
		if answer, err := a.handle(ctx, e); err == nil {
			t.Errorf("%q: got %+v", e.MethodArn, answer)
		}
	}
}

func BenchmarkAccessToken(b *testing.B) {
	h := newHouse(b)
	text, _ := h.key(b, access.VCS("github"), access.KVStoreRead, access.KVStoreWrite)
	e := event("Bearer "+h.token(b, text), atInstallation1)
	for b.Loop() {
		if _, err := h.handle(ctx, e); err != nil {
			b.Fatal(err)
		}
	}
}
