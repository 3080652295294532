package model

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// Never is the end of an operation whose outcome is unknown: it may take effect at any time.
const Never = math.MaxInt64 / 2

// group is a set of keys and the operations on them. The keys must be checked together, because
// some commit named more than one of them.
type group struct {
	rows  []history.Row // sorted by key and idx. A row's place is its index
	files []string      // uploads. An upload's place is its index
	ops   []history.Operation
	steps []porcupine.Operation
	// writers lists, for each row, the operations that may change it.
	writers [][]int
}

// place returns the place of a row, or -1 if no operation named it.
func (g *group) place(r history.Row) int {
	at, ok := slices.BinarySearchFunc(g.rows, r, compareRows)
	if !ok {
		return -1
	}
	return at
}

func compareRows(a, b history.Row) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Idx, b.Idx))
}

// of returns the places of a key's rows.
func (g *group) of(key string) []int {
	var places []int
	for i, r := range g.rows {
		if r.Key == key {
			places = append(places, i)
		}
	}
	return places
}

// add appends the steps of one operation. All have the interval of the operation.
func (g *group) add(o *history.Operation, steps ...step) {
	op := len(g.steps)
	for bit := range steps {
		p := &steps[bit]
		p.op, p.call, p.answer, p.bit, p.steps = op, o.Call, o.Answer, bit, len(steps)
		g.steps = append(g.steps, porcupine.Operation{ClientId: o.Client, Input: p, Call: o.Start, Return: o.End})
	}
}

// split splits operations into steps.
func (g *group) split() {
	g.writers = make([][]int, len(g.rows))
	for i := range g.ops {
		for _, row := range g.changes(&g.ops[i]) {
			g.writers[row] = append(g.writers[row], i)
		}
	}
	for i := range g.ops {
		g.splitOne(i)
	}
}

// changes lists the rows that an operation may change.
func (g *group) changes(o *history.Operation) []int {
	if o.Answer.Outcome == history.Refused || foundNone(o) {
		return nil
	}
	switch o.Call.Action {
	case history.Set, history.CAS, history.DeleteRow, history.Complete:
		return []int{g.place(o.Call.Row)}
	case history.DeleteKey:
		return g.of(o.Call.Key)
	case history.Commit:
		return g.named(o)
	}
	return nil
}

// contested reports whether another operation may change a row while operation i is under way.
// If none may, it does not matter at which moment operation i looks at the row. Then that
// moment is left out, because fewer steps reduce the search.
func (g *group) contested(row, i int) bool {
	return slices.ContainsFunc(g.writers[row], func(w int) bool {
		return w != i && g.ops[w].Start <= g.ops[i].End && g.ops[i].Start <= g.ops[w].End
	})
}

// quiet divides rows into those that may be looked at in any moment, and the contested ones.
func (g *group) quiet(rows []int, i int) (quiet, contested []int) {
	for _, row := range rows {
		if g.contested(row, i) {
			contested = append(contested, row)
		} else {
			quiet = append(quiet, row)
		}
	}
	return quiet, contested
}

func (g *group) splitOne(i int) {
	o := &g.ops[i]
	c := o.Call
	row := g.place(c.Row)
	one := func(do func(*state, *step) *state) {
		g.add(o, step{name: string(c.Action), row: row, do: do, read: g.read(o), file: slices.Index(g.files, fileID(o))})
	}
	switch c.Action {
	case history.Set, history.CAS:
		one(write)
	case history.Get, history.Open:
		one(get)
	case history.SizeRow:
		one(sizeRow)
	case history.DeleteRow:
		one(deleteRow)
	case history.DeleteKey:
		g.splitDelete(i)
	case history.Commit:
		g.splitCommit(i)
	case history.Count, history.Size:
		g.splitRead(i, c.Key, g.of(c.Key))
	case history.Iterate:
		for _, key := range g.keys() {
			if strings.HasPrefix(key, c.Key) {
				g.splitRead(i, key, g.covered(o, key))
			}
		}
	case history.Create:
		one(create)
	case history.Put:
		one(send)
	case history.Complete:
		one(complete)
	case history.Abort:
		one(abort)
	}
}

