package githubhost_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestOddEntryIsLeftOutAloneAndSaid(t *testing.T) {
	t.Parallel()
	const good = `{"id":1,"name":"a","owner":{"login":"acme"},"default_branch":null,"private":true,` +
		`"topics":7,"permissions":"odd","updated_at":5,"pushed_at":"yesterday","license":[]}`
	app, host := newApp(t)
	host.Install("42")
	for name, c := range map[string]struct{ entry, id, why string }{
		"a number":                {`5`, "", "the entry is a JSON number"},
		"a text":                  {`"secret-text"`, "", "the entry is a JSON string"},
		"null":                    {`null`, "", "it has no id"},
		"empty":                   {`{}`, "", "it has no id"},
		"name of another type":    {`{"id":2,"name":["secret-text"],"owner":{"login":"acme"}}`, "2", "name is a JSON array"},
		"id of another type":      {`{"id":"secret-text","name":"b","owner":{"login":"acme"}}`, "", "id is a JSON string"},
		"id that is too large":    {`{"id":99999999999999999999,"name":"b","owner":{"login":"acme"}}`, "", "id is a JSON number"},
		"owner of another type":   {`{"id":2,"name":"b","owner":"secret-text"}`, "2", "owner is a JSON string"},
		"login of another type":   {`{"id":2,"name":"b","owner":{"login":7}}`, "2", "owner.login is a JSON number"},
		"archived is a text":      {`{"id":2,"name":"b","owner":{"login":"acme"},"archived":"secret-text"}`, "2", "archived is a JSON string"},
		"nameless":                {`{"id":2,"name":"","owner":{"login":"acme"}}`, "2", "it has no name"},
		"owner of an enterprise":  {`{"id":2,"name":"b","owner":{"slug":"acme"}}`, "2", "it has no owner"},
		"owner that is not there": {`{"id":2,"name":"b","owner":null}`, "2", "it has no owner"},
	} {
		host.Fail(vcstest.Failure{
			Match: "GET /installation/repositories", Times: 1, Status: 200,
			Body: `{"total_count":"odd","repositories":[` + c.entry + `,` + good + `]}`,
		})
		got, err := open(t, app, "42").Repositories(t.Context(), 1, 100)
		if err != nil || len(got.Repositories) != 1 || len(got.Odd) != 1 || got.Total != 0 {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		yes, no := true, false
		want := vcshost.Repository{Namespace: "acme", MembersOnly: true, Description: vcs.Description{ID: "1", Owner: "acme", Name: "a", Private: &yes, Archived: &no}}
		if r := got.Repositories[0]; !reflect.DeepEqual(r, want) {
			t.Errorf("beside %s: %+v, want %+v", name, r, want)
		}
		if odd := got.Odd[0]; odd.ID != c.id || odd.Why != c.why || strings.Contains(odd.String(), "secret-text") {
			t.Errorf("%s: %+v, want %q of %q", name, odd, c.why, c.id)
		}
	}
}

func TestInternalRepositoryIsNotForMembersOnly(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42")
	for visibility, want := range map[string]bool{
		`"private":false,"visibility":"public"`: false, `"private":true,"visibility":"private"`: true, `"private":true,"visibility":"internal"`: false,
		`"private":true`: true, `"private":false`: false, `"visibility":"private"`: false,
	} {
		host.Fail(vcstest.Failure{Match: "GET /repositories/1", Times: 1, Status: 200, Body: `{"id":1,"name":"a","owner":{"login":"acme"},` + visibility + `}`})
		if got, err := open(t, app, "42").Repository(t.Context(), "1"); err != nil || got.MembersOnly != want {
			t.Errorf("%s: members only %t, %v", visibility, got.MembersOnly, err)
		}
	}
}

func TestOddInstallationIsLeftOutOfAPersonsListAlone(t *testing.T) {
	t.Parallel()
	host := vcstest.NewPeople(t)
	host.Fail(vcstest.Failure{Match: "GET /user/installations", Status: 200, Body: `{"installations":[{"id":7,"account":5},{"id":"8"},null,{"id":9}]}`})
	got, err := githubhost.NewPeople(host.URL).Installations(t.Context(), vcstest.PersonToken)
	if err != nil || fmt.Sprint(got) != "[7 9]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAnswerWithoutAListIsNoEmptyList(t *testing.T) {
	t.Parallel()
	app, host := newApp(t)
	host.Install("42")
	people := vcstest.NewPeople(t)
	for _, body := range []string{`{}`, `null`, `{"repositories":null,"installations":null}`, `[]`, `{"repositories":{},"installations":{}}`, ``} {
		host.Fail(vcstest.Failure{Match: "GET /installation/repositories", Times: 1, Status: 200, Body: body})
		if got, err := open(t, app, "42").Repositories(t.Context(), 1, 100); err == nil {
			t.Errorf("repositories of %q: %+v", body, got)
		}
		people.Fail(vcstest.Failure{Match: "GET /user/installations", Times: 1, Status: 200, Body: body})
		if got, err := githubhost.NewPeople(people.URL).Installations(t.Context(), vcstest.PersonToken); err == nil {
			t.Errorf("installations of %q: %v", body, got)
		}
	}
}

func TestListThatLeadsBackIsNotReadOn(t *testing.T) {
	t.Parallel()
	link := func(host, query string) http.Header {
		return http.Header{"Link": {fmt.Sprintf(`<%s/user/installations?%s>; rel="next"`, host, query)}}
	}
	const body = `{"total_count":9,"repositories":[],"installations":[]}`
	for name, c := range map[string]struct {
		pages []string // the queries of the links, page by page
		is    error
		asked int
	}{
		"its own page":          {[]string{"page=1"}, vcshost.ErrEndless, 1},
		"a circle of three":     {[]string{"page=2", "page=3", "page=1"}, vcshost.ErrEndless, 3},
		"the last page its own": {[]string{"page=2", "page=2"}, vcshost.ErrEndless, 2},
		"a cursor":              {[]string{"page=2", "after=Y3Vyc29y"}, vcshost.ErrCursor, 2},
		"pages that never end":  {nil, vcshost.ErrEndless, 101},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			people := vcstest.NewPeople(t)
			asked := 0
			people.Choose(func(string) *vcstest.Failure {
				asked++
				query := fmt.Sprint("page=", asked+1)
				if c.pages != nil {
					query = c.pages[(asked-1)%len(c.pages)]
				}
				return &vcstest.Failure{Status: 200, Header: link(people.URL, query), Body: body}
			})
			got, err := githubhost.NewPeople(people.URL).Installations(t.Context(), vcstest.PersonToken)
			if !errors.Is(err, c.is) || asked != c.asked {
				t.Errorf("got %v, %v after %d requests, want %v after %d", got, err, asked, c.is, c.asked)
			}
			if c.pages == nil {
				return
			}
			app, host := newApp(t)
			host.Install("42")
			page, pages := 1, 0
			for err = nil; page != 0 && err == nil; pages++ {
				host.Fail(vcstest.Failure{Match: "GET /installation/repositories", Times: 1, Status: 200, Header: link(host.API, c.pages[pages%len(c.pages)]), Body: body})
				var got vcshost.RepositoryPage
				got, err = open(t, app, "42").Repositories(t.Context(), page, 100)
				page = got.Next
			}
			if !errors.Is(err, c.is) || pages != c.asked {
				t.Errorf("repositories: %v after %d requests", err, pages)
			}
		})
	}
}

