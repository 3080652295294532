package session

import (
	"net/http"
	"time"
)

// A session's cookie goes with every request to the API and is seen by no
// script. Secure keeps it off plain HTTP; browsers other than Safari take
// http://localhost for secure, and so work with a local stack. Without Max-Age it ends
// with the browser, if not before with the session.
func cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

// Remember is the cookie that holds a session's text.
func Remember(text string) *http.Cookie { return cookie(Cookie, text) }

// Forget takes the session's cookie out of the browser.
func Forget() *http.Cookie {
	c := cookie(Cookie, "")
	c.MaxAge = -1
	return c
}

// Private is a cookie of the same kind for another use, for a time, whole
// seconds; a negative one takes it out of the browser.
func Private(name, value string, lifetime time.Duration) *http.Cookie {
	c := cookie(name, value)
	if c.MaxAge = int(lifetime / time.Second); lifetime < 0 {
		c.MaxAge = -1
	}
	return c
}
