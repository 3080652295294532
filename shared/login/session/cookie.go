package session

import (
	"net/http"
	"time"
)

// cookie returns a cookie that the browser sends with every request to the API. No
// script can read it. With Secure, the browser does not send it over plain HTTP.
// Browsers other than Safari treat http://localhost as secure, so they work with a
// local stack. Without Max-Age the cookie ends when the browser is closed, if the
// session does not end before.
func cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

// Remember returns the cookie that holds a session's text.
func Remember(text string) *http.Cookie { return cookie(Cookie, text) }

// Forget returns the cookie that removes the session's cookie from the browser.
func Forget() *http.Cookie {
	c := cookie(Cookie, "")
	c.MaxAge = -1
	return c
}

// Private returns a cookie of the same kind for another use. lifetime is in whole
// seconds. A negative lifetime removes the cookie from the browser.
func Private(name, value string, lifetime time.Duration) *http.Cookie {
	c := cookie(name, value)
	if c.MaxAge = int(lifetime / time.Second); lifetime < 0 {
		c.MaxAge = -1
	}
	return c
}
