package gitlabhost_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

var _ evaluator.Host = (*gitlabhost.Installation)(nil)

var bob = vcshost.Profile{ID: "8", Login: "bob"}

// withContent returns a client of a group with a project that has git data, and a merge request
// with the number 5 from the branch "feature" to the branch "main".
func withContent(t *testing.T) (*gitlabhost.Installation, *vcstest.GitLab, *vcstest.Memory) {
	t.Helper()
	host, content := vcstest.NewGitLab(t), vcstest.NewMemory()
	content.SetBranch("feature", content.Commit("main", map[string][]byte{"main.tf": []byte("1")}))
	content.Commit("feature", map[string][]byte{"main.tf": []byte("2")})
	host.Set(vcstest.Group{ID: 77, FullPath: "acme", Inherited: member(40), Projects: []vcstest.Project{{
		ID: 7, PathWithNamespace: "acme/infra", DefaultBranch: "main", Content: content,
		Changes: []vcstest.Change{{Number: 5, Title: "Add a bucket", Author: "ann", AuthorID: 1, Base: "main", Head: "feature", From: 7}},
	}}})
	return open(t, host), host, content
}

// tip returns the commit of a branch.
func tip(content *vcstest.Memory, branch string) string {
	commit, _ := content.Branch(branch)
	return commit
}

// calls are the calls of an evaluation. write says that a call changes something. missing is
// what a call returns if GitLab has no such thing.
var calls = map[string]struct {
	write   bool
	missing error
	call    func(context.Context, *gitlabhost.Installation, string) error
}{
	"File": {false, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, commit string) error {
		_, err := i.File(ctx, infra, "main.tf", commit)
		return err
	}},
	"Tree": {false, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, commit string) error {
		_, err := i.Tree(ctx, infra, commit)
		return err
	}},
	"Changes": {false, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, commit string) error {
		_, err := i.Changes(ctx, infra, commit, commit)
		return err
	}},
	"Reviews": {false, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		_, err := i.Reviews(ctx, infra, 5)
		return err
	}},
	"Checks": {false, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, commit string) error {
		_, err := i.Checks(ctx, infra, commit)
		return err
	}},
	"Role": {false, nil, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		_, err := i.Role(ctx, infra, bob)
		return err
	}},
	"InTeam": {false, nil, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		_, err := i.InTeam(ctx, infra, "sre", bob)
		return err
	}},
	"FindComment": {false, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		_, err := i.FindComment(ctx, infra, 5, "marker")
		return err
	}},
	"SetStatus": {true, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, commit string) error {
		return i.SetStatus(ctx, infra, commit, vcshost.CommitStatus{Name: "terrateam apply", State: vcshost.CheckPending})
	}},
	"CreateComment": {true, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		_, err := i.CreateComment(ctx, infra, 5, "text")
		return err
	}},
	"EditComment": {true, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		return i.EditComment(ctx, infra, 5, "9", "text")
	}},
	"DeleteComment": {true, nil, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		return i.DeleteComment(ctx, infra, 5, "9")
	}},
	"React": {true, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		return i.React(ctx, infra, 5, "9")
	}},
	"Merge": {true, vcshost.ErrGone, func(ctx context.Context, i *gitlabhost.Installation, commit string) error {
		return i.Merge(ctx, infra, 5, vcshost.Merge{Head: commit, Method: vcshost.MergeAuto})
	}},
	"DeleteBranch": {true, nil, func(ctx context.Context, i *gitlabhost.Installation, _ string) error {
		return i.DeleteBranch(ctx, infra, "feature")
	}},
}

func TestEveryCallSaysWhyGitLabRefusesIt(t *testing.T) {
	t.Parallel()
	limited := func(err error) bool {
		var l *vcshost.Limited
		return errors.As(err, &l) && l.RetryAfter == 30*time.Second
	}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, failure := range map[string]struct {
				vcstest.Failure
				want func(error) bool
			}{
				"is gone":         {vcstest.Failure{Status: 404, Body: `{"message":"404 Not Found"}`}, func(err error) bool { return errors.Is(err, c.missing) }},
				"is limited":      {vcstest.Failure{Status: 429, Header: http.Header{"Retry-After": {"30"}}, Body: `{}`}, limited},
				"is forbidden":    {vcstest.Failure{Status: 403, Body: `{"message":"403 Forbidden"}`}, func(err error) bool { return errors.Is(err, vcshost.ErrForbidden) }},
				"has no response": {vcstest.Failure{Status: 0}, func(err error) bool { return err != nil && !vcshost.NothingDone(err) }},
			} {
				client, host, content := withContent(t)
				host.Fail(failure.Failure)
				if err := c.call(t.Context(), client, tip(content, "feature")); !failure.want(err) {
					t.Errorf("%s: got %v", what, err)
				}
			}
		})
	}
}

func TestWriteWhoseResponseWasLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range calls {
		if !c.write {
			continue
		}
		client, host, content := withContent(t)
		for _, method := range []string{"POST ", "PUT ", "DELETE "} {
			host.Fail(vcstest.Failure{Match: method, Status: 500})
		}
		if err := c.call(t.Context(), client, tip(content, "feature")); err == nil || vcshost.NothingDone(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := host.Asked("POST ") + host.Asked("PUT ") + host.Asked("DELETE "); n != 1 {
			t.Errorf("%s: %d writes were sent, want 1", name, n)
		}
	}
}
