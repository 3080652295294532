// Package trouble makes storage and functions fail at random while clients work, and counts the
// failures.
package trouble

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// Counts counts the failures by kind. Several goroutines may use it at once.
type Counts struct {
	mu   sync.Mutex
	seen map[string]int
}

// Add adds one to a count.
func (c *Counts) Add(what string) { c.Count(what, 1) }

// Count adds n to a count.
func (c *Counts) Count(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[what] += n
}

// Snapshot returns a copy of the counts.
func (c *Counts) Snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// mishap is a kind of fault, and its frequency among the faults.
type mishap struct {
	name   string
	kind   storagetest.Kind
	weight int
	writes bool // only for writes, because the fault has no meaning for reads
	table  bool // only for tables, because the bucket does not have this fault
}

var mishaps = []mishap{
	{"throttle", storagetest.Throttle, 3, false, false},
	{"server error", storagetest.ServerError, 3, false, false},
	{"transaction conflict", storagetest.Conflict, 4, true, true},
	{"answer lost after the effect", storagetest.LoseAnswer, 4, true, false},
	{"request lost", storagetest.LoseRequest, 2, false, false},
	{"request late", storagetest.Late, 2, true, false},
	{"connection refused", storagetest.Refuse, 2, false, false},
	{"delivered twice", storagetest.Duplicate, 4, true, false},
	{"slow reply", storagetest.Pass, 4, false, false},
}

// writes are the requests that change something.
var writes = map[string]bool{
	"UpdateItem": true, "PutItem": true, "TransactWriteItems": true, "BatchWriteItem": true, "DeleteItem": true,
	"s3:PUT": true, "s3:POST": true, "s3:DELETE": true,
}

// Slow is the maximum time of a slow response.
const Slow = 60 * time.Millisecond

// Random returns faults that affect, at random, one in every so many requests.
func Random(seed uint64, every int, counts *Counts) *storagetest.Faults {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0xfa17))
	total := 0
	for _, m := range mishaps {
		total += m.weight
	}
	return &storagetest.Faults{Choose: func(operation string) storagetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(every) > 0 {
			return storagetest.Fault{}
		}
		m := pick(random.IntN(total))
		if m.writes && !writes[operation] || m.table && operation[:2] == "s3" {
			return storagetest.Fault{}
		}
		counts.Add(m.name)
		f := storagetest.Fault{Kind: m.kind}
		if m.kind == storagetest.Pass {
			f.Delay = time.Duration(random.Int64N(int64(Slow)))
		}
		return f
	}}
}

func pick(at int) mishap {
	for _, m := range mishaps {
		if at -= m.weight; at < 0 {
			return m
		}
	}
	return mishaps[0]
}

// Deliver lets late requests arrive after pauses of at most longest, until stop is closed.
func Deliver(f *storagetest.Faults, longest time.Duration, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(rand.N(longest)):
			// A request that cannot be sent counts as one that never arrives.
			_ = f.Deliver()
		}
	}
}
