package githubhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Repositories returns a page of the repositories of the installation. page counts
// from 1. size is the maximum number of repositories on a page, 1 to 100. It
// returns vcshost.ErrEndless, wrapped, if the list leads back to an earlier page.
func (i *Installation) Repositories(ctx context.Context, page, size int) (vcshost.RepositoryPage, error) {
	var list struct {
		Total        json.RawMessage   `json:"total_count"`
		Repositories []json.RawMessage `json:"repositories"`
	}
	next, err := pageOf(ctx, i.client, "list repositories", "installation/repositories", page, size, &list)
	if err != nil {
		return vcshost.RepositoryPage{}, err
	}
	if list.Repositories == nil {
		return vcshost.RepositoryPage{}, errors.New("github: list repositories: the answer has no list")
	}
	found := vcshost.RepositoryPage{Next: next}
	_ = json.Unmarshal(list.Total, &found.Total) // a total that cannot be read counts as 0
	entries, odd := vcshost.Entries(list.Repositories, repository.complete)
	found.Odd = odd
	for _, r := range entries {
		found.Repositories = append(found.Repositories, r.read())
	}
	return found, nil
}

// pageOf decodes a page of a list into a value. It returns the number of the next
// page, or 0 after the last one.
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

// get decodes a response into a value that has only the members that we need. So an
// unusual value of another member does no harm.
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

// repository is what GitHub states about a repository.
type repository struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner struct {
		Login string `json:"login"`
	} `json:"owner"`
	DefaultBranch string `json:"default_branch"`
	Archived      bool   `json:"archived"`
	Private       bool   `json:"private"`
	// Visibility is public, private or internal. Old Enterprise Servers do not state it.
	// Internal repositories are private too ("Get a repository", GitHub documentation).
	Visibility string `json:"visibility"`
}

// internal is the visibility of a repository that everybody of an enterprise can see.
const internal = "internal"

// complete returns an error if the repository lacks a member that is needed.
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

func (r repository) read() vcshost.Repository {
	return vcshost.Repository{Namespace: r.Owner.Login, MembersOnly: r.Private && r.Visibility != internal, Description: vcs.Description{
		ID: vcs.ID(strconv.FormatInt(r.ID, 10)), Owner: r.Owner.Login, Name: r.Name, DefaultBranch: r.DefaultBranch,
		Archived: &r.Archived, Private: &r.Private,
	}}
}
