package kv_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/kv/kvmodel"
	"github.com/opsplane/opsplane/shared/vcs"
)

// target has the methods that the store and its sequential model share in this
// test.
type target interface {
	Set(context.Context, kv.Caller, kv.Write) (kv.Record, error)
	CompareAndSet(context.Context, kv.Caller, kv.Write, *int) (kv.Record, error)
	Delete(context.Context, kv.Caller, kv.Target, *int) (bool, error)
	Iterate(context.Context, kv.Caller, kv.Range) ([]kv.Record, *kv.Position, error)
}

// step is one call on key "k". Its result is text that can be compared: "true",
// "false", the written version, or the error.
type step func(testing.TB, target, change.Author) string

var everywhere = vcs.Installation{VCS: "github", ID: "1"}

func writes(idx int, committed bool) step {
	return func(t testing.TB, s target, a change.Author) string {
		w := kv.Write{Key: "k", Idx: idx, Value: parse(t, `"`+a.Request+`"`), Committed: committed}
		return answer(s.Set(t.Context(), kv.Caller{Installation: everywhere, Author: a}, w))
	}
}

func inserts(idx int) step {
	return func(t testing.TB, s target, a change.Author) string {
		w := kv.Write{Key: "k", Idx: idx, Value: parse(t, `"`+a.Request+`"`), Committed: true}
		return answer(s.CompareAndSet(t.Context(), kv.Caller{Installation: everywhere, Author: a}, w, nil))
	}
}

func answer(rec kv.Record, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint("version ", rec.Version)
}

// deletes removes one row or, if idx is nil, every row.
func deletes(idx *int) step {
	return func(t testing.TB, s target, a change.Author) string {
		done, err := s.Delete(t.Context(), kv.Caller{Installation: everywhere, Author: a}, kv.Target{Key: "k", Idx: idx}, nil)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(done)
	}
}

func row(idx int) *int { return &idx }

// TestEveryInterleavingWithADeleteOfTheKeyHasAnOrder runs two operations at the
// same time, in every order that their requests to storage can have. The results
// and rows must be the same as if one ran after the other, and the audit trail must
// agree.
func TestEveryInterleavingWithADeleteOfTheKeyHasAnOrder(t *testing.T) {
	t.Parallel()
	states := map[string][]step{
		"no key":                nil,
		"row 1 that was":        {writes(1, true), deletes(row(1))},
		"row 7 that was":        {writes(7, true), deletes(row(7))},
		"row 1":                 {writes(1, true)},
		"row 7":                 {writes(7, true)},
		"idx 0":                 {writes(0, true)},
		"idx 0, row 1 that was": {writes(1, true), deletes(row(1)), writes(0, true)},
	}
	for name, pair := range map[string]struct {
		op   step
		from []string
	}{
		"set of row 7":      {writes(7, true), []string{"no key", "row 1 that was", "row 7 that was", "row 1", "row 7", "idx 0", "idx 0, row 1 that was"}},
		"insert of row 7":   {inserts(7), []string{"row 7 that was", "row 1"}},
		"draft of row 7":    {writes(7, false), []string{"row 1 that was", "row 7"}},
		"set of idx 0":      {writes(0, true), []string{"row 1 that was", "row 1"}},
		"delete of row 7":   {deletes(row(7)), []string{"row 7", "row 1"}},
		"delete of the key": {deletes(nil), []string{"row 7", "row 1 that was"}},
	} {
		for _, from := range pair.from[:storagetest.Sample(len(pair.from), 1)] {
			t.Run(name+" on "+from, func(t *testing.T) {
				r := newRig(t)
				n := &interleaving{t: t, rig: r, before: states[from], ops: [2]step{pair.op, deletes(nil)}}
				if runs := n.all(); runs < 2 {
					t.Fatalf("%d orders were tried", runs)
				}
			})
		}
	}
}

// interleaving runs two operations again and again, until their requests have
// arrived in every order.
type interleaving struct {
	t      *testing.T
	rig    *rig
	before []step
	ops    [2]step
}

// all runs all orders and returns how many there are. An order is a list of
// choices: one for each time at which both operations could make a request. true
// means the second operation.
func (n *interleaving) all() (runs int) {
	var prefix []bool
	for {
		chosen := n.run(prefix)
		runs++
		last := len(chosen) - 1
		for last >= 0 && chosen[last] {
			last--
		}
		if last < 0 {
			return runs
		}
		prefix = append(slices.Clone(chosen[:last]), true)
	}
}

// run runs both operations in the order that begins with prefix, and checks the
// results.
func (n *interleaving) run(prefix []bool) (chosen []bool) {
	n.t.Helper()
	n.empty()
	var past []change.Author
	for _, op := range n.before {
		a := n.rig.author()
		a.At = a.At.Add(-longAgo)
		past = append(past, a)
		op(n.t, n.rig, a)
	}
	changes := &storagetest.Changes{Table: n.rig.env.Table("KvTable"), At: time.Now()}
	trail := n.records(changes)
	authors := [2]change.Author{n.rig.author(), n.rig.author()}
	var actors [2]*actor
	for i := range actors {
		actors[i] = n.begin(n.ops[i], authors[i])
	}
	for actors[0].waits || actors[1].waits {
		second := !actors[0].waits
		if actors[0].waits && actors[1].waits {
			second = len(chosen) < len(prefix) && prefix[len(chosen)]
			chosen = append(chosen, second)
		}
		if second {
			actors[1].request()
		} else {
			actors[0].request()
		}
		trail = append(trail, n.records(changes)...)
	}
	answers := [2]string{actors[0].answer, actors[1].answer}
	n.explain(past, authors, answers, chosen)
	n.replay(trail, authors, answers, chosen)
	return chosen
}

