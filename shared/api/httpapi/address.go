package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// publicKey is the context key of the API's configured address.
type publicKey struct{}

// Address answers where the caller reaches the API: scheme, host, and what
// stands before /api in the path, without a trailing slash. Every address that is
// handed out begins with it: those of Link and Location, of redirects, of login
// and of webhooks.
//
//   - The configured address (the template's PublicBaseUrl, see Lambda.At), if
//     there is one. No header changes it.
//   - Else X-Forwarded-Base, with which a proxy in front says it, if it is an
//     absolute http or https URL; its query and fragment are left out.
//   - Else the address that the request came to.
//
// Without a configured address a caller can set every header that it is made
// from. It must then stand in answers to this caller and in nothing else: it is
// not to be stored.
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

// prefix is what stands before the function's own path in the path that the
// caller sent: the stage on the gateway's own domain, which the gateway takes
// off, and the mapping's base path on a custom one, which Lambda.Handle does.
func prefix(r *http.Request) string {
	gateway, _ := core.GetAPIGatewayContextFromContext(r.Context())
	// At the root, a base path may come with a slash behind it or without.
	before, ok := strings.CutSuffix(strings.TrimRight(gateway.Path, "/"), strings.TrimRight(r.URL.EscapedPath(), "/"))
	if !ok || !strings.HasPrefix(before, "/") {
		return ""
	}
	return before
}

func absolute(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
