package standing_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// born is the time of the tests. It lies in the future, so that nothing expires.
var (
	born = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	ends = born.Add(90 * 24 * time.Hour)
)

var installation = vcs.Installation{VCS: vcs.GitHub, ID: "42"}

func over(env *storagetest.Env) standing.Store {
	return standing.Store{Table: table.Table{DB: env.DynamoDB, Name: env.Table("RunsTable")}}
}

// others are the runs of the tests that no store has: unlocks by repository and origin,
// and active runs.
type others struct {
	unlocked map[string]int64
	active   []runstore.Active
}

func unlockOf(r vcs.ID, origin run.Origin) string { return string(r) + " " + string(origin) }

func (o *others) Unlocks(_ context.Context, list []run.Run) (map[run.ID]time.Time, error) {
	found := map[run.ID]time.Time{}
	for _, r := range list {
		if r.Seq <= o.unlocked[unlockOf(r.Repository.ID, r.Origin())] {
			found[r.ID] = born
		}
	}
	return found, nil
}

func (o *others) Active(_ context.Context, r vcs.Repository) ([]runstore.Active, error) {
	return slices.DeleteFunc(slices.Clone(o.active), func(a runstore.Active) bool { return a.Repository != r }), nil
}

func (o *others) Dirspaces(context.Context, run.ID) ([]run.Dirspace, error) {
	return []run.Dirspace{{Dir: "held", Workspace: "default"}}, nil
}

// world makes results and keeps what should stand. All that is drawn depends on the
// seed.
type world struct {
	t      testing.TB
	lists  standing.Lists
	others *others
	draw   *rand.Rand
	runs   []run.Run
	seq    map[vcs.ID]int64
	repos  int
}

func newWorld(t testing.TB, seed uint64, repos int) *world {
	o := &others{unlocked: map[string]int64{}}
	return &world{
		t: t, lists: standing.Lists{Store: over(storagetest.New(t)), Runs: o}, others: o,
		draw: rand.New(rand.NewPCG(seed, 0)), seq: map[vcs.ID]int64{}, repos: repos,
	}
}

func pick[T any](w *world, from ...T) T { return from[w.draw.IntN(len(from))] }

var dirNames = []string{".", "prod", "prod/net", "prod/db/main", "production", "stage/größe", "stage/größer", "a b"}

// run draws a run that has ended.
func (w *world) run() run.Run {
	n := w.draw.IntN(w.repos)
	id := vcs.ID(fmt.Sprint(7 + n))
	w.seq[id]++
	r := run.Run{
		Spec: run.Spec{
			ID: run.NewID(), Repository: installation.Repository(id), Owner: "acme", Name: []string{"infra", "apps", "infra-eu"}[n%3],
			Type: pick(w, run.Plan, run.Plan, run.Apply), Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"},
			Kind: pick(w, run.Kind{Name: run.PullRequest, Number: 1}, run.Kind{Name: run.PullRequest, Number: 2, Title: "T"}, run.Kind{Name: run.Drift}, run.Kind{Name: run.Branch}),
		},
		Seq: w.seq[id], CreatedAt: born, State: run.Completed, StartedAt: born, EndedAt: born.Add(time.Duration(len(w.runs)) * 10 * time.Hour),
	}
	for len(r.Dirspaces) == 0 {
		for _, name := range dirNames {
			if w.draw.IntN(3) == 0 {
				r.Dirspaces = append(r.Dirspaces, run.Dirspace{Dir: name, Workspace: pick(w, "default", "default", "eu")})
			}
		}
	}
	r.DirspaceCount = len(r.Dirspaces)
	if r.Type == run.Apply && w.draw.IntN(4) == 0 {
		r.State = run.Aborted
		return r
	}
	r.Result = &run.Result{}
	for range r.Dirspaces {
		r.Result.Outcomes = append(r.Result.Outcomes, pick(w, 0, run.HasResult, run.HasResult|run.Succeeded,
			run.HasResult|run.Succeeded|run.HasChanges, run.HasResult|run.Succeeded|run.HasChanges|run.Destroys))
	}
	return r
}

