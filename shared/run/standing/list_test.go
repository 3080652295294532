package standing_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runindex"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/run/runstore"
	"github.com/opsplane/opsplane/shared/run/standing"
)

// pages returns all rows from the beginning, or with backward from the end.
func (w *world) pages(q runquery.Query, limit int, descending, backward bool) []standing.Shown {
	var seen []standing.Shown
	var from *standing.Place
	for range 1000 {
		page, err := w.lists.List(w.t.Context(), installation, runindex.Request[standing.Place]{
			Query: q, Limit: limit, Descending: descending, Backward: backward, From: from,
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page.Rows) > limit {
			w.t.Fatalf("a page has %d rows, want at most %d", len(page.Rows), limit)
		}
		seen = append(seen, page.Rows...)
		if from = page.On; from == nil {
			return seen
		}
	}
	w.t.Fatal("the pages do not end")
	return nil
}

func (w *world) all() []standing.Shown { return w.pages(runquery.Query{}, 100, false, false) }

func idOf(r *standing.Result) run.ID {
	if r == nil {
		return ""
	}
	return r.Run
}

func (d *did) id() run.ID {
	if d == nil {
		return ""
	}
	return d.ID
}

// TestNewestResultsStandWhateverTheOrder records runs out of order and twice.
func TestNewestResultsStandWhateverTheOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2)
	w.fill(40)
	got, want := w.all(), w.want()
	if len(got) != len(want) {
		t.Fatalf("got %d rows, want %d", len(got), len(want))
	}
	for i, s := range want {
		g := got[i]
		if standing.PlaceOf(g.Row) != s.place || idOf(g.Plan) != s.plan.id() || idOf(g.Good) != s.good.id() || idOf(g.Drift) != s.drift.id() || idOf(g.Apply) != s.apply.id() {
			t.Errorf("%v: got %+v, want %+v", s.place, g.Row, s)
			continue
		}
		if s.apply != nil && (g.Apply.Aborted != (s.apply.State == run.Aborted) || g.Apply.Outcome != s.apply.outcome || !g.Apply.EndedAt.Equal(s.apply.EndedAt)) {
			t.Errorf("%v: got %+v", s.place, g.Apply)
		}
	}
}

// TestResultsOfAPullRequestStandByThemselves compares the rows of a pull request with
// what stands if no other run exists.
func TestResultsOfAPullRequestStandByThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 1)
	w.fill(30)
	for _, number := range []int64{1, 2, 3} {
		alone := &world{}
		for _, r := range w.runs {
			if r.Kind.Name == run.PullRequest && r.Kind.Number == number {
				alone.runs = append(alone.runs, r)
			}
		}
		want := alone.want()
		got, err := w.lists.OfPullRequest(t.Context(), installation.Repository("7"), number)
		if err != nil || len(got) != len(want) {
			t.Fatalf("pull request %d: got %d rows, %v, want %d", number, len(got), err, len(want))
		}
		for i, s := range want {
			if g := got[i]; standing.PlaceOf(g) != s.place || idOf(g.Plan) != s.plan.id() || idOf(g.Good) != s.good.id() || g.Drift != nil || idOf(g.Apply) != s.apply.id() {
				t.Errorf("%v: got %+v, want %+v", s.place, g, s)
			}
		}
	}
}

var tags = []string{
	"repo:infra", "repo:apps", "repo:infra*", "repo:none", "repo:*", "repo:", "dir:prod", "dir:prod/net", "dir:prod/*", "dir:prod*", "dir:.", "dir:*",
	"dir:stage/gr*", "dir:stage/größe*", "dir:none", "workspace:default", "workspace:eu", "state:waiting", "state:drift", "state:plan_failed",
	"state:apply_failed", "state:clean", "pr:1", "pr:2", "destroys", "planned_at:2090-01-03..", "applied_at:..2090-01-05",
}

// query draws a query.
func (w *world) query() (string, runquery.Query) {
	var b strings.Builder
	for i := range w.draw.IntN(4) {
		if i > 0 {
			b.WriteString(pick(w, " and ", " and ", " or ", " "))
		}
		if w.draw.IntN(5) == 0 {
			b.WriteString("not ")
		}
		b.WriteString(pick(w, tags...))
	}
	q, err := runquery.Workspaces.Compile(b.String(), "", born)
	if err != nil {
		w.t.Fatalf("%s: %v", b.String(), err)
	}
	return b.String(), q
}

// TestPagesShowWhatANaiveFilterFinds compares walks through pages of all sizes, in both
// directions, with a filter over all rows. One of the worlds has more repositories than
// a page reads intervals.
func TestPagesShowWhatANaiveFilterFinds(t *testing.T) {
	t.Parallel()
	for seed, repos := range []int{3, 40} {
		t.Run(fmt.Sprint(repos), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, uint64(seed+3), repos)
			w.fill(45)
			all, usual, matched := w.want(), w.lists, 0
			for range storagetest.Sample(60, 15) {
				text, q := w.query()
				var want []standing.Place
				for _, s := range all {
					if q.Match(row{s, w.others}) {
						want = append(want, s.place)
					}
				}
				limit, descending, backward := pick(w, 2, 5, 20, 100), w.draw.IntN(2) == 0, w.draw.IntN(2) == 0
				if matched += len(want); descending != backward {
					slices.Reverse(want)
				}
				w.lists = usual.Limited(pick(w, 0, 0, 2, 7))
				var got []standing.Place
				for _, s := range w.pages(q, limit, descending, backward) {
					got = append(got, standing.PlaceOf(s.Row))
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s, pages of %d, descending %t, backward %t:\n got %v\nwant %v", text, limit, descending, backward, got, want)
				}
			}
			if matched < 200 {
				t.Errorf("the queries matched %d rows: too few to show anything", matched)
			}
		})
	}
}

