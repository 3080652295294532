package main

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// Shapes of the lists. What clients write by hand is the last row's name, or
// its number; our own cursors tell rows apart that share it.
var (
	repositoryShape  = paging.Shape{Elements: 2, Plain: 1, Default: 20, Max: 100}
	pullRequestShape = paging.Shape{Elements: 2, Plain: 1, Default: 20, Max: 100}
)

// repositoryRow is a repository in the list.
type repositoryRow struct {
	ID             string `json:"id"`
	InstallationID string `json:"installation_id"`
	Name           string `json:"name"`
	Setup          bool   `json:"setup"`
	UpdatedAt      string `json:"updated_at"`
}

type repositoryPage struct {
	paging.Links
	Repositories []repositoryRow `json:"repositories"`
}

// listQuery is a page of an installation's list.
type listQuery struct {
	target vcs.Installation
	page   paging.Request
	number int64 // of pull requests; 0 for all
}

func targetOf(r *http.Request) vcs.Installation {
	return vcs.Installation{VCS: vcs.VCS(r.PathValue("vcs")), ID: vcs.ID(r.PathValue("installation_id"))}
}

func decodeRepositories(r *http.Request) (listQuery, error) {
	page, err := paging.Decode(r, repositoryShape)
	if err != nil {
		return listQuery{}, err
	}
	if !page.First() {
		name := page.Cursor[0]
		if name == "" || len(name) > repository.MaxName || !utf8.ValidString(name) || !page.Plain && !isID(page.Cursor[1]) {
			return listQuery{}, paging.ErrCursor
		}
	}
	return listQuery{target: targetOf(r), page: page}, nil
}

// isID reports whether a text is an id of a host: a number of at most 19
// digits.
func isID(text string) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != "" && len(text) <= 19
}

// listRepositories answers an installation's repositories by name.
func (i *installations) listRepositories(ctx context.Context, _ httpapi.Call, q listQuery) (repositoryPage, error) {
	query := repository.Query{Limit: q.page.Limit + 1}
	switch {
	case q.page.First():
	case q.page.Plain && q.page.Backward:
		query.BeforeName = q.page.Cursor[0]
	case q.page.Plain:
		query.AfterName = q.page.Cursor[0]
	case q.page.Backward:
		query.Before = placeOf(q.page)
	default:
		query.After = placeOf(q.page)
	}
	rows, err := i.repositories.List(ctx, string(q.target.VCS), string(q.target.ID), query)
	if err != nil {
		return repositoryPage{}, err
	}
	page := paging.Answer(q.page, rows, func(r repository.Repository) []string { return []string{r.Name, r.ID} })
	answer := repositoryPage{Links: page.Links(), Repositories: make([]repositoryRow, len(page.Results))}
	for n, r := range page.Results {
		answer.Repositories[n] = repositoryRow{
			ID: r.ID, InstallationID: string(q.target.ID), Name: r.Name, UpdatedAt: stamp(r.KnownSince),
			// Of GitLab nobody asks whether the pipeline's file is there.
			Setup: r.Setup || string(q.target.VCS) == "gitlab",
		}
	}
	return answer, nil
}

func placeOf(q paging.Request) string {
	return repository.Repository{Name: q.Cursor[0], ID: q.Cursor[1]}.Cursor()
}
