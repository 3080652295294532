package kv

import (
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// Condition is what a write requires of the row that it replaces. The zero value
// requires nothing.
type Condition struct {
	// Absent requires that the row does not exist in any form, not even as a draft
	// or as a row that the caller may not read.
	Absent bool
	// Version, if not nil, requires that the row is at this version.
	Version *int
}

// rule returns the condition as a rule for a caller with these capabilities.
func (cond Condition) rule(caps access.Set) rule {
	switch {
	case cond.Absent:
		return rule{
			guess: []table.Condition{table.Absent(kvitem.Version)},
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
		guess: []table.Condition{table.Absent(kvitem.WriteCaps), table.AbsentOr(kvitem.Version, table.Less(kvitem.Version, attr.Int(MaxVersion)))},
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
		guess: []table.Condition{
			table.Absent(kvitem.WriteCaps), table.Equal(kvitem.Version, attr.Int(int64(version))), table.Less(kvitem.Version, attr.Int(MaxVersion)),
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

// rule is what a write requires of the present row.
type rule struct {
	// guess holds in the common case. If all of these conditions hold, judge would
	// allow the write. So the common case needs one call and no read.
	guess []table.Condition
	// judge decides on a cell that was read. It returns nil if the write may go on.
	judge func(cell) error
}
