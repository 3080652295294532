package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	ctx   = context.Background()
	start = functiontest.Start
)

const function = "AuthorizerFunction"

// rig is an authorizer with tables of its own, and everything that a test needs to
// authorize requests. The stores are those of the test.
type rig struct {
	*functiontest.Rig
	*authorizer
	keys    *apikey.Store
	users   *user.Store
	logins  *session.Store
	runs    runstore.Store
	signing *signing.Store
	owner   user.User
}

func newRig(t testing.TB) *rig {
	t.Helper()
	of := functiontest.New(t, function)
	return rigOn(t, of, of.Role.DynamoDB)
}

// rigOn makes the authorizer use db for its storage.
func rigOn(t testing.TB, of *functiontest.Rig, db *dynamodb.Client) *rig {
	t.Helper()
	env, r := of.Env, &rig{Rig: of}
	tokens, operations, sessions := env.Table("TokensTable"), env.Table("OperationsTable"), env.Table("SessionsTable")
	r.keys = &apikey.Store{DB: env.DynamoDB, Table: tokens}
	r.users = &user.Store{DB: env.DynamoDB, Table: operations}
	r.logins = &session.Store{DB: env.DynamoDB, Table: sessions}
	r.signing = &signing.Store{DB: env.DynamoDB, KeysTable: env.Table("SigningKeysTable"), TokensTable: tokens}
	r.runs = runstore.Store{DB: env.DynamoDB, Table: env.Table("RunsTable"), Limits: runstore.Limits{Keep: 24 * time.Hour, Start: time.Minute, Report: time.Hour}}
	r.authorizer = &authorizer{
		domain:    accesstoken.Domain{Issuer: "opsplane/test", Audience: "opsplane-api"},
		directory: directory{db: db, tokens: tokens, operations: operations},
		sessions:  &session.Store{DB: db, Table: sessions},
		authority: authority{read: (&signing.Store{DB: db, TokensTable: tokens}).Authority},
		revoked: revocations{
			read: (&signing.Store{DB: db, TokensTable: tokens}).Revocations, find: (&apikey.Store{DB: db, Table: tokens}).Get,
			log: of.Logger(),
		},
		runs: runstore.Store{DB: db, Table: env.Table("RunsTable")}.Bearer,
		log:  of.Logger(),
		now:  of.Clock.Now,
	}
	var err error
	if r.owner, err = r.users.Create(ctx, "ann", r.Author()); err != nil {
		t.Fatal(err)
	}
	r.join(t, "github", "1")
	r.rotate(t, signing.Planned)
	return r
}

func (h *rig) join(t testing.TB, system vcs.VCS, id vcs.ID) {
	t.Helper()
	if err := h.users.AddMembership(ctx, h.owner.ID, vcs.Installation{VCS: system, ID: id}, h.Author()); err != nil {
		t.Fatal(err)
	}
}

func (h *rig) rotate(t testing.TB, how signing.Rotation) {
	t.Helper()
	if _, err := h.signing.Rotate(ctx, how, h.Author()); err != nil {
		t.Fatal(err)
	}
}

func (h *rig) key(t testing.TB, caps ...access.Capability) (string, apikey.Key) {
	t.Helper()
	text, k, err := h.keys.Create(ctx, apikey.New{User: h.owner.ID, Name: "n", Capabilities: caps}, h.Author())
	if err != nil {
		t.Fatal(err)
	}
	return text, k
}

func (h *rig) revoke(t testing.TB, k apikey.Key) {
	t.Helper()
	if err := h.keys.Revoke(ctx, k.User, k.ID, h.Author()); err != nil {
		t.Fatal(err)
	}
}

// token makes the token that a refresh with the key would return.
func (h *rig) token(t testing.TB, text string) string {
	t.Helper()
	caller, ok := h.allowed(t, "Bearer "+text, nil)
	if !ok {
		t.Fatal("the key is refused")
	}
	if err := h.keys.MarkUsed(ctx, caller.User, caller.Key, h.Author()); err != nil {
		t.Fatal(err)
	}
	keys, err := h.signing.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := signing.Pick(keys, h.Clock.Now())
	if !ok {
		t.Fatal("there is no signing key")
	}
	token, err := h.domain.Mint(signer.ID, signer.Private, caller, h.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const methodARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/live/GET/api/v1/github/kv/1/key/a+(b"

// event returns the gateway's request.
func event(header string, path map[string]string) events.APIGatewayCustomAuthorizerRequestTypeRequest {
	e := events.APIGatewayCustomAuthorizerRequestTypeRequest{
		Type: "REQUEST", MethodArn: methodARN, HTTPMethod: "GET", PathParameters: path,
		Headers:           map[string]string{"authorization": header},
		MultiValueHeaders: map[string][]string{"Accept": {"*/*"}, "authorization": {header}},
	}
	e.RequestContext.RequestID = uuid.NewString()
	return e
}

// allowed asks the authorizer about a credential. It returns false if the
// credential is refused.
func (h *rig) allowed(t testing.TB, header string, path map[string]string) (access.Caller, bool) {
	t.Helper()
	answer, err := h.handle(ctx, event(header, path))
	if err != nil {
		t.Fatalf("the authorizer failed: %v", err)
	}
	return verdict(t, answer)
}

// verdict reads the authorizer's response as the gateway does.
func verdict(t testing.TB, answer events.APIGatewayCustomAuthorizerResponse) (access.Caller, bool) {
	t.Helper()
	if len(answer.PolicyDocument.Statement) != 1 || answer.PrincipalID == "" {
		t.Fatalf("got %+v, want one statement and a principal", answer)
	}
	s := answer.PolicyDocument.Statement[0]
	if want := "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/live/*"; len(s.Resource) != 1 || s.Resource[0] != want {
		t.Errorf("got the policy for %v, want %s", s.Resource, want)
	}
	if s.Effect != "Allow" {
		if s.Effect != "Deny" || answer.Context != nil {
			t.Errorf("got %+v, want a plain denial", answer)
		}
		return access.Caller{}, false
	}
	b, err := json.Marshal(answer.Context)
	if err != nil {
		t.Fatal(err)
	}
	var passed map[string]any
	if err := json.Unmarshal(b, &passed); err != nil {
		t.Fatal(err)
	}
	caller, err := access.FromContext(passed)
	if err != nil || caller.User != answer.PrincipalID {
		t.Errorf("got %+v, %v for principal %s", caller, err, answer.PrincipalID)
	}
	return caller, true
}

// count returns how many storage calls f makes.
func (h *rig) count(f func()) int {
	before := h.Faults.Calls("")
	f()
	return h.Faults.Calls("") - before
}
