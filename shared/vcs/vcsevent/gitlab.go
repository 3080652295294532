package vcsevent

import (
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// gitlabPayload has the members of GitLab's payloads that are read ("Webhook
// events", "Group webhooks", "System hooks", GitLab documentation). The member that
// holds the project's id depends on the event and on GitLab's version. Method id
// finds it.
type gitlabPayload struct {
	ObjectKind        member[string]        `json:"object_kind"`
	EventName         member[string]        `json:"event_name"`
	Project           member[gitlabProject] `json:"project"`
	ObjectAttributes  member[gitlabObject]  `json:"object_attributes"`
	User              member[gitlabUser]    `json:"user"`
	MergeRequest      member[gitlabMerge]   `json:"merge_request"`
	Changes           member[gitlabChanges] `json:"changes"`
	ProjectID         member[int64]         `json:"project_id"`
	PathWithNamespace member[string]        `json:"path_with_namespace"`
	ProjectVisibility member[string]        `json:"project_visibility"`
	UpdatedAt         hostTime              `json:"updated_at"`

	// Members of a push.
	Ref          member[string] `json:"ref"`
	After        member[string] `json:"after"`
	UserID       member[int64]  `json:"user_id"`
	UserUsername member[string] `json:"user_username"`

	// Members of a job.
	BuildID           member[int64]  `json:"build_id"`
	BuildStatus       member[string] `json:"build_status"`
	BuildAllowFailure member[bool]   `json:"build_allow_failure"`
	PipelineID        member[int64]  `json:"pipeline_id"`
}

type gitlabUser struct {
	ID       member[int64]  `json:"id"`
	Username member[string] `json:"username"`
}

// projectKinds are the events about projects themselves. groupKinds are the system
// hooks after which projects of a group may have moved or may be gone.
var (
	projectKinds = []string{"project_create", "project_destroy", "project_rename", "project_transfer", "project_update"}
	groupKinds   = []string{"group_rename", "group_destroy"}
)

// GitLab reads a delivery of an event to the webhook of an installation. event is
// the value of the header X-Gitlab-Event. installation is needed because payloads
// do not name the group. The body decides what the delivery means, because it
// states its own kind: a system hook sends all kinds of events under one name. For
// an event that this server does not use, GitLab returns only the project that it
// is about. The rest of such a body does not matter, and is never an error. The
// error is *Undecodable if a body does not have the form of its event. Then the ids
// are set as far as they could be read.
func GitLab(event string, installation vcs.ID, body []byte) (Event, error) {
	e := Event{Name: event, Installation: installation}
	p, err := decode[gitlabPayload](body)
	if err != nil {
		return e, err
	}
	e.Action = actionOf(p.EventName.value)
	if p.ObjectAttributes.has() {
		e.Action = actionOf(p.ObjectAttributes.value.Action.value)
	}
	e.Repository = new(checker).id(p.id())
	var c checker
	switch kind := p.kind(event); {
	case kind == "merge_request":
		e.Facts = p.merge(&c)
	case kind == "note":
		e.Facts = append(p.mention(&c), p.note(&c)...)
	case kind == "push":
		e.Facts = p.mention(&c)
		if len(e.Facts) > 0 {
			e.Facts = append(e.Facts, p.pushed(e.Facts[0].(*RepositorySeen))...)
		}
	case kind == "build":
		e.Facts = append(p.mention(&c), lenient(&c, p.build)...)
	case kind == "pipeline":
		e.Facts = append(p.mention(&c), lenient(&c, p.pipeline)...)
	case slices.Contains(projectKinds, kind):
		e.Facts = p.moved(&c, kind)
	case strings.HasPrefix(kind, "subgroup_") || slices.Contains(groupKinds, kind):
		e.Facts = []Fact{&ProjectsMoved{}}
	default:
		e.Facts = p.mention(&c)
	}
	if c.err != nil {
		e.Facts = nil
		return e, c.err
	}
	e.Skipped = c.left()
	return e, nil
}

// kind returns the kind that the body states. If the body states none, it returns
// the kind that the event's name means.
func (p *gitlabPayload) kind(event string) string {
	switch {
	case p.ObjectKind.value != "":
		return p.ObjectKind.value
	case p.EventName.value != "":
		return p.EventName.value
	case event == "Merge Request Hook":
		return "merge_request"
	}
	return ""
}

// id finds the project's id. It also returns the path of the member that holds it.
func (p *gitlabPayload) id() (path string, id member[int64]) {
	object := p.ObjectAttributes.value
	path, id = "project.id", p.Project.value.ID
	for _, at := range []struct {
		path string
		id   member[int64]
	}{
		{"project.id", p.Project.value.ID},
		{"project_id", p.ProjectID},
		{"object_attributes.target_project_id", object.TargetProjectID},
		{"object_attributes.project_id", object.ProjectID},
	} {
		if at.id.has() {
			return at.path, at.id
		}
	}
	return path, id
}

// merge reads what a delivery states about a merge request and its project. The
// project's description has no time of its own. It is at least as new as the merge
// request.
func (p *gitlabPayload) merge(c *checker) []Fact {
	part(c, "project", p.Project)
	object := part(c, "object_attributes", p.ObjectAttributes)
	if !p.ObjectAttributes.has() {
		c.fail("object_attributes is missing")
		return nil
	}
	r := p.described(c)
	merge := object.seen(c, r.ID, p.User.value.Username)
	merge.Action = p.pullAction()
	merge.Sender, merge.SenderID = optional(p.User.value.Username, maxName), idOf(p.User.value.ID)
	r.There, r.At = merge.At, merge.At
	return []Fact{r, merge}
}

// mention reads which project a delivery is about. A project that is not described
// correctly is left out, because the event has no other use here.
func (p *gitlabPayload) mention(c *checker) []Fact {
	if !p.Project.there || p.Project.null {
		return nil // the event is about a group, or about no project
	}
	var own checker
	part(&own, "project", p.Project)
	r := p.described(&own)
	if own.err != nil {
		c.skip(own.err.(*Undecodable).Reason)
		return nil
	}
	return []Fact{r}
}
