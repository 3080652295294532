package runindex

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// MaxLast is the largest number of writes that Last returns.
const MaxLast = 11

// space is a workspace of a directory, with the position of the dirspace among those
// of its run.
type space struct {
	Workspace string
	Position  int
}

// Early returns the rows that are written before a run is visible: those of its
// directories. There may be thousands. The run has all its dirspaces.
func Early(r run.Run) []attr.Item {
	spaces, above := map[string][]space{}, map[string]struct{}{}
	for position, d := range r.Dirspaces {
		spaces[d.Dir] = append(spaces[d.Dir], space{d.Workspace, position})
		for _, name := range d.Ancestors() {
			above[name] = struct{}{}
		}
	}
	facts := facts(&r)
	var items []attr.Item
	add := func(w walk) attr.Item {
		item := row(w, &r, facts)
		items = append(items, item)
		return item
	}
	for name, list := range spaces {
		text, _ := json.Marshal(list) // of texts and numbers
		add(walk{dir, name})["spaces"] = attr.Bytes(text)
	}
	for name := range above {
		add(walk{below, name})
	}
	return items
}

// lasting returns the partitions of the rows that a run has from its last
// transaction of the creation on, as long as it exists.
func lasting(r *run.Run) []walk {
	walks := []walk{{all, ""}, {repo, r.Name}, {branch, r.Source.Branch}, {kind, string(r.Kind.Name)}, {typed, string(r.Type.Shown())}}
	if r.Kind.Name == run.PullRequest {
		walks = append(walks, walk{pr, strconv.FormatInt(r.Kind.Number, 10)}, walk{pull, numbered(r.Repository.ID, r.Kind.Number)})
	}
	if r.User != "" {
		walks = append(walks, walk{person, r.User})
	}
	if r.Environment != "" {
		walks = append(walks, walk{environment, r.Environment})
	}
	return walks
}

// Last returns the writes of the transaction that makes a run Queued. ends is when
// the run expires.
func Last(t table.Table, r run.Run, ends time.Time) []table.Write {
	facts := facts(&r)
	var writes []table.Write
	for _, w := range append(lasting(&r), walk{active, ""}) {
		item := row(w, &r, facts)
		item["ttl"] = attr.Time(ends)
		writes = append(writes, t.WritePut(item))
	}
	return append(writes, change(t, &r, r.CreatedAt))
}

// Transition returns the writes of a transition of a run at a time. ends is when the
// run expires.
func Transition(t table.Table, was, now run.Run, at, ends time.Time) []table.Write {
	var writes []table.Write
	if now.State != was.State || now.CIRun != was.CIRun || now.Dispatch.ID != was.Dispatch.ID || now.URL != was.URL {
		writes = append(writes, change(t, &now, at))
	}
	if !now.State.Ended() {
		return writes
	}
	writes = append(writes, t.WriteDelete(walk{active, ""}.key(&now, now.CreatedAt)))
	for _, w := range ended(&now) {
		item := row(w, &now, facts(&now))
		item["ttl"] = attr.Time(ends)
		writes = append(writes, t.WritePut(item))
	}
	return writes
}

// ended returns the partitions that tell how a run has ended.
func ended(r *run.Run) []walk {
	if r.State == run.Aborted {
		return []walk{{aborted, ""}}
	}
	var walks []walk
	if r.Result != nil && (!r.Result.Success || slices.ContainsFunc(r.Result.Outcomes, func(o run.Outcome) bool { return !o.Has(run.Succeeded) })) {
		walks = append(walks, walk{failed, ""})
	}
	if r.Type.IsPlan() {
		walks = append(walks, plansOf(r.Spec))
	}
	return walks
}

// change returns the write that records a change. Two changes in one second are one
// row.
func change(t table.Table, r *run.Run, at time.Time) table.Write {
	item := walk{changed, ""}.key(r, at)
	item[attrWhat], item["ttl"] = attr.String(fmt.Sprintf("%s-%d", r.State, r.Version)), attr.Time(at.Add(KeepChanges))
	return t.WritePut(item)
}

// Keys returns the keys of the rows of a run with all its dirspaces, in any state.
func Keys(r run.Run) []attr.Item {
	var keys []attr.Item
	for _, item := range Early(r) {
		keys = append(keys, attr.Item{"pk": item["pk"], "sk": item["sk"]})
	}
	for _, w := range append(lasting(&r), walk{active, ""}, walk{failed, ""}, walk{aborted, ""}, plansOf(r.Spec)) {
		keys = append(keys, w.key(&r, r.CreatedAt))
	}
	var seconds []int64
	for _, at := range []time.Time{r.CreatedAt, r.Dispatch.At, r.StartedAt, r.EndedAt} {
		if !at.IsZero() && !slices.Contains(seconds, at.Unix()) {
			seconds = append(seconds, at.Unix())
			keys = append(keys, walk{changed, ""}.key(&r, at))
		}
	}
	return keys
}

// row returns a row with the facts of its run.
func row(w walk, r *run.Run, facts attr.Item) attr.Item {
	item := w.key(r, r.CreatedAt)
	for name, value := range facts {
		item[name] = value
	}
	switch w.term {
	case pull:
		item[attrBase], item[attrCommit] = attr.String(r.Base.Commit), attr.String(r.Source.Commit)
	case active:
		item[attrPrincipal] = attr.String(r.Principal)
	}
	return item
}

// maxWorkspaces is the largest number of different workspaces that a row names.
const maxWorkspaces = 4

// facts returns what each row of a run holds.
func facts(r *run.Run) attr.Item {
	item := attr.Item{}
	for name, value := range map[string]string{
		"repo": r.Name, "branch": r.Source.Branch, "user": r.User, "environment": r.Environment, "type": string(r.Type), "kind": string(r.Kind.Name),
	} {
		if value != "" {
			item[name] = attr.String(value)
		}
	}
	if r.Kind.Number != 0 {
		item["pr"] = attr.Int(r.Kind.Number)
	}
	if names := workspaces(r.Dirspaces); len(names) > 0 && len(names) <= maxWorkspaces {
		item["workspaces"] = attr.Strings(names)
	}
	return item
}

// workspaces returns the different workspaces of a list, sorted.
func workspaces(list []run.Dirspace) []string {
	var names []string
	for _, d := range list {
		if !slices.Contains(names, d.Workspace) {
			if names = append(names, d.Workspace); len(names) > maxWorkspaces {
				break
			}
		}
	}
	slices.Sort(names)
	return names
}
