// Package soak tests the key-value store under load and failures for some time. It runs many
// short histories on new keys while storage fails and processes are killed. It checks each
// history against the contract when the history is complete.
package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak/client"
	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/infra/measure/soak/model"
	"github.com/opsplane/opsplane/infra/measure/soak/trail"
	"github.com/opsplane/opsplane/infra/measure/soak/trouble"
	"github.com/opsplane/opsplane/infra/measure/soak/workload"
)

// Campaign is one soak of the store through one client.
type Campaign struct {
	// Name appears in the output, and every key begins with it.
	Name string
	// Client reaches the store.
	Client client.Client
	// Seed determines every random choice.
	Seed uint64
	// Lanes is the number of rounds that run at once.
	Lanes int
	// Operations is the number of operations after which the soak ends. 0 means no such limit.
	Operations int
	// Rounds is the number of rounds after which the soak ends. 0 means no such limit.
	Rounds int
	// Artifacts says that the clients also upload files.
	Artifacts bool
	// Limit is the maximum time for the check of one round.
	Limit time.Duration
	// Folder is where histories that break the contract are written.
	Folder string
	// Trail reads the store's audit trail. Histories are also checked against it. Nil if the
	// trail cannot be read.
	Trail *trail.Reader
	// Counts counts the failures that the soak injected.
	Counts *trouble.Counts
	// Collected counts what the garbage collector did meanwhile. Nil if no collector runs.
	Collected *trouble.Counts

	audited   audited
	left      error // what storage holds at the end and should not hold
	rounds    atomic.Uint64
	checked   atomic.Int64
	unknown   atomic.Int64
	undecided atomic.Int64
	mu        sync.Mutex
	broken    []string
	actions   map[history.Action]int
}

// Run runs rounds until ctx ends, until enough operations were checked, or until a history
// breaks the contract.
func (c *Campaign) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var lanes sync.WaitGroup
	for range c.Lanes {
		lanes.Go(func() {
			for ctx.Err() == nil {
				n := c.rounds.Add(1)
				if c.Rounds > 0 && n > uint64(c.Rounds) {
					c.rounds.Add(^uint64(0))
					return
				}
				c.round(ctx, n)
				if c.Violations() > 0 || c.Operations > 0 && int(c.checked.Load()) >= c.Operations {
					stop()
				}
			}
		})
	}
	var auditor sync.WaitGroup
	ended := make(chan struct{})
	if c.Trail != nil {
		// The part of the trail that was read cannot be read again, so the end of ctx must not
		// interrupt it.
		auditor.Go(func() { c.auditAll(context.WithoutCancel(ctx), ended, stop) })
	}
	lanes.Wait()
	close(ended)
	auditor.Wait()
}

// round makes one history and checks it. A history that the end of ctx has cut short is also
// checked.
func (c *Campaign) round(ctx context.Context, n uint64) {
	seed := c.Seed<<24 ^ n
	random := rand.New(rand.NewPCG(seed, 3))
	shape := workload.Shape{Clients: 3 + random.IntN(2), Operations: 7 + random.IntN(4)}
	switch random.IntN(8) {
	case 0, 1:
		shape.Mix = workload.Churn
	case 2:
		shape.Mix = workload.Publication
	case 3, 4, 5:
		shape.Artifacts = c.Artifacts
	}
	prefix := fmt.Sprintf("%s-%d-%d/", c.Name, c.Seed, n)
	if c.Trail != nil {
		c.audited.put(prefix, nil)
	}
	ops := workload.Round(ctx, c.Client, shape, seed, prefix)
	if c.Trail != nil {
		c.audited.put(prefix, ops)
	}
	result := model.Check(ops, c.Limit)
	c.count(ops)
	switch result.Verdict {
	case model.Undecided:
		c.undecided.Add(1)
	case model.Broken:
		path, err := keep(c.Folder, fmt.Sprintf("%s-%d-%d", c.Name, c.Seed, n), ops, result)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.broken = append(c.broken, fmt.Sprintf("%s: seed %d, round %d: %s: %s %s", c.Name, c.Seed, n, result.Reason, path, problem(err)))
	}
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	return "(" + err.Error() + ")"
}

func (c *Campaign) count(ops []history.Operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.actions == nil {
		c.actions = map[history.Action]int{}
	}
	done := 0
	for _, o := range ops {
		switch o.Answer.Outcome {
		case history.Void:
			continue
		case history.Unknown:
			c.unknown.Add(1)
		}
		c.actions[o.Call.Action]++
		done++
	}
	c.checked.Add(int64(done))
}

// Checked returns the number of operations that were checked.
func (c *Campaign) Checked() int { return int(c.checked.Load()) }

// Violations returns the number of histories that broke the contract.
func (c *Campaign) Violations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.broken)
}

// maxUndecided is the maximum share of rounds whose check may run out of time.
const maxUndecided = 0.001

// Err returns the reason why the soak failed, or nil.
func (c *Campaign) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	rounds, undecided := c.rounds.Load(), c.undecided.Load()
	switch {
	case len(c.broken) > 0:
		return fmt.Errorf("the contract was broken: %v", c.broken)
	case c.left != nil:
		return fmt.Errorf("%s: %w", c.Name, c.left)
	case c.checked.Load() == 0:
		return fmt.Errorf("%s: nothing was checked", c.Name)
	case c.Trail != nil && c.audited.count() == 0:
		return fmt.Errorf("%s: nothing was held against the audit trail", c.Name)
	case float64(undecided) > max(1, maxUndecided*float64(rounds)):
		return fmt.Errorf("%s: %d of %d rounds could not be checked in time", c.Name, undecided, rounds)
	}
	return nil
}
