package model_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/infra/measure/soak/model"
)

// said returns one operation of a history made by hand. from and to are its start and end.
func said(client int, from, to int64, c history.Call, a history.Answer) history.Operation {
	if a.Outcome == "" {
		a.Outcome = history.Done
	}
	return history.Operation{Client: client, Call: c, Answer: a, Start: from, End: to}
}

var (
	a    = history.Row{Key: "a"}
	a1   = history.Row{Key: "a", Idx: 1}
	a2   = history.Row{Key: "a", Idx: 2}
	none = history.Answer{Outcome: history.Refused}
	lost = history.Answer{Outcome: history.Unknown}
)

func set(r history.Row, value int) history.Call {
	return history.Call{Action: history.Set, Row: r, Value: value, Committed: true}
}

func draft(r history.Row, value int) history.Call {
	return history.Call{Action: history.Set, Row: r, Value: value}
}

func cas(r history.Row, value, version int) history.Call {
	return history.Call{Action: history.CAS, Row: r, Value: value, Version: &version, Committed: true}
}

func get(r history.Row) history.Call { return history.Call{Action: history.Get, Row: r} }

func deleteRow(r history.Row) history.Call { return history.Call{Action: history.DeleteRow, Row: r} }

func made(version int) history.Answer { return history.Answer{Version: version} }

func saw(r history.Row, value, version int) history.Answer {
	return history.Answer{Rows: []history.Seen{{Row: r, Version: version, Committed: true, Value: value}}}
}

func chose(rows ...history.Seen) history.Answer { return history.Answer{Rows: rows} }

func committed(r history.Row, value, version int) history.Seen {
	return history.Seen{Row: r, Value: value, Version: version, Committed: true}
}

var (
	commit    = history.Call{Action: history.Commit, Row: a, Targets: []history.Target{{Key: "a"}}}
	deleteKey = history.Call{Action: history.DeleteKey, Row: a}
	found     = history.Answer{Found: true}
	count     = history.Call{Action: history.Count, Row: a}
)

// step returns the call of one step of an upload of file 1 to row a.
func step(action history.Action) history.Call {
	return history.Call{Action: action, Row: a, Value: history.FileNumber(1), Committed: true, Upload: history.Upload{ID: "u"}}
}

var file = history.FileNumber(1)

