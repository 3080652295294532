// Package audit keeps the trail of changes: who changed what, when, from where
// and by which request. Records are made of the tables' streams alone, so that
// no change is without one. Its invariants: a change has one record, however
// often the stream tells of it; a record is never changed; and it has no secret,
// since only attributes that are listed here are taken over.
package audit

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// Record is one change.
type Record struct {
	// ID is drawn from the change: the same however often it is told.
	ID string `json:"id"`
	// At is when the request began that made the change, or, where no request
	// tells it, when the table took it; to the millisecond.
	At time.Time `json:"at"`
	// Action is what was done, such as "key.write" or "repository.remove".
	Action string `json:"action"`
	// Actor is who did it.
	Actor Actor `json:"actor"`
	// VCS and Installation are where; empty for what is of no installation.
	VCS          string `json:"vcs,omitempty"`
	Installation string `json:"installation_id,omitempty"`
	// Subject is what was changed: a key of the key-value store, or an id.
	Subject string `json:"subject"`
	// Idx is the row of a key; nil where all rows, or none, are meant.
	Idx *int `json:"idx,omitempty"`
	// Before and After are the attributes that are shown, of before and after
	// the change: only those that differ, and nil where there was nothing.
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
}

// Actor is who makes a change, and how.
type Actor struct {
	// ID is the user's, or "operator:NAME", or "webhook:VCS".
	ID string `json:"id"`
	// Credential is the id of the API key or session, or of the delivery.
	Credential string `json:"credential,omitempty"`
	// Source is the network address as the gateway saw it.
	Source string `json:"source,omitempty"`
	// Request is the id of the request.
	Request string `json:"request,omitempty"`
}

// Unknown is the actor of a change that no request of this server has made.
const Unknown = "unknown"

// Scope is what a record belongs to: an installation, or none.
func (r Record) Scope() string {
	if r.Installation == "" {
		return "-"
	}
	return r.VCS + "/" + r.Installation
}

// Cursor places a record among others: by time, then by id.
func (r Record) Cursor() string { return place(r.At) + "#" + r.ID }

// place sorts as time does.
func place(at time.Time) string { return fmt.Sprintf("%013d", max(at.UnixMilli(), 0)) }

// buckets is into how many partitions the records of a day go. DynamoDB takes
// 1,000 write units a second of each ("Partitions and data distribution", AWS
// documentation), and a record of 1 KiB with its two indexes takes three.
const buckets = 8

// bucket of a scope: all its records lie together.
func bucket(scope string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(scope))
	return int(h.Sum32() % buckets)
}

// partition has the records of a day, UTC, and a bucket.
func partition(at time.Time, bucket int) string {
	return fmt.Sprintf("%s#%d", at.UTC().Format(time.DateOnly), bucket)
}

// parseCursor reads the time of a cursor.
func parseCursor(text string) (time.Time, bool) {
	ms, id, ok := strings.Cut(text, "#")
	n, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil || n < 0 || len(ms) != 13 || len(id) > 64 {
		return time.Time{}, false
	}
	return time.UnixMilli(n).UTC(), true
}
