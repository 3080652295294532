package githubhost_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// TestRefusalsAreToldApart sends every form of refusal as the response to the
// request for a token, and to a request with a token. The host is asked once, and
// the error states the host's wait.
func TestRefusalsAreToldApart(t *testing.T) {
	t.Parallel()
	reset := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	secondary := `{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	within := http.Header{"X-Ratelimit-Remaining": {"4000"}, "X-Ratelimit-Reset": {reset}}
	for name, c := range map[string]struct {
		answer vcstest.Failure
		check  func(error) bool
	}{
		"403 with seconds":                          {vcstest.Failure{Status: 403, Header: http.Header{"Retry-After": {"600"}}}, limitedTo(600*time.Second, 600*time.Second)},
		"429 with seconds":                          {vcstest.Failure{Status: 429, Header: http.Header{"Retry-After": {"600"}}}, limitedTo(600*time.Second, 600*time.Second)},
		"503 with seconds":                          {vcstest.Failure{Status: 503, Header: http.Header{"Retry-After": {"600"}}}, limitedTo(600*time.Second, 600*time.Second)},
		"secondary limit with seconds":              {vcstest.Failure{Status: 403, Header: http.Header{"Retry-After": {"600"}}, Body: secondary}, limitedTo(600*time.Second, 600*time.Second)},
		"secondary limit by words":                  {vcstest.Failure{Status: 403, Body: secondary}, limitedTo(time.Minute, time.Minute)},
		"secondary limit by its text alone":         {vcstest.Failure{Status: 403, Header: within, Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`}, limitedTo(time.Minute, time.Minute)},
		"secondary limit by its text, with seconds": {vcstest.Failure{Status: 403, Header: http.Header{"Retry-After": {"7"}}, Body: `{"message":"You have exceeded a secondary rate limit."}`}, limitedTo(7*time.Second, 7*time.Second)},
		"limit of content by its text":              {vcstest.Failure{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later."}`}, limitedTo(time.Minute, time.Minute)},
		"abuse detection of older servers":          {vcstest.Failure{Status: 403, Body: `{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}`}, limitedTo(time.Minute, time.Minute)},
		"429 with the text of a secondary limit":    {vcstest.Failure{Status: 429, Header: within, Body: `{"message":"You have exceeded a secondary rate limit."}`}, limitedTo(time.Minute, time.Minute)},
		"address that is on no list":                {vcstest.Failure{Status: 403, Body: `{"message":"Although you appear to have the correct authorization credentials, the ` + "`acme`" + ` organization has an IP allow list enabled, and your IP address is not permitted to access this resource."}`}, refusedFor(vcshost.ByAddress)},
		"single sign-on":                            {vcstest.Failure{Status: 403, Header: http.Header{"X-Github-Sso": {"required; url=https://github.com/orgs/acme/sso?authorization_request=abc"}}, Body: `{"message":"Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization."}`}, refusedFor(vcshost.BySAML)},
		"secondary, within the primary":             {vcstest.Failure{Status: 403, Header: within, Body: secondary}, limitedTo(time.Minute, time.Hour+time.Second)},
		"primary limit": {vcstest.Failure{Status: 403, Header: http.Header{
			"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {reset},
		}}, limitedTo(30*time.Minute, time.Hour+time.Second)},
		"primary limit with seconds": {vcstest.Failure{Status: 429, Header: http.Header{
			"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {reset}, "Retry-After": {"600"},
		}}, limitedTo(600*time.Second, 600*time.Second)},
		"429":       {vcstest.Failure{Status: 429}, limitedTo(time.Minute, time.Minute)},
		"forbidden": {vcstest.Failure{Status: 403, Header: within, Body: `{"message":"Resource not accessible by integration"}`}, is(vcshost.ErrForbidden)},
		"blocked":   {vcstest.Failure{Status: 451}, func(err error) bool { return !is(vcshost.ErrForbidden)(err) && !is(vcshost.ErrGone)(err) }},
	} {
		for _, match := range []string{"/access_tokens", "GET /installation/repositories"} {
			t.Run(name+" "+match, func(t *testing.T) {
				t.Parallel()
				app, host := newApp(t)
				host.Install("42", repositories(1)...)
				answer := c.answer // a copy for this subtest: the other one runs in parallel
				answer.Match = match
				host.Fail(answer)
				if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); err == nil || !c.check(err) {
					t.Errorf("got %v", err)
				}
				if n := host.Asked("POST /app/installations/42/access_tokens"); n != 1 {
					t.Errorf("a token was asked for %d times", n)
				}
				if n := host.Asked("GET "); n > 1 {
					t.Errorf("asked %d times", n)
				}
			})
		}
	}
}

