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
// them. On a GitLab where anybody can have an account and make a group, an empty
// list would let anybody in.
type allowed struct {
	paths []string // in lower case
	ids   []string
}

// readAllowed reads a list of full paths and ids, separated by commas; an empty
// one allows every group.
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

// check answers an Invalid fault unless the group, or one around it, is allowed.
// For a list of ids it asks GitLab for those around it, with the client.
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
			continue // one that the caller does not see, and so may not speak for
		}
		if err != nil {
			return err
		}
		// GitLab takes a path of digits alone for an id, which may be anybody's.
		if strings.EqualFold(outer.FullPath, path) && slices.Contains(a.ids, strconv.FormatInt(outer.ID, 10)) {
			return nil
		}
	}
	return fault.Invalidf("GROUP_NOT_ALLOWED", "the operator of this server has named the groups that it works for, and the group %.100q is not one of them, "+
		"nor within one: ask the operator to add it to the parameter GitlabGroups", g.FullPath)
}

// around is the path of the group around one; empty for a group at the top.
func around(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }
