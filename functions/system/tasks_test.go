package main

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
)

// listed is what a list shows of a task.
type listed struct {
	ID        string
	CreatedAt string `json:"created_at"`
}

// TestListHasTheTasksOfItsCaller compares the list with all tasks of the caller, for
// page sizes and credentials, by the links of both directions.
func TestListHasTheTasksOfItsCaller(t *testing.T) {
	t.Parallel()
	r := functiontest.New(t, function)
	table := r.Env.Table("OperationsTable")
	r.Serve(routes(system{tasks: task.Store{DB: r.Role.DynamoDB, Table: table}}))
	tests := task.Store{DB: r.Env.DynamoDB, Table: table}
	ann, bob := uuid.NewString(), uuid.NewString()
	var all, of42 []string // the newest first
	for n := range 7 {
		in := vcs.Installation{VCS: "github", ID: vcs.ID(strconv.Itoa(42 + n%2))}
		for _, owner := range []string{ann, bob, ""} {
			author := r.Author()
			author.At = now.Add(time.Duration(n-7) * time.Second)
			made := task.Task{ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: owner, Name: "refresh", Installation: in}
			if err := tests.Create(t.Context(), author, made); err != nil {
				t.Fatal(err)
			}
			if owner != ann {
				continue
			}
			if all = slices.Insert(all, 0, made.ID); in.ID == "42" {
				of42 = slices.Insert(of42, 0, made.ID)
			}
		}
	}
	old := r.Author()
	old.At = now.Add(-task.Keep - time.Second)
	if err := tests.Create(t.Context(), old, task.Task{ID: uuid.NewString(), Kind: task.RefreshRepositories, Owner: ann, Name: "old"}); err != nil {
		t.Fatal(err)
	}
	page := func(caller *access.Caller, target string) (ids []string, links map[string]string) {
		t.Helper()
		got := r.As(t, caller, "GET", target, "")
		got.Want(t, 200, "")
		var body struct{ Results []listed }
		got.Read(t, &body)
		for _, row := range body.Results {
			ids = append(ids, row.ID)
		}
		return ids, got.Links(t)
	}
	for _, c := range []struct {
		caller *access.Caller
		want   []string
	}{{token(ann), all}, {token(ann, access.Installation("42")), of42}, {token(uuid.NewString()), nil}} {
		for _, limit := range []string{"1", "3", "7", "100"} {
			var forward, back []string
			last := ""
			for target := "/api/v1/tasks?limit=" + limit; target != ""; {
				ids, links := page(c.caller, target)
				forward, last, target = append(forward, ids...), target, links["next"]
			}
			for target := last; target != ""; {
				ids, links := page(c.caller, target)
				back, target = append(slices.Clone(ids), back...), links["prev"]
			}
			if !slices.Equal(forward, c.want) || !slices.Equal(back, c.want) {
				t.Errorf("limit %s: got %q, and back %q; want %q", limit, forward, back, c.want)
			}
		}
	}
	var first struct{ Results []listed }
	r.As(t, token(ann), "GET", "/api/v1/tasks?limit=1", "").Read(t, &first)
	if want := (listed{all[0], "2096-10-02T07:06:39Z"}); len(first.Results) != 1 || first.Results[0] != want {
		t.Errorf("got %+v, want %+v", first.Results, want)
	}
	r.As(t, token(ann), "GET", "/api/v1/tasks?page=n&page=eA", "").Want(t, 400, "INVALID_PARAMETER")
	r.As(t, &access.Caller{Kind: access.KindAPIKey, User: ann}, "GET", "/api/v1/tasks", "").WantBody(t, 403, "")
}
