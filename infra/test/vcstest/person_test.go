package vcstest_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

func TestPeopleOpenPushReviewAndMerge(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *scene) {
		n := s.opened("change", "net/main.tf", "two\n")
		p := must[vcstest.Pull](t)(s.Pull(infra, n))
		head := p.HeadSHA
		if p.Conflict || len(p.Files) != 1 || p.Files[0].Path != "net/main.tf" || p.Author != "ann" {
			t.Errorf("it was opened as %+v", p)
		}
		pushed := must[string](t)(s.Push(infra, "change", ann, map[string][]byte{"net/main.tf": []byte("three\n"), "new.tf": []byte("new\n")}))
		if p = must[vcstest.Pull](t)(s.Pull(infra, n)); p.HeadSHA != pushed || pushed == head || len(p.Files) != 2 {
			t.Errorf("after a push it is %+v", p)
		}
		id := must[int64](t)(s.CommentOn(infra, n, bob, "terrateam plan"))
		if err := s.ReviewPull(infra, n, bob, vcstest.Approve); err != nil {
			t.Fatal(err)
		}
		if p = must[vcstest.Pull](t)(s.Pull(infra, n)); len(p.Comments) != 1 || p.Comments[0].ID != id || p.Comments[0].Text != "terrateam plan" || len(p.Reviews) != 1 {
			t.Errorf("after a comment and a review it is %+v", p)
		}
		merged := must[string](t)(s.MergePull(infra, n, bob, "squash"))
		if at, _ := s.content.Branch("main"); at != merged {
			t.Errorf("main is at %s, want %s", at, merged)
		}
		if text, _ := s.content.Read(merged, "net/main.tf"); string(text) != "three\n" {
			t.Errorf("main has the text %q", text)
		}
		if p = must[vcstest.Pull](t)(s.Pull(infra, n)); p.State != "merged" || p.MergeCommit != merged || p.HeadSHA != pushed {
			t.Errorf("after the merge it is %+v", p)
		}
	})
}

func TestMergeabilityFollowsTheBase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *scene) {
		first, second := s.opened("first", "net/main.tf", "two\n"), s.opened("second", "net/main.tf", "three\n")
		if must[vcstest.Pull](t)(s.Pull(infra, second)).Conflict {
			t.Error("there is a conflict before the merge")
		}
		must[string](t)(s.MergePull(infra, first, ann, "merge"))
		if !must[vcstest.Pull](t)(s.Pull(infra, second)).Conflict {
			t.Error("there is no conflict after the merge")
		}
		if _, err := s.MergePull(infra, second, ann, "merge"); !errors.Is(err, vcstest.ErrRefused) {
			t.Errorf("a merge with a conflict: got %v, want ErrRefused", err)
		}
	})
}

func TestClosedPullRequestsKeepTheirCommits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *scene) {
		n := s.opened("change", "net/main.tf", "two\n")
		before := must[vcstest.Pull](t)(s.Pull(infra, n)).HeadSHA
		if err := s.ClosePull(infra, n, ann); err != nil {
			t.Fatal(err)
		}
		after := must[string](t)(s.Push(infra, "change", ann, map[string][]byte{"net/main.tf": []byte("three\n")}))
		if p := must[vcstest.Pull](t)(s.Pull(infra, n)); p.HeadSHA != before {
			t.Errorf("a closed one has the head %s, want %s", p.HeadSHA, before)
		}
		if err := s.ReopenPull(infra, n, ann); err != nil {
			t.Fatal(err)
		}
		if p := must[vcstest.Pull](t)(s.Pull(infra, n)); p.HeadSHA != after {
			t.Errorf("a reopened one has the head %s, want %s", p.HeadSHA, after)
		}
	})
}

func TestWhatCannotBeDoneIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *scene) {
		n := s.opened("change", "net/main.tf", "two\n")
		s.told()
		main, _ := s.content.Branch("main")
		s.content.SetBranch("same", main)
		open := func(head string) error {
			_, err := s.OpenPull(infra, ann, vcstest.Opening{Head: head})
			return err
		}
		_, unknown := s.CommentOn("acme/gone", n, ann, "text")
		_, missing := s.CommentOn(infra, n+100, ann, "text")
		_, push := s.Push(infra, "gone", ann, nil)
		for what, c := range map[string]struct{ got, want error }{
			"an unknown repository":          {unknown, vcstest.ErrNone},
			"an unknown number":              {missing, vcstest.ErrNone},
			"a push of nothing to no branch": {push, vcstest.ErrNone},
			"an unknown branch":              {open("gone"), vcstest.ErrNone},
			"a branch without changes":       {open("same"), vcstest.ErrRefused},
			"a second one of a branch":       {open("change"), vcstest.ErrRefused},
			"reopening an open one":          {s.ReopenPull(infra, n, ann), vcstest.ErrRefused},
			"another base that is unknown":   {s.RetargetPull(infra, n, ann, "gone"), vcstest.ErrNone},
			"the base that it has":           {s.RetargetPull(infra, n, ann, "main"), vcstest.ErrRefused},
			"ready that is no draft":         {s.DraftPull(infra, n, ann, false), vcstest.ErrRefused},
		} {
			if !errors.Is(c.got, c.want) {
				t.Errorf("%s: got %v, want %v", what, c.got, c.want)
			}
		}
		if told := s.told(); told != "" {
			t.Errorf("refusals send %s", told)
		}
	})
}

