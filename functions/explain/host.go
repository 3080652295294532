package main

import (
	"context"
	"errors"

	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/hostclient"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// host is a client whose errors say that they are the host's: an explanation also reads
// storage.
type host struct{ evaluator.Host }

// hostError is an error of a host.
type hostError struct{ error }

func (e hostError) Unwrap() error { return e.error }

// marked returns an opener of such clients.
func marked(open hostclient.Opener[evaluator.Host]) hostclient.Opener[evaluator.Host] {
	return func(ctx context.Context, of vcs.Installation) (evaluator.Host, error) {
		client, err := open(ctx, of)
		if err != nil {
			return nil, err
		}
		return host{client}, nil
	}
}

func mark[T any](said T, err error) (T, error) {
	if err != nil {
		err = hostError{err}
	}
	return said, err
}

// hostFault returns the fault for an error of a host, and other errors as they are.
func hostFault(v vcs.VCS, err error) error {
	var ofHost hostError
	if _, known := vcshost.Explain(v, err); known || errors.As(err, &ofHost) {
		return vcshost.Fault(v, err)
	}
	return err
}

// The methods implement evaluator.Reader.

func (h host) Repository(ctx context.Context, id vcs.ID) (vcshost.Repository, error) {
	return mark(h.Host.Repository(ctx, id))
}

func (h host) Branch(ctx context.Context, r vcs.Description, name string) (vcshost.Branch, error) {
	return mark(h.Host.Branch(ctx, r, name))
}

func (h host) PullRequest(ctx context.Context, r vcs.Description, number int64) (vcshost.PullRequest, error) {
	return mark(h.Host.PullRequest(ctx, r, number))
}

func (h host) File(ctx context.Context, r vcs.Description, path, commit string) ([]byte, error) {
	return mark(h.Host.File(ctx, r, path, commit))
}

func (h host) Tree(ctx context.Context, r vcs.Description, commit string) ([]vcshost.File, error) {
	return mark(h.Host.Tree(ctx, r, commit))
}

func (h host) Changes(ctx context.Context, r vcs.Description, base, head string) ([]vcshost.FileChange, error) {
	return mark(h.Host.Changes(ctx, r, base, head))
}

func (h host) Reviews(ctx context.Context, r vcs.Description, number int64) (vcshost.Reviews, error) {
	return mark(h.Host.Reviews(ctx, r, number))
}

func (h host) Checks(ctx context.Context, r vcs.Description, commit string) ([]vcshost.Check, error) {
	return mark(h.Host.Checks(ctx, r, commit))
}

func (h host) Role(ctx context.Context, r vcs.Description, account vcshost.Profile) (string, error) {
	return mark(h.Host.Role(ctx, r, account))
}

func (h host) InTeam(ctx context.Context, r vcs.Description, team string, account vcshost.Profile) (bool, error) {
	return mark(h.Host.InTeam(ctx, r, team, account))
}
