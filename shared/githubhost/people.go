package githubhost

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcshost"
)

// People asks GitHub with the tokens of people. It may be used by several
// goroutines.
type People struct {
	api       string
	transport http.RoundTripper
}

// NewPeople returns the GitHub at an API address.
func NewPeople(api string) *People {
	return &People{api: strings.TrimRight(api, "/") + "/", transport: vcshost.Transport()}
}

// as returns a client with a token. It is used once: what the library remembers
// of limits is one person's alone.
func (p *People) as(token string) (*github.Client, error) {
	c, err := github.NewClient(github.WithTransport(p.transport), github.WithURLs(&p.api, &p.api), github.WithAuthToken(token))
	if err != nil {
		return nil, fmt.Errorf("github: address %s is not usable", p.api)
	}
	return c, nil
}

// Account is a person or an organisation.
type Account struct {
	// ID is GitHub's id of it, decimal digits.
	ID string
	// Login may change.
	Login, AvatarURL string
}

// Whoami answers whose token it is.
func (p *People) Whoami(ctx context.Context, token string) (Account, error) {
	c, err := p.as(token)
	if err != nil {
		return Account{}, err
	}
	u, _, err := c.Users.Get(ctx, "")
	if err != nil {
		return Account{}, explain("ask whose token it is", err)
	}
	return Account{ID: strconv.FormatInt(u.GetID(), 10), Login: u.GetLogin(), AvatarURL: u.GetAvatarURL()}, nil
}

// pageSize is GitHub's largest page.
const pageSize = 100

// MaxInstallations bounds how many installations of a person are listed.
const MaxInstallations = 10_000

// Installations lists the ids of our App's installations that a person can see.
func (p *People) Installations(ctx context.Context, token string) ([]string, error) {
	c, err := p.as(token)
	if err != nil {
		return nil, err
	}
	var ids []string
	for opt := (&github.ListOptions{PerPage: pageSize, Page: 1}); opt.Page != 0; {
		list, answer, err := c.Apps.ListUserInstallations(ctx, opt)
		if err != nil {
			return nil, explain("list installations", err)
		}
		for _, i := range list {
			ids = append(ids, strconv.FormatInt(i.GetID(), 10))
		}
		if len(ids) > MaxInstallations {
			return nil, fmt.Errorf("github: more than %d installations", MaxInstallations)
		}
		opt.Page = answer.NextPage
	}
	return ids, nil
}
