package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/evaluation/comment"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/vcs"
)

// asked returns the requests in the lane of a delivery's repository, one in a line.
func (r *rig) asked(t *testing.T, d delivery.Delivery) (lines []string) {
	t.Helper()
	on := d.Installation.Repository(d.Repository)
	h, ok, err := r.facts.lanes.Enter(t.Context(), on, r.Clock.Now())
	if err != nil || !ok {
		t.Fatalf("enter the lane: %t, %v", ok, err)
	}
	list, err := h.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Repository != on {
			t.Errorf("%s is about %s", p.Name(), p.Repository)
		}
		line := fmt.Sprintf("%s of %d by %s/%s at %s", p.Name(), p.Number, p.Sender, p.SenderID, p.At.Sub(born))
		if p.Automatic {
			line += ", automatic"
		}
		if p.Kind == lane.Command {
			line += ": " + p.Text
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// said returns the body of a comment that ann makes in the pull request 17.
func said(id int, text string, at time.Time) string {
	return fmt.Sprintf(`{"action":"created","installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main","updated_at":%q},
		"issue":{"number":17,"pull_request":{"url":"x"}},"sender":{"login":"ann","id":5,"type":"User"},
		"comment":{"id":%d,"body":%q,"created_at":%q,"user":{"login":"ann","id":5,"type":"User"}}}`, second(0), id, text, at.Format(time.RFC3339))
}

// pushTo returns the body of a push to a branch.
func pushTo(branch string, at int) string {
	return fmt.Sprintf(`{"ref":"refs/heads/%s","installation":{"id":42},"sender":{"login":"ann","id":5},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main","pushed_at":%d}}`,
		branch, born.Unix()+int64(at))
}

// acted returns the body of an event of an open pull request, with another action.
func acted(action string, at int) string {
	return strings.Replace(pullEvent(17, "open", "One", at), `"opened"`, action, 1)
}

// merging returns the body of a merge request's event with more members.
func merging(action, state, more string, at int) string {
	body := strings.Replace(mergeHook("infra", action, state, at), `"username":"bob"`, `"username":"bob","id":9`, 1)
	return strings.TrimSuffix(body, "}") + more + "}"
}

func noted(id int, user, text string, at int) string {
	return fmt.Sprintf(`{"object_kind":"note","user":{"id":9,"username":%q},"project":{"id":501,"path_with_namespace":"acme/infra","default_branch":"main","visibility_level":0},
		"merge_request":{"iid":1},"object_attributes":{"id":%d,"note":%q,"noteable_type":"MergeRequest","action":"create","created_at":%q}}`, user, id, text, second(at))
}

func TestDeliveriesAskForTheEvaluationsThatTheyLeadTo(t *testing.T) {
	t.Parallel()
	const automatic = "pull#17 of 17 by ann/5 at 1s, automatic"
	for name, c := range map[string]struct {
		posts []post
		want  []string
	}{
		"opened":           {[]post{{"a", "pull_request", 0, acted(`"opened"`, 1)}}, []string{automatic}},
		"reopened":         {[]post{{"a", "pull_request", 0, acted(`"reopened"`, 1)}}, []string{automatic}},
		"pushed":           {[]post{{"a", "pull_request", 0, acted(`"synchronize"`, 1)}}, []string{automatic}},
		"ready":            {[]post{{"a", "pull_request", 0, acted(`"ready_for_review"`, 1)}}, []string{automatic}},
		"retargeted":       {[]post{{"a", "pull_request", 0, acted(`"edited","changes":{"base":{"ref":{"from":"x"}}}`, 1)}}, []string{automatic}},
		"another title":    {[]post{{"a", "pull_request", 0, acted(`"edited","changes":{"title":{"from":"x"}}`, 1)}}, nil},
		"labelled":         {[]post{{"a", "pull_request", 0, acted(`"labeled"`, 1)}}, nil},
		"a draft":          {[]post{{"a", "pull_request", 0, acted(`"converted_to_draft"`, 1)}}, nil},
		"closed":           {[]post{{"a", "pull_request", 0, pullEvent(17, "closed", "One", 1)}}, []string{"pull#17 of 17 by ann/5 at 1s"}},
		"merged":           {[]post{{"a", "pull_request", 0, pullEvent(17, "merged", "One", 1)}}, []string{"pull#17 of 17 by ann/5 at 1s"}},
		"labelled, closed": {[]post{{"a", "pull_request", 0, strings.Replace(pullEvent(17, "closed", "One", 1), `"action":"closed"`, `"action":"labeled"`, 1)}}, []string{"pull#17 of 17 by ann/5 at 1s"}},
		"told twice":       {[]post{{"a", "pull_request", 0, acted(`"opened"`, 1)}, {"b", "pull_request", time.Second, acted(`"opened"`, 1)}}, []string{automatic}},
		"pushed, and closed": {
			[]post{{"a", "pull_request", 0, acted(`"synchronize"`, 1)}, {"b", "pull_request", time.Second, pullEvent(17, "closed", "One", 2)}},
			[]string{"pull#17 of 17 by ann/5 at 2s, automatic"},
		},
		"older than what is known": {
			[]post{{"a", "pull_request", 0, acted(`"labeled"`, 9)}, {"b", "pull_request", time.Second, acted(`"synchronize"`, 1)}}, []string{automatic},
		},
		"closed, older than what is known": {
			[]post{{"a", "pull_request", 0, acted(`"labeled"`, 9)}, {"b", "pull_request", time.Second, pullEvent(17, "closed", "One", 1)}}, []string{"pull#17 of 17 by ann/5 at 1s"},
		},
		"of a repository that is gone": {
			[]post{
				{"a", "pull_request", 0, acted(`"labeled"`, 1)},
				{"b", "installation_repositories", 10 * time.Minute, taken("infra")},
				{"c", "pull_request", 11 * time.Minute, acted(`"synchronize"`, 2)},
				{"d", "issue_comment", 11 * time.Minute, said(5, "terrateam plan", born.Add(2*time.Second))},
				{"e", "push", 11 * time.Minute, pushTo("main", 2)},
			}, nil,
		},
		"a clock that is ahead": {[]post{{"a", "pull_request", time.Second, acted(`"opened"`, 86400)}}, []string{automatic}},

		"command":         {[]post{{"a", "issue_comment", 0, said(5, "terrateam plan", born)}}, []string{"command#5 of 17 by ann/5 at 0s: terrateam plan"}},
		"wrong command":   {[]post{{"a", "issue_comment", 0, said(5, "`terraform aply`", born)}}, []string{"command#5 of 17 by ann/5 at 0s: `terraform aply`"}},
		"comment":         {[]post{{"a", "issue_comment", 0, said(5, "Please run terrateam plan", born)}}, nil},
		"changed comment": {[]post{{"a", "issue_comment", 0, strings.Replace(said(5, "terrateam plan", born), "created", "edited", 1)}}, nil},
		"bot":             {[]post{{"a", "issue_comment", 0, strings.ReplaceAll(said(5, "terrateam plan", born), "User", "Bot")}}, nil},
		"two commands, one of them told twice": {
			[]post{
				{"a", "issue_comment", 0, said(5, "terrateam plan", born)},
				{"b", "issue_comment", time.Second, said(6, "terrateam apply", born)},
				{"c", "issue_comment", time.Minute, said(5, "terrateam plan", born)},
			},
			[]string{"command#5 of 17 by ann/5 at 0s: terrateam plan", "command#6 of 17 by ann/5 at 0s: terrateam apply"},
		},
		"longest command": {
			[]post{{"a", "issue_comment", 0, said(5, "terrateam plan"+strings.Repeat(" ", comment.MaxBytes-20)+"dir:aa", born)}},
			[]string{"command#5 of 17 by ann/5 at 0s: terrateam plan" + strings.Repeat(" ", comment.MaxBytes-20) + "dir:aa"},
		},

		"push":                   {[]post{{"a", "push", 0, pushTo("main", 1)}}, []string{"push of 0 by ann/5 at 1s"}},
		"push to another branch": {[]post{{"a", "push", 0, pushTo("topic", 1)}}, nil},

		"merge request opened":        {[]post{{"a", "Merge Request Hook", 0, merging("open", "opened", "", 1)}}, []string{"pull#1 of 1 by bob/9 at 1s, automatic"}},
		"merge request pushed":        {[]post{{"a", "Merge Request Hook", 0, strings.Replace(merging("update", "opened", "", 1), `"iid"`, `"oldrev":"aa","iid"`, 1)}}, []string{"pull#1 of 1 by bob/9 at 1s, automatic"}},
		"merge request ready":         {[]post{{"a", "Merge Request Hook", 0, merging("update", "opened", `,"changes":{"draft":{"previous":true,"current":false}}`, 1)}}, []string{"pull#1 of 1 by bob/9 at 1s, automatic"}},
		"merge request renamed":       {[]post{{"a", "Merge Request Hook", 0, merging("update", "opened", `,"changes":{"title":{}}`, 1)}}, nil},
		"merge request approved":      {[]post{{"a", "Merge Request Hook", 0, merging("approved", "opened", "", 1)}}, nil},
		"merge request merged":        {[]post{{"a", "Merge Request Hook", 0, merging("merge", "merged", "", 1)}}, []string{"pull#1 of 1 by bob/9 at 1s"}},
		"note":                        {[]post{{"a", "Note Hook", 0, noted(5, "bob", "terrateam plan", 1)}}, []string{"command#5 of 1 by bob/9 at 1s: terrateam plan"}},
		"note of a bot":               {[]post{{"a", "Note Hook", 0, noted(5, "project_501_bot_aa", "terrateam plan", 1)}}, nil},
		"push to a project":           {[]post{{"a", "Push Hook", time.Second, pushed501("main")}}, []string{"push of 0 by bob/9 at 1s"}},
		"push to a project's branch":  {[]post{{"a", "Push Hook", time.Second, pushed501("topic")}}, nil},
		"push to a project, and note": {[]post{{"a", "Push Hook", time.Second, pushed501("main")}, {"b", "Note Hook", 0, noted(5, "bob", "Well!", 1)}}, []string{"push of 0 by bob/9 at 1s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var d delivery.Delivery
			for _, p := range c.posts {
				if d = github(p.id, p.event, p.after); strings.HasSuffix(p.event, "Hook") {
					d = gitlab(p.id, p.event, p.after)
				}
				if invoke(t, r.worker, r.arrive(t, d, p.body)) != 1 {
					t.Fatal("not done")
				}
				if got := r.state(t, d); got.State != delivery.Done || got.Problem != "" {
					t.Fatalf("%s is %s: %s", p.id, got.State, got.Problem)
				}
			}
			d.Repository = map[vcs.VCS]vcs.ID{vcs.GitHub: "7", vcs.GitLab: "501"}[d.Installation.VCS]
			if got := r.asked(t, d); !slices.Equal(got, c.want) {
				t.Errorf("asked for\n%q, want\n%q", got, c.want)
			}
		})
	}
}

// pushed501 returns the body of a push to a branch of the project 501.
func pushed501(branch string) string {
	return strings.Replace(pushHook("infra", "main"), `"event_name":"push"`,
		`"event_name":"push","ref":"refs/heads/`+branch+`","after":"77ab","user_id":9,"user_username":"bob"`, 1)
}

// TestOldCommandIsNotRun sends a comment when it is older than the memory of what was
// decided about. Its signature stays valid.
func TestOldCommandIsNotRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		age     time.Duration
		asks    bool
		problem string
	}{
		"in time":       {"terrateam apply", maxCommandAge, true, ""},
		"late":          {"terrateam apply", maxCommandAge + time.Second, false, "left out: the command of comment 5 of pull request 17, because it is older than 72h0m0s"},
		"late, no word": {"Well done!", maxCommandAge + time.Second, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.Clock.Set(born.Add(c.age))
			d := github("a", "issue_comment", c.age)
			if invoke(t, r.worker, r.arrive(t, d, said(5, c.text, born))) != 1 {
				t.Fatal("not done")
			}
			if got := r.state(t, d); got.State != delivery.Done || got.Problem != c.problem {
				t.Errorf("it is %s: %q, want %q", got.State, got.Problem, c.problem)
			}
			if got := r.asked(t, d); len(got) > 0 != c.asks {
				t.Errorf("asked for %q", got)
			}
		})
	}
}
