// Package workload chooses what the clients of a soak do, and runs it. A round is one short
// history on new keys: a few clients work at once, and then one client reads everything back.
// Its invariant: a client's calls depend only on the seed and on the answers that the client
// got. So a seed repeats a soak, as far as the timing of the machine allows.
package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// Shape says how large a round is and what its clients do.
type Shape struct {
	// Clients is the number of clients that work at once. Each makes Operations operations.
	Clients, Operations int
	// Artifacts says that the clients also upload files.
	Artifacts bool
	// Mix is the main kind of operations of the clients.
	Mix Mix
}

// Mix says which operations the clients of a round make.
type Mix int

const (
	// Everything chooses from all operations.
	Everything Mix = iota
	// Churn lets the clients work on one key, on rows with an idx other than 0. Rows are
	// written and removed, alone and together with the key.
	Churn
	// Publication lets one client write drafts and commit several rows with one request, again
	// and again. The other clients read the committed rows.
	Publication
)

// Round makes one history. Every key begins with prefix, which must be new.
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

// plan is what all clients of a round share.
type plan struct {
	shape  Shape
	prefix string
	keys   []string
	idx    []int
	joined bool // commits name several keys
	files  uploads
}

// indices are the sets of rows that a round's keys can have. They are small, so that clients
// work on the same rows.
var indices = [][]int{{0}, {0, 1}, {0, 1, 2}, {-1, 0, 1}, {1, 2}, {0, 1}}

// churned are the rows that are written and removed in rounds of churn.
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
