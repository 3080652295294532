package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	ctx   = context.Background()
	start = functiontest.Start
)

// rig is the function with tables of its own. The function's storage calls can be
// made to fail, and are counted. The calls of the rig's own stores are not.
type rig struct {
	*functiontest.Rig
	lambda  *httpapi.Lambda
	domain  accesstoken.Domain
	keys    *apikey.Store
	users   *user.Store
	signing *signing.Store
	owner   user.User
	key     apikey.Key
}

const function = "TokensFunction"

func newRig(t *testing.T) *rig {
	t.Helper()
	of := functiontest.New(t, function)
	return rigOn(t, of, of.Role.DynamoDB)
}

// rigOn makes the function use storage through db.
func rigOn(t *testing.T, of *functiontest.Rig, db *dynamodb.Client) *rig {
	t.Helper()
	env, h := of.Env, &rig{Rig: of, domain: accesstoken.Domain{Issuer: "opsplane/test", Audience: "opsplane-api"}}
	tokensTable, operations, signingKeys := env.Table("TokensTable"), env.Table("OperationsTable"), env.Table("SigningKeysTable")
	h.keys = &apikey.Store{DB: env.DynamoDB, Table: tokensTable}
	h.users = &user.Store{DB: env.DynamoDB, Table: operations}
	h.signing = &signing.Store{DB: env.DynamoDB, KeysTable: signingKeys, TokensTable: tokensTable}
	h.lambda = h.Serve(routes(&tokens{
		keys:   &apikey.Store{DB: db, Table: tokensTable},
		users:  &user.Store{DB: db, Table: operations},
		signer: &signer{read: (&signing.Store{DB: db, KeysTable: signingKeys, TokensTable: tokensTable}).Keys},
		domain: h.domain,
		log:    h.Logger(),
	}))
	var err error
	if h.owner, err = h.users.Create(ctx, "ann", h.Author()); err != nil {
		t.Fatal(err)
	}
	for _, m := range []vcs.Installation{{VCS: "github", ID: "1"}, {VCS: "github", ID: "2"}, {VCS: "gitlab", ID: "7"}} {
		if err := h.users.AddMembership(ctx, h.owner.ID, m, h.Author()); err != nil {
			t.Fatal(err)
		}
	}
	h.key = h.newKey(t, apikey.New{Name: "own", Capabilities: access.Strings()})
	return h
}

func (h *rig) newKey(t *testing.T, n apikey.New) apikey.Key {
	t.Helper()
	n.User = h.owner.ID
	_, k, err := h.keys.Create(ctx, n, h.Author())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (h *rig) rotate(t *testing.T, how signing.Rotation) {
	t.Helper()
	if _, err := h.signing.Rotate(ctx, how, h.Author()); err != nil {
		t.Fatal(err)
	}
}

// holder returns the caller that the authorizer makes of an API key.
func (h *rig) holder(t *testing.T, k apikey.Key) *access.Caller {
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

func (h *rig) memberships(t *testing.T) []vcs.Installation {
	t.Helper()
	u, err := h.users.Get(ctx, h.owner.ID)
	if err != nil {
		t.Fatal(err)
	}
	return u.Memberships
}

// bearer returns the caller that the authorizer makes of an access token of the
// key.
func (h *rig) bearer(t *testing.T, k apikey.Key) *access.Caller {
	t.Helper()
	c := h.holder(t, k)
	c.Kind, c.LastUsed, c.Expires = access.KindAccessToken, 0, h.Clock.Now().Unix()+60
	return c
}

func (h *rig) do(t *testing.T, method, target string, caller *access.Caller, body string) functiontest.Response {
	t.Helper()
	return h.As(t, caller, method, target, body)
}

func want(t *testing.T, resp functiontest.Response, status int, id string) {
	t.Helper()
	resp.Want(t, status, id)
}

// told reports whether verifiers can read that a key is revoked.
func (h *rig) told(t *testing.T, k apikey.Key) bool {
	t.Helper()
	list, err := h.signing.Revocations(ctx, signing.RevocationList(k.User), h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return list.Has(k.ID)
}

// verify reads a token as the authorizer does.
func (h *rig) verify(t *testing.T, token string) (access.Caller, error) {
	t.Helper()
	authority, err := h.signing.Authority(ctx, h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return h.domain.Verify(token, h.Clock.Now(), func(kid string) (ed25519.PublicKey, error) {
		public, ok := authority.Key(kid, h.Clock.Now())
		if !ok {
			return nil, errors.New("unknown key")
		}
		return public, nil
	})
}

func decode[T any](t *testing.T, resp functiontest.Response) (v T) {
	t.Helper()
	resp.Read(t, &v)
	return v
}

// eventOf returns a request with a token of the rig's own key.
func eventOf(t *testing.T, h *rig, method, target, body string) events.APIGatewayProxyRequest {
	t.Helper()
	return httpapitest.Event(t, method, target, h.bearer(t, h.key), body)
}

// rawItem reads the stored item of a key.
func rawItem(t *testing.T, h *rig, k apikey.Key) attr.Item {
	t.Helper()
	out, err := h.keys.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(h.keys.Table), Key: apikey.ItemKey(k.User, k.ID)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}
