package githubhost

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// maxCompared is the number of files that a comparison of GitHub names at most
// ("Compare two commits", GitHub documentation).
const maxCompared = 300

// Changes returns the files that differ between the merge base of two commits and
// head, in the order of their paths. If they are more than a comparison of GitHub
// names, Changes compares the trees. Then a file that was moved is two files: one at
// each path. Changes returns vcshost.ErrTooLarge if a tree is too large for Tree, and
// vcshost.ErrGone if there is no such commit, or no merge base.
func (i *Installation) Changes(ctx context.Context, r vcs.Description, base, head string) ([]vcshost.FileChange, error) {
	const doing = "compare commits"
	var body struct {
		MergeBase struct {
			SHA string `json:"sha"`
		} `json:"merge_base_commit"`
		Files []struct {
			Path     string `json:"filename"`
			Status   string `json:"status"`
			Previous string `json:"previous_filename"`
		} `json:"files"`
	}
	// The pages are those of the commits. All files are on the first page.
	at := fmt.Sprintf("repos/%s/%s/compare/%s...%s?page=1&per_page=1", r.Owner, r.Name, url.PathEscape(base), url.PathEscape(head))
	if _, err := get(ctx, i.client, doing, at, &body); err != nil {
		return nil, err
	}
	if body.MergeBase.SHA == "" || body.Files == nil {
		return nil, fmt.Errorf("github: %s: the answer does not have the merge base and the files", doing)
	}
	if len(body.Files) >= maxCompared {
		return i.compareTrees(ctx, r, body.MergeBase.SHA, head)
	}
	changes := make([]vcshost.FileChange, len(body.Files))
	for n, f := range body.Files {
		if f.Path == "" || f.Status == "renamed" && f.Previous == "" {
			return nil, fmt.Errorf("github: %s: a file does not have its path", doing)
		}
		changes[n].Path = f.Path
		if f.Status == "renamed" { // of one that was copied, the first file stays
			changes[n].Previous = f.Previous
		}
	}
	return sorted(changes), nil
}

// compareTrees returns the files that differ between two commits.
func (i *Installation) compareTrees(ctx context.Context, r vcs.Description, from, to string) ([]vcshost.FileChange, error) {
	before, err := i.tree(ctx, r, from)
	if err != nil {
		return nil, err
	}
	after, err := i.tree(ctx, r, to)
	if err != nil {
		return nil, err
	}
	old := make(map[string]entry, len(before))
	for _, e := range before {
		old[e.Path] = e
	}
	var changes []vcshost.FileChange
	for _, e := range after {
		if old[e.Path] != e {
			changes = append(changes, vcshost.FileChange{Path: e.Path})
		}
		delete(old, e.Path)
	}
	for path := range old {
		changes = append(changes, vcshost.FileChange{Path: path})
	}
	return sorted(changes), nil
}

func sorted(changes []vcshost.FileChange) []vcshost.FileChange {
	slices.SortFunc(changes, func(a, b vcshost.FileChange) int { return cmp.Compare(a.Path, b.Path) })
	return changes
}
