package audit

import (
	"cmp"
	"strings"

	"github.com/opsplane/opsplane/shared/kv/overlay"
)

// DiscardWrite is the action of a record about one write of a row: the write that
// the record's request made. The write was lost with its key, which was deleted at
// the same time. The record says nothing about the row.
const DiscardWrite = "key.discard_write"

// kv makes the records of what readers start or stop seeing. A first draft is not
// visible until its commit. A commit is one record for each key, with the rows that
// it published. An upload is recorded from its announcement, because it uses a part
// of the quota. The removal of an item is not recorded: the table removes items
// only after a write has said so.
func (c changed) kv() (Record, bool) {
	if len(c.after) == 0 {
		return Record{}, false
	}
	if namespace, ok := strings.CutPrefix(c.pk, "UPLOAD:"); ok {
		return c.upload(namespace)
	}
	vcs, rest, ok := strings.Cut(c.pk, ":")
	if !ok || vcs != "github" && vcs != "gitlab" {
		return Record{}, false
	}
	r := Record{VCS: vcs}
	if installation, _, isRow := strings.Cut(rest, ":"); isRow {
		sort := c.sk.Binary()
		if len(sort) != 2 {
			return Record{}, false
		}
		idx := (int(sort[0])<<8 | int(sort[1])) + overlay.MinIdx
		// The remains of a removed row no longer name its key.
		r.Installation, r.Subject, r.Idx = installation, cmp.Or(c.after.text("kn"), c.before.text("kn")), &idx
		if gone := c.after.text("wk"); gone != "" && gone != c.before.text("wk") {
			// This write was lost with its key, which was deleted at the same time.
			// It is not a removal of the row. The row may have been written again
			// since, as another item, and the order between that item and this one
			// is not known.
			r.Action, r.Before = DiscardWrite, c.before.row()
			return r, true
		}
		return c.cell(r)
	}
	sort := c.sk.Binary()
	if len(sort) == 0 || sort[0] != 'k' {
		return Record{}, false
	}
	r.Installation, r.Subject = rest, string(sort[1:])
	switch {
	case c.before.text("gn") != "" && c.before.text("gn") != c.after.text("gn"):
		r.Action, r.Before = "key.remove", c.before.row()
		return r, true
	case c.before.text("pv") != c.after.text("pv"):
		return c.commit(r)
	}
	zero := 0
	r.Idx = &zero
	return c.cell(r)
}

// cell makes the record of a write or removal of one row.
func (c changed) cell(r Record) (Record, bool) {
	if c.before.text("rv") == c.after.text("rv") {
		return Record{}, false
	}
	r.Before, r.After = c.before.row(), c.after.row()
	switch {
	case r.After == nil && r.Before == nil:
		return Record{}, false
	case r.After == nil:
		r.Action = "key.remove"
		return r, true
	case c.after.text("cm") == "true":
		r.Action = "key.write"
		return r, true
	}
	// A draft. If it replaces something that was published, by itself or by a
	// commit, readers no longer see that.
	r.Action = "key.draft"
	return r, r.Before != nil
}

// commit makes the record of a publication of drafts.
func (c changed) commit(r Record) (Record, bool) {
	r.Action = "key.commit"
	spans, err := overlay.Published([]byte(c.before.text("ov")), []byte(c.after.text("ov")))
	if err != nil { // damaged: the trail must still show that there was a commit
		return r, true
	}
	if c.before.text("cm") != "true" && c.after.text("cm") == "true" {
		spans = append([][2]int{{0, 0}}, spans...)
	}
	rows, count := []any{}, 0
	for _, s := range spans {
		if len(rows) < maxSpans {
			rows = append(rows, []any{s[0], s[1]})
		}
		count += s[1] - s[0] + 1
	}
	r.After = map[string]any{"rows": rows, "row_count": count}
	r.Truncated = len(spans) > maxSpans
	return r, true
}

// maxSpans is the largest number of ranges of rows that a commit's record names.
const maxSpans = 100

// row returns what is shown of a row, without its value. It returns nil if there is
// no row.
func (i image) row() map[string]any {
	if !i.has("vr") {
		return nil
	}
	shown := map[string]any{}
	for name, attribute := range map[string]string{
		"version": "vr", "size": "sz", "committed": "cm", "read_caps": "rc", "write_caps": "wc",
	} {
		if v, ok := i[attribute]; ok {
			shown[name] = plain(v)
		}
	}
	return shown
}