// actor is an operation whose requests wait for their turn.
type actor struct {
	turn, arrived chan struct{}
	ended         chan string
	waits         bool // whether it waits to make a request; if not, it has ended
	answer        string
}

func (n *interleaving) begin(op step, author change.Author) *actor {
	a := &actor{turn: make(chan struct{}), arrived: make(chan struct{}), ended: make(chan string, 1)}
	paused := n.rig.failing(&storagetest.Faults{Choose: func(string) storagetest.Fault {
		return storagetest.Fault{Before: func() {
			a.arrived <- struct{}{}
			<-a.turn
		}}
	}})
	go func() { a.ended <- op(n.t, paused, author) }()
	a.wait()
	return a
}

func (a *actor) wait() {
	select {
	case <-a.arrived:
		a.waits = true
	case a.answer = <-a.ended:
		a.waits = false
	}
}

// request lets the actor make its request, and waits for its next request.
func (a *actor) request() {
	a.turn <- struct{}{}
	a.wait()
}

func (n *interleaving) empty() {
	n.t.Helper()
	table := n.rig.env.Table("KvTable")
	out, err := n.rig.env.DynamoDB.Scan(n.t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		n.t.Fatal(err)
	}
	if len(out.Items) == 0 {
		return
	}
	var deletes []types.WriteRequest
	for _, it := range out.Items {
		key := map[string]types.AttributeValue{"pk": it["pk"], "sk": it["sk"]}
		deletes = append(deletes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}})
	}
	done, err := n.rig.env.DynamoDB.BatchWriteItem(n.t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: deletes}})
	if err != nil || len(done.UnprocessedItems) > 0 {
		n.t.Fatalf("empty the table: %v, %d items are left", err, len(done.UnprocessedItems))
	}
}

// records returns the records of the audit trail since the last call.
func (n *interleaving) records(changes *storagetest.Changes) (list []audit.Record) {
	n.t.Helper()
	some, err := changes.Since(n.t.Context(), n.rig.env.DynamoDB)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, c := range some {
		if r, ok := recorded.Record(c); ok {
			list = append(list, r)
		}
	}
	return list
}

// rows returns all rows as text, and the idx of those that are committed.
func rows(t *testing.T, s target) (text string, committed []int) {
	t.Helper()
	page, _, err := s.Iterate(t.Context(), kv.Caller{Installation: everywhere}, kv.Range{Inclusive: true, Drafts: true, WithData: true, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page {
		text += fmt.Sprintf("; %d is version %d of %s, committed %t", r.Idx, r.Version, r.Data, r.Committed)
		if r.Committed {
			committed = append(committed, r.Idx)
		}
	}
	return text, committed
}

// explain looks for an order in which the sequential model returns the same results
// and ends with the same rows.
func (n *interleaving) explain(past []change.Author, authors [2]change.Author, answers [2]string, chosen []bool) {
	n.t.Helper()
	left, _ := rows(n.t, n.rig)
	got := fmt.Sprintf("%q%s", answers, left)
	var wanted []string
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		m := &kvmodel.Model{}
		for i, op := range n.before {
			op(n.t, m, past[i])
		}
		var want [2]string
		for _, i := range order {
			want[i] = n.ops[i](n.t, m, authors[i])
		}
		left, _ := rows(n.t, m)
		wanted = append(wanted, fmt.Sprintf("%q%s", want, left))
	}
	// If two deletes at the same time both found a row, both may report it
	// (docs/data-model.md).
	twice := answers == [2]string{"true", "true"} && left == ""
	if !slices.Contains(wanted, got) && !twice {
		n.t.Errorf("order %v\n got %s\nwant %s", chosen, got, strings.Join(wanted, "\n  or "))
	}
}

// replay checks the audit trail. It must have one record for each result that
// reports a change, no other records, and it must end with the rows that exist.
func (n *interleaving) replay(trail []audit.Record, authors [2]change.Author, answers [2]string, chosen []bool) {
	n.t.Helper()
	there, by, discarded := map[int]bool{}, map[string]int{}, map[string]bool{}
	for _, r := range trail {
		if r.Action == kvitem.DiscardWrite {
			discarded[r.Actor.Request] = true
		}
	}
	for _, r := range trail {
		if r.Actor.ID != change.Server {
			by[r.Actor.Request]++
		}
		switch {
		case discarded[r.Actor.Request]:
		case r.Action == "key.remove" && r.Idx == nil:
			clear(there)
		case r.Action == "key.write":
			there[*r.Idx] = true
		default:
			delete(there, *r.Idx)
		}
	}
	for i, author := range authors {
		changed := answers[i] == "true" || strings.HasPrefix(answers[i], "version")
		got := by[author.Request]
		// The first draft of a row is not recorded, because readers do not see it.
		if !changed && got > 0 || got > 1 || changed && got == 0 && !n.drafts() {
			n.t.Errorf("order %v: %d records of the operation that was answered %q: %+v", chosen, got, answers[i], trail)
		}
	}
	_, committed := rows(n.t, n.rig)
	var told []int
	for idx := -1; idx <= 7; idx++ {
		if there[idx] {
			told = append(told, idx)
		}
	}
	if !slices.Equal(told, committed) {
		n.t.Errorf("order %v: the trail ends with rows %v, there are %v: %+v", chosen, told, committed, trail)
	}
}

// drafts reports whether the first operation leaves a draft if it runs alone.
func (n *interleaving) drafts() bool {
	m := &kvmodel.Model{}
	n.ops[0](n.t, m, n.rig.author())
	text, committed := rows(n.t, m)
	return text != "" && len(committed) == 0
}