func TestWebhooksSayWhatPeopleDidInOrder(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"github": {
			"push change, pull_request opened", "push change, pull_request synchronize", "push main",
			"issue_comment created", "pull_request_review submitted", "pull_request_review dismissed", "pull_request converted_to_draft", "pull_request ready_for_review",
			"pull_request edited", "pull_request edited",
			"pull_request closed", "pull_request reopened", "pull_request closed, push main", "workflow_job completed",
		},
		"gitlab": {
			"Push Hook change, Merge Request Hook open", "Push Hook change, Merge Request Hook update", "Push Hook main",
			"Note Hook create", "Merge Request Hook approved", "Merge Request Hook unapproved", "Merge Request Hook update", "Merge Request Hook update",
			"Merge Request Hook update", "Merge Request Hook update",
			"Merge Request Hook close", "Merge Request Hook reopen", "Merge Request Hook merge, Push Hook main", "Job Hook change",
		},
	}
	for name, make := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, make)
			n := s.opened("change", "net/main.tf", "two\n")
			got := []string{s.told()}
			step := func(_ any, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, s.told())
			}
			step(s.Push(infra, "change", ann, map[string][]byte{"net/main.tf": []byte("three\n")}))
			step(s.Push(infra, "main", ann, map[string][]byte{"app/main.tf": []byte("two\n")}))
			step(s.CommentOn(infra, n, bob, "text"))
			step(nil, s.ReviewPull(infra, n, bob, vcstest.Approve))
			step(nil, s.ReviewPull(infra, n, bob, vcstest.Withdraw))
			step(nil, s.DraftPull(infra, n, ann, true))
			step(nil, s.DraftPull(infra, n, ann, false))
			s.content.SetBranch("release", must[vcstest.Pull](t)(s.Pull(infra, n)).BaseSHA)
			step(nil, s.RetargetPull(infra, n, ann, "release"))
			step(nil, s.RetargetPull(infra, n, ann, "main"))
			step(nil, s.ClosePull(infra, n, ann))
			step(nil, s.ReopenPull(infra, n, ann))
			step(s.MergePull(infra, n, ann, "rebase"))
			s.EndJob(vcstest.CIRun{ID: 9001, Repository: infra, Branch: "change"}, "failure")
			step(nil, nil)
			if !slices.Equal(got, want[name]) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want[name], "\n"))
			}
		})
	}
}

func TestPushWithGitIsNoticed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *scene) {
		n := s.opened("change", "net/main.tf", "two\n")
		s.told()
		head := s.content.Commit("change", map[string][]byte{"net/main.tf": []byte("by git\n")})
		must[string](t)(s.Push(infra, "change", ann, nil))
		if told := s.told(); strings.Count(told, ", ") != 1 {
			t.Errorf("the push sends %s, want two webhooks", told)
		}
		if p := must[vcstest.Pull](t)(s.Pull(infra, n)); p.HeadSHA != head {
			t.Errorf("the head is %s, want %s", p.HeadSHA, head)
		}
		must[string](t)(s.Push(infra, "change", ann, nil))
		if told := s.told(); strings.Contains(told, ",") {
			t.Errorf("a push of nothing new sends %s", told)
		}
	})
}

func TestPullRequestsOutliveTheirHost(t *testing.T) {
	t.Parallel()
	for name, make := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, make)
			n := s.opened("change", "net/main.tf", "two\n")
			id := must[int64](t)(s.CommentOn(infra, n, bob, "text"))
			text := must[[]byte](t)(s.Save())
			next := &scene{t: t, content: s.content}
			make(next)
			if err := next.Load(text); err != nil {
				t.Fatal(err)
			}
			before, after := must[vcstest.Pull](t)(s.Pull(infra, n)), must[vcstest.Pull](t)(next.Pull(infra, n))
			if fmt.Sprint(before) != fmt.Sprint(after) || len(after.Comments) != 1 {
				t.Errorf("it was %+v and is %+v", before, after)
			}
			if second := must[int64](t)(next.CommentOn(infra, n, bob, "text")); second <= id {
				t.Errorf("a later comment has the id %d, an earlier one %d", second, id)
			}
			if all := must[[]int64](t)(next.Pulls(infra)); !slices.Equal(all, []int64{n}) {
				t.Errorf("numbers %v", all)
			}
		})
	}
}

