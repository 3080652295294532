package main

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A browser sends a cookie with requests that pages of other sites make it send.
// So a session has to come with the browser's word that the request is ours:
//
//   - Sec-Fetch-Site, if there, must be same-origin. A request that reads may
//     also be one that no page made (none): an address typed in.
//   - Origin, if there, must be our own.
//   - A request that changes something must have one of the two, and what has
//     Sec-Fetch-Site must have it as same-origin. Every browser sends Origin with
//     such requests; pages cannot set either header.
//
// Some reads store what they find at a host. They count as changes.
//
// Sites that share our domain count as others, which SameSite=Lax, the first
// line of defence, does not see as such.

// reading are the methods that change nothing, storing the routes of which that
// does not hold.
var (
	reading = []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	storing = []string{
		"/api/v1/user/{vcs}/installations", "/api/v1/{vcs}/installations", "/api/v1/{vcs}/installations/{installation_id}/webhook",
	}
)

// fromOurPage answers a refusal unless the request may be acted upon with a
// cookie. public is the API's configured address; empty is the one that the
// request came to.
func fromOurPage(event request, public string) error {
	sites, origins := values(event, "Sec-Fetch-Site"), values(event, "Origin")
	reads := slices.Contains(reading, event.HTTPMethod) && !slices.Contains(storing, event.Resource)
	if !reads && len(sites)+len(origins) == 0 {
		return refusal("a session's request that says nothing of where it comes from")
	}
	for _, site := range sites {
		if site != "same-origin" && (!reads || site != "none") {
			return refusal("a session's request from another site")
		}
	}
	for _, origin := range origins {
		if origin != ownOrigin(event, public) {
			return refusal("a session's request from another origin")
		}
	}
	return nil
}

// defaultPorts are those that an origin does not name.
var defaultPorts = map[string]string{"https": "443", "http": "80"}

// ownOrigin is the origin of the API's own pages. What it is made from is set
// by the gateway, and Host by the browser, never by a page.
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
