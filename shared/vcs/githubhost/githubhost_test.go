package githubhost_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func newApp(t *testing.T) (*githubhost.App, *vcstest.GitHub) {
	host := vcstest.NewGitHub(t)
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return host.Key, nil }, host.API+"/")
	return app, host
}

// open returns the client of an installation.
func open(t *testing.T, app *githubhost.App, id vcs.ID) *githubhost.Installation {
	t.Helper()
	client, err := app.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// ann is the account of a person. ofAcme is a repository of an organisation.
var (
	ann    = vcshost.Profile{ID: "1", Login: "ann"}
	ofAcme = vcshost.Repository{Namespace: "acme", Description: vcs.Description{ID: "1", Owner: "acme", Name: "r1"}}
)

func repositories(n int) []vcstest.Repository {
	list := make([]vcstest.Repository, n)
	for i := range list {
		list[i] = vcstest.Repository{ID: int64(i + 1), Owner: "acme", Name: fmt.Sprint("r", i+1), DefaultBranch: "main"}
	}
	return list
}

func TestRepositoriesAreListedPageByPage(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", repositories(250)...)
	total, pages := 0, 0
	for page := 1; page != 0; pages++ {
		got, err := open(t, app, "42").Repositories(t.Context(), page, 100)
		if err != nil || got.Total != 250 {
			t.Fatalf("of %d: %v", got.Total, err)
		}
		for _, r := range got.Repositories {
			total++
			no := false
			want := vcshost.Repository{Namespace: "acme", Description: vcs.Description{
				ID: vcs.ID(strconv.Itoa(total)), Owner: "acme", Name: fmt.Sprint("r", total), DefaultBranch: "main", Private: &no, Archived: &no,
			}}
			if !reflect.DeepEqual(r, want) {
				t.Fatalf("got %+v, want %+v", r, want)
			}
		}
		page = got.Next
	}
	if total != 250 || pages != 3 {
		t.Errorf("%d repositories on %d pages", total, pages)
	}
	if n := host.Asked("POST /app/installations/42/access_tokens"); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func TestWhatHasNotChangedIsNotCounted(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", repositories(3)...)
	host.Install("43", repositories(2)...)
	for range 3 {
		for installation, want := range map[vcs.ID]int{"42": 3, "43": 2} {
			if got, err := open(t, app, installation).Repositories(t.Context(), 1, 100); err != nil || len(got.Repositories) != want {
				t.Fatalf("%s: %d repositories, %v", installation, len(got.Repositories), err)
			}
		}
	}
	if all, same := host.Asked("GET /installation/repositories"), host.Asked("GET /installation/repositories 304"); all != 6 || same != 4 {
		t.Errorf("%d requests, %d of them 304; want 6 and 4", all, same)
	}
	host.Install("42", repositories(4)...)
	if got, err := open(t, app, "42").Repositories(t.Context(), 1, 100); err != nil || len(got.Repositories) != 4 {
		t.Errorf("after a change: %d repositories, %v", len(got.Repositories), err)
	}
}

func TestSingleQuestions(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	list := repositories(2)
	list[0].Files, list[1].Archived = []string{githubhost.Workflow}, true
	host.Install("42", list...)
	host.Role("acme", "ann", 1, "admin")
	host.Role("acme", "bob", 2, "member")
	ctx := t.Context()
	client := open(t, app, "42")
	one, err := client.Repository(ctx, "1")
	if err != nil || one.Name != "r1" || *one.Archived {
		t.Errorf("got %+v, %v", one, err)
	}
	two, err := client.Repository(ctx, "2")
	if err != nil || !*two.Archived {
		t.Errorf("got %+v, %v", two, err)
	}
	if _, err := client.Repository(ctx, "3"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("missing: %v", err)
	}
	for r, want := range map[*vcshost.Repository]bool{&one: true, &two: false} {
		if got, err := client.HasWorkflow(ctx, r.Description); err != nil || *got != want {
			t.Errorf("%s has the workflow: %v, %v", r.Name, got, err)
		}
	}
	for account, want := range map[vcshost.Profile]bool{
		ann: true, {ID: "2", Login: "bob"}: false, {ID: "3", Login: "eve"}: false, {ID: "4", Login: "ann"}: false,
	} {
		if got, err := client.MayDecide(ctx, one, account); err != nil || got != want {
			t.Errorf("account %s, once called %s, decides: %t, %v", account.ID, account.Login, got, err)
		}
	}
	if _, err := open(t, app, "44").Repositories(ctx, 1, 100); !errors.Is(err, vcshost.ErrNoInstallation) {
		t.Errorf("an installation that is gone: %v", err)
	}
}

func TestPassingFailuresAreRepeatedAndLimitsAreTold(t *testing.T) {
	t.Parallel()
	const words = "words of the host"
	reset := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	secondary := `{"message":"x","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api?apiVersion=2022-11-28#about-secondary-rate-limits"}`
	for name, c := range map[string]struct {
		failure vcstest.Failure
		asked   int
		check   func(error) bool
	}{
		"once 502":       {vcstest.Failure{Times: 1, Status: 502}, 2, func(err error) bool { return err == nil }},
		"twice cut":      {vcstest.Failure{Times: 2}, 3, func(err error) bool { return err == nil }},
		"always 503":     {vcstest.Failure{Status: 503, Body: words}, 3, func(err error) bool { return err != nil }},
		"half an answer": {vcstest.Failure{Status: 200, Body: `{"repositories":[{"id":1`}, 1, func(err error) bool { return err != nil }},
		"forbidden":      {vcstest.Failure{Status: 403, Body: `{"documentation_url":"` + words + `"}`}, 1, func(err error) bool { return errors.Is(err, vcshost.ErrForbidden) }},
		"primary limit": {vcstest.Failure{Status: 403, Header: http.Header{
			"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {reset},
		}, Body: `{"message":"API rate limit exceeded"}`}, 1, limitedTo(30*time.Minute, time.Hour+time.Second)},
		"secondary limit": {vcstest.Failure{Status: 403, Header: http.Header{"Retry-After": {"30"}}, Body: secondary}, 1, limitedTo(30*time.Second, 30*time.Second)},
		"too many":        {vcstest.Failure{Status: 429, Body: `{"message":"x"}`}, 1, limitedTo(time.Minute, time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, host := newApp(t)
			host.Install("42", repositories(1)...)
			host.Fail(c.failure)
			_, err := open(t, app, "42").Repositories(t.Context(), 1, 100)
			if !c.check(err) {
				t.Errorf("got %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "ghs_")) {
				t.Errorf("the error repeats the host: %v", err)
			}
			if n := host.Asked("GET /installation/repositories"); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
		})
	}
}

func limitedTo(least, most time.Duration) func(error) bool {
	return func(err error) bool {
		var l *vcshost.Limited
		return errors.As(err, &l) && l.RetryAfter >= least && l.RetryAfter <= most
	}
}

func TestKeyOfAnotherAppIsRefused(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	host.Install("42")
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private))
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return other, nil }, host.API)
	if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); !errors.Is(err, vcshost.ErrRefused) {
		t.Errorf("another App's key: %v", err)
	}
}

