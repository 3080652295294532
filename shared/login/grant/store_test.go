package grant_test

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
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

var now = time.Unix(4_000_000_000, 0).UTC()

func author(at time.Time) change.Author {
	return change.Author{Principal: "u1", Request: uuid.NewString(), At: at}
}

// rig is the store of grants with faults.
type rig struct {
	*grant.Store
	faults storagetest.Faults
	env    *storagetest.Env
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{env: storagetest.New(t)}
	box := sealed.NewBox(sealed.Fixed([]byte(strings.Repeat("k", sealed.MinSecret))))
	r.Store = &grant.Store{DB: r.env.WithFaults(&r.faults).DynamoDB, Table: r.env.Table("SessionsTable"), Box: box}
	return r
}

// host accepts each refresh token once, as real hosts do.
type host struct {
	mu    sync.Mutex
	good  string
	asked int // refreshes that were requested
	n     int // and granted
}

func (h *host) refresh(_ context.Context, refresh string) (grant.Grant, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if refresh != h.good {
		return grant.Grant{}, fmt.Errorf("host: %w", grant.ErrRefused)
	}
	h.n++
	h.good = fmt.Sprintf("ghr_%d", h.n)
	return grant.Grant{Access: fmt.Sprintf("ghu_%d", h.n), Refresh: h.good, ExpiresAt: now.Add(8 * time.Hour)}, nil
}

// u1 is the holder of the tests' grants, unless a test names another.
var u1 = grant.Holder{User: "u1", Account: vcs.Account{VCS: "github", ID: "1"}}

func (r *rig) put(t *testing.T, of grant.Holder, g grant.Grant) {
	t.Helper()
	if err := r.Put(t.Context(), of, g, author(now)); err != nil {
		t.Fatal(err)
	}
}

func TestTableHoldsNoTokenOfAHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secret := grant.Grant{Access: "ghu_accessaccess", Refresh: "ghr_refreshrefresh", ExpiresAt: now.Add(time.Hour)}
	r.put(t, u1, secret)
	items := r.env.Dump("SessionsTable")
	for _, token := range []string{secret.Access, secret.Refresh} {
		if strings.Contains(items, token) {
			t.Errorf("the table holds %s", token)
		}
	}
	if got := fmt.Sprintf("%v %+v %s", secret, secret, secret); strings.Contains(got, "ghu_") {
		t.Errorf("a grant prints as %s", got)
	}
	if got, err := r.Token(t.Context(), u1, nil, author(now)); err != nil || got != secret.Access {
		t.Errorf("got %q, %v; want the token", got, err)
	}
}

func TestGrantOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	victim := grant.Holder{User: "victim", Account: vcs.Account{VCS: "github", ID: "1"}}
	r.put(t, victim, grant.Grant{Access: "ghu_victims"})
	item := r.item(t, victim)
	for _, other := range []grant.Holder{
		{User: "thief", Account: vcs.Account{VCS: vcs.GitHub, ID: "1"}},
		{User: "victim", Account: vcs.Account{VCS: vcs.GitLab, ID: "1"}},
		{User: "victim", Account: vcs.Account{VCS: vcs.GitHub, ID: "2"}},
	} {
		item["pk"], item["sk"] = attr.String("USER#"+other.User), attr.String("TOKEN#"+string(other.Account.VCS))
		if _, err := r.env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &r.Table, Item: item}); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Token(t.Context(), other, nil, author(now)); !errors.Is(err, grant.ErrNone) {
			t.Errorf("%+v: got %q, %v; want ErrNone", other, got, err)
		}
	}
	if got, err := r.Token(t.Context(), victim, nil, author(now)); err != nil || got != "ghu_victims" {
		t.Errorf("in its own place: got %q, %v", got, err)
	}
}

// item returns the stored grant of a holder.
func (r *rig) item(t *testing.T, of grant.Holder) attr.Item {
	t.Helper()
	key := attr.Item{"pk": attr.String("USER#" + of.User), "sk": attr.String("TOKEN#" + string(of.Account.VCS))}
	out, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &r.Table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil || len(out.Item) == 0 {
		t.Fatalf("got %d attributes, %v", len(out.Item), err)
	}
	return out.Item
}

func TestGrantOfAnOlderSecretIsSealedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	older, newer := []byte(strings.Repeat("k", sealed.MinSecret)), []byte(strings.Repeat("n", sealed.MinSecret))
	r.put(t, u1, grant.Grant{Access: "ghu_0", Refresh: "ghr_0"})
	before := r.item(t, u1)
	use := func(secrets ...[]byte) {
		t.Helper()
		r.Box = sealed.NewBox(sealed.Fixed(secrets...))
		if got, err := r.Token(t.Context(), u1, nil, author(now)); err != nil || got != "ghu_0" {
			t.Fatalf("got %q, %v; want the token", got, err)
		}
	}
	use(older)
	if n := r.faults.Calls("UpdateItem"); n != 0 {
		t.Errorf("before the rotation: %d writes, want none", n)
	}
	// If the write fails, the caller still gets the token, and the next call
	// writes.
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Kind: storagetest.ServerError})
	var log bytes.Buffer
	r.Log = slog.New(slog.NewJSONHandler(&log, nil))
	use(newer, older)
	if !strings.Contains(log.String(), "grant not sealed again") {
		t.Errorf("the log does not name the failure: %s", log.String())
	}
	r.faults.Clear()
	use(newer, older)
	after := r.item(t, u1)
	stored := attr.Read(after)
	if !reflect.DeepEqual(before["version"], after["version"]) || stored.String(change.AttrPrincipal) != change.Server || stored.String(change.AttrCredential) != "" {
		t.Errorf("got %v, want the same version, by the server", after)
	}
	use(newer)
	if n := r.faults.Calls("UpdateItem"); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
}

func TestGrantIsRefreshedWhenItEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored grant.Grant
		good   string // the refresh token that the host accepts
		want   string // empty: log in again
	}{
		"never ends":              {grant.Grant{Access: "ghu_0"}, "", "ghu_0"},
		"fresh":                   {grant.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(time.Hour)}, "", "ghu_0"},
		"about to end":            {grant.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(time.Minute)}, "ghr_0", "ghu_1"},
		"ended":                   {grant.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(-time.Hour)}, "ghr_0", "ghu_1"},
		"ended, no refresh token": {grant.Grant{Access: "ghu_0", ExpiresAt: now.Add(-time.Hour)}, "", ""},
		"taken back by the host":  {grant.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(-time.Hour)}, "ghr_other", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.put(t, u1, c.stored)
			remote := &host{good: c.good}
			for range 2 {
				got, err := r.Token(t.Context(), u1, remote.refresh, author(now))
				if got != c.want || (c.want == "") != errors.Is(err, grant.ErrNone) {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
			}
		})
	}
	r := newRig(t)
	if _, err := r.Token(t.Context(), u1, nil, author(now)); !errors.Is(err, grant.ErrNone) {
		t.Errorf("of a user without one: got %v, want ErrNone", err)
	}
}
