package model

import (
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/infra/measure/soak/history"
)

// String returns the text of a step in the drawing.
func (p *step) String() string {
	return fmt.Sprintf("%s of %s → %s", p.name, describeCall(p.call), describeAnswer(p.call, p.answer))
}

func describeCall(c history.Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s[%d]", c.Action, c.Key, c.Idx)
	if c.Value != 0 {
		fmt.Fprintf(&b, " #%d%s", c.Value, draft(!c.Committed))
	}
	if c.Version != nil {
		fmt.Fprintf(&b, " if v%d", *c.Version)
	}
	for _, t := range c.Targets {
		if t.Idx == nil {
			fmt.Fprintf(&b, " %s", t.Key)
		} else {
			fmt.Fprintf(&b, " %s[%d]", t.Key, *t.Idx)
		}
	}
	if c.Drafts {
		b.WriteString(" with drafts")
	}
	return b.String()
}

func describeAnswer(c history.Call, a history.Answer) string {
	var b strings.Builder
	b.WriteString(string(a.Outcome))
	switch c.Action {
	case history.Set, history.CAS, history.Complete:
		fmt.Fprintf(&b, " v%d", a.Version)
	case history.DeleteRow, history.DeleteKey:
		fmt.Fprintf(&b, " %t", a.Found)
	case history.Count:
		fmt.Fprintf(&b, " %d, up to %d", a.Count, a.Max)
	case history.Size, history.SizeRow:
		fmt.Fprintf(&b, " %d", a.Size)
	}
	for _, r := range a.Rows {
		fmt.Fprintf(&b, " %s[%d]", r.Key, r.Idx)
		if c.Action != history.Commit {
			fmt.Fprintf(&b, "=#%d v%d%s", r.Value, r.Version, draft(!r.Committed))
		}
	}
	if a.Note != "" {
		fmt.Fprintf(&b, " (%s)", a.Note)
	}
	return b.String()
}
