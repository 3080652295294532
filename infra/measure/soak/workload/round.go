// Package workload draws what the clients of a soak do, and lets them do it.
// A round is one short history on keys that nobody used before: a few clients
// at once, then one that reads everything back. Its invariant: what a client
// asks for follows from the seed and from what it was answered, so a seed
// repeats a soak as far as the machine's timing lets it.
package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// Shape is how large a round is.
type Shape struct {
	// Clients work at once, each making Operations.
	Clients, Operations int
	// Artifacts lets them upload files too.
	Artifacts bool
	// Mix is what they do most of the time.
	Mix Mix
}

// Mix says which operations the clients of a round make.
type Mix int

const (
	// Everything draws from all operations.
	Everything Mix = iota
	// Churn lets the clients meet on one key beside idx 0: rows come and go,
	// by themselves and with the key.
	Churn
	// Publication lets one client write drafts and commit several rows with
	// one request, again and again, while the others read what is committed.
	Publication
)

// Round makes one history. prefix begins every key and must be new.
func Round(ctx context.Context, c client.Client, s Shape, seed uint64, prefix string) []history.Operation {
	r := newPlan(rand.New(rand.NewPCG(seed, 1)), s, prefix)
	recorder := history.NewRecorder()
	var working sync.WaitGroup
	for n := range s.Clients {
		a := newActor(r, n, rand.New(rand.NewPCG(seed, uint64(n)+2)))
		working.Go(func() {
			for range s.Operations {
				if ctx.Err() != nil {
					return
				}
				a.act(ctx, c, recorder)
			}
		})
	}
	working.Wait()
	auditor := newActor(r, s.Clients, rand.New(rand.NewPCG(seed, 0)))
	for _, drafts := range []bool{true, false} {
		auditor.page(ctx, c, recorder, drafts, 1000)
	}
	return recorder.Operations()
}

// plan is what all clients of a round have in common.
type plan struct {
	shape  Shape
	prefix string
	keys   []string
	idx    []int
	joined bool // commits name several keys
	files  uploads
}

// indices are the rows that a round's keys have: few, so that clients meet.
var indices = [][]int{{0}, {0, 1}, {0, 1, 2}, {-1, 0, 1}, {1, 2}, {0, 1}}

// churned are the rows that come and go in rounds of churn.
var churned = [][]int{{1}, {1, 7}, {1, 2, 7}}

func newPlan(random *rand.Rand, s Shape, prefix string) *plan {
	switch s.Mix {
	case Churn:
		return &plan{shape: s, prefix: prefix, idx: churned[random.IntN(len(churned))], keys: []string{prefix + "a"}}
	case Publication:
		return &plan{shape: s, prefix: prefix, idx: []int{0, 1}, keys: []string{prefix + "a"}}
	case Everything:
	}
	p := &plan{shape: s, prefix: prefix, idx: indices[random.IntN(len(indices))], joined: random.IntN(2) == 0}
	for n := range 2 + random.IntN(2) {
		p.keys = append(p.keys, fmt.Sprintf("%s%c", prefix, 'a'+n))
	}
	return p
}
