package access

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Step is the question at which a request was refused.
type Step string

// The steps, in the order in which they are asked.
const (
	// StepCredential asks who calls: is the credential good, and of a kind that the
	// route takes?
	StepCredential Step = "credential"
	// StepCapability asks what the credential may do.
	StepCapability Step = "capability"
	// StepRestriction asks where the credential may act.
	StepRestriction Step = "restriction"
	// StepMembership asks whether the user belongs to the installation.
	StepMembership Step = "membership"
	// StepAccount asks for the user, and its account at the VCS.
	StepAccount Step = "account"
	// StepHost asks the VCS host.
	StepHost Step = "host"
	// StepSignature asks whether a delivery is its host's.
	StepSignature Step = "signature"
)

// Refusal is a fault.ErrForbidden with its reason. The reason is for the log
// alone: the answer to the caller is the same for all, and empty. Its text holds
// no part of a credential and none of a value.
type Refusal struct {
	// Step is the question at which the request was refused.
	Step Step
	// Why says what was missing, in a sentence.
	Why string
}

// Refuse makes a Refusal.
func Refuse(step Step, format string, args ...any) error {
	return &Refusal{Step: step, Why: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (r *Refusal) Error() string { return string(r.Step) + ": " + r.Why }

// Unwrap makes errors.Is and errors.As find fault.ErrForbidden.
func (r *Refusal) Unwrap() error { return fault.ErrForbidden }

// Attrs is the refusal of a request to target as log lines have it: the
// attributes step, why, vcs and installation. What a target's parts are not, a
// VCS and a number, is left out: a path may hold anything.
func (r *Refusal) Attrs(target Target) []slog.Attr {
	if !slices.Contains(VCSNames(), target.VCS) {
		target.VCS = ""
	}
	if !isID(target.Installation) {
		target.Installation = ""
	}
	return []slog.Attr{
		slog.String("step", string(r.Step)), slog.String("why", r.Why),
		slog.String("vcs", target.VCS), slog.String("installation", target.Installation),
	}
}

// maxID is how many digits an id of a host has at most.
const maxID = 19

func isID(text string) bool { return len(text) <= maxID && strings.Trim(text, "0123456789") == "" }

// missing names the capabilities that the set lacks, as a list with commas.
func (s Set) missing(needs []Capability) string {
	var names []string
	for _, c := range needs {
		if !s.Has(c) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// restrictions names where the set may act, as a list with commas.
func (s Set) restrictions() string {
	var places []string
	for _, c := range s {
		if c.Restricts() && (isID(c.Value) || slices.Contains(VCSNames(), c.Value)) {
			places = append(places, c.Name+" "+c.Value)
		}
	}
	return strings.Join(places, ", ")
}
