package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/jsonobject"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// jsonTypes are the media types that are read as JSON. Each may have parameters,
// such as a charset.
var jsonTypes = []string{
	"application/json", "application/x-javascript", "text/javascript", "text/x-javascript", "text/x-json",
}

// DecodeBody reads the JSON body of r into v. The body must be valid UTF-8 and hold
// one JSON value with nothing behind it. Its members must be those that the
// request's route declares, each once and with its exact name. For any other body
// DecodeBody returns an Invalid fault that names the member.
func DecodeBody(r *http.Request, v any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(jsonTypes, media) {
		return fault.Invalidf("INVALID_CONTENT_TYPE", "send the body with the header Content-Type: application/json")
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return fault.Invalidf("INVALID_BODY", "the body is empty; send a JSON object")
	}
	if !utf8.Valid(body) {
		return fault.Invalidf("INVALID_BODY", "the body is not valid UTF-8")
	}
	err = json.Unmarshal(body, v)
	var syntax *json.SyntaxError
	if in := receivedBy(r); in != nil && !errors.As(err, &syntax) {
		// Report an unknown member first: how it would decode into v does not
		// matter.
		if err := checkMembers(body, in.input.Members, ""); err != nil {
			return err
		}
	}
	return describe(err, body)
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fault.Invalidf("INVALID_BODY", "the body could not be read")
	}
	return body, nil
}

// checkNoBody refuses a body with content if the route reads none. Clients that
// cannot leave out the body may send {} or null.
func checkNoBody(r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if body = bytes.TrimSpace(body); len(body) == 0 || string(body) == "null" {
		return nil
	}
	if json.Valid(body) && body[0] == '{' {
		return checkMembers(body, nil, "")
	}
	return fault.Invalidf("INVALID_BODY", "this request takes no body: send none")
}

// checkMembers returns a fault for the first member of an object, in the order of
// the text, that is unknown or there twice. The known members are the paths that
// begin with prefix. If a known path goes on below a member, checkMembers also
// checks the object or the array elements in it. The text is valid JSON.
func checkMembers(text []byte, known []string, prefix string) error {
	var seen []string
	for name, value := range jsonobject.Members(text) {
		path := prefix + name
		if strings.Contains(name, ".") || !slices.Contains(known, path) {
			return fault.Invalidf("UNKNOWN_MEMBER", "member %.64q is unknown here; %s", path, instead(prefix, name, siblings(known, prefix), "members"))
		}
		if slices.Contains(seen, name) {
			return fault.Invalidf("INVALID_BODY", "member %q is there twice: send it once", path)
		}
		seen = append(seen, name)
		inside := path + "."
		if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, inside) }) {
			continue
		}
		if err := checkMembers(value, known, inside); err != nil {
			return err
		}
		for element := range jsonobject.Elements(value) {
			if err := checkMembers(element, known, inside); err != nil {
				return err
			}
		}
	}
	return nil
}

// siblings returns the known paths of one object.
func siblings(known []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(known), func(k string) bool {
		rest, ok := strings.CutPrefix(k, prefix)
		return !ok || strings.Contains(rest, ".")
	})
}

// maxNesting is the deepest nesting of arrays and objects that encoding/json reads.
const maxNesting = 10000

// describe turns a JSON error into a fault that names no Go types.
func describe(err error, body []byte) error {
	var (
		f      *fault.Error
		syntax *json.SyntaxError
		typ    *json.UnmarshalTypeError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.As(err, &syntax) && jsonobject.Depth(body[:min(int(syntax.Offset), len(body))]) > maxNesting:
		return fault.Invalidf("JSON_TOO_DEEP", "arrays and objects may be nested %d deep in a value; this one is more than %d deep at byte %d",
			canonical.MaxDepth, maxNesting, syntax.Offset)
	case errors.As(err, &syntax):
		return fault.Invalidf("INVALID_BODY", "the body is not JSON: error at byte %d", syntax.Offset)
	case errors.As(err, &typ) && typ.Field == "":
		return fault.Invalidf("INVALID_BODY", "the body must be a JSON object; send one in braces")
	case errors.As(err, &typ):
		return fault.Invalidf("INVALID_BODY", "member %q cannot be this %s", typ.Field, typ.Value)
	}
	return fault.Invalidf("INVALID_BODY", "the body does not have the expected form")
}
