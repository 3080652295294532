package vcshost

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// defaultPatience is for a limit that does not say when it ends ("Best practices
// for using the REST API", GitHub documentation: at least a minute).
const defaultPatience = time.Minute

// Vague is a limit that does not say when it ends.
func Vague() *Limited { return Limit(defaultPatience) }

// Explain makes an error of an answer that is no success, and of its body:
// Limited where the host asks for patience, ErrGone, ErrRefused, a Refusal, or
// one with the status. What was done is for the log. Of the host's own words the
// error has those of a refusal alone, as Refusal has them.
func Explain(doing string, answer *http.Response, body []byte) error {
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
			return Vague()
		}
		return fmt.Errorf("%s: %w", doing, refusal(answer, body))
	}
	return fmt.Errorf("%s: status %d", doing, status)
}

// patience reads for how long a host asks not to be asked. A refusal (403) or a
// failure (503) asks for it by its header alone: GitHub has limits in the header
// of every answer, so that they count where nothing remains of them.
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
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} { // GitHub; GitLab
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