// TestJobsAreChecksOfTheirCommit starts a job as the product does, and reads the checks of its
// commit.
func TestJobsAreChecksOfTheirCommit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"github": {`"status":"queued"`, `"conclusion":"failure"`}, "gitlab": {`"status":"created"`, `"status":"failed"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, scenes[name])
			must[string](t)(s.Push(infra, "main", ann, map[string][]byte{".github/workflows/terrateam.yml": []byte("name: Terrateam Workflow\n")}))
			commit := must[string](t)(s.Push(infra, "change", ann, map[string][]byte{"net/main.tf": []byte("two\n")}))
			checks, run := func() string { return "" }, vcstest.CIRun{}
			switch g := s.host.(type) {
			case *vcstest.GitHub:
				call := appClient(t, g)
				call("POST", "/repos/acme/infra/actions/workflows/terrateam.yml/dispatches", `{"ref":"change"}`)
				checks = func() string { return call("GET", "/repos/acme/infra/commits/"+commit+"/check-runs", "") }
				run = g.CI.Runs()[0]
			case *vcstest.GitLab:
				token := g.Account(ann.ID, ann.Login)
				send(t, token, "POST", g.API+"/v4/projects/5/pipeline", `{"ref":"change"}`)
				checks = func() string {
					return string(send(t, token, "GET", g.API+"/v4/projects/5/repository/commits/"+commit+"/statuses", ""))
				}
				run = g.CI.Runs()[0]
			}
			if run.Commit != commit {
				t.Errorf("the run is at %s, want %s", run.Commit, commit)
			}
			before := checks()
			must[string](t)(s.Push(infra, "change", ann, map[string][]byte{"net/main.tf": []byte("three\n")}))
			s.EndJob(run, map[string]string{"github": "failure", "gitlab": "failed"}[name])
			if after := checks(); !strings.Contains(before, want[0]) || !strings.Contains(after, want[1]) {
				t.Errorf("the checks are %s and then %s, want %s and then %s", before, after, want[0], want[1])
			}
		})
	}
}

// TestWebhooksNameWhoActsByAPI lets the product comment and merge by API.
func TestWebhooksNameWhoActsByAPI(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		told, sender string
		bot          bool
	}{
		"github": {"issue_comment created, pull_request closed, push main", "opsplane[bot] Bot 42", true},
		"gitlab": {"Note Hook create, Merge Request Hook merge, Push Hook main", "ann 77", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, scenes[name])
			n := fmt.Sprint(s.opened("change", "net/main.tf", "two\n"))
			s.told()
			switch g := s.host.(type) {
			case *vcstest.GitHub:
				call := appClient(t, g)
				call("POST", "/repos/acme/infra/issues/"+n+"/comments", `{"body":"the plan"}`)
				call("PUT", "/repos/acme/infra/pulls/"+n+"/merge", `{"merge_method":"squash"}`)
				call("DELETE", "/repos/acme/infra/git/refs/heads/change", "")
			case *vcstest.GitLab:
				token, at := g.Account(ann.ID, ann.Login), g.API+"/v4/projects/5/merge_requests/"+n
				send(t, token, "POST", at+"/notes", `{"body":"the plan"}`)
				send(t, token, "PUT", at+"/merge", `{"squash":true}`)
			}
			for _, w := range s.sent {
				e, err := s.read(w)
				if err != nil {
					t.Fatal(err)
				}
				for _, fact := range e.Facts {
					if c, ok := fact.(*vcsevent.Commented); ok && (c.Text != "the plan" || c.Bot != want.bot) {
						t.Errorf("the product reads the comment as %+v", c)
					}
				}
				var body struct {
					Sender struct{ Login, Type string }
					User   struct{ Username string }
					Pusher string `json:"user_username"`
				}
				if err := json.Unmarshal(w.Body, &body); err != nil {
					t.Fatal(err)
				}
				sender := strings.TrimSpace(body.Sender.Login+" "+body.Sender.Type) + cmp.Or(body.User.Username, body.Pusher) + " " + w.Installation
				if sender != want.sender {
					t.Errorf("%s: the sender is %q, want %q", w.Event, sender, want.sender)
				}
			}
			if told := s.told(); told != want.told {
				t.Errorf("sent %s, want %s", told, want.told)
			}
		})
	}
}
