package soak

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/infra/measure/soak/trail"
	"github.com/opsplane/opsplane/shared/audit"
)

// auditEvery is the time between two checks of the finished histories against the trail.
const auditEvery = 5 * time.Second

// audited holds the rounds that have not been checked against the trail, by the prefix of their
// keys.
type audited struct {
	mu      sync.Mutex
	over    map[string][]history.Operation // nil while a round is under way
	records map[string][]audit.Record
	checked int // number of records
}

// put stores the operations of a round. ops is nil while the round is under way.
func (a *audited) put(prefix string, ops []history.Operation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over == nil {
		a.over, a.records = map[string][]history.Operation{}, map[string][]audit.Record{}
	}
	a.over[prefix] = ops
}

// auditAll checks rounds against the trail from time to time until all rounds have ended. If a
// round does not agree with the trail, it stops the rounds.
func (c *Campaign) auditAll(ctx context.Context, ended <-chan struct{}, stop func()) {
	for {
		select {
		case <-time.After(auditEvery):
		case <-ended:
			c.audit(ctx)
			return
		}
		if c.audit(ctx); c.Violations() > 0 {
			stop()
		}
	}
}

// audit checks the finished rounds against the trail.
func (c *Campaign) audit(ctx context.Context) {
	a := &c.audited
	a.mu.Lock()
	var due []string
	for prefix, ops := range a.over {
		if ops != nil {
			due = append(due, prefix)
		}
	}
	a.mu.Unlock()
	records, err := c.Trail.Records(ctx)
	if err != nil {
		c.breach("the audit trail cannot be read: " + err.Error())
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range records {
		prefix := r.Subject[:strings.Index(r.Subject, "/")+1]
		if _, mine := a.over[prefix]; mine { // if not, a request took effect after its round was checked
			a.records[prefix] = append(a.records[prefix], r)
		}
	}
	for _, prefix := range due {
		a.checked += len(a.records[prefix])
		if wrong := trail.Check(a.over[prefix], a.records[prefix], last(a.over[prefix])); len(wrong) > 0 {
			path, err := keepTrail(c.Folder, strings.TrimSuffix(prefix, "/"), a.over[prefix], a.records[prefix])
			c.breach(fmt.Sprintf("%s: the audit trail: %s: %s %s", prefix, strings.Join(wrong, "; "), path, problem(err)))
		}
		delete(a.over, prefix)
		delete(a.records, prefix)
	}
}

// last returns the committed rows that a round's last reader saw. It returns nil if that reader
// could not read.
func last(ops []history.Operation) []history.Seen {
	if len(ops) == 0 {
		return nil
	}
	o := ops[len(ops)-1]
	if o.Call.Action != history.Iterate || o.Call.Drafts || o.Answer.Outcome != history.Done {
		return nil
	}
	if o.Answer.Rows == nil {
		return []history.Seen{}
	}
	return o.Answer.Rows
}

// breach records that the contract was broken.
func (c *Campaign) breach(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = append(c.broken, c.Name+": "+what)
}

// count returns the number of records that were checked.
func (a *audited) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.checked
}
