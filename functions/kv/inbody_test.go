package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
)

// longKeys are keys of every possible length, including those that do not fit into
// a path: a method's ARN has at most 1,600 bytes.
var longKeys = []string{
	"", "a/b", strings.Repeat("k", kv.MaxKeyBytes), strings.Repeat("ж", kv.MaxKeyBytes/2), strings.Repeat("\x01", kv.MaxKeyBytes), strings.Repeat("\U0001f680", kv.MaxKeyBytes/4),
}

func quote(t testing.TB, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// announceFile returns the body that announces a file with this content.
func announceFile(content, more string) string {
	sum := sha256.Sum256([]byte(content))
	return fmt.Sprintf(`{"size":%d,"sha256":"%s"%s}`, len(content), hex.EncodeToString(sum[:]), more)
}

func TestEveryOperationOnAKeyWorksWithItInTheBody(t *testing.T) {
	r := newRig(t)
	for _, key := range longKeys {
		k := `"key":` + quote(t, key)
		r.want(t, "POST", "/write", `{"set":{`+k+`,"data":{"n":1},"committed":false}}`, 200, rec(false, `null`, 0, key, 8, 0))
		r.want(t, "POST", "/read", `{"get":{`+k+`}}`, 404, "")
		r.want(t, "POST", "/read", `{"get":{`+k+`,"committed":false}}`, 200, rec(false, `{"n":1}`, 0, key, 8, 0))
		r.want(t, "POST", "/commit", `{"keys":[{`+k+`}]}`, 200, `{"keys":[{"idx":0,"key":`+quote(t, key)+`}]}`)
		r.want(t, "POST", "/write", `{"cas":{`+k+`,"data":2,"version":7}}`, 400, "")
		r.want(t, "POST", "/write", `{"cas":{`+k+`,"data":[2],"version":0}}`, 200, rec(true, `null`, 0, key, 3, 1))
		r.want(t, "POST", "/write", `{"set":{`+k+`,"data":3,"idx":5}}`, 200, rec(true, `null`, 5, key, 1, 0))
		r.want(t, "POST", "/read", `{"get":{`+k+`,"select":["a=x","b=[0]"]}}`, 200, rec(true, `{"a":null,"b":2}`, 0, key, 3, 1))
		r.want(t, "POST", "/read", `{"get":{`+k+`,"idx":5,"select":[""]}}`, 200, rec(true, `{}`, 5, key, 1, 0))
		r.want(t, "POST", "/read", `{"count":{`+k+`}}`, 200, `{"count":2,"max_idx":5}`)
		r.want(t, "POST", "/read", `{"size":{`+k+`}}`, 200, `{"size":4}`)
		r.want(t, "POST", "/read", `{"size":{`+k+`,"idx":5}}`, 200, `{"size":1}`)
		first := `{"results":[` + rec(true, `[2]`, 0, key, 3, 1) + `],"cursor":"` + encodeCursor(kv.Position{Key: key}) + `"}`
		r.want(t, "POST", "/read", `{"iter":{`+k+`,"idx":-1,"limit":1}}`, 200, first)
		last := `{"results":[` + rec(true, `3`, 5, key, 1, 0) + `]}`
		r.want(t, "POST", "/read", `{"iter":{`+k+`,"idx":-1,"limit":1,"cursor":"`+encodeCursor(kv.Position{Key: key})+`"}}`, 200, last)
		if resp := r.ask(t, "GET", "/key/"+url.PathEscape(key), ""); resp.StatusCode != 200 || !strings.Contains(resp.Body, `"data":[2]`) {
			t.Errorf("by the path: %d %.200s", resp.StatusCode, resp.Body)
		}
		r.want(t, "POST", "/write", `{"delete":{`+k+`,"idx":5,"version":1}}`, 200, `{"result":false}`)
		r.want(t, "POST", "/write", `{"delete":{`+k+`}}`, 200, `{"result":true}`)
		r.want(t, "POST", "/read", `{"count":{`+k+`}}`, 404, "")

		file := announceFile("hello", ","+k)
		made := r.ask(t, "POST", "/write", `{"create_artifact":`+file+`}`)
		if location := made.MultiValueHeaders["Location"]; made.StatusCode != 201 || len(location) != 1 || !strings.Contains(made.Body, `"key":`+quote(t, key)) {
			t.Errorf("announce: %d %.300s", made.StatusCode, made.Body)
		}
		r.want(t, "POST", "/read", `{"open_artifact":{`+k+`}}`, 404, "")
	}
}

func TestFiftyLongSelectionsFitTheBody(t *testing.T) {
	r := newRig(t)
	r.ask(t, "PUT", "/key/s", `{"data":{"x":1}}`)
	var parts, want []string
	for i := range 50 {
		alias := fmt.Sprintf("%02d", i)
		parts = append(parts, quote(t, alias+"="+strings.Repeat("x.", (1024-len(alias)-3)/2)+"x"))
		want = append(want, `"`+alias+`":null`)
	}
	r.want(t, "POST", "/read", `{"get":{"key":"s","select":[`+strings.Join(parts, ",")+`]}}`, 200, rec(true, `{`+strings.Join(want, ",")+`}`, 0, "s", 8, 0))
}

func TestFileIsFetchedWhereTheBodyNamesItsKey(t *testing.T) {
	r := newRig(t)
	made := r.begun(t, "f", "hello", "")
	send(t, *made.Put, "hello")
	r.ask(t, "POST", "/artifact/upload/"+made.ID+"/complete", "")
	resp := r.ask(t, "POST", "/read", `{"open_artifact":{"key":"f"}}`)
	if location := resp.MultiValueHeaders["Location"]; resp.StatusCode != http.StatusSeeOther || len(location) != 1 || resp.Body != "" {
		t.Errorf("got %d %v %.300s, want 303 to the file", resp.StatusCode, location, resp.Body)
	}
}

func TestBodyThatNamesAKeyIsReadAsItIsMeant(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ path, body, id, says string }{
		{"/read", ``, "INVALID_BODY", "empty"},
		{"/read", `{}`, "INVALID_BODY", "one member, named after the operation: count, get, iter, open_artifact, size"},
		{"/read", `null`, "INVALID_BODY", "one member"},
		{"/read", `{"get":{"key":"a"},"count":{"key":"a"}}`, "INVALID_BODY", "2 members"},
		{"/read", `{"set":{"key":"a","data":1}}`, "UNKNOWN_MEMBER", `"set" is unknown here`},
		{"/write", `{"get":{"key":"a"}}`, "UNKNOWN_MEMBER", `"get" is unknown here`},
		{"/read", `{"get":"a"}`, "INVALID_BODY", `"get" must be an object`},
		{"/read", `{"get":null}`, "INVALID_BODY", `"get" must be an object`},
		{"/read", `{"get":{}}`, "INVALID_BODY", `"get.key" is required`},
		{"/read", `{"get":{"key":7}}`, "INVALID_BODY", `"get.key" must be a string`},
		{"/read", `{"get":{"key":"\ud800"}}`, "INVALID_BODY", `"get.key" must be a string`},
		{"/read", `{"get":{"key":"` + strings.Repeat("k", 1001) + `"}}`, "KEY_TOO_LONG", "1000"},
		{"/read", `{"get":{"key":"a","comitted":false}}`, "UNKNOWN_MEMBER", `did you mean get.committed?`},
		{"/read", `{"count":{"key":"a","idx":1}}`, "UNKNOWN_MEMBER", `"count.idx" is unknown here`},
		{"/read", `{"get":{"key":"a","idx":40000}}`, "INVALID_BODY", `"get.idx" must be`},
		{"/read", `{"get":{"key":"a","committed":"false"}}`, "INVALID_BODY", `"get.committed" must be`},
		{"/read", `{"get":{"key":"a","select":"x=x"}}`, "INVALID_BODY", `"get.select" must be a list`},
		{"/read", `{"get":{"key":"a","select":[1]}}`, "INVALID_BODY", `"get.select" must be a list`},
		{"/read", `{"get":{"key":"a","select":["x"]}}`, "INVALID_SELECT", `select: "x" has no path`},
		{"/read", `{"get":{"key":"a","select":["x=a","x=b"]}}`, "INVALID_SELECT", `the alias "x" is there twice`},
		{"/read", `{"open_artifact":{"key":"s2","select":[]}}`, "UNKNOWN_MEMBER", `unknown here; known members are`},
		{"/read", `{"iter":{"key":"a","limit":10001}}`, "INVALID_BODY", `"iter.limit" must be`},
		{"/read", `{"iter":{"key":"a","cursor":"?"}}`, "INVALID_CURSOR", "iteration"},
		{"/read", `{"iter":{"key":"a","cursor":1}}`, "INVALID_CURSOR", ""},
		{"/write", `{"set":{"key":"a"}}`, "INVALID_BODY", `"set.data" is required`},
		{"/write", `{"set":{"key":"a","data":1,"version":0}}`, "UNKNOWN_MEMBER", `"set.version" is unknown here`},
		{"/write", `{"delete":{"key":"a","idx":1.5}}`, "INVALID_BODY", `"delete.idx" must be`},
		{"/write", `{"set":{"key":"a","data":1,"read_caps":7}}`, "INVALID_BODY", `"set.read_caps" must be`},
		{"/commit", `{"keys":[{"key":"a","idx":"x"}]}`, "INVALID_BODY", `"keys.idx" must be`},
		{"/write", `{"create_artifact":{"key":"a"}}`, "INVALID_BODY", `"create_artifact.size" is required`},
	} {
		r.refused(t, "POST", c.path, c.body, c.id, c.says)
	}
	r.want(t, "POST", "/read", `{"iter":{"key":""}}`, 200, `{"results":[]}`)
	if resp := r.ask(t, "POST", "/read", `{"iter":{"key":"a","select":["x"]}}`); strings.Contains(resp.Body, "query") {
		t.Errorf("a body without a query is told %s", resp.Body)
	}
}

