package output

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// MaxPage is the most that the payloads of one page take in a response, in bytes.
// Lambda sends at most 6 MB, in a JSON string, and the other members of the steps
// need room too. A page ends early if the next payload would not fit.
const MaxPage = 5 << 20

// Request asks for a page of the steps of a run.
type Request struct {
	// Query says which steps are wanted; runquery.Outputs compiles it.
	Query runquery.Query
	// Limit is the largest number of steps, at least 1.
	Limit int
	// Descending lists the step with the highest idx first.
	Descending bool
	// From is the idx at which the page begins, not included. Nil begins at the
	// beginning, or with Backward at the end.
	From *int
	// Backward reads the steps before From in the order of the list, the nearest
	// first.
	Backward bool
	// Lite leaves out the payloads, and makes no request to the bucket.
	Lite bool
}

// ascending reports whether the page reads steps with a rising idx.
func (q Request) ascending() bool { return q.Descending == q.Backward }

// Page is a page of steps.
type Page struct {
	// Steps are in the direction of the request: the step nearest to From is the
	// first one.
	Steps []Step
	// More reports whether more steps follow the last one in that direction. There
	// is at least one step then.
	More bool
}

// Step is a step of a page.
type Step struct {
	// Idx is the position of the step in the result of the runner, from 0.
	Idx  int
	Name string
	// Type, Dir, Workspace, Flow and Subflow are the scope, as in result.Scope.
	Type, Dir, Workspace, Flow, Subflow string
	Success, IgnoreErrors               bool
	// Payload is a JSON object. It is nil if the request is Lite, or if Withheld
	// says why.
	Payload  json.RawMessage
	Withheld Withheld
}

// Withheld says why a payload is not in a page.
type Withheld int

// The reasons. The zero value says that the payload is there, or was not asked for.
const (
	// TooLarge is the reason of a payload that no response can carry. Text reads
	// what it says.
	TooLarge Withheld = iota + 1
	// Expired is the reason of a payload whose object is gone.
	Expired
)

// State returns the state that the API shows. It does not depend on whether errors
// are ignored.
func (s Step) State() string { return state(s.Success) }

func state(success bool) string {
	if success {
		return "success"
	}
	return "failure"
}

// found is an entry that a page has, with its position.
type found struct {
	idx int
	entry
}

// Page reads a page of the steps of a completed run. It makes one query for a page
// without a query text, and one read of the bucket if the payloads lie together.
func (s *Store) Page(ctx context.Context, id run.ID, of run.Result, q Request) (Page, error) {
	steps, more, err := s.find(ctx, id, of, q)
	if err != nil {
		return Page{}, err
	}
	page := Page{Steps: make([]Step, len(steps)), More: more}
	for n, f := range steps {
		page.Steps[n] = Step{
			Idx: f.idx, Name: f.Name, Type: f.Type, Dir: f.Dir, Workspace: f.Workspace, Flow: f.Flow, Subflow: f.Subflow,
			Success: f.Success, IgnoreErrors: f.Ignore,
		}
	}
	if q.Lite || len(steps) == 0 {
		return page, nil
	}
	return page, s.addPayloads(ctx, of.Payload, steps, page.Steps)
}

// find returns the steps of a page, and whether more follow.
func (s *Store) find(ctx context.Context, id run.ID, of run.Result, q Request) (steps []found, more bool, err error) {
	wire := 0
	err = s.walk(ctx, id, of, q, func(f found) bool {
		if !q.Query.Match(row{f}) {
			return true
		}
		payload := f.Wire
		if payload > MaxPage {
			payload = 0 // it is withheld
		}
		if len(steps) == q.Limit || !q.Lite && len(steps) > 0 && wire+payload > MaxPage {
			more = true
			return false
		}
		wire += payload
		steps = append(steps, f)
		return true
	})
	return steps, more, err
}

// walk calls do with the steps from q.From on, in the direction of q, until do
// returns false.
func (s *Store) walk(ctx context.Context, id run.ID, of run.Result, q Request, do func(found) bool) error {
	low, high := q.bounds(of.Steps)
	if low > high {
		return nil
	}
	sum, err := sumOf(of.Payload)
	if err != nil {
		return err
	}
	read := table.Query{
		Key: []table.Condition{
			table.Equal("pk", chunkKey(id, sum, 0)["pk"]),
			table.Between("sk", attr.String(chunkSort(sum, firstOf(low))), attr.String(chunkSort(sum, firstOf(high)))),
		},
		Backward: !q.ascending(), Limit: q.chunks(),
	}
	next, end := firstOf(low), step(firstOf(high), true) // the chunk that must come next, and the one behind the last
	if read.Backward {
		next, end = firstOf(high), step(firstOf(low), false)
	}
	for {
		page, err := s.table.Query(ctx, read)
		if err != nil {
			return fmt.Errorf("read steps: %w", err)
		}
		for _, item := range page.Items {
			if attr.Read(item).String("sk") != chunkSort(sum, next) {
				return ErrExpired
			}
			entries, err := unpack(item)
			if err != nil {
				return err
			}
			if !each(entries, next, low, high, q.ascending(), do) {
				return nil
			}
			next = step(next, q.ascending())
		}
		switch {
		case next == end:
			return nil
		case page.Next == nil:
			return ErrExpired
		}
		read.After, read.Limit = page.Next, read.Limit*growth
	}
}

// growth is how many times more chunks each further query reads.
const growth = 4

// chunks returns how many chunks the first query reads. Without a query text, the
// steps of a page lie in so many chunks.
func (q Request) chunks() int { return q.Limit/chunkSteps + 2 }

// firstOf returns the first step of the chunk of a step.
func firstOf(idx int) int { return idx / chunkSteps * chunkSteps }

// step returns the first step of the next chunk in a direction.
func step(first int, ascending bool) int {
	if ascending {
		return first + chunkSteps
	}
	return first - chunkSteps
}

// each calls do with the entries of a chunk that lie between two steps, both
// included, until do returns false. It reports whether do never did.
func each(entries []entry, first, low, high int, ascending bool, do func(found) bool) bool {
	for n := range entries {
		if !ascending {
			n = len(entries) - 1 - n
		}
		if idx := first + n; idx >= low && idx <= high && !do(found{idx, entries[n]}) {
			return false
		}
	}
	return true
}

// bounds returns the first and the last step that a page may have. A query for one
// idx needs only that step.
func (q Request) bounds(steps int) (low, high int) {
	low, high = 0, steps-1
	if q.From != nil && q.ascending() {
		low = max(low, min(*q.From, high)+1)
	} else if q.From != nil {
		high = min(high, max(*q.From, low)-1)
	}
	for _, term := range q.Query.Terms() {
		if term.Key == "idx" {
			idx, err := strconv.Atoi(term.Value)
			if err != nil {
				return 0, -1 // beyond every step
			}
			low, high = max(low, idx), min(high, idx)
		}
	}
	return low, high
}
