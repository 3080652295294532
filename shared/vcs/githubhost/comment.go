package githubhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// comment is what GitHub states about a comment of a pull request. To GitHub, a pull
// request is an issue, and so are its comments.
type comment struct {
	ID   int64  `json:"id"`
	Node string `json:"node_id"` // its id in GraphQL
	URL  string `json:"html_url"`
	Body string `json:"body"`
	User *struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"user"` // null if the account is gone
	App *struct {
		ID int64 `json:"id"`
	} `json:"performed_via_github_app"` // null without one
}

func (c comment) read() vcshost.Comment {
	return vcshost.Comment{ID: strconv.FormatInt(c.ID, 10), URL: vcshost.PageURL(c.URL)}
}

// CreateComment adds a comment to a pull request. It must not be repeated after a lost
// response: FindComment says whether the comment is there.
func (i *Installation) CreateComment(ctx context.Context, r vcs.Description, number int64, text string) (vcshost.Comment, error) {
	const doing = "create comment"
	var made comment
	path := fmt.Sprintf("repos/%s/%s/issues/%d/comments", r.Owner, r.Name, number)
	if err := i.send(ctx, http.MethodPost, doing, path, map[string]any{"body": text}, &made); err != nil {
		return vcshost.Comment{}, err
	}
	if made.ID <= 0 {
		return vcshost.Comment{}, fmt.Errorf("github: %s: the answer does not have its id", doing)
	}
	return made.read(), nil
}

// EditComment replaces the text of a comment. It is safe to repeat. It returns
// vcshost.ErrGone if the comment was removed.
func (i *Installation) EditComment(ctx context.Context, r vcs.Description, _ int64, id, text string) error {
	path, err := pathOf(r, id)
	if err != nil {
		return err
	}
	return i.send(ctx, http.MethodPatch, "edit comment", path, map[string]any{"body": text}, nil)
}

// DeleteComment removes a comment. It is safe to repeat: it returns nil if there is no
// such comment.
func (i *Installation) DeleteComment(ctx context.Context, r vcs.Description, _ int64, id string) error {
	path, err := pathOf(r, id)
	if err != nil {
		return nil
	}
	err = i.send(ctx, http.MethodDelete, "delete comment", path, nil, nil)
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	return err
}

// HideComment folds a comment as outdated. Only the GraphQL API can do that. It is safe
// to repeat: it returns nil if there is no such comment.
func (i *Installation) HideComment(ctx context.Context, r vcs.Description, _ int64, id string) error {
	const (
		doing = "hide comment"
		query = `mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized } } }`
	)
	path, err := pathOf(r, id)
	if err != nil {
		return nil
	}
	var c comment
	_, err = get(ctx, i.client, doing, path, &c)
	switch {
	case errors.Is(err, vcshost.ErrGone):
		return nil
	case err != nil:
		return err
	case c.Node == "":
		return fmt.Errorf("github: %s: the answer does not have the id of its node", doing)
	}
	err = i.mutate(ctx, doing, query, map[string]any{"id": c.Node})
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	return err
}

// React adds a rocket to a comment. It is safe to repeat. It returns vcshost.ErrGone if
// there is no such comment.
func (i *Installation) React(ctx context.Context, r vcs.Description, _ int64, id string) error {
	path, err := pathOf(r, id)
	if err != nil {
		return err
	}
	return i.send(ctx, http.MethodPost, "add reaction", path+"/reactions", map[string]any{"content": "rocket"}, nil)
}

// pathOf returns the path of a comment. It returns vcshost.ErrGone for an id that is no
// number.
func pathOf(r vcs.Description, id string) (string, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return "", vcshost.ErrGone
	}
	return fmt.Sprintf("repos/%s/%s/issues/comments/%d", r.Owner, r.Name, n), nil
}
