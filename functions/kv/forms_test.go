package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/api/access"
)

// forms are the operations that a request can name in two forms: with the key in
// the path, and with the key in the body.
var forms = []struct {
	method, path, route, operation string
	query, members                 []string
}{
	{"GET", "/key/", "/read", "get", []string{"idx", "committed", "select"}, nil},
	{"GET", "/count/key/", "/read", "count", []string{"committed"}, nil},
	{"GET", "/size/key/", "/read", "size", []string{"idx", "committed"}, nil},
	{"GET", "/iter/", "/read", "iter", []string{"idx", "committed", "inclusive", "prefix", "include_data", "limit", "select", "cursor"}, nil},
	{"GET", "/artifact/key/", "/read", "open_artifact", []string{"idx", "committed"}, nil},
	{"PUT", "/key/", "/write", "set", nil, []string{"data", "idx", "committed", "read_caps", "write_caps"}},
	{"PUT", "/cas/key/", "/write", "cas", nil, []string{"data", "idx", "committed", "read_caps", "write_caps", "version"}},
	{"DELETE", "/key/", "/write", "delete", []string{"idx", "version"}, nil},
	{"POST", "/artifact/key/", "/write", "create_artifact", nil, []string{
		"size", "sha256", "content_type", "file_name", "idx", "committed", "read_caps", "write_caps", "if_absent", "version",
	}},
}

// drawValue draws a value of a parameter. Most of the values are valid.
func drawValue(t *rapid.T, name string) any {
	values := map[string][]any{
		"idx": {0, 5, -32768, 32767, 40000}, "version": {0, 3, 32767, -1}, "limit": {0, 1, 10000, 10001},
		"committed": {true, false}, "inclusive": {true, false}, "prefix": {true, false}, "include_data": {true, false}, "if_absent": {true, false},
		"select": {"a=b", "", "a=b[", "odd=\"x,y\".z"}, "cursor": {"gAA", "gABh", "?"},
		"data": {nil, 1, "x", []any{}}, "read_caps": {nil, []any{}, []any{access.KVStoreSystemRead}, []any{"none"}}, "write_caps": {nil, []any{access.KVStoreSystemWrite}},
		"size": {0, 7, -1}, "sha256": {emptySum, "x"}, "content_type": {"text/plain", "x"}, "file_name": {"a.txt", "a/b"},
	}
	return rapid.SampledFrom(values[name]).Draw(t, name)
}

// listening returns the function with an ear as its stores.
func listening(e *ear, caller *access.Caller) rig {
	return served(routes(e, e), caller)
}

// TestBothFormsOfAnOperationAskTheSameOfTheStore compares the form with the key in
// the body to the form with the key in the path.
func TestBothFormsOfAnOperationAskTheSameOfTheStore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		form := rapid.SampledFrom(forms).Draw(rt, "form")
		key := rapid.SampledFrom([]string{"", "a/b", "..", "%2F", "ж\x01\""}).Draw(rt, "key")
		query, inBody, members := url.Values{}, map[string]any{"key": key}, map[string]any{}
		for _, name := range form.query {
			if rapid.Bool().Draw(rt, "with "+name) {
				value := drawValue(rt, name)
				query.Set(name, fmt.Sprint(value))
				if inBody[name] = value; name == "select" {
					inBody[name] = []any{value}
				}
			}
		}
		for _, name := range form.members {
			if rapid.IntRange(0, 3).Draw(rt, "with "+name) > 0 {
				members[name] = drawValue(rt, name)
				inBody[name] = members[name]
			}
		}
		text := func(v any) string {
			b, err := json.Marshal(v)
			if err != nil {
				rt.Fatal(err)
			}
			return string(b)
		}
		var body string
		if form.members != nil {
			body = text(members)
		}
		byPath, byBody := &ear{}, &ear{}
		path := listening(byPath, member()).ask(t, form.method, form.path+url.PathEscape(key)+"?"+query.Encode(), body)
		named := listening(byBody, member()).ask(t, "POST", form.route, text(map[string]any{form.operation: inBody}))
		status := named.StatusCode
		if status == 303 {
			status = 302
		}
		if status != path.StatusCode || !reflect.DeepEqual(byPath, byBody) {
			rt.Fatalf("%s %s%q?%s %s: got %d, asked %+v\n%s %s: got %d, asked %+v", form.method, form.path, key, query.Encode(), body,
				path.StatusCode, byPath, form.operation, text(inBody), named.StatusCode, byBody)
		}
	})
}
