package runindex

import (
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
)

// expected has the terms in the order of the number of rows that are expected in one
// of their partitions, the fewest first.
var expected = []term{dir, pr, active, failed, branch, below, aborted, person, environment, repo, kind, typed, all}

// maxMerged is the largest number of partitions that one page merges. A query with
// more alternatives walks the time order.
const maxMerged = 3

// cover is a set of partitions that together have a row of each run that matches a
// part of a query.
type cover struct {
	walks []walk
	// ids are runs besides.
	ids []run.ID
	// worst is the position of the worst term in expected; -1 if there is none.
	worst int
}

// everything covers every query.
var everything = cover{walks: []walk{{all, ""}}, worst: len(expected)}

// plan returns the cover of a query that is expected to be the cheapest.
func plan(q runquery.Query) cover {
	return runquery.Fold[cover]{
		Term: coverOf,
		And: func(left, right cover) cover {
			if right.worst < left.worst || right.worst == left.worst && right.size() < left.size() {
				return right
			}
			return left
		},
		Or: func(left, right cover) cover {
			c := cover{walks: slices.Clone(left.walks), ids: slices.Clone(left.ids), worst: max(left.worst, right.worst)}
			for _, w := range right.walks {
				if !slices.Contains(c.walks, w) {
					c.walks = append(c.walks, w)
				}
			}
			for _, id := range right.ids {
				if !slices.Contains(c.ids, id) {
					c.ids = append(c.ids, id)
				}
			}
			if c.worst == everything.worst || c.size() > maxMerged {
				return everything
			}
			return c
		},
		Other: everything,
	}.Of(q)
}

func (c cover) size() int { return len(c.walks) + len(c.ids) }

// byDir reports whether all rows of the cover tell the dirspaces that can match.
func (c cover) byDir() bool {
	return len(c.ids) == 0 && !slices.ContainsFunc(c.walks, func(w walk) bool { return w.term != dir })
}

// walks returns the cover by some partitions.
func walks(list ...walk) cover {
	c := cover{walks: list, worst: -1}
	for _, w := range list {
		c.worst = max(c.worst, slices.Index(expected, w.term))
	}
	return c
}

// coverOf returns the cover of a tag.
func coverOf(t runquery.Term) cover {
	if len(t.Value) > run.MaxText {
		return walks() // no run has it
	}
	switch t.Key {
	case "id":
		return cover{ids: []run.ID{run.ID(t.Value)}, worst: -1}
	case "dir":
		if !t.Prefix {
			return walks(walk{dir, t.Value})
		}
		if name, ok := ancestorOf(t.Value); ok {
			return walks(walk{below, name})
		}
		return everything
	case "state":
		return coverOfState(t.Value)
	case "type":
		return walks(walk{typed, string(run.Type(t.Value).Shown())})
	case "kind":
		list := []walk{{kind, t.Value}}
		if t.Value == run.Branch.Shown() {
			list = append(list, walk{kind, string(run.Branch)})
		}
		return walks(list...)
	case "repo", "branch", "user", "environment", "pr":
		if !t.Prefix {
			return walks(walk{term(t.Key), t.Value})
		}
	}
	return everything
}

// coverOfState returns the cover of a state of a run, or of a dirspace. An active run
// that an unlock has ended is shown as aborted.
func coverOfState(state string) cover {
	switch state {
	case string(run.Queued), string(run.Running):
		return walks(walk{active, ""})
	case string(run.Aborted):
		return walks(walk{aborted, ""}, walk{active, ""})
	case Failure:
		return walks(walk{failed, ""})
	default: // run.Completed, Success
		return everything
	}
}

// span returns the seconds that a matching run can have, both included.
func span(q runquery.Query) (first, last int64) {
	first, last = 0, maxSecond
	for _, t := range q.Terms() {
		if t.Key != "created_at" {
			continue
		}
		if !t.Times.From.IsZero() {
			first = max(first, t.Times.From.Unix())
		}
		if !t.Times.To.IsZero() {
			last = min(last, t.Times.To.Add(-time.Nanosecond).Unix())
		}
	}
	return first, last
}

// maxSecond is the last second that a sort key can hold.
const maxSecond = 9_999_999_999
