package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// grown is an installation with n repositories and n pull requests.
type grown struct {
	n     int
	plain *rig
	paid  *rig // the same, with its storage costs counted
	meter *costs.Meter
}

func newGrown(b *testing.B, n int) *grown {
	b.Helper()
	env, m := costs.New(b)
	table := env.Table("VcsTable")
	g := &grown{n: n, plain: rigOn(functiontest.On(env, function)), paid: rigOn(functiontest.On(env, function)), meter: m}
	g.paid.Serve(routes(over(m.Role(function))))
	const version = "4000000000000.00.72d3162e-cc78-11e3-81ab-4c9367dc0958"
	seen := vcs.Description{ID: "1", Owner: "acme", Name: name(1)}
	if err := g.plain.repositories.Apply(b.Context(), g.plain.Author(), vcs.Installation{VCS: "github", ID: "42"}, seen, version); err != nil {
		b.Fatal(err)
	}
	copies(b, env.DynamoDB, table, n, attr.Item{"pk": attr.String("REPOSITORIES#github#42"), "sk": attr.String(fmt.Sprintf("%020d", 1))}, func(i int, item attr.Item) {
		id := fmt.Sprint(i)
		item["id"], item["name"], item["sk"] = attr.String(id), attr.String(name(i)), attr.String(fmt.Sprintf("%020d", i))
		item["by_name"] = attr.String(repository.Repository{ID: vcs.ID(id), Name: name(i)}.Cursor())
	})
	_, err := g.plain.pullRequests.Apply(b.Context(), g.plain.Author(), vcs.Installation{VCS: "github", ID: "42"}, pull(1), version, g.plain.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository("1"), version))
	if err != nil {
		b.Fatal(err)
	}
	copies(b, env.DynamoDB, table, n, attr.Item{"pk": attr.String("PULLS#github#42"), "sk": attr.String(pull(1).Cursor())}, func(i int, item attr.Item) {
		item["number"], item["sk"] = attr.Int(int64(i)), attr.String(pull(i).Cursor())
		item["by_repository"] = attr.String(fmt.Sprintf("%020d#%019d", 1, i))
	})
	return g
}

func name(i int) string { return fmt.Sprintf("repository-%07d", i) }

func pull(i int) pullrequest.PullRequest {
	return pullrequest.PullRequest{
		Repository: "1", Number: int64(i), Title: "Add a bucket for the logs of the gateway", User: "ann",
		State: pullrequest.Open, BaseBranch: "main", BaseSHA: fmt.Sprintf("%040d", 1), Branch: "add-bucket", SHA: fmt.Sprintf("%040d", 2),
	}
}

// copies loads items 2 to n. They are like the first, except for what differ
// changes.
func copies(b *testing.B, db *dynamodb.Client, table string, n int, key attr.Item, differ func(int, attr.Item)) {
	b.Helper()
	first := bench.Item(b, db, table, key)
	err := bench.Load(b.Context(), db, table, n-1, func(i int) attr.Item {
		another := maps.Clone(first)
		differ(i+2, another)
		return another
	})
	if err != nil {
		b.Fatal(err)
	}
}

func cursor(direction string, elements ...string) string {
	text := "?page=" + direction
	for _, e := range elements {
		text += "&page=" + base64.RawURLEncoding.EncodeToString([]byte(e))
	}
	return text
}

// any returns a random place that has a page before it and after it.
func (g *grown) any() int { return 22 + rand.IntN(g.n-44) }

// pages are targets of requests. Each call returns a new random one.
var pages = map[string]func(g *grown) string{
	"repositories, first page":       func(*grown) string { return repos },
	"repositories, next page":        func(g *grown) string { i := g.any(); return repos + cursor("n", name(i), fmt.Sprint(i)) },
	"repositories, page before":      func(g *grown) string { i := g.any(); return repos + cursor("p", name(i), fmt.Sprint(i)) },
	"repositories, behind a name":    func(g *grown) string { return repos + "?page=n&page=" + name(g.any()) },
	"pull requests, first page":      func(*grown) string { return pulls },
	"pull requests, next page":       func(g *grown) string { return pulls + cursor("n", fmt.Sprint(g.any()), "1") },
	"pull requests, page before":     func(g *grown) string { return pulls + cursor("p", fmt.Sprint(g.any()), "1") },
	"pull requests, behind a number": func(g *grown) string { return pulls + "?page=n&page=" + fmt.Sprint(g.any()) },
	"pull requests of a number":      func(g *grown) string { return pulls + "?pr=" + fmt.Sprint(g.any()) },
}

func (g *grown) ask(b *testing.B, r *rig, target string) error {
	got := r.Do(b, "GET", target, "")
	if got.StatusCode != 200 || len(got.Body) < 200 {
		return fmt.Errorf("%s: %d %s", target, got.StatusCode, got.Body)
	}
	return nil
}

// uses returns what the request for a page uses.
func (g *grown) uses(b *testing.B, target string) costs.Use {
	b.Helper()
	g.meter.Reset()
	g.meter.Start()
	defer g.meter.Stop()
	if err := g.ask(b, g.paid, target); err != nil {
		b.Fatal(err)
	}
	return g.meter.Used()
}

// BenchmarkGrowthOfLists compares a page of a long list of repositories and pull
// requests with a page of a short list. For the first two sizes, the calls and
// units must be the same.
func BenchmarkGrowthOfLists(b *testing.B) {
	size := bench.Sizes(b)
	few, most := newGrown(b, size[0]), newGrown(b, size[1])
	for what, target := range pages {
		b.Run(fmt.Sprintf("%s/%d", what, most.n), func(b *testing.B) {
			if a, z := few.uses(b, target(few)), most.uses(b, target(most)); !reflect.DeepEqual(a, z) {
				b.Fatalf("among %d it uses %+v, among %d %+v", few.n, a, most.n, z)
			}
			side := func(g *grown) bench.Side {
				return bench.Side{Name: fmt.Sprint(g.n), Do: func() error { return g.ask(b, g.plain, target(g)) }}
			}
			bench.Compare(b, bench.Comparison{Subject: side(most), Reference: side(few), Goal: bench.GrowthGoal, Samples: 40, Calls: 10})
		})
	}
}
