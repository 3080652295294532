package githubhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Workflow is the path of the workflow file. A repository is set up if it has this
// file.
const Workflow = ".github/workflows/terrateam.yml"

// Repository returns a repository by its id. It may be a public repository of
// another account. OwnRepository returns only repositories of the installation.
// Repository returns vcshost.ErrGone if the installation can see no such
// repository.
func (i *Installation) Repository(ctx context.Context, id vcs.ID) (vcshost.Repository, error) {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return vcshost.Repository{}, vcshost.ErrGone
	}
	const doing = "read repository"
	var r repository
	if _, err := get(ctx, i.client, doing, fmt.Sprint("repositories/", n), &r); err != nil {
		return vcshost.Repository{}, err
	}
	if err := r.complete(); err != nil {
		return vcshost.Repository{}, fmt.Errorf("github: %s: %w", doing, err)
	}
	return r.read(), nil
}

// OwnRepository returns a repository of the installation by its id. It returns
// vcshost.ErrGone if the installation has no such repository.
func (i *Installation) OwnRepository(ctx context.Context, id vcs.ID) (vcshost.Repository, error) {
	r, err := i.Repository(ctx, id)
	if err != nil || *r.Private {
		return r, err // the installation cannot see private repositories of others
	}
	c, err := i.app.own(ctx)
	if err != nil {
		return vcshost.Repository{}, err
	}
	// The request is signed as the App: GitHub says which installation has the repository.
	const doing = "find the installation of a repository"
	found, _, err := c.Apps.GetRepositoryInstallation(ctx, r.Owner, r.Name)
	switch err = explain(doing, err); {
	case err != nil:
		return vcshost.Repository{}, err
	case found.GetID() <= 0:
		return vcshost.Repository{}, fmt.Errorf("github: %s: the installation has no id", doing)
	case strconv.FormatInt(found.GetID(), 10) != string(i.id):
		return vcshost.Repository{}, fmt.Errorf("github: %s: it is of another installation: %w", doing, vcshost.ErrGone)
	}
	return r, nil
}

// HasWorkflow reports whether the repository has the Workflow file on its default
// branch. It never returns nil without an error.
func (i *Installation) HasWorkflow(ctx context.Context, r vcs.Description) (*bool, error) {
	_, _, _, err := i.client.Repositories.GetContents(ctx, r.Owner, r.Name, Workflow, nil)
	err = explain("look for the workflow file", err)
	if err != nil && !errors.Is(err, vcshost.ErrGone) {
		return nil, err
	}
	has := err == nil
	return &has, nil
}

// MayDecide reports whether an account is an active owner of the organisation that
// has the repository. GitHub finds members by their login, and a login may belong
// to another account by now. So the account's id decides. MayDecide returns false
// if a personal account has the repository: such an account is not an organisation.
func (i *Installation) MayDecide(ctx context.Context, r vcshost.Repository, account vcshost.Profile) (bool, error) {
	const doing = "read membership"
	m, _, err := i.client.Organizations.GetOrgMembership(ctx, account.Login, r.Namespace)
	switch err = explain(doing, err); {
	case errors.Is(err, vcshost.ErrGone):
		return false, nil
	case err != nil:
		return false, err
	case m.GetUser().GetID() <= 0 || m.GetState() == "" || m.GetRole() == "":
		return false, fmt.Errorf("github: %s: the answer does not have the member's id, state and role", doing)
	}
	return strconv.FormatInt(m.GetUser().GetID(), 10) == string(account.ID) && m.GetState() == "active" && m.GetRole() == "admin", nil
}
