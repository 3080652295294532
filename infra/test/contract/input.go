package contract

import (
	"maps"
	"slices"
	"testing"

	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// checkInput fails the test unless the document lists exactly what a route declares: its query
// parameters, with those that may be repeated as arrays, and the members of its body. The
// body's schema must allow no other members. If a route accepts any input, the document lists
// what the route reads.
func checkInput(t testing.TB, d *document, op operation, input httpapi.Input) {
	t.Helper()
	once, lists := d.queryParameters(t, op)
	if want := slices.Sorted(slices.Values(input.Query)); !slices.Equal(once, want) {
		t.Errorf("%s takes the query parameters %v, the document lists %v", op, want, once)
	}
	if want := slices.Sorted(slices.Values(input.Lists)); !slices.Equal(lists, want) {
		t.Errorf("%s takes the repeated query parameters %v, the document lists %v as arrays", op, want, lists)
	}
	body, described := op.node["requestBody"].(object)
	if input.AnyBody != "" {
		return
	}
	if described != (len(input.Members) > 0) {
		t.Errorf("%s takes the members %v, the document describes a body: %t", op, input.Members, described)
	}
	if !described {
		return
	}
	content, _ := body["content"].(object)["application/json"].(object)
	if got, want := d.members(t, op, content["schema"], ""), slices.Sorted(slices.Values(input.Members)); !slices.Equal(got, want) {
		t.Errorf("%s takes the members %v, the document lists %v", op, want, got)
	}
}

// queryParameters returns the names of an operation's query parameters: those that may occur
// once, and those that are arrays.
func (d *document) queryParameters(t testing.TB, op operation) (once, lists []string) {
	t.Helper()
	for _, of := range []object{op.item, op.node} {
		list, _ := of["parameters"].([]any)
		for _, node := range list {
			p, pointer, err := d.resolve(node, op.pointer)
			if err != nil {
				t.Fatal(err)
			}
			if p["in"] != "query" {
				continue
			}
			schema, _, err := d.resolve(p["schema"], pointer)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := p["name"].(string)
			if schema["type"] == "array" {
				lists = append(lists, name)
			} else {
				once = append(once, name)
			}
		}
	}
	slices.Sort(once)
	slices.Sort(lists)
	return once, lists
}

// members returns the paths of the members that a schema describes, in the form in which a
// route declares them. Every object of the schema must refuse members of other names.
func (d *document) members(t testing.TB, op operation, node any, prefix string) []string {
	t.Helper()
	schema, _, err := d.resolve(node, op.pointer)
	if err != nil {
		t.Fatal(err)
	}
	if items, ok := schema["items"]; ok {
		return d.members(t, op, items, prefix)
	}
	properties, _ := schema["properties"].(object)
	if len(properties) > 0 && schema["additionalProperties"] != false {
		t.Errorf("%s: the document lets members of any name stand in %q: say additionalProperties false", op, prefix)
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		paths = append(paths, prefix+name)
		paths = append(paths, d.members(t, op, properties[name], prefix+name+".")...)
	}
	slices.Sort(paths)
	return paths
}
