package vcshost_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

func TestNextPageIsBehindThePresentOne(t *testing.T) {
	t.Parallel()
	link := func(text string) http.Header { return http.Header{"Link": {text}} }
	for name, c := range map[string]struct {
		header http.Header
		want   int
		is     error
	}{
		"no header":                     {nil, 0, nil},
		"GitHub's":                      {link(`<https://api.github.com/x?page=2>; rel="prev", <https://api.github.com/x?page=4&per_page=9>; rel="next", <https://api.github.com/x?page=9>; rel="last"`), 4, nil},
		"GitHub's last":                 {link(`<https://api.github.com/x?page=1>; rel="first", <https://api.github.com/x?page=2>; rel="prev"`), 0, nil},
		"two headers":                   {http.Header{"Link": {`<https://a.example/x?page=1>; rel="first"`, `<https://a.example/x?page=4>; rel="next"`}}, 4, nil},
		"two relations, without quotes": {link(`<https://a.example/x?page=4>;title="a";REL="next last"`), 4, nil},
		"relation without quotes":       {link(`<https://a.example/x?page=4>; rel=next`), 4, nil},
		"address with a comma":          {link(`<https://a.example/x?f=1,2&page=4>; rel="next"`), 4, nil},
		"another's origin":              {link(`<https://evil.example/x?page=4>; rel="next"`), 4, nil},
		"no relation":                   {link(`<https://a.example/x?page=4>; next`), 0, nil},
		"no link":                       {link(`page 4; rel="next"`), 0, nil},
		"GitLab's":                      {http.Header{"X-Next-Page": {"4"}, "Link": {`<https://a.example/x?page=4>; rel="next"`}}, 4, nil},
		"GitLab's last":                 {http.Header{"X-Next-Page": {""}}, 0, nil},
		"GitLab's behind a proxy":       {link(`<https://gitlab.com/api/v4/groups?page=4>; rel="next"`), 4, nil},
		"its own page":                  {link(`<https://a.example/x?page=3>; rel="next"`), 0, vcshost.ErrEndless},
		"a circle":                      {link(`<https://a.example/x?page=1>; rel="next"`), 0, vcshost.ErrEndless},
		"no page of zero":               {link(`<https://a.example/x?page=0>; rel="next"`), 0, nil},
		"GitLab's own page":             {http.Header{"X-Next-Page": {"3"}}, 0, vcshost.ErrEndless},
		"GitLab's circle":               {http.Header{"X-Next-Page": {"2"}}, 0, vcshost.ErrEndless},
		"more pages than there can be":  {http.Header{"X-Next-Page": {"10001"}}, 0, vcshost.ErrEndless},
		"keyset":                        {link(`<https://gitlab.com/api/v4/groups/7/projects?pagination=keyset&id_after=42>; rel="next"`), 0, vcshost.ErrCursor},
		"cursor":                        {link(`<https://api.github.com/x?after=Y3Vyc29y>; rel="next"`), 0, vcshost.ErrCursor},
		"page that is no number":        {link(`<https://a.example/x?page=abc>; rel="next"`), 0, vcshost.ErrCursor},
		"negative page":                 {http.Header{"X-Next-Page": {"-1"}}, 0, vcshost.ErrCursor},
	} {
		if got, err := vcshost.NextPage(3, c.header); got != c.want || !errors.Is(err, c.is) {
			t.Errorf("%s: page %d, %v; want %d, %v", name, got, err, c.want, c.is)
		}
	}
}
