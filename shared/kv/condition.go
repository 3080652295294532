package kv

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Condition is what a write asks of the row that it replaces. The zero value
// asks nothing.
type Condition struct {
	// Absent asks that there is no such row in any form.
	Absent bool
	// Version, if given, asks that the row is at this version.
	Version *int
}

// rule is the condition as a caller with these capabilities has to meet it.
func (cond Condition) rule(caps access.Set) rule {
	switch {
	case cond.Absent:
		return rule{
			guess: func(e *edit) { e.requireAbsent("vr") },
			judge: func(c cell) error {
				if c.exists() {
					return fault.ErrUnmet
				}
				return nil
			},
		}
	case cond.Version != nil:
		return atVersion(*cond.Version, caps)
	}
	return rule{
		guess: func(e *edit) {
			e.requireAbsent("wc")
			e.values[":max"] = attr.Int(MaxVersion)
			e.require("(attribute_not_exists(vr) OR vr < :max)")
		},
		judge: func(c cell) error {
			switch {
			case c.exists() && !allowed(c.writeCaps, caps):
				return access.Refuse(access.StepCapability, "the credential lacks a capability that the write_caps of the row ask for")
			case c.exists() && *c.version >= MaxVersion:
				return errVersionLimit
			}
			return nil
		},
	}
}

func atVersion(version int, caps access.Set) rule {
	return rule{
		guess: func(e *edit) {
			e.requireAbsent("wc")
			e.requireEqual("vr", attr.Int(int64(version)))
			e.values[":max"] = attr.Int(MaxVersion)
			e.require("vr < :max")
		},
		judge: func(c cell) error {
			switch {
			case !c.exists() || *c.version != version || !allowed(c.writeCaps, caps):
				return fault.ErrUnmet
			case *c.version >= MaxVersion:
				return errVersionLimit
			}
			return nil
		},
	}
}

var errVersionLimit = fault.Invalidf("VERSION_LIMIT",
	"the row is at version %d, the last there is; delete it to start again at 0", MaxVersion)

// rule is what a write asks of the row as it stands.
type rule struct {
	// guess adds conditions that hold in the common case and from which the
	// rule's consent follows, so that one call does without a read.
	guess func(*edit)
	// judge decides on a cell that was read; nil lets the write go on.
	judge func(cell) error
}
