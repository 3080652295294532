// Package command has the rules of the commands that start runs by API: what a
// request may ask for, and which plans an apply uses. It does no I/O: its callers give
// it what they have read.
package command

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Limits of a command.
const (
	// MaxDirspaces is the largest number of dirspaces.
	MaxDirspaces = 5000
	// MaxName is the largest length of the name of a branch, of an environment and of
	// a runner's label, in bytes. GitHub and GitLab allow 255.
	MaxName = 255
	// MaxLabels is the largest number of labels of a runner.
	MaxLabels = 20
)

// Target is what a run works on: the head of a pull request, or a branch.
type Target struct {
	// Kind is run.PullRequest with a Number, or run.Branch or run.Drift with a Branch.
	Kind   run.KindName
	Number int64
	Branch string
}

// Start is a request to start a run.
type Start struct {
	// Type is run.Plan or run.Apply.
	Type   run.Type
	Target Target
	// Dirspaces are sorted and without repetition.
	Dirspaces []run.Dirspace
	// Environment, RunsOn and TagQuery are those of run.Spec. They may be empty.
	Environment, RunsOn, TagQuery string
}

// Check returns a fault unless the request may be made.
func (s Start) Check() error {
	switch {
	case s.Type != run.Plan && s.Type != run.Apply:
		return fault.Invalidf("INVALID_RUN_TYPE", "a run that is started by API is a plan or an apply, not %.40q", s.Type)
	case len(s.Dirspaces) == 0:
		return fault.Invalidf("NO_DIRSPACES", "name at least one directory with its workspace in dirspaces")
	case len(s.Dirspaces) > MaxDirspaces:
		return fault.Invalidf("TOO_MANY_DIRSPACES", "the request has %d dirspaces; at most %d are possible in one run: send several requests", len(s.Dirspaces), MaxDirspaces)
	case s.Target.Kind == run.PullRequest && s.Target.Number < 1:
		return fault.Invalidf("INVALID_PULL_NUMBER", "the first pull request has the number 1")
	case s.Target.Kind != run.PullRequest && !validBranch(s.Target.Branch):
		return fault.Invalidf("INVALID_BRANCH", "%.80q cannot be the name of a branch; send it as the host shows it, such as main", s.Target.Branch)
	case len(s.Environment) > MaxName || !shown(s.Environment):
		return fault.Invalidf("INVALID_ENVIRONMENT", "an environment has a name of at most %d bytes, without control characters", MaxName)
	}
	return nil
}

// validBranch reports whether a text can be the name of a branch ("git
// check-ref-format", Git documentation). The host decides whether there is one.
func validBranch(name string) bool {
	return name != "" && len(name) <= MaxName && shown(name) && !strings.ContainsAny(name, " ~^:?*[\\") && !strings.Contains(name, "..") &&
		!strings.HasPrefix(name, "/") && !strings.HasSuffix(name, "/") && !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, "refs/")
}

func shown(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// RunsOn returns the labels of a runner as JSON text. It is empty for no labels.
func RunsOn(labels []string) (string, error) {
	if len(labels) == 0 {
		return "", nil
	}
	if len(labels) > MaxLabels {
		return "", fault.Invalidf("INVALID_RUNS_ON", "runs_on has %d labels; at most %d are possible", len(labels), MaxLabels)
	}
	for _, label := range labels {
		if label == "" || len(label) > MaxName || !shown(label) {
			return "", fault.Invalidf("INVALID_RUNS_ON", "a label in runs_on has 1 to %d bytes, without control characters", MaxName)
		}
	}
	text, err := json.Marshal(labels)
	if len(text) > run.MaxRunsOn {
		return "", fault.Invalidf("INVALID_RUNS_ON", "the labels in runs_on have more than %d bytes together", run.MaxRunsOn)
	}
	return string(text), err
}

// Digest returns the SHA-256 of what a request asks for. Equal requests have equal
// digests. again is the run that is to be run again; it is empty for a new one.
func (s Start) Digest(of vcs.Repository, again run.ID) [sha256.Size]byte {
	text, _ := json.Marshal(struct { // of texts and numbers
		Repository vcs.Repository
		Again      run.ID
		Start      Start
	}{of, again, s})
	return sha256.Sum256(text)
}

// Again returns the request that starts a run like another one: with the same
// dirspaces, on the same pull request or branch, at its head as it is then.
func Again(r run.Run) (Start, error) {
	if !r.Type.IsPlan() && !r.Type.IsApply() {
		return Start{}, fault.Invalidf("RUN_NOT_REPEATABLE", "a run of the type %s is not started by API; only plans and applies are", r.Type.Shown())
	}
	s := Start{
		Type: r.Type.Shown(), Target: Target{Kind: r.Kind.Name, Number: r.Kind.Number}, Dirspaces: r.Dirspaces,
		Environment: r.Environment, RunsOn: r.RunsOn, TagQuery: r.TagQuery,
	}
	if s.Target.Kind != run.PullRequest {
		s.Target.Branch = r.Source.Branch
	}
	return s, nil
}

// named returns the first of some dirspaces, for a text.
func named(list []run.Dirspace) string {
	const most = 3
	var text []string
	for i, d := range list {
		if i == most {
			text = append(text, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		text = append(text, d.String())
	}
	return strings.Join(text, ", ")
}
