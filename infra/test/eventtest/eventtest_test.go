package eventtest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/accesstoken"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/login/session"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/runtoken"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

var domain = accesstoken.Domain{Issuer: "eventtest", Audience: "opsplane-api"}

// secrets are the values that no function may print.
var secrets = []string{"api_key", "revoked_key", "access_token", "expired_token", "session", "run_token"}

func TestEvents(t *testing.T) {
	t.Parallel()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(filepath.Join(root, "events"))
	if err != nil {
		t.Fatal(err)
	}
	functions, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		if f.IsDir() && !slices.ContainsFunc(folders, func(e os.DirEntry) bool { return e.Name() == f.Name() }) {
			t.Errorf("function %s has no event", f.Name())
		}
	}
	// Compile before the seed: its access token lives 60 seconds, and compiling may take
	// longer.
	binaries := t.TempDir()
	build(t, root, binaries)
	env := storagetest.New(t)
	known := seed(t, env)
	for _, folder := range folders {
		if folder.IsDir() {
			t.Run(folder.Name(), func(t *testing.T) {
				t.Parallel()
				runFolder(t, env, root, binaries, folder.Name(), known)
			})
		}
	}
}

// runFolder invokes each case of one function once. A case runs after the cases that it names.
func runFolder(t *testing.T, env *storagetest.Env, root, binaries, folder string, known values) {
	cases, err := load(filepath.Join(root, "events", folder), known)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, filepath.Join(binaries, folder), folder, environ(env))
	done := map[string]bool{}
	var run func(name string)
	run = func(name string) {
		c, ok := cases[name]
		if !ok {
			t.Fatalf("there is no case %s/%s", folder, name)
		}
		if done[name] {
			return
		}
		done[name] = true
		for _, before := range c.after {
			run(before)
		}
		got, err := f.invoke(c.event)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found := mismatch(c.want, got, "answer"); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		run(name)
	}
	for _, name := range secrets {
		if strings.Contains(f.log.String(), known[name]) {
			t.Errorf("%s is in the log of %s", name, folder)
		}
	}
}

func environ(env *storagetest.Env) map[string]string {
	e := env.Environ()
	maps.Copy(e, map[string]string{
		"TOKENS_TABLE": env.Table("TokensTable"), "SIGNING_KEYS_TABLE": env.Table("SigningKeysTable"),
		"OPERATIONS_TABLE": env.Table("OperationsTable"), "KV_TABLE": env.Table("KvTable"), "KV_BUCKET": env.Bucket("KvBucket"),
		"DELIVERIES_TABLE": env.Table("DeliveriesTable"), "VCS_TABLE": env.Table("VcsTable"),
		"EVALUATION_TABLE": env.Table("EvaluationTable"), "RUNS_TABLE": env.Table("RunsTable"), "RUNS_BUCKET": env.Bucket("RunsBucket"), "RUN_RETENTION_DAYS": "400", "PLAN_RETENTION_DAYS": "14",
		"RUN_START_MINUTES": "15", "RUN_REPORT_HOURS": "24",
		"AUDIT_TABLE": env.Table("AuditTable"), "AUDIT_BUCKET": env.Bucket("AuditBucket"), "AUDIT_RETENTION_DAYS": "400",
		"EVENT_BUS_NAME":       storagetest.EventBus,
		"GITHUB_APP_CLIENT_ID": "Iv1.events", "GITHUB_WEBHOOK_SECRET": "", "SERVER_SECRET": "", "WEBHOOK_TOKEN_SECRET": "", "SECRETS_DIR": "/nonexistent",
		"LOGIN_FAILURE_LIMIT": "30", "ARTIFACT_QUOTA_GIB": "1", "ARTIFACT_UPLOAD_GIB": "1", "ARTIFACT_UPLOADS": "1000", "GARBAGE_KEEP_HOURS": "24",
		"SESSIONS_TABLE": env.Table("SessionsTable"), "TOKEN_ISSUER": domain.Issuer, "TOKEN_AUDIENCE": domain.Audience,
	})
	return e
}

