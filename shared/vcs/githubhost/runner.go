package githubhost

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/go-github/v88/github"
)

// RunnerToken returns a new token of the installation for the runner, and when it
// ends, which is an hour later. The token can read contents, and write issues, pull
// requests and commit statuses. It can do so in all repositories of the
// installation, because modules may come from another repository.
func (i *Installation) RunnerToken(ctx context.Context) (token string, ends time.Time, err error) {
	const doing = "fetch a token for the runner"
	c, err := i.app.own(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	n, err := strconv.ParseInt(string(i.id), 10, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("github: installation %q is not a 64-bit number", i.id)
	}
	found, _, err := c.Apps.CreateInstallationToken(ctx, n, &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{
		Contents: github.Ptr("read"), Issues: github.Ptr("write"), PullRequests: github.Ptr("write"), Statuses: github.Ptr("write"),
	}})
	if err != nil {
		return "", time.Time{}, explain(doing, err)
	}
	if found.GetToken() == "" {
		return "", time.Time{}, fmt.Errorf("github: %s: the answer has no token", doing)
	}
	return found.GetToken(), found.GetExpiresAt().Time, nil
}
