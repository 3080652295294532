// Package event makes the events that Opsplane sends out, from records of the audit
// trail. It is pure: no I/O. Its invariants:
//
//   - An event has the same id however often it is made of its record. Consumers tell
//     repetitions by it.
//   - An event holds nothing that the record and the run do not show to readers of the
//     API: no secrets, no values of the key-value store.
//   - The members of an event are those of the JSON Schema of its type and version, in
//     docs/events/.
package event

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/vcs"
)

// Source is the source of all events, as rules of EventBridge match it.
const Source = "opsplane"

// Type says what happened. It is the detail type of the event on the bus.
type Type string

// The types.
const (
	RunQueued         Type = "run.queued"
	RunStarted        Type = "run.started"
	RunFinished       Type = "run.finished"
	DirspacePlanned   Type = "dirspace.planned"
	DirspaceApplied   Type = "dirspace.applied"
	LockReleased      Type = "lock.released"
	ArtifactCommitted Type = "artifact.committed"
	KeyCommitted      Type = "key.committed"
	TokenCreated      Type = "token.created"
	TokenRevoked      Type = "token.revoked"
	PullRequestSeen   Type = "pull_request.seen"
)

// Types returns all types.
func Types() []Type {
	return []Type{
		RunQueued, RunStarted, RunFinished, DirspacePlanned, DirspaceApplied, LockReleased,
		ArtifactCommitted, KeyCommitted, TokenCreated, TokenRevoked, PullRequestSeen,
	}
}

// version is the version of every type. A member may be added within a version. What
// breaks a consumer needs another version, with a schema of its own.
const version = 1

// Event is one event.
type Event struct {
	// ID is the id of the audit record, and for events of a dirspace "-" and its
	// position in the run.
	ID string `json:"id"`
	// Type and Version name the schema.
	Type    Type `json:"type"`
	Version int  `json:"version"`
	// At is when the table made the change, in whole seconds on AWS.
	At time.Time `json:"at"`
	// Actor is who did it, as in the audit trail.
	Actor Actor `json:"actor"`
	// VCS and Installation are where it happened. They are empty for a thing that
	// belongs to no installation.
	VCS          vcs.VCS `json:"vcs,omitempty"`
	Installation vcs.ID  `json:"installation_id,omitempty"`
	// Data depends on the type.
	Data map[string]any `json:"data"`
}

// Actor is who did something.
type Actor struct {
	ID string `json:"id"`
}

// Detail returns the event as the JSON text that the bus carries. It is smaller than 100
// KiB: texts of runs and pull requests are limited where they are stored.
func (e Event) Detail() (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return string(text), nil
}

// of returns an event of a record.
func of(r audit.Record, t Type, data map[string]any) Event {
	return Event{
		ID: r.ID, Type: t, Version: version, At: r.At, Actor: Actor{ID: r.Actor.ID},
		VCS: r.VCS, Installation: r.Installation, Data: data,
	}
}
