package source_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/object"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const (
	yml  = ".terrateam/config.yml"
	yaml = ".terrateam/config.yaml"
)

var place = source.Place{
	Repository: vcs.Installation{VCS: vcs.GitHub, ID: "42"}.Repository("7"), Described: vcs.Description{ID: "7", Owner: "acme", Name: "infra"},
}

// host is a host that counts its calls.
type host struct {
	// commits have the files of each commit, by path. A nil text is a path without content,
	// such as a link to another repository.
	commits map[string]map[string][]byte
	// changes are those between commits, by "BASE...HEAD".
	changes map[string][]vcshost.FileChange
	reviews vcshost.Reviews
	checks  []vcshost.Check
	roles   map[string]string
	teams   map[string][]string // members by team
	// pulls are the states of the pull request, one for each read. The last one stays.
	pulls []vcshost.PullRequest
	// fails are the errors of methods.
	fails map[string]error

	mu    sync.Mutex
	calls map[string]int
	texts []string
}

// called counts a call, and returns the error that it has.
func (h *host) called(method string, arguments ...any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls == nil {
		h.calls = map[string]int{}
	}
	h.calls[method]++
	h.texts = append(h.texts, strings.TrimSpace(method+" "+strings.TrimSpace(fmt.Sprintln(arguments...))))
	return h.fails[method]
}

// take returns the counts since the last take, such as "2 File, Tree".
func (h *host) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(h.calls)) {
		if n := h.calls[name]; n == 1 {
			parts = append(parts, name)
		} else {
			parts = append(parts, fmt.Sprint(n, " ", name))
		}
	}
	h.calls, h.texts = nil, nil
	return strings.Join(parts, ", ")
}

func (h *host) File(_ context.Context, _ vcs.Description, path, commit string) ([]byte, error) {
	if err := h.called("File", path, commit); err != nil {
		return nil, err
	}
	text := h.commits[commit][path]
	switch {
	case text == nil:
		return nil, fmt.Errorf("read file: %w", vcshost.ErrGone)
	case len(text) > vcshost.MaxFileBytes:
		return nil, fmt.Errorf("read file: %w", vcshost.ErrTooLarge)
	}
	return text, nil
}

func (h *host) Tree(_ context.Context, _ vcs.Description, commit string) ([]vcshost.File, error) {
	if err := h.called("Tree", commit); err != nil {
		return nil, err
	}
	files, there := h.commits[commit]
	if !there {
		return nil, fmt.Errorf("read tree: %w", vcshost.ErrGone)
	}
	var list []vcshost.File
	for path := range files {
		list = append(list, vcshost.File{Path: path, ID: "blob"})
	}
	return list, nil
}

func (h *host) Changes(_ context.Context, _ vcs.Description, base, head string) ([]vcshost.FileChange, error) {
	if err := h.called("Changes", base, head); err != nil {
		return nil, err
	}
	return h.changes[base+"..."+head], nil
}

func (h *host) PullRequest(context.Context, vcs.Description, int64) (vcshost.PullRequest, error) {
	if err := h.called("PullRequest"); err != nil {
		return vcshost.PullRequest{}, err
	}
	p := h.pulls[0]
	if len(h.pulls) > 1 {
		h.pulls = h.pulls[1:]
	}
	return p, nil
}

func (h *host) Reviews(context.Context, vcs.Description, int64) (vcshost.Reviews, error) {
	return h.reviews, h.called("Reviews")
}

func (h *host) Checks(_ context.Context, _ vcs.Description, commit string) ([]vcshost.Check, error) {
	return h.checks, h.called("Checks", commit)
}

func (h *host) Role(_ context.Context, _ vcs.Description, account vcshost.Profile) (string, error) {
	return h.roles[strings.ToLower(account.Login)], h.called("Role", account.Login)
}

func (h *host) InTeam(_ context.Context, _ vcs.Description, team string, account vcshost.Profile) (bool, error) {
	return slices.Contains(h.teams[strings.ToLower(team)], strings.ToLower(account.Login)), h.called("InTeam", team, account.Login)
}

// tree returns the files of a commit with a configuration.
func tree(config string, paths ...string) map[string][]byte {
	files := map[string][]byte{}
	if config != "" {
		files[yml] = []byte(config)
	}
	for _, p := range paths {
		files[p] = []byte("x")
	}
	return files
}

type rig struct {
	source.Source
	env *storagetest.Env
}

func open(t testing.TB) rig {
	env := storagetest.New(t)
	return rig{over(env), env}
}

func over(env *storagetest.Env) source.Source {
	return source.Source{Objects: object.Bucket{Client: env.S3, Name: env.Bucket("RunsBucket")}}
}
