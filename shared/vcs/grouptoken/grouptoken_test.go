package grouptoken

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var (
	older = []byte(strings.Repeat("o", sealed.MinSecret))
	newer = []byte(strings.Repeat("n", sealed.MinSecret))
)

// rig is the table, with faults.
type rig struct {
	env    *storagetest.Env
	faults storagetest.Faults
}

func newRig(t *testing.T) *rig { return &rig{env: storagetest.New(t)} }

// store returns the store of a server that has the secrets.
func (r *rig) store(secrets ...[]byte) *Store {
	return New(r.env.WithFaults(&r.faults).DynamoDB, r.env.Table("SessionsTable"), sealed.NewBox(sealed.Fixed(secrets...)))
}

func put(t *testing.T, s *Store, group vcs.ID, token string) {
	t.Helper()
	if err := s.Put(t.Context(), group, token, change.Author{Principal: "ann", Credential: "key", Request: uuid.NewString(), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s *Store, group vcs.ID, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), group); err != nil || got != want {
		t.Errorf("token of group %s: got %q, %v; want %q", group, got, err, want)
	}
}

func (r *rig) item(t *testing.T, group vcs.ID) attr.Item {
	t.Helper()
	out, err := r.env.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(r.env.Table("SessionsTable")), Key: key(group), ConsistentRead: aws.Bool(true),
	})
	if err != nil || len(out.Item) == 0 {
		t.Fatalf("got %v, %v", out, err)
	}
	return out.Item
}

func TestTokenIsStoredSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.store(older)
	if got, err := s.Get(t.Context(), "77"); !errors.Is(err, vcshost.ErrNoToken) {
		t.Errorf("before any: got %q, %v; want vcshost.ErrNoToken", got, err)
	}
	put(t, s, "77", "glpat-first")
	expect(t, s, "77", "glpat-first")
	first := r.item(t, "77")
	put(t, s, "77", "glpat-second")
	expect(t, s, "77", "glpat-second")
	if second := r.item(t, "77"); reflect.DeepEqual(first["version"], second["version"]) {
		t.Error("another token has the version of the one before")
	}
	if text := r.env.Dump("SessionsTable"); strings.Contains(text, "glpat-") || !strings.Contains(text, "GROUP#77") {
		t.Errorf("the table holds a token: %q", text)
	}
}

func TestTokenOpensOnlyForItsOwnGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.store(older)
	put(t, s, "77", "glpat-of-77")
	moved := r.item(t, "77")
	for name, value := range key("78") {
		moved[name] = value
	}
	if _, err := r.env.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(r.env.Table("SessionsTable")), Item: moved}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), "78"); !errors.Is(err, vcshost.ErrNoToken) {
		t.Errorf("group 77's token under 78: got %q, %v; want vcshost.ErrNoToken", got, err)
	}
	expect(t, s, "77", "glpat-of-77")
}

func TestTokenOutlivesTheRotationOfTheSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	put(t, r.store(older), "77", "glpat-x")
	put(t, r.store(older), "78", "glpat-unread")
	before := r.item(t, "77")
	expect(t, r.store(older), "77", "glpat-x")
	if n := r.faults.Calls("UpdateItem"); n != 0 {
		t.Errorf("before the rotation: %d writes, want none", n)
	}
	rotated := r.store(newer, older)
	expect(t, rotated, "77", "glpat-x")
	after := r.item(t, "77")
	read := attr.Read(after)
	if !reflect.DeepEqual(before["version"], after["version"]) || reflect.DeepEqual(before["sealed"], after["sealed"]) ||
		read.String(change.AttrPrincipal) != change.Server || read.String(change.AttrCredential) != "" || read.String(change.AttrRequest) == "" {
		t.Errorf("got %v, want the same token sealed again, by the server", after)
	}
	expect(t, rotated, "77", "glpat-x")
	if n := r.faults.Calls("UpdateItem"); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
	// The older secret is dropped. A token that was not read since then cannot be
	// opened any more.
	alone := r.store(newer)
	expect(t, alone, "77", "glpat-x")
	if got, err := alone.Get(t.Context(), "78"); !errors.Is(err, vcshost.ErrNoToken) {
		t.Errorf("a token that was never sealed again: got %q, %v; want vcshost.ErrNoToken", got, err)
	}
}

func TestTokenThatCannotBeSealedAgainServesAllTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	put(t, r.store(older), "77", "glpat-x")
	rotated := r.store(newer, older)
	var log bytes.Buffer
	rotated.log = slog.New(slog.NewJSONHandler(&log, nil))
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Kind: storagetest.ServerError})
	expect(t, rotated, "77", "glpat-x")
	if !strings.Contains(log.String(), "group token not sealed again") || strings.Contains(log.String(), "glpat") {
		t.Errorf("the log has %s", log.String())
	}
	// Somebody stores another token at the same time. That token stays.
	r.faults.Clear()
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Before: func() { put(t, r.store(newer, older), "77", "glpat-y") }})
	expect(t, rotated, "77", "glpat-x")
	expect(t, rotated, "77", "glpat-y")
}
