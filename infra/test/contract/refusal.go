package contract

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/credential/sealed"
	"github.com/opsplane/opsplane/shared/run/worktoken"
	"github.com/opsplane/opsplane/shared/vcs"
)

// checkRefusals sends a route input that it does not declare, from a caller who may use the
// route. It fails the test unless each such request is refused with the name of the wrong
// input, and unless declared input is accepted. A caller who may not use the route must get an
// empty 403, whatever the input is.
func checkRefusals(t testing.TB, route httpapi.Route) {
	t.Helper()
	w := walker{t: t, route: route}
	in := route.Input
	w.checkOrigin()
	if in.OtherQuery == "" {
		w.refused("?"+stranger+"=1", "", "UNKNOWN_PARAMETER", stranger)
	}
	for _, name := range in.Query {
		w.refused("?"+name+"=1&"+name+"=1", "", "INVALID_PARAMETER", name)
	}
	for _, name := range slices.Concat(in.Query, in.Lists) {
		w.known(name)
		if in.OtherQuery == "" {
			w.refused("?"+strings.ToUpper(name)+"=1", "", "UNKNOWN_PARAMETER", "did you mean "+name)
		}
	}
	if in.AnyBody != "" {
		return
	}
	w.refused("", `{"`+stranger+`":1}`, "UNKNOWN_MEMBER", stranger)
	for _, path := range in.Members {
		name, around := path, func(object string) string { return object }
		if at := strings.LastIndexByte(path, '.'); at >= 0 {
			name, around = path[at+1:], inside(path[:at])
			w.refused("", around(`{"`+stranger+`":1}`), "UNKNOWN_MEMBER", path[:at+1]+stranger)
		}
		w.refused("", around(`{"`+name+`":null,"`+name+`":null}`), "INVALID_BODY", `member "`+path+`" is there twice`)
		w.refused("", around(`{"`+strings.ToUpper(name)+`":null}`), "UNKNOWN_MEMBER", "did you mean "+path)
	}
}

// checkOrigin checks a route that changes something although its method is GET. It fails the
// test unless the route refuses a session if the request is not known to come from a page of
// this server.
func (w walker) checkOrigin() {
	w.t.Helper()
	rule := w.route.Rule
	if !rule.Changes {
		return
	}
	if method, _, _ := strings.Cut(w.route.Pattern, " "); method != http.MethodGet {
		w.t.Errorf("%s: the rule says Changes, which every %s does", w.route.Pattern, method)
	}
	c := callerOf(rule)
	c.Kind = access.KindSession
	if a := w.sendAs(c, "", ""); a.status != http.StatusForbidden || !strings.Contains(a.log, `"step":"credential"`) {
		w.t.Errorf("%s: a session from an unknown page gets %d, want 403 for its credential: %s", w.route.Pattern, a.status, a.log)
	}
	c.FromOwnPage = true
	if a := w.sendAs(c, "?"+stranger+"=1", ""); a.ID != "UNKNOWN_PARAMETER" {
		w.t.Errorf("%s: a session from our page gets %d %s, want what its input deserves", w.route.Pattern, a.status, a.ID)
	}
}

// stranger is a name that no parameter and no member has.
const stranger = "zzzzz"

// inside returns a function that puts an object into an array of the member at a path.
func inside(path string) func(string) string {
	return func(object string) string {
		for _, name := range slices.Backward(strings.Split(path, ".")) {
			object = `{"` + name + `":[` + object + `]}`
		}
		return object
	}
}

// walker sends requests to one route.
type walker struct {
	t     testing.TB
	route httpapi.Route
}

// said is what a route responds and logs.
type said struct {
	status   int
	ID, Data string
	log      string
}

var pathVariable = regexp.MustCompile(`\{\w+(\.\.\.)?\}`)

// send sends a request. If allowed, the caller may use the route. Otherwise the caller is
// anonymous.
func (w walker) send(query, body string, allowed bool) said {
	w.t.Helper()
	if allowed && !w.route.Rule.Public {
		return w.sendAs(callerOf(w.route.Rule), query, body)
	}
	return w.sendAs(nil, query, body)
}

