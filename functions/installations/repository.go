package main

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/paging"
	"github.com/opsplane/opsplane/shared/api/timestamp"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// The forms of the lists' cursors. A client may write the last row's name or number
// as a cursor by hand. The cursors of this server hold more, to distinguish rows
// with the same name or number.
var (
	repositoryShape  = paging.Shape{Elements: 2, Plain: 1, Default: 20, Max: 100}
	pullRequestShape = paging.Shape{Elements: 2, Plain: 1, Default: 20, Max: 100}
)

// repositoryRow is a repository in the list.
type repositoryRow struct {
	ID             vcs.ID `json:"id"`
	InstallationID vcs.ID `json:"installation_id"`
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
	page   paging.Request
	number int64 // of pull requests; 0 selects all
}

func decodeRepositories(r *http.Request) (listQuery, error) {
	page, err := paging.Decode(r, repositoryShape)
	if err != nil {
		return listQuery{}, err
	}
	if !page.First() {
		name := page.Cursor[0]
		if name == "" || len(name) > repository.MaxName || !utf8.ValidString(name) || !page.Plain && !vcs.ID(page.Cursor[1]).Valid() {
			return listQuery{}, paging.ErrCursor
		}
	}
	return listQuery{page: page}, nil
}

// listRepositories returns an installation's repositories, sorted by name.
func (i *installations) listRepositories(ctx context.Context, call httpapi.Call, q listQuery) (repositoryPage, error) {
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
	rows, err := i.repositories.List(ctx, call.Installation, query)
	if err != nil {
		return repositoryPage{}, err
	}
	page := paging.PageOf(q.page, rows, func(r repository.Repository) []string { return []string{r.Name, string(r.ID)} })
	response := repositoryPage{Links: page.Links(), Repositories: make([]repositoryRow, len(page.Results))}
	for n, r := range page.Results {
		response.Repositories[n] = repositoryRow{
			ID: r.ID, InstallationID: call.Installation.ID, Name: r.Name, UpdatedAt: timestamp.Format(r.KnownSince),
			// GitLab is never asked whether the pipeline's file exists.
			Setup: r.Setup || call.VCS == vcs.GitLab,
		}
	}
	return response, nil
}

func placeOf(q paging.Request) string {
	return repository.Repository{Name: q.Cursor[0], ID: vcs.ID(q.Cursor[1])}.Cursor()
}
