package main

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A browser sends the session's cookie even if a page of another site makes the
// request. So the browser must also state that the request is ours:
//
//  - Sec-Fetch-Site, if present, must be same-origin. For a request that reads
//    it may also be none: no page made the request, a person typed the address.
//  - Origin, if present, must be our own.
//  - A request that changes something needs one of the two headers, and
//    Sec-Fetch-Site, if present, must be same-origin. Every browser sends Origin
//    with such requests, and pages can set neither header.
//
// Here only the method decides. Some routes change something although their method
// only reads. Their rule says so (access.Rule.Changes), and the function behind
// refuses a session without access.Caller.FromOwnPage.
//
// Other sites of our own domain are treated as foreign. SameSite=Lax, which is the
// first protection, does not stop them.

// readMethods are the methods that normally change nothing.
var readMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// checkOrigin reports whether the browser states that a page of ours made the
// request. It returns a refusal if the session's cookie must not be used for the
// request. public is the API's configured address; if it is empty, the address is
// the one that the request came to.
func checkOrigin(event request, public string) (fromOwnPage bool, err error) {
	sites, origins := values(event, "Sec-Fetch-Site"), values(event, "Origin")
	fromOwnPage = len(sites)+len(origins) > 0
	for _, site := range sites {
		if site != "same-origin" && site != "none" {
			return false, refusal("a session's request from another site")
		}
		fromOwnPage = fromOwnPage && site == "same-origin"
	}
	for _, origin := range origins {
		if origin != ownOrigin(event, public) {
			return false, refusal("a session's request from another origin")
		}
	}
	if !fromOwnPage && !slices.Contains(readMethods, event.HTTPMethod) {
		return false, refusal("a session's request that no page of ours is known to have made")
	}
	return fromOwnPage, nil
}

// defaultPorts are the ports that an origin does not name.
var defaultPorts = map[string]string{"https": "443", "http": "80"}

// ownOrigin returns the origin of the API's own pages. The gateway sets the values
// that it is made from, and the browser sets Host. A page sets none of them.
func ownOrigin(event request, public string) string {
	if u, err := url.Parse(public); public != "" && err == nil {
		return strings.ToLower(u.Scheme + "://" + strings.TrimSuffix(u.Host, ":"+defaultPorts[u.Scheme]))
	}
	last := func(header string) string {
		v := values(event, header)
		if len(v) == 0 {
			return ""
		}
		return v[len(v)-1]
	}
	scheme := cmp.Or(strings.ToLower(last("X-Forwarded-Proto")), "https")
	host, port := strings.ToLower(last("Host")), last("X-Forwarded-Port")
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	if port != "" && port != defaultPorts[scheme] {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return scheme + "://" + host
}
