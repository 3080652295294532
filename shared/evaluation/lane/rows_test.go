package lane_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

func dirspaces(n int) []run.Dirspace {
	list := make([]run.Dirspace, n)
	for i := range list {
		list[i] = run.Dirspace{Dir: fmt.Sprintf("accounts/team-%03d", i), Workspace: "default"}
	}
	return list
}

// write makes writes in a transaction.
func write(t *testing.T, s lane.Store, list ...table.Write) {
	t.Helper()
	if err := (table.Table{DB: s.DB, Name: s.Table}).Transact(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
}

func TestStateOfARepositoryIsOfItsInstallation(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	moved := vcs.Installation{VCS: vcs.GitHub, ID: "43"}.Repository(repository.ID)
	for _, r := range []vcs.Repository{repository, moved} {
		row, err := s.State(t.Context(), r)
		if err != nil || row.Body != nil || row.Version != 0 {
			t.Fatalf("%s: got %+v, %v", r, row, err)
		}
		row.Body = json.RawMessage(fmt.Sprintf(`{"of":"%s"}`, r))
		w, err := s.WriteState(r, row)
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, w)
		if row, err = s.State(t.Context(), r); err != nil || string(row.Body) != fmt.Sprintf(`{"of":"%s"}`, r) {
			t.Errorf("%s: got %+v, %v", r, row, err)
		}
	}
}

func TestRowThatNoItemHoldsIsRefused(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	noise := make([]byte, lane.MaxRow)
	_, _ = rand.Read(noise)
	body, err := json.Marshal(hex.EncodeToString(noise))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WritePull(repository.PullRequest(1), lane.Row{Body: body}); err == nil {
		t.Error("a large row is not refused")
	}
	if _, err := s.WriteEntry(lane.Locks, lane.Entry{PullRequest: repository.PullRequest(1), Body: body}); err == nil {
		t.Error("a large entry is not refused")
	}
}

func TestNewestMergesOfADirspaceStay(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	record := func(number, place int64, list []run.Dirspace) {
		t.Helper()
		var merges []lane.Merged
		for _, d := range list {
			merges = append(merges, lane.Merged{Dirspace: d, Number: number, Place: place})
		}
		if err := s.RecordMerged(t.Context(), repository, merges); err != nil {
			t.Fatal(err)
		}
	}
	list := dirspaces(2*table.MaxBatch + 1)
	record(2, 20, list[:150])
	record(1, 10, list) // the older one comes later
	record(3, 30, list[:50])
	record(3, 30, list[:50])
	record(2, 20, list[:150]) // again
	found, err := s.Merged(t.Context(), repository, append(list, run.Dirspace{Dir: list[0].Dir, Workspace: "other"}))
	if err != nil || len(found) != len(list) {
		t.Fatalf("got %d, %v", len(found), err)
	}
	for i, d := range list {
		want := lane.Merged{Dirspace: d, Number: 1, Place: 10}
		switch {
		case i < 50:
			want.Number, want.Place, want.EarlierNumber, want.EarlierPlace = 3, 30, 2, 20
		case i < 150:
			want.Number, want.Place, want.EarlierNumber, want.EarlierPlace = 2, 20, 1, 10
		}
		if found[d] != want {
			t.Errorf("got %+v, want %+v", found[d], want)
		}
	}
	if got, err := s.Merged(t.Context(), acme.Repository("8"), list); err != nil || len(got) != 0 {
		t.Errorf("another repository has %v, %v", got, err)
	}
}