func TestApplyThatIsRunningHoldsItsDirspaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5, 1)
	w.runs = []run.Run{plan("held", "free")}
	if err := w.lists.Record(t.Context(), w.runs[0], nil, ends); err != nil {
		t.Fatal(err)
	}
	on := installation.Repository("7")
	w.others.active = []runstore.Active{
		{ID: "waits", Repository: on, Type: run.Apply, State: run.Queued, Dirspaces: []run.Dirspace{{Dir: "free", Workspace: "default"}}, DirspaceCount: 1},
		{ID: "holds", Repository: on, Type: run.Apply, State: run.Queued, Attempt: 1, DirspaceCount: 1},
	}
	got := w.all()
	if len(got) != 2 || got[0].Holder != nil || got[1].Holder == nil || got[1].Holder.ID != "holds" {
		t.Errorf("got %+v", got)
	}
}

// plan returns a successful plan of directories of the repository 7.
func plan(names ...string) run.Run {
	r := run.Run{
		Spec: run.Spec{
			ID: run.NewID(), Repository: installation.Repository("7"), Owner: "acme", Name: "infra", Type: run.Plan, Kind: run.Kind{Name: run.Branch},
		},
		Seq: 1, CreatedAt: born, State: run.Completed, StartedAt: born, EndedAt: born, Result: &run.Result{},
	}
	for _, name := range names {
		r.Dirspaces = append(r.Dirspaces, run.Dirspace{Dir: name, Workspace: "default"})
		r.Result.Outcomes = append(r.Result.Outcomes, run.HasResult|run.Succeeded)
	}
	return r
}

// TestOutputsStandUntilANewerApply also records an older apply late.
func TestOutputsStandUntilANewerApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6, 1)
	record := func(seq int64, outputs map[run.Dirspace]standing.Outputs) run.ID {
		r := plan("net")
		r.Type, r.Seq = run.Apply, seq
		if err := w.lists.Record(t.Context(), r, outputs, ends); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	net := run.Dirspace{Dir: "net", Workspace: "default"}
	of := func(text string) map[run.Dirspace]standing.Outputs {
		return map[run.Dirspace]standing.Outputs{net: standing.NewOutputs([]byte(text))}
	}
	second := record(2, of(`{"url":{"sensitive":false,"type":"string","value":"https://a"},"key":{"sensitive":true,"type":"string"}}`))
	record(1, of(`{"old":{"sensitive":false,"value":1}}`))
	record(3, nil)
	want := &standing.Outputs{Run: second, List: []standing.Output{
		{Name: "key", Type: []byte(`"string"`), Sensitive: true}, {Name: "url", Type: []byte(`"string"`), Value: []byte(`"https://a"`)},
	}}
	if got := w.all(); len(got) != 1 || got[0].Apply.Seq != 3 || !reflect.DeepEqual(got[0].Outputs, want) {
		t.Errorf("got %+v, want %+v", got[0].Outputs, want)
	}
	fourth := record(4, of(`null`))
	if got := w.all(); !reflect.DeepEqual(got[0].Outputs, &standing.Outputs{Run: fourth}) {
		t.Errorf("after an apply without outputs: %+v", got[0].Outputs)
	}
}

// TestPageOfLargeOutputsEndsEarly uses outputs of which a response carries fewer than a
// page has.
func TestPageOfLargeOutputsEndsEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7, 1)
	r, outputs := plan(), map[run.Dirspace]standing.Outputs{}
	for i := range 100 {
		d := run.Dirspace{Dir: fmt.Sprintf("d%02d", i), Workspace: "default"}
		r.Dirspaces, r.Result.Outcomes = append(r.Dirspaces, d), append(r.Result.Outcomes, run.HasResult|run.Succeeded)
		outputs[d] = standing.NewOutputs(fmt.Appendf(nil, `{"text":{"sensitive":false,"value":%q}}`, strings.Repeat(`\"`, 7000)))
	}
	r.Type = run.Apply
	if err := w.lists.Record(t.Context(), r, outputs, ends); err != nil {
		t.Fatal(err)
	}
	page, err := w.lists.List(t.Context(), installation, runindex.Request[standing.Place]{Limit: 100})
	if err != nil || len(page.Rows) == 0 || len(page.Rows) == 100 || page.On == nil {
		t.Fatalf("the first page has %d rows and goes on at %v, %v", len(page.Rows), page.On, err)
	}
	if got := w.all(); len(got) != 100 {
		t.Errorf("all pages have %d rows", len(got))
	}
}
