package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/docs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

var now = functiontest.Start

const function = "SystemFunction"

// served returns a rig that serves s.
func served(t *testing.T, s system) *functiontest.Rig {
	t.Helper()
	r := functiontest.New(t, function)
	r.Serve(routes(s))
	return r
}

// get sends a request of a caller for a target to s.
func get(t *testing.T, s system, target string, caller *access.Caller) functiontest.Response {
	t.Helper()
	return served(t, s).As(t, caller, "GET", target, "")
}

func token(user string, caps ...access.Capability) *access.Caller {
	return &access.Caller{Kind: access.KindAccessToken, User: user, Capabilities: caps, Expires: now.Unix() + 60}
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	github := map[string]string{
		"GITHUB_APP_CLIENT_ID": "Iv1.x", "GITHUB_APP_URL": "https://github.com/apps/x/",
		"GITHUB_WEB_BASE_URL": "https://github.com", "GITHUB_API_BASE_URL": "https://api.github.com/",
	}
	gitlab := map[string]string{
		"GITLAB_APP_ID": "abc", "GITLAB_WEB_BASE_URL": "https://gitlab.com", "GITLAB_API_BASE_URL": "https://gitlab.com/api",
	}
	const redirect = `{"gitlab":{"api_base_url":"https://gitlab.com","app_id":"abc","redirect_url":"`
	for _, c := range []struct {
		name string
		env  map[string]string
		base string
		want string
	}{
		{"nothing configured", map[string]string{"GITHUB_WEB_BASE_URL": "https://github.com"}, "", `{}`},
		{
			"github", github, "",
			`{"github":{"api_base_url":"https://api.github.com","app_client_id":"Iv1.x","app_url":"https://github.com/apps/x","web_base_url":"https://github.com"}}`,
		},
		{"gitlab, at the public address", gitlab, "https://tt.example.com/", redirect + `https://tt.example.com/api/v1/gitlab/callback","web_base_url":"https://gitlab.com"}}`},
		{"gitlab, where the request came", gitlab, "", redirect + `http://api.example.com/live/api/v1/gitlab/callback","web_base_url":"https://gitlab.com"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := system{config: configFrom(func(name string) string { return c.env[name] })}
			r := functiontest.New(t, function)
			r.Serve(routes(s)).At(c.base)
			r.Do(t, "GET", "/api/v1/server/config", "").WantBody(t, 200, c.want)
		})
	}
}

func TestRootSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	got := get(t, system{}, "/", nil)
	var page map[string]string
	if err := json.Unmarshal([]byte(got.Body), &page); err != nil || got.StatusCode != 200 {
		t.Fatalf("got %d %s, %v", got.StatusCode, got.Body, err)
	}
	if want := "http://api.example.com/live/api/v1/openapi.json"; page["document_url"] != want {
		t.Errorf("document at %q, want %q", page["document_url"], want)
	}
	if want := "POST http://api.example.com/live/api/v1/access-token/refresh"; !strings.Contains(page["next"], want) {
		t.Errorf("next is %q, want %q in it", page["next"], want)
	}
}

func TestClientID(t *testing.T) {
	t.Parallel()
	configured := system{config: config{GitHub: &github{AppClientID: "Iv1.x"}}}
	get(t, configured, "/api/v1/github/client_id", nil).WantBody(t, 200, `{"client_id":"Iv1.x"}`)
	get(t, configured, "/api/v1/gitlab/client_id", nil).WantBody(t, 404, "")
	get(t, configured, "/api/v1/bitbucket/client_id", nil).WantBody(t, 404, "")
	get(t, system{}, "/api/v1/github/client_id", nil).WantBody(t, 404, "")
}

func TestTaskIsShownToItsOwnerAlone(t *testing.T) {
	t.Parallel()
	r := functiontest.New(t, function)
	tasks := task.Store{DB: r.Env.DynamoDB, Table: r.Env.Table("OperationsTable")}
	r.Serve(routes(system{tasks: task.Store{DB: r.Role.DynamoDB, Table: tasks.Table}}))
	ask := func(target string, caller *access.Caller) functiontest.Response {
		return r.As(t, caller, "GET", target, "")
	}
	id, owner := uuid.NewString(), uuid.NewString()
	author := change.Author{Principal: owner, Request: uuid.NewString(), At: now}
	err := tasks.Create(context.Background(), author, task.Task{ID: id, Owner: owner, Name: "refresh", Installation: vcs.Installation{VCS: "github", ID: "42"}})
	if err != nil {
		t.Fatal(err)
	}
	const at = "/api/v1/tasks/"
	want := `{"id":"` + id + `","name":"refresh","state":"pending","updated_at":"2096-10-02T07:06:40Z"}`
	ask(at+id, token(owner)).WantBody(t, 200, want)
	ask(at+id, token(owner, access.Installation("42"))).WantBody(t, 200, want)
	ask(at+id, token(owner, access.Installation("43"))).WantBody(t, 404, "")
	run, err := tasks.Begin(context.Background(), id, now)
	if err != nil {
		t.Fatal(err)
	}
	run.Progress = task.Progress{Done: 100, Total: 340}
	if err := tasks.Save(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	if err := tasks.Wait(context.Background(), run, now, "the host asks for patience"); err != nil {
		t.Fatal(err)
	}
	want = `{"id":"` + id + `","name":"refresh","state":"running","updated_at":"2096-10-02T07:06:40Z",` +
		`"progress":{"done":100,"total":340},"problem":"the host asks for patience"}`
	ask(at+id, token(owner)).WantBody(t, 200, want)
	ask(at+id, token(uuid.NewString())).WantBody(t, 404, "")
	ask(at+uuid.NewString(), token(owner)).WantBody(t, 404, "")
	ask(at+"client_id", token(owner)).WantBody(t, 400, `{"id":"INVALID_ID","data":"a task id is a UUID, such as 0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11"}`)
	ask(at+id, &access.Caller{Kind: access.KindAPIKey, User: owner}).WantBody(t, 403, "")
	ask(at+id, nil).WantBody(t, 403, "")
}

func TestHealthAsksStorage(t *testing.T) {
	t.Parallel()
	r := functiontest.New(t, function)
	r.Serve(routes(system{ping: pinger(r.Role.DynamoDB, r.Env.Table("OperationsTable"))}))
	r.Do(t, "GET", "/health", "").WantBody(t, 200, "")
	r.Faults.Add(storagetest.Fault{Operation: "GetItem", Kind: storagetest.ServerError})
	r.Do(t, "GET", "/health", "").WantBody(t, 500, "")
}

func TestHealthIsBounded(t *testing.T) {
	t.Parallel()
	stuck := system{ping: func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left > pingLimit {
			return errors.New("no deadline in time")
		}
		return nil
	}}
	get(t, stuck, "/health", nil).WantBody(t, 200, "")
}

func TestDocumentIsServedAsItIs(t *testing.T) {
	t.Parallel()
	got := get(t, system{}, "/api/v1/openapi.json", nil)
	var sent, embedded any
	if err := json.Unmarshal([]byte(got.Body), &sent); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(docs.OpenAPI, &embedded); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(sent)
	b, _ := json.Marshal(embedded)
	if got.StatusCode != 200 || string(a) != string(b) {
		t.Errorf("status %d; the served document is not the embedded one", got.StatusCode)
	}
	// A client that holds the document does not get it again.
	e := httpapitest.Event(t, "GET", "/api/v1/openapi.json", nil, "")
	e.MultiValueHeaders["If-None-Match"] = got.MultiValueHeaders["Etag"]
	if again := served(t, system{}).Send(t, e); again.StatusCode != 304 || again.Body != "" || len(e.MultiValueHeaders["If-None-Match"]) != 1 {
		t.Errorf("with the tag %q: got %d %.100s; want 304", e.MultiValueHeaders["If-None-Match"], again.StatusCode, again.Body)
	}
}

func TestOnlyTheOwnerAbortsATask(t *testing.T) {
	t.Parallel()
	r := functiontest.New(t, function)
	table := r.Env.Table("OperationsTable")
	r.Serve(routes(system{tasks: task.Store{DB: r.Role.DynamoDB, Table: table}}))
	tests := task.Store{DB: r.Env.DynamoDB, Table: table}
	id := uuid.NewString()
	if err := tests.Create(t.Context(), r.Author(), task.Task{ID: id, Kind: task.RefreshRepositories, Owner: "ann", Name: "refresh"}); err != nil {
		t.Fatal(err)
	}
	target := "/api/v1/tasks/" + id + "/abort"
	r.As(t, token("bob"), "POST", target, "").Want(t, 404, "")
	if got, err := tests.Get(t.Context(), id, now); err != nil || got.State != task.Pending {
		t.Fatalf("the task is %s, %v", got.State, err)
	}
	first := r.As(t, token("ann"), "POST", target, "")
	if first.StatusCode != 200 || !strings.Contains(first.Body, `"state":"aborted"`) {
		t.Errorf("got %d %s", first.StatusCode, first.Body)
	}
	r.As(t, token("ann"), "POST", target, "").WantBody(t, 200, first.Body)
}
