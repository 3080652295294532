package contract

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFindOperation(t *testing.T) {
	const kv = "/api/v1/{vcs}/kv/{installation_id}"
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/api/v1/whoami", "GET /api/v1/whoami"},
		{"GET", "/api/v1/github/whoami", "GET /api/v1/{vcs}/whoami"},
		{"POST", "/api/v1/access-token/refresh", "POST /api/v1/access-token/refresh"},
		{"GET", "/api/v1/tasks/client_id", "GET /api/v1/tasks/{id}"},
		{"GET", "/api/v1/gitlab/client_id", "GET /api/v1/{vcs}/client_id"},
		{"PUT", "/api/v1/github/kv/1/key/a%2Fb", "PUT " + kv + "/key/{key}"},
		{"PUT", "/api/v1/github/kv/1/cas/key/a//b/", "PUT " + kv + "/cas/key/{key}"},
		{"GET", "/api/v1/github/kv/1/key/", "GET " + kv + "/key/{key}"},
		{"GET", "/api/v1/github/kv/1/key", "GET " + kv + "/key/{key}"},
		{"GET", "/api/v1/github/kv/1/iter/cas/key/x", "GET " + kv + "/iter/{key}"},
		{"POST", "/api/v1/github/kv/1/commit", "POST " + kv + "/commit"},
		{"POST", "/api/v1/github/kv/1/commit/", ""},
		{"GET", "/api/v1/github/kv//commit", ""},
		{"PATCH", "/api/v1/whoami", ""},
		{"GET", "/api/v1/whoami/", ""},
	} {
		op, ok := loadDocument(t).find(c.method, c.path)
		got := op.String()
		if !ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("find(%s %s) = %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

func TestResponsesAreChecked(t *testing.T) {
	const key = "/api/v1/github/kv/1/key/a"
	const record = `{"committed":true,"created_at":"2026-03-01T10:20:30Z","data":[1.5,null],"idx":0,"key":"a","size":9,"version":0}`
	const login = "/api/github/v1/callback"
	retry, html := http.Header{"Retry-After": {"1"}}, http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	for _, c := range []struct {
		name, method, path string
		status             int
		header             http.Header
		body               string
		ok                 bool
	}{
		{"right", "GET", key, 200, nil, record, true},
		{"data may be null", "GET", key, 200, nil, strings.Replace(record, "[1.5,null]", "null", 1), true},
		{"member missing", "GET", key, 200, nil, strings.Replace(record, `"idx":0,`, "", 1), false},
		{"unknown member", "GET", key, 200, nil, strings.Replace(record, "{", `{"x":1,`, 1), false},
		{"null capabilities", "GET", key, 200, nil, strings.Replace(record, "{", `{"read_caps":null,`, 1), false},
		{"fraction of a second", "GET", key, 200, nil, strings.Replace(record, "30Z", "30.5Z", 1), false},
		{"not JSON", "GET", key, 200, nil, "{", false},
		{"no body", "GET", key, 200, nil, "", false},
		{"empty 403", "GET", key, 403, nil, "", true},
		{"403 with a body", "GET", key, 403, nil, `{"id":"FORBIDDEN"}`, false},
		{"401", "GET", key, 401, nil, "", false},
		{"400 without a body", "PUT", key, 400, nil, "", false},
		{"400 of cas without a body", "PUT", "/api/v1/github/kv/1/cas/key/a", 400, nil, "", true},
		{"503", "GET", key, 503, retry, `{"id":"BUSY","data":"try again"}`, true},
		{"503 without Retry-After", "GET", key, 503, nil, `{"id":"BUSY"}`, false},
		{"another content type", "GET", key, 200, http.Header{"Content-Type": {"text/html"}}, record, false},
		{"page for a browser", "GET", login, 400, html, "<!doctype html>", true},
		{"page without a word", "GET", login, 400, html, "", false},
		{"JSON where a page may be", "GET", login, 400, nil, `{"id":"LOGIN_REFUSED"}`, true},
		{"page where none may be", "GET", key, 400, html, "<!doctype html>", false},
		{"unknown path", "GET", "/nothing", 404, nil, "", true},
		{"unknown path, other status", "GET", "/nothing", 403, nil, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := answer(c.status, c.header, c.body)
			err := loadDocument(t).check(c.method, c.path, resp, []byte(c.body))
			if (err == nil) != c.ok {
				t.Errorf("got %v, want accepted=%t", err, c.ok)
			}
		})
	}
}

func TestValidateLeavesTheBodyToRead(t *testing.T) {
	const body = `{"client_id":"x"}`
	resp := answer(http.StatusOK, nil, body)
	Validate(t, httptest.NewRequest(http.MethodGet, "/api/v1/github/client_id", nil), resp)
	got, err := io.ReadAll(resp.Body)
	if err != nil || string(got) != body {
		t.Errorf("body afterwards: %q, %v; want %q", got, err, body)
	}
}

func answer(status int, header http.Header, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for name, values := range header {
		h[name] = values
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}
