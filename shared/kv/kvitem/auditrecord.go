package kvitem

import (
	"cmp"
	"strings"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/kv/overlay"
)

// Owners are the audit.Owners of the items of the key-value store.
func Owners() []audit.Owner { return []audit.Owner{auditUpload, auditRow, auditHead} }

// DiscardWrite is the action of a record about one write of a row: the write that
// the record's request made. The write was lost with its key, which was deleted at
// the same time. The record says nothing about the row.
const DiscardWrite = "key.discard_write"

// The records of keys say what readers start or stop seeing. A first draft is not
// visible until its commit. A commit is one record for each key, with the rows that
// it published. The removal of an item is not recorded: the table removes items
// only after a write has said so.

// auditRow makes the records of rows other than that of idx 0.
func auditRow(c audit.Change) (audit.Record, bool) {
	in, generation, known := installation(c.PK)
	n, isRow := idx(c.SK)
	if len(c.After) == 0 || !known || generation == "" || !isRow {
		return audit.Record{}, false
	}
	// The remains of a removed row no longer name its key.
	key := cmp.Or(c.After.Text(KeyName), c.Before.Text(KeyName))
	if gone := c.After.Text(Discarded); gone != "" && gone != c.Before.Text(Discarded) {
		// This write was lost with its key, which was deleted at the same time. It is
		// not a removal of the row. The row may have been written again since, as
		// another item, and the order between that item and this one is not known.
		r := c.Record(DiscardWrite, key).In(in)
		r.Idx, r.Before = &n, row(c.Before)
		return r, true
	}
	r, ok := cell(c, key, n)
	return r.In(in), ok
}

// auditHead makes the records of rows of idx 0, and those of whole keys.
func auditHead(c audit.Change) (audit.Record, bool) {
	in, generation, known := installation(c.PK)
	key, isHead := strings.CutPrefix(c.SK, headPrefix)
	if len(c.After) == 0 || !known || generation != "" || !isHead {
		return audit.Record{}, false
	}
	switch {
	case c.Before.Text(Generation) != "" && c.Before.Text(Generation) != c.After.Text(Generation):
		r := c.Record("key.remove", key).In(in)
		r.Before = row(c.Before)
		return r, true
	case c.Before.Text(Publication) != c.After.Text(Publication):
		return commit(c, key).In(in), true
	}
	r, ok := cell(c, key, 0)
	return r.In(in), ok
}

// cell makes the record of a write or removal of one row.
func cell(c audit.Change, key string, n int) (audit.Record, bool) {
	before, after := row(c.Before), row(c.After)
	if c.Before.Text(Revision) == c.After.Text(Revision) || before == nil && after == nil {
		return audit.Record{}, false
	}
	// A draft. If it replaces something that was published, by itself or by a commit,
	// readers no longer see that.
	action, seen := "key.draft", before != nil
	switch {
	case after == nil:
		action, seen = "key.remove", true
	case c.After.Text(Committed) == "true":
		action, seen = "key.write", true
	}
	r := c.Record(action, key)
	r.Idx, r.Before, r.After = &n, before, after
	return r, seen
}

// commit makes the record of a publication of drafts.
func commit(c audit.Change, key string) audit.Record {
	r := c.Record("key.commit", key)
	spans, err := overlay.Published([]byte(c.Before.Text(Overlay)), []byte(c.After.Text(Overlay)))
	if err != nil { // damaged: the trail must still show that there was a commit
		return r
	}
	if c.Before.Text(Committed) != "true" && c.After.Text(Committed) == "true" {
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
	return r
}

// maxSpans is the largest number of ranges of rows that a commit's record names.
const maxSpans = 100

// row returns what is shown of a row, without its value. The row of a file says that
// it is an artifact. It returns nil if there is no row.
func row(i audit.Image) map[string]any {
	if !i.Has(Version) {
		return nil
	}
	shown := i.ShowAs(map[string]string{
		"version": Version, "size": Size, "committed": Committed, "read_caps": ReadCaps, "write_caps": WriteCaps,
	})
	if i.Has(ETag) {
		shown["artifact"] = true
	}
	return shown
}

// uploadActions are the actions for the states of an upload. The later steps, which
// remove its bytes and its item, are housekeeping and are not recorded.
var uploadActions = map[string]string{
	UploadPending: "upload.create", UploadDone: "upload.complete", UploadAborted: "upload.abort", UploadRefused: "upload.refuse",
	UploadExpired: "upload.expire",
}

// auditUpload makes the record of an upload: who announced it, and how it ended. It
// is recorded from its announcement, because it uses a part of the quota. If it
// became a record of the store, the audit trail also has a record of the key.
func auditUpload(c audit.Change) (audit.Record, bool) {
	of, isUpload := strings.CutPrefix(c.PK, UploadPrefix)
	state := c.After.Text(UploadState)
	if !isUpload || len(c.After) == 0 || uploadActions[state] == "" || state == c.Before.Text(UploadState) {
		return audit.Record{}, false
	}
	in, _, _ := installation(of)
	shown := map[string]string{"idx": UploadIdx, "size": FileSize, "created_by": CreatedBy}
	if len(c.Before) == 0 {
		shown["sha256"], shown["committed"] = FileHash, Committed
	}
	r := c.Record(uploadActions[state], c.SK).In(in)
	r.After = c.After.ShowAs(shown)
	r.After["key"] = c.After.Text(KeyName)
	return r, true
}
