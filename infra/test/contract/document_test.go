package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/opsplane/opsplane/docs"
	"github.com/opsplane/opsplane/infra/test/template"
)

func loadDocument(t *testing.T) *document {
	t.Helper()
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDocumentIsOpenAPI31(t *testing.T) {
	const name = "testdata/openapi-3.1-schema.json"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, meta); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.OpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

func TestDocumentAndTemplateHaveTheSameRoutes(t *testing.T) {
	d := loadDocument(t)
	described := map[string]bool{}
	for _, op := range d.operations {
		described[op.String()] = true
	}
	declared := map[string]string{}
	for _, f := range loadTemplate(t).Functions {
		routes := declaredRoutes(f.Routes)
		maps.Copy(declared, routes)
		for _, r := range f.Routes {
			if bare := greedy.ReplaceAllString(r.Path, ""); bare != r.Path && !slices.ContainsFunc(f.Routes, func(other template.Route) bool {
				return other.Method == r.Method && other.Path == bare
			}) {
				t.Errorf("%s %s: the template lacks %s, where the gateway sends the empty value", r.Method, r.Path, bare)
			}
		}
	}
	for _, op := range d.operations {
		authorizer, ok := declared[op.String()]
		if !ok {
			t.Errorf("the document describes %s, the template does not have it", op)
			continue
		}
		if public := len(op.Security) == 0; public != (authorizer == "") {
			t.Errorf("%s: the document says public=%t, the template has the authorizer %q", op, public, authorizer)
		}
	}
	for name := range declared {
		if !described[name] {
			t.Errorf("the template has %s, the document does not describe it", name)
		}
	}
}

func TestOperationsAreComplete(t *testing.T) {
	d := loadDocument(t)
	ids := map[string]operation{}
	for _, op := range d.operations {
		id, _ := op.node["operationId"].(string)
		if other, taken := ids[id]; taken || id == "" {
			t.Errorf("%s: operationId %q is empty or that of %s", op, id, other)
		}
		ids[id] = op
		// A request with anything that an operation does not list gets a 400.
		want := []string{"400", "429", "500", "504"}
		if !succeeds(op) {
			t.Errorf("%s: no answer of success is described", op)
		}
		if len(op.Security) > 0 {
			want = append(want, "403", "503")
		}
		if strings.Contains(op.Path, "{vcs}") {
			want = append(want, "404")
		}
		if strings.Contains(op.Path, "{key}") {
			want = append(want, "414")
		}
		if op.node["requestBody"] != nil {
			want = append(want, "413")
		}
		for _, status := range want {
			if answer, _, err := d.response(op, status); answer == nil || err != nil {
				t.Errorf("%s: status %s is not described (%v)", op, status, err)
			}
		}
		checkPathVariables(t, d, op)
	}
}

// succeeds reports whether the document describes a response that is no refusal.
func succeeds(op operation) bool {
	responses, _ := op.node["responses"].(object)
	for status := range responses {
		if status < "400" {
			return true
		}
	}
	return false
}

func checkPathVariables(t *testing.T, d *document, op operation) {
	t.Helper()
	var got []string
	for _, of := range []object{op.item, op.node} {
		list, _ := of["parameters"].([]any)
		for _, node := range list {
			p, _, err := d.resolve(node, op.pointer)
			if err != nil {
				t.Fatal(err)
			}
			if p["in"] == "path" {
				got = append(got, fmt.Sprintf("{%s}", p["name"]))
			}
		}
	}
	want := regexp.MustCompile(`\{\w+\}`).FindAllString(op.Path, -1)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: describes the variables %v, its path has %v", op, got, want)
	}
}

// TestEverythingIsDescribed walks the whole document. Everything that may have a description in
// OpenAPI must have one.
func TestEverythingIsDescribed(t *testing.T) {
	d := loadDocument(t)
	walk(d.root, "#", func(pointer string, node object) {
		if !describable.MatchString(pointer) || inExample.MatchString(pointer) {
			return
		}
		target, _, err := d.resolve(node, pointer)
		if err != nil {
			t.Error(err)
			return
		}
		text, _ := node["description"].(string)
		if text == "" {
			text, _ = target["description"].(string)
		}
		if text == "" {
			t.Errorf("%s has no description", pointer)
		}
	})
}

// describable matches the pointers of operations, parameters, bodies,
// responses, headers, schemas and their members, tags, servers and security
// schemes.
var describable = regexp.MustCompile(`^#/(` +
	`paths/[^/]+/(get|put|post|delete)(/requestBody|/parameters/\d+|/responses/\d+(/headers/[^/]+)?)?` +
	`|paths/[^/]+/parameters/\d+` +
	`|components/(parameters|responses|headers|schemas|securitySchemes)/[^/]+(/headers/[^/]+)?` +
	`|tags/\d+|servers/\d+(/variables/[^/]+)?|info)$` +
	`|/properties/[^/]+$|/(oneOf|anyOf|items)(/\d+)?$`)

var inExample = regexp.MustCompile(`/examples?(/|$)`)

func TestExamplesSatisfyTheirSchemas(t *testing.T) {
	d := loadDocument(t)
	checked := 0
	walk(d.root, "#", func(pointer string, node object) {
		if inExample.MatchString(pointer) {
			return
		}
		examples, isSchema := node["examples"].([]any)
		schema := pointer
		if example, ok := node["example"]; ok {
			examples, schema, isSchema = append(examples, example), pointer+"/schema", true
		}
		if !isSchema {
			return
		}
		for _, example := range examples {
			checked++
			if err := satisfies(numbers(t, example), schema); err != nil {
				t.Errorf("%s: example %v: %v", pointer, example, err)
			}
		}
	})
	if checked < len(d.operations) {
		t.Errorf("checked %d examples for %d operations", checked, len(d.operations))
	}
}

func TestEverySchemaCompiles(t *testing.T) {
	schemas, _ := loadDocument(t).root["components"].(object)["schemas"].(object)
	for name := range schemas {
		if _, err := compile("#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// walk calls visit for every object of the document with its pointer.
func walk(node any, pointer string, visit func(string, object)) {
	switch node := node.(type) {
	case object:
		visit(pointer, node)
		for _, name := range slices.Sorted(maps.Keys(node)) {
			walk(node[name], pointer+"/"+escape(name), visit)
		}
	case []any:
		for i, item := range node {
			walk(item, fmt.Sprintf("%s/%d", pointer, i), visit)
		}
	}
}

// numbers converts the numbers in a value to the type that the schemas compare with.
func numbers(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