// fill records runs in no particular order, some of them twice, and unlocks some
// origins.
func (w *world) fill(runs int) {
	for range runs {
		w.runs = append(w.runs, w.run())
	}
	list := append(slices.Clone(w.runs), w.runs[:runs/3]...)
	w.draw.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, r := range list {
		if err := w.lists.Record(w.t.Context(), r, nil, ends); err != nil {
			w.t.Fatal(err)
		}
	}
	for id, last := range w.seq {
		if w.draw.IntN(2) == 0 {
			w.others.unlocked[unlockOf(id, pick(w, run.OriginOfPullRequest(1), run.OriginOfDrift))] = w.draw.Int64N(last + 1)
		}
	}
}

// stands is what should stand in a place: the newest run of each kind, with its outcome.
type stands struct {
	place                    standing.Place
	plan, good, drift, apply *did
}

type did struct {
	run.Run
	outcome run.Outcome
}

func (d *did) seq() int64 {
	if d == nil {
		return 0
	}
	return d.Seq
}

// want returns what should stand, in the order of the list.
func (w *world) want() []stands {
	found := map[standing.Place]*stands{}
	for _, r := range w.runs {
		for i, d := range r.Dirspaces {
			one := &did{Run: r}
			if r.Result != nil {
				if one.outcome = r.Result.Outcomes[i]; one.outcome == 0 {
					continue
				}
			}
			place := standing.Place{Repository: r.Repository.ID, Dirspace: d}
			s := found[place]
			if s == nil {
				s = &stands{place: place}
			}
			good := one.outcome.Has(run.Succeeded)
			newer := func(than **did) {
				if (*than).seq() < r.Seq {
					*than, found[place] = one, s
				}
			}
			switch {
			case r.Type == run.Apply:
				newer(&s.apply)
			case r.Kind.Name == run.Drift && good:
				newer(&s.drift)
			case r.Kind.Name != run.Drift:
				newer(&s.plan)
				if good {
					newer(&s.good)
				}
			}
		}
	}
	return slices.SortedFunc(func(yield func(stands) bool) {
		for s := range maps.Values(found) {
			if !yield(*s) {
				return
			}
		}
	}, func(a, b stands) int {
		return cmp.Or(strings.Compare(string(a.place.Repository), string(b.place.Repository)), a.place.Dirspace.Compare(b.place.Dirspace))
	})
}

// row is what should stand in a place, as a query sees it.
type row struct {
	stands
	others *others
}

var _ runquery.Row = row{}

func (r row) open(d *did) bool {
	return d != nil && d.Seq > r.apply.seq() && d.Seq > r.others.unlocked[unlockOf(d.Repository.ID, d.Origin())]
}

func (r row) states() []string {
	var list []string
	add := func(state string, yes bool) {
		if yes {
			list = append(list, state)
		}
	}
	add("waiting", r.open(r.good) && r.good.outcome.Has(run.HasChanges))
	add("drift", r.open(r.drift) && r.drift.outcome.Has(run.HasChanges))
	add("plan_failed", r.open(r.plan) && !r.plan.outcome.Has(run.Succeeded))
	add("apply_failed", r.apply != nil && !r.apply.outcome.Has(run.Succeeded))
	add("clean", len(list) == 0 && (r.apply != nil || r.open(r.good) || r.open(r.drift)))
	return list
}

func (r row) name() string {
	newest := r.plan
	for _, d := range []*did{r.drift, r.apply} {
		if d.seq() > newest.seq() {
			newest = d
		}
	}
	return newest.Name
}

func (r row) Texts(key string) []string {
	return map[string][]string{"repo": {r.name()}, "dir": {r.place.Dir}, "workspace": {r.place.Workspace}, "state": r.states()}[key]
}

func (r row) Number(string) (int64, bool) {
	if r.plan == nil {
		return 0, false
	}
	return r.plan.Kind.Number, r.plan.Kind.Number != 0
}

func (r row) Time(key string) (time.Time, bool) {
	d := r.plan
	if key == "applied_at" {
		d = r.apply
	}
	if d == nil {
		return time.Time{}, false
	}
	return d.EndedAt, true
}

func (r row) Flag(string) (value, ok bool) {
	if !slices.Contains(r.states(), "waiting") {
		return false, false
	}
	return r.good.outcome.Has(run.Destroys), true
}
