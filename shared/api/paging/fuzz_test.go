package paging_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/paging"
)

// FuzzPage checks that a text that is read as a cursor is one that a link can give.
// A page with a row at that place has a link with the same text, and that text is
// read as the same cursor.
func FuzzPage(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r := httptest.NewRequest("GET", "/l", nil)
		r.URL.RawQuery = raw
		q, err := paging.Decode(r, shape)
		if err != nil {
			return
		}
		if q.Limit < 1 || q.Limit > shape.Max || q.First() == values.Has("page") || len(q.Cursor) != 0 && len(q.Cursor) != shape.Elements {
			t.Fatalf("%q was read as %+v", raw, q)
		}
		if q.First() {
			return
		}
		sent := strings.Split(strings.Join(values["page"], ","), ",")
		place := row{q.Cursor[0], q.Cursor[1]}
		// A page with this row at its edge links back to exactly this place.
		page := paging.PageOf(q, slices.Repeat([]row{place}, q.Limit+1), row.cursor)
		h := http.Header{}
		page.SetHeaders(h)
		for name, link := range links(t, page) {
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			if again := u.Query()["page"]; !slices.Equal(again[1:], sent[1:]) {
				t.Fatalf("%q: the %s link %q has another cursor", raw, name, link)
			}
			r := httptest.NewRequest("GET", "/l", nil)
			r.URL.RawQuery = u.RawQuery
			q2, err := paging.Decode(r, shape)
			if err != nil || !reflect.DeepEqual(q2.Cursor, q.Cursor) || q2.Limit != q.Limit {
				t.Fatalf("%q: the %s link %q was read as %+v (%v), want %+v", raw, name, link, q2, err, q)
			}
		}
	})
}
