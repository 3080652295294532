// Package audit keeps the trail of changes: who changed what, when, from where
// and by which request. Records are made of the tables' streams alone, so that
// no change is without one. Its invariants: a change has one record, however
// often the stream tells of it; a record is never changed; and it has no secret,
// since only attributes that are listed here are taken over.
package audit

import (
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Record is one change.
type Record struct {
	// ID is drawn from the change: the same however often it is told.
	ID string `json:"id"`
	// At is when the table took the change, as its stream tells it: on AWS in
	// whole seconds. Records are kept and listed by it, so that no clock of a
	// caller, an operator or a host decides where a record stands.
	At time.Time `json:"at"`
	// RequestedAt is when the request began that made the change, to the
	// millisecond, by its author's clock; zero where no request tells it. Of what
	// a delivery told it is when the delivery arrived.
	RequestedAt time.Time `json:"requested_at,omitzero"`
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
	// the change: only those that differ, and nil where there was nothing. Of a
	// set they have the members that went and those that came.
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
	// Truncated says that some of Before and After is too large to be shown.
	Truncated bool `json:"truncated,omitempty"`

	// sequence orders the changes of one second, of one item at least.
	sequence string
}

// Actor is who makes a change, and how.
type Actor struct {
	// ID is the user's, or "operator:NAME", "webhook:VCS", "server", "collector" or
	// Unknown.
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
		return NoInstallation
	}
	return r.VCS + "/" + r.Installation
}

// NoInstallation is the scope of what belongs to no installation: users, API
// keys, signing keys, sessions.
const NoInstallation = "-"

// Topic is what a record is about, as Query.Topic has it: its kind, which is its
// action up to the dot, and its subject.
func (r Record) Topic() string { return Topic(r.Scope(), r.Kind(), r.Subject) }

// Kind is what was changed, such as "key" or "repository".
func (r Record) Kind() string {
	kind, _, _ := strings.Cut(r.Action, ".")
	return kind
}

// Topic names one thing of a kind within a scope.
func Topic(scope, kind, subject string) string { return scope + "#" + kind + "#" + subject }

// Cursor places a record among others: by time, then in the order of the
// stream, then by id.
func (r Record) Cursor() string {
	return attr.SortMillis(r.At) + "#" + strings.Repeat("0", max(0, sequenceDigits-len(r.sequence))) + r.sequence + "#" + r.ID
}

// sequenceDigits are more than the sequence numbers of streams have: 40 at most
// ("StreamRecord", Amazon DynamoDB API reference).
const sequenceDigits = 40

// maxCursor bounds a cursor, in bytes.
const maxCursor = 128

// ValidCursor reports whether a text has the form of a cursor.
func ValidCursor(text string) bool {
	ms, rest, ok := strings.Cut(text, "#")
	_, err := attr.ParseSortMillis(ms)
	sequence, _, parted := strings.Cut(rest, "#")
	return ok && parted && err == nil &&
		len(sequence) == sequenceDigits && len(text) <= maxCursor
}
