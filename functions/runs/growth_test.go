package main

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// grown is an installation with n completed runs, a second apart. Each user has 25 of them.
type grown struct {
	n           int
	plain, paid *rig // paid has its storage costs counted
	meter       *costs.Meter
}

func newGrown(b *testing.B, n int) *grown {
	b.Helper()
	env, m := costs.New(b)
	g := &grown{n: n, plain: rigOn(functiontest.On(env, function)), paid: rigOn(functiontest.On(env, function)), meter: m}
	g.paid.Serve(routes(over(m.Role(function))))
	g.paid.Caller = g.plain.Caller
	first := g.plain.create(b, "42", "net", "prod/db")
	second := g.plain.Clock.Now().Unix()
	g.plain.complete(b, first, true, false)
	items := itemsOf(b, env.DynamoDB, g.plain.store.Table, first)
	err := bench.Load(b.Context(), env.DynamoDB, g.plain.store.Table, (n-1)*len(items), func(i int) attr.Item {
		number := 1 + i/len(items)
		return replaced(items[i%len(items)], strings.NewReplacer(
			string(first), fmt.Sprintf("%08x-1111-4111-8111-111111111111", number),
			strconv.FormatInt(second, 10)+"#", strconv.FormatInt(second+int64(number), 10)+"#",
			"alice", fmt.Sprintf("user-%d", number%(n/25)),
		))
	})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// itemsOf returns the run's item and its rows in the index.
func itemsOf(b *testing.B, db *dynamodb.Client, table string, id run.ID) []attr.Item {
	b.Helper()
	out, err := db.Scan(b.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil || out.LastEvaluatedKey != nil {
		b.Fatalf("scan: %v, the table of one run takes more than one page: %t", err, out != nil && out.LastEvaluatedKey != nil)
	}
	var found []attr.Item
	for _, item := range out.Items {
		key := attr.Read(item)
		if key.String("pk") == "RUN#"+string(id) || strings.HasPrefix(key.String("pk"), "IDX#") && strings.HasSuffix(key.String("sk"), "#"+string(id)) {
			found = append(found, item)
		}
	}
	if len(found) < 10 {
		b.Fatalf("the run has %d items", len(found))
	}
	return found
}

// replaced returns an item with other texts.
func replaced(item attr.Item, texts *strings.Replacer) attr.Item {
	another := attr.Item{}
	for name, value := range item {
		if text, ok := value.(*types.AttributeValueMemberS); ok {
			value = attr.String(texts.Replace(text.Value))
		}
		another[name] = value
	}
	return another
}

// lists are the targets of requests for the first page of a list.
var lists = map[string]string{
	"runs":                           base + "/work-manifests",
	"runs of a repository":           base + "/work-manifests?q=" + url.QueryEscape("repo:infra"),
	"runs of a branch":               base + "/work-manifests?q=" + url.QueryEscape("branch:feature/x"),
	"runs of a user":                 base + "/work-manifests?q=" + url.QueryEscape("user:user-3"),
	"runs of a pull request":         base + "/work-manifests?q=" + url.QueryEscape("pr:17"),
	"runs of a directory":            base + "/work-manifests?q=" + url.QueryEscape("dir:prod/db"),
	"runs below a directory":         base + "/work-manifests?q=" + url.QueryEscape("dir:prod/*"),
	"plans that would change things": base + "/work-manifests?q=" + url.QueryEscape("type:plan and has_changes"),
	"runs of a month":                base + "/work-manifests?q=" + url.QueryEscape("created_at:2096-10-01..2096-11-01"),
	"directories that failed":        base + "/dirspaces?q=" + url.QueryEscape("state:failure"),
}

func (g *grown) ask(b *testing.B, r *rig, target string) error {
	got := r.Do(b, "GET", target, "")
	if got.StatusCode != 200 || strings.Count(got.Body, `"run_type"`) != 20 {
		return fmt.Errorf("%s: %d %.500s", target, got.StatusCode, got.Body)
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

// BenchmarkGrowthOfRuns compares the first page of typical lists among many runs with that among
// few. For the first two sizes, the calls and units must be the same.
func BenchmarkGrowthOfRuns(b *testing.B) {
	size := bench.Sizes(b)
	few, most := newGrown(b, size[0]), newGrown(b, size[1])
	for what, target := range lists {
		b.Run(fmt.Sprintf("%s/%d", what, most.n), func(b *testing.B) {
			if a, z := few.uses(b, target), most.uses(b, target); !reflect.DeepEqual(a, z) {
				b.Fatalf("among %d it uses %+v, among %d %+v", few.n, a, most.n, z)
			}
			side := func(g *grown) bench.Side {
				return bench.Side{Name: fmt.Sprint(g.n), Do: func() error { return g.ask(b, g.plain, target) }}
			}
			bench.Compare(b, bench.Comparison{Subject: side(most), Reference: side(few), Goal: bench.GrowthGoal, Samples: 40, Calls: 5})
		})
	}
}
