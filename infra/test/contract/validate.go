package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validate fails the test unless the response to the request is as the API document says: the
// status is listed, the required headers are there, the body is empty if none is described, and
// else the body is JSON that satisfies the schema. The body of resp can be read again
// afterwards. For a path that the document does not have, the response must be a 404 without a
// body.
func Validate(t testing.TB, req *http.Request, resp *http.Response) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s %s: read body: %v", req.Method, req.URL.Path, err)
		return
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	d, err := theDocument()
	if err != nil {
		t.Error(err)
		return
	}
	if err := d.check(req.Method, req.URL.EscapedPath(), resp, body); err != nil {
		t.Errorf("%s %s: status %d: %v", req.Method, req.URL.Path, resp.StatusCode, err)
	}
}

// check does what Validate does, without a test.
func (d *document) check(method, path string, resp *http.Response, body []byte) error {
	op, ok := d.find(method, path)
	if !ok {
		if resp.StatusCode != http.StatusNotFound || len(body) > 0 {
			return fmt.Errorf("the document has no such operation; want 404 without a body, got a body of %d bytes", len(body))
		}
		return nil
	}
	answer, pointer, err := d.response(op, strconv.Itoa(resp.StatusCode))
	if err != nil {
		return err
	}
	if answer == nil {
		return fmt.Errorf("the document does not list this status for %s", op)
	}
	if err := d.checkHeaders(answer, pointer, resp.Header); err != nil {
		return err
	}
	return checkBody(answer, pointer, resp.Header.Get("Content-Type"), body)
}

func (d *document) checkHeaders(answer object, pointer string, got http.Header) error {
	headers, _ := answer["headers"].(object)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		header, _, err := d.resolve(headers[name], pointer+"/headers/"+name)
		if err != nil {
			return err
		}
		if required, _ := header["required"].(bool); required && got.Get(name) == "" {
			return fmt.Errorf("header %s is missing", name)
		}
	}
	return nil
}

// mayBeEmpty marks a response that comes with a body or without one.
const mayBeEmpty = "x-may-be-empty"

func checkBody(answer object, pointer, contentType string, body []byte) error {
	content, described := answer["content"].(object)
	if !described {
		if len(body) > 0 {
			return fmt.Errorf("the document describes no body, got %.200q", body)
		}
		return nil
	}
	if empty, _ := answer[mayBeEmpty].(bool); empty && len(body) == 0 {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	if _, ok := content[media]; !ok {
		return fmt.Errorf("the document does not list content type %q", media)
	}
	if (media == "text/html" || media == "text/plain") && len(body) > 0 {
		return nil // the body is for people: no schema describes it further
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w: %.200q", err, body)
	}
	return satisfies(value, pointer+"/content/"+escape(media)+"/schema")
}

// schemas compiles each schema of the document once and keeps it.
var schemas = struct {
	sync.Mutex
	compiler *jsonschema.Compiler
}{}

// documentURL is the name of the document for the compiler. Nothing is fetched from it.
const documentURL = "https://opsplane.invalid/openapi.json"

func compile(pointer string) (*jsonschema.Schema, error) {
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.compiler == nil {
		d, err := theDocument()
		if err != nil {
			return nil, err
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		text, err := json.Marshal(d.root)
		if err != nil {
			return nil, err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(documentURL, value); err != nil {
			return nil, err
		}
		schemas.compiler = c
	}
	return schemas.compiler.Compile(documentURL + pointer)
}

// satisfies returns an error if a value does not satisfy the schema at a pointer of the
// document.
func satisfies(value any, pointer string) error {
	schema, err := compile(pointer)
	if err != nil {
		return fmt.Errorf("schema %s: %w", pointer, err)
	}
	return schema.Validate(value)
}
