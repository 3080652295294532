package run

import "slices"

// Type says what a run does, as it is stored.
type Type string

// The types. New runs have one of the first five. The others are read from older
// data, and are shown as one of the first five.
const (
	Plan        Type = "plan"
	Apply       Type = "apply"
	Index       Type = "index"
	BuildConfig Type = "build-config"
	BuildTree   Type = "build-tree"
	AutoPlan    Type = "autoplan"
	AutoApply   Type = "autoapply"
	UnsafeApply Type = "unsafe-apply"
)

var types = []Type{Plan, Apply, Index, BuildConfig, BuildTree, AutoPlan, AutoApply, UnsafeApply}

// Valid reports whether t is a known type.
func (t Type) Valid() bool { return slices.Contains(types, t) }

// Shown returns the type that the API shows: "plan" for an automatic plan, "apply"
// for an automatic or unsafe apply, and t itself for all others.
func (t Type) Shown() Type {
	switch t {
	case AutoPlan:
		return Plan
	case AutoApply, UnsafeApply:
		return Apply
	default:
		return t
	}
}

// IsPlan reports whether the run makes plans.
func (t Type) IsPlan() bool { return t.Shown() == Plan }

// IsApply reports whether the run changes infrastructure.
func (t Type) IsApply() bool { return t.Shown() == Apply }
