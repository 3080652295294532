package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv/canonical"
)

// The routes read and write take the key and all parameters from the body, for
// keys and selections that fit no path and no query. API Gateway refuses:
//
//   - a request whose method has an ARN of over 1,600 bytes, the path as it was
//     sent included ("Quotas for configuring and running a REST API", API Gateway
//     developer guide). At most 160 bytes stand before the key, with an
//     installation id of 40 digits; so a key fits of at most 1,440 bytes,
//     percent-encoded.
//   - headers and query of over 10,240 bytes together (likewise).
//
// The body is an object with one member, named after the operation: an object
// with the key and the parameters that the operation has elsewhere in query or
// body. The answer is that of the operation. But an iteration returns a cursor
// in place of a link, and a file's address comes with 303: a client would post
// to that of a 302.

// bodyOperation is an operation that a body names.
type bodyOperation struct {
	// rule is what the caller needs, at least that of the route.
	rule access.Rule
	// members are the parameters, without the key.
	members []string
	// do runs it.
	do bodyEndpoint
}

// bodyEndpoint does an operation on the key that was read, with the parameters
// in b. Links are for addresses in its answer.
type bodyEndpoint func(ctx context.Context, call httpapi.Call, row named, b *body, l links) (any, error)

// readable are the operations of the route read, writable those of write.
func readable(k keys, a artifacts) map[string]bodyOperation {
	return map[string]bodyOperation{
		"get":   {reading, []string{"idx", "committed", "select"}, withParameters(readGetting, k.get)},
		"count": {reading, []string{"committed"}, withParameters(readCounting, k.count)},
		"size":  {reading, []string{"idx", "committed"}, withParameters(readSizing, k.size)},
		"iter": {reading, []string{
			"idx", "inclusive", "prefix", "committed", "include_data", "limit", "select", "cursor",
		}, withParameters(readIterating, k.iterate)},
		"open_artifact": {reading, []string{"idx", "committed"}, withParameters(readOpening, a.fetch)},
	}
}

func writable(k keys, a artifacts) map[string]bodyOperation {
	values := []string{"data", "idx", "committed", "read_caps", "write_caps"}
	return map[string]bodyOperation{
		"set":    {writing, values, withBody(readSet, k.set)},
		"cas":    {both, append([]string{"version"}, values...), withBody(readCompareAndSet, k.compareAndSet)},
		"delete": {both, []string{"idx", "version"}, withParameters(readDeleting, k.delete)},
		"create_artifact": {writing, []string{
			"size", "sha256", "content_type", "file_name", "idx", "committed", "read_caps", "write_caps", "if_absent", "version",
		}, func(ctx context.Context, call httpapi.Call, row named, b *body, l links) (any, error) {
			c, err := readCreating(row, b, l)
			if err != nil {
				return nil, err
			}
			return a.create(ctx, call, c)
		}},
	}
}

// withParameters makes the endpoint of an operation whose parameters may stand
// in a query too.
func withParameters[Q, A any](read func(named, parameters) (Q, error), do func(context.Context, httpapi.Call, Q) (A, error)) bodyEndpoint {
	return withBody(func(row named, b *body) (Q, error) { return read(row, b) }, do)
}

// withBody makes that of an operation whose parameters always stand in a body.
func withBody[Q, A any](read func(named, *body) (Q, error), do func(context.Context, httpapi.Call, Q) (A, error)) bodyEndpoint {
	return func(ctx context.Context, call httpapi.Call, row named, b *body, _ links) (any, error) {
		q, err := read(row, b)
		if err != nil {
			return nil, err
		}
		return do(ctx, call, q)
	}
}

// bodyInput is what a route takes whose body names one of these operations.
func bodyInput(operations map[string]bodyOperation) httpapi.Input {
	var members []string
	for name, operation := range operations {
		members = append(members, name, name+".key")
		for _, member := range operation.members {
			members = append(members, name+"."+member)
		}
	}
	slices.Sort(members)
	return httpapi.Input{Members: members}
}

// inBody is the endpoint of a route whose body names one of these operations.
// What the caller may do is decided before anything of the operation is read.
func inBody(operations map[string]bodyOperation) httpapi.Endpoint {
	must := "the body must be an object with one member, named after the operation: " +
		strings.Join(slices.Sorted(maps.Keys(operations)), ", ")
	return func(ctx context.Context, call httpapi.Call, r *http.Request) (any, error) {
		ns, err := namespace(r)
		if err != nil {
			return nil, err
		}
		whole := decodeBody(r)
		if whole.err != nil {
			return nil, whole.err
		}
		if len(whole.members) != 1 {
			return nil, fault.Invalidf("INVALID_BODY", "%s; this one has %d members", must, len(whole.members))
		}
		name := slices.Collect(maps.Keys(whole.members))[0]
		operation := operations[name] // the route takes no other member
		if err := access.Authorize(call.Caller, operation.rule, call.Installation, call.Now); err != nil {
			return nil, err
		}
		b, key, err := operation.read(name, whole.members[name])
		if err != nil {
			return nil, err
		}
		return operation.do(ctx, call, named{ns, key}, b, linksOf(r, ns))
	}
}

// read reads the key.
func (bodyOperation) read(name string, text json.RawMessage) (b *body, key string, err error) {
	b = &body{path: name + "."}
	if err := json.Unmarshal(text, &b.members); err != nil || b.members == nil {
		return nil, "", fault.Invalidf("INVALID_BODY", `member %q must be an object with the member "key"`, name)
	}
	b.require("key", "may be any text of valid characters, also the empty one")
	if b.err != nil {
		return nil, "", b.err
	}
	if key, err = canonical.DecodeString(b.members["key"]); err != nil {
		b.fail("key", "must be a string of valid characters")
		return nil, "", b.err
	}
	return b, key, nil
}
