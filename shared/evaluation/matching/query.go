package matching

import (
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/tagquery"
)

// Prefixes of tags.
const (
	dirTag       = "dir:"
	workspaceTag = "workspace:"
	stackTag     = "stack:"
	stackNameTag = "stack_name:"
	relativeTag  = "relative_dir:"
	dirContains  = "dir~"
)

// Matches reports whether a tag query matches the dirspace.
func (d *Dirspace) Matches(q repoconfig.Query) bool { return d.matches(q.Expr) }

func (d *Dirspace) matches(e tagquery.Expr) bool {
	switch e := e.(type) {
	case nil:
		return true
	case tagquery.Tag:
		if fragment, ok := strings.CutPrefix(string(e), dirContains); ok {
			return contains(d.Dir, fragment)
		}
		return d.tags[string(e)]
	case tagquery.In:
		return contains(d.Dir, e.Fragment)
	case tagquery.Not:
		return !d.matches(e.Expr)
	case tagquery.And:
		return d.matches(e.Left) && d.matches(e.Right)
	case tagquery.Or:
		return d.matches(e.Left) || d.matches(e.Right)
	}
	return false
}

// contains reports whether a directory is, or lies below, one whose path ends with a
// fragment (orchestration, 5.2 and 28.16).
func contains(dir, fragment string) bool {
	fragment = strings.Trim(fragment, "/")
	if fragment == "" {
		return false
	}
	found, err := doublestar.Match("**/"+fragment+"/**", dir)
	return err == nil && found
}

// setTags gives the dirspace its tags.
func (d *Dirspace) setTags(list ...string) {
	d.tags = make(map[string]bool, len(list))
	for _, tag := range list {
		d.tags[tag] = true
	}
	d.sortTags()
}

// addTag gives the dirspace one more tag.
func (d *Dirspace) addTag(tag string) {
	d.tags[tag] = true
	d.sortTags()
}

func (d *Dirspace) sortTags() {
	d.Tags = d.Tags[:0]
	for tag := range d.tags {
		d.Tags = append(d.Tags, tag)
	}
	slices.Sort(d.Tags)
}

// resolve replaces the tags relative_dir:PATH of a query by dir:PATH, from a directory.
func resolve(e tagquery.Expr, dir string) tagquery.Expr {
	switch e := e.(type) {
	case tagquery.Tag:
		if relative, ok := strings.CutPrefix(string(e), relativeTag); ok {
			return tagquery.Tag(dirTag + path.Join(dir, relative))
		}
		return e
	case tagquery.Not:
		return tagquery.Not{Expr: resolve(e.Expr, dir)}
	case tagquery.And:
		return tagquery.And{Left: resolve(e.Left, dir), Right: resolve(e.Right, dir)}
	case tagquery.Or:
		return tagquery.Or{Left: resolve(e.Left, dir), Right: resolve(e.Right, dir)}
	}
	return e
}

// required returns a tag that each match of a query has, or the empty text if none is
// known.
func required(e tagquery.Expr) string {
	switch e := e.(type) {
	case tagquery.Tag:
		if !strings.HasPrefix(string(e), dirContains) {
			return string(e)
		}
	case tagquery.And:
		if tag := required(e.Left); tag != "" {
			return tag
		}
		return required(e.Right)
	}
	return ""
}
