package gitlabhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// note is what GitLab states about a comment.
type note struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author person `json:"author"`
}

func (n note) complete() error {
	if n.ID <= 0 {
		return errors.New("it has no id")
	}
	return nil
}

// noteText is the body of a request that writes a comment.
type noteText struct {
	Body string `json:"body"`
}

// CreateComment writes a comment. GitLab does not state the address of its page. It must
// not be repeated if the response is lost: package vcshost says what to do.
func (i *Installation) CreateComment(ctx context.Context, r vcs.Description, number int64, text string) (vcshost.Comment, error) {
	const doing = "create comment"
	var n note
	if _, err := i.send(ctx, doing, http.MethodPost, mergePath(r, number, "notes"), noteText{text}, &n); err != nil {
		return vcshost.Comment{}, err
	}
	if err := n.complete(); err != nil {
		return vcshost.Comment{}, fmt.Errorf("gitlab: %s: %w", doing, err)
	}
	return n.read(), nil
}

func (n note) read() vcshost.Comment { return vcshost.Comment{ID: strconv.FormatInt(n.ID, 10)} }

// EditComment replaces the text of a comment. It is safe to repeat. It returns
// vcshost.ErrGone if the comment was removed.
func (i *Installation) EditComment(ctx context.Context, r vcs.Description, number int64, id, text string) error {
	const doing = "edit comment"
	if !vcs.ID(id).Valid() {
		return fmt.Errorf("gitlab: %s: %w", doing, vcshost.ErrGone)
	}
	_, err := i.send(ctx, doing, http.MethodPut, mergePath(r, number, "notes", id), noteText{text}, nil)
	return err
}

// HideComment does nothing: GitLab cannot fold a comment as outdated.
func (i *Installation) HideComment(context.Context, vcs.Description, int64, string) error { return nil }

// DeleteComment deletes a comment. It returns nil if there is none, so that it is safe to
// repeat.
func (i *Installation) DeleteComment(ctx context.Context, r vcs.Description, number int64, id string) error {
	if !vcs.ID(id).Valid() {
		return nil
	}
	_, err := i.send(ctx, "delete comment", http.MethodDelete, mergePath(r, number, "notes", id), nil, nil)
	if errors.Is(err, vcshost.ErrGone) {
		return nil
	}
	return err
}

// FindComment returns the newest comment of the token's own account whose text contains
// marker, among the newest 100 of the merge request. It returns vcshost.ErrGone if there is
// none.
func (i *Installation) FindComment(ctx context.Context, r vcs.Description, number int64, marker string) (vcshost.Comment, error) {
	const doing = "find comment"
	own, err := i.account(ctx)
	if err != nil {
		return vcshost.Comment{}, err
	}
	options := struct {
		Sort    string `url:"sort"`
		OrderBy string `url:"order_by"`
		Filter  string `url:"activity_filter"`
		PerPage int    `url:"per_page"`
	}{"desc", "created_at", "only_comments", pageSize}
	list, _, _, err := i.pageOf(ctx, doing, mergePath(r, number, "notes"), options, 1)
	if err != nil {
		return vcshost.Comment{}, err
	}
	notes, odd := vcshost.Entries(list, note.complete)
	if len(odd) > 0 {
		return vcshost.Comment{}, fmt.Errorf("gitlab: %s: a comment cannot be read: %s", doing, odd[0])
	}
	for _, n := range notes {
		if n.Author.profile().ID == own && strings.Contains(n.Body, marker) {
			return n.read(), nil
		}
	}
	return vcshost.Comment{}, fmt.Errorf("gitlab: %s: %w", doing, vcshost.ErrGone)
}

// account returns the account of the token. It is read once.
func (i *Installation) account(ctx context.Context) (vcs.ID, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.own == "" {
		account, err := i.Whoami(ctx)
		if err != nil {
			return "", err
		}
		i.own = account.ID
	}
	return i.own, nil
}

// rocket is the name of the reaction.
const rocket = "rocket"

// award is a reaction to a comment.
type award struct {
	Name string `json:"name"`
	User person `json:"user"`
}

func (a award) complete() error {
	if a.Name == "" {
		return errors.New("it has no name")
	}
	return nil
}

// maxAwards is the maximum number of reactions to a comment that are read.
const maxAwards = 10_000

// React adds a rocket to a comment. It is safe to repeat. It returns vcshost.ErrGone if
// there is no such comment. GitLab refuses the second reaction of an account with the
// status of a comment that does not exist, so that React then reads the reactions.
func (i *Installation) React(ctx context.Context, r vcs.Description, number int64, comment string) error {
	const doing = "react to comment"
	if !vcs.ID(comment).Valid() {
		return fmt.Errorf("gitlab: %s: %w", doing, vcshost.ErrGone)
	}
	path := mergePath(r, number, "notes", comment, "award_emoji")
	_, err := i.send(ctx, doing, http.MethodPost, path, struct {
		Name string `json:"name"`
	}{rocket}, nil)
	if !errors.Is(err, vcshost.ErrGone) {
		return err
	}
	own, err := i.account(ctx)
	if err != nil {
		return err
	}
	awards, err := listed(ctx, i.Client, "read reactions", path, pageOptions{}, maxAwards, award.complete)
	if err != nil {
		return err
	}
	for _, a := range awards {
		if a.Name == rocket && a.User.profile().ID == own {
			return nil
		}
	}
	return fmt.Errorf("gitlab: %s: %w", doing, vcshost.ErrGone)
}
