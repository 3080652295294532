package githubhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/go-github/v88/github"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Repository asks for one repository by its id; vcshost.ErrGone if the
// installation can see none. It can see every public one: Has says whether it is
// the installation's.
func (a *App) Repository(ctx context.Context, installation, id string) (Repository, error) {
	c, err := a.installation(ctx, installation)
	if err != nil {
		return Repository{}, err
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return Repository{}, vcshost.ErrGone
	}
	const doing = "read repository"
	var r repository
	if _, err := get(ctx, c, doing, fmt.Sprint("repositories/", n), &r); err != nil {
		return Repository{}, err
	}
	if err := r.complete(); err != nil {
		return Repository{}, fmt.Errorf("github: %s: %w", doing, err)
	}
	return r.read(), nil
}

// Has reports whether the installation has a repository that it can see. A public
// one may be anybody's: GitHub is asked in the App's own name which installation
// reaches it.
func (a *App) Has(ctx context.Context, installation string, r Repository) (bool, error) {
	if r.Private {
		return true, nil
	}
	c, err := a.own(ctx)
	if err != nil {
		return false, err
	}
	const doing = "ask whose a repository is"
	i, _, err := c.Apps.GetRepositoryInstallation(ctx, r.Owner, r.Name)
	switch err = explain(doing, err); {
	case errors.Is(err, vcshost.ErrGone):
		return false, nil
	case err != nil:
		return false, err
	case i.GetID() <= 0:
		return false, fmt.Errorf("github: %s: the installation has no id", doing)
	}
	return strconv.FormatInt(i.GetID(), 10) == installation, nil
}

// own answers the client of the App itself.
func (a *App) own(ctx context.Context) (*github.Client, error) {
	text, err := a.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("read private key of the GitHub App: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.keyed(text); err != nil || a.itself != nil {
		return a.itself, err
	}
	a.itself, err = a.client(a.signed(a.signer))
	return a.itself, err
}

// HasWorkflow reports whether the repository has the Workflow file on its
// default branch.
func (a *App) HasWorkflow(ctx context.Context, installation string, r Repository) (bool, error) {
	c, err := a.installation(ctx, installation)
	if err != nil {
		return false, err
	}
	_, _, _, err = c.Repositories.GetContents(ctx, r.Owner, r.Name, Workflow, nil)
	switch err = explain("look for the workflow file", err); {
	case errors.Is(err, vcshost.ErrGone):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// IsAdmin reports whether an account is an active member of an organisation with
// the role admin. GitHub finds members by login, which may have become somebody
// else's: so the account's id decides. Of a person's own account, which is no
// organisation, nobody is.
func (a *App) IsAdmin(ctx context.Context, installation, organisation, account, login string) (bool, error) {
	c, err := a.installation(ctx, installation)
	if err != nil {
		return false, err
	}
	const doing = "read membership"
	m, _, err := c.Organizations.GetOrgMembership(ctx, login, organisation)
	switch err = explain(doing, err); {
	case errors.Is(err, vcshost.ErrGone):
		return false, nil
	case err != nil:
		return false, err
	case m.GetUser().GetID() <= 0 || m.GetState() == "" || m.GetRole() == "":
		return false, fmt.Errorf("github: %s: the answer does not have the member's id, state and role", doing)
	}
	return strconv.FormatInt(m.GetUser().GetID(), 10) == account && m.GetState() == "active" && m.GetRole() == "admin", nil
}
