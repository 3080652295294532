package status_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/evaluation/status"
	"github.com/opsplane/opsplane/shared/run"
)

func TestNamesAreThoseThatBranchProtectionNames(t *testing.T) {
	t.Parallel()
	d := run.Dirspace{Dir: "net", Workspace: "default"}
	for got, want := range map[string]string{
		status.Of(status.Plan, d): "terrateam plan: net default", status.Of(status.Apply, d): "terrateam apply: net default",
		status.PreHooks(status.Plan): "terrateam plan pre-hooks", status.PostHooks(status.Apply): "terrateam apply post-hooks", status.Aggregate: "terrateam apply",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLongNamesStayDifferentAndShort(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range []run.Dirspace{
		{Dir: strings.Repeat("a/", 150) + "x", Workspace: "default"},
		{Dir: strings.Repeat("b/", 150) + "x", Workspace: "default"},
		{Dir: strings.Repeat("é", 200), Workspace: strings.Repeat("ü", 60)},
		{Dir: "d", Workspace: strings.Repeat("w", 200)},
	} {
		got := status.Of(status.Plan, d)
		if len(got) > 200 || !utf8.ValidString(got) || seen[got] || !strings.HasPrefix(got, "terrateam plan: ...") {
			t.Errorf("%s: got %q", d, got)
		}
		seen[got] = true
	}
	exact := run.Dirspace{Dir: strings.Repeat("d", 200-len("terrateam plan:  w")), Workspace: "w"}
	if got := status.Of(status.Plan, exact); len(got) != 200 || strings.Contains(got, "...") {
		t.Errorf("got %q", got)
	}
}
