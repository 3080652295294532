package simulation

import (
	"slices"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
)

// entry is what the oracle knows of a run.
type entry struct {
	id         run.ID
	seq        int64 // its place in the order of the repository
	pull       int64
	user       string
	apply      bool
	base, head string
	dirs       []run.Dirspace
	state      run.State
	began      bool
	outcomes   []run.Outcome
	uses       map[run.Dirspace]run.ID // plans
	// created and over are when the run was seen first, and when it was seen to have ended
	// (0: it has not). within is when the thing began in which it was created.
	created, over, within int
}

// has reports whether a run works on a dirspace.
func (e *entry) has(d run.Dirspace) bool { return slices.Contains(e.dirs, d) }

// outcome returns what came of a dirspace.
func (e *entry) outcome(d run.Dirspace) run.Outcome {
	i := slices.Index(e.dirs, d)
	if i < 0 || i >= len(e.outcomes) {
		return 0
	}
	return e.outcomes[i]
}

// result reports whether the run has a result of a dirspace.
func (e *entry) result(d run.Dirspace) bool { return e.outcome(d).Has(run.HasResult) }

// changes reports whether an apply may have changed a dirspace: it has a result of it, or it
// was aborted after its runner began. A runner that reports nothing of a dirspace has done
// nothing there (orchestration, 28.11).
func (e *entry) changes(d run.Dirspace) bool {
	return e.apply && e.has(d) && (e.result(d) || e.began && e.state == run.Aborted)
}

// shares reports whether two runs work on a dirspace.
func (e *entry) shares(other *entry) bool { return slices.ContainsFunc(e.dirs, other.has) }

// merge is the merge of a pull request.
type merge struct {
	seq        int64
	base, head string
	// settled is when an evaluation came to its end after the delivery of the merge; 0
	// before.
	settled int
}

// unlock is an unlock of a pull request.
type unlock struct {
	seq  int64
	tick int
}

// book has what happened in a repository, in the order that decides.
type book struct {
	runs    []*entry // in the order of seq
	byID    map[run.ID]*entry
	unlocks map[int64][]unlock
	merges  map[int64]*merge
	// told are the merges whose delivery was processed.
	told    map[int64]bool
	changed func(base, head string) []run.Dirspace
	// policies says that the directories have policies of their own.
	policies bool
}

func newBook(changed func(base, head string) []run.Dirspace, policies bool) *book {
	return &book{byID: map[run.ID]*entry{}, unlocks: map[int64][]unlock{}, merges: map[int64]*merge{}, told: map[int64]bool{}, changed: changed, policies: policies}
}

// add adds a run.
func (b *book) add(e *entry) {
	b.byID[e.id] = e
	i, _ := slices.BinarySearchFunc(b.runs, e.seq, func(other *entry, seq int64) int { return int(other.seq - seq) })
	b.runs = slices.Insert(b.runs, i, e)
}

// settle notes that an evaluation came to its end: the merges before it are known.
func (b *book) settle(tick int) {
	for number, m := range b.merges {
		if m.settled == 0 && b.told[number] {
			m.settled = tick
		}
	}
}

// void returns the place of the last unlock of a pull request before a place.
func (b *book) void(pull, before int64) int64 {
	var last int64
	for _, u := range b.unlocks[pull] {
		if u.seq < before {
			last = max(last, u.seq)
		}
	}
	return last
}

// onApply and onMerge report whether a directory locks.
func (b *book) onApply(d run.Dirspace) bool { return !b.policies || d.Dir != "free" && d.Dir != "late" }
func (b *book) onMerge(d run.Dirspace) bool { return !b.policies || d.Dir != "free" }

// workspaces returns the dirspaces of a directory.
func workspaces(dir string) []run.Dirspace {
	if dir == "db" {
		return []run.Dirspace{{Dir: dir, Workspace: "blue"}, {Dir: dir, Workspace: "green"}}
	}
	return []run.Dirspace{{Dir: dir, Workspace: "default"}}
}

// changed returns the dirspaces that a change is about. app depends on net.
func (r *repository) changed(base, head string) []run.Dirspace {
	from, ok := r.git.MergeBase(base, head)
	if !ok {
		return nil
	}
	touched := map[string]bool{}
	for _, d := range vcstest.Differences(r.git, from, head) {
		for _, dir := range dirs {
			if len(d.Path) > len(dir) && d.Path[:len(dir)+1] == dir+"/" {
				touched[dir] = true
			}
		}
	}
	if touched["net"] {
		touched["app"] = true
	}
	var list []run.Dirspace
	for _, dir := range dirs {
		if touched[dir] {
			list = append(list, workspaces(dir)...)
		}
	}
	return list
}