// sendAs sends a request of a caller. A nil caller is anonymous.
func (w walker) sendAs(caller *access.Caller, query, body string) said {
	w.t.Helper()
	var a said
	for _, system := range vcs.All() {
		method, path, _ := strings.Cut(w.route.Pattern, " ")
		path = strings.ReplaceAll(path, "{vcs}", string(system))
		path = strings.ReplaceAll(path, "{upload_id}", strings.Repeat("0", 32))
		path = strings.ReplaceAll(path, "{work_manifest_id}", w.workManifest())
		path = strings.ReplaceAll(path, "{idx}", "0")
		path = strings.ReplaceAll(path, "{$}", "") // with {$}, http.ServeMux says that nothing follows
		path = pathVariable.ReplaceAllString(path, installation)
		var log bytes.Buffer
		l := httpapi.NewLambda([]httpapi.Route{w.route}, slog.New(slog.NewJSONHandler(&log, nil)), time.Now)
		resp, err := l.Handle(w.t.Context(), httpapitest.Event(w.t, method, path+query, caller, body))
		if err != nil {
			w.t.Fatal(err)
		}
		a = said{status: resp.StatusCode, log: log.String()}
		if resp.Body != "" {
			if err := json.Unmarshal([]byte(resp.Body), &a); err != nil {
				w.t.Errorf("%s%s: answers %s: %v", w.route.Pattern, query, resp.Body, err)
			}
		}
		if a.status != 404 {
			break // after a 404, the route may belong to the other VCS
		}
	}
	return a
}

// installation is an installation of which the callers are members.
const installation = "5"

// run is the run whose runner the callers of routes for runners are.
const run = "5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d"

// workTokens are those of a server of this package's own.
var workTokens = worktoken.New(sealed.Fixed([]byte("the secret of a server that is only in tests")))

// WorkTokens returns the work tokens that the paths of routes for runners have here.
func WorkTokens() worktoken.Tokens { return workTokens }

// workManifest returns how the path of the route names the run. Runners name it by its work
// token.
func (w walker) workManifest() string {
	w.t.Helper()
	if !slices.Contains(w.route.Rule.Kinds, access.KindRun) {
		return run
	}
	token, err := workTokens.Of(w.t.Context(), run)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// callerOf returns a caller who may use a route with the rule.
func callerOf(rule access.Rule) *access.Caller {
	c := &access.Caller{Kind: access.KindAccessToken, User: "u", Key: "k", Capabilities: slices.Concat(rule.Needs, rule.TokenNeeds, rule.TokenNeedsOne)}
	if len(rule.Kinds) > 0 {
		c.Kind = rule.Kinds[0]
	}
	if c.Kind == access.KindRun {
		c.Key, c.Active = run, true
	}
	for _, system := range vcs.All() {
		c.Memberships = append(c.Memberships, vcs.Installation{VCS: system, ID: installation})
	}
	return c
}

// refused expects a 400 with an id and a text that contains named. From an anonymous caller it
// expects a 403 without a body, unless the route is public.
func (w walker) refused(query, body, id, named string) {
	w.t.Helper()
	if a := w.send(query, body, true); a.status != 400 || a.ID != id || !strings.Contains(a.Data, named) {
		w.t.Errorf("%s%s with the body %s: got %d %s %q, want 400 %s that says %q", w.route.Pattern, query, body, a.status, a.ID, a.Data, id, named)
	}
	if w.route.Rule.Public {
		return
	}
	if a := w.send(query, body, false); a.status != 403 || a.ID != "" {
		w.t.Errorf("%s%s with the body %s, from nobody: got %d %s, want 403 without a body", w.route.Pattern, query, body, a.status, a.ID)
	}
}

// known expects that the route reads a parameter. The request may fail, because the value may
// be wrong and the route has no storage. But the parameter must be neither refused as unknown
// nor ignored.
func (w walker) known(name string) {
	w.t.Helper()
	a := w.send("?"+name+"=1", "", true)
	if a.ID == "UNKNOWN_PARAMETER" || strings.Contains(a.log, "not read by its decoder") || strings.Contains(a.log, "does not declare it") {
		w.t.Errorf("%s declares %s and does not read it: %d %s, log %s", w.route.Pattern, name, a.status, a.Data, a.log)
	}
}
