package evaluator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// WaitsFor is what people have to do so that a pull request goes on.
type WaitsFor string

// What a pull request waits for. It waits for an approval if an apply of all that is
// planned would be refused for one.
const (
	ForApproval WaitsFor = "approval"
	ForApply    WaitsFor = "apply"
)

// Approval is a number of approvals that are missing.
type Approval struct {
	// Of are those who may give them: user:, team:, role:, repo: or *.
	Of    []string `json:"of"`
	Count int      `json:"count"`
}

// Waiting is a pull request that waits for people. Its JSON form is the one that is stored.
type Waiting struct {
	PullRequest vcs.PullRequest `json:"-"`
	// Since is when it began to wait for this.
	Since time.Time `json:"-"`
	About
	For WaitsFor `json:"for"`
	// Approvals are those that were missing at the last evaluation. An evaluation that did
	// not read the reviews counts all as missing.
	Approvals []Approval `json:"approvals,omitempty"`
	// Count is the number of dirspaces that wait. Dirspaces are the first of them.
	Count     int            `json:"count"`
	Dirspaces []run.Dirspace `json:"dirspaces"`
}

// maxListed is the largest number of dirspaces that lists show of a pull request.
const maxListed = 100

// waiting returns what the pull request waits for. ok is false if it waits for nobody: its
// author has to act, a run is under way, or all is done. It asks the host nothing.
func (s *scene) waiting(o *outcome) (w Waiting, ok bool) {
	subject := s.history.subject
	if !s.ready || s.loaded.Set == nil || subject.State == rules.Closed {
		return Waiting{}, false
	}
	busy := o.busy(s)
	var list []*matching.Dirspace
	for _, m := range rules.Stand(s.loaded.Set, subject, s.history.results, s.history.merges).Apply(nil, s.loaded.Tree) {
		validity, _ := s.history.results[m.Dirspace.Dirspace].Plan(subject, s.history.merges)
		if validity == rules.Valid && !busy[m.Dirspace.Dirspace] {
			list = append(list, m.Dirspace)
		}
	}
	w = Waiting{About: s.about(), For: ForApply}
	var met, missing []run.Dirspace
	for _, r := range rules.Requirements(s.loaded.Config.Requirements, list, s.known()) {
		switch {
		case r.Met():
			met = append(met, r.Dirspace.Dirspace)
		case r.Approved == rules.Fail:
			missing = append(missing, r.Dirspace.Dirspace)
			w.ask(s.loaded.Config.Requirements.Checks[r.Entry].Approved, r)
		}
	}
	if len(missing) > 0 {
		w.For, met = ForApproval, missing
	}
	w.Count, w.Dirspaces = len(met), met[:min(len(met), maxListed)]
	return w, w.Count > 0
}

// ask adds the approvals that a dirspace lacks.
func (w *Waiting) ask(of repoconfig.Approved, r rules.Requirement) {
	add := func(a Approval) {
		same := func(b Approval) bool { return a.Count == b.Count && slices.Equal(a.Of, b.Of) }
		if !slices.ContainsFunc(w.Approvals, same) {
			w.Approvals = append(w.Approvals, a)
		}
	}
	for _, entry := range r.Missing {
		add(Approval{[]string{entry}, 1})
	}
	if r.Have < r.Need && of.Count > 0 {
		add(Approval{[]string{"*"}, r.Need - r.Have})
	} else if r.Have < r.Need {
		add(Approval{of.AnyOf, r.Need - r.Have})
	}
}

// busy returns the dirspaces that runs of the pull request work on, or are about to.
func (o *outcome) busy(s *scene) map[run.Dirspace]bool {
	busy := map[run.Dirspace]bool{}
	add := func(list []run.Dirspace) {
		for _, d := range list {
			busy[d] = true
		}
	}
	for _, a := range s.history.active {
		if a.Origin == s.history.subject.Origin {
			add(a.Dirspaces)
		}
	}
	for _, e := range o.effects {
		if e.Kind == startsRun {
			add(e.Spec.Dirspaces)
		}
	}
	return busy
}

// known returns what is known of the pull request without asking the host again. A merge
// conflict that the host is still looking for counts as none.
func (s *scene) known() rules.Facts {
	made := s.snapshot().Facts
	if s.read != nil {
		made = *s.read
	}
	made.Mergeable = made.Mergeable || made.MergeUnknown
	return made
}

// writeWaiting adds the write of the row of a pull request that waits for people, or of its
// removal.
func (e *Evaluator) writeWaiting(writes []table.Write, o *outcome) ([]table.Write, error) {
	if o.scene == nil {
		return writes, nil
	}
	of := o.of.PullRequest(o.number)
	now, is := o.scene.waiting(o)
	before := o.pull.Waits
	if !is {
		o.pull.Waits = nil
		if before == nil && o.known && o.pull.State == rules.Open {
			return writes, nil
		}
		return append(writes, e.Lanes.WriteRemoval(lane.Waiting, of)), nil
	}
	if before == nil || before.For != now.For {
		o.pull.Waits = &waits{For: now.For, Since: o.now}
	}
	text, err := json.Marshal(now)
	if err != nil {
		return nil, fmt.Errorf("encode what %s waits for: %w", of, err)
	}
	write, err := e.Lanes.WriteEntry(lane.Waiting, lane.Entry{PullRequest: of, Since: o.pull.Waits.Since, Body: text})
	return append(writes, write), err
}

// Waiting returns the pull requests of an installation that wait for people, in the order of
// lane.Store.Entries, at most q.Limit. on is the last of them if there are more, and nil
// otherwise.
func (e *Evaluator) Waiting(ctx context.Context, of vcs.Installation, q lane.Query) (list []Waiting, on *vcs.PullRequest, err error) {
	rows, on, err := e.entries(ctx, lane.Waiting, of, q)
	if err != nil {
		return nil, nil, err
	}
	list = make([]Waiting, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal(row.Body, &list[i]); err != nil {
			return nil, nil, fmt.Errorf("decode what %s waits for: %w", row.PullRequest, err)
		}
		list[i].PullRequest, list[i].Since = row.PullRequest, row.Since
	}
	return list, on, nil
}
