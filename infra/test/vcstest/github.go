// Package vcstest stands in for the VCS hosts in tests. It serves the endpoints that the
// product calls, over HTTP on the loopback interface, with the paging, limits, entity tags and
// errors that the hosts document. Tests change its state with methods, and make requests fail.
package vcstest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// AppID is the id of the GitHub App that the stand-in knows.
const AppID = 1001

// Repository is a repository at the stand-in.
type Repository struct {
	ID                         int64
	Owner, Name, DefaultBranch string
	Archived, Private          bool
	// Internal says that everybody of the enterprise can see a private repository.
	Internal  bool
	UpdatedAt time.Time
	// Files are the paths that exist on the default branch.
	Files []string
	// Branches are the commits of the branches, by name.
	Branches map[string]string
	// Content is the git data. If it is set, it stands for Files and Branches.
	Content Content
	// Methods are the ways to merge that the repository allows. Nil stands for all.
	Methods []string
	// Statuses and CheckRuns are those of commits, the oldest first, by id of the commit.
	Statuses  map[string][]Status
	CheckRuns map[string][]CheckRun
	// Changes are the pull requests or merge requests.
	Changes []Change
}

// GitHub is a stand-in for GitHub, or, by its path, for an Enterprise Server.
type GitHub struct {
	// API is the address that the App uses. It has a path, as that of an Enterprise Server.
	API string
	// Key is the App's private key, in PEM.
	Key string
	// CI has the workflow runs.
	CI CI
	// MaxTree is the number of entries beyond which a recursive tree is truncated. 0 stands
	// for 100,000. Set it before the first request.
	MaxTree int
	// OnWebhook is called with the webhooks of what people do, and of what the App does, in
	// order. It may not use the stand-in before it returns. Nil stands for no webhooks. Set it
	// before the first request.
	OnWebhook func(Webhook)
	// Now returns the time. Nil stands for time.Now. Set it before the first request.
	Now Clock

	public  *rsa.PublicKey
	handler http.Handler

	gate

	mu            sync.Mutex
	installations map[string][]Repository
	outside       []Repository
	suspended     map[string]bool
	withheld      map[string]string // path text that is forbidden to an installation, by id
	limits        rates
	members       map[string]member            // by organisation/login
	tokens        map[string]string            // token to installation
	reduced       map[string]map[string]string // permissions of tokens that were asked for with fewer
	collaborators map[string]member            // by owner/name/login
	app           App
	accepted      map[string]string
	codes         []string // codes of manifests
	teams         map[string]bool
	trees         map[string][]File // files of directories, by id of the tree
	comments      int64             // number of comments ever made
	content       contentLimit
}

// appKey returns the key of the App, which all tests of a process share: making one takes longer
// than most tests.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// NewGitHub starts a stand-in that ends with the test.
func NewGitHub(t testing.TB) *GitHub {
	t.Helper()
	private, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	g := MakeGitHub(private)
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.API = server.URL + GitHubPath
	return g
}

// GitHubPath is the path at which the API begins, as on an Enterprise Server.
const GitHubPath = "/api/v3"

// MakeGitHub makes a stand-in. It verifies the App by its private key. It is an http.Handler,
// for a caller that runs its own server.
func MakeGitHub(private *rsa.PrivateKey) *GitHub {
	g := &GitHub{
		public: &private.PublicKey, installations: map[string][]Repository{}, members: map[string]member{}, tokens: map[string]string{},
		reduced: map[string]map[string]string{}, collaborators: map[string]member{},
		teams: map[string]bool{}, trees: map[string][]File{},
		suspended: map[string]bool{}, withheld: map[string]string{}, limits: rates{hourly: hourly, used: map[string]int{}},
		Key: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v3/app/installations/{id}/access_tokens", g.token)
	mux.HandleFunc("GET /api/v3/installation/repositories", g.of(g.list))
	mux.HandleFunc("GET /api/v3/repositories/{id}", g.of(g.byID))
	mux.HandleFunc("GET /api/v3/repos/{owner}/{name}/actions/workflows", g.of(g.workflows))
	mux.HandleFunc("POST /api/v3/repos/{owner}/{name}/actions/workflows/{workflow}/dispatches", g.of(g.dispatch))
	mux.HandleFunc("GET /api/v3/repos/{owner}/{name}/actions/runs/{run}", g.of(g.workflowRun))
	mux.HandleFunc("POST /api/v3/repos/{owner}/{name}/actions/runs/{run}/cancel", g.of(g.cancelRun))
	g.appRoutes(mux)
	g.accessRoutes(mux)
	g.contentRoutes(mux)
	g.reviewRoutes(mux)
	g.commentRoutes(mux)
	g.mergeRoutes(mux)
	g.handler = g.behind(GitHubPath, mux)
	return g
}

// ServeHTTP implements http.Handler.
func (g *GitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Install sets the repositories of an installation. It replaces earlier ones.
func (g *GitHub) Install(installation string, repositories ...Repository) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.installations[installation] = repositories
}

// Update calls a function with a repository of an installation, which it may read and change.
// It reports whether there is such a repository. The function may send no request to the
// stand-in.
func (g *GitHub) Update(owner, name string, f func(*Repository)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, list := range g.installations {
		for i := range list {
			if list[i].Owner == owner && list[i].Name == name {
				f(&list[i])
				return true
			}
		}
	}
	return false
}

// Uninstall removes an installation.
func (g *GitHub) Uninstall(installation string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.installations, installation)
}

