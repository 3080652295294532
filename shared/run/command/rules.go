package command

import (
	"context"
	"time"

	"github.com/opsplane/opsplane/shared/run"
)

// Rules decide whether a run may be made. They are asked before the run is created,
// when the host has said that its pull request is open, or that its branch exists.
type Rules interface {
	// Admit returns the plans that the run is to use: an apply has one for each of its
	// dirspaces, and a plan has none. If the run may not be made, it returns a fault
	// that says what to do next.
	Admit(ctx context.Context, s run.Spec, now time.Time) ([]Use, error)
}

// Use is a stored plan that an apply uses for a dirspace.
type Use struct {
	Dirspace run.Dirspace
	// Plan is the run that has made the plan.
	Plan run.ID
	// Digest is the SHA-256 of the plan, in hexadecimal digits.
	Digest string
}
