package kvmodel_test

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/kvmodel"
	"github.com/opsplane/opsplane/shared/vcs"
)

// store has all methods that the model and the store have in common.
type store interface {
	Get(context.Context, kv.Caller, kv.Position, bool, bool) (kv.Record, error)
	Set(context.Context, kv.Caller, kv.Write) (kv.Record, error)
	CompareAndSet(context.Context, kv.Caller, kv.Write, *int) (kv.Record, error)
	Delete(context.Context, kv.Caller, kv.Target, *int) (bool, error)
	Count(context.Context, kv.Caller, string, bool) (int, int, error)
	Size(context.Context, kv.Caller, kv.Target, bool) (int, error)
	Iterate(context.Context, kv.Caller, kv.Range) ([]kv.Record, *kv.Position, error)
	Commit(context.Context, kv.Caller, []kv.Target) ([]kv.Position, error)
}

// pair makes each call to the store and to the model.
type pair struct {
	store, model store
	installation vcs.ID
}

// call is one call, with the same arguments for both.
type call struct {
	ns     vcs.Installation
	caps   access.Set
	author change.Author
}

func (p pair) draw(t *rapid.T) call {
	return call{
		ns:   vcs.Installation{VCS: rapid.SampledFrom([]vcs.VCS{vcs.GitHub, vcs.GitHub, vcs.GitLab}).Draw(t, "vcs"), ID: p.installation},
		caps: callers.Draw(t, "caller"),
		// The store keeps milliseconds.
		author: change.Author{Principal: "user", Request: uuid.NewString(), At: time.Now().UTC().Truncate(time.Millisecond)},
	}
}

// both makes a call to both and compares the results.
func (p pair) both(t *rapid.T, do func(store) (any, error)) {
	got, gotErr := do(p.store)
	want, wantErr := do(p.model)
	if !errors.Is(gotErr, wantErr) {
		t.Fatalf("got error %v, want %v", gotErr, wantErr)
	}
	if wantErr == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("\n got %+v\nwant %+v", got, want)
	}
}

// normal changes the form of a record so that equal records are deeply equal.
func normal(r kv.Record) kv.Record {
	r.CreatedAt = r.CreatedAt.UTC()
	for _, caps := range []**access.Set{&r.ReadCaps, &r.WriteCaps} {
		if *caps != nil && len(**caps) == 0 {
			*caps = &access.Set{}
		}
	}
	return r
}

func (p pair) iterate(t *rapid.T, c call, q kv.Range) *kv.Position {
	var next *kv.Position
	p.both(t, func(s store) (any, error) {
		page, after, err := s.Iterate(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps}, q)
		list := []kv.Record{}
		for _, r := range page {
			list = append(list, normal(r))
		}
		next = after
		return []any{list, after}, err
	})
	return next
}

