package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/eventschema"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/event"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// TestEachTypeHasASchemaWithExamples checks the schemas against the types, both ways.
func TestEachTypeHasASchemaWithExamples(t *testing.T) {
	t.Parallel()
	var want []string
	for _, of := range event.Types() {
		want = append(want, string(of)+".v1.json")
	}
	slices.Sort(want)
	files := eventschema.Files(t)
	if !slices.Equal(files, want) {
		t.Errorf("docs/events has %q, want %q", files, want)
	}
	for _, file := range files {
		examples := eventschema.Examples(t, file)
		if len(examples) == 0 {
			t.Errorf("%s has no example", file)
		}
		for _, detail := range examples {
			eventschema.Check(t, detail)
			var head struct{ Type string }
			if err := json.Unmarshal(detail, &head); err != nil || head.Type+".v1.json" != file {
				t.Errorf("%s has an example of %s, %v", file, head.Type, err)
			}
		}
	}
}

var completed = audit.Record{
	ID: "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d", At: time.Unix(4_000_000_000, 0).UTC(), Action: "run.complete",
	Actor: audit.Actor{ID: "ann", Credential: "key", Source: "192.0.2.1", Request: "r"}, VCS: vcs.GitHub, Installation: "42",
	Subject: "0b6e1f9e-6f0c-4c49-9a9d-5d8f6a3f7b11",
	After: map[string]any{
		"state": "completed", "repository": "7", "owner": "acme", "name": "infra", "type": "plan", "kind": "branch",
		"base_branch": "main", "branch": "main", "commit": "aa", "dirspaces": 3.0, "success": true, "failed": 0.0, "changed": 1.0, "destroying": 1.0,
	},
}

// with returns the record with another shown attribute.
func with(name string, value any) audit.Record {
	r := completed
	r.After = map[string]any{}
	for k, v := range completed.After {
		r.After[k] = v
	}
	r.After[name] = value
	return r
}

func TestRunHasSucceededOnlyIfEveryStepAndEveryDirectoryHas(t *testing.T) {
	t.Parallel()
	aborted := with("reason", "never_started")
	aborted.Action = "run.abort"
	for want, r := range map[string]audit.Record{
		"success": completed, "failure": with("success", false), "aborted": aborted,
	} {
		e, ok := event.FromRecord(r)
		if !ok || e.Data["outcome"] != want {
			t.Errorf("got %v, %t; want %s", e.Data["outcome"], ok, want)
		}
	}
	if e, _ := event.FromRecord(with("failed", 1.0)); e.Data["outcome"] != "failure" {
		t.Errorf("with a failed directory: %v", e.Data["outcome"])
	}
}

// TestDirspacesHaveEventsInOrderWithIDsOfTheirOwn checks positions, bits, and that a
// dirspace without a result is left out.
func TestDirspacesHaveEventsInOrderWithIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	found := run.Run{
		Spec: run.Spec{Type: run.AutoPlan, Dirspaces: []run.Dirspace{{Dir: "a", Workspace: "w"}, {Dir: "b", Workspace: "w"}, {Dir: "c", Workspace: "w"}}},
		Result: &run.Result{Outcomes: []run.Outcome{
			run.HasResult | run.Succeeded | run.HasChanges | run.Destroys, 0, run.HasResult,
		}},
	}
	var got []string
	for _, e := range event.Dirspaces(completed, found) {
		detail, err := e.Detail()
		if err != nil {
			t.Fatal(err)
		}
		eventschema.Check(t, []byte(detail))
		if strings.Contains(detail, "192.0.2.1") || strings.Contains(detail, `"key"`) {
			t.Errorf("%s shows where the actor comes from", detail)
		}
		got = append(got, fmt.Sprint(e.Type, " ", e.ID[33:], " ", e.Data["dir"], " ", e.Data["success"], " ", e.Data["has_changes"], " ", e.Data["destroys"]))
	}
	if want := []string{"dirspace.planned 0 a true true true", "dirspace.planned 2 c false <nil> <nil>"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	found.Type = run.Apply
	for _, e := range event.Dirspaces(with("type", "apply"), found) {
		if e.Type != event.DirspaceApplied {
			t.Errorf("got %s", e.Type)
		}
	}
	for name, r := range map[string]audit.Record{"index": with("type", "index"), "unlock": {Action: "lock.release"}} {
		if _, ok := event.HasDirspaces(r); ok {
			t.Errorf("%s has events of dirspaces", name)
		}
	}
	if events := event.Dirspaces(completed, run.Run{}); events != nil {
		t.Errorf("a run that is gone has %d events of dirspaces", len(events))
	}
}

// TestLargestEventFitsBelowItsLimit takes the longest texts that a run may have.
func TestLargestEventFitsBelowItsLimit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x01", run.MaxText) // six characters each, in JSON
	r := completed
	r.After = map[string]any{}
	for name, v := range completed.After {
		if _, ok := v.(string); ok && name != "type" {
			v = long
		}
		r.After[name] = v
	}
	for _, name := range []string{"environment", "user", "url", "reason", "reason_text"} {
		r.After[name] = long
	}
	r.Action = "run.abort"
	e, _ := event.FromRecord(r)
	if detail, err := e.Detail(); err != nil || len(detail) > 100<<10 {
		t.Errorf("%d bytes, %v", len(detail), err)
	}
}

// TestRecordsOfOtherActionsHaveNoEvent takes every action of the trail that is not public.
func TestRecordsOfOtherActionsHaveNoEvent(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"key.draft", "key.remove", "upload.create", "upload.complete", "user.change", "session.create", "run.erase", "run.remove", "task.create", "api_key.change"} {
		if e, ok := event.FromRecord(audit.Record{Action: action}); ok {
			t.Errorf("%s has the event %s", action, e.Type)
		}
	}
	for name, after := range map[string]map[string]any{"value": {"committed": true}, "draft": {"artifact": true, "committed": false}} {
		if _, ok := event.FromRecord(audit.Record{Action: "key.write", After: after}); ok {
			t.Errorf("the write of a %s has an event", name)
		}
	}
}
