package gitlabhost

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// pageSize is the number of entries on GitLab's largest page.
const pageSize = 100

// get decodes a response into a value that has only the members that we need. So an
// unusual value of another member does no harm. The path must hold no secret.
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

// pageOf reads a page of a list and decodes its entries one by one. It returns the
// number of the next page, 0 after the last one. It also returns the number of
// entries of all pages, 0 if GitLab does not state it.
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
