package admin_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/admin"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/user"
)

// rig is an operator with tables of its own.
type rig struct {
	t        *testing.T
	operator *admin.Operator
	env      *storagetest.Env
	out      bytes.Buffer
	notes    bytes.Buffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, env: storagetest.New(t)}
	r.operator = &admin.Operator{
		DB: r.env.DynamoDB,
		Tables: admin.Tables{
			Tokens: r.env.Table("TokensTable"), SigningKeys: r.env.Table("SigningKeysTable"), Operations: r.env.Table("OperationsTable"),
			Deliveries: r.env.Table("DeliveriesTable"), Audit: r.env.Table("AuditTable"),
		},
		Now: time.Now, Name: "tester", Out: &r.out, Notes: &r.notes,
	}
	return r
}

// run runs a command line and returns what it wrote to Out.
func (r *rig) run(line string) (string, error) {
	r.t.Helper()
	r.out.Reset()
	r.notes.Reset()
	err := r.operator.Run(context.Background(), strings.Fields(line))
	return strings.TrimSpace(r.out.String()), err
}

// must runs a command line that must succeed, and whose result must contain some
// text.
func (r *rig) must(line, contains string) string {
	r.t.Helper()
	out, err := r.run(line)
	if err != nil || !strings.Contains(out, contains) {
		r.t.Fatalf("%s: got %q, %v; want an answer with %q", line, out, err, contains)
	}
	return out
}

// refused runs a command line that must be refused with a fault, and whose message
// must contain some text.
func (r *rig) refused(line, contains string) {
	r.t.Helper()
	out, err := r.run(line)
	var f *fault.Error
	if !errors.As(err, &f) || !strings.Contains(f.Detail, contains) || out != "" {
		r.t.Errorf("%s: got %q, %v; want a fault with %q", line, out, err, contains)
	}
}

func (r *rig) user(name string) user.User {
	r.t.Helper()
	u, err := (&user.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Operations}).ByName(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

// keys lists a user's live keys.
func (r *rig) keys(name string) []apikey.Key {
	r.t.Helper()
	s := &apikey.Store{DB: r.env.DynamoDB, Table: r.operator.Tables.Tokens}
	keys, err := s.List(context.Background(), r.user(name).ID, apikey.Query{})
	if err != nil {
		r.t.Fatal(err)
	}
	return keys
}

func (r *rig) signingKeys() []signing.Key {
	r.t.Helper()
	s := &signing.Store{DB: r.env.DynamoDB, KeysTable: r.operator.Tables.SigningKeys, TokensTable: r.operator.Tables.Tokens}
	keys, err := s.Keys(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return keys
}

func TestFromNothingToAKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "user ann created")
	r.must("user create ann", "exists already")
	r.must("installation create --vcs github --id 42 --name acme", "created")
	r.must("installation create --vcs github --id 42 --name acme", "nothing changed")
	r.must("installation create --vcs github --id 42 --name acme-corp", "renamed")
	r.must("membership add --user ann --vcs github --installation 42", "now a member")
	r.must("membership add --user ann --vcs github --installation 42", "already")
	r.must("user show ann", "of github installation 42")
	text := r.must("key create --user ann --name ci --expires 1d --capability kv_store_read,installation_id=42 --capability vcs=github", "opk_")
	secret, err := apikey.Parse(text)
	if err != nil {
		t.Fatalf("standard output is not a key alone: %q: %v", text, err)
	}
	if strings.Contains(r.notes.String(), text) {
		t.Error("the key is in the notes, which may be logged")
	}
	keys := r.keys("ann")
	want := access.Normalize([]access.Capability{access.KVStoreRead, access.Installation("42"), access.VCS("github")})
	if len(keys) != 1 || keys[0].ID != secret.ID || !keys[0].Capabilities.HasAll(want) || len(keys[0].Capabilities) != len(want) {
		t.Errorf("stored %+v, want the key with %v", keys, want)
	}
	if left := time.Until(keys[0].ExpiresAt); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the key expires in %v, want 24h", left)
	}
	if now := time.Now(); len(r.signingKeys()) != 1 || r.signingKeys()[0].SignsFrom.After(now) {
		t.Errorf("signing keys %v, want one that signs at once", r.signingKeys())
	}
	list := r.must("key list --user ann", secret.ID)
	if strings.Contains(list, text) {
		t.Error("the list shows the key's text")
	}
	r.must("key revoke --user ann "+secret.ID, "is revoked")
	r.must("key revoke "+secret.ID+" --user ann", "already")
	if keys := r.keys("ann"); len(keys) != 0 {
		t.Errorf("still listed after its revocation: %v", keys)
	}
	r.must("membership remove --user ann --vcs github --installation 42", "no longer")
	r.must("membership remove --user ann --vcs github --installation 42", "nothing changed")
	if m := r.user("ann").Memberships; len(m) != 0 {
		t.Errorf("memberships %v after the removal", m)
	}
}