func refusedFor(reason vcshost.Reason) func(error) bool {
	return func(err error) bool {
		var refusal *vcshost.Refusal
		return errors.As(err, &refusal) && refusal.Reason == reason && refusal.Words != "" && strings.Contains(err.Error(), refusal.Words)
	}
}

func TestInstallationThatIsGoneOrSuspendedSaysNothingOfItsRepositories(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	list := repositories(1)
	host.Install("42", list...)
	host.Suspend("42", true)
	ask := func(installation vcs.ID, want error) {
		t.Helper()
		client := open(t, app, installation)
		_, one := client.Repository(t.Context(), "1")
		_, file := client.HasWorkflow(t.Context(), vcs.Description{Owner: "acme", Name: "r1"})
		_, admin := client.MayDecide(t.Context(), ofAcme, ann)
		for what, err := range map[string]error{"repository": one, "file": file, "membership": admin} {
			if !errors.Is(err, want) || errors.Is(err, vcshost.ErrGone) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
	}
	ask("42", vcshost.ErrForbidden)
	ask("44", vcshost.ErrNoInstallation)
	host.Suspend("42", false)
	host.Withhold("42", "/memberships/")
	if _, err := open(t, app, "42").MayDecide(t.Context(), ofAcme, ann); !errors.Is(err, vcshost.ErrForbidden) {
		t.Errorf("permission that was withheld: %v", err)
	}
}

func TestPublicRepositoryIsVisibleWithoutBeingTheInstallations(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	list := repositories(4)
	list[0].Private, list[3].Private = true, true
	host.Install("42", list[0], list[1])
	host.Install("43", list[3])
	host.Publish(list[2])
	for _, c := range []struct {
		installation, id vcs.ID
		sees, owns       bool
	}{
		{"42", "1", true, true}, {"42", "2", true, true}, {"42", "3", true, false}, {"42", "4", false, false}, {"43", "2", true, false}, {"43", "4", true, true},
	} {
		client := open(t, app, c.installation)
		if _, err := client.Repository(t.Context(), c.id); (err == nil) != c.sees || err != nil && !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("installation %s sees repository %s: %v, want %t", c.installation, c.id, err, c.sees)
		}
		if got, err := client.OwnRepository(t.Context(), c.id); (err == nil && got.ID == c.id) != c.owns || err != nil && !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("installation %s has repository %s: %v, want %t", c.installation, c.id, err, c.owns)
		}
	}
}

func TestHoursLimitIsTold(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42", repositories(1)...)
	host.Allow(2)
	for range 3 { // the responses after the first are the same and do not count
		if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(t, app, "42").Repository(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, app, "42").Repository(t.Context(), "2"); !limitedTo(50*time.Minute, time.Hour+time.Second)(err) {
		t.Errorf("behind the limit: %v", err)
	}
}

func TestRefusedTokensLeaveNoConnectionOpen(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	opened := map[net.Conn]bool{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 50_000))
	}))
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			opened[c] = true
		}
	}
	server.Start()
	defer server.Close()
	key := vcstest.NewGitHub(t).Key
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return key, nil }, server.URL)
	for range 10 {
		if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); !errors.Is(err, vcshost.ErrNoInstallation) {
			t.Fatalf("got %v", err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(opened) != 1 {
		t.Errorf("ten refusals took %d connections, want one that is used again", len(opened))
	}
}
