package gitlabhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// explain turns an error of the libraries into one of package vcshost. Of the
// host's response it keeps only what vcshost.ReadRefusal keeps.
func explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, gitlab.ErrNotFound) {
		return fmt.Errorf("gitlab: %s: %w", doing, vcshost.ErrGone)
	}
	if errors.Is(err, vcshost.ErrElsewhere) {
		return fmt.Errorf("gitlab: %s: %w", doing, vcshost.ErrElsewhere)
	}
	if page := (*vcshost.BrowserPage)(nil); errors.As(err, &page) {
		return fmt.Errorf("gitlab: %s: %w", doing, page)
	}
	var answer *gitlab.ErrorResponse
	if !errors.As(err, &answer) || answer.Response == nil {
		if ctx.Err() != nil {
			return fmt.Errorf("gitlab: %s: %w", doing, ctx.Err())
		}
		return fmt.Errorf("gitlab: %s: no usable answer", doing)
	}
	return vcshost.ReadRefusal("gitlab: "+doing, answer.Response, answer.Body)
}

func isGone(err error) bool { return errors.Is(err, vcshost.ErrGone) }

func sortByName(groups []Group) {
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(strings.Compare(a.FullName, b.FullName), cmp.Compare(a.ID, b.ID))
	})
}

// maxBody is the maximum that is read of a response, in bytes. A call that reads its
// response piece by piece may set another one with withMaxBody.
const maxBody = 16 << 20

type maxBodyKey struct{}

// withMaxBody sets the maximum that is read of the responses to a call, in bytes.
func withMaxBody(ctx context.Context, size int64) context.Context {
	return context.WithValue(ctx, maxBodyKey{}, size)
}

// bounded cuts responses that are too large for the memory of a function.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	size, ok := r.Context().Value(maxBodyKey{}).(int64)
	if !ok {
		size = maxBody
	}
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, size), answer.Body}
	}
	return answer, err
}
