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
	"github.com/opsplane/opsplane/shared/vcs"
)

// checkRefusals sends a route what it does not declare, from a caller who may use
// it, and fails the test unless each is refused by name, and what it does declare
// is not. A caller who may not use it must hear an empty 403 first.
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

// checkOrigin fails the test unless a route that changes something by a method
// that reads refuses a session that no page of this server is known to have used.
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

// stranger is a name that nothing has.
const stranger = "zzzzz"

// inside puts an object into an array of the member with a path.
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

// said is what a route says, and what it logs.
type said struct {
	status   int
	ID, Data string
	log      string
}

var pathVariable = regexp.MustCompile(`\{\w+(\.\.\.)?\}`)

// send sends a request of a caller who may use the route, or else of nobody.
func (w walker) send(query, body string, allowed bool) said {
	w.t.Helper()
	if allowed && !w.route.Rule.Public {
		return w.sendAs(callerOf(w.route.Rule), query, body)
	}
	return w.sendAs(nil, query, body)
}

// sendAs sends a request of a caller, or of nobody.
func (w walker) sendAs(caller *access.Caller, query, body string) said {
	w.t.Helper()
	var a said
	for _, system := range vcs.All() {
		method, path, _ := strings.Cut(w.route.Pattern, " ")
		path = strings.ReplaceAll(path, "{vcs}", string(system))
		path = strings.ReplaceAll(path, "{upload_id}", strings.Repeat("0", 32))
		path = strings.ReplaceAll(path, "{$}", "") // so http.ServeMux writes that nothing follows
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
			break // else the route is the other VCS's
		}
	}
	return a
}

// installation is one that the callers reach.
const installation = "5"

// callerOf is a caller who may use a route with the rule.
func callerOf(rule access.Rule) *access.Caller {
	c := &access.Caller{Kind: access.KindAccessToken, User: "u", Key: "k", Capabilities: slices.Clone(rule.Needs)}
	if len(rule.Kinds) > 0 {
		c.Kind = rule.Kinds[0]
	}
	for _, system := range vcs.All() {
		c.Memberships = append(c.Memberships, vcs.Installation{VCS: system, ID: installation})
	}
	return c
}

// refused expects a 400 with an id, whose text names something.
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

// known expects that a parameter is read: its value may be wrong, and the route's
// storage is missing, but it is neither unknown nor passed over.
func (w walker) known(name string) {
	w.t.Helper()
	a := w.send("?"+name+"=1", "", true)
	if a.ID == "UNKNOWN_PARAMETER" || strings.Contains(a.log, "not read by its decoder") || strings.Contains(a.log, "does not declare it") {
		w.t.Errorf("%s declares %s and does not read it: %d %s, log %s", w.route.Pattern, name, a.status, a.Data, a.log)
	}
}