var histories = map[string]struct {
	kept bool
	ops  []history.Operation
}{
	"a write is read": {true, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(1, 2, 3, get(a), saw(a, 1, 0)),
	}},
	"a read beside a write sees it or not": {true, []history.Operation{
		said(0, 0, 9, set(a, 1), made(0)), said(1, 1, 2, get(a), none), said(1, 3, 4, get(a), saw(a, 1, 0)),
	}},
	"a read beside a write, and then the old again": {false, []history.Operation{
		said(0, 0, 9, set(a, 1), made(0)), said(1, 1, 2, get(a), saw(a, 1, 0)), said(1, 3, 4, get(a), none),
	}},
	"stale read": {false, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 3, set(a, 2), made(1)), said(1, 4, 5, get(a), saw(a, 1, 0)),
	}},
	"one of two comparisons wins": {true, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 9, cas(a, 2, 0), made(1)), said(1, 2, 9, cas(a, 3, 0), none),
	}},
	"lost update: both win": {false, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 9, cas(a, 2, 0), made(1)), said(1, 2, 9, cas(a, 3, 0), made(1)),
	}},
	"a comparison is refused for nothing": {false, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 3, cas(a, 2, 0), none),
	}},
	"double apply: a version is left out": {false, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 3, set(a, 2), made(2)),
	}},
	"an unknown write never happened": {true, []history.Operation{
		said(0, 0, 1, set(a, 1), lost), said(1, 2, 3, get(a), none),
	}},
	"an unknown write happens late": {true, []history.Operation{
		said(0, 0, 1, set(a, 1), lost), said(1, 2, 3, get(a), none), said(1, 4, 5, get(a), saw(a, 1, 0)),
	}},
	"an unknown write happens twice": {false, []history.Operation{
		said(0, 0, 1, set(a, 1), lost), said(1, 2, 3, get(a), saw(a, 1, 0)), said(1, 4, 5, set(a, 2), made(1)), said(1, 6, 7, get(a), saw(a, 1, 2)),
	}},
	"a draft shows when it is committed": {true, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(1, 2, 3, get(a), none), said(0, 4, 5, commit, chose(committed(a, 1, 0))), said(1, 6, 7, get(a), saw(a, 1, 0)),
	}},
	"a draft shows before": {false, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(1, 2, 3, get(a), saw(a, 1, 0)),
	}},
	"a commit says what it did not do": {false, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(0, 4, 5, commit, chose(committed(a, 1, 0))), said(1, 6, 7, get(a), none),
	}},
	"a commit leaves out what was there": {false, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(0, 2, 3, draft(a1, 2), made(0)), said(0, 4, 5, commit, chose(committed(a, 1, 0))),
	}},
	"half commit: a reader sees one row and then not the other": {false, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(0, 2, 3, draft(a1, 2), made(0)),
		said(0, 4, 19, commit, chose(committed(a, 1, 0), committed(a1, 2, 0))),
		said(1, 5, 6, get(a), saw(a, 1, 0)), said(1, 7, 8, get(a1), none),
	}},
	"half commit: a count sees one of two": {false, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(0, 2, 3, draft(a1, 2), made(0)),
		said(0, 4, 19, commit, chose(committed(a, 1, 0), committed(a1, 2, 0))),
		said(1, 5, 6, count, history.Answer{Count: 1, Max: 0}),
	}},
	"a row rewritten during the commit stays a draft": {true, []history.Operation{
		said(0, 0, 1, draft(a, 1), made(0)), said(0, 4, 9, commit, chose(committed(a, 1, 0))), said(1, 5, 8, draft(a, 2), made(1)), said(1, 10, 11, get(a), none),
	}},
	"a key is deleted with all its rows": {true, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 3, set(a1, 2), made(0)), said(0, 4, 5, deleteKey, found), said(1, 6, 7, get(a1), none),
	}},
	"resurrected chunk": {false, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 2, 3, set(a1, 2), made(0)), said(0, 4, 5, deleteKey, found), said(1, 6, 7, get(a1), saw(a1, 2, 0)),
	}},
	"a delete finds nothing beside a write that stays": {true, []history.Operation{
		said(0, 0, 1, set(a1, 1), made(0)), said(0, 2, 3, deleteRow(a1), found), said(0, 4, 9, deleteKey, history.Answer{}),
		said(1, 5, 8, set(a2, 2), made(0)), said(1, 10, 11, get(a2), saw(a2, 2, 0)),
	}},
	"lost write: a delete finds nothing and takes the row": {false, []history.Operation{
		said(0, 0, 1, set(a1, 1), made(0)), said(0, 2, 3, deleteRow(a1), found), said(0, 4, 9, deleteKey, history.Answer{}),
		said(1, 5, 8, set(a2, 2), made(0)), said(1, 10, 11, get(a2), none),
	}},
	"a delete finds a row beside it and takes it": {true, []history.Operation{
		said(0, 0, 1, set(a1, 1), made(0)), said(0, 2, 3, deleteRow(a1), found), said(0, 4, 9, deleteKey, found),
		said(1, 5, 8, set(a2, 2), made(0)), said(1, 10, 11, get(a2), none),
	}},
	"a delete finds nothing while one row goes and another comes": {true, []history.Operation{
		said(0, 0, 1, set(a1, 1), made(0)), said(0, 4, 19, deleteKey, history.Answer{}),
		said(1, 5, 6, deleteRow(a1), found), said(1, 7, 8, set(a2, 2), made(0)),
	}},
	"a delete finds nothing although there always was a row": {false, []history.Operation{
		said(0, 0, 1, set(a1, 1), made(0)), said(0, 4, 19, deleteKey, history.Answer{}),
		said(1, 5, 6, set(a2, 2), made(0)), said(1, 7, 8, deleteRow(a1), found),
	}},
	"of two deletes at once both found the row": {true, []history.Operation{
		said(0, 0, 1, set(a1, 1), made(0)), said(0, 4, 9, deleteKey, found), said(1, 5, 8, deleteRow(a1), found),
	}},
	"versions begin anew after a delete": {true, []history.Operation{
		said(0, 0, 1, set(a, 1), made(0)), said(0, 4, 5, deleteKey, found), said(1, 6, 7, set(a, 2), made(0)),
	}},
	"an artifact shows when it is completed": {true, []history.Operation{
		said(0, 0, 1, step(history.Create), history.Answer{Upload: history.Upload{ID: "u"}}), said(1, 2, 3, get(a), none),
		said(0, 4, 5, step(history.Put), history.Answer{}), said(0, 6, 7, step(history.Complete), made(0)),
		said(0, 8, 9, step(history.Complete), made(0)), said(1, 10, 11, get(a), saw(a, file, 0)),
	}},
	"an artifact shows before": {false, []history.Operation{
		said(0, 0, 1, step(history.Create), history.Answer{Upload: history.Upload{ID: "u"}}),
		said(0, 4, 5, step(history.Put), history.Answer{}), said(1, 6, 7, get(a), saw(a, file, 0)), said(0, 8, 9, step(history.Complete), made(0)),
	}},
	"an artifact is completed without its bytes": {false, []history.Operation{
		said(0, 0, 1, step(history.Create), history.Answer{Upload: history.Upload{ID: "u"}}), said(0, 8, 9, step(history.Complete), made(0)),
	}},
	"an artifact is completed twice": {false, []history.Operation{
		said(0, 0, 1, step(history.Create), history.Answer{Upload: history.Upload{ID: "u"}}), said(0, 2, 3, step(history.Put), history.Answer{}),
		said(0, 4, 5, step(history.Complete), made(0)), said(0, 6, 7, step(history.Complete), made(1)),
	}},
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, h := range histories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := model.Broken
			if h.kept {
				want = model.Kept
			}
			if got := model.Check(h.ops, time.Minute); got.Verdict != want {
				t.Errorf("got %s (%s), want %s", got.Verdict, got.Reason, want)
			}
		})
	}
}

func TestImpossibleAnswerNeedsNoSearch(t *testing.T) {
	t.Parallel()
	ops := []history.Operation{said(0, 0, 1, get(a), history.Answer{Outcome: history.Impossible, Note: "a value that nobody wrote"})}
	if got := model.Check(ops, time.Minute); got.Verdict != model.Broken || got.Reason == "" {
		t.Errorf("got %s (%s)", got.Verdict, got.Reason)
	}
}

func TestCheckThatTakesTooLongDecidesNothing(t *testing.T) {
	t.Parallel()
	// Twelve writes at the same time, and reads that no order explains.
	var ops []history.Operation
	for n := range 12 {
		ops = append(ops, said(n, 0, 99, set(a, n+1), made(11-n/2)))
	}
	if got := model.Check(ops, time.Microsecond); got.Verdict == model.Kept {
		t.Errorf("got %s", got.Verdict)
	}
}