// seed makes what the placeholders of the events name, and returns their values.
func seed(t *testing.T, env *storagetest.Env) values {
	t.Helper()
	ctx, now := context.Background(), time.Now()
	author := change.Author{Principal: "operator:test", Request: "seed", At: now}
	users := &user.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	keys := &apikey.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")}
	signers := &signing.Store{DB: env.DynamoDB, KeysTable: env.Table("SigningKeysTable"), TokensTable: env.Table("TokensTable")}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := signers.Rotate(ctx, signing.Planned, author)
	check(err)
	u, err := users.Create(ctx, "admin", author)
	check(err)
	member := vcs.Installation{VCS: "github", ID: "1"}
	installations := installation.Store{DB: env.DynamoDB, Table: env.Table("OperationsTable")}
	_, err = installations.Save(ctx, author, installation.Installation{VCS: member.VCS, ID: member.ID, Name: "local"})
	check(err)
	check(users.AddMembership(ctx, u.ID, member, author))
	text, key, err := keys.Create(ctx, apikey.New{User: u.ID, Name: "first", Capabilities: access.Strings()}, author)
	check(err)
	revoked, old, err := keys.Create(ctx, apikey.New{User: u.ID, Name: "old"}, author)
	check(err)
	check(keys.Revoke(ctx, u.ID, old.ID, author))
	stored, err := signers.Keys(ctx)
	check(err)
	signer, ok := signing.Pick(stored, now)
	if !ok {
		t.Fatal("no signing key signs")
	}
	caller := access.Caller{
		Kind: access.KindAPIKey, User: u.ID, Key: key.ID,
		Capabilities: key.Capabilities, Memberships: []vcs.Installation{member},
	}
	token, err := domain.Mint(signer.ID, signer.Private, caller, now)
	check(err)
	expired, err := domain.Mint(signer.ID, signer.Private, caller, now.Add(-2*time.Minute))
	check(err)
	session, _, err := (&session.Store{DB: env.DynamoDB, Table: env.Table("SessionsTable")}).Create(ctx, u.ID, vcs.Account{VCS: vcs.GitHub}, author)
	check(err)
	id, runToken := seedRun(t, env, member, author)
	return values{
		"run": string(id), "run_token": runToken,
		"session": session, "operations_table": env.Table("OperationsTable"),
		"user": u.ID, "key": key.ID, "api_key": text, "revoked_key": revoked,
		"access_token": token, "expired_token": expired,
	}
}

// seedRun makes a queued run of an installation. It returns the run's id and its token.
func seedRun(t *testing.T, env *storagetest.Env, in vcs.Installation, author change.Author) (run.ID, string) {
	t.Helper()
	id := run.NewID()
	token, main := runtoken.New(id), run.Ref{Branch: "main", Commit: "73e3d2f426ea2670d37c4d6b146f0e20cbc65399"}
	runs := runstore.Store{DB: env.DynamoDB, Table: env.Table("RunsTable"), Limits: runstore.Limits{Keep: 24 * time.Hour, Start: time.Minute, Report: time.Hour}}
	_, err := runs.Create(context.Background(), runstore.Creation{
		Spec: run.Spec{
			ID: id, Repository: in.Repository("7"), Owner: "local", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
			Base: main, Source: main, Principal: author.Principal, Dirspaces: []run.Dirspace{{Dir: "net", Workspace: "default"}},
		},
		Token: runstore.Token{Hash: runtoken.Digest(token), Sealed: []byte("sealed")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, author)
	if err != nil {
		t.Fatal(err)
	}
	return id, token
}

func TestMismatch(t *testing.T) {
	t.Parallel()
	got := map[string]any{"statusCode": 200.0, "body": `{"a":[1,"x"],"n":null}`, "list": []any{"y"}}
	for _, c := range []struct {
		name string
		want any
		ok   bool
	}{
		{"subset", map[string]any{"statusCode": 200.0}, true},
		{"other value", map[string]any{"statusCode": 403.0}, false},
		{"missing member", map[string]any{"headers": nil}, false},
		{"into a text", map[string]any{"body": map[string]any{"a": []any{1.0, "~^x$"}, "n": nil}}, true},
		{"null is not absent", map[string]any{"body": map[string]any{"m": nil}}, false},
		{"shorter list", map[string]any{"body": map[string]any{"a": []any{1.0}}}, false},
		{"pattern over JSON", map[string]any{"list": `~^\["y"\]$`}, true},
		{"text that is no JSON", map[string]any{"list": []any{map[string]any{}}}, false},
		{"empty text", map[string]any{"body": ""}, false},
	} {
		if found := mismatch(c.want, got, "answer"); (found == "") != c.ok {
			t.Errorf("%s: got %q, want a match: %t", c.name, found, c.ok)
		}
	}
}
