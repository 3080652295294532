package vcstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deedGitHub is something that somebody does with a pull request of GitHub, or only with a
// repository: then it has no change. The lock of the stand-in is held.
type deedGitHub struct {
	host   *GitHub
	repo   *Repository
	change *Change
}

func (g *GitHub) deed(repo *Repository, c *Change) deedGitHub { return deedGitHub{g, repo, c} }

// send sends a webhook with the members that all events of a repository have.
func (d deedGitHub) send(event string, members map[string]any, by Account) {
	if d.host.OnWebhook == nil {
		return
	}
	installation := d.host.installationWith(d.repo.ID)
	id, _ := strconv.ParseInt(installation, 10, 64)
	members["repository"] = d.repo.object()
	members["organization"] = map[string]any{"login": d.repo.Owner}
	members["installation"] = map[string]any{"id": id}
	members["sender"] = user(by)
	body, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	d.host.OnWebhook(Webhook{event, installation, body})
}

// installationWith returns the installation that has a repository.
func (g *GitHub) installationWith(repository int64) string {
	for id, list := range g.installations {
		if slices.ContainsFunc(list, func(r Repository) bool { return r.ID == repository }) {
			return id
		}
	}
	return ""
}

// user returns an account as GitHub's events have it. GitHub ends the logins of bots so.
func user(a Account) any {
	kind := "User"
	if strings.HasSuffix(a.Login, "[bot]") {
		kind = "Bot"
	}
	return map[string]any{"login": a.Login, "id": a.ID, "type": kind}
}

// tell sends the webhook of an action on the pull request, with more members.
func (d deedGitHub) tell(action string, by Account, more map[string]any) {
	c := d.change
	c.UpdatedAt = d.host.Now.now()
	base, head := d.repo.ends(c)
	c.Stated = head
	state, merged, mergeCommit, mergedAt, closedAt := "open", c.State == "merged", any(nil), any(nil), any(nil)
	if !c.open() {
		state, closedAt = "closed", stamp(c.ClosedAt)
	}
	if merged {
		mergedAt, mergeCommit = closedAt, c.MergeCommit
	}
	var from any // null for a fork that is gone
	if c.From != 0 {
		from = map[string]any{"id": c.From, "fork": c.From != d.repo.ID}
	}
	members := map[string]any{"action": action, "number": c.Number, "pull_request": map[string]any{
		"id": d.repo.ID*1000 + c.Number, "number": c.Number, "state": state, "title": c.Title, "user": user(Account{c.AuthorID, c.Author}), "body": nil,
		"created_at": stamp(c.CreatedAt), "updated_at": stamp(c.UpdatedAt), "closed_at": closedAt, "merged_at": mergedAt, "merge_commit_sha": mergeCommit,
		"draft": c.Draft, "merged": merged, "html_url": d.page(),
		"head": map[string]any{"label": d.repo.Owner + ":" + c.Head, "ref": c.Head, "sha": head, "repo": from},
		"base": map[string]any{"label": d.repo.Owner + ":" + c.Base, "ref": c.Base, "sha": base, "repo": map[string]any{"id": d.repo.ID, "fork": false}},
	}}
	for name, value := range more {
		members[name] = value
	}
	d.send("pull_request", members, by)
}

// page returns the address of the pull request.
func (d deedGitHub) page() string {
	return fmt.Sprintf("https://github.example.com/%s/%s/pull/%d", d.repo.Owner, d.repo.Name, d.change.Number)
}

// tellComment sends the webhook of the newest comment.
func (d deedGitHub) tellComment() {
	c := d.change
	comment := &c.Comments[len(c.Comments)-1]
	state := "open"
	if !c.open() {
		state = "closed"
	}
	d.send("issue_comment", map[string]any{
		"action": "created", "comment": d.host.commentObject(d.repo, c, *comment),
		"issue": map[string]any{
			"number": c.Number, "title": c.Title, "state": state, "user": user(Account{c.AuthorID, c.Author}),
			"pull_request": map[string]any{"html_url": d.page()},
		},
	}, Account{comment.AuthorID, comment.Author})
}

// tellReview sends the webhook of a review.
func (d deedGitHub) tellReview(by Account, state string) {
	action := "submitted"
	if state == "dismissed" {
		action = "dismissed"
	}
	_, head := d.repo.ends(d.change)
	d.send("pull_request_review", map[string]any{
		"action": action, "review": map[string]any{"id": len(d.change.Reviews), "user": user(by), "state": state, "commit_id": head},
		"pull_request": map[string]any{"number": d.change.Number, "title": d.change.Title, "html_url": d.page()},
	}, by)
}

// noCommit is the commit of a branch that does not exist, in events.
const noCommit = "0000000000000000000000000000000000000000"

// tellPush sends the webhook of a push to a branch. before is empty for a new branch.
func (d deedGitHub) tellPush(branch, before, after string, by Account) {
	d.repo.UpdatedAt = d.host.Now.now()
	d.send("push", map[string]any{
		"ref": "refs/heads/" + branch, "before": cmp.Or(before, noCommit), "after": after, "created": before == "", "deleted": false, "forced": false,
		"pusher": map[string]any{"name": by.Login}, "commits": []any{}, "head_commit": map[string]any{"id": after},
	}, by)
}

// stamp returns a time as GitHub writes it.
func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// newest returns the newest status of each context, in the order of the first ones.
func newest(all []Status) []Status {
	var list []Status
	at := map[string]int{}
	for _, s := range all {
		i, ok := at[s.Context]
		if !ok {
			at[s.Context] = len(list)
			list = append(list, s)
			continue
		}
		list[i] = s
	}
	return list
}
