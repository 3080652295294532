package runstore

import (
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// Wake is a change of a run that somebody may have to act on.
type Wake struct {
	// Run is the run after the change, without dirspaces that are in chunks.
	Run run.Run
	// Due is the run's entry of EndedList. It is zero if the run is not in it.
	Due Due
}

// Wakes decodes a record of the stream of RunsTable. It reports whether the record is
// about a visible run.
func Wakes(r stream.Record) (Wake, bool, error) {
	if r.New == nil || attr.Read(r.Key).String("sk") != sortKey || !attr.Read(r.New).Has("state") {
		return Wake{}, false, nil
	}
	rec, err := decode(r.New)
	if err != nil || !rec.State.Visible() {
		return Wake{}, false, err
	}
	w := Wake{Run: rec.Run}
	if rec.due.List == string(EndedList) {
		w.Due = Due{ID: rec.ID, At: rec.due.At, reminder: rec.due}
	}
	return w, true, nil
}

// IsZero reports whether d is no entry.
func (d Due) IsZero() bool { return d == Due{} }
