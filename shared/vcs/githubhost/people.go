package githubhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/telemetry"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// People is the client of GitHub for the tokens of people. It may be used by
// several goroutines.
type People struct {
	api       string
	transport http.RoundTripper
	log       *slog.Logger
}

// NewPeople returns the client of the GitHub at an API address.
func NewPeople(api string) *People {
	return &People{api: strings.TrimRight(api, "/") + "/", transport: vcshost.Transport(api), log: telemetry.Logger()}
}

// as returns a client with a token. It is used for one call, because the library
// remembers limits, and these limits are those of one person.
func (p *People) as(token string) (*github.Client, error) {
	c, err := github.NewClient(github.WithTransport(p.transport), github.WithURLs(&p.api, &p.api), github.WithAuthToken(token))
	if err != nil {
		return nil, fmt.Errorf("github: address %s is not usable", p.api)
	}
	return c, nil
}

// Whoami returns the account that a token belongs to.
func (p *People) Whoami(ctx context.Context, token string) (vcshost.Profile, error) {
	c, err := p.as(token)
	if err != nil {
		return vcshost.Profile{}, err
	}
	var u struct {
		ID        int64  `json:"id"`
		Login     string `json:"login"`
		AvatarURL string `json:"avatar_url"`
	}
	const doing = "find the account of a token"
	if _, err := get(ctx, c, doing, "user", &u); err != nil {
		return vcshost.Profile{}, err
	}
	found := vcshost.Profile{ID: vcs.ID(strconv.FormatInt(u.ID, 10)), Login: u.Login, AvatarURL: u.AvatarURL}
	if err := found.Check(); err != nil {
		return vcshost.Profile{}, fmt.Errorf("github: %s: %w", doing, err)
	}
	return found, nil
}

// pageSize is the number of entries on GitHub's largest page.
const pageSize = 100

// MaxInstallations is the maximum number of installations that are listed for a
// person.
const MaxInstallations = 10_000

// reached is an installation that a person can see.
type reached struct {
	ID int64 `json:"id"`
}

func (i reached) complete() error {
	if i.ID <= 0 {
		return errors.New("it has no id")
	}
	return nil
}

// Installations returns the ids of our App's installations that a person can see.
// Entries that cannot be read are left out and logged: the person may not act on
// them. It returns vcshost.ErrEndless, wrapped, if the list leads back to an
// earlier page.
func (p *People) Installations(ctx context.Context, token string) ([]vcs.ID, error) {
	c, err := p.as(token)
	if err != nil {
		return nil, err
	}
	const doing = "list installations"
	var ids []vcs.ID
	for page := 1; page != 0; {
		var list struct {
			Installations []json.RawMessage `json:"installations"`
		}
		if page, err = pageOf(ctx, c, doing, "user/installations", page, pageSize, &list); err != nil {
			return nil, err
		}
		if list.Installations == nil {
			return nil, fmt.Errorf("github: %s: the answer has no list", doing)
		}
		found, odd := vcshost.Entries(list.Installations, reached.complete)
		for _, each := range odd {
			p.log.LogAttrs(ctx, slog.LevelWarn, "installation left out of a person's list", slog.String("vcs", string(vcs.GitHub)), slog.String("entry", each.String()))
		}
		for _, i := range found {
			ids = append(ids, vcs.ID(strconv.FormatInt(i.ID, 10)))
		}
		if len(ids) > MaxInstallations {
			return nil, fmt.Errorf("github: more than %d installations", MaxInstallations)
		}
		if page > MaxInstallations/pageSize+1 {
			return nil, fmt.Errorf("github: %s: %w: it has more than %d pages", doing, vcshost.ErrEndless, page-1)
		}
	}
	return ids, nil
}
