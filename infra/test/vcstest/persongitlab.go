package vcstest

import (
	"cmp"
	"slices"
	"time"
)

// at calls a function with a project. name is its path with the namespace.
func (g *GitLab) at(name string, f func(deedGitLab) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, group := range g.groups {
		for i := range group.Projects {
			if p := &group.Projects[i]; p.PathWithNamespace == name {
				return f(deedGitLab{host: g, group: group.ID, project: p})
			}
		}
	}
	return none("project %s", name)
}

// atPull calls a function with a merge request.
func (g *GitLab) atPull(name string, number int64, f func(deedGitLab) error) error {
	return g.at(name, func(d deedGitLab) error {
		i := slices.IndexFunc(d.project.Changes, func(c Change) bool { return c.Number == number })
		if i < 0 {
			return none("merge request %d of %s", number, name)
		}
		d.change = &d.project.Changes[i]
		return f(d)
	})
}

// OpenPull opens a merge request and returns its number.
func (g *GitLab) OpenPull(project string, by Account, o Opening) (number int64, err error) {
	err = g.at(project, func(d deedGitLab) error {
		c, err := d.project.openedBy(by, o)
		if err != nil {
			return err
		}
		c.CreatedAt = g.Now.now()
		d.project.Changes = append(d.project.Changes, c)
		number, d.change = c.Number, &d.project.Changes[len(d.project.Changes)-1]
		d.tell("open", by, nil)
		return nil
	})
	return number, err
}

// openedBy returns the change that an opening makes.
func (p *Project) openedBy(by Account, o Opening) (Change, error) {
	c := Change{
		Number: 1, Title: o.Title, Author: by.Login, AuthorID: by.ID, Base: cmp.Or(o.Base, p.DefaultBranch), Head: o.Head,
		From: cmp.Or(o.From, p.ID), Draft: o.Draft,
	}
	switch base, head := p.tip(c.Base), p.tip(c.Head); {
	case base == "":
		return c, none("branch %s", c.Base)
	case head == "":
		return c, none("branch %s", c.Head)
	case base == head:
		return c, refused("there are no commits between %s and %s", c.Base, c.Head)
	}
	for _, other := range p.Changes {
		c.Number = max(c.Number, other.Number+1)
		if other.opened() && other.Head == c.Head && other.Base == c.Base {
			return c, refused("another open merge request already exists for this source branch: !%d", other.Number)
		}
	}
	return c, nil
}

// Push commits changes to a branch and pushes them, as GitHub.Push does.
func (g *GitLab) Push(project, branch string, by Account, changes map[string][]byte) (commit string, err error) {
	err = g.at(project, func(d deedGitLab) error {
		before, after, err := committed(d.project.Content, d.project.DefaultBranch, branch, changes)
		if err != nil {
			return err
		}
		commit = after
		d.tellPush(branch, before, after, by)
		for i := range d.project.Changes {
			d.change = &d.project.Changes[i]
			if d.change.opened() && d.change.Head == branch && d.change.Stated != after {
				d.tell("update", by, map[string]any{"oldrev": cmp.Or(d.change.Stated, before)})
			}
		}
		return nil
	})
	return commit, err
}

// CommentOn writes a comment in a merge request and returns its id.
func (g *GitLab) CommentOn(project string, number int64, by Account, text string) (id int64, err error) {
	err = g.atPull(project, number, func(d deedGitLab) error {
		id = d.comment(by, text)
		return nil
	})
	return id, err
}

// ReviewPull reviews a merge request. GitLab keeps one state of each person.
func (g *GitLab) ReviewPull(project string, number int64, by Account, v Verdict) error {
	return g.atPull(project, number, func(d deedGitLab) error {
		states := map[Verdict]string{Approve: "approved", RequestChanges: "requested_changes", Withdraw: "unapproved"}
		actions := map[Verdict]string{Approve: "approved", RequestChanges: "update", Withdraw: "unapproved"}
		d.change.Reviews = slices.DeleteFunc(d.change.Reviews, func(r Review) bool { return r.AuthorID == by.ID })
		d.change.Reviews = append(d.change.Reviews, Review{Author: by.Login, AuthorID: by.ID, State: states[v]})
		d.tell(actions[v], by, nil)
		return nil
	})
}