func fileID(o *history.Operation) string {
	if o.Call.Action == history.Create {
		return o.Answer.Upload.ID
	}
	return o.Call.Upload.ID
}

// read returns the rows that an operation was shown, by place.
func (g *group) read(o *history.Operation) map[int]history.Seen {
	read := map[int]history.Seen{}
	for _, r := range o.Answer.Rows {
		if row := g.place(r.Row); row >= 0 {
			read[row] = r
		}
	}
	return read
}

// splitDelete splits the delete of a key.
func (g *group) splitDelete(i int) {
	o := &g.ops[i]
	all := g.of(o.Call.Key)
	var steps []step
	if o.Call.Version != nil {
		for _, row := range all {
			steps = append(steps, step{name: "drop", row: row, do: drop})
		}
		g.add(o, steps...)
		return
	}
	if foundNone(o) {
		g.add(o, step{name: "none", row: -1, all: all, do: none})
		return
	}
	quiet, contested := g.quiet(all, i)
	for _, row := range contested {
		switch {
		case g.rows[row].Idx == 0:
			quiet = append(quiet, row) // the delete removes exactly the revision of this row that it saw
		case o.Answer.Outcome != history.Unknown:
			steps = append(steps, step{name: "look", row: row, do: look})
		}
	}
	g.add(o, append(steps, step{name: "remove", row: -1, rows: quiet, all: all, do: remove})...)
}

// foundNone reports whether an operation is a delete of a whole key that removed nothing.
func foundNone(o *history.Operation) bool {
	return o.Call.Action == history.DeleteKey && o.Call.Version == nil && o.Answer.Outcome == history.Done && !o.Answer.Found
}

// named lists the rows that a commit names.
func (g *group) named(o *history.Operation) []int {
	var rows []int
	for _, t := range o.Call.Targets {
		if t.Idx == nil {
			rows = append(rows, g.of(t.Key)...)
		} else {
			rows = append(rows, g.place(history.Row{Key: t.Key, Idx: *t.Idx}))
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// splitCommit splits a commit into the choice of the rows that it names, and the publication.
func (g *group) splitCommit(i int) {
	o := &g.ops[i]
	var chosen []int
	for _, r := range o.Answer.Rows {
		chosen = append(chosen, g.place(r.Row))
	}
	quiet, contested := g.quiet(g.named(o), i)
	if o.Answer.Outcome == history.Done && len(chosen) == 0 {
		g.add(o, step{name: "choose", row: -1, rows: quiet, do: settled})
		for _, row := range contested {
			g.add(o, step{name: "choose", row: -1, rows: []int{row}, do: settled})
		}
		return
	}
	var steps []step
	for _, row := range contested {
		steps = append(steps, step{name: "choose", row: -1, rows: []int{row}, all: chosen, do: choose})
	}
	g.add(o, append(steps, step{name: "publish", row: -1, rows: quiet, all: chosen, do: publish})...)
}

// splitRead splits a read of several rows of a key.
func (g *group) splitRead(i int, key string, rows []int) {
	if len(rows) == 0 {
		return
	}
	o := &g.ops[i]
	shown, last := g.read(o), g.place(history.Row{Key: key, Idx: o.Answer.Max})
	quiet, contested := g.quiet(rows, i)
	var others []step
	for _, row := range contested {
		if g.rows[row].Idx == 0 {
			quiet = append(quiet, row) // this row is in the head
			continue
		}
		others = append(others, step{name: "visit", row: -1, rows: []int{row}, read: shown, last: last, do: visit})
	}
	g.add(o, append([]step{{name: "enter", row: -1, rows: quiet, all: rows, read: shown, last: last, do: enter}}, others...)...)
}

// covered lists the rows of a key that a page of an iteration covers.
func (g *group) covered(o *history.Operation, key string) []int {
	return slices.DeleteFunc(g.of(key), func(row int) bool {
		r := g.rows[row]
		after, next := o.Call.After, o.Answer.Next
		return after != nil && compareRows(r, *after) <= 0 || next != nil && compareRows(r, *next) > 0
	})
}

func (g *group) keys() []string {
	var keys []string
	for _, r := range g.rows {
		keys = append(keys, r.Key)
	}
	return slices.Compact(keys)
}
