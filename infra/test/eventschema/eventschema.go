// Package eventschema compares events with the JSON Schemas in docs/events. It is stricter
// than the schemas: an event may have no member that its schema does not describe.
package eventschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/opsplane/opsplane/infra/test/template"
)

// Check fails the test unless the detail of an event is as the schema of its type and version
// says.
func Check(t testing.TB, detail []byte) {
	t.Helper()
	var head struct {
		Type    string
		Version int
	}
	if err := json.Unmarshal(detail, &head); err != nil {
		t.Errorf("%.200s: %v", detail, err)
		return
	}
	schema, err := named(fmt.Sprintf("%s.v%d.json", head.Type, head.Version))
	if err != nil {
		t.Error(err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(detail))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v", detail, err)
	}
}

// Examples returns the examples of a schema, which are details of events.
func Examples(t testing.TB, file string) []json.RawMessage {
	t.Helper()
	text, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return document.Examples
}

// Files returns the names of the schemas.
func Files(t testing.TB) []string {
	t.Helper()
	root, err := template.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(root, "docs/events/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	return paths
}

func read(file string) ([]byte, error) {
	root, err := template.Root(".")
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(root, "docs/events", file))
}

// compiled holds schemas by the names of their files.
var compiled sync.Map

func named(file string) (*jsonschema.Schema, error) {
	if known, ok := compiled.Load(file); ok {
		return known.(*jsonschema.Schema), nil
	}
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	strict(document)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(file, document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	schema, err := c.Compile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	compiled.Store(file, schema)
	return schema, nil
}

// strict makes every object of a schema refuse members that it does not describe.
func strict(v any) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	members, described := object["properties"].(map[string]any)
	if described {
		object["additionalProperties"] = false
	}
	for _, member := range members {
		strict(member)
	}
}
