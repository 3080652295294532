package paging_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/paging"
)

// row is placed by both of its members.
type row struct{ a, b string }

func (r row) cursor() []string { return []string{r.a, r.b} }

func compare(x, y row) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) }

var shape = paging.Shape{Elements: 2, Default: 20, Max: 100}

// list is an endpoint over sorted rows.
func list(rows []row, r *http.Request) (paging.Results[row], error) {
	q, err := paging.Decode(r, shape)
	if err != nil {
		return paging.Results[row]{}, err
	}
	var found []row
	for _, x := range rows {
		var at row
		if !q.First() {
			at = row{q.Cursor[0], q.Cursor[1]}
		}
		switch c := compare(x, at); {
		case q.First(), !q.Backward && c > 0, q.Backward && c < 0:
			found = append(found, x)
		}
	}
	if q.Backward {
		slices.Reverse(found)
	}
	return paging.PageOf(q, found[:min(len(found), q.Limit+1)], row.cursor), nil
}

var entry = regexp.MustCompile(`^<([^<>]+)>; rel="(next|prev)"$`)

// links reads the Link header by relation.
func links(t interface{ Fatalf(string, ...any) }, page paging.Results[row]) map[string]string {
	h := http.Header{}
	page.SetHeaders(h)
	if _, ok := h["Link"]; !ok {
		t.Fatalf("the response has no Link header")
	}
	found := map[string]string{}
	if h.Get("Link") == "" {
		return found
	}
	for _, part := range strings.Split(h.Get("Link"), ", ") {
		m := entry.FindStringSubmatch(part)
		if m == nil {
			t.Fatalf("got a link entry %q", part)
		}
		found[m[2]] = m[1]
	}
	return found
}

// joined is the other encoding of the array page.
func joined(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	if q.Has("page") {
		q.Set("page", strings.Join(q["page"], ","))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestLinksLeadThroughEveryRowBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 8, 24)
		rows := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) row {
			return row{text.Draw(t, "a"), text.Draw(t, "b")}
		}), 0, 60, func(r row) row { return r }).Draw(t, "rows")
		slices.SortFunc(rows, compare)
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		next := fmt.Sprintf("https://api.example.com/list?limit=%d&q=a%%2Cb", limit)
		visit := func(direction string, from string) []row {
			var seen []row
			for step := 0; from != ""; step++ {
				if step > len(rows)+1 {
					t.Fatalf("the links go round")
				}
				if rapid.Bool().Draw(t, "joined") {
					from = joined(from)
				}
				page, err := list(rows, httptest.NewRequest("GET", from, nil))
				if err != nil {
					t.Fatalf("%s: %v", from, err)
				}
				if len(page.Results) > limit || !slices.IsSortedFunc(page.Results, compare) {
					t.Fatalf("got a page %v, want at most %d rows in order", page.Results, limit)
				}
				if direction == "next" {
					seen = append(seen, page.Results...)
				} else {
					seen = append(slices.Clone(page.Results), seen...)
				}
				from = links(t, page)[direction]
			}
			return seen
		}
		if seen := visit("next", next); !slices.Equal(seen, rows) {
			t.Fatalf("forwards: got %q, want %q", seen, rows)
		}
		if len(rows) == 0 {
			return
		}
		// Go back from the last page. Its own rows are not visited again.
		last, err := list(rows, httptest.NewRequest("GET", next, nil))
		if err != nil {
			t.Fatal(err)
		}
		for links(t, last)["next"] != "" {
			if last, err = list(rows, httptest.NewRequest("GET", links(t, last)["next"], nil)); err != nil {
				t.Fatal(err)
			}
		}
		want := rows[:len(rows)-len(last.Results)]
		if seen := visit("prev", links(t, last)["prev"]); !slices.Equal(seen, want) {
			t.Fatalf("backwards: got %q, want %q", seen, want)
		}
	})
}

func TestRowsComeAndGoBetweenPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z]{1,3}`)
		stay := rapid.SliceOfDistinct(name, rapid.ID).Draw(t, "stay")
		next := "http://h/list?limit=3"
		var seen []string
		for next != "" {
			// The other rows change with every page.
			all := append(slices.Clone(stay), rapid.SliceOf(name).Draw(t, "come and go")...)
			slices.Sort(all)
			var rows []row
			for _, n := range slices.Compact(all) {
				rows = append(rows, row{n, ""})
			}
			page, err := list(rows, httptest.NewRequest("GET", next, nil))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Results {
				seen = append(seen, r.a)
			}
			next = links(t, page)["next"]
		}
		for _, n := range stay {
			count := 0
			for _, s := range seen {
				if s == n {
					count++
				}
			}
			if count != 1 {
				t.Fatalf("%q was seen %d times in %q", n, count, seen)
			}
		}
	})
}

func enc(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestLinksByDirectionAndMore(t *testing.T) {
	rows := []row{{"a", "1"}, {"b", "2"}, {"c", "3"}}
	cursor := func(r row) string { return "page=" + enc(r.a) + "&page=" + enc(r.b) }
	for _, c := range []struct {
		name, query string
		want        []string
		next, prev  bool
	}{
		{"first page, more", "limit=2", []string{"a", "b"}, true, false},
		{"first page, all", "limit=3", []string{"a", "b", "c"}, false, false},
		{"forwards, more", "limit=1&page=n&" + cursor(rows[0]), []string{"b"}, true, true},
		{"forwards, end", "page=n&" + cursor(rows[0]), []string{"b", "c"}, false, true},
		{"forwards, nothing", "page=n&" + cursor(rows[2]), nil, false, false},
		{"backwards, more", "limit=1&page=p&" + cursor(rows[2]), []string{"b"}, true, true},
		{"backwards, end", "page=p&" + cursor(rows[2]), []string{"a", "b"}, true, false},
		{"backwards, nothing", "page=p&" + cursor(rows[0]), nil, false, false},
	} {
		page, err := list(rows, httptest.NewRequest("GET", "http://h/l?"+c.query, nil))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, r := range page.Results {
			got = append(got, r.a)
		}
		l := links(t, page)
		if !slices.Equal(got, c.want) || (l["next"] != "") != c.next || (l["prev"] != "") != c.prev {
			t.Errorf("%s: got %q with links %v; want %q, next %t, prev %t", c.name, got, l, c.want, c.next, c.prev)
		}
		if page.Results == nil {
			t.Errorf("%s: results are null", c.name)
		}
	}
}
