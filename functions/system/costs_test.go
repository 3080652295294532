package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestOperationsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"root":                       asking("/"),
		"health":                     asking("/health"),
		"health, by HEAD":            askingBy("HEAD", "/health"),
		"server configuration":       asking("/api/v1/server/config"),
		"client id":                  asking("/api/v1/github/client_id"),
		"API document":               asking("/api/v1/openapi.json"),
		"task":                       asking("/api/v1/tasks/"),
		"list of the caller's tasks": asking("/api/v1/tasks"),
		"abort of a task":            askingBy("POST", "/api/v1/tasks/"),
	}, "Server and tasks")
}

func asking(path string) costs.Scenario { return askingBy("GET", path) }

func askingBy(method, path string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r, metered, table := functiontest.On(env, function), m.Role(function).DynamoDB, env.Table("OperationsTable")
		r.Serve(routes(system{
			config: configFrom(func(name string) string { return map[string]string{"GITHUB_APP_CLIENT_ID": "Iv1.x"}[name] }),
			tasks:  task.Store{DB: metered, Table: table}, ping: pinger(metered, table),
		}))
		path := path
		if strings.HasPrefix(path, "/api/v1/tasks") {
			id := uuid.NewString()
			author := change.Author{Principal: "ann", Request: uuid.NewString(), At: now}
			made := task.Task{ID: id, Owner: "ann", Kind: task.RefreshRepositories, Name: "apply", Installation: vcs.Installation{VCS: "github", ID: "12345678"}}
			if err := (task.Store{DB: env.DynamoDB, Table: table}).Create(t.Context(), author, made); err != nil {
				t.Fatal(err)
			}
			switch {
			case method == "POST":
				path += id + "/abort"
			case path == "/api/v1/tasks/":
				path += id
			}
		}
		m.Start()
		m.Request(method, path)
		if got := r.As(t, token("ann"), method, path, ""); got.StatusCode != 200 {
			t.Errorf("got %d %s, want 200", got.StatusCode, got.Body)
		}
		return m
	}
}
