package trail

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/audit/change"
)

// Check compares one history with the records of its keys, which are in the order of the
// changes. It returns what does not agree. last holds the committed rows that a reader saw at
// the end, or nil if nobody could read. An operation with an unknown outcome may have a record
// or not.
func Check(ops []history.Operation, records []audit.Record, last []history.Seen) []string {
	c := check{by: map[string][]audit.Record{}, ops: map[string]history.Operation{}, uploads: map[string]*completion{}}
	for _, o := range ops {
		if o.Answer.Request != "" {
			c.ops[o.Answer.Request] = o
		}
	}
	for _, r := range records {
		if r.Kind() != "key" || r.Actor.ID == change.Server {
			continue
		}
		c.by[r.Actor.Request] = append(c.by[r.Actor.Request], r)
		if _, ok := c.ops[r.Actor.Request]; !ok {
			c.fail("no operation made the change of %s", show(r))
		}
	}
	for _, o := range ops {
		c.operation(o)
	}
	for id, u := range c.uploads {
		if u.known && u.records != u.want {
			c.fail("upload %s has %d records, want %d", id, u.records, u.want)
		}
	}
	c.replay(records, last)
	return c.wrong
}

// check is the state of one check.
type check struct {
	by      map[string][]audit.Record // by request
	ops     map[string]history.Operation
	uploads map[string]*completion
	wrong   []string
}

// completion holds the result of all completions of one upload. Any of them may have made the
// row, and the others return the same answer.
type completion struct {
	records, want int
	known         bool
}

func (c *check) fail(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// operation compares one operation with its records.
func (c *check) operation(o history.Operation) {
	records := c.by[o.Answer.Request]
	done := o.Answer.Outcome == history.Done
	if o.Call.Action == history.Complete {
		c.complete(o, records)
		return
	}
	if o.Answer.Outcome == history.Unknown {
		if most := c.most(o); most > 0 && len(records) > most {
			c.fail("%s has %d records: %s", told(o), len(records), showAll(records))
		}
		return
	}
	want := 0
	switch {
	case !done:
	case o.Call.Action == history.Set, o.Call.Action == history.CAS:
		want = written(o)
	case o.Call.Action == history.DeleteRow && o.Answer.Found:
		want = 1
	case o.Call.Action == history.DeleteKey && o.Answer.Found:
		want = 1
		if o.Call.Version != nil {
			want = max(1, len(records)) // one for each row
		}
	case o.Call.Action == history.Commit:
		c.commit(o, records)
		return
	}
	if len(records) != want {
		c.fail("%s has %d records, want %d: %s", told(o), len(records), want, showAll(records))
		return
	}
	for _, r := range records {
		if !c.fits(o, r) {
			c.fail("%s has the record %s", told(o), show(r))
		}
	}
}

// most returns the maximum number of records of an operation, or 0 if there is no maximum.
func (c *check) most(o history.Operation) int {
	if o.Call.Action == history.Commit || o.Call.Action == history.DeleteKey {
		return 0
	}
	return 1
}

// written returns how many records an acknowledged write has. The first draft of a row has
// none, because readers cannot see it.
func written(o history.Operation) int {
	if !o.Call.Committed && o.Answer.Version == 0 {
		return 0
	}
	return 1
}

// fits reports whether a record describes the change that an operation made.
func (c *check) fits(o history.Operation, r audit.Record) bool {
	if r.Subject != o.Call.Key {
		return false
	}
	switch o.Call.Action {
	case history.DeleteKey:
		return r.Action == "key.remove" && (o.Call.Version == nil || r.Idx != nil)
	case history.DeleteRow:
		return r.Action == "key.remove" && r.Idx != nil && *r.Idx == o.Call.Idx
	}
	action := map[bool]string{true: "key.write", false: "key.draft"}[o.Call.Committed]
	return r.Action == action && r.Idx != nil && *r.Idx == o.Call.Idx && fmt.Sprint(r.After["version"]) == fmt.Sprint(o.Answer.Version)
}

// complete counts the records of an upload's completions.
func (c *check) complete(o history.Operation, records []audit.Record) {
	u := c.uploads[o.Call.Upload.ID]
	if u == nil {
		u = &completion{}
		c.uploads[o.Call.Upload.ID] = u
	}
	u.records += len(records)
	switch o.Answer.Outcome {
	case history.Done:
		u.known, u.want = true, written(o)
		for _, r := range records {
			if !c.fits(o, r) {
				c.fail("%s has the record %s", told(o), show(r))
			}
		}
	case history.Unknown:
	default:
		if len(records) > 0 {
			c.fail("%s has records: %s", told(o), showAll(records))
		}
	}
}

// commit compares a commit with its records. There is one record for each key, with the rows
// that the answer has.
func (c *check) commit(o history.Operation, records []audit.Record) {
	want := map[string][]int{}
	for _, r := range o.Answer.Rows {
		want[r.Key] = append(want[r.Key], r.Idx)
	}
	got := map[string][]int{}
	for _, r := range records {
		if _, twice := got[r.Subject]; twice || r.Action != "key.commit" {
			c.fail("%s has the record %s", told(o), show(r))
		}
		got[r.Subject] = published(r)
	}
	for key, rows := range want {
		slices.Sort(rows)
		if !slices.Equal(rows, got[key]) {
			c.fail("%s of %s answers rows %v, its record has %v", told(o), key, rows, got[key])
		}
	}
	if len(got) > len(want) {
		c.fail("%s has %d records, want %d: %s", told(o), len(got), len(want), showAll(records))
	}
}

// published returns the rows that a commit's record names, in ascending order.
func published(r audit.Record) (rows []int) {
	spans, _ := r.After["rows"].([]any)
	for _, s := range spans {
		span, _ := s.([]any)
		first, _ := span[0].(int)
		last, _ := span[1].(int)
		for idx := first; idx <= last; idx++ {
			rows = append(rows, idx)
		}
	}
	slices.Sort(rows)
	return rows
}

func told(o history.Operation) string {
	return fmt.Sprintf("%s %s[%d], answered %s %t v%d (%s),", o.Call.Action, o.Call.Key, o.Call.Idx, o.Answer.Outcome, o.Answer.Found, o.Answer.Version, o.Answer.Request)
}

func show(r audit.Record) string {
	idx := ""
	if r.Idx != nil {
		idx = fmt.Sprintf("[%d]", *r.Idx)
	}
	return fmt.Sprintf("%s %s%s by %s, request %s, after %v", r.Action, r.Subject, idx, r.Actor.ID, r.Actor.Request, r.After)
}

func showAll(records []audit.Record) string {
	texts := make([]string, len(records))
	for i, r := range records {
		texts[i] = show(r)
	}
	return strings.Join(texts, "; ")
}
