package gitlabhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// File returns the content of a file at a commit. It returns vcshost.ErrGone if there is
// none, and vcshost.ErrTooLarge if it has more than vcshost.MaxFileBytes.
func (i *Installation) File(ctx context.Context, r vcs.Description, path, commit string) ([]byte, error) {
	const doing = "read file"
	var content []byte
	err := i.stream(ctx, doing, projectPath(r, "repository", "files", path, "raw"), &gitlab.GetRawFileOptions{Ref: &commit}, func(body io.Reader) (err error) {
		if content, err = io.ReadAll(io.LimitReader(body, vcshost.MaxFileBytes+1)); err == nil && len(content) > vcshost.MaxFileBytes {
			err = vcshost.ErrTooLarge
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return content, nil
}

// stream sends a GET and lets read read the body of the response. It returns the error of
// read if that is vcshost.ErrTooLarge.
func (c *Client) stream(ctx context.Context, doing, path string, options any, read func(io.Reader) error) error {
	body, fill := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := read(body)
		if err == nil {
			_, err = io.Copy(io.Discard, body)
		}
		_ = body.CloseWithError(err)
		done <- err
	}()
	_, err := c.get(ctx, doing, path, options, fill)
	_ = fill.CloseWithError(err)
	failed := <-done
	switch {
	case errors.Is(failed, vcshost.ErrTooLarge):
		return fmt.Errorf("gitlab: %s: %w", doing, failed)
	case err != nil:
		return err
	case failed != nil:
		return fmt.Errorf("gitlab: %s: no usable answer", doing)
	}
	return nil
}

// Tree returns all files of a project at a commit. Submodules are left out. It returns
// vcshost.ErrGone if there is no such commit, and vcshost.ErrTooLarge beyond
// vcshost.MaxFiles.
func (i *Installation) Tree(ctx context.Context, r vcs.Description, commit string) ([]vcshost.File, error) {
	entries, err := i.entries(ctx, r, commit)
	if err != nil {
		return nil, err
	}
	files := make([]vcshost.File, 0, len(entries))
	for _, e := range entries {
		if e.Mode != submodule {
			files = append(files, vcshost.File{Path: e.Path, ID: e.ID})
		}
	}
	return files, nil
}

// submodule is git's mode of a submodule.
const submodule = "160000"

// entry is a file or submodule of a tree.
type entry struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Path string `json:"path"`
	Mode string `json:"mode"`
}

// entries returns the files and submodules of a project at a commit. A page of GitLab has
// at most 100 entries. If there are more, the whole tree is asked for at once: a
// repository of 100,000 files would need more than 1,000 requests. If GitLab cannot send
// the whole tree, the pages are read one by one. GitLab before 15.4 does not know the
// option, and a large tree may take too long.
func (i *Installation) entries(ctx context.Context, r vcs.Description, commit string) ([]entry, error) {
	const doing = "read tree"
	var found tree
	next := &treeOptions{Ref: commit, Recursive: true, Pagination: "keyset", PerPage: pageSize}
	for asked := 1; ; asked++ {
		var list []entry
		answer, err := i.get(ctx, doing, projectPath(r, "repository", "tree"), next, &list)
		if err == nil && list == nil {
			err = fmt.Errorf("gitlab: %s: the answer has no list", doing)
		}
		for n := 0; n < len(list) && err == nil; n++ {
			err = found.add(list[n])
		}
		if err != nil {
			return nil, err
		}
		if next, err = next.after(answer, asked); err != nil {
			return nil, fmt.Errorf("gitlab: %s: %w", doing, err)
		}
		if next == nil {
			return found.entries, nil
		}
		if asked > 1 {
			continue
		}
		all, err := i.wholeTree(ctx, r, commit)
		if err == nil || errors.Is(err, vcshost.ErrTooLarge) || ctx.Err() != nil || stops(err) {
			return all, err
		}
	}
}

// stops reports whether an error says that the next request fails as well: GitLab limits
// requests, or refuses the token. A rejection is about one request.
func stops(err error) bool {
	var rejected *vcshost.Rejection
	return !errors.As(err, &rejected) && vcshost.NothingDone(err)
}

// maxTree is the maximum that is read of a whole tree, in bytes. It is more than
// vcshost.MaxFiles entries have.
const maxTree = 128 << 20

// wholeTree reads a tree with one request, and decodes its entries one by one.
func (i *Installation) wholeTree(ctx context.Context, r vcs.Description, commit string) ([]entry, error) {
	var found tree
	err := i.stream(withMaxBody(ctx, maxTree), "read whole tree", projectPath(r, "repository", "tree"), &treeOptions{Ref: commit, Recursive: true, Pagination: "none"}, func(body io.Reader) error {
		d := json.NewDecoder(body)
		if token, err := d.Token(); err != nil || token != json.Delim('[') {
			return errors.New("the answer has no list")
		}
		for d.More() {
			var e entry
			if err := d.Decode(&e); err != nil {
				return err
			}
			if err := found.add(e); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	})
	if err != nil {
		return nil, err
	}
	return found.entries, nil
}

// tree collects entries.
type tree struct{ entries []entry }

// add keeps an entry. Folders are left out.
func (t *tree) add(e entry) error {
	switch {
	case e.Path == "" || e.ID == "" || e.Mode == "":
		return errors.New("gitlab: read tree: an entry does not have its path, id and mode")
	case e.Type == "tree":
		return nil
	case len(t.entries) == vcshost.MaxFiles:
		return fmt.Errorf("gitlab: read tree: %w: it has more than %d files", vcshost.ErrTooLarge, vcshost.MaxFiles)
	}
	t.entries = append(t.entries, e)
	return nil
}

// treeOptions ask for a page of a tree, or for the whole tree ("Repositories API", GitLab
// documentation; the value none of pagination is in GitLab's OpenAPI document).
type treeOptions struct {
	Ref        string `url:"ref"`
	Recursive  bool   `url:"recursive"`
	Pagination string `url:"pagination"`
	PerPage    int    `url:"per_page,omitempty"`
	PageToken  string `url:"page_token,omitempty"`
	Page       int    `url:"page,omitempty"`
}

// after returns the options of the next page, or nil after the last one. asked is the
// number of pages that were read. GitLab names the next page by a token. Some versions
// ignore the option and name the number of the page.
func (o *treeOptions) after(answer *gitlab.Response, asked int) (*treeOptions, error) {
	next := *o
	if u, err := url.Parse(answer.NextLink); err == nil && u.Query().Get("page_token") != "" {
		next.PageToken = u.Query().Get("page_token")
		if next.PageToken == o.PageToken || asked == vcshost.MaxPages {
			return nil, fmt.Errorf("%w: it has more than %d pages, or a page names itself as the next", vcshost.ErrEndless, asked)
		}
		return &next, nil
	}
	page, err := vcshost.NextPage(asked, answer.Header)
	if err != nil || page == 0 {
		return nil, err
	}
	next.Page = page
	return &next, nil
}
