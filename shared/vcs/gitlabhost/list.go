package gitlabhost

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// pageSize is the number of entries on GitLab's largest page.
const pageSize = 100

// get decodes a response into a value that has only the members that we need. So an
// unusual value of another member does no harm. The path must hold no secret.
func (c *Client) get(ctx context.Context, doing, path string, options, into any) (*gitlab.Response, error) {
	return c.send(ctx, doing, http.MethodGet, path, options, into)
}

// send is get for any method. A request with a POST or PUT has the options as its JSON
// body. If into is nil, the response is not read.
func (c *Client) send(ctx context.Context, doing, method, path string, options, into any) (*gitlab.Response, error) {
	request, err := c.gitlab.NewRequest(method, path, options, []gitlab.RequestOptionFunc{gitlab.WithContext(ctx)})
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

// listed reads all pages of a list. An entry that cannot be read is an error, because a
// decision must not follow from a part of the list. It returns vcshost.ErrTooLarge for a list of more than limit entries.
func listed[T any](ctx context.Context, c *Client, doing, path string, options pageOptions, limit int, complete func(T) error) ([]T, error) {
	var all []T
	options.PerPage = pageSize
	for page := 1; page != 0; {
		options.Page = page
		list, next, _, err := c.pageOf(ctx, doing, path, options, page)
		if err != nil {
			return nil, err
		}
		entries, odd := vcshost.Entries(list, complete)
		if len(odd) > 0 {
			return nil, fmt.Errorf("gitlab: %s: an entry cannot be read: %s", doing, odd[0])
		}
		if all = append(all, entries...); len(all) > limit {
			return nil, fmt.Errorf("gitlab: %s: %w: it has more than %d entries", doing, vcshost.ErrTooLarge, limit)
		}
		page = next
	}
	return all, nil
}

// pageOptions ask for a page of a list.
type pageOptions struct {
	Page    int    `url:"page"`
	PerPage int    `url:"per_page"`
	Name    string `url:"name,omitempty"` // of the statuses to list
}

// projectPath returns the path of something in a project. Each part of it is escaped.
func projectPath(r vcs.Description, parts ...string) string {
	path := "projects/" + gitlab.PathEscape(string(r.ID))
	for _, part := range parts {
		path += "/" + gitlab.PathEscape(part)
	}
	return path
}

// mergePath returns the path of something of a merge request.
func mergePath(r vcs.Description, number int64, parts ...string) string {
	return projectPath(r, append([]string{"merge_requests", strconv.FormatInt(number, 10)}, parts...)...)
}
