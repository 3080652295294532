//go:build unix

package costs

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Scenario prepares an operation, runs it while a meter of its own counts, and returns the
// meter.
type Scenario func(*testing.T) *Meter

// Check fails the test unless three things hold. The scenarios are exactly the operations of
// the sections of the document. Each uses what its row says. Together they use every route of
// the function. function is its logical id.
func Check(t *testing.T, function string, scenarios map[string]Scenario, sections ...string) {
	t.Helper()
	t.Parallel()
	d, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]Row{}
	for _, section := range sections {
		found, err := d.Operations(section)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(rows, found)
	}
	for name := range scenarios {
		if _, ok := rows[name]; !ok {
			t.Errorf("costs.md has no row %q in %s", name, strings.Join(sections, ", "))
		}
	}
	var mu sync.Mutex
	asked := map[string]struct{}{}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		scenario := scenarios[name]
		if scenario == nil {
			t.Errorf("nothing counts what %q uses", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := scenario(t)
			compare(t, m.use, rows[name].Use)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(asked, m.asked)
		})
	}
	// The scenarios run in parallel, and all have ended when this test ends.
	t.Cleanup(func() {
		for _, route := range d.Template.Function(function).Routes {
			if _, ok := asked[pattern(route)]; !ok {
				t.Errorf("costs.md says nothing of %s", pattern(route))
			}
		}
	})
}

func compare(t *testing.T, got, want Use) {
	t.Helper()
	for _, c := range []struct {
		what      string
		got, want map[string]int
	}{{"calls of DynamoDB", got.DynamoDB, want.DynamoDB}, {"requests to S3", got.S3, want.S3}, {"invocations", got.Lambda, want.Lambda}} {
		if list(c.got) != list(c.want) {
			t.Errorf("%s: counted %q, costs.md says %q", c.what, list(c.got), list(c.want))
		}
	}
	for _, c := range []struct {
		what      string
		got, want float64
	}{{"read units", got.Reads, want.Reads}, {"write units", got.Writes, want.Writes}} {
		if c.got != c.want {
			t.Errorf("%s: counted %v, costs.md says %v", c.what, c.got, c.want)
		}
	}
}

// Request counts the invocations of a request to the API. They depend on the template's route
// for the request.
func (m *Meter) Request(method, target string) {
	m.t.Helper()
	d, err := Read()
	if err != nil {
		m.t.Fatal(err)
	}
	path, _, _ := strings.Cut(target, "?")
	best, group := template.Route{}, ""
	for _, f := range d.Template.Functions {
		for _, r := range f.Routes {
			if r.Method == method && takes(r.Path, path) && (group == "" || literals(r.Path) > literals(best.Path)) {
				best, group = r, f.Group
			}
		}
	}
	if group == "" {
		m.t.Fatalf("the template has no route for %s %s", method, path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		return
	}
	m.use.Lambda[group]++
	if best.Authorizer != "" {
		m.use.Lambda["authorizer"]++
	}
	m.asked[pattern(best)] = struct{}{}
}

// pattern returns the name of a route. The gateway needs a second route for the empty key. It
// costs the same as the route with a key and gets the same name. So do the routes of runners at
// the two hosts.
func pattern(r template.Route) string {
	path := strings.TrimSuffix(r.Path, "/{key+}")
	return r.Method + " " + strings.Replace(path, "/api/gitlab/v1/work-manifests/", "/api/github/v1/work-manifests/", 1)
}

func takes(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, segment := range want {
		switch {
		case strings.HasSuffix(segment, "+}"):
			return i < len(got)
		case i >= len(got) || !strings.HasPrefix(segment, "{") && segment != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

func literals(pattern string) int {
	return strings.Count(pattern, "/") - strings.Count(pattern, "{")
}
