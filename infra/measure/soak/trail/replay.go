package trail

import (
	"github.com/opsplane/opsplane/infra/measure/soak/history"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
)

// replay derives from the trail which rows are committed, and compares that with the rows that
// exist.
func (c *check) replay(records []audit.Record, last []history.Seen) {
	there := map[history.Row]bool{}
	by := map[history.Row]string{} // the request of the last record, by row
	keys := map[string]string{}    // the request of the last removal of a key, by key
	open := map[history.Row]bool{} // rows whose state the trail does not decide
	discarded := map[string]bool{} // writes that were discarded together with their key, by request
	for _, r := range records {
		if r.Action == kvitem.DiscardWrite {
			discarded[r.Actor.Request] = true
		}
	}
	for _, r := range records {
		request := r.Actor.Request
		if r.Kind() != "key" || discarded[request] {
			continue
		}
		if r.Idx == nil && r.Action == "key.remove" {
			keys[r.Subject] = request
			for row := range by {
				if row.Key == r.Subject {
					delete(there, row)
					delete(open, row)
					by[row] = request
				}
			}
			continue
		}
		rows := published(r)
		if r.Idx != nil {
			rows = []int{*r.Idx}
		}
		for _, idx := range rows {
			row := history.Row{Key: r.Subject, Idx: idx}
			by[row] = request
			delete(open, row)
			switch {
			case r.Action == "key.commit" && c.contested(request, row):
				open[row] = true
			case r.Action == "key.write", r.Action == "key.commit":
				there[row] = true
			default:
				delete(there, row)
			}
		}
	}
	if last == nil {
		return
	}
	shown := map[history.Row]bool{}
	for _, s := range last {
		shown[s.Row] = true
		if !there[s.Row] && !open[s.Row] && c.told(by[s.Row]) && c.told(keys[s.Key]) {
			c.fail("%s[%d] is there, and the trail tells of it last that it is not (request %s)", s.Key, s.Idx, by[s.Row])
		}
	}
	for row := range there {
		if !shown[row] && !open[row] && c.told(by[row]) {
			c.fail("%s[%d] is not there, and the trail tells of it last that it is (request %s)", row.Key, row.Idx, by[row])
		}
	}
}

// contested reports whether another operation wrote or removed a row while a commit was under
// way. The commit's record names the row that it chose. If the other operation came between
// choice and publication, the row stays as that operation left it (docs/data-model.md,
// "Contract under concurrency").
func (c *check) contested(commit string, row history.Row) bool {
	o, ok := c.ops[commit]
	for _, other := range c.ops {
		if !changes[other.Call.Action] || other.Call.Key != row.Key || other.Call.Action != history.DeleteKey && other.Call.Idx != row.Idx {
			continue
		}
		over := other.Answer.Outcome != history.Unknown && other.End < o.Start
		if !ok || !over && other.Start < o.End {
			return true
		}
	}
	return false
}

// changes are the actions that write or remove rows.
var changes = map[history.Action]bool{
	history.Set: true, history.CAS: true, history.DeleteRow: true, history.DeleteKey: true, history.Complete: true,
}

// told reports whether the outcome of a request is known to its caller. A request with an
// unknown outcome may have taken effect late, or may have ended halfway.
func (c *check) told(request string) bool {
	return c.ops[request].Answer.Outcome != history.Unknown
}
