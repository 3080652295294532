package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
)

// link returns the header Link of the response to a request that came through a
// proxy.
func (r *rig) link(t *testing.T, target, forwarded string) string {
	t.Helper()
	event := httpapitest.Event(t, "GET", target, r.Caller, "")
	if forwarded != "" {
		event.MultiValueHeaders["X-Forwarded-Base"] = []string{forwarded}
	}
	event.MultiValueHeaders["X-Forwarded-Proto"] = []string{"https"}
	got := r.Send(t, event)
	headers := got.MultiValueHeaders["Link"]
	if got.StatusCode != 200 || len(headers) != 1 {
		t.Fatalf("%s: %d, Link %q", target, got.StatusCode, headers)
	}
	return headers[0]
}

// TestLinkHeaderIsWrittenAsClientsReadIt compares the header byte for byte: next
// comes before prev, joined by comma and space. The page is the first parameter and
// the others are kept. The address is the one that the proxy states.
func TestLinkHeaderIsWrittenAsClientsReadIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for id, name := range []string{"a", "b", "c", "d", "e"} {
		r.repository(t, "42", fmt.Sprint(id+1), name)
	}
	for _, repo := range []string{"1", "2", "3"} {
		for _, number := range []int64{7, 8} {
			p := pullrequest.PullRequest{Repository: vcs.ID(repo), Number: number, State: pullrequest.Open}
			if _, err := r.pullRequests.Apply(t.Context(), r.Author(), vcs.Installation{VCS: "github", ID: "42"}, p, "1", r.repositories.NotEmptied(vcs.Installation{VCS: "github", ID: "42"}.Repository(vcs.ID(repo)), "1")); err != nil {
				t.Fatal(err)
			}
		}
	}
	place := func(of string, id int) string {
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(of)) + "&page=" + encode(fmt.Append(nil, id))
	}
	const ui, gateway = "https://tt.example.com/ui", "https://api.example.com/live"
	for _, c := range []struct{ target, forwarded, base, want string }{
		{repos + "?limit=2", ui, ui + repos, `<BASE?page=n&page=` + place("b", 2) + `&limit=2>; rel="next"`},
		{repos + "?limit=2", ui + "/", ui + repos, `<BASE?page=n&page=` + place("b", 2) + `&limit=2>; rel="next"`},
		{repos + "?limit=2", "", gateway + repos, `<BASE?page=n&page=` + place("b", 2) + `&limit=2>; rel="next"`},
		{
			repos + "?limit=2&page=n&page=" + place("b", 2), ui, ui + repos,
			`<BASE?page=n&page=` + place("d", 4) + `&limit=2>; rel="next", <BASE?page=p&page=` + place("c", 3) + `&limit=2>; rel="prev"`,
		},
		{repos + "?limit=2&page=n&page=d", ui, ui + repos, `<BASE?page=p&page=` + place("e", 5) + `&limit=2>; rel="prev"`},
		{repos + "?page=p,c&limit=9", ui, ui + repos, `<BASE?page=n&page=` + place("b", 2) + `&limit=9>; rel="next"`},
		{repos + "?page=n&page=e", ui, ui + repos, ""},
		{repos, ui, ui + repos, ""},
		{
			pulls + "?pr=7&limit=1&page=n&page=" + place("7", 3), ui, ui + pulls,
			`<BASE?page=n&page=` + place("7", 2) + `&limit=1&pr=7>; rel="next", <BASE?page=p&page=` + place("7", 2) + `&limit=1&pr=7>; rel="prev"`,
		},
		{pulls + "?limit=4", ui, ui + pulls, `<BASE?page=n&page=` + place("7", 3) + `&limit=4>; rel="next"`},
		{pulls + "?pr=9", ui, ui + pulls, ""},
		{pulls + "?page=n&page=7", ui, ui + pulls, ""},
	} {
		if got, want := r.link(t, c.target, c.forwarded), strings.ReplaceAll(c.want, "BASE", c.base); got != want {
			t.Errorf("%s of %q:\n got %s\nwant %s", c.target, c.forwarded, got, want)
		}
	}
	r.Serve(routes(over(r.Role))).At("https://ops.example.com/us")
	want := "<https://ops.example.com/us" + repos + "?page=n&page=" + place("b", 2) + `&limit=2>; rel="next"`
	if got := r.link(t, repos+"?limit=2", ui); got != want {
		t.Errorf("at a configured address, of a proxy that says another:\n got %s\nwant %s", got, want)
	}
}
