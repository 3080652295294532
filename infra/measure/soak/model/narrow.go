package model

import "github.com/opsplane/opsplane/infra/measure/soak/history"

// narrow shortens intervals by what reads tell: a value is read after its
// write began, and was written before the read returned. (A read of several
// rows may have seen others of them before that.) No order is lost or
// gained by that, but less is to be searched; above all, a write whose outcome
// nobody told its client, and whose value somebody saw, has an end.
func narrow(ops []history.Operation) {
	written := map[int]*history.Operation{} // by value; nil for one of several
	for i := range ops {
		o := &ops[i]
		if o.Answer.Outcome == history.Unknown {
			o.End = Never
		}
		switch o.Call.Action {
		case history.Set, history.CAS, history.Complete:
			if _, twice := written[o.Call.Value]; twice {
				o = nil // an upload may be completed by any of several calls
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
