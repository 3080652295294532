package table

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Edit is a change of one item: assignments, removals, sums and differences, and the
// conditions under which the change is made. Each attribute may be in only one of these. The
// methods return the same Edit.
type Edit struct {
	key        Item
	sets       []assignment
	removes    []string
	sums       []assignment
	takes      []assignment
	conditions []Condition
	keepOld    bool
}

// assignment is one part of a change.
type assignment struct {
	name  string
	value Value
	first Value // the value of an absent attribute before the sum; nil for a plain value
	keep  bool  // the value is written only if the attribute is absent
}

// Change returns a change of the item with a key, which does nothing yet.
func Change(key Item) *Edit { return &Edit{key: key} }

// Set writes an attribute.
func (u *Edit) Set(name string, v Value) *Edit {
	u.sets = append(u.sets, assignment{name: name, value: v})
	return u
}

// SetAll writes all attributes of an item, in the order of their names.
func (u *Edit) SetAll(item Item) *Edit {
	names := slices.AppendSeq(make([]string, 0, len(item)), maps.Keys(item))
	slices.Sort(names)
	u.sets = slices.Grow(u.sets, len(names))
	for _, name := range names {
		u.Set(name, item[name])
	}
	return u
}

// SetFirst writes an attribute if the item lacks it.
func (u *Edit) SetFirst(name string, v Value) *Edit {
	u.sets = append(u.sets, assignment{name: name, value: v, keep: true})
	return u
}

// Count adds n to a number. If the item lacks the number, it counts as first. A
// change that counts has another effect if it is made twice: see "Lost responses"
// in the package comment.
func (u *Edit) Count(name string, first, n int64) *Edit {
	u.sets = append(u.sets, assignment{name: name, value: attr.Int(n), first: attr.Int(first)})
	return u
}

// Add adds n to a number, which counts as 0 if the item lacks it, or adds members
// to a set. A sum has another effect if it is made twice, as with Count.
func (u *Edit) Add(name string, v Value) *Edit {
	u.sums = append(u.sums, assignment{name: name, value: v})
	return u
}

// Subtract removes members from a set. It is not an error if the item lacks one. A
// set that has no members left is removed.
func (u *Edit) Subtract(name string, v Value) *Edit {
	u.takes = append(u.takes, assignment{name: name, value: v})
	return u
}

// Remove removes attributes. It is not an error if the item lacks one.
func (u *Edit) Remove(names ...string) *Edit {
	u.removes = append(u.removes, names...)
	return u
}

// SetOrRemove writes an attribute if keep is true. Otherwise it removes the
// attribute.
func (u *Edit) SetOrRemove(keep bool, name string, v Value) *Edit {
	if keep {
		return u.Set(name, v)
	}
	return u.Remove(name)
}

// KeepOld asks for the item as it is where a condition does not hold, for
// ConditionFailed and ConditionFailedAt. It costs no capacity units. Without it, no
// secret of an item comes into an error.
func (u *Edit) KeepOld() *Edit {
	u.keepOld = true
	return u
}

// onFailure says what is returned where a condition does not hold.
func (u *Edit) onFailure() types.ReturnValuesOnConditionCheckFailure {
	if !u.keepOld {
		return ""
	}
	return types.ReturnValuesOnConditionCheckFailureAllOld
}

// If adds conditions. The change is made only if all hold.
func (u *Edit) If(conditions ...Condition) *Edit {
	u.conditions = append(u.conditions, conditions...)
	return u
}
