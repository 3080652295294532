package event

import (
	"encoding/json"
	"time"

	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/audit"
)

// FromRecord returns the event of a record, or false if the record has none. Records
// come from the table as JSON, so numbers may be float64.
func FromRecord(r audit.Record) (Event, bool) {
	switch r.Action {
	case "run.create":
		return of(r, RunQueued, ofRun(r)), true
	case "run.start":
		return of(r, RunStarted, ofRun(r)), true
	case "run.complete", "run.abort":
		return of(r, RunFinished, finished(r)), true
	case "lock.release":
		return of(r, LockReleased, taken(r.After, map[string]string{
			"repository_id": "repository", "kind": "kind", "pull_number": "pull_number", "branch": "branch", "user": "user",
		})), true
	case "key.write":
		return artifact(r)
	case "key.commit":
		data := taken(r.After, map[string]string{"rows": "rows", "row_count": "row_count"})
		data["key"], data["truncated"] = r.Subject, r.Truncated
		return of(r, KeyCommitted, data), true
	case "api_key.create":
		return of(r, TokenCreated, token(r)), true
	case "api_key.revoke", "api_key.erase":
		return of(r, TokenRevoked, token(r)), true
	case "pull_request.create", "pull_request.change":
		data := taken(r.After, map[string]string{
			"repository_id": "repository", "number": "number", "title": "title", "user": "user", "state": "state", "base_branch": "base_branch",
			"branch": "branch", "sha": "sha", "merged_sha": "merged_sha", "draft": "draft",
		})
		data["new"] = r.Action == "pull_request.create"
		return of(r, PullRequestSeen, data), true
	default:
		return Event{}, false
	}
}

// taken returns the attributes that a record shows, under the names of the event. names
// has the record's name for each name of the event.
func taken(shown map[string]any, names map[string]string) map[string]any {
	data := make(map[string]any, len(names))
	for name, from := range names {
		if v, ok := shown[from]; ok {
			data[name] = v
		}
	}
	return data
}

// facts are what every event about a run says of it.
var facts = map[string]string{
	"repository_id": "repository", "owner": "owner", "repository": "name", "run_type": "type", "kind": "kind", "pull_number": "pull_number",
	"base_branch": "base_branch", "branch": "branch", "commit": "commit", "environment": "environment", "user": "user",
	"dirspaces": "dirspaces", "url": "url",
}

func ofRun(r audit.Record) map[string]any {
	data := taken(r.After, facts)
	data["run_id"] = r.Subject
	return data
}

// Outcomes of a run.
const (
	success = "success"
	failure = "failure"
	aborted = "aborted"
)

func finished(r audit.Record) map[string]any {
	data := ofRun(r)
	if r.Action == "run.abort" {
		data["outcome"] = aborted
		for name, v := range taken(r.After, map[string]string{"reason": "reason", "reason_text": "reason_text"}) {
			data[name] = v
		}
		return data
	}
	for name, v := range taken(r.After, map[string]string{"failed": "failed", "changed": "changed", "destroying": "destroying"}) {
		data[name] = v
	}
	// A run whose hook failed has not succeeded, even if every directory has.
	data["outcome"] = failure
	if failed, _ := r.After["failed"].(float64); r.After["success"] == true && failed == 0 {
		data["outcome"] = success
	}
	return data
}

// artifact returns the event of a committed file. A value that is no file has none:
// callers write values often, and the audit trail has them.
func artifact(r audit.Record) (Event, bool) {
	if r.After["artifact"] != true || r.After["committed"] != true {
		return Event{}, false
	}
	data := taken(r.After, map[string]string{"size": "size", "version": "version"})
	data["key"] = r.Subject
	if r.Idx != nil {
		data["idx"] = *r.Idx
	}
	return of(r, ArtifactCommitted, data), true
}

// token returns what an event says of an API key. The record has its capabilities as
// JSON text, and times in Unix seconds.
func token(r audit.Record) map[string]any {
	data := taken(r.After, map[string]string{"name": "name", "user": "user"})
	data["token_id"] = r.Subject
	var capabilities []string
	if json.Unmarshal([]byte(text(r.After["capabilities"])), &capabilities) == nil {
		data["capabilities"] = capabilities
	}
	if at, ok := r.After["expires_at"].(float64); ok {
		data["expires_at"] = timestamp.Format(time.Unix(int64(at), 0))
	}
	return data
}
