package githubhost

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxDescription is the number of characters that the description of a commit status
// may have.
const maxDescription = 140

// SetStatus gives a status to a commit. It is safe to repeat: the last one of a name
// counts. A longer description than GitHub takes ends with "…". GitHub takes 1,000
// statuses of a name for a commit, and rejects the next one.
func (i *Installation) SetStatus(ctx context.Context, r vcs.Description, commit string, s vcshost.CommitStatus) error {
	body := map[string]any{"state": string(s.State), "context": s.Name, "description": shortened(s.Description, maxDescription)}
	if s.URL != "" {
		body["target_url"] = s.URL
	}
	return i.send(ctx, http.MethodPost, "set status", fmt.Sprintf("repos/%s/%s/statuses/%s", r.Owner, r.Name, url.PathEscape(commit)), body, nil)
}

// shortened returns a text with at most a number of characters.
func shortened(text string, characters int) string {
	all := []rune(text)
	if len(all) <= characters {
		return text
	}
	return string(all[:characters-1]) + "…"
}
