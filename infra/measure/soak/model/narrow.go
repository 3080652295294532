package model

import "github.com/opsplane/opsplane/infra/measure/soak/history"

// narrow shortens the intervals of operations by what reads show. A value is read after its
// write began, and it was written before the read returned. (A read of several rows may have
// seen its other rows before that.) This removes no valid order and adds none, but it reduces
// the search. The main effect: if a write's outcome is unknown and a reader saw its value, the
// write gets an end.
func narrow(ops []history.Operation) {
	written := map[int]*history.Operation{} // by value; nil if several operations may write it
	for i := range ops {
		o := &ops[i]
		if o.Answer.Outcome == history.Unknown {
			o.End = Never
		}
		switch o.Call.Action {
		case history.Set, history.CAS, history.Complete:
			if _, twice := written[o.Call.Value]; twice {
				o = nil // any of several calls may complete an upload
			}
			written[ops[i].Call.Value] = o
		}
	}
	for i := range ops {
		reader := &ops[i]
		for _, r := range reader.Answer.Rows {
			if writer := written[r.Value]; r.Value != 0 && writer != nil {
				if reader.Call.Action == history.Get || reader.Call.Action == history.Open {
					reader.Start = max(reader.Start, writer.Start)
				}
				writer.End = min(writer.End, reader.End)
			}
		}
	}
}
