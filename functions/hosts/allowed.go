package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/vcs/gitlabhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// allowed are the groups that may become installations, with all groups within
// them. An empty list allows every group. On a GitLab where anybody can create an
// account and a group, an empty list would let anybody in.
type allowed struct {
	paths []string // in lower case
	ids   []string
}

// readAllowed reads a list of full paths and ids, separated by commas. An empty
// list allows every group.
func readAllowed(list string) allowed {
	var a allowed
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		switch _, err := strconv.ParseUint(entry, 10, 64); {
		case entry == "":
		case err == nil:
			a.ids = append(a.ids, entry)
		default:
			a.paths = append(a.paths, entry)
		}
	}
	return a
}

// check returns an Invalid fault unless the group, or one of its parent groups, is
// allowed. If the list has ids, it asks GitLab for the parent groups, with the
// client.
func (a allowed) check(ctx context.Context, client *gitlabhost.Client, g gitlabhost.Group) error {
	if len(a.paths)+len(a.ids) == 0 || slices.Contains(a.ids, strconv.FormatInt(g.ID, 10)) {
		return nil
	}
	for path := strings.ToLower(g.FullPath); path != ""; path = around(path) {
		if slices.Contains(a.paths, path) {
			return nil
		}
	}
	for path := around(g.FullPath); path != "" && len(a.ids) > 0; path = around(path) {
		outer, err := client.Group(ctx, path)
		if errors.Is(err, vcshost.ErrGone) {
			continue // a group that the caller does not see, and so may not act for
		}
		if err != nil {
			return err
		}
		// GitLab reads a path of digits as an id, which may be the id of any group.
		// So the path is compared, too.
		if strings.EqualFold(outer.FullPath, path) && slices.Contains(a.ids, strconv.FormatInt(outer.ID, 10)) {
			return nil
		}
	}
	return fault.Invalidf("GROUP_NOT_ALLOWED", "the operator of this server has named the groups that it works for, and the group %.100q is not one of them, "+
		"nor within one: ask the operator to add it to the parameter GitlabGroups", g.FullPath)
}

// around returns the path of the parent group. It is empty for a top-level group.
func around(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }
