package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/contract"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/changeset"
	"github.com/opsplane/opsplane/shared/run/output"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

const (
	function = "RunsFunction"
	base     = "/api/v1/github/installations/42"
)

func TestRoutesAgreeWithTemplateAndDocument(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, function, routes(&runs{}))
}

// rig is the function on its own storage.
type rig struct {
	*functiontest.Rig
	*runs // of the test, which also writes
	// runType is that of the runs that create makes.
	runType run.Type
}

func newRig(t testing.TB) *rig { return rigOn(functiontest.New(t, function)) }

func rigOn(of *functiontest.Rig) *rig {
	r := &rig{of, over(of.Env), run.Plan}
	r.Serve(routes(over(of.Role)))
	r.Caller = functiontest.Token(uuid.NewString(), access.RunRead)
	r.Caller.Memberships = []vcs.Installation{{VCS: "github", ID: "42"}}
	return r
}

func over(env *storagetest.Env) *runs {
	store := runstore.Store{
		DB: env.DynamoDB, Table: env.Table("RunsTable"),
		Limits: runstore.Limits{Keep: 400 * 24 * time.Hour, Start: time.Minute, Report: time.Hour},
	}
	items := table.Table{DB: env.DynamoDB, Name: store.Table}
	return &runs{
		store: store, index: runindex.New(items, store), stands: standing.Lists{Store: standing.Store{Table: items}, Runs: store},
		outputs: output.New(env.DynamoDB, env.S3, store.Table, env.Bucket("RunsBucket")),
		changes: changeset.Store{DB: env.DynamoDB, Objects: env.S3, Table: store.Table, Bucket: env.Bucket("RunsBucket"), Keep: store.Limits.Keep},
	}
}

// create creates a run of pull request 17 a second after the last one.
func (r *rig) create(t testing.TB, in vcs.ID, dirs ...string) run.ID {
	t.Helper()
	return r.createAs(t, in, func(*run.Spec) {}, dirs...)
}

// createAs creates a run that differs from that of create.
func (r *rig) createAs(t testing.TB, in vcs.ID, differ func(*run.Spec), dirs ...string) run.ID {
	t.Helper()
	r.Clock.Add(time.Second)
	spec := run.Spec{
		ID: run.NewID(), Repository: vcs.Installation{VCS: "github", ID: in}.Repository("7"), Owner: "acme", Name: "infra", Type: r.runType,
		Kind: run.Kind{Name: run.PullRequest, Number: 17, Title: "Add bucket"}, Base: run.Ref{Branch: "main", Commit: "9f2c"},
		Source: run.Ref{Branch: "feature/x", Commit: "77ab"}, User: "alice", Principal: "alice",
	}
	for _, dir := range dirs {
		spec.Dirspaces = append(spec.Dirspaces, run.Dirspace{Dir: dir, Workspace: "default"})
	}
	differ(&spec)
	if _, err := r.store.Create(t.Context(), runstore.Creation{
		Spec: spec, Token: runstore.Token{Hash: []byte("h"), Sealed: []byte("s")}, Manifest: runstore.Manifest{Body: []byte("{}")},
	}, r.Author()); err != nil {
		t.Fatal(err)
	}
	return spec.ID
}

// complete completes a run. Each directory succeeds or fails.
func (r *rig) complete(t testing.TB, id run.ID, successes ...bool) {
	t.Helper()
	result := run.Result{Success: !slices.Contains(successes, false)}
	for _, success := range successes {
		outcome := run.HasResult
		if success {
			outcome |= run.Succeeded | run.HasChanges | run.Destroys
		}
		result.Outcomes = append(result.Outcomes, outcome)
	}
	if _, err := r.store.Complete(t.Context(), id, result, r.Author()); err != nil {
		t.Fatal(err)
	}
}

func TestRunIsShownAsTheContractSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t, "42", "net", "prod/db")
	const queued = `{"base_branch":"main","base_ref":"9f2c","branch":"feature/x","branch_ref":"77ab","created_at":"2096-10-02T07:06:41Z","id":"ID",` +
		`"kind":{"pull_number":17,"pull_request_title":"Add bucket"},"kind_name":"pr","owner":"acme","repo":"infra","run_type":"plan","state":"queued","tag_query":"","user":"alice",` +
		`"repo_id":"7","dirspaces":[{"dir":"net","workspace":"default"},{"dir":"prod/db","workspace":"default"}]}`
	want := strings.ReplaceAll(queued, "ID", string(id))
	one := base + "/work-manifests/" + string(id)
	if got := r.Do(t, "GET", one, ""); got.StatusCode != 200 || got.Body != want {
		t.Errorf("got %d %s\nwant %s", got.StatusCode, got.Body, want)
	}
	if got := r.Do(t, "GET", base+"/work-manifests?lite=true&d=desc", ""); got.Body != `{"work_manifests":[`+want+`]}` {
		t.Errorf("got %s", got.Body)
	}
	r.complete(t, id, true, false)
	got := r.Do(t, "GET", one, "")
	for _, part := range []string{`"state":"completed"`, `"completed_at":"2096-10-02T07:06:41Z"`, `"success":true,"has_changes":true,"destroys":true`, `"success":false`} {
		if !strings.Contains(got.Body, part) {
			t.Errorf("%s lacks %s", got.Body, part)
		}
	}
	var spaces struct{ Dirspaces []map[string]any }
	r.Do(t, "GET", base+"/dirspaces?d=asc", "").Read(t, &spaces)
	if len(spaces.Dirspaces) != 2 || spaces.Dirspaces[0]["state"] != "success" || spaces.Dirspaces[1]["state"] != "failure" || spaces.Dirspaces[1]["id"] != string(id) {
		t.Errorf("got %v", spaces)
	}
	for _, target := range []string{base + "/work-manifests/" + string(r.create(t, "43", "net")), base + "/work-manifests/" + uuid.NewString()} {
		if got := r.Do(t, "GET", target, ""); got.StatusCode != 404 {
			t.Errorf("%s: %d", target, got.StatusCode)
		}
		if got := r.Do(t, "GET", target+"/outputs", ""); got.StatusCode != 200 || got.Body != `{"steps":[]}` {
			t.Errorf("%s: %d %s", target, got.StatusCode, got.Body)
		}
	}
}

func TestLinksLeadThroughListsBothWays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 7 {
		id := r.create(t, "42", "net", fmt.Sprintf("prod/%d", n))
		r.complete(t, id, true, n%2 == 0)
	}
	for _, c := range []struct {
		target string
		want   int
	}{
		{base + "/work-manifests?limit=2", 7},
		{base + "/work-manifests?limit=2&q=destroys+and+dir:prod/*", 7},
		{base + "/work-manifests?limit=3&q=sort:asc", 7},
		{base + "/dirspaces?limit=3", 14},
		{base + "/dirspaces?limit=2&q=state:failure+and+dir:prod/*", 3},
		{base + "/dirspaces?limit=2&q=not+dir:net&d=asc", 7},
	} {
		var all, back []string
		last := ""
		for target := c.target; target != ""; {
			got := r.Do(t, "GET", target, "")
			all, last = append(all, rows(t, got)...), target
			target = got.Links(t)["next"]
		}
		for target := last; target != ""; {
			got := r.Do(t, "GET", target, "")
			back = append(rows(t, got), back...)
			target = got.Links(t)["prev"]
		}
		if len(all) != c.want || !slices.Equal(all, back) {
			t.Errorf("%s: %d rows, want %d; backwards the same: %t", c.target, len(all), c.want, slices.Equal(all, back))
		}
	}
}

// rows returns the rows of a page.
func rows(t *testing.T, got functiontest.Response) []string {
	t.Helper()
	var page map[string][]json.RawMessage
	got.Read(t, &page)
	var list []string
	for _, of := range page {
		for _, row := range of {
			list = append(list, string(row))
		}
	}
	return list
}

func TestUnchangedRunIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t, "42", "net")
	for _, target := range []string{base + "/work-manifests/" + string(id), base + "/work-manifests/" + string(id) + "/outputs"} {
		tag := http.Header(r.Do(t, "GET", target, "").MultiValueHeaders).Get("ETag")
		event := httpapitest.Event(t, "GET", target, r.Caller, "")
		event.MultiValueHeaders["If-None-Match"] = []string{tag}
		if got := r.Send(t, event); tag == "" || got.StatusCode != 304 {
			t.Errorf("%s: tag %q, then %d", target, tag, got.StatusCode)
		}
	}
	target := base + "/work-manifests/" + string(id)
	event := httpapitest.Event(t, "GET", target, r.Caller, "")
	event.MultiValueHeaders["If-None-Match"] = []string{http.Header(r.Do(t, "GET", target, "").MultiValueHeaders).Get("ETag")}
	r.complete(t, id, true)
	if got := r.Send(t, event); got.StatusCode != 200 {
		t.Errorf("after a change: %d", got.StatusCode)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.create(t, "42", "net")
	for target, want := range map[string]string{
		"/work-manifests?q=colour:red":              `{"id":"UNKNOWN_TAG","data":"colour"}`,
		"/work-manifests?q=a+in+dir":                `{"id":"IN_DIR_NOT_SUPPORTED"}`,
		"/work-manifests?q=created_at:..":           `{"id":"BAD_DATE_FORMAT","data":".."}`,
		"/dirspaces?q=state:completed":              `{"id":"Invalid state: completed"}`,
		"/dirspaces?q=created_at:2024&tz=Nowhere/X": `{"id":"UNKNOWN_TIME_ZONE","data":"Nowhere/X"}`,
		"/work-manifests/5/text":                    `{"id":"INVALID_ID"`,
		"/work-manifests?page=n&page=x&page=y":      `{"id":"INVALID_PARAMETER"`,
		"/dirspaces?page=n":                         `{"id":"INVALID_PARAMETER"`,
		"/work-manifests?limit=0":                   `{"id":"INVALID_PARAMETER"`,
	} {
		if got := r.Do(t, "GET", base+target, ""); got.StatusCode != 400 || !strings.HasPrefix(got.Body, want) {
			t.Errorf("%s: %d %s, want %s", target, got.StatusCode, got.Body, want)
		}
	}
	for _, text := range []string{"/text", "/outputs/0/text"} {
		if got := r.Do(t, "GET", base+"/work-manifests/"+string(id)+text, ""); got.StatusCode != 404 {
			t.Errorf("%s of a run without results: %d", text, got.StatusCode)
		}
	}
	without := *r.Caller
	without.Capabilities = nil
	session := without
	session.Kind = access.KindSession
	if got := r.As(t, &without, "GET", base+"/work-manifests", ""); got.StatusCode != 403 {
		t.Errorf("a token without the capability: %d", got.StatusCode)
	}
	if got := r.As(t, &session, "GET", base+"/work-manifests", ""); got.StatusCode != 200 {
		t.Errorf("a session: %d", got.StatusCode)
	}
}
