package vcstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Group is a group at the stand-in for GitLab.
type Group struct {
	ID int64
	// FullPath defaults to "group-" and the id, because every group of GitLab has a path.
	FullPath, FullName string
	// Direct and Inherited are the access levels of members, by account.
	Direct, Inherited map[int64]int
	Projects          []Project
}

// Project is a project at the stand-in for GitLab.
type Project struct {
	ID                int64
	PathWithNamespace string
	DefaultBranch     string
	Archived, Public  bool
	// Internal says that everybody of the server can see the project.
	Internal  bool
	UpdatedAt time.Time
	// Branches are the commits of the branches, by name.
	Branches map[string]string
	// Content is the git data. If it is set, it stands for Branches.
	Content Content
	// MergeMethod is how the project merges branches: "merge", "rebase_merge" or "ff". It is
	// empty for "merge".
	MergeMethod string
	// Jobs are the external statuses of commits and the jobs of pipelines, the oldest first,
	// by id of the commit. Pipelines are the ids of pipelines in the same way.
	Jobs      map[string][]Job
	Pipelines map[string][]int64
	// Changes are the pull requests or merge requests.
	Changes []Change
}

// GitLab is a stand-in for GitLab.
type GitLab struct {
	// API is the address, without the version.
	API string
	// CI has the pipelines.
	CI CI
	// MaxDiff is the number of files beyond which a comparison is cut. 0 stands for 1,000. Set
	// it before the first request.
	MaxDiff int
	// OnWebhook is called with the webhooks of what people do, and of what the product does, in
	// order. It may not use the stand-in before it returns. Nil stands for no webhooks. Set it
	// before the first request.
	OnWebhook func(Webhook)
	// Now returns the time. Nil stands for time.Now. Set it before the first request.
	Now Clock

	gate

	handler http.Handler

	mu     sync.Mutex
	tokens map[string]int64 // token to account
	limits map[string]limit // by token. Tokens without a limit are not in it
	names  map[int64]string // account to name
	groups []Group
	made   int64   // number of comments, jobs and external pipelines ever made
	awards []award // reactions to comments
	// content limits writes.
	content contentLimit
}

// NewGitLab starts a stand-in that ends with the test.
func NewGitLab(t testing.TB) *GitLab {
	t.Helper()
	g := MakeGitLab()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.API = server.URL + GitLabPath
	return g
}

// GitLabPath is the path at which the API begins, without the version.
const GitLabPath = "/api"

