package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/explain"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// TestLargeExplanationKeepsWhatIsPlanned has more directories than a response carries. The
// one that is planned is the last.
func TestLargeExplanationKeepsWhatIsPlanned(t *testing.T) {
	t.Parallel()
	list := make([]evaluator.Explained, 20_001)
	for i := range list {
		list[i].Reason = explain.Reason{Dirspace: &matching.Dirspace{Dirspace: run.Dirspace{Dir: fmt.Sprintf("d%05d", i), Workspace: "default"}}, Why: strings.Repeat("w", 300)}
	}
	list[20_000].Planned, list[20_000].Layer = true, 1
	rows, omitted, err := fitting(list)
	if err != nil || omitted == 0 || len(rows)+omitted != len(list) {
		t.Fatalf("%d directories and %d omitted, %v", len(rows), omitted, err)
	}
	size := 0
	for _, row := range rows {
		size += len(row)
	}
	var first, last explained
	if err := json.Unmarshal(rows[0], &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(rows[len(rows)-1], &last); err != nil {
		t.Fatal(err)
	}
	if size > maxBytes || first.Dir != "d00000" || last.Dir != "d20000" || !last.Planned {
		t.Errorf("%d bytes, from %s to %+v", size, first.Dir, last)
	}
}

func TestFilesTouchDirectoriesAndThoseAbove(t *testing.T) {
	t.Parallel()
	files := []string{"README.md", "docs/a/b.md", "net/modules/x/main.tf"}
	touched := touchedBy(files)
	for dir, want := range map[string]bool{".": true, "docs": true, "docs/a": true, "net": true, "net/modules/x": true, "app": false, "ne": false} {
		if touched[dir] != want {
			t.Errorf("%s is touched: %t, want %t", dir, touched[dir], want)
		}
	}
	if touchedBy(files[1:])["."] {
		t.Error("files below a directory touch the root")
	}
	known := make([]evaluator.Explained, 2)
	known[0].Reason.Dirspace = &matching.Dirspace{Dirspace: run.Dirspace{Dir: "net"}}
	known[1].Reason.Dirspace = &matching.Dirspace{Dirspace: run.Dirspace{Dir: "."}}
	if got := outside(files, known); !slices.Equal(got, []string{"docs/a/b.md"}) {
		t.Errorf("outside are %q", got)
	}
}

// roles is a host that says that everybody may write.
type roles struct{ evaluator.Host }

func (roles) Role(context.Context, vcs.Description, vcshost.Profile) (string, error) {
	return "write", nil
}

// TestPageForTheCallerEndsAfterItsQuestions has pull requests of many repositories, each with
// a question, and two of each.
func TestPageForTheCallerEndsAfterItsQuestions(t *testing.T) {
	t.Parallel()
	var list []evaluator.Waiting
	for n := range int64(2 * maxAsked) {
		for number := range int64(2) {
			list = append(list, evaluator.Waiting{PullRequest: installation.Repository(vcs.ID(fmt.Sprint(n + 1))).PullRequest(number + 1), For: evaluator.ForApply})
		}
	}
	for seen := 0; seen < len(list); {
		p := &person{host: &memory{Host: roles{}, said: map[string]string{}}}
		chosen, on, err := p.choose(t.Context(), list[seen:])
		if err != nil || p.host.asked > maxAsked || len(chosen) == 0 {
			t.Fatalf("%d questions, %d chosen, %v", p.host.asked, len(chosen), err)
		}
		if seen += len(chosen); on != nil && *on != *placeOf(list[seen-1].PullRequest) {
			t.Fatalf("the page goes on behind %+v, want behind %s", on, list[seen-1].PullRequest)
		}
		if (on == nil) != (seen == len(list)) {
			t.Fatalf("after %d of %d, the page goes on behind %+v", seen, len(list), on)
		}
	}
}
