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

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explain turns an error of the libraries into one of package vcshost. Of the
// host's response it keeps only what vcshost.ReadRefusal keeps.
func explain(doing string, err error) error {
	var (
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		answer    *github.ErrorResponse
		token     *ghinstallation.HTTPError
		page      *vcshost.BrowserPage
	)
	doing = "github: " + doing
	switch {
	case err == nil:
		return nil
	case errors.As(err, &primary):
		return first(doing, primary.Response, vcshost.Limit(time.Until(primary.Rate.Reset.Time)))
	case errors.As(err, &secondary):
		limit := vcshost.LimitOfUnknownLength()
		if secondary.RetryAfter != nil {
			limit = vcshost.Limit(*secondary.RetryAfter)
		}
		return first(doing, secondary.Response, limit)
	case errors.As(err, &page):
		return fmt.Errorf("%s: %w", doing, page)
	case errors.As(err, &token) && token.Response != nil:
		return ofToken(token.Response)
	case errors.As(err, &token): // the request itself was not sent
		return fmt.Errorf("github: fetch a token of the installation: no usable answer: %w", vcshost.ErrUnreachable)
	case errors.As(err, &answer) && answer.Response != nil:
		return vcshost.ReadRefusal(doing, answer.Response, bodyOf(answer.Response))
	case errors.Is(err, vcshost.ErrElsewhere):
		return fmt.Errorf("%s: %w", doing, vcshost.ErrElsewhere)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, context.DeadlineExceeded)
	}
	if vcshost.Unsent(err) {
		return fmt.Errorf("%s: no connection: %w", doing, vcshost.ErrUnreachable)
	}
	return fmt.Errorf("%s: no usable answer", doing)
}

// first returns the limit that the response itself states. If the response states
// none, it returns the limit that the library has read or remembers.
func first(doing string, answer *http.Response, otherwise *vcshost.Limited) error {
	var told *vcshost.Limited
	if answer != nil && errors.As(vcshost.ReadRefusal(doing, answer, nil), &told) {
		return told
	}
	return otherwise
}

// ofToken explains why GitHub gave no token of the installation. The library does
// not change the response. A nil response means that there is no such installation.
func ofToken(answer *http.Response) error {
	err := vcshost.ReadRefusal("github: fetch a token of the installation", answer, bodyOf(answer))
	if errors.Is(err, vcshost.ErrGone) {
		return fmt.Errorf("github: fetch a token: %w", vcshost.ErrNoInstallation)
	}
	if answer.StatusCode >= http.StatusInternalServerError && !vcshost.NothingDone(err) {
		return fmt.Errorf("%w: %w", vcshost.ErrUnreachable, err)
	}
	return err
}

// bodyOf returns the body of a refusal. The transport has read and closed the body,
// and it can be read again.
func bodyOf(answer *http.Response) []byte {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return body
}
