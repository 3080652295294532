package event

import (
	"maps"
	"strconv"

	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/run"
)

// HasDirspaces returns the run whose dirspaces have events of their own after the event
// of the record: a plan or an apply that has results. The other records have none.
func HasDirspaces(r audit.Record) (run.ID, bool) {
	of := run.Type(text(r.After["type"]))
	if r.Action != "run.complete" || !of.IsPlan() && !of.IsApply() {
		return "", false
	}
	id, err := run.ParseID(r.Subject)
	return id, err == nil
}

// Dirspaces returns the events of the dirspaces of a completed run, in the run's order.
// A dirspace of which the runner sent no result has none. The run has all its
// dirspaces and its result.
func Dirspaces(r audit.Record, from run.Run) []Event {
	if from.Result == nil || len(from.Result.Outcomes) != len(from.Dirspaces) {
		return nil
	}
	common := ofRun(r)
	delete(common, "dirspaces")
	kind := DirspacePlanned
	if from.Type.IsApply() {
		kind = DirspaceApplied
	}
	var events []Event
	for position, d := range from.Dirspaces {
		o := from.Result.Outcomes[position]
		if !o.Has(run.HasResult) {
			continue
		}
		data := maps.Clone(common)
		data["dir"], data["workspace"], data["success"] = d.Dir, d.Workspace, o.Has(run.Succeeded)
		if kind == DirspacePlanned && o.Planned() {
			data["has_changes"], data["destroys"] = o.Has(run.HasChanges), o.Has(run.Destroys)
		}
		e := of(r, kind, data)
		e.ID += "-" + strconv.Itoa(position)
		events = append(events, e)
	}
	return events
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
