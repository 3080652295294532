package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

func spec() run.Spec {
	return run.Spec{
		ID: run.NewID(), Repository: vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7"), Owner: "acme", Name: "infra",
		Type: run.Plan, Kind: run.Kind{Name: run.PullRequest, Number: 17, Title: "Add bucket"},
		Base: run.Ref{Branch: "main", Commit: "aa"}, Source: run.Ref{Branch: "feature", Commit: "bb"}, Principal: "ann",
		Dirspaces: []run.Dirspace{{Dir: "net", Workspace: "default"}}, DirspaceCount: 1,
	}
}

func TestOnlyCompleteSpecsAreValid(t *testing.T) {
	t.Parallel()
	if err := spec().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*run.Spec){
		"id in upper case":            func(s *run.Spec) { s.ID = run.ID(strings.ToUpper(string(s.ID))) },
		"no id":                       func(s *run.Spec) { s.ID = "" },
		"no repository":               func(s *run.Spec) { s.Repository.ID = "" },
		"unknown host":                func(s *run.Spec) { s.Repository.Installation.VCS = "svn" },
		"unknown type":                func(s *run.Spec) { s.Type = "destroy" },
		"no kind":                     func(s *run.Spec) { s.Kind = run.Kind{} },
		"pull request without number": func(s *run.Spec) { s.Kind.Number = 0 },
		"drift with a number":         func(s *run.Spec) { s.Kind.Name = run.Drift },
		"no branch":                   func(s *run.Spec) { s.Source.Branch = "" },
		"no base commit":              func(s *run.Spec) { s.Base.Commit = "" },
		"no principal":                func(s *run.Spec) { s.Principal = "" },
		"long title":                  func(s *run.Spec) { s.Kind.Title = strings.Repeat("x", run.MaxText+1) },
		"long tag query":              func(s *run.Spec) { s.TagQuery = strings.Repeat("x", run.MaxTagQuery+1) },
		"no dirspaces":                func(s *run.Spec) { s.Dirspaces, s.DirspaceCount = nil, 0 },
		"wrong count":                 func(s *run.Spec) { s.DirspaceCount = 2 },
		"dirspace in another form":    func(s *run.Spec) { s.Dirspaces[0].Dir = "./net" },
		"dirspace twice":              func(s *run.Spec) { s.Dirspaces, s.DirspaceCount = append(s.Dirspaces, s.Dirspaces[0]), 2 },
		"too many dirspaces": func(s *run.Spec) {
			s.Dirspaces, s.DirspaceCount = make([]run.Dirspace, run.MaxDirspaces+1), run.MaxDirspaces+1
		},
	} {
		s := spec()
		if change(&s); s.Validate() == nil {
			t.Errorf("%s: the run is valid", name)
		}
	}
	builder := spec()
	builder.Type, builder.Dirspaces, builder.DirspaceCount = run.BuildTree, nil, 0
	if err := builder.Validate(); err != nil {
		t.Errorf("a builder without dirspaces: %v", err)
	}
}

func TestOriginOfARunIsThatOfItsUnlock(t *testing.T) {
	t.Parallel()
	s := spec()
	origins := map[run.Origin]bool{s.Origin(): true}
	if s.Origin() != run.OriginOfPullRequest(17) {
		t.Errorf("pull request: got %q", s.Origin())
	}
	if s.Kind = (run.Kind{Name: run.Drift}); s.Origin() != run.OriginOfDrift || origins[s.Origin()] {
		t.Errorf("drift: got %q", s.Origin())
	}
	if s.Kind = (run.Kind{Name: run.Branch}); s.Origin() != run.OriginOfBranch("feature") || origins[s.Origin()] {
		t.Errorf("branch: got %q", s.Origin())
	}
}

func TestCommitIsCheckedUnlessTheRunIsOnItsDestination(t *testing.T) {
	t.Parallel()
	s := spec()
	if !s.AcceptsCommit("bb") || s.AcceptsCommit("aa") || s.AcceptsCommit("") {
		t.Error("another commit is accepted than the source's")
	}
	s.Base = s.Source
	if !s.AcceptsCommit("cc") {
		t.Error("a run on its destination branch refuses a commit")
	}
	if s.Kind = (run.Kind{Name: run.Branch}); s.AcceptsCommit("cc") || !s.AcceptsCommit("bb") {
		t.Error("a run that somebody started on a branch accepts another commit")
	}
}

func TestReasonsSayWhatAPersonCanDo(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2*run.MaxReason)
	seen := map[run.ReasonCode]bool{}
	for _, r := range []run.Reason{
		run.ReasonByPerson("ann"), run.ReasonUnlocked("ann"), run.ReasonSuperseded(run.NewID()), run.ReasonWrongCommit("aa", "bb"),
		run.ReasonWorkflowMissing(".github/workflows/terrateam.yml"), run.ReasonDispatchRefused(long), run.ReasonBranchMissing(long),
		run.ReasonHostUnavailable(time.Hour, "status 502"), run.ReasonNeverStarted(15 * time.Minute), run.ReasonNeverReported(24 * time.Hour),
		run.ReasonJobFailed("https://host/1"), run.ReasonJobCancelled("https://host/1"), run.ReasonJobTimedOut("https://host/1"),
		run.ReasonResultRefused("it is too large"), run.ReasonRepositoryRemoved(), run.ReasonMoved("bb"), run.ReasonClosed(),
	} {
		if r.Code == "" || seen[r.Code] {
			t.Errorf("the code %q is missing or is used twice", r.Code)
		}
		seen[r.Code] = true
		if len(r.Text) == 0 || len(r.Text) > run.MaxReason || strings.Contains(r.Text, "%!") || !strings.HasSuffix(r.Text, ".") {
			t.Errorf("%s: %q is no text for people", r.Code, r.Text)
		}
		if strings.Count(r.Text, ". ") == 0 && strings.Count(r.Text, ".") < 2 {
			t.Errorf("%s: %q does not say what to do", r.Code, r.Text)
		}
	}
}
