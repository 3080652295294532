package gitlabhost

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// pageSize is how many entries GitLab's largest page has.
const pageSize = 100

// get decodes an answer into a value that has only the members which we need, so
// that an unusual value of another member does no harm. The path has no secret.
func (c *Client) get(ctx context.Context, doing, path string, options, into any) (*gitlab.Response, error) {
	request, err := c.gitlab.NewRequest(http.MethodGet, path, options, []gitlab.RequestOptionFunc{gitlab.WithContext(ctx)})
	if err != nil {
		return nil, fmt.Errorf("gitlab: %s: the address is not usable", doing)
	}
	answer, err := c.gitlab.Do(request, into)
	if err != nil {
		return nil, explain(ctx, doing, err)
	}
	return answer, nil
}

// pageOf reads a page of a list, entry by entry. It returns the number of the next
// page, 0 after the last one, and how many entries all pages have, 0 if GitLab does
// not say.
func (c *Client) pageOf(ctx context.Context, doing, path string, options any, page int) (list []json.RawMessage, next, total int, err error) {
	answer, err := c.get(ctx, doing, path, options, &list)
	if err != nil {
		return nil, 0, 0, err
	}
	if list == nil {
		return nil, 0, 0, fmt.Errorf("gitlab: %s: the answer has no list", doing)
	}
	if next, err = vcshost.NextPage(page, answer.Header); err != nil {
		return nil, 0, 0, fmt.Errorf("gitlab: %s: %w", doing, err)
	}
	return list, next, int(answer.TotalItems), nil
}
