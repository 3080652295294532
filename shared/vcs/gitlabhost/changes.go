package gitlabhost

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// Changes returns the files that differ between the merge base of two commits and head. It
// is complete, whatever the number of files. A file that was moved has its previous path,
// or is there twice, as a file that was removed and one that was added. It returns
// vcshost.ErrGone if one of the commits does not exist.
//
// GitLab's comparison has the files up to the limits of diffs, by default 1,000 files and
// 50,000 lines ("Diff limits administration", GitLab documentation), and then says
// compare_timeout. GitLab may also fail at a large comparison. Then the trees of the two
// commits are compared.
func (i *Installation) Changes(ctx context.Context, r vcs.Description, base, head string) ([]vcshost.FileChange, error) {
	const doing = "compare commits"
	var found struct {
		Diffs []struct {
			Old string `json:"old_path"`
			New string `json:"new_path"`
		} `json:"diffs"`
		Cut bool `json:"compare_timeout"`
	}
	_, err := i.get(ctx, doing, projectPath(r, "repository", "compare"), &gitlab.CompareOptions{From: &base, To: &head}, &found)
	if err != nil && (vcshost.NothingDone(err) || ctx.Err() != nil) {
		return nil, err
	}
	if err != nil || found.Cut || found.Diffs == nil {
		return i.compareTrees(ctx, r, base, head)
	}
	changes := make([]vcshost.FileChange, len(found.Diffs))
	for n, d := range found.Diffs {
		if d.New == "" || d.Old == "" {
			return nil, fmt.Errorf("gitlab: %s: a file does not have its paths", doing)
		}
		changes[n].Path = d.New
		if d.Old != d.New {
			changes[n].Previous = d.Old
		}
	}
	return changes, nil
}

// compareTrees returns the files whose content or mode differs between the merge base of
// two commits and head, in the order of their paths.
func (i *Installation) compareTrees(ctx context.Context, r vcs.Description, base, head string) ([]vcshost.FileChange, error) {
	const doing = "find merge base"
	var common struct {
		ID string `json:"id"`
	}
	if _, err := i.get(ctx, doing, projectPath(r, "repository", "merge_base"), &gitlab.MergeBaseOptions{Ref: &[]string{base, head}}, &common); err != nil {
		return nil, err
	}
	if common.ID == "" {
		return nil, fmt.Errorf("gitlab: %s: the answer has no commit", doing)
	}
	before, err := i.entries(ctx, r, common.ID)
	if err != nil {
		return nil, err
	}
	type version struct{ id, mode string }
	old := make(map[string]version, len(before))
	for _, e := range before {
		old[e.Path] = version{e.ID, e.Mode}
	}
	after, err := i.entries(ctx, r, head)
	if err != nil {
		return nil, err
	}
	var changes []vcshost.FileChange
	for _, e := range after {
		if was, ok := old[e.Path]; !ok || was != (version{e.ID, e.Mode}) {
			changes = append(changes, vcshost.FileChange{Path: e.Path})
		}
		delete(old, e.Path)
	}
	for path := range old {
		changes = append(changes, vcshost.FileChange{Path: path})
	}
	slices.SortFunc(changes, func(a, b vcshost.FileChange) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}
