package vcsevent

import (
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
)

type gitlabProject struct {
	ID                member[int64]  `json:"id"`
	PathWithNamespace member[string] `json:"path_with_namespace"`
	DefaultBranch     member[string] `json:"default_branch"`
	VisibilityLevel   member[int64]  `json:"visibility_level"`
	WebURL            member[string] `json:"web_url"`
}

// gitlabPublic is the visibility level of public projects. gitlabPublicName is its
// name in events about projects.
const (
	gitlabPublic     = 20
	gitlabPublicName = "public"
)

// gitlabObject is the object that an event is about, with the members of a merge
// request. ID, Status and URL are those of a pipeline. Note, NoteableType, System,
// AuthorID and CreatedAt are those of a comment, whose id is ID.
type gitlabObject struct {
	ID              member[int64]         `json:"id"`
	Status          member[string]        `json:"status"`
	URL             member[string]        `json:"url"`
	ProjectID       member[int64]         `json:"project_id"`
	TargetProjectID member[int64]         `json:"target_project_id"`
	Target          member[gitlabProject] `json:"target"`
	IID             member[int64]         `json:"iid"`
	Action          member[string]        `json:"action"`
	State           member[string]        `json:"state"`
	Title           member[string]        `json:"title"`
	SourceBranch    member[string]        `json:"source_branch"`
	TargetBranch    member[string]        `json:"target_branch"`
	Draft           member[bool]          `json:"draft"`
	UpdatedAt       hostTime              `json:"updated_at"`
	MergeCommitSHA  member[string]        `json:"merge_commit_sha"`
	LastCommit      member[gitlabCommit]  `json:"last_commit"`
	OldRev          member[string]        `json:"oldrev"`
	Note            member[string]        `json:"note"`
	NoteableType    member[string]        `json:"noteable_type"`
	System          member[bool]          `json:"system"`
	AuthorID        member[int64]         `json:"author_id"`
	CreatedAt       hostTime              `json:"created_at"`
}

type gitlabCommit struct {
	ID member[string] `json:"id"`
}

// described reads the project that a delivery is about. If the delivery of a merge
// request does not describe the project, it reads the project that the merge
// request describes.
func (p *gitlabPayload) described(c *checker) *RepositorySeen {
	project, path := p.Project.value, "project.path_with_namespace"
	if target := p.ObjectAttributes.value.Target.value; !project.PathWithNamespace.has() && target.PathWithNamespace.has() {
		project, path = target, "object_attributes.target.path_with_namespace"
	}
	r := &RepositorySeen{Description: vcs.Description{ID: c.id(p.id()), DefaultBranch: optional(project.DefaultBranch, maxBranch)}}
	r.Owner, r.Name = parted(c, path, project.PathWithNamespace)
	if level := project.VisibilityLevel; level.has() {
		private := level.value < gitlabPublic
		r.Private = &private
	}
	return r
}

// moved reads the events about projects. In them GitLab does not state the default
// branch, nor whether the project is archived.
func (p *gitlabPayload) moved(c *checker, kind string) []Fact {
	id := c.id("project_id", p.ProjectID)
	if kind == "project_destroy" {
		return []Fact{&RepositoriesGone{IDs: []vcs.ID{id}, Moment: vcs.Moment{At: p.UpdatedAt.Time, Rank: vcs.RankGone}}}
	}
	seen := &RepositorySeen{Description: vcs.Description{ID: id}, There: p.UpdatedAt.Time, Moment: vcs.Moment{At: p.UpdatedAt.Time}}
	seen.Owner, seen.Name = parted(c, "path_with_namespace", p.PathWithNamespace)
	// System hooks write "visibilitylevel|private", others "private".
	if visibility := p.ProjectVisibility.value; visibility != "" {
		private := visibility[strings.LastIndexByte(visibility, '|')+1:] != gitlabPublicName
		seen.Private = &private
	}
	return []Fact{seen}
}

// parted splits a path such as "acme/platform/infra" after its first element. The
// owner is the top-level group. The rest is the name.
func parted(c *checker, path string, full member[string]) (owner, name string) {
	owner, name, _ = strings.Cut(c.text(path, full, maxName+1+maxPath), "/")
	return c.name(path+" (owner)", owner, maxName), c.name(path+" (name)", name, maxPath)
}

// seen reads a merge request. Its base commit is not in the payload. GitLab sends
// only the author's id, and no time of the merge. So when the action is "open", the
// user of the event is the author. When the action is "merge",
// updated_at is the time of the merge.
func (m *gitlabObject) seen(c *checker, repository vcs.ID, user member[string]) *PullRequestSeen {
	seen := &PullRequestSeen{
		Repository: repository, Number: c.whole("object_attributes.iid", m.IID), Title: title(m.Title), Draft: m.Draft.value,
		BaseBranch: c.text("object_attributes.target_branch", m.TargetBranch, maxBranch),
		Branch:     c.text("object_attributes.source_branch", m.SourceBranch, maxBranch),
		SHA:        optional(m.LastCommit.value.ID, maxSHA),
		State:      "open", Moment: vcs.Moment{At: c.time("object_attributes.updated_at", m.UpdatedAt)},
	}
	if m.Action.value == "open" {
		seen.User = optional(user, maxName)
	}
	if m.State.wrong != "" {
		c.fail("object_attributes.state is %s, not a string", m.State.wrong)
	}
	switch m.State.value {
	case "opened", "locked":
	case "closed":
		seen.State = "closed"
	case "merged":
		seen.State, seen.Rank = "merged", vcs.RankEnded
		seen.MergedSHA = optional(m.MergeCommitSHA, maxSHA)
		if m.Action.value == "merge" {
			seen.MergedAt = m.UpdatedAt.Time
		}
	default:
		c.fail("object_attributes.state is none that GitLab documents")
	}
	return seen
}
