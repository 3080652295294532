package githubhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcshost"
)

// defaultPatience is for a limit that does not say when it ends ("Best practices
// for using the REST API", GitHub documentation: at least a minute).
const defaultPatience = time.Minute

// explain turns an error of the libraries into one of ours, without what the
// host answered.
func explain(doing string, err error) error {
	var (
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		answer    *github.ErrorResponse
		token     *ghinstallation.HTTPError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &primary):
		return vcshost.Limit(time.Until(primary.Rate.Reset.Time))
	case errors.As(err, &secondary) && secondary.RetryAfter != nil:
		return vcshost.Limit(*secondary.RetryAfter)
	case errors.As(err, &secondary):
		return vcshost.Limit(defaultPatience)
	case errors.As(err, &token) && token.Response != nil:
		return status("fetch a token of the installation", token.Response.StatusCode)
	case errors.As(err, &answer) && answer.Response != nil:
		return status(doing, answer.Response.StatusCode)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("github: %s: %w", doing, context.DeadlineExceeded)
	}
	return fmt.Errorf("github: %s: no usable answer", doing)
}

func status(doing string, code int) error {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%s: %w", doing, vcshost.ErrGone)
	case http.StatusUnauthorized:
		return fmt.Errorf("github: %s: %w", doing, vcshost.ErrRefused)
	case http.StatusTooManyRequests:
		return vcshost.Limit(defaultPatience)
	}
	return fmt.Errorf("github: %s: status %d", doing, code)
}
