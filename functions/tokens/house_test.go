package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	ctx   = context.Background()
	start = time.Unix(4_000_000_000, 0).UTC()
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is the function over tables of its own. Its storage calls go through
// faults and are counted; the stores' do not.
type house struct {
	*httpapi.Lambda
	clock   clock
	faults  storagetest.Faults
	domain  accesstoken.Domain
	keys    *apikey.Store
	users   *user.Store
	signing *signing.Store
	owner   user.User
	key     apikey.Key
}

func newHouse(t *testing.T) *house {
	t.Helper()
	env, h := storagetest.New(t), &house{}
	h.build(t, env, env.WithFaults(&h.faults).DynamoDB)
	return h
}

// build makes a house whose function asks storage through db.
func (h *house) build(t *testing.T, env *storagetest.Env, db *dynamodb.Client) {
	t.Helper()
	h.domain = accesstoken.Domain{Issuer: "opsplane/test", Audience: "opsplane-api"}
	h.clock.at = start
	tokensTable, operations, signingKeys := env.Table("TokensTable"), env.Table("OperationsTable"), env.Table("SigningKeysTable")
	h.keys = &apikey.Store{DB: env.DynamoDB, Table: tokensTable}
	h.users = &user.Store{DB: env.DynamoDB, Table: operations}
	h.signing = &signing.Store{DB: env.DynamoDB, KeysTable: signingKeys, TokensTable: tokensTable}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h.Lambda = httpapi.NewLambda(routes(&tokens{
		keys:   &apikey.Store{DB: db, Table: tokensTable},
		users:  &user.Store{DB: db, Table: operations},
		signer: &signer{read: (&signing.Store{DB: db, KeysTable: signingKeys, TokensTable: tokensTable}).Keys},
		domain: h.domain,
		log:    log,
	}), log, h.clock.now)
	var err error
	if h.owner, err = h.users.Create(ctx, "ann", h.author()); err != nil {
		t.Fatal(err)
	}
	for _, m := range []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "github", ID: "2"}, {VCS: "gitlab", ID: "7"}} {
		if err := h.users.AddMembership(ctx, h.owner.ID, m, h.author()); err != nil {
			t.Fatal(err)
		}
	}
	h.key = h.newKey(t, apikey.New{Name: "own", Capabilities: access.Strings()})
}

func (h *house) author() change.Author {
	return change.Author{Principal: "operator:test", Request: uuid.NewString(), At: h.clock.now()}
}

func (h *house) newKey(t *testing.T, n apikey.New) apikey.Key {
	t.Helper()
	n.User = h.owner.ID
	_, k, err := h.keys.Create(ctx, n, h.author())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (h *house) rotate(t *testing.T, how signing.Rotation) {
	t.Helper()
	if _, err := h.signing.Rotate(ctx, how, h.author()); err != nil {
		t.Fatal(err)
	}
}

// holder is the caller as the authorizer makes it of an API key.
func (h *house) holder(t *testing.T, k apikey.Key) *access.Caller {
	t.Helper()
	k, err := h.keys.Get(ctx, k.User, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := access.Caller{Kind: access.KindAPIKey, User: k.User, Key: k.ID, Capabilities: k.Capabilities}.Carry(h.memberships(t))
	if !k.LastUsedAt.IsZero() {
		c.LastUsed = k.LastUsedAt.Unix()
	}
	if !k.ExpiresAt.IsZero() {
		c.Expires = k.ExpiresAt.Unix()
	}
	return &c
}

func (h *house) memberships(t *testing.T) []vcs.Installation {
	t.Helper()
	u, err := h.users.Get(ctx, h.owner.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u.Memberships
}

// bearer is the caller as the authorizer makes it of an access token of the
// key.
func (h *house) bearer(t *testing.T, k apikey.Key) *access.Caller {
	t.Helper()
	c := h.holder(t, k)
	c.Kind, c.LastUsed, c.Expires = access.KindAccessToken, 0, h.clock.now().Unix()+60
	return c
}

func (h *house) do(t *testing.T, method, target string, caller *access.Caller, body string) events.APIGatewayProxyResponse {
	t.Helper()
	resp, err := h.Handle(ctx, httpapitest.Event(t, method, target, caller, body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp
}

// want fails the test unless the answer has the status and, if it is an
// error with words, the id.
func want(t *testing.T, resp events.APIGatewayProxyResponse, status int, id string) {
	t.Helper()
	var body struct {
		ID string `json:"id"`
	}
	if resp.StatusCode != http.StatusOK && resp.Body != "" {
		if err := json.Unmarshal([]byte(resp.Body), &body); err != nil {
			t.Errorf("got the body %q", resp.Body)
		}
	}
	if resp.StatusCode != status || body.ID != id {
		t.Errorf("got %d %s, want %d %q", resp.StatusCode, resp.Body, status, id)
	}
}

// told reports whether verifiers are told that a key is revoked.
func (h *house) told(t *testing.T, k apikey.Key) bool {
	t.Helper()
	list, err := h.signing.Revocations(ctx, signing.RevocationList(k.User), h.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	return list.Has(k.ID)
}

// verify reads a token as the authorizer does.
func (h *house) verify(t *testing.T, token string) (access.Caller, error) {
	t.Helper()
	authority, err := h.signing.Authority(ctx, h.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	return h.domain.Verify(token, h.clock.now(), func(kid string) (ed25519.PublicKey, error) {
		public, ok := authority.Key(kid, h.clock.now())
		if !ok {
			return nil, errors.New("unknown key")
		}
		return public, nil
	})
}

func decode[T any](t *testing.T, resp events.APIGatewayProxyResponse) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(resp.Body), &v); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %d %s: %v", resp.StatusCode, resp.Body, err)
	}
	return v
}

// eventOf is a request with a token of the house's own key.
func eventOf(t *testing.T, h *house, method, target, body string) events.APIGatewayProxyRequest {
	t.Helper()
	return httpapitest.Event(t, method, target, h.bearer(t, h.key), body)
}

// rawItem reads what is stored of a key.
func rawItem(t *testing.T, h *house, k apikey.Key) attr.Item {
	t.Helper()
	out, err := h.keys.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(h.keys.Table), Key: apikey.ItemKey(k.User, k.ID)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}
