package trail

import (
	"github.com/opsplane/opsplane/infra/soak/history"
	"github.com/opsplane/opsplane/shared/audit"
)

// replay goes through the trail as somebody would who wants to know from it
// which rows are committed, and compares that with what is there.
func (c *check) replay(records []audit.Record, last []history.Seen) {
	there := map[history.Row]bool{}
	by := map[history.Row]string{} // whose record was last
	keys := map[string]string{}    // likewise, of removals of keys
	for _, r := range records {
		if r.Kind() != "key" {
			continue
		}
		request := r.Actor.Request
		if r.Idx == nil && r.Action == "key.remove" {
			keys[r.Subject] = request
			for row := range there {
				if row.Key == r.Subject {
					delete(there, row)
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
			if r.Action == "key.write" || r.Action == "key.commit" {
				there[row] = true
			} else {
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
		if !there[s.Row] && c.told(by[s.Row]) && c.told(keys[s.Key]) {
			c.fail("%s[%d] is there, and the trail tells of it last that it is not (request %s)", s.Key, s.Idx, by[s.Row])
		}
	}
	for row := range there {
		if !shown[row] && c.told(by[row]) {
			c.fail("%s[%d] is not there, and the trail tells of it last that it is (request %s)", row.Key, row.Idx, by[row])
		}
	}
}

// told reports whether a request's caller knows what became of it. Another may
// have taken effect late, or never come to its end.
func (c *check) told(request string) bool {
	return c.ops[request].Answer.Outcome != history.Unknown
}
