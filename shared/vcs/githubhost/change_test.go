package githubhost_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestBranchIsReadWithItsCommit(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", Branches: map[string]string{"main": "b0", "a/b c": "d2"}})
	client := open(t, app, "42")
	for name, sha := range map[string]string{"main": "b0", "a/b c": "d2"} {
		if got, err := client.Branch(t.Context(), infra, name); err != nil || got != (vcshost.Branch{Name: name, SHA: sha}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if got, err := client.Branch(t.Context(), infra, "gone"); !errors.Is(err, vcshost.ErrNoBranch) {
		t.Errorf("got %+v, %v", got, err)
	}
	host.Fail(vcstest.Failure{Match: "/branches/", Times: 1, Status: 200, Body: `{"name":"renamed","commit":{"sha":"e3"}}`})
	if got, err := client.Branch(t.Context(), infra, "old"); !errors.Is(err, vcshost.ErrNoBranch) {
		t.Errorf("after a renaming: got %+v, %v", got, err)
	}
}

func TestPullRequestIsReadAsItIsNow(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	base := vcstest.Change{Number: 5, Title: "Add a bucket", Author: "ann", AuthorID: 1, Base: "main", BaseSHA: "b0", Head: "feature", HeadSHA: "c1", From: 7}
	want := vcshost.PullRequest{
		Number: 5, Title: "Add a bucket", Author: ann, BaseBranch: "main", BaseSHA: "b0", Branch: "feature", SHA: "c1", From: "7", Open: true,
	}
	for name, change := range map[string]func(*vcstest.Change, *vcshost.PullRequest){
		"open":              func(c *vcstest.Change, _ *vcshost.PullRequest) { c.MergeCommit = "trial" },
		"draft":             func(c *vcstest.Change, w *vcshost.PullRequest) { c.Draft, w.Draft = true, true },
		"fork":              func(c *vcstest.Change, w *vcshost.PullRequest) { c.From, w.From = 99, "99" },
		"fork that is gone": func(c *vcstest.Change, w *vcshost.PullRequest) { c.From, w.From = 0, "" },
		"closed":            func(c *vcstest.Change, w *vcshost.PullRequest) { c.State, w.Open = "closed", false },
		"merged": func(c *vcstest.Change, w *vcshost.PullRequest) {
			c.State, c.MergeCommit, w.Open, w.Merged, w.MergedSHA = "merged", "m1", false, true, "m1"
		},
	} {
		c, w := base, want
		change(&c, &w)
		host.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra", Changes: []vcstest.Change{c}})
		if got, err := open(t, app, "42").PullRequest(t.Context(), infra, 5); err != nil || got != w {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, w)
		}
	}
	if got, err := open(t, app, "42").PullRequest(t.Context(), infra, 6); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, body := range []string{`{}`, `{"number":5,"state":"open","base":{"ref":"main","sha":"b0"},"head":{"ref":"feature"}}`, `{"number":6}`} {
		host.Fail(vcstest.Failure{Match: "/pulls/", Times: 1, Status: 200, Body: body})
		if got, err := open(t, app, "42").PullRequest(t.Context(), infra, 5); err == nil {
			t.Errorf("%s: got %+v", body, got)
		}
	}
}

func TestOnlyAnAccountThatMayPushMayWrite(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra"})
	for login, permission := range map[string]string{"ann": "admin", "bob": "write", "cat": "read", "dan": "none"} {
		host.Permit("acme", "infra", login, int64(login[0]), permission)
	}
	for name, c := range map[string]struct {
		account vcshost.Profile
		want    bool
	}{
		"admin":                {vcshost.Profile{ID: "97", Login: "ann"}, true},
		"write":                {vcshost.Profile{ID: "98", Login: "bob"}, true},
		"read":                 {vcshost.Profile{ID: "99", Login: "cat"}, false},
		"none":                 {vcshost.Profile{ID: "100", Login: "dan"}, false},
		"nobody":               {vcshost.Profile{ID: "101", Login: "eve"}, false},
		"login of another now": {vcshost.Profile{ID: "7", Login: "ann"}, false},
	} {
		if got, err := open(t, app, "42").MayWrite(t.Context(), infra, c.account); err != nil || got != c.want {
			t.Errorf("%s: got %t, %v", name, got, err)
		}
	}
	host.Fail(vcstest.Failure{Match: "/permission", Times: 1, Status: 200, Body: `{"permission":"admin"}`})
	if got, err := open(t, app, "42").MayWrite(t.Context(), infra, vcshost.Profile{ID: "97", Login: "ann"}); got || err == nil {
		t.Errorf("without an account: got %t, %v", got, err)
	}
}

func TestTokenOfTheRunnerHasFewPermissions(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", vcstest.Repository{ID: 7, Owner: "acme", Name: "infra"})
	token, ends, err := open(t, app, "42").RunnerToken(t.Context())
	if err != nil || token == "" || time.Until(ends) < 50*time.Minute {
		t.Fatalf("got a token of %d characters that ends at %s, %v", len(token), ends, err)
	}
	want := map[string]string{"contents": "read", "issues": "write", "pull_requests": "write", "statuses": "write"}
	if got := host.Permissions(token); !reflect.DeepEqual(got, want) {
		t.Errorf("the permissions are %v, want %v", got, want)
	}
	if _, _, err := open(t, app, "43").RunnerToken(t.Context()); !errors.Is(err, vcshost.ErrGone) && !errors.Is(err, vcshost.ErrNoInstallation) {
		t.Errorf("of an installation that is gone: %v", err)
	}
}
