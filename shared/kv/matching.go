package kv

import (
	"context"
	"fmt"
)

// matching lists the rows that a removal removes row by row. Before the first row
// is removed, it refuses more rows than MaxRemovals, rows that need more than
// MaxRemovalUnits, and a key with more rows than one request reads.
func (d removal) matching(ctx context.Context, h head, budget *Budget) ([]int, error) {
	var idx []int
	units := 0
	end, err := d.read(ctx, d.Installation, h, extent{from: MinIdx, budget: budget}, func(i int, c cell, _ bool) bool {
		if d.matches(c) {
			idx = append(idx, i)
			units += d.units(c, i, h)
		}
		return len(idx) <= d.limits.removals && units <= d.limits.removalUnits
	})
	const instead = "delete records by their idx, or all of the key in one step: without version, with the write capabilities of every record"
	switch {
	case err != nil:
		return nil, err
	case len(idx) > d.limits.removals:
		return nil, tooMany("key %q has more than %d records to be deleted one by one, the most that one request can; %s", d.key, d.limits.removals, instead)
	case units > d.limits.removalUnits:
		return nil, tooMany("key %q has large records to be deleted one by one: the first %d records of them take more than the %d write units of one request; %s",
			d.key, len(idx), d.limits.removalUnits, instead)
	case end != nil:
		return nil, budget.exceeded(fmt.Sprintf("key %q has", d.key), instead)
	}
	return idx, nil
}

const (
	writeUnit = 1 << 10 // bytes; DynamoDB rounds up for each item
	// rowBytes is about the size of a row without its key, capabilities and value,
	// in bytes. With ids as long as on AWS, a row takes some 450 bytes.
	rowBytes = 512
)

// units returns about how many write units the removal of a cell takes: those of
// the old item. If the cell has write capabilities, the first try fails, and a
// failed try costs as much.
func (d removal) units(c cell, idx int, h head) int {
	size := rowBytes + len(d.key) + len(c.readCaps) + len(c.writeCaps)
	// The weight of a text is its length, or up to twice its length if many
	// characters must be escaped. So the value of a cell above twice InlineMax lies
	// in the bucket.
	if c.weight <= 2*InlineMax {
		size += min(c.weight, InlineMax)
	}
	if idx == 0 {
		size += len(h.overlay)
	}
	units := (size + writeUnit - 1) / writeUnit
	if c.writeCaps != "" {
		units *= 2
	}
	return units
}
