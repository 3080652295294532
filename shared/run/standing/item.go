package standing

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// attrTTL is when an item expires: the time for which the newest run that wrote it is
// kept. A run that is recorded out of order may set it to an earlier time, by no more
// than the time between the creations of the two runs.
const attrTTL = "ttl"

// part names a result of a row. The result is in the attribute of that name, and its
// Seq in another one, for the condition of the next write.
type part string

const (
	partPlan  part = "plan"
	partGood  part = "good"
	partDrift part = "drift"
	partApply part = "apply"
)

func (p part) seq() string { return string(p) + "_seq" }

// stored is a result as an item holds it, without its Seq.
type stored struct {
	Run       run.ID       `json:"run"`
	Owner     string       `json:"owner"`
	Repo      string       `json:"repo"`
	Kind      run.KindName `json:"kind"`
	PR        int64        `json:"pr,omitempty"`
	Base      string       `json:"base"`
	BaseRef   string       `json:"base_ref"`
	Branch    string       `json:"branch"`
	BranchRef string       `json:"branch_ref"`
	Outcome   run.Outcome  `json:"outcome"`
	Aborted   bool         `json:"aborted,omitempty"`
	EndedAt   int64        `json:"ended_at"` // Unix milliseconds
}

func (r *Result) encode() (table.Value, error) {
	text, err := json.Marshal(stored{
		r.Run, r.Owner, r.Name, r.Kind.Name, r.Kind.Number, r.Base.Branch, r.Base.Commit, r.Source.Branch, r.Source.Commit,
		r.Outcome, r.Aborted, r.EndedAt.UnixMilli(),
	})
	return attr.String(string(text)), err
}

// decode reads a result; nil if the item has none.
func (p part) decode(item *attr.Reader) (*Result, error) {
	if !item.Has(string(p)) {
		return nil, nil
	}
	var s stored
	if err := json.Unmarshal([]byte(item.String(string(p))), &s); err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return &Result{
		Run: s.Run, Seq: item.Int(p.seq()), Owner: s.Owner, Name: s.Repo, Kind: run.Kind{Name: s.Kind, Number: s.PR},
		Base: run.Ref{Branch: s.Base, Commit: s.BaseRef}, Source: run.Ref{Branch: s.Branch, Commit: s.BranchRef},
		Outcome: s.Outcome, Aborted: s.Aborted, EndedAt: time.UnixMilli(s.EndedAt).UTC(),
	}, nil
}

// decodeRow reads a row. place is its place.
func decodeRow(in vcs.Installation, place Place, item attr.Item) (Row, error) {
	row := Row{Repository: in.Repository(place.Repository), Dirspace: place.Dirspace}
	read := attr.Read(item)
	var err error
	for _, of := range []struct {
		part part
		to   **Result
	}{{partPlan, &row.Plan}, {partGood, &row.Good}, {partDrift, &row.Drift}, {partApply, &row.Apply}} {
		if *of.to, err = of.part.decode(read); err != nil {
			return Row{}, fmt.Errorf("decode what stands in %s: %w", place.Dirspace, err)
		}
	}
	if err := read.Err(); err != nil {
		return Row{}, fmt.Errorf("decode what stands in %s: %w", place.Dirspace, err)
	}
	return row, nil
}