func TestAllKeysOfAUserAreRevoked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	r.must("user create ben", "")
	for _, name := range []string{"ann", "ben", "ann", "ann"} {
		r.must("key create --user "+name, "opk_")
	}
	r.must("key revoke-all --user ann", "3 API keys of user ann are revoked")
	if ann, ben := r.keys("ann"), r.keys("ben"); len(ann) != 0 || len(ben) != 1 {
		t.Errorf("ann has %d keys, ben %d, want none and one", len(ann), len(ben))
	}
	r.must("key revoke-all --user ann", "0 API keys")
	r.refused("key revoke-all --user eve", "user create eve")
}

func TestALeakedKeyIsRevokedByItsText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	text := r.must("key create --user ann", "opk_")
	r.refused("key revoke "+text[:len(text)-1]+"_", "checksum")
	r.must("key revoke "+text, "is revoked")
	if keys := r.keys("ann"); len(keys) != 0 {
		t.Errorf("still live: %v", keys)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("user create ann", "")
	r.must("installation create --vcs github --id 1 --name one", "")
	r.must("membership add --user ann --vcs github --installation 1", "")
	r.refused("user create ann/x", "cannot be a user's name")
	r.refused("user show bob", "user create bob")
	r.refused("installation create --vcs bitbucket --id 1 --name x", "github or gitlab")
	r.refused("installation create --vcs github --id x --name x", "installation id")
	r.refused("membership add --user ann --vcs gitlab --installation 1", "installation create --vcs gitlab --id 1")
	r.refused("membership add --user bob --vcs github --installation 1", "user create bob")
	r.refused("key create --user bob", "user create bob")
	r.refused("key create --user ann --capability vcs=bitbucket", "github or vcs=gitlab")
	r.refused("key create --user ann --capability vcs=gitlab", "membership add --user ann --vcs gitlab")
	r.refused("key create --user ann --capability installation_id=2", "membership add --user ann")
	r.refused("key create --user ann --capability installation_id=x", "installation id")
	r.refused("key revoke nonsense", "key list")
	r.refused("key revoke --user ann 0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11", "key list")
	if keys := r.keys("ann"); len(keys) != 0 {
		t.Errorf("a refused command made %v", keys)
	}
}

func TestCommandLinesThatAreNotUnderstood(t *testing.T) {
	t.Parallel()
	o := &admin.Operator{Now: time.Now} // without storage: none of these may use it
	for _, line := range []string{
		"", "nonsense", "user", "user create", "user create a b", "user create --x y",
		"installation create --vcs github --id 1", "membership add --user ann", "key create", "key create --user ann --capability fly",
		"key create --user ann --expires tomorrow", "key create --user ann --expires -1h", "key create --user ann --expires 0d", "key create --user ann --expires 99999999d",
		"key create --user ann --capability kv_store_read,", "key revoke", "key revoke-all", "key revoke-all --user ann x", "signing-key rotate now", "seed x",
	} {
		var usage *admin.UsageError
		if err := o.Run(context.Background(), strings.Fields(line)); !errors.As(err, &usage) {
			t.Errorf("%q: %v, want a usage error", line, err)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must("signing-key rotate", "made")
	r.must("signing-key list", "signs")
	r.must("signing-key rotate", "made")
	if keys := r.signingKeys(); len(keys) != 2 || keys[1].RetiredAt.IsZero() || keys[1].Private == nil {
		t.Errorf("after a planned rotation: %+v, want the old key retired and kept", keys)
	}
	r.must("signing-key rotate --revoke-old", "made")
	list := r.must("signing-key list", "signs")
	if n := strings.Count(list, "destroyed"); n != 2 {
		t.Errorf("%d destroyed keys, want 2, in\n%s", n, list)
	}
}
