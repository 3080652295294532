package runindex

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runquery"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// entry is what is known of a run before its item is read.
type entry struct {
	second                          int64
	id                              run.ID
	repo, branch, user, environment string
	typed                           run.Type
	kind                            run.KindName
	pr                              int64
	// workspaces are all of the run's; nil if they are not known.
	workspaces []string
	// dirs are some of the run's directories. inside are directories that contain
	// some.
	dirs, inside []string
	// spaces are the dirspaces of dirs.
	spaces []placed
}

// placed is a dirspace with its position among those of its run.
type placed struct {
	run.Dirspace
	position int
}

func (e *entry) sort() string { return sortKey(time.Unix(e.second, 0), e.id) }

// decode reads a row of a partition.
func decode(item attr.Item, w walk) (entry, error) {
	r := attr.Read(item)
	second, id, err := parseSort(r.String("sk"))
	e := entry{
		second: second, id: id, repo: r.String("repo"), branch: r.String("branch"), user: r.String("user"), environment: r.String("environment"),
		typed: run.Type(r.String("type")), kind: run.KindName(r.String("kind")), pr: r.Int("pr"), workspaces: r.Strings("workspaces"),
	}
	switch w.term {
	case dir:
		var spaces []space
		if err == nil {
			err = json.Unmarshal(r.Bytes("spaces"), &spaces)
		}
		e.dirs = []string{w.value}
		for _, s := range spaces {
			e.spaces = append(e.spaces, placed{run.Dirspace{Dir: w.value, Workspace: s.Workspace}, s.Position})
		}
	case below:
		e.inside = []string{w.value}
	}
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return entry{}, fmt.Errorf("decode index row: %w", err)
	}
	return e, nil
}

// entryOf returns what a row would tell of a run.
func entryOf(r run.Run) entry {
	return entry{
		second: r.CreatedAt.Unix(), id: r.ID, repo: r.Name, branch: r.Source.Branch, user: r.User, environment: r.Environment,
		typed: r.Type, kind: r.Kind.Name, pr: r.Kind.Number,
	}
}

// join adds what another row of the same run tells.
func (e *entry) join(other entry) {
	e.dirs = append(e.dirs, other.dirs...)
	e.inside = append(e.inside, other.inside...)
	e.spaces = append(e.spaces, other.spaces...)
}

var _ runquery.PartialRow = &entry{}

// Known implements runquery.PartialRow.
func (e *entry) Known(key string) bool {
	switch key {
	case "id", "repo", "branch", "user", "environment", "type", "kind", "pr", "created_at":
		return true
	case "workspace":
		return e.workspaces != nil
	default:
		return false
	}
}

// Texts implements runquery.Row.
func (e *entry) Texts(key string) []string {
	switch key {
	case "id":
		return []string{string(e.id)}
	case "repo":
		return given(e.repo)
	case "branch":
		return given(e.branch)
	case "user":
		return given(e.user)
	case "environment":
		return given(e.environment)
	case "kind":
		return []string{string(e.kind), e.kind.Shown()}
	case "type":
		return []string{string(e.typed), string(e.typed.Shown())}
	case "workspace":
		return e.workspaces
	case "dir":
		// A text that begins like a directory in it, and that no query names.
		list := slices.Clone(e.dirs)
		for _, name := range e.inside {
			if name != run.Root {
				list = append(list, name+"/\x00")
			}
		}
		return list
	default:
		return nil
	}
}

// given returns a text that may be absent.
func given(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// Number implements runquery.Row.
func (e *entry) Number(key string) (int64, bool) { return e.pr, key == "pr" && e.pr != 0 }

// Time implements runquery.Row.
func (e *entry) Time(key string) (time.Time, bool) {
	return time.Unix(e.second, 0).UTC(), key == "created_at"
}

// Flag implements runquery.Row.
func (*entry) Flag(string) (value, ok bool) { return false, false }

// ancestorOf returns the directory below which every directory lies whose name begins
// with a prefix.
func ancestorOf(prefix string) (string, bool) {
	end := strings.LastIndexByte(prefix, '/')
	if end < 0 {
		return "", false
	}
	return prefix[:end], true
}
