package run

import (
	"errors"
	"fmt"

	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of the texts of a run, in bytes. The run's item must stay small, because
// each transition writes it.
const (
	MaxText     = 1000 // of a name, a branch, a title
	MaxTagQuery = 4000
	MaxRunsOn   = 4000
)

// Ref is a branch and the commit that it had.
type Ref struct {
	// Branch is the name of the branch, such as "main".
	Branch string
	// Commit is the id of the commit.
	Commit string
}

// Spec is what never changes about a run.
type Spec struct {
	ID         ID
	Repository vcs.Repository
	// Owner and Name are those of the repository when the run was created.
	Owner, Name string
	Type        Type
	Kind        Kind
	// Base is where the change will go. Source is what the run works on. They are
	// equal for runs on a branch itself, such as those that look for drift.
	Base, Source Ref
	// Environment is the host's environment for the CI job. It may be empty.
	Environment string
	// RunsOn says which runners the CI job may use, as JSON text. It may be empty.
	RunsOn string
	// TagQuery is the tag query of the command that made the run. It may be empty.
	TagQuery string
	// User is the name that is shown as the initiator. It may be empty.
	User string
	// Principal is who made the run, as in the audit trail.
	Principal string
	// Dirspaces are what the run works on, without repetition. Their order never
	// changes: outcomes have the same order. It is empty for builders, and where the
	// reader did not ask for it.
	Dirspaces []Dirspace
	// DirspaceCount is the number of dirspaces, also where Dirspaces was not read.
	DirspaceCount int
}

// Origin returns what the run came from.
func (s Spec) Origin() Origin {
	switch s.Kind.Name {
	case PullRequest:
		return OriginOfPullRequest(s.Kind.Number)
	case Drift:
		return OriginOfDrift
	default:
		return OriginOfBranch(s.Source.Branch)
	}
}

// AcceptsCommit reports whether a CI job that has checked out the commit may do the
// run. A run of a pull request or for drift that is on the destination branch itself
// accepts each commit: the host keeps naming the commit of that branch from the time
// of the pull request (runner protocol, 13.3). A run that somebody started on a branch
// accepts no other commit than its own, because its plan was read for that one.
func (s Spec) AcceptsCommit(commit string) bool {
	return commit == s.Source.Commit || s.Kind.Name != Branch && s.Base.Commit == s.Source.Commit
}

// Validate returns an error that says what is wrong with a new run.
func (s Spec) Validate() error {
	if id, err := ParseID(string(s.ID)); err != nil || id != s.ID {
		return fmt.Errorf("the id %q is not a lower-case UUID", s.ID)
	}
	if r := s.Repository; !r.Installation.VCS.Valid() || !r.Installation.ID.Valid() || !r.ID.Valid() {
		return fmt.Errorf("%q names no repository", r)
	}
	if !s.Type.Valid() {
		return fmt.Errorf("the type %q is unknown", s.Type)
	}
	return errors.Join(s.Kind.valid(), s.validTexts(), s.validDirspaces())
}

func (s Spec) validTexts() error {
	for _, text := range []struct {
		name, value string
		most        int
		needed      bool
	}{
		{"owner", s.Owner, MaxText, true},
		{"name", s.Name, MaxText, true},
		{"base branch", s.Base.Branch, MaxText, true},
		{"base commit", s.Base.Commit, MaxText, true},
		{"source branch", s.Source.Branch, MaxText, true},
		{"source commit", s.Source.Commit, MaxText, true},
		{"title", s.Kind.Title, MaxText, false},
		{"environment", s.Environment, MaxText, false},
		{"user", s.User, MaxText, false},
		{"principal", s.Principal, MaxText, true},
		{"tag query", s.TagQuery, MaxTagQuery, false},
		{"runs_on", s.RunsOn, MaxRunsOn, false},
	} {
		if text.needed && text.value == "" {
			return fmt.Errorf("the run has no %s", text.name)
		}
		if len(text.value) > text.most {
			return fmt.Errorf("the %s of the run has %d bytes; at most %d are possible", text.name, len(text.value), text.most)
		}
	}
	return nil
}

func (s Spec) validDirspaces() error {
	if len(s.Dirspaces) > MaxDirspaces {
		return fmt.Errorf("the run has %d dirspaces; at most %d are possible: split the change, or set batch_runs", len(s.Dirspaces), MaxDirspaces)
	}
	if len(s.Dirspaces) == 0 && (s.Type.IsPlan() || s.Type.IsApply()) {
		return fmt.Errorf("a run of type %q has no dirspaces", s.Type)
	}
	if s.DirspaceCount != len(s.Dirspaces) {
		return fmt.Errorf("the run says that it has %d dirspaces, but names %d", s.DirspaceCount, len(s.Dirspaces))
	}
	seen := make(map[Dirspace]struct{}, len(s.Dirspaces))
	for _, d := range s.Dirspaces {
		if !d.valid() {
			return fmt.Errorf("the dirspace %s is not in its one form", d)
		}
		if _, twice := seen[d]; twice {
			return fmt.Errorf("the dirspace %s occurs twice", d)
		}
		seen[d] = struct{}{}
	}
	return nil
}
