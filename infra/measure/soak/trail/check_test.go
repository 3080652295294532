package trail_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/infra/measure/soak/trail"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
)

// did returns an operation on key "a" that a request made.
func did(request string, action history.Action, idx int, a history.Answer) history.Operation {
	if a.Outcome == "" {
		a.Outcome = history.Done
	}
	a.Request = request
	return history.Operation{Call: history.Call{Action: action, Row: history.Row{Key: "a", Idx: idx}, Committed: true}, Answer: a}
}

// during sets the start and the end of an operation.
func during(from, to int64, o history.Operation) history.Operation {
	o.Start, o.End = from, to
	return o
}

// told returns an audit record of a change that a request made.
func told(request, action string, idx *int, after map[string]any) audit.Record {
	return audit.Record{Action: action, Subject: "a", Idx: idx, After: after, Actor: audit.Actor{ID: "soak", Request: request}}
}

func at(idx int) *int { return &idx }

func version(n int) map[string]any { return map[string]any{"version": int64(n)} }

func rows(spans ...any) map[string]any { return map[string]any{"rows": spans} }

func by(actor string, r audit.Record) audit.Record {
	r.Actor.ID = actor
	return r
}

func seen(idx ...int) []history.Seen {
	list := []history.Seen{}
	for _, i := range idx {
		list = append(list, history.Seen{Row: history.Row{Key: "a", Idx: i}, Committed: true})
	}
	return list
}

var (
	found     = history.Answer{Found: true}
	refused   = history.Answer{Outcome: history.Refused}
	unknown   = history.Answer{Outcome: history.Unknown}
	set7      = did("w", history.Set, 7, history.Answer{})
	wrote7    = told("w", "key.write", at(7), version(0))
	removed   = told("d", "key.remove", nil, nil)
	discarded = by(change.Server, told("w", kvitem.DiscardWrite, at(7), nil))
	draft7    = history.Operation{Call: history.Call{Action: history.Set, Row: history.Row{Key: "a", Idx: 7}}, Answer: history.Answer{Outcome: history.Done, Request: "w"}}
	commit    = did("c", history.Commit, 0, history.Answer{Rows: []history.Seen{{Row: history.Row{Key: "a", Idx: 7}}}})
)

