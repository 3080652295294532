// Package soak puts the key-value store under fire for a while: many short
// histories on fresh keys, each checked against the contract as soon as it is
// complete, while storage fails and processes are killed.
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

// Campaign is one soak of one way to reach the store.
type Campaign struct {
	// Name stands in what is printed, and begins every key.
	Name string
	// Client reaches the store.
	Client client.Client
	// Seed is what everything drawn follows from.
	Seed uint64
	// Lanes is how many rounds go on at once.
	Lanes int
	// Operations is how many to check, 0 for no such end.
	Operations int
	// Rounds is how many rounds to make, 0 for no such end.
	Rounds int
	// Artifacts lets the clients upload files.
	Artifacts bool
	// Limit is how long the check of one round may take.
	Limit time.Duration
	// Folder takes the histories that break the contract.
	Folder string
	// Trail reads the audit trail of the store, against which histories are
	// checked too; nil where nobody can.
	Trail *trail.Reader
	// Counts is what went wrong by design.
	Counts *trouble.Counts
	// Collected is what the collector did meanwhile; nil where there is none.
	Collected *trouble.Counts

	audited   audited
	left      error // what storage holds in the end and should not
	rounds    atomic.Uint64
	checked   atomic.Int64
	unknown   atomic.Int64
	undecided atomic.Int64
	mu        sync.Mutex
	broken    []string
	actions   map[history.Action]int
}

// Run goes on until ctx ends, enough operations were checked, or a history
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
		// What was read of the trail cannot be read again: ctx must not cut it short.
		auditor.Go(func() { c.auditAll(context.WithoutCancel(ctx), ended, stop) })
	}
	lanes.Wait()
	close(ended)
	auditor.Wait()
}

// round makes one history and checks it. One that the end of ctx cut short is
// a history all the same.
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

// Checked is how many operations were checked.
func (c *Campaign) Checked() int { return int(c.checked.Load()) }

// Violations is how many histories broke the contract.
func (c *Campaign) Violations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.broken)
}

// maxUndecided is the share of rounds whose check may run out of time.
const maxUndecided = 0.001

// Err is why the soak failed, or nil.
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