// MergePull merges a merge request with "merge", "squash" or "rebase", and returns the commit.
func (g *GitLab) MergePull(project string, number int64, by Account, method string) (commit string, err error) {
	err = g.atPull(project, number, func(d deedGitLab) error {
		status, _ := d.project.mergeStatus(d.change).(string)
		if status != "" && status != "mergeable" {
			return refused("the merge request cannot be merged: %s", status)
		}
		if !d.merge(by, method, "") {
			return refused("the merge request cannot be merged: conflict")
		}
		commit = d.change.MergeCommit
		return nil
	})
	return commit, err
}

// ClosePull closes a merge request without merging it.
func (g *GitLab) ClosePull(project string, number int64, by Account) error {
	return g.atPull(project, number, func(d deedGitLab) error {
		if !d.change.opened() {
			return refused("it is not open")
		}
		d.change.BaseSHA, d.change.HeadSHA = d.project.ends(d.change)
		d.change.State, d.change.ClosedAt = "closed", g.Now.now()
		d.tell("close", by, nil)
		return nil
	})
}

// ReopenPull opens a merge request again that was closed.
func (g *GitLab) ReopenPull(project string, number int64, by Account) error {
	return g.atPull(project, number, func(d deedGitLab) error {
		switch {
		case d.change.State != "closed":
			return refused("it is not closed")
		case d.project.tip(d.change.Head) == "":
			return refused("its branch was deleted")
		}
		d.change.State, d.change.BaseSHA, d.change.HeadSHA, d.change.ClosedAt = "", "", "", time.Time{}
		d.tell("reopen", by, nil)
		return nil
	})
}

// DraftPull makes a merge request a draft, or ready.
func (g *GitLab) DraftPull(project string, number int64, by Account, draft bool) error {
	return g.atPull(project, number, func(d deedGitLab) error {
		if d.change.Draft == draft {
			return refused("it is so already")
		}
		d.change.Draft = draft
		d.changed = map[string]any{"draft": map[string]any{"previous": !draft, "current": draft}}
		d.tell("update", by, nil)
		return nil
	})
}

// RetargetPull gives a merge request another target branch.
func (g *GitLab) RetargetPull(project string, number int64, by Account, base string) error {
	return g.atPull(project, number, func(d deedGitLab) error {
		was := d.change.Base
		switch {
		case !d.change.opened():
			return refused("it is not open")
		case d.project.tip(base) == "":
			return none("branch %s", base)
		case was == base:
			return refused("it is so already")
		}
		d.change.Base = base
		d.changed = map[string]any{"target_branch": map[string]any{"previous": was, "current": base}}
		d.tell("update", by, nil)
		return nil
	})
}

// EndJob ends the job of a pipeline with a status, such as "success" or "failed".
func (g *GitLab) EndJob(run CIRun, status string) {
	g.CI.Set(run.ID, status, "")
	_ = g.at(run.Repository, func(d deedGitLab) error {
		d.send("Job Hook", map[string]any{
			"object_kind": "build", "build_id": JobOf(run), "build_name": "terrateam", "build_status": status, "build_allow_failure": false,
			"pipeline_id": run.ID, "project_id": d.project.ID, "ref": run.Branch,
		})
		return nil
	})
}

// Pull returns a merge request as its page shows it.
func (g *GitLab) Pull(project string, number int64) (p Pull, err error) {
	err = g.atPull(project, number, func(d deedGitLab) error {
		p = Pull{Change: *d.change, Repository: project}
		p.BaseSHA, p.HeadSHA = d.project.ends(d.change)
		p.Moved = d.change.opened() && p.Stated != "" && p.Stated != p.HeadSHA
		p.Comments, p.Reviews = slices.Clone(p.Comments), slices.Clone(p.Reviews)
		for _, j := range d.project.Jobs[p.HeadSHA] {
			if j.External && !j.Retried {
				p.Statuses = append(p.Statuses, Status{Context: j.Name, State: j.State, Description: j.Description, URL: j.URL})
			}
		}
		if d.project.Content != nil {
			p.Conflict = d.change.opened() && d.project.conflicts(d.change)
			p.Files = Differences(d.project.Content, p.BaseSHA, p.HeadSHA)
		}
		return nil
	})
	return p, err
}

// Pulls returns the numbers of the merge requests of a project, the oldest first.
func (g *GitLab) Pulls(project string) (numbers []int64, err error) {
	err = g.at(project, func(d deedGitLab) error {
		for _, c := range d.project.Changes {
			numbers = append(numbers, c.Number)
		}
		return nil
	})
	return numbers, err
}
