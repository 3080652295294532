package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// Address answers where the caller reached the API: scheme, host, and what
// stands before /api in the path, without a trailing slash. A proxy in front
// says it in X-Forwarded-Base. It is for links in answers to this caller, who
// can set every header it is made from, and for nothing else.
func Address(r *http.Request) string {
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
