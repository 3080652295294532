package githubhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Page is a part of the repositories that an installation reaches.
type Page struct {
	Repositories []Repository
	// Odd are the entries of the part that cannot be read.
	Odd []vcshost.Odd
	// Next is the next page's number; 0 after the last.
	Next int
	// Total is how many repositories all pages have; 0 if GitHub does not say.
	Total int
}

// Repositories answers a page, from 1 on, of the repositories that an
// installation reaches. A page has at most size of them, 1 to 100.
// vcshost.ErrEndless, wrapped, where the list leads back.
func (a *App) Repositories(ctx context.Context, installation string, page, size int) (Page, error) {
	c, err := a.installation(ctx, installation)
	if err != nil {
		return Page{}, err
	}
	var list struct {
		Total        json.RawMessage   `json:"total_count"`
		Repositories []json.RawMessage `json:"repositories"`
	}
	next, err := pageOf(ctx, c, "list repositories", "installation/repositories", page, size, &list)
	if err != nil {
		return Page{}, err
	}
	if list.Repositories == nil {
		return Page{}, errors.New("github: list repositories: the answer has none")
	}
	found := Page{Next: next}
	_ = json.Unmarshal(list.Total, &found.Total) // who does not say it well says nothing
	entries, odd := vcshost.Entries(list.Repositories, repository.complete)
	found.Odd = odd
	for _, r := range entries {
		found.Repositories = append(found.Repositories, r.read())
	}
	return found, nil
}

// pageOf reads a page of a list into a value, and answers the next page's number.
func pageOf(ctx context.Context, c *github.Client, doing, path string, page, size int, into any) (next int, err error) {
	answer, err := get(ctx, c, doing, fmt.Sprintf("%s?page=%d&per_page=%d", path, page, size), into)
	if err != nil {
		return 0, err
	}
	if next, err = vcshost.NextPage(page, answer.Header); err != nil {
		return 0, fmt.Errorf("github: %s: %w", doing, err)
	}
	return next, nil
}

// get reads an answer into a value that has the members which we need, and no
// others: what is odd about the others is of no concern.
func get(ctx context.Context, c *github.Client, doing, path string, into any) (*github.Response, error) {
	request, err := c.NewRequest(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, fmt.Errorf("github: %s: the address is not usable", doing)
	}
	answer, err := c.Do(request, into)
	if err != nil {
		return nil, explain(doing, err)
	}
	return answer, nil
}

// repository is one as GitHub tells of it.
type repository struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner struct {
		Login string `json:"login"`
	} `json:"owner"`
	DefaultBranch string `json:"default_branch"`
	Archived      bool   `json:"archived"`
	Private       bool   `json:"private"`
	UpdatedAt     lax    `json:"updated_at"`
	PushedAt      lax    `json:"pushed_at"`
}

// complete answers what a repository lacks that cannot be done without.
func (r repository) complete() error {
	switch {
	case r.ID <= 0:
		return errors.New("it has no id")
	case r.Name == "":
		return errors.New("it has no name")
	case r.Owner.Login == "":
		return errors.New("it has no owner")
	}
	return nil
}

func (r repository) read() Repository {
	at := time.Time(r.UpdatedAt)
	if pushed := time.Time(r.PushedAt); pushed.After(at) {
		at = pushed
	}
	return Repository{
		ID: strconv.FormatInt(r.ID, 10), Owner: r.Owner.Login, Name: r.Name, DefaultBranch: r.DefaultBranch,
		Archived: r.Archived, Private: r.Private, UpdatedAt: at.UTC(),
	}
}

// lax is a time that is zero where it is not told well: nothing depends on it.
type lax time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (l *lax) UnmarshalJSON(text []byte) error {
	var at time.Time
	if json.Unmarshal(text, &at) == nil {
		*l = lax(at)
	}
	return nil
}
