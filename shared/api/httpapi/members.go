package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/jsonobject"
)

func isNull(text []byte) bool { return string(bytes.TrimSpace(text)) == "null" }

// checkNoBody refuses a body with content if the route reads none. Clients that
// cannot leave out the body may send {} or null.
func checkNoBody(r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if body = bytes.TrimSpace(body); len(body) == 0 || isNull(body) {
		return nil
	}
	if json.Valid(body) && jsonobject.IsObject(body) {
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
