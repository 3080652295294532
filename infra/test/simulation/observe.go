package simulation

import (
	"fmt"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// observe reads what has happened since the last call, and lets the oracle judge it.
func (w *world) observe() {
	for _, r := range w.repositories {
		if !w.touched[r] {
			continue
		}
		if w.visited[r] {
			w.places(r)
		}
		w.touched[r], w.visited[r] = false, false
		active, err := w.safe.Runs.Active(w.t.Context(), r.Repository)
		w.must(err)
		w.runs(r, active)
		w.alone(r, active)
	}
}

// places reads the unlocks and merges of a repository.
func (w *world) places(r *repository) {
	t := w.table()
	partition := table.Equal("pk", attr.String(fmt.Sprintf("REPO#%s#%s", r.Installation.VCS, r.ID)))
	list, err := t.All(w.t.Context(), table.Query{Key: []table.Condition{partition, table.BeginsWith("sk", attr.String("UNLOCK#"))}})
	w.must(err)
	for _, item := range list {
		read := attr.Read(item)
		number, _ := run.Origin(read.String("sk")[len("UNLOCK#"):]).PullRequest()
		seq := read.Int("seq")
		if known := r.book.unlocks[number]; len(known) == 0 || known[len(known)-1].seq < seq {
			r.book.unlocks[number] = append(known, unlock{seq, w.tick})
			w.note("%s#%d is unlocked at the place %d", r.name, number, seq)
		}
	}
	list, err = t.All(w.t.Context(), table.Query{Key: []table.Condition{partition, table.BeginsWith("sk", attr.String("MERGE#"))}})
	w.must(err)
	for _, item := range list {
		read := attr.Read(item)
		number, seq := read.Int("number"), read.Int("seq")
		if r.book.merges[number] == nil {
			p, err := w.host.Pull(r.name, number)
			w.must(err)
			r.book.merges[number] = &merge{seq: seq, base: p.BaseSHA, head: p.HeadSHA}
			w.note("%s#%d is merged at the place %d", r.name, number, seq)
		}
	}
}

// runs reads the runs that are new or have changed.
func (w *world) runs(r *repository, active []runstore.Active) {
	there := map[run.ID]run.State{}
	for _, a := range active {
		there[a.ID] = a.State
	}
	fresh := w.created(r)
	for _, e := range r.book.runs {
		if state, is := there[e.id]; e.over > 0 || is && state == e.state && !state.Ended() {
			continue
		}
		now := w.entry(e.id)
		e.state, e.began, e.outcomes = now.state, now.began, now.outcomes
		if e.state.Ended() {
			e.over = w.tick
			w.note("%s#%d: run %s ends: %s", r.name, e.pull, short(e.id), e.state)
		}
	}
	for _, e := range fresh {
		if !e.apply {
			continue
		}
		for _, why := range r.book.admitted(e) {
			w.wrong("the apply %s of %s#%d was created: %s", short(e.id), r.name, e.pull, why)
		}
		w.approved(r, e)
	}
}

// created reads the runs that are new, also those that have ended since.
func (w *world) created(r *repository) (fresh []*entry) {
	last := ""
	if n := len(r.book.runs); n > 0 {
		last = fmt.Sprintf("%016d", r.book.runs[n-1].seq)
	}
	list, err := w.table().All(w.t.Context(), table.Query{Key: []table.Condition{
		table.Equal("pk", attr.String(fmt.Sprintf("RUNS#%s#%s", r.Installation.VCS, r.ID))), table.Greater("sk", attr.String(last+" ")),
	}})
	w.must(err)
	for _, item := range list {
		e := w.entry(run.ID(attr.Read(item).String("id")))
		r.book.add(e)
		fresh = append(fresh, e)
		w.note("%s#%d: run %s is created at the place %d, apply %t, of %v at %.7s", r.name, e.pull, short(e.id), e.seq, e.apply, e.dirs, e.head)
	}
	return fresh
}

// table returns the table of runs, to read what the stores do not show.
func (w *world) table() table.Table {
	return table.Table{DB: w.safe.Runs.DB, Name: w.safe.Runs.Table}
}

// entry reads a run.
func (w *world) entry(id run.ID) *entry {
	ctx := w.t.Context()
	of, err := w.safe.Runs.Get(ctx, id)
	w.must(err)
	e := &entry{
		id: id, seq: of.Seq, pull: of.Kind.Number, user: of.User, apply: of.Type.IsApply(), base: of.Base.Commit, head: of.Source.Commit, dirs: of.Dirspaces,
		state: of.State, began: !of.StartedAt.IsZero(), created: w.tick, within: w.outer, uses: map[run.Dirspace]run.ID{},
	}
	if of.Result != nil {
		e.outcomes = of.Result.Outcomes
	}
	if e.apply {
		uses, err := w.safe.Plans.Uses(ctx, id)
		w.must(err)
		for _, u := range uses {
			e.uses[u.Dirspace] = u.Plan
		}
	}
	return e
}

// approved checks the rule of the configuration that db needs an approval.
func (w *world) approved(r *repository, e *entry) {
	if !r.book.policies || e.base == e.head {
		return
	}
	for _, p := range r.pulls {
		if p.number == e.pull && !p.approved && !p.forced && e.has(workspaces("db")[0]) {
			w.wrong("the apply %s of %s was created without an approval", short(e.id), p)
		}
	}
}

// alone checks that no dirspace has two applies that are claimed or running, and that a pull
// request does not plan a dirspace twice at a time.
func (w *world) alone(r *repository, active []runstore.Active) {
	applied, planned := map[run.Dirspace]run.ID{}, map[string]run.ID{}
	for _, a := range active {
		for _, d := range r.book.byID[a.ID].dirs {
			name := fmt.Sprint(a.Origin, d)
			switch {
			case a.Blocks() && applied[d] != "":
				w.wrong("two applies of %s in %s are claimed or running: %s and %s", d, r.name, short(applied[d]), short(a.ID))
			case a.Blocks():
				applied[d] = a.ID
			case a.Type.IsPlan() && a.State.Active() && planned[name] != "":
				w.wrong("two plans of %s in %s#%s are under way: %s and %s", d, r.name, a.Origin, short(planned[name]), short(a.ID))
			case a.Type.IsPlan() && a.State.Active():
				planned[name] = a.ID
			}
		}
	}
}
