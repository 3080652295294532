package apiclient

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Links are the addresses in a response's header Link (RFC 8288). An address that
// is missing is empty.
type Links struct {
	// Next and Previous are absolute URLs of the next and the previous page of a
	// list.
	Next, Previous string
}

// linkValue matches a target with its relation, in the form that the API writes.
var linkValue = regexp.MustCompile(`<([^>]*)>; *rel="(next|prev)"`)

// Links returns the addresses of the pages beside this one.
func (r Response) Links() Links {
	var l Links
	for _, match := range linkValue.FindAllStringSubmatch(strings.Join(r.Header.Values("Link"), ","), -1) {
		if match[2] == "next" {
			l.Next = match[1]
		} else {
			l.Previous = match[1]
		}
	}
	return l
}

// Follow gets the page at an address from Links. It returns an error if the address
// belongs to another server, which must not see the token.
func (c *Client) Follow(ctx context.Context, name, link string) (Response, error) {
	path, err := Target(c.BaseURL, link)
	if err != nil {
		return Response{}, err
	}
	return c.Do(ctx, Request{Name: name, Method: http.MethodGet, Path: path})
}

// Target returns the path and the query of a link on the server at baseURL. It
// returns an error if the link leads to another server.
func Target(baseURL, link string) (string, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(link)
	if err != nil {
		return "", err
	}
	target, within := strings.CutPrefix(link, baseURL)
	if !within || to.Scheme != base.Scheme || to.Host != base.Host || to.User != nil {
		return "", fmt.Errorf("the link %q leads to another server than %s", link, baseURL)
	}
	return target, nil
}

// Pages returns the pages of a list: the page at path, and those after it. A page
// with another status than 200 ends the list with an *Error.
func (c *Client) Pages(ctx context.Context, name, path string) iter.Seq2[Response, error] {
	return func(yield func(Response, error) bool) {
		page, err := c.Do(ctx, Request{Name: name, Method: http.MethodGet, Path: path})
		for {
			if err == nil {
				err = page.Want(http.StatusOK)
			}
			if !yield(page, err) || err != nil {
				return
			}
			next := page.Links().Next
			if next == "" {
				return
			}
			page, err = c.Follow(ctx, name, next)
		}
	}
}
