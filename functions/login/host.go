package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/oauth"
	"github.com/opsplane/opsplane/shared/user"
)

const (
	// maxPages bounds how many pages of a hundred installations a login reads.
	maxPages = 20
	pageSize = 100
	// maxAnswer bounds an answer of a host, in bytes.
	maxAnswer = 4 << 20
)

// rest is a host's API.
type rest struct {
	base, accept string
	http         *http.Client
}

// get reads the JSON answer at a path, with the person's token. Errors name the
// path and status alone.
func (r rest) get(ctx context.Context, token, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", r.accept)
	resp, err := r.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: status %d", path, resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	return nil
}

// number is an id that a host writes as a JSON number.
type number struct {
	ID int64 `json:"id"`
}

// pages reads pages until one is not full. read answers the ids of a page.
func pages(read func(page int) ([]number, error)) ([]string, error) {
	var ids []string
	for page := 1; page <= maxPages; page++ {
		found, err := read(page)
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			ids = append(ids, strconv.FormatInt(n.ID, 10))
		}
		if len(found) < pageSize {
			return ids, nil
		}
	}
	return nil, fmt.Errorf("there are more than %d installations", maxPages*pageSize)
}

func identity(id int64, login, avatar string) (user.Identity, error) {
	if id <= 0 || login == "" {
		return user.Identity{}, errors.New("the host's answer names no account")
	}
	return user.Identity{ID: strconv.FormatInt(id, 10), Login: login, AvatarURL: avatar}, nil
}

type github struct{ rest }

func newGitHub(api string) github {
	return github{rest{base: api, accept: "application/vnd.github+json", http: &http.Client{Timeout: oauth.Timeout}}}
}

func (g github) whoami(ctx context.Context, token string) (user.Identity, error) {
	var u struct {
		number
		Login  string `json:"login"`
		Avatar string `json:"avatar_url"`
	}
	if err := g.get(ctx, token, "/user", &u); err != nil {
		return user.Identity{}, err
	}
	return identity(u.ID, u.Login, u.Avatar)
}

func (g github) installations(ctx context.Context, token string) ([]string, error) {
	return pages(func(page int) ([]number, error) {
		var list struct {
			Installations []number `json:"installations"`
		}
		err := g.get(ctx, token, fmt.Sprintf("/user/installations?per_page=%d&page=%d", pageSize, page), &list)
		return list.Installations, err
	})
}

type gitlab struct{ rest }

func newGitLab(api string) gitlab {
	return gitlab{rest{base: api + "/v4", accept: "application/json", http: &http.Client{Timeout: oauth.Timeout}}}
}

func (g gitlab) whoami(ctx context.Context, token string) (user.Identity, error) {
	var u struct {
		number
		Username string `json:"username"`
		Avatar   string `json:"avatar_url"`
	}
	if err := g.get(ctx, token, "/user", &u); err != nil {
		return user.Identity{}, err
	}
	return identity(u.ID, u.Username, u.Avatar)
}

// installations lists the groups of which the person is a member: a minimum of
// access leaves out those that are merely public.
func (g gitlab) installations(ctx context.Context, token string) ([]string, error) {
	return pages(func(page int) ([]number, error) {
		var list []number
		err := g.get(ctx, token, fmt.Sprintf("/groups?min_access_level=10&per_page=%d&page=%d", pageSize, page), &list)
		return list, err
	})
}
