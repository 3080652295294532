package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/kv"
)

// listed requests a page. It returns the rows as "key idx", and the path and query
// of the next page.
func (r rig) listed(t testing.TB, target string) (rows []string, next string) {
	t.Helper()
	resp := r.ask(t, "GET", target, "")
	var p page
	if err := json.Unmarshal([]byte(resp.Body), &p); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %.300s", target, resp.StatusCode, resp.Body)
	}
	for _, rec := range p.Results {
		rows = append(rows, fmt.Sprintf("%s %d", rec.Key, rec.Idx))
	}
	link := resp.MultiValueHeaders["Link"]
	if len(link) == 0 {
		return rows, ""
	}
	text, rel, _ := strings.Cut(strings.TrimPrefix(link[0], "<"), ">")
	u, err := url.Parse(text)
	if err != nil || rel != `; rel="next"` || u.Host != "api.example.com" {
		t.Fatalf("%s: Link %s", target, link[0])
	}
	path, ok := strings.CutPrefix(u.RequestURI(), "/live")
	if !ok {
		t.Fatalf("%s: Link %s has no stage", target, link[0])
	}
	return rows, path
}

func TestIterateModes(t *testing.T) {
	r := newRig(t)
	for _, row := range []struct {
		key string
		idx int
	}{{"a", 0}, {"b", -1}, {"b", 0}, {"b", 3}, {"b/x", 0}, {"b/y", 2}, {"c", 0}} {
		r.want(t, "PUT", "/key/"+row.key, fmt.Sprintf(`{"data":{"n":1},"idx":%d}`, row.idx), 200, rec(true, `null`, row.idx, row.key, 8, 0))
	}
	for query, want := range map[string]string{
		"/iter/b":                                 "b -1,b 0,b 3,b/x 0,b/y 2,c 0",
		"/iter/b?idx=0":                           "b 0,b 3",
		"/iter/b?inclusive=false":                 "b/x 0,b/y 2,c 0",
		"/iter/b?inclusive=false&idx=-1":          "b 0,b 3,b/x 0,b/y 2,c 0",
		"/iter/b?prefix=true":                     "b -1,b 0,b 3,b/x 0,b/y 2",
		"/iter/b?prefix=true&inclusive=false":     "b/x 0,b/y 2",
		"/iter/b/?prefix=true":                    "b/x 0,b/y 2",
		"/iter/":                                  "a 0,b -1,b 0,b 3,b/x 0,b/y 2,c 0",
		"/iter/bb":                                "c 0",
		"/iter/z":                                 "",
		"/iter/?limit=0":                          "",
		"/iter/b?limit=7&prefix=true&idx=3":       "b 3",
		"/iter/?prefix=true&limit=10000":          "a 0,b -1,b 0,b 3,b/x 0,b/y 2,c 0",
		"/iter/b?include_data=false&prefix=false": "b -1,b 0,b 3,b/x 0,b/y 2,c 0",
	} {
		if got, next := r.listed(t, query); strings.Join(got, ",") != want || next != "" {
			t.Errorf("%s = %s, next %q; want %s", query, strings.Join(got, ","), next, want)
		}
	}
	r.want(t, "GET", "/iter/c?include_data=false", "", 200, `{"results":[`+rec(true, `null`, 0, "c", 8, 0)+`]}`)
	r.want(t, "GET", "/iter/c?include_data=false&select=x=n", "", 200, `{"results":[`+rec(true, `null`, 0, "c", 8, 0)+`]}`)
	r.want(t, "GET", "/iter/c?include_data=true&select=x=n", "", 200, `{"results":[`+rec(true, `{"x":1}`, 0, "c", 8, 0)+`]}`)
	r.want(t, "GET", "/iter/c", "", 200, `{"results":[`+rec(true, `{"n":1}`, 0, "c", 8, 0)+`]}`)

	resp := r.ask(t, "GET", "/iter/b?prefix=true&limit=2&select=x%3Dn&committed=true", "")
	link := resp.MultiValueHeaders["Link"]
	if want := "<http://api.example.com/live/api/v1/github/kv/1/iter/b?cursor=" + encodeCursor(kv.Position{Key: "b"}) +
		`&committed=true&limit=2&prefix=true&select=x%3Dn>; rel="next"`; len(link) != 1 || link[0] != want {
		t.Errorf("Link %s, want %s", link, want)
	}
}

func TestFollowingLinksVisitsEveryRowOnce(t *testing.T) {
	r := newRig(t)
	for i := range 7 {
		for idx := range 3 {
			r.ask(t, "PUT", "/key/p%2F"+fmt.Sprint(i, "//é"), fmt.Sprintf(`{"data":1,"idx":%d}`, idx-1))
		}
	}
	r.ask(t, "PUT", "/key/q", `{"data":1}`)
	for _, query := range []string{"/iter/p%2F?prefix=true", "/iter/p/?prefix=true&inclusive=false&include_data=false", "/iter/p/3//%C3%A9?idx=0", "/iter/p/3//%C3%A9?idx=0&inclusive=false"} {
		all, _ := r.listed(t, query)
		for limit := 1; limit < 5; limit++ {
			var got []string
			for next := query + "&limit=" + fmt.Sprint(limit); next != ""; {
				var rows []string
				rows, next = r.listed(t, next)
				if got = append(got, rows...); len(rows) > limit || len(got) > len(all) || len(rows) == 0 {
					t.Fatalf("%s by %d: page of %d, %d rows so far of %d", query, limit, len(rows), len(got), len(all))
				}
			}
			if strings.Join(got, ",") != strings.Join(all, ",") || len(all) == 0 {
				t.Errorf("%s by %d = %q, want %q", query, limit, got, all)
			}
		}
	}
}

func TestLinkHasThePathAsItWasSent(t *testing.T) {
	r := newRig(t)
	slashes := strings.Repeat("a/", 400)
	for _, key := range []string{slashes, slashes + "1", "..", "../1", "b c", "b c1"} {
		r.want(t, "PUT", "/key/"+url.PathEscape(key), `{"data":1}`, 200, rec(true, `null`, 0, key, 1, 0))
	}
	for sent, want := range map[string]string{
		slashes:               slashes,
		url.PathEscape("b c"): "b%20c",
		"..":                  "%2E%2E", // clients would take it for the folder above
		"%2e%2E/":             "..%2F",
		"./a/":                ".%2Fa%2F",
	} {
		target := base + "/iter/" + sent
		resp := r.ask(t, "GET", target+"?limit=1", "")
		link := strings.Join(resp.MultiValueHeaders["Link"], " ")
		const before = "<http://api.example.com/live" + base + "/iter/"
		path, _, _ := strings.Cut(strings.TrimPrefix(link, before), "?")
		if !strings.HasPrefix(link, before) || path != want {
			t.Errorf("%.40s: got %d %.200s, link to %.80s, want %.80s", sent, resp.StatusCode, resp.Body, link, want)
		}
		// The link may add only the cursor to the request.
		if most := len("cursor=&") + 1344; path == sent && len(link) > len(before)+len(sent)+len(`?limit=1>; rel="next"`)+most {
			t.Errorf("%.40s: the link has %d bytes", sent, len(link))
		}
	}
}

func TestAnyCursorReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := kv.Position{Key: strings.ToValidUTF8(rapid.StringN(0, 20, kv.MaxKeyBytes).Draw(t, "key"), ""), Idx: rapid.IntRange(kv.MinIdx, kv.MaxIdx).Draw(t, "idx")}
		got, err := decodeCursor(encodeCursor(p))
		if err != nil || *got != p {
			t.Fatalf("%+v came back as %+v, %v", p, got, err)
		}
	})
}
