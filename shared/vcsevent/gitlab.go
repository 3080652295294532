package vcsevent

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/opsplane/opsplane/shared/shorten"
)

// What is read of GitLab's payloads ("Webhook events", "Group webhooks",
// GitLab documentation).
type gitlabPayload struct {
	EventName         string         `json:"event_name"`
	Project           *gitlabProject `json:"project"`
	ObjectAttributes  *gitlabMerge   `json:"object_attributes"`
	User              gitlabUser     `json:"user"`
	ProjectID         int64          `json:"project_id"`
	PathWithNamespace string         `json:"path_with_namespace"`
	ProjectVisibility string         `json:"project_visibility"`
	UpdatedAt         hostTime       `json:"updated_at"`
}

type gitlabUser struct {
	Username string `json:"username"`
}

type gitlabProject struct {
	ID                int64  `json:"id"`
	PathWithNamespace string `json:"path_with_namespace"`
	DefaultBranch     string `json:"default_branch"`
	VisibilityLevel   *int   `json:"visibility_level"`
}

// gitlabPublic is the visibility level of projects that everybody sees, and
// gitlabPublicName what events of projects call it.
const (
	gitlabPublic     = 20
	gitlabPublicName = "public"
)

type gitlabMerge struct {
	IID            int64    `json:"iid"`
	Action         string   `json:"action"`
	State          string   `json:"state"`
	Title          string   `json:"title"`
	SourceBranch   string   `json:"source_branch"`
	TargetBranch   string   `json:"target_branch"`
	Draft          bool     `json:"draft"`
	UpdatedAt      hostTime `json:"updated_at"`
	MergeCommitSHA string   `json:"merge_commit_sha"`
	LastCommit     struct {
		ID string `json:"id"`
	} `json:"last_commit"`
}

// GitLab reads a delivery of an event, the value of the header X-Gitlab-Event,
// to the webhook of an installation: payloads do not name the group. Events that
// are of no concern tell nothing, and are no error. A body that is not what the
// event should be is *Undecodable; the ids are then as far as they could be
// read.
func GitLab(event, installation string, body []byte) (Event, error) {
	e := Event{Name: event, Installation: installation}
	var p gitlabPayload
	if err := json.Unmarshal(body, &p); err != nil {
		return e, undecodable("the body is not the JSON of this event")
	}
	e.Action = actionOf(p.EventName)
	if p.ObjectAttributes != nil {
		e.Action = actionOf(p.ObjectAttributes.Action)
	}
	var c checker
	switch {
	case p.Project != nil:
		e.Repository = c.id("project.id", p.Project.ID)
		e.Changes = p.mentioned(&c, event)
	case strings.HasPrefix(p.EventName, "project_"):
		e.Repository = c.id("project_id", p.ProjectID)
		e.Changes = p.project(&c)
	case strings.HasPrefix(p.EventName, "subgroup_"):
		e.Changes = []Change{&ProjectsMoved{}}
	}
	if c.err != nil {
		e.Changes = nil
	}
	return e, c.err
}

// project reads the events about projects. GitLab does not tell there what the
// default branch is, nor whether the project is archived.
func (p *gitlabPayload) project(c *checker) []Change {
	id := c.id("project_id", p.ProjectID)
	if p.EventName == "project_destroy" {
		return []Change{&RepositoriesGone{IDs: []string{id}, Version: Version{At: p.UpdatedAt.Time, Rank: rankGone}}}
	}
	seen := &RepositorySeen{Repository: Repository{ID: id}, There: p.UpdatedAt.Time, Version: Version{At: p.UpdatedAt.Time}}
	seen.Owner, seen.Name = namespace(c, "path_with_namespace", p.PathWithNamespace)
	if p.ProjectVisibility != "" {
		private := p.ProjectVisibility != gitlabPublicName
		seen.Private = &private
	}
	return []Change{seen}
}

// mentioned reads what a delivery tells of its project and merge request. The
// project's description has no time of its own: it is no older than the merge
// request.
func (p *gitlabPayload) mentioned(c *checker, event string) []Change {
	r := &RepositorySeen{Repository: Repository{
		ID: c.id("project.id", p.Project.ID), DefaultBranch: c.optional("project.default_branch", p.Project.DefaultBranch, maxBranch),
	}}
	r.Owner, r.Name = namespace(c, "project.path_with_namespace", p.Project.PathWithNamespace)
	if level := p.Project.VisibilityLevel; level != nil {
		private := *level < gitlabPublic
		r.Private = &private
	}
	changes := []Change{r}
	if event == "Merge Request Hook" {
		if p.ObjectAttributes == nil {
			c.fail("object_attributes is missing")
			return nil
		}
		merge := p.ObjectAttributes.seen(c, r.ID, p.User.Username)
		r.There, r.At = merge.At, merge.At
		changes = append(changes, merge)
	}
	return changes
}

// namespace parts a path such as "acme/platform/infra" before its last element.
func namespace(c *checker, member, full string) (owner, name string) {
	owner, name = path.Split(full)
	return c.name(member+" (namespace)", strings.TrimSuffix(owner, "/"), maxBranch), c.name(member+" (name)", name, maxName)
}

// seen reads a merge request. Its base commit is not in the payload. GitLab
// sends only the author's id, and no time of the merge: who opens it is its
// author, and when it is merged is the time.
func (m *gitlabMerge) seen(c *checker, repository, user string) *PullRequestSeen {
	if m.IID <= 0 {
		c.fail("object_attributes.iid is missing or is not above 0")
	}
	if m.UpdatedAt.IsZero() {
		c.fail("object_attributes.updated_at is missing")
	}
	seen := &PullRequestSeen{
		Repository: repository, Number: m.IID, Title: shorten.Head(m.Title, maxTitle), Draft: m.Draft,
		BaseBranch: c.name("object_attributes.target_branch", m.TargetBranch, maxBranch),
		Branch:     c.name("object_attributes.source_branch", m.SourceBranch, maxBranch),
		SHA:        c.optional("object_attributes.last_commit.id", m.LastCommit.ID, maxSHA),
		State:      "open", Version: Version{At: m.UpdatedAt.Time},
	}
	if m.Action == "open" {
		seen.User = c.optional("user.username", user, maxName)
	}
	switch m.State {
	case "opened", "locked":
	case "closed":
		seen.State = "closed"
	case "merged":
		seen.State, seen.Rank = "merged", rankEnded
		seen.MergedSHA = c.optional("object_attributes.merge_commit_sha", m.MergeCommitSHA, maxSHA)
		if m.Action == "merge" {
			seen.MergedAt = m.UpdatedAt.Time
		}
	default:
		c.fail("object_attributes.state is none that GitLab documents")
	}
	return seen
}
