package gitlabhost_test

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
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestOddEntryIsLeftOutAloneAndSaid(t *testing.T) {
	t.Parallel()
	c, host := newClient(t)
	const good = `{"id":1,"path_with_namespace":"acme/net/a","default_branch":null,"visibility":"public","namespace":{"id":7,"kind":"group"},` +
		`"topics":7,"permissions":"odd","updated_at":5,"last_activity_at":"yesterday","owner":[]}`
	for name, odd := range map[string]struct{ entry, id, why string }{
		"a text":                       {`"secret-text"`, "", "the entry is a JSON string"},
		"null":                         {`null`, "", "it has no id"},
		"path of another type":         {`{"id":2,"path_with_namespace":["secret-text"]}`, "2", "path_with_namespace is a JSON array"},
		"path without a group":         {`{"id":2,"path_with_namespace":"b"}`, "2", "its path_with_namespace names no group and project"},
		"path without a name":          {`{"id":2,"path_with_namespace":"acme/"}`, "2", "its path_with_namespace names no group and project"},
		"namespace of another type":    {`{"id":2,"path_with_namespace":"acme/b","namespace":"secret-text"}`, "2", "namespace is a JSON string"},
		"namespace's id is a text":     {`{"id":2,"path_with_namespace":"acme/b","namespace":{"id":"secret-text"}}`, "2", "namespace.id is a JSON string"},
		"archived is a number":         {`{"id":2,"path_with_namespace":"acme/b","archived":1}`, "2", "archived is a JSON number"},
		"default branch of other type": {`{"id":2,"path_with_namespace":"acme/b","default_branch":{}}`, "2", "default_branch is a JSON object"},
	} {
		host.Fail(vcstest.Failure{Match: "/projects", Times: 1, Status: 200, Body: `[` + odd.entry + `,` + good + `]`})
		got, err := open(t, host).Repositories(t.Context(), 1, 100)
		if err != nil || len(got.Repositories) != 1 || len(got.Odd) != 1 {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		no := false
		want := vcshost.Repository{Namespace: "7", Description: vcs.Description{ID: "1", Owner: "acme", Name: "net/a", Archived: &no, Private: got.Repositories[0].Private}}
		if p := got.Repositories[0]; *p.Private || !reflect.DeepEqual(p, want) {
			t.Errorf("beside %s: %+v, want %+v", name, p, want)
		}
		if o := got.Odd[0]; o.ID != odd.id || o.Why != odd.why || strings.Contains(o.String(), "secret-text") {
			t.Errorf("%s: %+v, want %q of %q", name, o, odd.why, odd.id)
		}
	}
	host.Fail(vcstest.Failure{Match: "/groups", Times: 1, Status: 200, Body: `[{"id":7,"full_name":"Acme","projects":5},{"id":"8"},null,{"id":9}]`})
	if groups, err := c.Groups(t.Context()); err != nil || len(groups) != 2 {
		t.Errorf("groups: %+v, %v", groups, err)
	}
	for _, body := range []string{`null`, `{}`, ``, `{"message":"words"}`} {
		host.Fail(vcstest.Failure{Match: "/groups", Times: 1, Status: 200, Body: body})
		if groups, err := c.Groups(t.Context()); err == nil {
			t.Errorf("groups of %q: %v", body, groups)
		}
	}
}

func TestInternalProjectIsNotForMembersOnly(t *testing.T) {
	t.Parallel()
	_, host := newClient(t)
	for visibility, want := range map[string]bool{`,"visibility":"public"`: false, `,"visibility":"private"`: true, `,"visibility":"internal"`: false, ``: false} {
		host.Fail(vcstest.Failure{Match: "/projects/1", Times: 1, Status: 200, Body: `{"id":1,"path_with_namespace":"acme/a"` + visibility + `}`})
		if got, err := open(t, host).Repository(t.Context(), "1"); err != nil || got.MembersOnly != want {
			t.Errorf("%s: members only %t, %v", visibility, got.MembersOnly, err)
		}
	}
}

func TestListThatLeadsBackIsNotReadOn(t *testing.T) {
	t.Parallel()
	own := func(page string) http.Header { return http.Header{"X-Next-Page": {page}} }
	link := func(query string) http.Header {
		return http.Header{"Link": {`<https://gitlab.example.com/api/v4/groups?` + query + `>; rel="next"`}}
	}
	for name, c := range map[string]struct {
		pages []http.Header
		is    error
		asked int
	}{
		"its own page":         {[]http.Header{own("1")}, vcshost.ErrEndless, 1},
		"a circle of three":    {[]http.Header{own("2"), own("3"), own("1")}, vcshost.ErrEndless, 3},
		"links in a circle":    {[]http.Header{link("page=2"), link("page=1")}, vcshost.ErrEndless, 2},
		"keyset":               {[]http.Header{link("pagination=keyset&id_after=5")}, vcshost.ErrCursor, 1},
		"keyset behind a page": {[]http.Header{own("2"), link("cursor=abc")}, vcshost.ErrCursor, 2},
		"pages that never end": {nil, vcshost.ErrEndless, 101},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, host := newClient(t)
			asked := 0
			host.Choose(func(string) *vcstest.Failure {
				asked++
				header := own(fmt.Sprint(asked + 1))
				if c.pages != nil {
					header = c.pages[(asked-1)%len(c.pages)]
				}
				return &vcstest.Failure{Status: 200, Header: header.Clone(), Body: `[]`}
			})
			if got, err := client.Groups(t.Context()); !errors.Is(err, c.is) || asked != c.asked {
				t.Errorf("groups: %v, %v after %d requests, want %v after %d", got, err, asked, c.is, c.asked)
			}
			if c.pages == nil {
				return
			}
			asked = 0
			var err error
			for page := 1; page != 0 && err == nil; {
				var got vcshost.RepositoryPage
				got, err = open(t, host).Repositories(t.Context(), page, 100)
				page = got.Next
			}
			if !errors.Is(err, c.is) || asked != c.asked {
				t.Errorf("projects: %v after %d requests, want %v after %d", err, asked, c.is, c.asked)
			}
		})
	}
}

