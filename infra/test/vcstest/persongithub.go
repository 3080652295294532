package vcstest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// at calls a function with a repository. name is "owner/name".
func (g *GitHub) at(name string, f func(*Repository) error) (err error) {
	owner, short, _ := strings.Cut(name, "/")
	if !g.Update(owner, short, func(repo *Repository) { err = f(repo) }) {
		err = none("repository %s", name)
	}
	return err
}

// atPull calls a function with a pull request.
func (g *GitHub) atPull(name string, number int64, f func(deedGitHub) error) error {
	return g.at(name, func(repo *Repository) error {
		i := slices.IndexFunc(repo.Changes, func(c Change) bool { return c.Number == number })
		if i < 0 {
			return none("pull request %d of %s", number, name)
		}
		return f(g.deed(repo, &repo.Changes[i]))
	})
}

// OpenPull opens a pull request and returns its number.
func (g *GitHub) OpenPull(repository string, by Account, o Opening) (number int64, err error) {
	err = g.at(repository, func(repo *Repository) error {
		c, err := repo.opened(by, o)
		if err != nil {
			return err
		}
		c.CreatedAt = g.Now.now()
		repo.Changes = append(repo.Changes, c)
		number = c.Number
		g.deed(repo, &repo.Changes[len(repo.Changes)-1]).tell("opened", by, nil)
		return nil
	})
	return number, err
}

// opened returns the change that an opening makes.
func (r *Repository) opened(by Account, o Opening) (Change, error) {
	c := Change{
		Number: 1, Title: o.Title, Author: by.Login, AuthorID: by.ID, Base: cmp.Or(o.Base, r.DefaultBranch), Head: o.Head,
		From: cmp.Or(o.From, r.ID), Draft: o.Draft,
	}
	base, head := r.ends(&c)
	switch {
	case base == "":
		return c, none("branch %s", c.Base)
	case head == "":
		return c, none("branch %s", c.Head)
	case base == head:
		return c, refused("there are no commits between %s and %s", c.Base, c.Head)
	}
	for _, other := range r.Changes {
		c.Number = max(c.Number, other.Number+1)
		if other.open() && other.Head == c.Head && other.Base == c.Base {
			return c, refused("a pull request already exists for %s: number %d", c.Head, other.Number)
		}
	}
	return c, nil
}

// Push commits changes to a branch and pushes them. It returns the new commit. A branch that
// does not exist begins at the default branch. Without changes, it pushes what was committed
// to the repository in another way.
func (g *GitHub) Push(repository, branch string, by Account, changes map[string][]byte) (commit string, err error) {
	err = g.at(repository, func(repo *Repository) error {
		before, after, err := committed(repo.Content, repo.DefaultBranch, branch, changes)
		if err != nil {
			return err
		}
		commit = after
		g.deed(repo, nil).pushed(branch, before, after, by)
		return nil
	})
	return commit, err
}

// committed commits changes to a branch of a content, and returns its commits before and
// after that.
func committed(content Content, from, branch string, changes map[string][]byte) (before, after string, err error) {
	editable, ok := content.(Editable)
	if !ok {
		return "", "", refused("the repository has no content that can be changed")
	}
	before, exists := editable.Branch(branch)
	switch {
	case len(changes) == 0 && !exists:
		return "", "", none("branch %s", branch)
	case len(changes) == 0:
		return before, before, nil
	case !exists:
		start, ok := editable.Branch(from)
		if ok && branch != from {
			editable.SetBranch(branch, start)
		}
	}
	return before, editable.Commit(branch, changes), nil
}

// pushed sends the webhooks of a push: one of the push, and one for each open pull request
// whose head has moved.
func (d deedGitHub) pushed(branch, before, after string, by Account) {
	d.tellPush(branch, before, after, by)
	for i := range d.repo.Changes {
		c := &d.repo.Changes[i]
		if c.open() && c.Head == branch && c.Stated != after {
			was := cmp.Or(c.Stated, before)
			d.host.deed(d.repo, c).tell("synchronize", by, map[string]any{"before": was, "after": after})
		}
	}
}

// CommentOn writes a comment in a pull request and returns its id.
func (g *GitHub) CommentOn(repository string, number int64, by Account, text string) (id int64, err error) {
	err = g.atPull(repository, number, func(d deedGitHub) error {
		id = g.add(d.change, Comment{Author: by.Login, AuthorID: by.ID, Text: text})
		d.tellComment()
		return nil
	})
	return id, err
}

// ReviewPull reviews a pull request.
func (g *GitHub) ReviewPull(repository string, number int64, by Account, v Verdict) error {
	return g.atPull(repository, number, func(d deedGitHub) error {
		states := map[Verdict]string{Approve: "APPROVED", RequestChanges: "CHANGES_REQUESTED", Withdraw: "DISMISSED"}
		if by.ID == d.change.AuthorID && v != Withdraw {
			return refused("nobody reviews a pull request of their own")
		}
		if v == Withdraw {
			d.change.Reviews = slices.DeleteFunc(d.change.Reviews, func(r Review) bool { return r.AuthorID == by.ID })
		}
		d.change.Requested = slices.DeleteFunc(d.change.Requested, func(login string) bool { return login == by.Login })
		d.change.Reviews = append(d.change.Reviews, Review{Author: by.Login, AuthorID: by.ID, State: states[v]})
		d.tellReview(by, strings.ToLower(states[v]))
		return nil
	})
}

