package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// publicKey is the context key of the API's configured address.
type publicKey struct{}

// Address returns where the caller reaches the API: scheme, host, and the part of
// the path before /api, without a trailing slash. Every address that the server
// hands out begins with it: in Link and Location, in redirects, at the login and
// for webhooks. The address is the first of these:
//
//   - The configured address (the template's PublicBaseUrl, see Lambda.At), if
//     there is one. No header changes it.
//   - X-Forwarded-Base, in which a proxy in front states the address, if it is an
//     absolute http or https URL. Its query and fragment are left out.
//   - The address that the request came to.
//
// Without a configured address, a caller can set every header that the address is
// made from. Such an address may stand only in responses to this caller. It must
// not be stored.
func Address(r *http.Request) string {
	if public, _ := r.Context().Value(publicKey{}).(string); public != "" {
		return public
	}
	if f, err := url.Parse(r.Header.Get("X-Forwarded-Base")); err == nil && absolute(f) {
		root := url.URL{Scheme: f.Scheme, Host: f.Host, Path: f.Path, RawPath: f.RawPath}
		return strings.TrimRight(root.String(), "/")
	}
	root := url.URL{Scheme: "http", Host: r.Host}
	if strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		root.Scheme = "https"
	}
	return root.String() + prefix(r)
}

// prefix returns what stands before the function's own path in the path that the
// caller sent. On the gateway's own domain it is the stage, which the gateway cuts
// off. On a custom domain it is the base path of the mapping, which Lambda.Handle
// cuts off.
func prefix(r *http.Request) string {
	gateway, _ := core.GetAPIGatewayContextFromContext(r.Context())
	// A request for the root of the API may have a slash behind the base path, or
	// none.
	before, ok := strings.CutSuffix(strings.TrimRight(gateway.Path, "/"), strings.TrimRight(r.URL.EscapedPath(), "/"))
	if !ok || !strings.HasPrefix(before, "/") {
		return ""
	}
	return before
}

func absolute(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
