package contract

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/vcs"
)

// CheckRoutes fails the test unless a function's routes, the template and the API document
// agree. The function registers exactly the routes that the template sends to it, and the
// document describes each of them. All three agree on the credentials that a route needs and on
// the input that it accepts: the document lists the parameters and members that a route
// declares, and the route refuses all others. function is the function's logical id, such as
// KvFunction. The routes need no storage, because a refused request does not reach it.
func CheckRoutes(t testing.TB, function string, routes []httpapi.Route) {
	t.Helper()
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	f := loadTemplate(t).Function(function)
	if f == nil {
		t.Fatalf("the template has no function %s", function)
	}
	declared, registered := declaredRoutes(f.Routes), registeredRoutes(routes)
	for name := range declared {
		if _, ok := registered[name]; !ok {
			t.Errorf("%s: the template has %q, the function does not register it", function, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(registered)) {
		route := registered[name]
		authorizer, ok := declared[name]
		if !ok {
			t.Errorf("%s registers %q, the template does not have it", function, name)
			continue
		}
		if public := authorizer == ""; public != route.Rule.Public {
			t.Errorf("%s: public: the template says %t, the function's rule %t", name, public, route.Rule.Public)
		}
		for _, op := range d.operations {
			if op.String() == name {
				checkRule(t, op, route.Rule)
				checkInput(t, d, op, route.Input)
			}
		}
		checkRefusals(t, route)
	}
}

// loadTemplate reads the repository's template.
func loadTemplate(t testing.TB) *template.Template {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, err := template.Root(here)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := template.Load(root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// greedy matches a variable that takes the rest of the path, in the notations of the gateway
// and of http.ServeMux.
var greedy = regexp.MustCompile(`/\{(\w+)(\+|\.\.\.)\}$`)

// canonical returns the document's name of an operation for a pattern of it. bare gives the
// name if the pattern stands for the empty value of a greedy variable. A literal VCS becomes
// the variable {vcs}.
func canonical(pattern string, bare map[string]string) string {
	if full, ok := bare[pattern]; ok {
		pattern = full
	}
	pattern = greedy.ReplaceAllString(pattern, "/{$1}")
	pattern = strings.TrimSuffix(pattern, "{$}") // with {$}, http.ServeMux says that nothing follows
	for _, system := range vcs.All() {
		pattern = strings.Replace(pattern, "/api/v1/"+string(system)+"/", "/api/v1/{vcs}/", 1)
		// The template has the routes of runners once for each VCS.
		pattern = strings.Replace(pattern, "/api/"+string(system)+"/v1/work-manifests/", "/api/{vcs}/v1/work-manifests/", 1)
	}
	return pattern
}

// bareForms maps patterns for the empty value of a greedy variable, with and without the slash,
// to the pattern that has the variable.
func bareForms(patterns []string) map[string]string {
	bare := map[string]string{}
	for _, p := range patterns {
		if short := greedy.ReplaceAllString(p, ""); short != p {
			bare[short], bare[short+"/{$}"] = p, p
		}
	}
	return bare
}

// declaredRoutes maps the document's names of the template's routes to their authorizers.
func declaredRoutes(routes []template.Route) map[string]string {
	patterns := make([]string, len(routes))
	for i, r := range routes {
		patterns[i] = r.Method + " " + r.Path
	}
	bare, named := bareForms(patterns), map[string]string{}
	for i, r := range routes {
		named[canonical(patterns[i], bare)] = r.Authorizer
	}
	return named
}

// registeredRoutes maps the document's names of a function's routes to the routes.
func registeredRoutes(routes []httpapi.Route) map[string]httpapi.Route {
	patterns := make([]string, len(routes))
	for i, r := range routes {
		patterns[i] = r.Pattern
	}
	bare, named := bareForms(patterns), map[string]httpapi.Route{}
	for i, r := range routes {
		named[canonical(patterns[i], bare)] = r
	}
	return named
}
