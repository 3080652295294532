//go:build unix

package source_test

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// TestEventsCauseTheCallsThatTheDocumentSays makes the reads of each row of "Host calls" in
// costs.md, and counts what arrives at the host.
func TestEventsCauseTheCallsThatTheDocumentSays(t *testing.T) {
	t.Parallel()
	document, err := costs.Read()
	if err != nil {
		t.Fatal(err)
	}
	table, err := document.Table("Host calls")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, row := range table {
		if _, twice := want[row["Event"]]; twice {
			t.Errorf("the row %q stands twice", row["Event"])
		}
		want[row["Event"]] = row["Calls"]
	}

	const plain = "dirs: {a: {}}"
	opened := vcshost.PullRequest{Number: 17, Open: true, Merge: vcshost.MergePossible, SHA: "c1", Author: vcshost.Profile{ID: "1", Login: "ann"}}
	unknown := opened
	unknown.Merge = vcshost.MergeUnknown
	ask := func(t *testing.T, h *host, config string, o rules.Operation) {
		t.Helper()
		c, list := configured(t, config)
		if _, _, err := source.Facts(t.Context(), h, place.Described, opened, source.Asking{Operation: o, Config: c, Dirspaces: list, CIFile: "ci.yml", Actor: vcshost.Profile{ID: "1", Login: "bob"}}); err != nil {
			t.Fatal(err)
		}
	}
	pull := func(t *testing.T, r rig, h *host, w source.Wanted) {
		t.Helper()
		if _, err := source.Settled(t.Context(), h, place.Described, 17); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Load(t.Context(), h, place, w); err != nil || len(got.Mistakes) > 0 {
			t.Fatal(got.Mistakes, err)
		}
	}
	// known has read everything of the pull request at the commits c0 and c1.
	known := func(t *testing.T, r rig, h *host) {
		t.Helper()
		pull(t, r, h, onPull)
		h.take()
	}
	pushed, merged, drift := onPull, onPull, onPull
	pushed.Commit, pushed.Head = "c2", "c2"
	merged.Commit, merged.Default.SHA = "c2", "c2"
	drift.Commit, drift.All = "c0", true
	scenarios := map[string]func(*testing.T, rig, *host){
		"pull request opened": func(t *testing.T, r rig, h *host) { pull(t, r, h, onPull) },
		"pull request opened, no configuration file": func(t *testing.T, r rig, h *host) {
			h.commits = map[string]map[string][]byte{"c0": tree("", "a/x.tf"), "c1": tree("", "a/x.tf")}
			pull(t, r, h, onPull)
		},
		"pull request opened, the host does not know at once whether it can be merged": func(t *testing.T, r rig, h *host) {
			h.pulls = []vcshost.PullRequest{unknown, opened}
			pull(t, r, h, onPull)
		},
		"pull request opened, 3,000 changed files among 100,000": func(t *testing.T, r rig, h *host) {
			big := large(storagetest.Sample(100_000, 3000), 3000)
			h.commits, h.changes = big.commits, big.changes
			pull(t, r, h, onPull)
		},
		"event of the same commits again": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, onPull)
		},
		"new commit": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, pushed)
		},
		"merge": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			h.pulls = []vcshost.PullRequest{{Number: 17, Merged: true}}
			pull(t, r, h, merged)
		},
		"comment `plan`, everybody may": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, onPull)
			ask(t, h, plain, rules.OpPlan)
		},
		"comment `plan`, a team may": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, onPull)
			ask(t, h, policies("plan: ['team:dev']"), rules.OpPlan)
		},
		"comment `apply`, no approval needed": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, onPull)
			ask(t, h, plain, rules.OpApply)
		},
		"comment `apply`, two approvals of a team needed, three people approve": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, onPull)
			ask(t, h, approved("any_of: ['team:dev'], any_of_count: 2"), rules.OpApply)
		},
		"comment `apply-force`": func(t *testing.T, r rig, h *host) {
			known(t, r, h)
			pull(t, r, h, onPull)
			ask(t, h, plain, rules.OpApplyForce)
		},
		"comment `unlock`, a role may": func(t *testing.T, r rig, h *host) {
			c, _ := configured(t, "access_control: {unlock: ['role:write']}")
			if _, err := source.Unlocker(t.Context(), h, place.Described, c.AccessControl, vcshost.Profile{ID: "1", Login: "bob"}); err != nil {
				t.Fatal(err)
			}
		},
		"search for drift": func(t *testing.T, r rig, h *host) {
			if got, err := r.Load(t.Context(), h, place, drift); err != nil || len(got.Set.Members) == 0 {
				t.Fatal(got.Mistakes, err)
			}
		},
	}
	for name := range want {
		if scenarios[name] == nil {
			t.Errorf("nothing counts the calls of %q", name)
		}
	}
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			h := &host{
				commits: map[string]map[string][]byte{"c0": tree(plain, "a/x.tf"), "c1": tree(plain, "a/x.tf"), "c2": tree(plain, "a/x.tf")},
				changes: map[string][]vcshost.FileChange{"c0...c1": {{Path: "a/x.tf"}}, "c0...c2": {{Path: "a/x.tf"}}},
				pulls:   []vcshost.PullRequest{opened}, teams: map[string][]string{"dev": {"bob", "dan", "eve"}}, reviews: vcshost.Reviews{List: reviews("cyd+ dan+ eve+")},
			}
			scenario(t, r, h)
			calls, listed := want[name]
			if got := h.take(); got != calls || !listed {
				t.Errorf("counted %q, costs.md says %q", got, calls)
			}
		})
	}
}
