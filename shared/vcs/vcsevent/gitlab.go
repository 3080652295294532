package vcsevent

import (
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

// What is read of GitLab's payloads ("Webhook events", "Group webhooks", "System
// hooks", GitLab documentation). Where a project's id stands depends on the event
// and on GitLab's version: id finds it.
type gitlabPayload struct {
	ObjectKind        member[string]        `json:"object_kind"`
	EventName         member[string]        `json:"event_name"`
	Project           member[gitlabProject] `json:"project"`
	ObjectAttributes  member[gitlabObject]  `json:"object_attributes"`
	User              member[gitlabUser]    `json:"user"`
	ProjectID         member[int64]         `json:"project_id"`
	PathWithNamespace member[string]        `json:"path_with_namespace"`
	ProjectVisibility member[string]        `json:"project_visibility"`
	UpdatedAt         hostTime              `json:"updated_at"`
}

type gitlabUser struct {
	Username member[string] `json:"username"`
}

// projectKinds are the events about projects themselves, groupKinds those of
// system hooks after which projects of a group may be elsewhere or gone.
var (
	projectKinds = []string{"project_create", "project_destroy", "project_rename", "project_transfer", "project_update"}
	groupKinds   = []string{"group_rename", "group_destroy"}
)

// GitLab reads a delivery of an event, the value of the header X-Gitlab-Event,
// to the webhook of an installation: payloads do not name the group. What it
// tells is decided by the body, which says itself what it is: a system hook sends
// all kinds of events under one name. Events that are of no concern tell nothing
// more than which project they are about, and are no error whatever else they
// hold. A body that is not what the event should be is *Undecodable; the ids are
// then as far as they could be read.
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

// kind is what the body says that it is. The name of the event counts where it
// does not say it.
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

// id finds the project's id, and says where.
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

// merge reads what a delivery tells of a merge request, and of its project. The
// project's description has no time of its own: it is no older than the merge
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
	r.There, r.At = merge.At, merge.At
	return []Fact{r, merge}
}

// mention reads which project a delivery is about. One that is not described as
// it should be is left out: the event is of no concern otherwise.
func (p *gitlabPayload) mention(c *checker) []Fact {
	if !p.Project.there || p.Project.null {
		return nil // it is about a group, or about no project
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
