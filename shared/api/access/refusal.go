package access

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Step is the check at which a request was refused.
type Step string

// The steps, in the order in which they are checked.
const (
	// StepCredential checks who calls: the credential is valid, and the route
	// accepts its kind.
	StepCredential Step = "credential"
	// StepCapability checks what the credential may do.
	StepCapability Step = "capability"
	// StepRestriction checks where the credential may act.
	StepRestriction Step = "restriction"
	// StepMembership checks whether the user is a member of the installation.
	StepMembership Step = "membership"
	// StepAccount checks the user and the user's account at the VCS.
	StepAccount Step = "account"
	// StepHost asks the host.
	StepHost Step = "host"
	// StepSignature checks whether a delivery comes from its host.
	StepSignature Step = "signature"
)

// Refusal is a fault.ErrForbidden with its reason. Only the log shows the reason:
// every caller gets the same response, which is empty. The reason holds no part of
// a credential and no stored value.
type Refusal struct {
	// Step is the check at which the request was refused.
	Step Step
	// Why says what was missing, in a sentence.
	Why string
}

// Refuse returns a Refusal.
func Refuse(step Step, format string, args ...any) error {
	return &Refusal{Step: step, Why: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (r *Refusal) Error() string { return string(r.Step) + ": " + r.Why }

// Unwrap makes errors.Is and errors.As find fault.ErrForbidden.
func (r *Refusal) Unwrap() error { return fault.ErrForbidden }

// Attrs returns the log attributes of a refused request to the target: step, why,
// vcs and installation. It leaves out a VCS that is not supported and an id that is
// not valid, because a path may hold anything.
func (r *Refusal) Attrs(target vcs.Installation) []slog.Attr {
	if !target.VCS.Valid() {
		target.VCS = ""
	}
	if !target.ID.Valid() {
		target.ID = ""
	}
	return []slog.Attr{
		slog.String("step", string(r.Step)), slog.String("why", r.Why),
		slog.String("vcs", string(target.VCS)), slog.String("installation", string(target.ID)),
	}
}

// missing returns the names of the needed capabilities that the set lacks,
// separated by commas.
func (s Set) missing(needs []Capability) string {
	var names []string
	for _, c := range needs {
		if !s.Has(c) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// restrictions returns where the set may act, separated by commas.
func (s Set) restrictions() string {
	var places []string
	for _, c := range s {
		if c.Restricts() && (vcs.ID(c.Value).Valid() || vcs.VCS(c.Value).Valid()) {
			places = append(places, c.Name+" "+c.Value)
		}
	}
	return strings.Join(places, ", ")
}