func TestTokenThatGitHubTakesNoLongerIsReplacedOnce(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", repositories(2)...)
	if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); err != nil {
		t.Fatal(err)
	}
	host.Fail(vcstest.Failure{Match: "GET /installation", Times: 1, Status: http.StatusUnauthorized, Body: `{"message":"Bad credentials"}`})
	got, err := open(t, app, "42").Repositories(t.Context(), 1, 100)
	if err != nil || len(got.Repositories) != 2 {
		t.Errorf("%d repositories, %v", len(got.Repositories), err)
	}
	if n := host.Asked("POST /app/installations/42/access_tokens"); n != 2 {
		t.Errorf("%d tokens were fetched, want 2", n)
	}
	host.Fail(vcstest.Failure{Match: "GET /installation", Status: http.StatusUnauthorized, Body: `{"message":"Bad credentials"}`})
	if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); !errors.Is(err, vcshost.ErrRefused) {
		t.Errorf("a host that refuses every token: %v", err)
	}
}

// TestKeyMayChangeWhileRequestsAreUnderWay makes the host refuse tokens, so that
// new ones are needed, while other requests find another key. The race detector
// finds mistakes.
func TestKeyMayChangeWhileRequestsAreUnderWay(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	host.Install("42", repositories(1)...)
	host.Fail(vcstest.Failure{Match: "GET /installation", Status: http.StatusUnauthorized, Body: `{"message":"Bad credentials"}`})
	var uses atomic.Int32
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) {
		if uses.Add(1)%2 == 0 {
			return host.Key + "\n", nil // another text of the same key
		}
		return host.Key, nil
	}, host.API)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); !errors.Is(err, vcshost.ErrRefused) {
					t.Errorf("got %v, want the refusal of the token", err)
				}
			}
		})
	}
	all.Wait()
}

func TestAnswersThatLackWhatDecidesDenyNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		match string
		odd   []string
		ask   func(context.Context, *githubhost.Installation) error
	}{
		{"GET /repos/acme/r1/installation", []string{`{}`, `{"id":0}`, `null`}, func(ctx context.Context, client *githubhost.Installation) error {
			_, err := client.OwnRepository(ctx, "1")
			return err
		}},
		{"GET /orgs/acme/memberships/ann", []string{
			`{}`, `{"state":"active","role":"admin"}`, `{"role":"admin","user":{"id":1}}`, `{"state":"active","user":{"id":1}}`,
		}, func(ctx context.Context, client *githubhost.Installation) error {
			_, err := client.MayDecide(ctx, ofAcme, ann)
			return err
		}},
	} {
		for _, body := range c.odd {
			app, host := newApp(t)
			host.Install("42", repositories(1)...)
			host.Role("acme", "ann", 1, "admin")
			if err := c.ask(t.Context(), open(t, app, "42")); err != nil {
				t.Fatalf("%s: %v", c.match, err)
			}
			host.Fail(vcstest.Failure{Match: c.match, Status: http.StatusOK, Body: body})
			if err := c.ask(t.Context(), open(t, app, "42")); err == nil || errors.Is(err, vcshost.ErrGone) {
				t.Errorf("%s answers %s: %v, want an error that says nothing of it", c.match, body, err)
			}
		}
	}
}
