package githubhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcshost"
)

// explain turns an error of the libraries into one of ours, without what the
// host answered.
func explain(doing string, err error) error {
	var (
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		answer    *github.ErrorResponse
		token     *ghinstallation.HTTPError
	)
	doing = "github: " + doing
	switch {
	case err == nil:
		return nil
	case errors.As(err, &primary):
		return first(doing, primary.Response, vcshost.Limit(time.Until(primary.Rate.Reset.Time)))
	case errors.As(err, &secondary):
		limit := vcshost.Vague()
		if secondary.RetryAfter != nil {
			limit = vcshost.Limit(*secondary.RetryAfter)
		}
		return first(doing, secondary.Response, limit)
	case errors.As(err, &token) && token.Response != nil:
		return ofToken(token.Response)
	case errors.As(err, &answer) && answer.Response != nil:
		return vcshost.Explain(doing, answer.Response.StatusCode, answer.Response.Header)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, context.DeadlineExceeded)
	}
	return fmt.Errorf("%s: no usable answer", doing)
}

// first is the limit that an answer itself tells, or the one that the library
// has made of it, or remembers.
func first(doing string, answer *http.Response, otherwise *vcshost.Limited) error {
	var told *vcshost.Limited
	if answer != nil && errors.As(vcshost.Explain(doing, answer.StatusCode, answer.Header), &told) {
		return told
	}
	return otherwise
}

// ofToken explains why there is no token of the installation. The library leaves
// the answer as it is. What it does not know is the installation.
func ofToken(answer *http.Response) error {
	err := vcshost.Explain("github: fetch a token of the installation", answer.StatusCode, answer.Header)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return fmt.Errorf("github: fetch a token: %w", vcshost.ErrNoInstallation)
	case errors.Is(err, vcshost.ErrForbidden) && secondary(answer):
		return vcshost.Vague()
	}
	return err
}

// secondary reports whether a refusal is a limit by its words, which is all that
// GitHub promises of some ("Rate limits for the REST API", GitHub documentation).
// The body was read and closed, and may be read again.
func secondary(answer *http.Response) bool {
	body, _ := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte("secondary-rate-limits")) || bytes.Contains(body, []byte("secondary rate limit"))
}