// MergePull merges a pull request with "merge", "squash" or "rebase", and returns the commit.
func (g *GitHub) MergePull(repository string, number int64, by Account, method string) (commit string, err error) {
	err = g.atPull(repository, number, func(d deedGitHub) error {
		if why := d.repo.unmergeable(d.change, method); why != "" {
			return refused("%s", why)
		}
		if !d.merge(by, method, "") {
			return refused(notMergeable)
		}
		commit = d.change.MergeCommit
		return nil
	})
	return commit, err
}

// ClosePull closes a pull request without merging it.
func (g *GitHub) ClosePull(repository string, number int64, by Account) error {
	return g.atPull(repository, number, func(d deedGitHub) error {
		if !d.change.open() {
			return refused("it is not open")
		}
		d.close(by)
		return nil
	})
}

// ReopenPull opens a pull request again that was closed.
func (g *GitHub) ReopenPull(repository string, number int64, by Account) error {
	return g.atPull(repository, number, func(d deedGitHub) error {
		switch {
		case d.change.State != "closed":
			return refused("it is not closed")
		case d.repo.tip(d.change.Head) == "":
			return refused("its branch was deleted")
		}
		d.change.State, d.change.BaseSHA, d.change.HeadSHA, d.change.ClosedAt = "", "", "", time.Time{}
		d.tell("reopened", by, nil)
		return nil
	})
}

// DraftPull makes a pull request a draft, or ready for review.
func (g *GitHub) DraftPull(repository string, number int64, by Account, draft bool) error {
	return g.atPull(repository, number, func(d deedGitHub) error {
		if d.change.Draft == draft {
			return refused("it is so already")
		}
		d.change.Draft = draft
		action := "ready_for_review"
		if draft {
			action = "converted_to_draft"
		}
		d.tell(action, by, nil)
		return nil
	})
}

// RetargetPull gives a pull request another base branch.
func (g *GitHub) RetargetPull(repository string, number int64, by Account, base string) error {
	return g.atPull(repository, number, func(d deedGitHub) error {
		was := d.change.Base
		switch {
		case !d.change.open():
			return refused("it is not open")
		case d.repo.tip(base) == "":
			return none("branch %s", base)
		case was == base:
			return refused("it is so already")
		}
		d.change.Base = base
		d.tell("edited", by, map[string]any{"changes": map[string]any{"base": map[string]any{"ref": map[string]any{"from": was}}}})
		return nil
	})
}

// EndJob ends the job of a workflow run with a conclusion, such as "success" or "failure".
func (g *GitHub) EndJob(run CIRun, conclusion string) {
	g.CI.Set(run.ID, "completed", conclusion)
	_ = g.at(run.Repository, func(repo *Repository) error {
		g.deed(repo, nil).send("workflow_job", map[string]any{"action": "completed", "workflow_job": map[string]any{
			"id": JobOf(run), "run_id": run.ID, "status": "completed", "conclusion": conclusion, "head_branch": run.Branch,
			"html_url": "https://github.example.com/" + run.Repository + "/actions/runs/" + strconv.FormatInt(run.ID, 10) + "/job/" + strconv.FormatInt(JobOf(run), 10),
		}}, Account{AppID, "github-actions[bot]"})
		return nil
	})
}

// Pull returns a pull request as its page shows it.
func (g *GitHub) Pull(repository string, number int64) (p Pull, err error) {
	err = g.atPull(repository, number, func(d deedGitHub) error {
		p = Pull{Change: *d.change, Repository: repository}
		p.BaseSHA, p.HeadSHA = d.repo.ends(d.change)
		p.Moved = d.change.open() && p.Stated != "" && p.Stated != p.HeadSHA
		p.Comments, p.Reviews = slices.Clone(p.Comments), slices.Clone(p.Reviews)
		p.Statuses = newest(d.repo.Statuses[p.HeadSHA])
		if d.repo.Content != nil {
			p.Conflict = p.open() && d.repo.conflicts(d.change)
			base, _ := d.repo.Content.MergeBase(p.BaseSHA, p.HeadSHA)
			p.Files = Differences(d.repo.Content, base, p.HeadSHA)
		}
		return nil
	})
	return p, err
}

// Pulls returns the numbers of the pull requests of a repository, the oldest first.
func (g *GitHub) Pulls(repository string) (numbers []int64, err error) {
	err = g.at(repository, func(repo *Repository) error {
		for _, c := range repo.Changes {
			numbers = append(numbers, c.Number)
		}
		return nil
	})
	return numbers, err
}
