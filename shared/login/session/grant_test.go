package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// host accepts each refresh token once, as real hosts do.
type host struct {
	mu    sync.Mutex
	good  string
	asked int // refreshes that were requested
	n     int // and granted
}

func (h *host) refresh(_ context.Context, refresh string) (session.Grant, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if refresh != h.good {
		return session.Grant{}, fmt.Errorf("host: %w", session.ErrRefused)
	}
	h.n++
	h.good = fmt.Sprintf("ghr_%d", h.n)
	return session.Grant{Access: fmt.Sprintf("ghu_%d", h.n), Refresh: h.good, ExpiresAt: now.Add(8 * time.Hour)}, nil
}

// u1 is the holder of the tests' grants, unless a test names another.
var u1 = session.Holder{User: "u1", Account: vcs.Account{VCS: "github", ID: "1"}}

func (h *house) put(t *testing.T, of session.Holder, g session.Grant) {
	t.Helper()
	if err := h.grants.Put(t.Context(), of, g, author(now)); err != nil {
		t.Fatal(err)
	}
}

func TestTableHoldsNoTokenOfAHost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret := session.Grant{Access: "ghu_accessaccess", Refresh: "ghr_refreshrefresh", ExpiresAt: now.Add(time.Hour)}
	h.put(t, u1, secret)
	items := h.env.Dump("SessionsTable")
	for _, token := range []string{secret.Access, secret.Refresh} {
		if strings.Contains(items, token) {
			t.Errorf("the table holds %s", token)
		}
	}
	if got := fmt.Sprintf("%v %+v %s", secret, secret, secret); strings.Contains(got, "ghu_") {
		t.Errorf("a grant prints as %s", got)
	}
	if got, err := h.grants.Token(t.Context(), u1, nil, author(now)); err != nil || got != secret.Access {
		t.Errorf("got %q, %v; want the token", got, err)
	}
}

func TestGrantOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	victim := session.Holder{User: "victim", Account: vcs.Account{VCS: "github", ID: "1"}}
	h.put(t, victim, session.Grant{Access: "ghu_victims"})
	item := h.item(t, victim)
	for _, other := range []session.Holder{
		{User: "thief", Account: vcs.Account{VCS: vcs.GitHub, ID: "1"}},
		{User: "victim", Account: vcs.Account{VCS: vcs.GitLab, ID: "1"}},
		{User: "victim", Account: vcs.Account{VCS: vcs.GitHub, ID: "2"}},
	} {
		item["pk"], item["sk"] = attr.String("USER#"+other.User), attr.String("TOKEN#"+string(other.Account.VCS))
		if _, err := h.env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &h.Table, Item: item}); err != nil {
			t.Fatal(err)
		}
		if got, err := h.grants.Token(t.Context(), other, nil, author(now)); !errors.Is(err, session.ErrNoGrant) {
			t.Errorf("%+v: got %q, %v; want ErrNoGrant", other, got, err)
		}
	}
	if got, err := h.grants.Token(t.Context(), victim, nil, author(now)); err != nil || got != "ghu_victims" {
		t.Errorf("in its own place: got %q, %v", got, err)
	}
}

// item returns the stored grant of a holder.
func (h *house) item(t *testing.T, of session.Holder) attr.Item {
	t.Helper()
	key := attr.Item{"pk": attr.String("USER#" + of.User), "sk": attr.String("TOKEN#" + string(of.Account.VCS))}
	out, err := h.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &h.Table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil || len(out.Item) == 0 {
		t.Fatalf("got %d attributes, %v", len(out.Item), err)
	}
	return out.Item
}

func TestGrantOfAnOlderSecretIsSealedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	older, newer := []byte(strings.Repeat("k", sealed.MinSecret)), []byte(strings.Repeat("n", sealed.MinSecret))
	h.put(t, u1, session.Grant{Access: "ghu_0", Refresh: "ghr_0"})
	before := h.item(t, u1)
	use := func(secrets ...[]byte) {
		t.Helper()
		h.grants.Box = sealed.NewBox(sealed.Fixed(secrets...))
		if got, err := h.grants.Token(t.Context(), u1, nil, author(now)); err != nil || got != "ghu_0" {
			t.Fatalf("got %q, %v; want the token", got, err)
		}
	}
	use(older)
	if n := h.faults.Calls("UpdateItem"); n != 0 {
		t.Errorf("before the rotation: %d writes, want none", n)
	}
	// If the write fails, the caller still gets the token, and the next call
	// writes.
	h.faults.Add(storagetest.Fault{Operation: "UpdateItem", Kind: storagetest.ServerError})
	var log bytes.Buffer
	h.grants.Log = slog.New(slog.NewJSONHandler(&log, nil))
	use(newer, older)
	if !strings.Contains(log.String(), "grant not sealed again") {
		t.Errorf("the log does not tell of the failure: %s", log.String())
	}
	h.faults.Clear()
	use(newer, older)
	after := h.item(t, u1)
	r := attr.Read(after)
	if !reflect.DeepEqual(before["version"], after["version"]) || r.String(change.AttrPrincipal) != change.Server || r.String(change.AttrCredential) != "" {
		t.Errorf("got %v, want the same version, by the server", after)
	}
	use(newer)
	if n := h.faults.Calls("UpdateItem"); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
}

func TestGrantIsRefreshedWhenItEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		grant session.Grant
		good  string // the refresh token that the host accepts
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
			h.put(t, u1, c.grant)
			remote := &host{good: c.good}
			for range 2 {
				got, err := h.grants.Token(t.Context(), u1, remote.refresh, author(now))
				if got != c.want || (c.want == "") != errors.Is(err, session.ErrNoGrant) {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
			}
		})
	}
	h := newHouse(t)
	if _, err := h.grants.Token(t.Context(), u1, nil, author(now)); !errors.Is(err, session.ErrNoGrant) {
		t.Errorf("of a user without one: got %v, want ErrNoGrant", err)
	}
}
