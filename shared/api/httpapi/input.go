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

// Input is what a request may say beside its path. A route declares it once:
// what is not declared is refused by name, and a decoder cannot read it. The zero
// Input takes neither parameters nor a body.
//
// Names are compared exactly. A name that was misspelt and passed over would
// leave its sender with the opposite of what was meant: a draft that is public.
type Input struct {
	// Query are the names of the query parameters that may be given once.
	Query []string
	// Lists are the names of the query parameters that may be given several times.
	Lists []string
	// Members are the members that the JSON object of the body may have, those of
	// objects inside it by their path: "keys", "keys.key". Arrays add nothing to a
	// path. What stands inside a member without such paths is not looked at.
	Members []string
	// OtherQuery, if not empty, says why query parameters of any other name are
	// passed over.
	OtherQuery string
	// AnyBody, if not empty, says why the body may be anything.
	AnyBody string
}

// received is the request as its route has received it, for its decoder.
type received struct {
	input Input
	query url.Values
	read  map[string]struct{} // names of query parameters that the decoder has asked for
}

// receivedKey is the context key of *received.
type receivedKey struct{}

// receivedBy answers what the route of r has received; nil if r came past none.
func receivedBy(r *http.Request) *received {
	in, _ := r.Context().Value(receivedKey{}).(*received)
	return in
}

// admit answers r with what its route takes, or an Invalid fault that names the
// first thing that it does not take. Members of a body are looked at where it is
// read: see DecodeBody.
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

// checkQuery names the first parameter, in the order of names, that is unknown
// or given too often.
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

// instead says what to send instead of an unknown name: the nearest known one,
// and which there are. Names are compared without the prefix that all known ones
// begin with: the longer it is, the nearer they would be to any name.
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

// unread answers the first parameter that was given and declared, and that the
// decoder did not ask for; empty if there is none. To take it and not to act on
// it would be the fault that the declaration is there to end.
func unread(r *http.Request) string {
	in := receivedBy(r)
	if in == nil {
		return ""
	}
	for _, name := range sortedNames(in.query) {
		_, read := in.read[name]
		if !read && (slices.Contains(in.input.Query, name) || slices.Contains(in.input.Lists, name)) {
			return name
		}
	}
	return ""
}