// MakeGitLab makes a stand-in. It is an http.Handler, for a caller that runs its own server.
func MakeGitLab() *GitLab {
	g := &GitLab{tokens: map[string]int64{}, limits: map[string]limit{}, names: map[int64]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v4/user", g.as(g.whoami))
	mux.HandleFunc("GET /api/v4/personal_access_tokens/self", g.self)
	mux.HandleFunc("GET /api/v4/version", g.as(func(http.ResponseWriter, *http.Request, int64) any { return map[string]any{"version": "18.0.0"} }))
	mux.HandleFunc("GET /api/v4/groups", g.as(g.listGroups))
	mux.HandleFunc("GET /api/v4/groups/{group}", g.as(g.showGroup))
	mux.HandleFunc("GET /api/v4/groups/{group}/members/{account}", g.as(g.member(func(m Group) map[int64]int { return m.Direct })))
	mux.HandleFunc("GET /api/v4/groups/{group}/members/all/{account}", g.as(g.member(func(m Group) map[int64]int { return m.Inherited })))
	mux.HandleFunc("GET /api/v4/groups/{group}/projects", g.as(g.listProjects))
	mux.HandleFunc("GET /api/v4/projects/{project}", g.as(g.showProject))
	mux.HandleFunc("POST /api/v4/projects/{project}/pipeline", g.as(g.createPipeline))
	mux.HandleFunc("GET /api/v4/projects/{project}/pipelines/{run}", g.as(g.pipeline))
	mux.HandleFunc("POST /api/v4/projects/{project}/pipelines/{run}/cancel", g.as(g.cancelPipeline))
	g.contentRoutes(mux)
	g.mergeRoutes(mux)
	g.reviewRoutes(mux)
	g.noteRoutes(mux)
	g.handler = g.behind("/api/v4", mux)
	return g
}

// ServeHTTP implements http.Handler.
func (g *GitLab) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Account makes an account and returns a token of it.
func (g *GitLab) Account(id int64, username string) (token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	token = fmt.Sprint("glpat-", id, "-", username)
	g.tokens[token], g.names[id] = id, username
	return token
}

// limit holds the scopes of an access token and the day on which it expires.
type limit struct {
	scopes  []string
	expires string
}

// Limit makes a token an access token with scopes that expires on a day. Before that, a token
// of Account is a login's token.
func (g *GitLab) Limit(token string, expires time.Time, scopes ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits[token] = limit{scopes, expires.Format(time.DateOnly)}
}

// self describes an access token. A login's token is not an access token.
func (g *GitLab) self(w http.ResponseWriter, r *http.Request) {
	g.as(func(_ http.ResponseWriter, _ *http.Request, account int64) any {
		l, ok := g.limits[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		if !ok {
			return nil
		}
		return map[string]any{"id": 1, "user_id": account, "scopes": l.scopes, "active": true, "revoked": false, "expires_at": l.expires}
	})(w, r)
}

// Set makes a group. It replaces a group with the same id.
func (g *GitLab) Set(group Group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	group.FullPath = cmp.Or(group.FullPath, fmt.Sprint("group-", group.ID))
	for i := range g.groups {
		if g.groups[i].ID == group.ID {
			g.groups[i] = group
			return
		}
	}
	g.groups = append(g.groups, group)
}

// Update calls a function with a project, which it may read and change. It reports whether
// there is such a project. The function may send no request to the stand-in.
func (g *GitLab) Update(project int64, f func(*Project)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.groups {
		for i := range m.Projects {
			if m.Projects[i].ID == project {
				f(&m.Projects[i])
				return true
			}
		}
	}
	return false
}

// LimitContent sets how many writes an account may send in a minute and in an hour, by a
// clock.
func (g *GitLab) LimitContent(minutely, hourly int, now func() time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.content = contentLimit{minutely, hourly, now, map[string][]time.Time{}}
}

// as serves a request with an account's token. The response to an unknown token is a 401. If
// serve returns nil, the response is a 404.
func (g *GitLab) as(serve func(http.ResponseWriter, *http.Request, int64) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("RateLimit-Limit", "2000")
		w.Header().Set("RateLimit-Remaining", "1999")
		w.Header().Set("RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
		account, ok := g.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"401 Unauthorized"}`))
			return
		}
		if r.Method != http.MethodGet && !g.content.take(w, strconv.FormatInt(account, 10)) {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`))
			return
		}
		answer := serve(w, r, account)
		if answer == nil {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"404 Not Found"}`))
			return
		}
		switch answer := answer.(type) {
		case reply:
			answer.write(w)
		case raw:
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write(answer)
		default:
			_ = json.NewEncoder(w).Encode(answer)
		}
	}
}

func (g *GitLab) whoami(_ http.ResponseWriter, _ *http.Request, account int64) any {
	return map[string]any{"id": account, "username": g.names[account], "state": "active"}
}

// cut returns one page of a list, and sets the headers that say which page it is.
func cut[T any](w http.ResponseWriter, r *http.Request, all []T) []T {
	size, page := 20, 1
	if n, err := strconv.Atoi(r.FormValue("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(r.FormValue("page")); err == nil && n > 0 {
		page = n
	}
	from, to := min(len(all), (page-1)*size), min(len(all), page*size)
	w.Header().Set("X-Page", strconv.Itoa(page))
	w.Header().Set("X-Per-Page", strconv.Itoa(size))
	w.Header().Set("X-Next-Page", "")
	if len(all) <= 10_000 {
		w.Header().Set("X-Total", strconv.Itoa(len(all)))
	}
	if to < len(all) {
		w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
	}
	return all[from:to]
}

func (m Group) object() any {
	return map[string]any{"id": m.ID, "full_name": m.FullName, "full_path": m.FullPath}
}

func (g *GitLab) listGroups(w http.ResponseWriter, r *http.Request, account int64) any {
	least, _ := strconv.Atoi(r.FormValue("min_access_level"))
	list := []any{}
	for _, m := range g.groups {
		if level := m.Inherited[account]; level >= max(least, 1) {
			list = append(list, m.object())
		}
	}
	return cut(w, r, list)
}

// visible finds a group of which the account is a member, by id or path. As GitLab does, it
// takes a path that has only digits as an id.
func (g *GitLab) visible(r *http.Request, account int64) *Group {
	name := r.PathValue("group")
	id, err := strconv.ParseInt(name, 10, 64)
	for i, m := range g.groups {
		if (err == nil && m.ID == id || err != nil && m.FullPath == name) && m.Inherited[account] > 0 {
			return &g.groups[i]
		}
	}
	return nil
}

func (g *GitLab) showGroup(_ http.ResponseWriter, r *http.Request, account int64) any {
	if m := g.visible(r, account); m != nil {
		return m.object()
	}
	return nil
}

func (g *GitLab) member(levels func(Group) map[int64]int) func(http.ResponseWriter, *http.Request, int64) any {
	return func(_ http.ResponseWriter, r *http.Request, account int64) any {
		m := g.visible(r, account)
		id, err := strconv.ParseInt(r.PathValue("account"), 10, 64)
		if m == nil || err != nil || levels(*m)[id] == 0 {
			return nil
		}
		return map[string]any{"id": id, "username": g.names[id], "state": "active", "access_level": levels(*m)[id]}
	}
}

func (g *GitLab) project(p Project) any {
	visibility := "private"
	switch {
	case p.Public:
		visibility = "public"
	case p.Internal:
		visibility = "internal"
	}
	namespace := map[string]any{"kind": "user"}
	for _, m := range g.groups {
		if m.FullPath == path.Dir(p.PathWithNamespace) {
			namespace = map[string]any{"kind": "group", "id": m.ID, "full_path": m.FullPath}
		}
	}
	return map[string]any{
		"namespace": namespace, "id": p.ID, "path_with_namespace": p.PathWithNamespace, "default_branch": p.DefaultBranch, "archived": p.Archived,
		"visibility": visibility, "last_activity_at": p.UpdatedAt.UTC().Format(time.RFC3339),
	}
}

func (g *GitLab) listProjects(w http.ResponseWriter, r *http.Request, account int64) any {
	m := g.visible(r, account)
	if m == nil {
		return nil
	}
	list := make([]any, len(m.Projects))
	for i, p := range m.Projects {
		list[i] = g.project(p)
	}
	return cut(w, r, list)
}

func (g *GitLab) showProject(_ http.ResponseWriter, r *http.Request, account int64) any {
	for _, m := range g.groups {
		for _, p := range m.Projects {
			if strconv.FormatInt(p.ID, 10) == r.PathValue("project") && (p.Public || m.Inherited[account] > 0) {
				return g.project(p)
			}
		}
	}
	return nil
}
