package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/storagetest"
	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/session"
)

// host is one that takes each refresh token once, as real ones do.
type host struct {
	mu   sync.Mutex
	good string
	n    int
}

func (h *host) refresh(_ context.Context, refresh string) (session.Grant, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if refresh != h.good {
		return session.Grant{}, fmt.Errorf("host: %w", session.ErrRefused)
	}
	h.n++
	h.good = fmt.Sprintf("ghr_%d", h.n)
	return session.Grant{Access: fmt.Sprintf("ghu_%d", h.n), Refresh: h.good, ExpiresAt: now.Add(8 * time.Hour)}, nil
}

func (h *house) put(t *testing.T, user, vcs string, g session.Grant) {
	t.Helper()
	if err := h.grants.Put(t.Context(), user, vcs, g, author(now)); err != nil {
		t.Fatal(err)
	}
}

func TestTableHoldsNoTokenOfAHost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret := session.Grant{Access: "ghu_accessaccess", Refresh: "ghr_refreshrefresh", ExpiresAt: now.Add(time.Hour)}
	h.put(t, "u1", "github", secret)
	items := h.bytes(t)
	for _, token := range []string{secret.Access, secret.Refresh} {
		// The bytes of an item are written in base64, which has three forms of a text by where it begins.
		for shift := range 3 {
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-", shift) + token))
			if strings.Contains(items, encoded[4:len(encoded)-4]) {
				t.Errorf("the table holds %s in base64", token)
			}
		}
		if strings.Contains(items, token) {
			t.Errorf("the table holds %s", token)
		}
	}
	if got := fmt.Sprintf("%v %+v %s", secret, secret, secret); strings.Contains(got, "ghu_") {
		t.Errorf("a grant prints as %s", got)
	}
	if got, err := h.grants.Token(t.Context(), "u1", "github", nil, author(now)); err != nil || got != secret.Access {
		t.Errorf("got %q, %v; want the token", got, err)
	}
}

func TestGrantOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.put(t, "victim", "github", session.Grant{Access: "ghu_victims"})
	out, err := h.env.DynamoDB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &h.Table})
	if err != nil || len(out.Items) != 1 {
		t.Fatalf("got %d items, %v", len(out.Items), err)
	}
	for _, place := range [][2]string{{"USER#thief", "TOKEN#github"}, {"USER#victim", "TOKEN#gitlab"}} {
		item := map[string]types.AttributeValue{"pk": attr.String(place[0]), "sk": attr.String(place[1]), "sealed": out.Items[0]["sealed"]}
		if _, err := h.env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &h.Table, Item: item}); err != nil {
			t.Fatal(err)
		}
		user, vcs := strings.TrimPrefix(place[0], "USER#"), strings.TrimPrefix(place[1], "TOKEN#")
		if got, err := h.grants.Token(t.Context(), user, vcs, nil, author(now)); !errors.Is(err, session.ErrNoGrant) {
			t.Errorf("%v: got %q, %v; want ErrNoGrant", place, got, err)
		}
	}
}

func TestGrantIsRefreshedWhenItEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		grant session.Grant
		good  string // the refresh token that the host takes
		want  string // empty: log in again
	}{
		"never ends":              {session.Grant{Access: "ghu_0"}, "", "ghu_0"},
		"fresh":                   {session.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(time.Hour)}, "", "ghu_0"},
		"about to end":            {session.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(time.Minute)}, "ghr_0", "ghu_1"},
		"ended":                   {session.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(-time.Hour)}, "ghr_0", "ghu_1"},
		"ended, no refresh token": {session.Grant{Access: "ghu_0", ExpiresAt: now.Add(-time.Hour)}, "", ""},
		"taken back by the host":  {session.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(-time.Hour)}, "ghr_other", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.put(t, "u1", "github", c.grant)
			remote := &host{good: c.good}
			for range 2 {
				got, err := h.grants.Token(t.Context(), "u1", "github", remote.refresh, author(now))
				if got != c.want || (c.want == "") != errors.Is(err, session.ErrNoGrant) {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
			}
		})
	}
	h := newHouse(t)
	if _, err := h.grants.Token(t.Context(), "u1", "github", nil, author(now)); !errors.Is(err, session.ErrNoGrant) {
		t.Errorf("of a user without one: got %v, want ErrNoGrant", err)
	}
}

func TestRefreshAtOnceEndsWithOneGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.put(t, "u1", "github", session.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now})
	remote := &host{good: "ghr_0"}
	// The second caller refreshes and stores its grant before the first asks the host.
	first := func(ctx context.Context, refresh string) (session.Grant, error) {
		if _, err := h.grants.Token(ctx, "u1", "github", remote.refresh, author(now)); err != nil {
			t.Error(err)
		}
		return remote.refresh(ctx, refresh)
	}
	if got, err := h.grants.Token(t.Context(), "u1", "github", first, author(now)); err != nil || got != "ghu_1" {
		t.Errorf("refused by the host: got %q, %v; want the other's token ghu_1", got, err)
	}
	// Another login stores a grant while this one is at the host.
	h.put(t, "u1", "github", session.Grant{Access: "ghu_1", Refresh: "ghr_1", ExpiresAt: now})
	late := func(ctx context.Context, refresh string) (session.Grant, error) {
		h.put(t, "u1", "github", session.Grant{Access: "ghu_login", ExpiresAt: now.Add(time.Hour)})
		return remote.refresh(ctx, refresh)
	}
	if got, err := h.grants.Token(t.Context(), "u1", "github", late, author(now)); err != nil || got != "ghu_login" {
		t.Errorf("overtaken: got %q, %v; want the login's token", got, err)
	}
}

func TestFailureAtTheHostIsNoRefusal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.put(t, "u1", "github", session.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now})
	down := errors.New("host is down")
	_, err := h.grants.Token(t.Context(), "u1", "github", func(context.Context, string) (session.Grant, error) { return session.Grant{}, down }, author(now))
	if !errors.Is(err, down) || errors.Is(err, session.ErrNoGrant) {
		t.Errorf("got %v, want the host's failure", err)
	}
	h.faults.Add(storagetest.Fault{Operation: "PutItem", Nth: 1, Kind: storagetest.LoseAnswer})
	remote := &host{good: "ghr_0"}
	if got, err := h.grants.Token(t.Context(), "u1", "github", remote.refresh, author(now)); err != nil || got != "ghu_1" {
		t.Errorf("with a lost answer: got %q, %v; want ghu_1", got, err)
	}
}