// actions returns the steps of the state machine.
func (p pair) actions() map[string]func(*rapid.T) {
	get := func(t *rapid.T) {
		c, key, idx := p.draw(t), someKeys.Draw(t, "key"), someIdx.Draw(t, "idx")
		drafts, data := rapid.Bool().Draw(t, "drafts"), rapid.Bool().Draw(t, "data")
		p.both(t, func(s store) (any, error) {
			r, err := s.Get(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps}, kv.Position{Key: key, Idx: idx}, drafts, data)
			return normal(r), err
		})
	}
	set := func(t *rapid.T) {
		c, w := p.draw(t), drawWrite(t)
		p.both(t, func(s store) (any, error) {
			r, err := s.Set(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps, Author: c.author}, w)
			return normal(r), err
		})
	}
	cas := func(t *rapid.T) {
		c, w, version := p.draw(t), drawWrite(t), optional(someVersions).Draw(t, "version")
		p.both(t, func(s store) (any, error) {
			r, err := s.CompareAndSet(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps, Author: c.author}, w, version)
			return normal(r), err
		})
	}
	remove := func(t *rapid.T) {
		c, key, idx := p.draw(t), someKeys.Draw(t, "key"), optional(someIdx).Draw(t, "idx")
		version := optional(someVersions).Draw(t, "version")
		p.both(t, func(s store) (any, error) {
			return s.Delete(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps, Author: c.author}, kv.Target{Key: key, Idx: idx}, version)
		})
	}
	commit := func(t *rapid.T) {
		c := p.draw(t)
		var targets []kv.Target
		for range rapid.IntRange(0, 4).Draw(t, "targets") {
			targets = append(targets, kv.Target{Key: someKeys.Draw(t, "key"), Idx: optional(someIdx).Draw(t, "idx")})
		}
		p.both(t, func(s store) (any, error) {
			changed, err := s.Commit(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps, Author: c.author}, targets)
			slices.SortFunc(changed, func(a, b kv.Position) int {
				return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Idx, b.Idx))
			})
			return append([]kv.Position{}, changed...), err
		})
	}
	count := func(t *rapid.T) {
		c, key, drafts := p.draw(t), someKeys.Draw(t, "key"), rapid.Bool().Draw(t, "drafts")
		p.both(t, func(s store) (any, error) {
			n, maxIdx, err := s.Count(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps}, key, drafts)
			return []int{n, maxIdx}, err
		})
	}
	size := func(t *rapid.T) {
		c, key, idx, drafts := p.draw(t), someKeys.Draw(t, "key"), optional(someIdx).Draw(t, "idx"), rapid.Bool().Draw(t, "drafts")
		p.both(t, func(s store) (any, error) {
			return s.Size(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps}, kv.Target{Key: key, Idx: idx}, drafts)
		})
	}
	walk := func(t *rapid.T) {
		c := p.draw(t)
		q := kv.Range{
			Key: someKeys.Draw(t, "key"), Idx: optional(someIdx).Draw(t, "idx"), Inclusive: rapid.Bool().Draw(t, "inclusive"),
			Prefix: rapid.Bool().Draw(t, "prefix"), Drafts: rapid.Bool().Draw(t, "drafts"), WithData: rapid.Bool().Draw(t, "data"),
			Limit: rapid.IntRange(0, 5).Draw(t, "limit"),
		}
		if rapid.IntRange(0, 3).Draw(t, "from anywhere") == 0 {
			q.After = &kv.Position{Key: someKeys.Draw(t, "after"), Idx: someIdx.Draw(t, "after idx")}
		}
		for {
			if q.After = p.iterate(t, c, q); q.After == nil {
				return
			}
		}
	}
	// upload does what a client does with a file: it writes chunks as drafts, then
	// commits all of them.
	upload := func(t *rapid.T) {
		c, key := p.draw(t), someKeys.Draw(t, "key")
		first, n := rapid.IntRange(-1, 2).Draw(t, "first"), rapid.IntRange(1, 4).Draw(t, "chunks")
		for i := range n {
			w := drawWrite(t)
			w.Key, w.Idx, w.Committed, w.ReadCaps, w.WriteCaps = key, first+i, false, nil, nil
			c.author.Request = uuid.NewString()
			p.both(t, func(s store) (any, error) {
				r, err := s.Set(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps, Author: c.author}, w)
				return normal(r), err
			})
		}
		c.author.Request = uuid.NewString()
		p.both(t, func(s store) (any, error) {
			return s.Commit(t.Context(), kv.Caller{Installation: c.ns, Capabilities: c.caps, Author: c.author}, []kv.Target{{Key: key}})
		})
	}
	return map[string]func(*rapid.T){
		"get": get, "set": set, "set again": set, "set once more": set, "cas": cas, "delete": remove,
		"commit": commit, "count": count, "size": size, "iterate": walk, "upload": upload,
		"": func(t *rapid.T) {
			for _, system := range vcs.All() {
				c := call{ns: vcs.Installation{VCS: system, ID: p.installation}, caps: access.Set{access.KVStoreSystemRead, access.KVStoreSystemWrite}}
				p.iterate(t, c, kv.Range{Inclusive: true, Drafts: true, WithData: true, Limit: 1000})
			}
		},
	}
}

func TestStoreDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	s := kv.New(env.DynamoDB, env.S3, env.Table("KvTable"), env.Bucket("KvBucket"))
	var installations atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		p := pair{store: s, model: &kvmodel.Model{}, installation: vcs.ID(strconv.FormatInt(installations.Add(1), 10))}
		t.Repeat(p.actions())
	})
}