func TestListsHavePagesInBothDirections(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	var want []vcs.PullRequest
	for _, id := range []vcs.ID{"9", "10"} {
		for _, n := range []int64{2, 11} {
			want = append(want, acme.Repository(id).PullRequest(n))
		}
	}
	others := []vcs.PullRequest{
		vcs.Installation{VCS: vcs.GitLab, ID: "42"}.Repository("9").PullRequest(2), vcs.Installation{VCS: vcs.GitHub, ID: "4"}.Repository("9").PullRequest(2),
	}
	for _, p := range append(slices.Clone(want), others...) {
		for _, version := range []string{"1", "2"} { // the second takes the place of the first
			w, err := s.WriteEntry(lane.Locks, lane.Entry{PullRequest: p, Since: born, Body: json.RawMessage(version)})
			if err != nil {
				t.Fatal(err)
			}
			write(t, s, w)
		}
	}
	for _, backward := range []bool{false, true} {
		var got []vcs.PullRequest
		q := lane.Query{Limit: 3}
		if backward {
			q.Before = "~"
		}
		for {
			page, err := s.Entries(t.Context(), lane.Locks, acme, q)
			if err != nil || len(page) > q.Limit {
				t.Fatalf("got %d, %v", len(page), err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				if string(e.Body) != "2" || !e.Since.Equal(born) {
					t.Errorf("got %+v", e)
				}
				got = append(got, e.PullRequest)
			}
			if backward {
				q.Before = page[len(page)-1].Cursor()
			} else {
				q.After = page[len(page)-1].Cursor()
			}
		}
		if backward {
			slices.Reverse(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("backward %t: got %v, want %v", backward, got, want)
		}
	}
	write(t, s, s.WriteRemoval(lane.Locks, want[0]))
	write(t, s, s.WriteRemoval(lane.Locks, want[0]))
	if got, err := s.EntriesOf(t.Context(), lane.Locks, want[0].Repository); err != nil || len(got) != 1 || got[0].PullRequest != want[1] {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := s.Entries(t.Context(), lane.Waiting, acme, lane.Query{Limit: 9}); err != nil || len(got) != 0 {
		t.Errorf("the other list has %v, %v", got, err)
	}
}

// fill gives a repository some of everything that a lane can have.
func fill(t *testing.T, s lane.Store, r vcs.Repository) {
	t.Helper()
	for n := range 3 {
		if err := s.Ask(t.Context(), lane.Request{Kind: lane.Command, Repository: r, Comment: fmt.Sprint(n), At: born}, born); err != nil {
			t.Fatal(err)
		}
	}
	h, ok, err := s.Enter(t.Context(), r, born)
	if err != nil || !ok {
		t.Fatalf("enter: %t, %v", ok, err)
	}
	pending := first(t, h)
	p := r.PullRequest(17)
	row, err := s.WritePull(p, lane.Row{Body: json.RawMessage("1")})
	must(t, err)
	check := born.Add(24 * time.Hour)
	state, err := s.WriteState(r, lane.Row{Body: json.RawMessage("1"), Check: check})
	must(t, err)
	more := append(s.WriteCheck(r, time.Time{}, check), row, state)
	for _, l := range []lane.List{lane.Locks, lane.Waiting} {
		entry, err := s.WriteEntry(l, lane.Entry{PullRequest: p, Since: born, Body: json.RawMessage("1")})
		must(t, err)
		more = append(more, entry)
	}
	d := decision("comment")
	noise := make([]byte, 100_000)
	_, _ = rand.Read(noise)
	d.Effects[0].Body, err = json.Marshal(noise)
	must(t, err)
	decide(t, h, pending, d, more...)
	must(t, s.RecordMerged(t.Context(), r, []lane.Merged{{Dirspace: dirspaces(1)[0], Number: 17, Place: 1}}))
	leave(t, h, false)
}

// lines returns the items of the table as texts.
func lines(env *storagetest.Env) []string {
	return slices.Sorted(strings.Lines(env.Dump("EvaluationTable")))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRemovalTakesAllOfARepositoryOrInstallationAndNothingOfOthers(t *testing.T) {
	t.Parallel()
	type remove = func(limit int) (int, bool, error)
	for name, pick := range map[string]func(lane.Store) ([]vcs.Repository, remove){
		"repository": func(s lane.Store) ([]vcs.Repository, remove) {
			return []vcs.Repository{acme.Repository("7")}, func(limit int) (int, bool, error) {
				return s.RemoveRepository(t.Context(), acme.Repository("7"), limit)
			}
		},
		"installation": func(s lane.Store) ([]vcs.Repository, remove) {
			return []vcs.Repository{acme.Repository("7"), acme.Repository("8")}, func(limit int) (int, bool, error) { return s.RemoveInstallation(t.Context(), acme, limit) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, s := open(t)
			if name == "repository" {
				fill(t, s, acme.Repository("70"))
			}
			fill(t, s, vcs.Installation{VCS: vcs.GitLab, ID: "42"}.Repository("7"))
			fill(t, s, vcs.Installation{VCS: vcs.GitHub, ID: "420"}.Repository("6"))
			before := lines(env)
			list, remove := pick(s)
			for _, r := range list {
				fill(t, s, r)
			}
			calls := 0
			for more := true; more; calls++ {
				var err error
				if _, more, err = remove(2); err != nil || calls > 100 {
					t.Fatalf("after %d calls: %v", calls, err)
				}
			}
			if after := lines(env); !slices.Equal(before, after) {
				t.Errorf("before:\n%v\nafter:\n%v", before, after)
			}
			for _, r := range list {
				if more, err := s.Objects.Remove(t.Context(), lane.Folder(r), 1); err != nil || more {
					t.Errorf("%s has objects: %v", r, err)
				}
			}
			if calls < 4 {
				t.Errorf("%d calls: the limit does not count", calls)
			}
			if got := due(t, s, time.Hour); len(got) == 0 {
				t.Error("nothing of others is due")
			}
		})
	}
}

func TestHolderOfARemovedLaneLosesIt(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	p := only(t, h)
	for more := true; more; {
		var err error
		_, more, err = s.RemoveRepository(t.Context(), repository, 100)
		must(t, err)
	}
	_, err := h.Decide(t.Context(), p, decision("comment"))
	refused(t, "decide", err, lane.ErrLost)
	leave(t, h, false)
}
