//go:build unix

package journey

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// rows returns the rows of an iteration's response, each as "key#idx".
func rows(t *testing.T, resp Response) []string {
	t.Helper()
	var answer struct{ Results []record }
	resp.Want(t, http.StatusOK).Read(t, &answer)
	list := []string{}
	for _, r := range answer.Results {
		list = append(list, fmt.Sprintf("%s#%d", r.Key, r.Idx))
	}
	return list
}

// pages reads an iteration to its end as a client does: it uses the URL of the Link header
// without change.
func pages(t *testing.T, c *Client, target string, atMost int) []string {
	t.Helper()
	var all []string
	for range 100 {
		resp := c.Do(t, "GET", target, "")
		page := rows(t, resp)
		if len(page) > atMost {
			t.Fatalf("%s: got a page of %d rows, want at most %d", target, len(page), atMost)
		}
		all = append(all, page...)
		if target = resp.Next(t); target == "" {
			return all
		}
	}
	t.Fatal("the pages have no end")
	return nil
}

// shelf fills an installation: the key a with idx -1, 0 and 7, and some neighbouring keys.
func shelf(t *testing.T) (*Client, Installation) {
	c, in := theStack(t).Member(t)
	for _, row := range []string{"Z#0", "a#-1", "a#0", "a#7", "a/#0", "a/b#0", "a/b#1", "ab#0", "b#0", "\u00e9#0"} {
		key, idx, _ := strings.Cut(row, "#")
		written(t, c.Do(t, "PUT", in.Path("key", key), fmt.Sprintf(`{"idx":%s,"data":%q}`, idx, row)))
	}
	written(t, c.Do(t, "PUT", in.Path("key", "a/draft"), `{"data":1,"committed":false}`))
	return c, in
}

func TestIterationStartsAndEndsWhereItsParametersSay(t *testing.T) {
	t.Parallel()
	c, in := shelf(t)
	for target, want := range map[string][]string{
		in.Path("iter", "a/b"):                                 {"a/b#0", "a/b#1", "ab#0", "b#0", "\u00e9#0"},
		in.Path("iter", "a") + "?idx=0":                        {"a#0", "a#7"},
		in.Path("iter", "a/b") + "?inclusive=false":            {"ab#0", "b#0", "\u00e9#0"},
		in.Path("iter", "a/b") + "?inclusive=false&idx=0":      {"a/b#1", "ab#0", "b#0", "\u00e9#0"},
		in.Path("iter", "a/") + "?prefix=true":                 {"a/#0", "a/b#0", "a/b#1"},
		in.Path("iter", "a/") + "?prefix=true&inclusive=false": {"a/b#0", "a/b#1"},
		in.Path("iter", "a/") + "?prefix=true&committed=false": {"a/#0", "a/b#0", "a/b#1", "a/draft#0"},
		in.Path("iter", "") + "?limit=3":                       {"Z#0", "a#-1", "a#0"},
		in.Path("iter", "") + "?limit=0":                       {},
		in.Path("iter", "nothing") + "?prefix=true":            {},
		in.Base() + "/iter?prefix=true&limit=2":                {"Z#0", "a#-1"},
	} {
		if got := rows(t, c.Do(t, "GET", target, "")); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", target, got, want)
		}
	}
}

func TestIterationIsPagedByItsLinkAlsoUnderAPrefix(t *testing.T) {
	t.Parallel()
	c, in := shelf(t)
	everything := []string{"Z#0", "a#-1", "a#0", "a#7", "a/#0", "a/b#0", "a/b#1", "ab#0", "b#0", "\u00e9#0"}
	for _, limit := range []int{1, 2, 3, 10, 30} {
		for _, q := range []struct {
			key, query string
			want       []string
		}{
			{"", "prefix=true", everything},
			{"", "prefix=false&select=", everything},
			{"a", "prefix=true&include_data=false", everything[1:8]},
			{"a", "idx=0", everything[2:4]},
			{"a", "inclusive=false&idx=-1", everything[2:]},
		} {
			target := fmt.Sprintf("%s?%s&limit=%d", in.Path("iter", q.key), q.query, limit)
			if got := pages(t, c, target, limit); !slices.Equal(got, q.want) {
				t.Errorf("%s, all pages:\n got %q\nwant %q", target, got, q.want)
			}
		}
	}
}

func TestIterationLeavesValuesOutWhenTold(t *testing.T) {
	t.Parallel()
	c, in := shelf(t)
	for query, want := range map[string]string{"": `"b#0"`, "&include_data=true": `"b#0"`, "&include_data=false": "null", "&select=": "{}"} {
		var answer struct{ Results []record }
		c.Do(t, "GET", in.Path("iter", "b")+"?prefix=true"+query, "").Want(t, 200).Read(t, &answer)
		if len(answer.Results) != 1 || string(answer.Results[0].Data) != want || answer.Results[0].Size != 5 {
			t.Errorf("%s: got %+v, want data %s of size 5", query, answer.Results, want)
		}
	}
}

func TestPageEndsBeforeItGrowsBeyondAResponse(t *testing.T) {
	t.Parallel()
	c, in := theStack(t).Member(t)
	value := `{"data":"` + strings.Repeat("x", 2<<20) + `"}`
	var want []string
	for i := range 4 {
		key := fmt.Sprintf("big/%d", i)
		want = append(want, key+"#0")
		written(t, c.Do(t, "PUT", in.Path("key", key), value))
	}
	if got := pages(t, c, in.Path("iter", "big/")+"?prefix=true", 3); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
