package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/vcs"
)

var atInstallation1 = map[string]string{"vcs": "github", "installation_id": "1"}

func TestAPIKeyIsLookedUpWithOneCall(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, k := h.key(t, access.KVStoreRead)
	want := access.Caller{
		Kind: access.KindAPIKey, User: h.owner.ID, Key: k.ID, Capabilities: access.Set{access.KVStoreRead},
		Memberships: []vcs.Installation{{VCS: "github", ID: "1"}},
	}
	calls := h.count(func() {
		if got, ok := h.allowed(t, "Bearer "+text, nil); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %t; want %+v", got, ok, want)
		}
	})
	if calls != 1 || h.Faults.Calls("BatchGetItem") != 1 {
		t.Errorf("got %d calls, want one BatchGetItem", calls)
	}
	if err := h.keys.MarkUsed(ctx, h.owner.ID, k.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
	if got, _ := h.allowed(t, "Bearer "+text, nil); got.LastUsed != start.Unix() {
		t.Errorf("got last used %d, want %d", got.LastUsed, start.Unix())
	}
}

func TestOtherCredentialsAreRefusedWithoutACall(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t)
	token := h.token(t, text)
	flipped := "A"
	if strings.HasSuffix(text, "A") {
		flipped = "B"
	}
	h.Faults.Clear()
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
	if n := h.Faults.Calls(""); n != 0 {
		t.Errorf("got %d storage calls, want none", n)
	}
}

func TestSchemeAndHeaderMayBeInAnyCase(t *testing.T) {
	t.Parallel()
	h := newRig(t)
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
	h := newRig(t)
	other := newRig(t)
	foreign, _ := other.key(t)
	nobody, _, err := h.keys.Create(ctx, apikey.New{User: uuid.NewString()}, h.Author())
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

func TestMembershipsAreNarrowedToThePath(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.join(t, "gitlab", "1")
	h.join(t, "github", "2")
	text, _ := h.key(t)
	token := h.token(t, text)
	all := []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "github", ID: "2"}, {VCS: "gitlab", ID: "1"}}
	for _, credential := range []string{text, token} {
		for _, c := range []struct {
			path map[string]string
			want []vcs.Installation
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
	h := newRig(t)
	for i := range access.MaxMemberships {
		h.join(t, "github", vcs.ID(fmt.Sprint(100+i)))
	}
	text, _ := h.key(t, access.KVStoreRead)
	restricted, _ := h.key(t, access.Installation("150"))
	token := h.token(t, text)
	if got, ok := h.allowed(t, "Bearer "+token, nil); !ok || !got.Partial || got.Memberships != nil {
		t.Errorf("got %+v, %t; want no memberships, and told so", got, ok)
	}
	path := map[string]string{"vcs": "github", "installation_id": "150"}
	want := []vcs.Installation{{VCS: "github", ID: "150"}}
	calls := h.count(func() {
		if got, ok := h.allowed(t, "Bearer "+token, path); !ok || got.Partial || !slices.Equal(got.Memberships, want) {
			t.Errorf("got %+v, %t; want %v", got, ok, want)
		}
	})
	if calls != 1 {
		t.Errorf("got %d calls, want 1", calls)
	}
	// A token of a key that is restricted to one of them carries it.
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

func TestOneThrottledCallIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, _ := h.key(t)
	for _, kind := range []storagetest.Kind{storagetest.Throttle, storagetest.ServerError, storagetest.LoseAnswer} {
		h.Faults.Clear()
		h.Faults.Add(storagetest.Fault{Operation: "BatchGetItem", Nth: 1, Kind: kind})
		if _, ok := h.allowed(t, "Bearer "+text, nil); !ok {
			t.Errorf("fault %d: refused", kind)
		}
	}
}

func TestNeitherCredentialNorPathIsLogged(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, k := h.key(t)
	token := h.token(t, text)
	var log bytes.Buffer
	h.authorizer.log = slog.New(slog.NewJSONHandler(&log, nil))
	h.revoke(t, k)
	h.Clock.Add(10 * time.Second)
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

func TestLogSaysWhyACredentialIsRefused(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	text, k := h.key(t)
	h.revoke(t, k)
	var log bytes.Buffer
	h.authorizer.log = slog.New(slog.NewJSONHandler(&log, nil))
	for header, why := range map[string]string{
		"Bearer " + text: "the API key is revoked or expired", "Basic x": "not a bearer credential", "Bearer x": "invalid access token",
	} {
		log.Reset()
		e := event(header, map[string]string{"vcs": "github", "installation_id": "42"})
		e.Resource = "/api/v1/{vcs}/kv/{installation_id}/key"
		if _, err := h.handle(ctx, e); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`"step":"credential"`, `"why":"` + why, `"vcs":"github"`, `"installation":"42"`, `"route":"GET /api/v1/{vcs}/kv/{installation_id}/key"`,
			`"gateway_request_id":"` + e.RequestContext.RequestID + `"`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not hold %s: %s", want, log.String())
			}
		}
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
	h := newRig(b)
	text, _ := h.key(b, access.VCS("github"), access.KVStoreRead, access.KVStoreWrite)
	e := event("Bearer "+h.token(b, text), atInstallation1)
	for b.Loop() {
		if _, err := h.handle(ctx, e); err != nil {
			b.Fatal(err)
		}
	}
}