func TestOperationInTheBodyNeedsItsOwnCapabilities(t *testing.T) {
	r := newRig(t)
	r.ask(t, "PUT", "/key/a", `{"data":1}`)
	reader, writer := member(), member()
	reader.Capabilities, writer.Capabilities = access.Set{access.KVStoreRead}, access.Set{access.KVStoreWrite}
	for _, c := range []struct {
		path, body     string
		reader, writer int
	}{
		{"/read", `{"get":{"key":"a"}}`, 200, 403},
		{"/read", `{"count":{"key":"a"}}`, 200, 403},
		{"/read", `{"size":{"key":"a"}}`, 200, 403},
		{"/read", `{"iter":{"key":"a"}}`, 200, 403},
		{"/read", `{"open_artifact":{"key":"b"}}`, 404, 403},
		{"/write", `{"set":{"key":"b","data":1}}`, 403, 200},
		{"/write", `{"cas":{"key":"c","data":1}}`, 403, 403},
		{"/write", `{"delete":{"key":"a"}}`, 403, 403},
		{"/write", `{"create_artifact":` + announceFile("x", `,"key":"d"`) + `}`, 403, 201},
		{"/write", `{"create_artifact":` + announceFile("x", `,"key":"d","if_absent":true`) + `}`, 403, 403},
		// A caller without the right does not learn what else is wrong.
		{"/write", `{"delete":{"idx":"x"}}`, 403, 403},
	} {
		for who, want := range map[*access.Caller]int{reader: c.reader, writer: c.writer} {
			resp := r.as(who).ask(t, "POST", c.path, c.body)
			if resp.StatusCode != want || want == 403 && resp.Body != "" {
				t.Errorf("%s %s with %v: got %d %.200s, want %d", c.path, c.body, who.Capabilities, resp.StatusCode, resp.Body, want)
			}
		}
	}
	r.want(t, "POST", "/read", `{"get":{"key":"c"}}`, 404, "")
	r.want(t, "POST", "/read", `{"get":{"key":"a"}}`, 200, rec(true, `1`, 0, "a", 1, 0))
	r.want(t, "POST", "/api/v1/gitlab/kv/1/read", `{"get":{"key":"a"}}`, 403, "")
}

// If an operation declares a member that its decoder does not read, the request must
// not have an effect.
func TestOperationInTheBodyThatDoesNotReadItsMembersDoesNotRun(t *testing.T) {
	t.Parallel()
	ran := false
	operations := map[string]bodyOperation{"do": {reading, []string{"idx"}, withBody(
		func(key string, b *httpapi.Body) (string, error) { return key, b.Err() },
		func(context.Context, httpapi.Call, string) (httpapi.Empty, error) {
			ran = true
			return httpapi.Empty{}, nil
		},
	)}}
	r := served([]httpapi.Route{{
		Pattern: "POST /api/v1/{vcs}/kv/{installation_id}/read", Rule: reading, Input: bodyInput(operations), Endpoint: inBody(operations),
	}}, member())
	for body, status := range map[string]int{`{"do":{"key":"a","idx":1}}`: 500, `{"do":{"key":"a"}}`: 200} {
		ran = false
		if resp := r.ask(t, "POST", "/read", body); resp.StatusCode != status || ran != (status == 200) {
			t.Errorf("%s: got %d %s, ran: %t; want %d", body, resp.StatusCode, resp.Body, ran, status)
		}
	}
}
