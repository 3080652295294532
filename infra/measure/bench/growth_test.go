package bench_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// grown is an installation with many keys, each with a record at idx 0.
type grown struct {
	storage
	keys  int
	plain *kv.Store
	meter *costs.Meter
	paid  *kv.Store // the same store, with its requests to storage counted
	gone  string    // a key that was made to be deleted
}

func newGrown(b *testing.B, keys int) *grown {
	b.Helper()
	env, m := costs.New(b)
	s := storage{env.DynamoDB, env.S3, env.Table("KvTable"), env.Bucket("KvBucket")}
	g := &grown{storage: s, keys: keys, plain: s.store(), meter: m, paid: kv.New(m.DynamoDB(), m.S3(), s.table, s.bucket)}
	w := kv.Write{Key: g.key(0), Value: value(b, []byte(`"`+strings.Repeat("x", 98)+`"`)), Committed: true}
	if _, err := g.plain.Set(b.Context(), kv.Caller{Installation: ns, Author: author()}, w); err != nil {
		b.Fatal(err)
	}
	first := s.item(b, attr.Item{"pk": attr.String(partition()), "sk": attr.Bytes([]byte("k" + g.key(0)))})
	err := s.load(b.Context(), keys-1, func(n int) attr.Item {
		another := maps.Clone(first)
		another["sk"] = attr.Bytes([]byte("k" + g.key(n+1)))
		another["gn"] = &types.AttributeValueMemberS{Value: fmt.Sprintf("%024x", n+1)}
		return another
	})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// key returns a key of 40 bytes, as in docs/costs.md.
func (g *grown) key(n int) string { return fmt.Sprintf("runs/%012d/%s", n, strings.Repeat("k", 22)) }

// any returns a random existing key. another returns a new key that sorts beside it.
func (g *grown) any() string { return g.key(rand.IntN(g.keys)) }

func (g *grown) another() string { return g.any() + "-" + strconv.FormatUint(rand.Uint64(), 36) }

// operation is one kind of operation on one key. The key is chosen at random each time.
type operation struct {
	name   string
	before func(g *grown, w kv.Write) error
	do     func(g *grown, s *kv.Store, w kv.Write) error
}

var operations = []operation{
	{"get", nil, func(g *grown, s *kv.Store, _ kv.Write) error {
		_, err := s.Get(ctx, kv.Caller{Installation: ns}, kv.Position{Key: g.any(), Idx: 0}, false, true)
		return err
	}},
	{"set", nil, func(g *grown, s *kv.Store, w kv.Write) error {
		w.Key = g.any()
		_, err := s.Set(ctx, kv.Caller{Installation: ns, Author: author()}, w)
		return err
	}},
	{"set-of-a-new-key", nil, func(g *grown, s *kv.Store, w kv.Write) error {
		w.Key = g.another()
		_, err := s.Set(ctx, kv.Caller{Installation: ns, Author: author()}, w)
		return err
	}},
	{"commit", nil, func(g *grown, s *kv.Store, _ kv.Write) error {
		_, err := s.Commit(ctx, kv.Caller{Installation: ns, Author: author()}, []kv.Target{{Key: g.any()}})
		return err
	}},
	{"iterate-100", nil, func(g *grown, s *kv.Store, _ kv.Write) error {
		from := g.key(rand.IntN(g.keys - 100))
		found, _, err := s.Iterate(ctx, kv.Caller{Installation: ns}, kv.Range{Key: from, Inclusive: true, Limit: 100})
		if err == nil && len(found) != 100 {
			err = fmt.Errorf("the page has %d records", len(found))
		}
		return err
	}},
	{"delete", func(g *grown, w kv.Write) error {
		g.gone = g.another()
		w.Key = g.gone
		_, err := g.plain.Set(ctx, kv.Caller{Installation: ns, Author: author()}, w)
		return err
	}, func(g *grown, s *kv.Store, _ kv.Write) error {
		removed, err := s.Delete(ctx, kv.Caller{Installation: ns, Author: author()}, kv.Target{Key: g.gone}, nil)
		if err == nil && !removed {
			err = fmt.Errorf("nothing was removed")
		}
		return err
	}},
}

// uses runs an operation once and returns what it uses.
func (g *grown) uses(b *testing.B, o operation, w kv.Write) costs.Use {
	b.Helper()
	if o.before != nil {
		if err := o.before(g, w); err != nil {
			b.Fatal(err)
		}
	}
	g.meter.Reset()
	g.meter.Start()
	defer g.meter.Stop()
	if err := o.do(g, g.paid, w); err != nil {
		b.Fatal(err)
	}
	return g.meter.Used()
}

func (g *grown) side(o operation, w kv.Write) bench.Side {
	s := bench.Side{Name: fmt.Sprint(g.keys), Do: func() error { return o.do(g, g.plain, w) }}
	if o.before != nil {
		s.Before = func() error { return o.before(g, w) }
	}
	return s
}

// BenchmarkGrowth compares operations among many keys with the same operations among few keys.
// Both must make the same calls and use the same units.
func BenchmarkGrowth(b *testing.B) {
	list := bench.Sizes(b)
	w := kv.Write{Value: value(b, []byte(`"`+strings.Repeat("y", 98)+`"`)), Committed: true}
	for _, n := range list[1:] {
		// Both are made anew. The deletes of one comparison leave heads, which the iterations
		// of the next comparison would have to skip, and among few keys there would be more of
		// them.
		few, many := newGrown(b, list[0]), newGrown(b, n)
		for _, o := range operations {
			b.Run(fmt.Sprintf("%s/%d-keys", o.name, n), func(b *testing.B) {
				if a, z := few.uses(b, o, w), many.uses(b, o, w); !reflect.DeepEqual(a, z) {
					b.Fatalf("among %d keys it uses %+v, among %d %+v", few.keys, a, many.keys, z)
				}
				bench.Compare(b, bench.Comparison{Subject: many.side(o, w), Reference: few.side(o, w), Goal: bench.GrowthGoal, Samples: 40, Calls: 10})
			})
		}
	}
}
