package main

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
)

// TestPlansGoWhenTheirPullRequestEnds looks from when on the plans of pull requests are due
// to be removed.
func TestPlansGoWhenTheirPullRequestEnds(t *testing.T) {
	t.Parallel()
	const never = time.Duration(-1)
	at := func(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
	for name, c := range map[string]struct {
		posts []post
		want  time.Duration // after born
	}{
		"open":   {[]post{{"1", "pull_request", 0, pullEvent(17, "open", "One", 0)}}, never},
		"closed": {[]post{{"1", "pull_request", 0, pullEvent(17, "open", "One", 0)}, {"2", "pull_request", at(9), pullEvent(17, "closed", "One", 8)}}, at(8)},
		"merged": {[]post{{"1", "pull_request", at(9), pullEvent(17, "merged", "One", 8)}}, at(8) + mergedPlans},
		"closed, which arrives after the opening again": {
			[]post{{"1", "pull_request", at(9), pullEvent(17, "open", "One", 9)}, {"2", "pull_request", at(10), pullEvent(17, "closed", "One", 8)}}, never,
		},
		"closed, by a host whose clock is wrong": {[]post{{"1", "pull_request", at(9), pullEvent(17, "closed", "One", 86400)}}, at(9)},
		"closed, and told again":                 {[]post{{"1", "pull_request", at(9), pullEvent(17, "closed", "One", 8)}, {"2", "pull_request", at(10), pullEvent(17, "closed", "One", 8)}}, at(8)},
		"merge request closed":                   {[]post{{"1", "Merge Request Hook", at(9), mergeHook("infra", "close", "closed", 8)}}, at(8)},
		"merge request merged":                   {[]post{{"1", "Merge Request Hook", at(9), mergeHook("infra", "merge", "merged", 8)}}, at(8) + mergedPlans},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			in, number := vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7"), int64(17)
			for _, p := range c.posts {
				d := github(p.id, p.event, p.after)
				if p.event == "Merge Request Hook" {
					d = gitlab(p.id, p.event, p.after)
					in, number = d.Installation.Repository("501"), 1
				}
				if invoke(t, r.worker, r.arrive(t, d, p.body)) != 1 {
					t.Fatal("not done")
				}
			}
			found, err := r.facts.runs.ClosedDue(t.Context(), born.Add(30*24*time.Hour), 10)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == never {
				if len(found) > 0 {
					t.Errorf("got %+v, want nothing", found)
				}
				return
			}
			if len(found) == 0 || found[0].Repository != in || found[0].Number != number {
				t.Fatalf("got %+v", found)
			}
			for wait, want := range map[time.Duration]bool{c.want - time.Millisecond: false, c.want: true} {
				if found, err := r.facts.runs.ClosedDue(t.Context(), born.Add(wait), 10); err != nil || len(found) > 0 != want {
					t.Errorf("after %s: got %+v, %v", wait, found, err)
				}
			}
		})
	}
}
