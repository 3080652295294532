package vcsevent

// PullAction is what happened to a pull request.
type PullAction string

// The actions.
const (
	PullOpened   PullAction = "opened"
	PullReopened PullAction = "reopened"
	// PullPushed says that the pull request has another head.
	PullPushed PullAction = "pushed"
	// PullReady says that the pull request is no longer a draft.
	PullReady PullAction = "ready"
	// PullRetargeted says that the pull request has another base branch.
	PullRetargeted PullAction = "retargeted"
	// PullClosed says that the pull request was closed or merged.
	PullClosed PullAction = "closed"
	// PullOther is for all that starts nothing: a new title, labels, reviews, and
	// others.
	PullOther PullAction = "other"
)

// githubPullActions are the actions of GitHub ("pull_request", GitHub documentation).
// An edit may be of the base branch.
var githubPullActions = map[string]PullAction{
	"opened": PullOpened, "reopened": PullReopened, "synchronize": PullPushed, "ready_for_review": PullReady, "closed": PullClosed,
}

// githubChanges says what an edit has changed.
type githubChanges struct {
	Base member[struct{}] `json:"base"`
}

func (p *githubPayload) pullAction() PullAction {
	action := p.Action.value
	if action == "edited" && p.Changes.value.Base.has() {
		return PullRetargeted
	}
	if known, ok := githubPullActions[action]; ok {
		return known
	}
	return PullOther
}

// gitlabPullActions are the actions of GitLab ("Merge request events", GitLab
// documentation), except updates.
var gitlabPullActions = map[string]PullAction{"open": PullOpened, "reopen": PullReopened, "close": PullClosed, "merge": PullClosed}

// gitlabChanges says what an update has changed.
type gitlabChanges struct {
	Draft        member[gitlabChange] `json:"draft"`
	TargetBranch member[struct{}]     `json:"target_branch"`
}

type gitlabChange struct {
	Previous member[bool] `json:"previous"`
	Current  member[bool] `json:"current"`
}

// pullAction reads what happened to a merge request. Only an update after a push has
// the commit before it in oldrev.
func (p *gitlabPayload) pullAction() PullAction {
	object, changes := p.ObjectAttributes.value, p.Changes.value
	if known, ok := gitlabPullActions[object.Action.value]; ok {
		return known
	}
	draft := changes.Draft.value
	switch {
	case object.Action.value != "update":
		return PullOther
	case object.OldRev.value != "":
		return PullPushed
	case draft.Previous.value && draft.Current.has() && !draft.Current.value:
		return PullReady
	case changes.TargetBranch.has():
		return PullRetargeted
	}
	return PullOther
}
