package gitlabhost

import (
	"context"
	"fmt"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// People is the client of GitLab for the tokens of people. It may be used by
// several goroutines.
type People struct{ host *Host }

// NewPeople returns the client of the GitLab at an API address, in the form that
// New accepts.
func NewPeople(api string) *People { return &People{New(api)} }

// Whoami returns the account that a token belongs to.
func (p *People) Whoami(ctx context.Context, token string) (vcshost.Profile, error) {
	c, err := p.host.As(token)
	if err != nil {
		return vcshost.Profile{}, err
	}
	return c.Whoami(ctx)
}

// Installations returns the ids of the groups that a person is a member of. It
// returns the errors of Client.Groups.
func (p *People) Installations(ctx context.Context, token string) ([]vcs.ID, error) {
	c, err := p.host.As(token)
	if err != nil {
		return nil, err
	}
	groups, err := c.Groups(ctx)
	ids := make([]vcs.ID, len(groups))
	for i, group := range groups {
		ids[i] = vcs.ID(fmt.Sprint(group.ID))
	}
	return ids, err
}
