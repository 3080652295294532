package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/kv"
)

// parameter is the description of a query parameter in the API document: a number
// from low to high, or a boolean if both are 0, and the meaning of its absence.
type parameter struct {
	low, high int64
	def       any
}

// means returns the meaning of the parameter's value; false if the value is not
// valid.
func (p parameter) means(query url.Values, name string) (any, bool) {
	if !query.Has(name) {
		return p.def, true
	}
	text := query.Get(name)
	if p.low == 0 && p.high == 0 {
		return text == "true", text == "true" || text == "false"
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return int(n), err == nil && n >= p.low && n <= p.high
}

var (
	committedParam = parameter{def: true}
	idxParam       = parameter{low: -32768, high: 32767}
	firstIdxParam  = parameter{low: -32768, high: 32767, def: 0}
)

// reads are the routes with a query, and their parameters.
var reads = []struct {
	method, path string
	parameters   map[string]parameter
}{
	{"GET", "/key/k", map[string]parameter{"idx": firstIdxParam, "committed": committedParam}},
	{"DELETE", "/key/k", map[string]parameter{"idx": idxParam, "version": {0, 32767, nil}}},
	{"GET", "/count/key/k", map[string]parameter{"committed": committedParam}},
	{"GET", "/size/key/k", map[string]parameter{"idx": idxParam, "committed": committedParam}},
	{"GET", "/iter/k", map[string]parameter{
		"idx": idxParam, "committed": committedParam, "inclusive": {def: true}, "prefix": {def: false}, "include_data": {def: true},
		"limit": {0, 10000, 30},
	}},
	{"GET", "/artifact/key/k", map[string]parameter{"idx": firstIdxParam, "committed": committedParam}},
	{"GET", "/artifact/upload", map[string]parameter{"limit": {1, 500, 100}}},
	{"GET", "/artifact/upload/" + anUpload, map[string]parameter{"after": {0, 10000, 0}, "limit": {1, 1000, 100}}},
}

// askQuery sends a request with a query to the function with e as its stores.
func askQuery(t *testing.T, e *ear, method, path string, query url.Values) (status int, body string, header http.Header) {
	t.Helper()
	l := httpapi.NewLambda(routes(e, e), slog.New(slog.DiscardHandler), time.Now, keyInOneSegment)
	event := httpapitest.Event(t, method, path, member(), "")
	event.MultiValueQueryStringParameters = query
	resp, err := l.Handle(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Body, resp.MultiValueHeaders
}

// FuzzQuery checks that parameters mean what the API document says, or that the
// request is refused and the store is not called.
func FuzzQuery(f *testing.F) {
	f.Fuzz(func(t *testing.T, route uint8, raw string) {
		read := reads[int(route)%len(reads)]
		query, _ := url.ParseQuery(raw) // a part that cannot be parsed is left out
		want, valid := map[string]any{}, true
		for name, p := range read.parameters {
			v, ok := p.means(query, name)
			want[name], valid = v, valid && ok
		}
		e := &ear{}
		status, body, _ := askQuery(t, e, read.method, base+read.path, query)
		if query.Has("select") {
			// The selection also decides whether data is read.
			delete(want, "include_data")
			delete(e.numbers, "include_data")
		}
		switch {
		case status == http.StatusOK || status == http.StatusFound:
			if !valid || !reflect.DeepEqual(e.numbers, want) {
				t.Fatalf("%s %s?%s: was understood as %v, want %v (%v)", read.method, read.path, raw, e.numbers, want, valid)
			}
		case valid && !query.Has("select") && !query.Has("cursor"):
			t.Fatalf("%s %s?%s: got %d %s", read.method, read.path, raw, status, body)
		default:
			checkRefusal(t, status, body)
			if e.numbers != nil {
				t.Fatalf("%s %s?%s: was refused and done", read.method, read.path, raw)
			}
		}
	})
}

// FuzzCursor checks that a cursor is accepted only if the function could have
// written it, and that it stands for that position. The link to the next page must
// repeat the request from there on.
func FuzzCursor(f *testing.F) {
	f.Fuzz(func(t *testing.T, cursor, key string, idx int16, raw string) {
		if p, err := decodeCursor(cursor); err == nil && encodeCursor(*p) != cursor {
			t.Fatalf("%q is read as %+v, whose cursor is %q", cursor, p, encodeCursor(*p))
		}
		query, _ := url.ParseQuery(raw)
		next := kv.Position{Key: key, Idx: int(idx)}
		if !utf8.ValidString(key) || len(key) > kv.MaxKeyBytes {
			return
		}
		first := &ear{next: &next}
		status, _, header := askQuery(t, first, "GET", base+"/iter/k%2F1", query)
		if status != http.StatusOK {
			return
		}
		link, ok := strings.CutPrefix(header.Get("Link"), "<https://api.example.com/live")
		if !ok {
			link, ok = strings.CutPrefix(header.Get("Link"), "<http://api.example.com/live")
		}
		link, end := strings.CutSuffix(link, `>; rel="next"`)
		u, err := url.ParseRequestURI(link)
		if !ok || !end || err != nil || strings.ContainsAny(link, "<>\" \r\n") {
			t.Fatalf("the link is %q (%v)", header.Get("Link"), err)
		}
		second := &ear{}
		if status, body, _ := askQuery(t, second, "GET", u.EscapedPath(), u.Query()); status != http.StatusOK {
			t.Fatalf("%q: got %d %s", link, status, body)
		}
		want := *first.rows
		want.After = &next
		if !reflect.DeepEqual(*second.rows, want) {
			t.Fatalf("%q asks for %+v, want %+v", link, *second.rows, want)
		}
	})
}
