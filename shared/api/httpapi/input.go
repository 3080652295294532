package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
)

// Input is what a request may contain besides its path. A route declares it once. A
// parameter or member that is not declared is refused by name, and a decoder cannot
// read it. The zero Input accepts neither parameters nor a body.
//
// Names are compared exactly. If the server ignored a misspelt name, it could do
// the opposite of what the sender meant: publish a draft.
type Input struct {
	// Query are the names of the query parameters that may be given once.
	Query []string
	// Lists are the names of the query parameters that may be given several times.
	Lists []string
	// Members are the members that the JSON object of the body may have. A member
	// of an inner object is named by its path: "keys", "keys.key". Arrays add
	// nothing to a path. If Members names no path below a member, the content of
	// that member is not checked.
	Members []string
	// OtherQuery, if not empty, says why query parameters of any other name are
	// ignored.
	OtherQuery string
	// AnyBody, if not empty, says why the body may hold anything.
	AnyBody string
}

// received is what the route has accepted of a request. The decoder reads from it.
type received struct {
	input Input
	query url.Values
	read  map[string]struct{} // names of query parameters that the decoder has asked for
	// bodies are the body and the objects inside it that the decoder has read, without
	// the elements of lists.
	bodies []*Body
	// skipped is the first member of a list's element that the decoder has not read, or
	// empty.
	skipped string
}

// receivedKey is the context key of *received.
type receivedKey struct{}

// receivedBy returns what the route of r has accepted. It returns nil if r passed
// no route.
func receivedBy(r *http.Request) *received {
	in, _ := r.Context().Value(receivedKey{}).(*received)
	return in
}

// admit returns r with what its route accepts. It returns an Invalid fault that
// names the first thing that the route does not accept. The members of a body are
// checked where the body is read: see NewBody.
func (i Input) admit(r *http.Request) (*http.Request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.Invalidf("INVALID_PARAMETER", "the query is not valid percent-encoding; write each parameter as name=value and join them with &")
	}
	if err := i.checkQuery(query); err != nil {
		return nil, err
	}
	if len(i.Members) == 0 && i.AnyBody == "" {
		if err := checkNoBody(r); err != nil {
			return nil, err
		}
	}
	in := &received{input: i, query: query, read: map[string]struct{}{}}
	return r.WithContext(context.WithValue(r.Context(), receivedKey{}, in)), nil
}

// checkQuery returns a fault for the first parameter, in the order of names, that
// is unknown or sent too often.
func (i Input) checkQuery(query url.Values) error {
	known := slices.Concat(i.Query, i.Lists)
	for _, name := range sortedNames(query) {
		switch {
		case slices.Contains(i.Query, name):
			if n := len(query[name]); n > 1 {
				return fault.Invalidf("INVALID_PARAMETER", "query parameter %s is there %d times: send it once", name, n)
			}
		case !slices.Contains(i.Lists, name) && i.OtherQuery == "":
			return fault.Invalidf("UNKNOWN_PARAMETER", "query parameter %.64q is unknown here; %s", name, instead("", name, known, "parameters"))
		}
	}
	return nil
}

func sortedNames(query url.Values) []string {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// instead says what to send in place of an unknown name: the nearest known name,
// and the list of known names. The names are compared without the prefix that all
// known names have. With it, a long prefix would make every name look similar.
func instead(prefix, name string, known []string, things string) string {
	if len(known) == 0 {
		return "this request takes no " + things + ": leave it out"
	}
	list := "known " + things + " are " + strings.Join(known, ", ")
	short := make([]string, len(known))
	for i, k := range known {
		short[i] = strings.TrimPrefix(k, prefix)
	}
	if near := nearest(name, short); near != "" {
		return fmt.Sprintf("did you mean %s? (%s)", prefix+near, list)
	}
	return list
}

// unread returns the first parameter or member that was sent and is declared, but
// that the decoder did not read. It returns an empty string if there is none. The
// declaration must prevent exactly this: a parameter that is accepted and has no
// effect.
func unread(r *http.Request) string {
	in := receivedBy(r)
	if in == nil {
		return ""
	}
	for _, name := range sortedNames(in.query) {
		_, read := in.read[name]
		if !read && (slices.Contains(in.input.Query, name) || slices.Contains(in.input.Lists, name)) {
			return "query parameter " + name
		}
	}
	for _, b := range in.bodies {
		if name := b.unread(); name != "" {
			return "member " + name
		}
	}
	if in.skipped != "" {
		return "member " + in.skipped
	}
	return ""
}
