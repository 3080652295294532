package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// drift makes a run one that looks for drift.
func drift(s *run.Spec) { s.Kind = run.Kind{Name: run.Drift} }

func TestDriftsAreThoseOfTheInstallationsThatTheTokenReaches(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const target = "/api/v1/admin/drifts"
	r.Caller.Memberships = []vcs.Installation{{VCS: "github", ID: "42"}, {VCS: "github", ID: "44"}, {VCS: "gitlab", ID: "42"}}
	var want []string
	for n := range 6 {
		in := []vcs.ID{"42", "44"}[n%2]
		want = append([]string{string(r.createAs(t, in, drift, "net"))}, want...)
		r.create(t, in, "net")
		r.createAs(t, "43", drift, "net")
	}
	type row struct {
		ID, State string
		Unlocked  bool
	}
	for _, limit := range []string{"", "?limit=1", "?limit=4"} {
		var all, back []string
		last := ""
		read := func(target string) (ids []string, links map[string]string) {
			got := r.Do(t, "GET", target, "")
			var page struct{ Results []row }
			got.Read(t, &page)
			for _, one := range page.Results {
				ids = append(ids, one.ID)
			}
			return ids, got.Links(t)
		}
		for next := target + limit; next != ""; {
			ids, links := read(next)
			all, last, next = append(all, ids...), next, links["next"]
		}
		for prev := last; prev != ""; {
			ids, links := read(prev)
			back, prev = append(ids, back...), links["prev"]
		}
		if !slices.Equal(all, want) || !slices.Equal(back, want) {
			t.Errorf("%s: got %v, backwards %v, want %v", limit, all, back, want)
		}
	}
	of := vcs.Installation{VCS: "github", ID: "44"}.Repository("7")
	before := r.createAs(t, "44", drift, "net")
	if _, err := r.store.Unlock(t.Context(), of, run.OriginOfDrift, "ann", r.Author()); err != nil {
		t.Fatal(err)
	}
	after := r.createAs(t, "44", drift, "net")
	var page struct{ Results []row }
	r.Do(t, "GET", target+"?limit=2", "").Read(t, &page)
	if got := fmt.Sprint(page.Results); got != fmt.Sprint([]row{{string(after), "queued", false}, {string(before), "aborted", true}}) {
		t.Errorf("around an unlock: %s", got)
	}
	partial := *r.Caller
	partial.Memberships, partial.Partial = nil, true
	session := *r.Caller
	session.Kind = access.KindSession
	without := *r.Caller
	without.Capabilities = access.Set{access.RunAdmin}
	for _, c := range []struct {
		caller access.Caller
		status int
	}{{partial, 400}, {session, 403}, {without, 403}} {
		if got := r.As(t, &c.caller, "GET", target, ""); got.StatusCode != c.status {
			t.Errorf("%+v: %d %s, want %d", c.caller, got.StatusCode, got.Body, c.status)
		}
	}
}
