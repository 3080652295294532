package vcshost

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// defaultPatience is the wait for a limit if the host does not say when the limit
// ends. It is the shortest wait that GitHub asks for ("Best practices for using the
// REST API", GitHub documentation).
const defaultPatience = time.Minute

// LimitOfUnknownLength returns the Limited for a host that does not say when its
// limit ends.
func LimitOfUnknownLength() *Limited { return Limit(defaultPatience) }

// ReadRefusal returns the error of a response that is not a success. The error
// depends on the response's status, header and body: Limited if the host asks to
// wait, ErrGone, ErrRefused, a Refusal, a Rejection, or an error with the status. The error
// begins with doing, which says what the request was for. Of the host's text, the
// error holds only the message of a refusal or rejection, in the form of
// Refusal.Words.
func ReadRefusal(doing string, answer *http.Response, body []byte) error {
	status := answer.StatusCode
	if wait, ok := patience(status, answer.Header, time.Now()); ok {
		return Limit(wait)
	}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%s: %w", doing, ErrGone)
	case http.StatusUnauthorized:
		if words := said(answer, body); words != "" {
			return fmt.Errorf("%s: %w; it says %q", doing, ErrRefused, words)
		}
		return fmt.Errorf("%s: %w", doing, ErrRefused)
	case http.StatusForbidden:
		if asksForPatience(body) {
			return LimitOfUnknownLength()
		}
		return fmt.Errorf("%s: %w", doing, refusal(answer, body))
	}
	if rejected := rejection(answer, body); rejected != nil {
		return fmt.Errorf("%s: %w", doing, rejected)
	}
	return fmt.Errorf("%s: status %d", doing, status)
}

// patience returns how long a host asks to wait, and false if it does not ask. A
// refusal (403) or a failure (503) counts as a limit only if a header says so.
// GitHub sends the headers of limits with every response, so they count only if no
// requests remain.
func patience(status int, header http.Header, now time.Time) (time.Duration, bool) {
	switch status {
	case http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		return 0, false
	}
	if text := header.Get("Retry-After"); text != "" {
		if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second, true
		}
		if at, err := http.ParseTime(text); err == nil {
			return at.Sub(now), true
		}
		return defaultPatience, true
	}
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} { // of GitHub; of GitLab
		if header.Get(prefix+"Remaining") != "0" {
			continue
		}
		if at, err := strconv.ParseInt(header.Get(prefix+"Reset"), 10, 64); err == nil {
			return time.Unix(at, 0).Sub(now), true
		}
		return defaultPatience, true
	}
	return defaultPatience, status == http.StatusTooManyRequests
}
