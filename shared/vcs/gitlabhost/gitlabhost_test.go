package gitlabhost_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func newClient(t *testing.T) (*gitlabhost.Client, *vcstest.GitLab) {
	host := vcstest.NewGitLab(t)
	c, err := gitlabhost.New(host.API + "/").As(host.Account(8, "bob"))
	if err != nil {
		t.Fatal(err)
	}
	return c, host
}

// open returns the client of group 77, with a token of bob.
func open(t *testing.T, host *vcstest.GitLab) *gitlabhost.Installation {
	t.Helper()
	i, err := gitlabhost.New(host.API).Open("77", host.Account(8, "bob"))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func member(levels ...int) map[int64]int {
	m := map[int64]int{}
	for i, level := range levels {
		m[int64(i+8)] = level
	}
	return m
}

func TestGroupsAreListedByNameFromAllPages(t *testing.T) {
	t.Parallel()
	c, host := newClient(t)
	for i := 250; i > 0; i-- {
		host.Set(vcstest.Group{ID: int64(i), FullName: fmt.Sprintf("Acme / %03d", i), Inherited: member(10)})
	}
	host.Set(vcstest.Group{ID: 1000, FullName: "Merely public"})
	groups, err := c.Groups(t.Context())
	if err != nil || len(groups) != 250 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	for i, g := range groups {
		if g.ID != int64(i+1) {
			t.Fatalf("place %d has group %+v", i, g)
		}
	}
	if n := host.Asked("GET /groups"); n != 3 {
		t.Errorf("asked %d times", n)
	}
}

func TestSingleQuestions(t *testing.T) {
	t.Parallel()
	c, host := newClient(t)
	host.Set(vcstest.Group{
		ID: 77, FullPath: "acme", FullName: "Acme", Direct: member(0, 30, 40), Inherited: member(40, 30, 40),
		Projects: []vcstest.Project{{ID: 501, PathWithNamespace: "acme/net/infra", DefaultBranch: "main", Archived: true}},
	})
	ctx := t.Context()
	if who, err := c.Whoami(ctx); err != nil || who != (vcshost.Profile{ID: "8", Login: "bob"}) {
		t.Errorf("whoami: %+v, %v", who, err)
	}
	if g, err := c.Group(ctx, "77"); err != nil || g.FullName != "Acme" {
		t.Errorf("group: %+v, %v", g, err)
	}
	if _, err := c.Group(ctx, "78"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("a group that is not there: %v", err)
	}
	for account, want := range map[vcs.ID]int{"8": 40, "9": 30, "10": 40, "11": 0} {
		if level, err := c.Level(ctx, "77", account); err != nil || level != want {
			t.Errorf("level of %s: %d, %v; want %d", account, level, err, want)
		}
	}
	group := open(t, host)
	for account, want := range map[vcs.ID]bool{"8": false, "9": false, "10": true, "11": false} {
		r := vcshost.Repository{Namespace: "77"}
		if got, err := group.MayDecide(ctx, r, vcshost.Profile{ID: account}); err != nil || got != want {
			t.Errorf("account %s decides: %t, %v; want %t: direct maintainers alone do", account, got, err, want)
		}
	}
	if got, err := group.MayDecide(ctx, vcshost.Repository{}, vcshost.Profile{ID: "10"}); err != nil || got {
		t.Errorf("somebody decides over a project of a person: %t, %v", got, err)
	}
	p, err := group.OwnRepository(ctx, "501")
	yes := true
	want := vcshost.Repository{MembersOnly: true, Description: vcs.Description{ID: "501", Owner: "acme", Name: "net/infra", DefaultBranch: "main", Archived: &yes, Private: &yes}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("project: %+v, %v", p, err)
	}
	if _, err := group.OwnRepository(ctx, "502"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("a project that is not there: %v", err)
	}
}

func TestProjectsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	_, host := newClient(t)
	g := vcstest.Group{ID: 77, Inherited: member(40)}
	for i := range 230 {
		g.Projects = append(g.Projects, vcstest.Project{ID: int64(i + 1), PathWithNamespace: fmt.Sprint("acme/p", i)})
	}
	host.Set(g)
	total := 0
	for page := 1; page != 0; {
		got, err := open(t, host).Repositories(t.Context(), page, 100)
		if err != nil || got.Total != 230 {
			t.Fatalf("of %d: %v", got.Total, err)
		}
		for _, p := range got.Repositories {
			if total++; string(p.ID) != strconv.Itoa(total) {
				t.Fatalf("place %d has project %s", total, p.ID)
			}
		}
		page = got.Next
	}
	if total != 230 {
		t.Errorf("%d projects", total)
	}
}

