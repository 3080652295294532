package githubhost

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// FindComment returns the newest comment of our App whose first or last line is marker,
// among the newest 100 of a pull request. It returns vcshost.ErrGone if there is none.
// A comment that quotes the marker elsewhere, or that somebody else wrote, does not
// count.
func (i *Installation) FindComment(ctx context.Context, r vcs.Description, number int64, marker string) (vcshost.Comment, error) {
	const doing = "find comment"
	marker = strings.TrimSpace(marker)
	newest, err := i.newestComments(ctx, r, number)
	if err != nil {
		return vcshost.Comment{}, err
	}
	for _, c := range slices.Backward(newest) {
		if c.ID <= 0 || !marked(c.Body, marker) {
			continue
		}
		own, err := i.own(ctx, c)
		if err != nil {
			return vcshost.Comment{}, err
		}
		if own {
			return c.read(), nil
		}
	}
	return vcshost.Comment{}, fmt.Errorf("github: %s: %w", doing, vcshost.ErrGone)
}

// marked reports whether the first or the last line of a text is a marker.
func marked(text, marker string) bool {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return marker != "" && (strings.TrimSpace(lines[0]) == marker || strings.TrimSpace(lines[len(lines)-1]) == marker)
}

// newestComments returns the newest 100 comments of a pull request, the newest last.
// GitHub lists the oldest first, and cannot turn the order around. So the last two
// pages are read, which the first one names.
func (i *Installation) newestComments(ctx context.Context, r vcs.Description, number int64) ([]comment, error) {
	const doing = "list comments"
	path := fmt.Sprintf("repos/%s/%s/issues/%d/comments?per_page=%d", r.Owner, r.Name, number, pageSize)
	var found []comment
	answer, err := get(ctx, i.client, doing, path, &found)
	if err != nil {
		return nil, err
	}
	for page := max(2, answer.LastPage-1); page <= answer.LastPage; page++ {
		var more []comment
		if _, err := get(ctx, i.client, doing, fmt.Sprintf("%s&page=%d", path, page), &more); err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found[max(0, len(found)-pageSize):], nil
}

// own reports whether our App wrote a comment in its own name. A person may let our App
// write in the person's name: such a comment names the App too, but its account is no
// bot. Not all versions of GitHub name the App. Then the name of its bot decides, which
// is the App's slug with "[bot]".
func (i *Installation) own(ctx context.Context, c comment) (bool, error) {
	switch {
	case c.User == nil || c.User.Type != "Bot":
		return false, nil
	case c.App != nil:
		return c.App.ID == i.app.id, nil
	}
	client, err := i.app.own(ctx)
	if err != nil {
		return false, err
	}
	const doing = "read the App"
	var app struct {
		Slug string `json:"slug"`
	}
	if _, err := get(ctx, client, doing, "app", &app); err != nil {
		return false, err
	}
	if app.Slug == "" {
		return false, fmt.Errorf("github: %s: the answer has no slug", doing)
	}
	return c.User.Login == app.Slug+"[bot]", nil
}
