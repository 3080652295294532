package task

import (
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Wakes reports whether a change of OperationsTable is a task of a queue that no
// worker has and that is due. It returns the task's id. An item that cannot be read
// as a task does not wake a worker: the scheduled run finds it and ends it with
// Bury.
func Wakes(record stream.Record, q Queue, now time.Time) (id string, ok bool) {
	r := attr.Read(record.New)
	id, ok = strings.CutPrefix(attr.Read(record.Key).String("pk"), sortKey+"#")
	if !ok || r.Has(attrLease) || !r.Has(attrWake) {
		return "", false
	}
	wake := time.UnixMilli(r.Int(attrWake))
	if r.Err() != nil || wake.After(now) {
		return "", false
	}
	kind := r.String(attrKind)
	if r.Has(attrKind) && r.Err() == nil && Kind(kind).Queue() != q {
		return "", false
	}
	return id, true
}
