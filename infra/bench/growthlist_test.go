package bench_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/opsplane/opsplane/infra/bench"
	"github.com/opsplane/opsplane/infra/costs"
	"github.com/opsplane/opsplane/shared/attr"
	"github.com/opsplane/opsplane/shared/pullrequest"
	"github.com/opsplane/opsplane/shared/repository"
)

// lists is an installation with so many repositories, and as many pull requests.
type lists struct {
	storage
	n     int
	meter *costs.Meter
}

const listed = "42"

func newLists(b *testing.B, n int) *lists {
	b.Helper()
	env, m := costs.New(b)
	l := &lists{storage: storage{env.DynamoDB, env.S3, env.Table("VcsTable"), ""}, n: n, meter: m}
	if err := bench.WithoutStream(b.Context(), l.db, l.table); err != nil {
		b.Fatal(err)
	}
	const version = "4000000000000.00.72d3162e-cc78-11e3-81ab-4c9367dc0958"
	repositories := repository.Store{DB: l.db, Table: l.table}
	if err := repositories.Apply(ctx, author(), "github", listed, repository.Seen{ID: "1", Owner: "acme", Name: name(1)}, version); err != nil {
		b.Fatal(err)
	}
	l.copies(b, attr.Item{"pk": attr.String("REPOSITORIES#github#" + listed), "sk": attr.String(fmt.Sprintf("%020d", 1))}, func(i int, item attr.Item) {
		id := fmt.Sprint(i)
		item["id"], item["name"], item["sk"] = attr.String(id), attr.String(name(i)), attr.String(fmt.Sprintf("%020d", i))
		item["by_name"] = attr.String(repository.Repository{ID: id, Name: name(i)}.Cursor())
	})
	pulls := pullrequest.Store{DB: l.db, Table: l.table}
	err := pulls.Apply(ctx, author(), "github", listed, pull(1), version, repositories.NotEmptied("github", listed, "1", version))
	if err != nil {
		b.Fatal(err)
	}
	l.copies(b, attr.Item{"pk": attr.String("PULLS#github#" + listed), "sk": attr.String(pull(1).Cursor())}, func(i int, item attr.Item) {
		item["number"], item["sk"] = attr.Int(int64(i)), attr.String(pull(i).Cursor())
		item["by_repository"] = attr.String(fmt.Sprintf("%020d#%019d", 1, i))
	})
	return l
}

func name(i int) string { return fmt.Sprintf("repository-%07d", i) }

func pull(i int) pullrequest.PullRequest {
	return pullrequest.PullRequest{
		Repository: "1", Number: int64(i), Title: "Add a bucket for the logs of the gateway", User: "ann",
		State: pullrequest.Open, BaseBranch: "main", BaseSHA: fmt.Sprintf("%040d", 1), Branch: "add-bucket", SHA: fmt.Sprintf("%040d", 2),
	}
}

// copies loads items that are like one but for what differs.
func (l *lists) copies(b *testing.B, key attr.Item, differ func(int, attr.Item)) {
	b.Helper()
	first := l.item(b, key)
	err := l.load(b.Context(), l.n-1, func(n int) attr.Item {
		another := maps.Clone(first)
		differ(n+2, another)
		return another
	})
	if err != nil {
		b.Fatal(err)
	}
}

const page = 20

// reads are pages from somewhere in the lists.
var reads = map[string]func(l *lists, paid bool) error{
	"repositories": func(l *lists, paid bool) error {
		s := repository.Store{DB: l.db, Table: l.table}
		if paid {
			s.DB = l.meter.DynamoDB()
		}
		found, err := s.List(ctx, "github", listed, repository.Query{Limit: page + 1, AfterName: name(1 + rand.IntN(l.n-page-1))})
		return whole(len(found), err)
	},
	"pull-requests": func(l *lists, paid bool) error {
		s := pullrequest.Store{DB: l.db, Table: l.table}
		if paid {
			s.DB = l.meter.DynamoDB()
		}
		found, err := s.List(ctx, "github", listed, pullrequest.Query{Limit: page + 1, AfterNumber: int64(page + 2 + rand.IntN(l.n-page-2))})
		return whole(len(found), err)
	},
}

func whole(n int, err error) error {
	if err == nil && n != page+1 {
		return fmt.Errorf("a page has %d rows, want %d", n, page+1)
	}
	return err
}

// uses is what a page uses.
func (l *lists) uses(b *testing.B, read func(*lists, bool) error) costs.Use {
	b.Helper()
	l.meter.Reset()
	l.meter.Start()
	defer l.meter.Stop()
	if err := read(l, true); err != nil {
		b.Fatal(err)
	}
	return l.meter.Used()
}

// BenchmarkGrowthOfLists compares a page among many repositories and pull
// requests with one among few, by the first two sizes: the same calls and units.
func BenchmarkGrowthOfLists(b *testing.B) {
	size := sizes(b)
	few, most := newLists(b, size[0]), newLists(b, size[1])
	for name, read := range reads {
		b.Run(fmt.Sprintf("%s/%d", name, most.n), func(b *testing.B) {
			if a, z := few.uses(b, read), most.uses(b, read); !reflect.DeepEqual(a, z) {
				b.Fatalf("among %d it uses %+v, among %d %+v", few.n, a, most.n, z)
			}
			side := func(l *lists) bench.Side {
				return bench.Side{Name: fmt.Sprint(l.n), Do: func() error { return read(l, false) }}
			}
			bench.Compare(b, bench.Comparison{Subject: side(most), Reference: side(few), Goal: growthGoal, Samples: 40, Calls: 10})
		})
	}
}
