package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/api/httpapi"
)

// The routes read and write take the key and all parameters from the body. They are
// for keys and selections that do not fit into a path or a query. API Gateway
// refuses:
//
//   - a request whose method has an ARN of over 1,600 bytes, including the path as it was
//     sent ("Quotas for configuring and running a REST API", API Gateway developer guide).
//     At most 160 bytes come before the key if the installation id has 40 digits. So a key
//     fits if it has at most 1,440 bytes, percent-encoded.
//   - headers and a query of over 10,240 bytes together (same source).
//
// The body is an object with one member, named after the operation. The member is
// an object with the key and the parameters that the operation otherwise has in
// query or body. The response is that of the operation, with two differences. An
// iteration returns a cursor instead of a link. The URL of a file comes with 303,
// because a client would send a POST to the URL of a 302.

// bodyOperation is an operation that a body names.
type bodyOperation struct {
	// rule is the rule that the caller must meet. It includes the rule of the
	// route.
	rule access.Rule
	// members are the names of the parameters, without the key.
	members []string
	// decode reads the operation.
	decode bodyDecoder
}

// bodyDecoder reads an operation on a key, with the parameters in b. URLs in the
// response begin with the address of the API.
type bodyDecoder func(key string, b *httpapi.Body, address string) (runner, error)

// runner runs an operation that was read.
type runner func(context.Context, httpapi.Call) (httpapi.Response, error)

// readable returns the operations of the route read, writable those of the route
// write.
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
		}, func(key string, b *httpapi.Body, address string) (runner, error) {
			c, err := readCreating(key, b, address)
			return running(c, a.create), err
		}},
	}
}

// withParameters returns the decoder of an operation whose parameters may also
// come from a query.
func withParameters[Q, A any](read func(string, parameters) (Q, error), do func(context.Context, httpapi.Call, Q) (A, error)) bodyDecoder {
	return withBody(func(key string, b *httpapi.Body) (Q, error) { return read(key, b) }, do)
}

// withBody returns the decoder of an operation whose parameters always come from a
// body.
func withBody[Q, A any](read func(string, *httpapi.Body) (Q, error), do func(context.Context, httpapi.Call, Q) (A, error)) bodyDecoder {
	return func(key string, b *httpapi.Body, _ string) (runner, error) {
		q, err := read(key, b)
		return running(q, do), err
	}
}

// running returns the runner of an operation with its input.
func running[Q, A any](q Q, do func(context.Context, httpapi.Call, Q) (A, error)) runner {
	return func(ctx context.Context, call httpapi.Call) (httpapi.Response, error) {
		result, err := do(ctx, call, q)
		return httpapi.ResponseOf(result), err
	}
}

// bodyInput returns the input of a route whose body names one of these operations.
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

// inBody returns the endpoint of a route whose body names one of these operations.
// It checks the caller's rights before it reads anything of the operation.
func inBody(operations map[string]bodyOperation) httpapi.Endpoint {
	must := "the body must be an object with one member, named after the operation: " +
		strings.Join(slices.Sorted(maps.Keys(operations)), ", ")
	return func(ctx context.Context, call httpapi.Call, r *http.Request) (httpapi.Response, error) {
		whole := httpapi.NewBody(r)
		if err := whole.Err(); err != nil {
			return nil, err
		}
		names := whole.Names()
		if len(names) != 1 {
			return nil, fault.Invalidf("INVALID_BODY", "%s; this one has %d members", must, len(names))
		}
		operation := operations[names[0]] // the route accepts no other member
		if err := access.Authorize(call.Caller, operation.rule, call.Installation, call.Now); err != nil {
			return nil, err
		}
		b := whole.Object(names[0], `must be an object with the member "key"`)
		b.Require("key", "may be any text of valid characters, also the empty one")
		key := b.String("key")
		if err := b.Err(); err != nil {
			return nil, err
		}
		run, err := operation.decode(key, b, httpapi.Address(asSent(r)))
		if err != nil {
			return nil, err
		}
		if err := httpapi.CheckRead(r); err != nil {
			return nil, err
		}
		return run(ctx, call)
	}
}