func TestLinkAndRedirectToAnotherOriginAreNotFollowed(t *testing.T) {
	t.Parallel()
	asked := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer stranger.Close()
	people := vcstest.NewPeople(t)
	people.Fail(vcstest.Failure{
		Match: "GET /user/installations", Times: 1, Status: 200, Body: `{"installations":[{"id":7}]}`,
		Header: http.Header{"Link": {`<` + stranger.URL + `/user/installations?page=2>; rel="next"`}},
	})
	people.Fail(vcstest.Failure{Match: "GET /user/installations", Times: 1, Status: 200, Body: `{"installations":[{"id":8}]}`})
	got, err := githubhost.NewPeople(people.URL).Installations(t.Context(), vcstest.PersonToken)
	if err != nil || fmt.Sprint(got) != "[7 8]" || people.Asked("GET /user/installations") != 2 {
		t.Errorf("link: got %v, %v; the second page is asked for where the first was", got, err)
	}
	away := http.Header{"Location": {stranger.URL + "/user/installations"}}
	people.Fail(vcstest.Failure{Match: "GET /user/installations", Status: http.StatusFound, Header: away})
	if got, err := githubhost.NewPeople(people.URL).Installations(t.Context(), vcstest.PersonToken); !errors.Is(err, vcshost.ErrElsewhere) {
		t.Errorf("redirect of a person's list: %v, %v", got, err)
	}
	app, host := newApp(t)
	host.Install("42")
	host.Fail(vcstest.Failure{Match: "GET /installation/repositories", Status: http.StatusMovedPermanently, Header: away})
	if _, err := open(t, app, "42").Repositories(t.Context(), 1, 100); !errors.Is(err, vcshost.ErrElsewhere) {
		t.Errorf("redirect of an installation's list: %v", err)
	}
	host.Fail(vcstest.Failure{Match: "/access_tokens", Status: http.StatusFound, Header: away})
	host.Install("43")
	if got, err := open(t, app, "43").Repositories(t.Context(), 1, 100); err == nil {
		t.Errorf("redirect of the request for a token: %+v", got)
	}
	if asked != 0 {
		t.Errorf("another address was asked %d times", asked)
	}
}
