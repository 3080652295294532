package evaluator

import (
	"maps"
	"slices"

	"github.com/opsplane/opsplane/shared/evaluation/status"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// How many dirspaces of a job have statuses of their own. Hosts limit requests that make
// content, so beyond these numbers the aggregate and the comment stand for them. With them,
// a plan and an apply take at most ten requests on a commit.
const (
	// pendingStatuses is the largest number of dirspaces that show that they are under
	// way.
	pendingStatuses = 1
	// finalStatuses is the largest number of dirspaces that show how they ended.
	finalStatuses = 2
)

// Descriptions of statuses.
const (
	waiting    = "Waiting for an apply"
	allDone    = "Everything is applied, or has no changes"
	underWay   = "Waiting for the run"
	closedText = "Closed without merge"
	succeeded  = "Success"
	failedText = "Failed"
)

// setStatus adds the effect that gives the head of a pull request a status, unless it has
// it.
func (o *outcome) setStatus(s vcshost.CommitStatus) {
	p := o.pull
	if p.Head == "" || p.Statuses[s.Name] == s.State {
		return
	}
	if p.Statuses == nil {
		p.Statuses = map[string]vcshost.CheckState{}
	}
	p.Statuses[s.Name] = s.State
	o.add(effect{Kind: setsStatus, Commit: p.Head, Status: &s})
}

// aggregate sets the status of the whole pull request.
func (o *outcome) aggregate(state vcshost.CheckState) {
	text := waiting
	if state == vcshost.CheckSuccess {
		text = allDone
	}
	o.setStatus(vcshost.CommitStatus{Name: status.Aggregate, State: state, Description: text, URL: o.url("")})
}

// dirspaceStatuses sets the statuses of the dirspaces of a job, if there are at most most.
// It always sets those that are pending. GitLab has the aggregate alone.
func (o *outcome) dirspaceStatuses(of status.Operation, list []run.Dirspace, most int, id run.ID, state vcshost.CheckState, text string) {
	if o.of.Installation.VCS == vcs.GitLab {
		return
	}
	for _, d := range list {
		name := status.Of(of, d)
		if len(list) <= most || o.pull.Statuses[name] == vcshost.CheckPending {
			o.setStatus(vcshost.CommitStatus{Name: name, State: state, Description: text, URL: o.url(id)})
		}
	}
}

// settle gives every status that is pending a final state.
func (o *outcome) settle(state vcshost.CheckState, text string) {
	for _, name := range slices.Sorted(maps.Keys(o.pull.Statuses)) {
		if o.pull.Statuses[name] == vcshost.CheckPending {
			o.setStatus(vcshost.CommitStatus{Name: name, State: state, Description: text, URL: o.url("")})
		}
	}
}
