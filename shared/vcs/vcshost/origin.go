package vcshost

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrElsewhere says that the host redirects to an origin other than its own. No
// request and no token was sent there.
var ErrElsewhere = errors.New("the host sends this server on to another address than the one that is configured")

// Confined returns a transport that sends requests to a single origin only: that of
// an address such as "https://api.github.com/v3". The client adds the token to a
// request after it has followed a redirect. Without this transport, a host, or a
// server in its place, could make the client send the token to any address.
func Confined(address string, next http.RoundTripper) http.RoundTripper {
	u, err := url.Parse(address)
	if err != nil {
		u = &url.URL{} // no request has this origin
	}
	return confined{origin(u), next}
}

type confined struct {
	origin string
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c confined) RoundTrip(r *http.Request) (*http.Response, error) {
	if origin(r.URL) == c.origin {
		return c.next.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, ErrElsewhere
}

// origin returns scheme, host and port of an address, always in the same form.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
