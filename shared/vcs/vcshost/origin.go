package vcshost

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrElsewhere says that the host sends us to another address than its own: it
// was not asked there, and no token went there.
var ErrElsewhere = errors.New("the host sends this server on to another address than the one that is configured")

// Confined is a transport to one origin alone, that of an address such as
// "https://api.github.com/v3". Tokens are put into requests below the client that
// follows redirects, which would carry them wherever a host, or what stands in
// its place, points.
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

// origin is scheme, host and port, in one form.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
