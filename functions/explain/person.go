package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/evaluation/evaluator"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// person is a caller with an account at the host.
type person struct {
	account vcshost.Profile
	host    *memory
}

// maxAsked is after how many questions to the host a page ends. It is checked before each
// pull request, so that every page has looked at one.
const maxAsked = 20

// choose returns the pull requests that the person can help on. on is the last one that was
// looked at if the rest has to wait for the next page, and nil otherwise.
func (p *person) choose(ctx context.Context, list []evaluator.Waiting) (chosen []evaluator.Waiting, on *place, err error) {
	for i, w := range list {
		if p.host.asked >= maxAsked {
			return chosen, placeOf(list[i-1].PullRequest), nil
		}
		is, err := p.helps(ctx, w)
		if errors.Is(err, vcshost.ErrGone) {
			continue // the repository is gone, or has another name now
		}
		if err != nil {
			return nil, nil, err
		}
		if is {
			chosen = append(chosen, w)
		}
	}
	return chosen, nil, nil
}

// helps reports whether the person can give what a pull request waits for: an approval that
// is missing, which its author cannot give, or an apply, for which they have to be able to
// write in the repository.
func (p *person) helps(ctx context.Context, w evaluator.Waiting) (bool, error) {
	of := vcs.Description{ID: w.PullRequest.Repository.ID, Owner: w.Owner, Name: w.Name}
	if w.For == evaluator.ForApply {
		role, err := p.host.Role(ctx, of, p.account)
		return slices.Contains([]string{"admin", "maintain", "write"}, role), err
	}
	if strings.EqualFold(w.Author, p.account.Login) {
		return false, nil
	}
	for _, a := range w.Approvals {
		if is, err := source.Means(ctx, p.host, of, p.account, a.Of); err != nil || is {
			return is, err
		}
	}
	return false, nil
}

// memory asks a host each question about one account once.
type memory struct {
	evaluator.Host
	said  map[string]string
	asked int
}

// Role implements source.Opinions.
func (m *memory) Role(ctx context.Context, r vcs.Description, account vcshost.Profile) (string, error) {
	return m.ask("role "+string(r.ID), func() (string, error) { return m.Host.Role(ctx, r, account) })
}

// InTeam implements source.Opinions. Teams are those of the owner.
func (m *memory) InTeam(ctx context.Context, r vcs.Description, team string, account vcshost.Profile) (bool, error) {
	said, err := m.ask("team "+r.Owner+"/"+team, func() (string, error) {
		is, err := m.Host.InTeam(ctx, r, team, account)
		return strconv.FormatBool(is), err
	})
	return said == "true", err
}

func (m *memory) ask(question string, host func() (string, error)) (string, error) {
	if said, known := m.said[question]; known {
		return said, nil
	}
	m.asked++
	said, err := host()
	if err == nil {
		m.said[question] = said
	}
	return said, err
}
