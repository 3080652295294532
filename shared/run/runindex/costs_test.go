package runindex_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// TestCostsOfAPageDoNotGrowWithTheNumberOfRuns counts the same pages of a small and of
// a larger installation, whose newest runs are the same.
func TestCostsOfAPageDoNotGrowWithTheNumberOfRuns(t *testing.T) {
	t.Parallel()
	type cost struct {
		requests string
		reads    float64
	}
	count := func(older int) map[string]cost {
		env, meter := costs.New(t)
		w := newWorld(t, env, 1)
		create := func(of func(*run.Spec)) {
			w.now = w.now.Add(time.Second)
			s := run.Spec{
				ID: run.NewID(), Repository: installation.Repository("7"), Owner: "acme", Name: "infra", Type: run.Plan,
				Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "main", Commit: "bb"}, Principal: "ann",
				Kind: run.Kind{Name: run.Branch}, Dirspaces: []run.Dirspace{{Dir: "prod/net", Workspace: "default"}},
			}
			of(&s)
			w.createAs(s)
		}
		for range older {
			create(func(*run.Spec) {})
		}
		for n := range 25 {
			create(func(s *run.Spec) {
				s.Source.Branch, s.Dirspaces = "feature", []run.Dirspace{{Dir: "stage/net", Workspace: "default"}}
				if n%5 == 0 {
					s.User = "ann"
				}
			})
		}
		w.store.DB = meter.DynamoDB()
		w.index = runindex.New(table.Table{DB: meter.DynamoDB(), Name: w.store.Table}, w.store)
		found := map[string]cost{}
		for _, text := range []string{"", "branch:feature", "dir:stage/net", "dir:stage/*", "user:ann or branch:none", "id:" + string(w.made[older]), "dir:none"} {
			runs, err := runquery.Runs.Compile(text, "", w.now)
			if err != nil {
				t.Fatal(err)
			}
			spaces, err := runquery.Dirspaces.Compile(text, "", w.now)
			if err != nil {
				t.Fatal(err)
			}
			for name, list := range map[string]func() (int, error){
				"runs": func() (int, error) {
					page, err := w.index.List(t.Context(), installation, runindex.Request[runindex.Place]{Query: runs, Limit: 20, Descending: true})
					return len(page.Rows), err
				},
				"dirspaces": func() (int, error) {
					page, err := w.index.Dirspaces(t.Context(), installation, runindex.Request[runindex.Spot]{Query: spaces, Limit: 20, Descending: true})
					return len(page.Rows), err
				},
			} {
				before := meter.Used()
				meter.Start()
				rows, err := list()
				meter.Stop()
				if err != nil {
					t.Fatal(err)
				}
				after := meter.Used()
				for operation, n := range before.DynamoDB {
					after.DynamoDB[operation] -= n
				}
				found[name+" under "+strings.TrimSuffix(text, string(w.made[older]))] = cost{fmt.Sprint(after.DynamoDB, rows), after.Reads - before.Reads}
			}
		}
		return found
	}
	few, more := count(5), count(60)
	for name, want := range few {
		t.Logf("%s: %s, %v units", name, want.requests, want.reads)
		if more[name] != want {
			t.Errorf("%s: %+v with few runs, %+v with more", name, want, more[name])
		}
	}
}