// Publish sets the public repositories that belong to no installation. A caller with a token
// can see them, and also the public repositories of other installations.
func (g *GitHub) Publish(repositories ...Repository) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.outside = repositories
}

// Permissions returns the permissions that a token was asked for with. They are nil for a
// token with all permissions of the App.
func (g *GitHub) Permissions(token string) map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reduced[token]
}

// token returns a token that is valid for an hour, to a caller that signs as the App.
func (g *GitHub) token(w http.ResponseWriter, r *http.Request) {
	if !g.signed(r) {
		refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.installations[r.PathValue("id")]; !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if g.suspended[r.PathValue("id")] {
		refuse(w, http.StatusForbidden, "This installation has been suspended")
		return
	}
	token := "ghs_" + rand.Text()
	g.tokens[token] = r.PathValue("id")
	var body struct {
		Permissions map[string]string `json:"permissions"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err == nil {
		g.reduced[token] = body.Permissions
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
}

// of serves a request of an installation. It checks the installation's token and handles the
// entity tag.
func (g *GitHub) of(serve func(http.ResponseWriter, *http.Request, []Repository) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(strings.TrimPrefix(r.Header.Get("Authorization"), "token "), "Bearer ")
		g.mu.Lock()
		defer g.mu.Unlock()
		installation, ok := g.tokens[token]
		if !ok {
			refuse(w, http.StatusUnauthorized, "Bad credentials")
			return
		}
		switch {
		case g.suspended[installation]:
			refuse(w, http.StatusForbidden, "This installation has been suspended")
			return
		case g.withheld[installation] != "" && strings.Contains(r.URL.Path, g.withheld[installation]):
			refuse(w, http.StatusForbidden, "Resource not accessible by integration")
			return
		case !g.limits.take(w, installation):
			refuse(w, http.StatusForbidden, "API rate limit exceeded for installation")
			return
		case r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/actions/") && !g.content.take(w, installation):
			refuse(w, http.StatusForbidden, "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.")
			return
		}
		answer := serve(w, r, g.installations[installation])
		if answer == nil {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		if other, ok := answer.(reply); ok {
			other.write(w)
			return
		}
		body, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(append([]byte(installation), body...))
		tag := `W/"` + hex.EncodeToString(sum[:]) + `"`
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if r.Header.Get("If-None-Match") == tag {
			g.unchanged()
			g.limits.give(w, installation)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(body)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q,"documentation_url":"https://docs.github.com/rest"}`, message)
}

func (g *GitHub) list(w http.ResponseWriter, r *http.Request, all []Repository) any {
	list := make([]any, len(all))
	for i, repo := range all {
		list[i] = repo.object()
	}
	return map[string]any{"total_count": len(all), "repositories": paged(w, r, list)}
}

// paged returns one page of a list, and states the next and the last page in the header Link.
func paged[T any](w http.ResponseWriter, r *http.Request, all []T) []T {
	size, page := 30, 1
	if n, err := strconv.Atoi(r.FormValue("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(r.FormValue("page")); err == nil && n > 0 {
		page = n
	}
	from, to := min(len(all), (page-1)*size), min(len(all), page*size)
	if to < len(all) {
		link := func(page int, rel string) string {
			return fmt.Sprintf(`<http://%s%s?page=%d&per_page=%d>; rel="%s"`, r.Host, r.URL.Path, page, size, rel)
		}
		w.Header().Set("Link", link(page+1, "next")+", "+link((len(all)+size-1)/size, "last"))
	}
	return all[from:to:to]
}

func (r Repository) visibility() string {
	switch {
	case r.Internal:
		return "internal"
	case r.Private:
		return "private"
	}
	return "public"
}

func (r Repository) object() any {
	at := r.UpdatedAt.UTC().Format(time.RFC3339)
	return map[string]any{
		"id": r.ID, "name": r.Name, "full_name": r.Owner + "/" + r.Name, "owner": map[string]any{"login": r.Owner},
		"private": r.Private, "visibility": r.visibility(),
		"archived": r.Archived, "default_branch": r.DefaultBranch, "updated_at": at, "pushed_at": at,
		"allow_merge_commit": r.allows("merge"), "allow_squash_merge": r.allows("squash"), "allow_rebase_merge": r.allows("rebase"),
	}
}

func (g *GitHub) byID(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	for _, repo := range append(slices.Clone(all), g.published()...) {
		if strconv.FormatInt(repo.ID, 10) == r.PathValue("id") {
			return repo.object()
		}
	}
	return nil
}

// published returns the repositories that everybody can see.
func (g *GitHub) published() []Repository {
	all := slices.Clone(g.outside)
	for _, list := range g.installations {
		all = append(all, list...)
	}
	return slices.DeleteFunc(all, func(r Repository) bool { return r.Private })
}
