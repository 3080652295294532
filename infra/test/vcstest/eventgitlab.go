package vcstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strconv"
	"time"
)

// deedGitLab is something that somebody does with a merge request of GitLab, or only with a
// project: then it has no change. The lock of the stand-in is held.
type deedGitLab struct {
	host    *GitLab
	group   int64
	project *Project
	change  *Change
	changed map[string]any // what an update has changed
}

// send sends a webhook with the members that all events of a project have.
func (d deedGitLab) send(event string, members map[string]any) {
	if d.host.OnWebhook == nil {
		return
	}
	p := d.project
	visibility := 0
	if p.Public {
		visibility = 20
	}
	members["project"] = map[string]any{
		"id": p.ID, "name": path.Base(p.PathWithNamespace), "namespace": path.Dir(p.PathWithNamespace), "path_with_namespace": p.PathWithNamespace,
		"default_branch": p.DefaultBranch, "visibility_level": visibility, "web_url": d.page(),
	}
	body, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	d.host.OnWebhook(Webhook{event, strconv.FormatInt(d.group, 10), body})
}

// page returns the address of the project.
func (d deedGitLab) page() string { return "https://gitlab.example.com/" + d.project.PathWithNamespace }

// tell sends the webhook of an action on the merge request. more are members of its
// attributes.
func (d deedGitLab) tell(action string, by Account, more map[string]any) {
	d.change.UpdatedAt = d.host.Now.now()
	attributes := d.attributes()
	attributes["action"] = action
	maps.Copy(attributes, more)
	changed := d.changed
	if changed == nil {
		changed = map[string]any{}
	}
	d.send("Merge Request Hook", map[string]any{
		"object_kind": "merge_request", "event_type": "merge_request", "user": person(by), "object_attributes": attributes, "labels": []any{}, "changes": changed,
	})
}

func person(a Account) any { return map[string]any{"id": a.ID, "name": a.Login, "username": a.Login} }

// attributes returns the merge request as events have it.
func (d deedGitLab) attributes() map[string]any {
	c := d.change
	_, head := d.project.ends(c)
	c.Stated = head
	a := map[string]any{
		"id": d.project.ID*1000 + c.Number, "iid": c.Number, "title": c.Title, "state": cmp.Or(c.State, "opened"), "draft": c.Draft, "author_id": c.AuthorID,
		"source_branch": c.Head, "target_branch": c.Base, "source_project_id": c.From, "target_project_id": d.project.ID,
		"created_at": utc(c.CreatedAt), "updated_at": utc(c.UpdatedAt), "detailed_merge_status": d.project.mergeStatus(c),
		"last_commit": map[string]any{"id": head}, "url": fmt.Sprintf("%s/-/merge_requests/%d", d.page(), c.Number),
	}
	if c.MergeCommit != "" {
		a["merge_commit_sha"] = c.MergeCommit
	}
	return a
}

// utc returns a time as GitLab writes it in webhooks.
func utc(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 MST") }

// comment adds a comment, sends its webhook and returns its id.
func (d deedGitLab) comment(by Account, text string) int64 {
	c := Comment{ID: d.host.next(), Author: by.Login, AuthorID: by.ID, Text: text, At: d.host.Now.now()}
	d.change.Comments = append(d.change.Comments, c)
	d.send("Note Hook", map[string]any{
		"object_kind": "note", "event_type": "note", "user": person(by), "project_id": d.project.ID, "merge_request": d.attributes(),
		"object_attributes": map[string]any{
			"id": c.ID, "note": text, "noteable_type": "MergeRequest", "noteable_id": d.project.ID*1000 + d.change.Number, "author_id": by.ID, "system": false,
			"action": "create", "created_at": utc(c.At), "updated_at": utc(c.At), "project_id": d.project.ID,
			"url": fmt.Sprintf("%s/-/merge_requests/%d#note_%d", d.page(), d.change.Number, c.ID),
		},
	})
	return c.ID
}

// merge merges the merge request, which nothing may be in the way of. It reports false for a
// conflict that only this way to merge has.
func (d deedGitLab) merge(by Account, method, title string) bool {
	c, p := d.change, d.project
	base, head := p.ends(c)
	before := p.tip(c.Base)
	commit, ok := "merge-of-"+head, true
	if p.Content != nil {
		commit, ok = p.Content.Merge(c.Base, head, method, cmp.Or(title, fmt.Sprintf("%s (!%d)", c.Title, c.Number)))
	}
	if !ok {
		return false
	}
	c.State, c.BaseSHA, c.HeadSHA, c.MergeCommit, c.ClosedAt = "merged", base, head, commit, d.host.Now.now()
	if p.Branches != nil {
		p.Branches[c.Base] = commit
	}
	d.tell("merge", by, nil)
	d.tellPush(c.Base, before, commit, by)
	return true
}

// tellPush sends the webhook of a push to a branch. before is empty for a new branch.
func (d deedGitLab) tellPush(branch, before, after string, by Account) {
	d.project.UpdatedAt = d.host.Now.now()
	d.send("Push Hook", map[string]any{
		"object_kind": "push", "event_name": "push", "ref": "refs/heads/" + branch, "before": cmp.Or(before, noCommit), "after": after, "checkout_sha": after,
		"user_id": by.ID, "user_username": by.Login, "project_id": d.project.ID, "commits": []any{}, "total_commits_count": 1,
	})
}
