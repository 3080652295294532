//go:build unix

package gateway

import (
	"cmp"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/infra/test/template"
)

// resource is one path of the API with its methods.
type resource struct {
	path     string // as the template writes it
	segments []string
	greedy   string // name of a last {name+}, or empty
	methods  map[string]method
}

type method struct {
	function   string // logical id
	authorizer string // name, or empty
	limit      *limit // nil: none
}

// table holds the resources. It finds the resource for a path.
type table []resource

func newTable(functions []template.Function) table {
	byPath := map[string]*resource{}
	for _, f := range functions {
		for _, route := range f.Routes {
			r := byPath[route.Path]
			if r == nil {
				r = newResource(route.Path)
				byPath[route.Path] = r
			}
			r.methods[route.Method] = method{function: f.LogicalID, authorizer: route.Authorizer}
		}
	}
	t := make(table, 0, len(byPath))
	for _, r := range byPath {
		t = append(t, *r)
	}
	slices.SortFunc(t, compare)
	return t
}

func newResource(path string) *resource {
	r := &resource{path: path, methods: map[string]method{}, segments: strings.Split(strings.Trim(path, "/"), "/")}
	last := len(r.segments) - 1
	if name, ok := strings.CutSuffix(r.segments[last], "+}"); ok {
		r.greedy = strings.TrimPrefix(name, "{")
		r.segments = r.segments[:last]
	}
	return r
}

// compare puts the more specific resource first. The first difference decides: a literal
// segment comes before a variable, and a variable before a greedy variable.
func compare(a, b resource) int {
	for i := range min(len(a.segments), len(b.segments)) {
		if c := cmp.Compare(rank(a.segments[i]), rank(b.segments[i])); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(b.segments), len(a.segments)); c != 0 {
		return c
	}
	if c := cmp.Compare(a.greedy, b.greedy); c != 0 {
		return c
	}
	return cmp.Compare(a.path, b.path)
}

func rank(segment string) int {
	if variable(segment) != "" {
		return 1
	}
	return 0
}

// variable returns the name in {name}, or "" for a literal.
func variable(segment string) string {
	if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
		return segment[1 : len(segment)-1]
	}
	return ""
}

// find returns the resource that a raw path belongs to, and the values of its variables as the
// client sent them. The path is neither decoded nor cleaned: "a%2Fb" is one segment, and "//"
// and ".." are ordinary segments.
func (t table) find(path string) (*resource, map[string]string) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range t {
		if values, ok := t[i].match(segments); ok {
			return &t[i], values
		}
	}
	return nil, nil
}

func (r *resource) match(path []string) (map[string]string, bool) {
	n := len(r.segments)
	if len(path) < n {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range r.segments {
		name := variable(segment)
		switch {
		case name == "" && segment != path[i], name != "" && path[i] == "":
			return nil, false
		case name != "":
			values[name] = path[i]
		}
	}
	rest := strings.Join(path[n:], "/")
	if r.greedy != "" {
		if rest == "" {
			return nil, false // a greedy variable needs at least one character
		}
		values[r.greedy] = rest
		return values, true
	}
	// The gateway ignores one slash at the end.
	return values, rest == "" && len(path)-n <= 1
}
