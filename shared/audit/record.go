// Package audit keeps the trail of changes: who changed what, when, from where and
// by which request. Records are made only from the tables' streams, so that every
// change has one. The package has three invariants:
//
//   - A change has one record, however often the stream delivers it.
//   - A record is never changed.
//   - A record holds no secret, because an Owner names each attribute that is shown.
package audit

import (
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Record is one change.
type Record struct {
	// ID is computed from the change. It is the same however often the stream
	// delivers the change.
	ID string `json:"id"`
	// At is when the table made the change, as its stream reports it. On AWS it has
	// whole seconds. Records are kept and listed by this time, so that no clock of
	// a caller, an operator or a host decides the place of a record.
	At time.Time `json:"at"`
	// RequestedAt is when the request began that made the change, in milliseconds,
	// by its author's clock. It is zero if no request states it. For a change that
	// a delivery caused, it is when the delivery arrived.
	RequestedAt time.Time `json:"requested_at,omitzero"`
	// Action is what was done, such as "key.write" or "repository.remove".
	Action string `json:"action"`
	// Actor is who did it.
	Actor Actor `json:"actor"`
	// VCS and Installation are where the change was made. They are empty for a
	// thing that belongs to no installation.
	VCS          vcs.VCS `json:"vcs,omitempty"`
	Installation vcs.ID  `json:"installation_id,omitempty"`
	// Subject is what was changed: a key of the key-value store, or an id.
	Subject string `json:"subject"`
	// Idx is the row of a key. It is nil if the record is about all rows, or about
	// no row.
	Idx *int `json:"idx,omitempty"`
	// Before and After are the shown attributes, before and after the change. They
	// have only the attributes that differ, and are nil if there was no item. For a
	// set they have the members that were removed and those that were added.
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
	// Truncated says that a part of Before or After is too large to be shown.
	Truncated bool `json:"truncated,omitempty"`

	// sequence orders changes within one second, at least those of one item.
	sequence string
}

// Actor is who makes a change, and how.
type Actor struct {
	// ID is a user's id, or "operator:NAME", "run:ID", "webhook:VCS", "server",
	// "server:dispatcher", "collector" or Unknown.
	ID string `json:"id"`
	// Credential is the id of the API key or session, or of the delivery.
	Credential string `json:"credential,omitempty"`
	// Source is the network address as the gateway saw it.
	Source string `json:"source,omitempty"`
	// Request is the id of the request.
	Request string `json:"request,omitempty"`
}

// Unknown is the actor of a change that no request of this server made.
const Unknown = "unknown"

// In returns the record as one of a change in an installation.
func (r Record) In(in vcs.Installation) Record {
	r.VCS, r.Installation = in.VCS, in.ID
	return r
}

// Scope returns what a record belongs to: an installation, or none.
func (r Record) Scope() string { return Scope(vcs.Installation{VCS: r.VCS, ID: r.Installation}) }

// Scope returns the scope of an installation's records, for Query.Scope. It returns
// NoInstallation if in has no id.
func Scope(in vcs.Installation) string {
	if in.ID == "" {
		return NoInstallation
	}
	return in.String()
}

// NoInstallation is the scope of things that belong to no installation: users, API
// keys, signing keys, sessions.
const NoInstallation = "-"

// Topic returns what a record is about, in the form of Query.Topic. It contains the
// kind and the subject. The kind is the action up to the dot.
func (r Record) Topic() string { return Topic(r.Scope(), r.Kind(), r.Subject) }

// Kind returns the kind of thing that was changed, such as "key" or "repository".
func (r Record) Kind() string {
	kind, _, _ := strings.Cut(r.Action, ".")
	return kind
}

// Topic names one thing of a kind within a scope.
func Topic(scope, kind, subject string) string { return scope + "#" + kind + "#" + subject }

// Cursor returns the place of a record among others: by time, then in the order of
// the stream, then by id.
func (r Record) Cursor() string {
	return attr.SortMillis(r.At) + "#" + strings.Repeat("0", max(0, sequenceDigits-len(r.sequence))) + r.sequence + "#" + r.ID
}

// sequenceDigits is the largest number of digits of a stream's sequence numbers
// ("StreamRecord", Amazon DynamoDB API reference).
const sequenceDigits = 40

// maxCursor is the largest length of a cursor, in bytes.
const maxCursor = 128

// ValidCursor reports whether a text has the form of a cursor.
func ValidCursor(text string) bool {
	ms, rest, ok := strings.Cut(text, "#")
	_, err := attr.ParseSortMillis(ms)
	sequence, _, parted := strings.Cut(rest, "#")
	return ok && parted && err == nil &&
		len(sequence) == sequenceDigits && len(text) <= maxCursor
}
