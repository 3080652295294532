// Package contract checks that the API document, the template and the functions agree, and that
// real responses are as the document says. Only tests use it: no function imports it. Its
// invariant: it checks the embedded document, which is the text that the server serves.
package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/opsplane/opsplane/docs"
)

// operation is one method and path of the document.
type operation struct {
	Method   string
	Path     string // as in the document: /a/{b}
	Security []map[string][]string
	node     object // the operation itself
	item     object // the path that it belongs to
	pointer  string // its place in the document, as a JSON pointer
}

// String returns the operation's method and path.
func (o operation) String() string { return o.Method + " " + o.Path }

type object = map[string]any

// document is the parsed API document.
type document struct {
	root       object
	operations []operation
}

// theDocument parses the embedded document, once.
var theDocument = sync.OnceValues(func() (*document, error) { return parse(docs.OpenAPI) })

// methods are the members of a path's object that are operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

func parse(text []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(text, &d.root); err != nil {
		return nil, fmt.Errorf("API document: %w", err)
	}
	paths, _ := d.root["paths"].(object)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(object)
		for _, method := range methods {
			node, ok := item[method].(object)
			if !ok {
				continue
			}
			op := operation{
				Method: strings.ToUpper(method), Path: path, node: node, item: item,
				pointer: "#/paths/" + escape(path) + "/" + method,
			}
			security, ok := node["security"]
			if !ok {
				security = d.root["security"]
			}
			if err := remarshal(security, &op.Security); err != nil {
				return nil, fmt.Errorf("%s: security: %w", op, err)
			}
			d.operations = append(d.operations, op)
		}
	}
	return d, nil
}

func remarshal(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}

// escape makes a member's name a part of a JSON pointer in a URL fragment (RFC 6901, sections 3
// and 6).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "%", "%25", " ", "%20").Replace(name)
}

// resolve follows a reference within the document, if node is a reference. It returns the
// object that it found and the pointer of that object.
func (d *document) resolve(node any, pointer string) (object, string, error) {
	o, ok := node.(object)
	if !ok {
		return nil, pointer, fmt.Errorf("%s is not an object", pointer)
	}
	ref, ok := o["$ref"].(string)
	if !ok {
		return o, pointer, nil
	}
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, pointer, fmt.Errorf("%s refers to %s, outside the document", pointer, ref)
	}
	var at any = d.root
	for _, name := range strings.Split(path, "/") {
		m, _ := at.(object)
		at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	if at == nil {
		return nil, pointer, fmt.Errorf("%s refers to %s, which does not exist", pointer, ref)
	}
	return d.resolve(at, ref)
}

// response returns the document's description of an operation's response with a status. It
// returns nil if there is none.
func (d *document) response(op operation, status string) (object, string, error) {
	responses, _ := op.node["responses"].(object)
	node, ok := responses[status]
	if !ok {
		return nil, "", nil
	}
	return d.resolve(node, op.pointer+"/responses/"+status)
}