func TestPagesAreReadWhereOnlyLinksNameThem(t *testing.T) {
	t.Parallel()
	client, host := newClient(t)
	for page := 2; page <= 3; page++ {
		host.Fail(vcstest.Failure{
			Match: "/groups", Times: 1, Status: 200, Body: fmt.Sprintf(`[{"id":%d,"full_name":"g"}]`, page),
			Header: http.Header{"Link": {fmt.Sprintf(`<https://inside.example/api/v4/groups?page=%d>; rel="next"`, page)}},
		})
	}
	host.Fail(vcstest.Failure{Match: "/groups", Times: 1, Status: 200, Body: `[{"id":4,"full_name":"g"}]`})
	if got, err := client.Groups(t.Context()); err != nil || len(got) != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestRedirectToAnotherOriginIsNotFollowed(t *testing.T) {
	t.Parallel()
	asked := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer stranger.Close()
	client, host := newClient(t)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect} {
		host.Fail(vcstest.Failure{Match: "GET /groups", Times: 1, Status: status, Header: http.Header{"Location": {stranger.URL + "/api/v4/groups"}}})
		if got, err := client.Groups(t.Context()); !errors.Is(err, vcshost.ErrElsewhere) || asked != 0 {
			t.Errorf("status %d: %v, %v; another address was asked %d times", status, got, err, asked)
		}
	}
}

func TestBannedAddressIsToldFromALackingScope(t *testing.T) {
	t.Parallel()
	client, host := newClient(t)
	for body, want := range map[string]vcshost.Reason{"Forbidden\n": vcshost.ByAddress, `{"message":"403 Forbidden"}`: vcshost.Unstated} {
		host.Fail(vcstest.Failure{Times: 1, Status: http.StatusForbidden, Body: body})
		_, err := client.Groups(t.Context())
		var refusal *vcshost.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != want || !errors.Is(err, vcshost.ErrForbidden) {
			t.Errorf("%q: %v, want reason %d", body, err, want)
		}
	}
}