var cases = map[string]struct {
	agree   bool
	ops     []history.Operation
	records []audit.Record
	last    []history.Seen
}{
	"a write and its record":         {true, []history.Operation{set7}, []audit.Record{wrote7}, seen(7)},
	"a write without a record":       {false, []history.Operation{set7}, nil, seen(7)},
	"a write with two records":       {false, []history.Operation{set7}, []audit.Record{wrote7, wrote7}, seen(7)},
	"a record of another version":    {false, []history.Operation{set7}, []audit.Record{told("w", "key.write", at(7), version(3))}, seen(7)},
	"a record of another row":        {false, []history.Operation{set7}, []audit.Record{told("w", "key.write", at(1), version(0))}, nil},
	"a record that nobody made":      {false, nil, []audit.Record{wrote7}, nil},
	"a refused write with a record":  {false, []history.Operation{did("w", history.CAS, 7, refused)}, []audit.Record{wrote7}, nil},
	"an unknown write, recorded":     {true, []history.Operation{did("w", history.Set, 7, unknown)}, []audit.Record{wrote7}, seen(7)},
	"an unknown write, not made":     {true, []history.Operation{did("w", history.Set, 7, unknown)}, nil, seen()},
	"an unknown write, made twice":   {false, []history.Operation{did("w", history.Set, 7, unknown)}, []audit.Record{wrote7, wrote7}, nil},
	"a first draft has no record":    {true, []history.Operation{draft7}, nil, seen()},
	"a removal of a row":             {true, []history.Operation{set7, did("d", history.DeleteRow, 7, found)}, []audit.Record{wrote7, told("d", "key.remove", at(7), nil)}, seen()},
	"a removal of nothing, recorded": {false, []history.Operation{did("d", history.DeleteKey, 0, history.Answer{})}, []audit.Record{removed}, seen()},
	"a removal without a record":     {false, []history.Operation{set7, did("d", history.DeleteKey, 0, found)}, []audit.Record{wrote7}, nil},
	"a write, and then its key goes": {true, []history.Operation{set7, did("d", history.DeleteKey, 0, found)}, []audit.Record{wrote7, removed}, seen()},
	"the trail ends with a write of a row that is gone": {
		false,
		[]history.Operation{set7, did("d", history.DeleteKey, 0, found)},
		[]audit.Record{removed, wrote7},
		seen(),
	},
	"and says elsewhere that the write was discarded": {
		true,
		[]history.Operation{set7, did("d", history.DeleteKey, 0, found)},
		[]audit.Record{removed, wrote7, discarded},
		seen(),
	},
	"a write is discarded, and told of behind another": {
		true,
		[]history.Operation{set7, did("d", history.DeleteKey, 0, found), did("x", history.Set, 7, history.Answer{})},
		[]audit.Record{removed, told("x", "key.write", at(7), version(0)), wrote7, discarded},
		seen(7),
	},
	"a write is discarded, and the one behind it is gone too": {
		false,
		[]history.Operation{set7, did("d", history.DeleteKey, 0, found), did("x", history.Set, 7, history.Answer{})},
		[]audit.Record{removed, told("x", "key.write", at(7), version(0)), wrote7, discarded},
		seen(),
	},
	"the trail ends with a removal of a row that is there": {
		false,
		[]history.Operation{set7, did("d", history.DeleteKey, 0, found)},
		[]audit.Record{wrote7, removed},
		seen(7),
	},
	"a commit and its record": {true, []history.Operation{draft7, commit}, []audit.Record{told("c", "key.commit", nil, rows([]any{7, 7}))}, seen(7)},
	"a commit of a row that goes meanwhile": {
		true,
		[]history.Operation{during(0, 1, draft7), during(2, 9, commit), during(3, 8, did("d", history.DeleteRow, 7, found))},
		[]audit.Record{told("d", "key.remove", at(7), nil), told("c", "key.commit", nil, rows([]any{7, 7}))},
		seen(),
	},
	"a commit of a row that is gone before": {
		false,
		[]history.Operation{during(0, 1, draft7), during(2, 3, did("d", history.DeleteRow, 7, found)), during(4, 9, commit)},
		[]audit.Record{told("d", "key.remove", at(7), nil), told("c", "key.commit", nil, rows([]any{7, 7}))},
		seen(),
	},
	"a commit with more rows":           {false, []history.Operation{draft7, commit}, []audit.Record{told("c", "key.commit", nil, rows([]any{6, 7}))}, nil},
	"a commit without a record":         {false, []history.Operation{draft7, commit}, nil, nil},
	"a commit that changed nothing":     {true, []history.Operation{did("c", history.Commit, 0, history.Answer{})}, nil, seen()},
	"a commit of nothing, recorded":     {false, []history.Operation{did("c", history.Commit, 0, history.Answer{})}, []audit.Record{told("c", "key.commit", nil, rows([]any{7, 7}))}, nil},
	"an upload is completed, and again": {true, []history.Operation{did("w", history.Complete, 7, history.Answer{}), did("x", history.Complete, 7, history.Answer{})}, []audit.Record{wrote7}, seen(7)},
	"an upload becomes two rows": {
		false,
		[]history.Operation{did("w", history.Complete, 7, history.Answer{}), did("x", history.Complete, 7, history.Answer{})},
		[]audit.Record{wrote7, told("x", "key.write", at(7), version(0))},
		seen(7),
	},
}

func TestHistoryAndTrailAgree(t *testing.T) {
	t.Parallel()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := trail.Check(c.ops, c.records, c.last)
			if (len(wrong) == 0) != c.agree {
				t.Errorf("agree = %t, want %t: %v", len(wrong) == 0, c.agree, wrong)
			}
		})
	}
}