func TestPassingFailuresAreRepeatedAndLimitsAreTold(t *testing.T) {
	t.Parallel()
	const words = "words of the host"
	limited := func(want time.Duration) func(error) bool {
		return func(err error) bool {
			var l *vcshost.Limited
			return errors.As(err, &l) && l.RetryAfter == want
		}
	}
	failed := func(err error) bool { return err != nil }
	for name, c := range map[string]struct {
		failure vcstest.Failure
		asked   int
		check   func(error) bool
	}{
		"once 502":           {vcstest.Failure{Times: 1, Status: 502}, 2, func(err error) bool { return err == nil }},
		"twice cut":          {vcstest.Failure{Times: 2}, 3, func(err error) bool { return err == nil }},
		"always 503":         {vcstest.Failure{Status: 503, Body: words}, 3, failed},
		"half an answer":     {vcstest.Failure{Status: 200, Body: `{"id":`}, 1, failed},
		"bad request":        {vcstest.Failure{Status: 400, Body: `{"message":"` + words + `"}`}, 1, failed},
		"refused":            {vcstest.Failure{Status: 401, Body: `{}`}, 1, func(err error) bool { return errors.Is(err, vcshost.ErrRefused) }},
		"limit":              {vcstest.Failure{Status: 429, Header: http.Header{"Retry-After": {"30"}}, Body: `{}`}, 1, limited(30 * time.Second)},
		"403 for seconds":    {vcstest.Failure{Status: 403, Header: http.Header{"Retry-After": {"30"}}, Body: `{}`}, 1, limited(30 * time.Second)},
		"503 for seconds":    {vcstest.Failure{Status: 503, Header: http.Header{"Retry-After": {"30"}}, Body: `{}`}, 1, limited(30 * time.Second)},
		"reset that is over": {vcstest.Failure{Status: 429, Header: http.Header{"RateLimit-Remaining": {"0"}, "RateLimit-Reset": {"1000"}}, Body: `{}`}, 1, limited(time.Second)},
		"forbidden":          {vcstest.Failure{Status: 403, Body: `{}`}, 1, func(err error) bool { return errors.Is(err, vcshost.ErrForbidden) && !errors.Is(err, vcshost.ErrGone) }},
		"gone":               {vcstest.Failure{Status: 410, Body: `{}`}, 1, func(err error) bool { return errors.Is(err, vcshost.ErrGone) }},
		"vague limit":        {vcstest.Failure{Status: 429, Body: `{}`}, 1, limited(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, host := newClient(t)
			host.Fail(c.failure)
			_, err := client.Whoami(t.Context())
			if !c.check(err) {
				t.Errorf("got %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "glpat")) {
				t.Errorf("the error repeats the host or the token: %v", err)
			}
			if n := host.Asked("GET /user"); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	client, _ := newClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Whoami(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestMembershipThatMayNotBeReadIsNotNone(t *testing.T) {
	t.Parallel()
	_, host := newClient(t)
	host.Set(vcstest.Group{ID: 77, Inherited: member(40)})
	host.Fail(vcstest.Failure{Match: "/members/", Status: http.StatusForbidden, Body: `{"message":"403 Forbidden"}`})
	if may, err := open(t, host).MayDecide(t.Context(), vcshost.Repository{Namespace: "77"}, vcshost.Profile{ID: "8"}); !errors.Is(err, vcshost.ErrForbidden) {
		t.Errorf("%t, %v", may, err)
	}
}

func TestAnswersThatLackWhatDecidesDenyNothing(t *testing.T) {
	t.Parallel()
	group := func(ctx context.Context, c *gitlabhost.Client) error { _, err := c.Group(ctx, "77"); return err }
	level := func(ctx context.Context, c *gitlabhost.Client) error { _, err := c.Level(ctx, "77", "8"); return err }
	self := func(ctx context.Context, c *gitlabhost.Client) error { _, err := c.Self(ctx); return err }
	for _, each := range []struct {
		body string
		ask  func(context.Context, *gitlabhost.Client) error
	}{
		{`{}`, group},
		{`{"id":77}`, group},
		{`{"full_path":"acme"}`, group},
		{`null`, group},
		{`{}`, level},
		{`{"id":8,"access_level":40}`, level},
		{`{"state":"awaiting","access_level":40}`, level},
		{`{"id":1}`, self},
	} {
		c, host := newClient(t)
		host.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusOK, Body: each.body})
		if err := each.ask(t.Context(), c); err == nil || errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%s: %v, want an error that says nothing of it", each.body, err)
		}
	}
}
