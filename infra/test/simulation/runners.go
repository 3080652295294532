package simulation

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/planstore"
	"github.com/opsplane/opsplane/shared/run/result"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// job is a CI job at the host, with the runner in it.
type job struct {
	vcstest.CIRun
	of          *repository
	began, over bool
}

// started is called with each CI job that the host starts.
func (w *world) started(ci vcstest.CIRun) {
	for _, r := range w.repositories {
		if r.name == ci.Repository {
			w.jobs = append(w.jobs, &job{CIRun: ci, of: r})
		}
	}
}

// run returns the run of a job.
func (w *world) run(j *job) run.ID { return w.byToken[fmt.Sprint(j.Inputs["work-token"])] }

// runner lets a runner do something.
func (w *world) runner() bool {
	var list []*job
	for _, j := range w.jobs {
		if !j.over {
			list = append(list, j)
		}
	}
	if len(list) == 0 {
		return false
	}
	j := list[w.draw.IntN(len(list))]
	w.touched[j.of] = true
	w.mu.Lock()
	cancelled := w.cancelled[j.ID]
	w.mu.Unlock()
	n := w.draw.IntN(100)
	if w.calm {
		n = 50
	}
	switch {
	case cancelled && n < 60, n < 2:
		w.note("the runner of %s is silent from now on", short(w.run(j)))
		j.over = true
	case n < 7:
		w.note("the runner of %s dies", short(w.run(j)))
		j.over = true
		w.host.EndJob(j.CIRun, "failure")
	case !j.began:
		w.begin(j)
	default:
		w.report(j, n >= 94)
	}
	return true
}

// begin lets a runner ask for its work, with the commit of its branch.
func (w *world) begin(j *job) {
	id, commit := w.run(j), j.Commit
	if tip, there := j.of.git.Branch(j.Branch); there && w.draw.IntN(2) == 0 {
		commit = tip
	}
	i, err := w.safe.Runs.Initiate(w.t.Context(), id, runstore.CIJob{Run: strconv.FormatInt(j.ID, 10), Commit: commit}, w.author("run:"+string(id)))
	if errors.Is(err, fault.ErrNotFound) {
		j.over = true
		return
	}
	w.must(err)
	j.began, j.over = i.Work, !i.Work
	w.note("the runner of %s asks for its work: %t", short(id), i.Work)
	if !i.Work {
		w.host.EndJob(j.CIRun, "success")
		return
	}
	list, err := w.safe.Runs.Dirspaces(w.t.Context(), id)
	w.must(err)
	if len(i.Run.Dirspaces) > 0 {
		list = i.Run.Dirspaces
	}
	for _, d := range list {
		if i.Run.Type.IsPlan() {
			j.of.planned[planned{id, d}] = j.of.state[d]
			continue
		}
		w.uses(j, i.Run, d, commit)
		j.of.state[d]++
	}
}

// uses checks what really happens to the infrastructure: an apply uses a plan that was made
// for its state, and for the commit that is checked out.
func (w *world) uses(j *job, apply run.Run, d run.Dirspace, commit string) {
	if _, err := w.safe.Plans.Chosen(w.t.Context(), apply.ID, d, w.clock.Now()); err != nil {
		w.note("the plan of %s for the apply %s is gone: %v", d, short(apply.ID), err)
		return // the runner fails, and changes nothing
	}
	uses, err := w.safe.Plans.Uses(w.t.Context(), apply.ID)
	w.must(err)
	for _, u := range uses {
		if u.Dirspace != d {
			continue
		}
		if made := j.of.planned[planned{u.Plan, d}]; made != j.of.state[d] {
			w.wrong("the apply %s of %s#%d uses the plan %s of %s, after which it was changed %d times", short(apply.ID), j.of.name, apply.Kind.Number, short(u.Plan), d, j.of.state[d]-made)
		}
		if plan := j.of.book.byID[u.Plan]; plan != nil && apply.Base.Commit != apply.Source.Commit && plan.head != commit {
			w.wrong("the apply %s of %s#%d works on %s with a plan of %s", short(apply.ID), j.of.name, apply.Kind.Number, commit, plan.head)
		}
	}
}

// outcomes that a runner reports of a dirspace.
const (
	changes = iota
	same
	fails
)

// report lets a runner send its result. A runner that lies reports another directory, and has
// done nothing.
func (w *world) report(j *job, lies bool) {
	ctx, id := w.t.Context(), w.run(j)
	of, err := w.safe.Runs.Get(ctx, id)
	w.must(err)
	list := of.Dirspaces
	var steps, told []string
	for _, d := range list {
		how := []int{changes, changes, changes, changes, changes, changes, changes, same, same, fails}[w.draw.IntN(10)]
		if w.calm {
			how = changes
		}
		step, text := "tf/plan", `"has_changes":true,"plan":"+ resource","text":"Plan: 1 to add, 0 to change, 0 to destroy."`
		switch {
		case of.Type.IsApply():
			step, text = "tf/apply", `"text":"Apply complete! Resources: 1 added, 0 changed, 0 destroyed."`
		case how == same:
			text = `"has_changes":false,"text":"No changes."`
		}
		if of.Type.IsPlan() && how != fails && !lies {
			err := w.safe.Plans.Put(ctx, id, d, []byte("plan of "+d.String()), how == changes, w.clock.Now())
			if err != nil && !errors.Is(err, planstore.ErrInactive) {
				w.must(err)
			}
		}
		dir := d.Dir
		if lies {
			dir = "elsewhere"
		}
		told = append(told, fmt.Sprintf("%s %s: %s", dir, d.Workspace, []string{"changes", "same", "fails"}[how]))
		steps = append(steps, fmt.Sprintf(`{"step":%q,"success":%t,"scope":{"type":"dirspace","dir":%q,"workspace":%q},"payload":{%s}}`, step, how != fails, dir, d.Workspace, text))
	}
	found, err := result.Decode([]byte(`{"steps":[` + strings.Join(steps, ",") + `]}`))
	w.must(err)
	stored, err := w.safe.Outputs.Put(ctx, id, found, w.clock.Now().Add(w.safe.Runs.Limits.Keep))
	w.must(err)
	outcomes := found.Outcomes(list)
	plans, err := w.safe.Plans.Of(ctx, id, w.clock.Now())
	w.must(err)
	for i, d := range list {
		for _, p := range plans {
			if p.Dirspace == d {
				outcomes[i] |= run.PlanStored
			}
		}
	}
	done := run.Result{Outcomes: outcomes, Success: found.Success, Steps: stored.Steps, Payload: stored.Payload, Gates: stored.Gates}
	first := !of.State.Ended()
	c, err := w.safe.Runs.Complete(ctx, id, done, w.author("run:"+string(id)))
	if err != nil && !errors.Is(err, runstore.ErrAborted) {
		w.must(err)
	}
	if lies && first && of.Type.IsApply() {
		for _, d := range list {
			j.of.state[d]--
		}
	}
	w.note("the runner of %s reports %v: %v, again %t", short(id), told, err, c.Repeated)
	if w.draw.IntN(10) > 0 || w.calm { // otherwise it reports once more
		j.over = true
		w.host.EndJob(j.CIRun, "success")
	}
	if w.draw.IntN(5) > 0 {
		w.ends(4)
		w.wake(j.of)
	}
}
