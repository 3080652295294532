package main

import (
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// grown is a trail of n records of an installation, one a minute.
type grown struct {
	n           int
	plain, paid *rig
	meter       *costs.Meter
}

func newGrown(b *testing.B, n int) *grown {
	b.Helper()
	env, m := costs.New(b)
	table := env.Table("AuditTable")
	g := &grown{n: n, plain: rigOn(functiontest.On(env, function)), paid: rigOn(functiontest.On(env, function)), meter: m}
	g.paid.Serve(routes(over(m.Role(function))))
	record := func(i int) audit.Record {
		return audit.Record{
			ID: fmt.Sprintf("%032d", i), At: born.Add(-time.Duration(i) * time.Minute), Action: "key.write", Subject: fmt.Sprintf("plan/%d", i%(n/25)),
			Actor: audit.Actor{ID: "ann"}, VCS: "github", Installation: "42", After: map[string]any{"version": 1, "size": 100, "committed": true},
		}
	}
	if _, err := g.plain.records.Put(b.Context(), record(0)); err != nil {
		b.Fatal(err)
	}
	first := bench.Item(b, env.DynamoDB, table, attr.Item{"pk": attr.String("github/42"), "sk": attr.String(record(0).Cursor())})
	err := bench.Load(b.Context(), env.DynamoDB, table, n-1, func(i int) attr.Item {
		r, another := record(i+1), maps.Clone(first)
		another["sk"], another["topic"] = attr.String(r.Cursor()), attr.String(r.Topic())
		return another
	})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// lists are the targets of requests for twenty records.
var lists = map[string]string{
	"of an installation": of42 + "&limit=20",
	"of a key":           of42 + "&key=plan/7&limit=20",
	"of an actor":        path + "?limit=20",
}

func (g *grown) ask(b *testing.B, r *rig, target string) error {
	got := r.Do(b, "GET", target, "")
	if got.StatusCode != 200 || len(got.Body) < 2000 {
		return fmt.Errorf("%s: %d %s", target, got.StatusCode, got.Body)
	}
	return nil
}

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

// BenchmarkGrowthOfTrail compares a page of a long trail with a page of a short
// one, for the first two sizes. Both must cost the same calls and units.
func BenchmarkGrowthOfTrail(b *testing.B) {
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
			bench.Compare(b, bench.Comparison{Subject: side(most), Reference: side(few), Goal: bench.GrowthGoal, Samples: 40, Calls: 10})
		})
	}
}
