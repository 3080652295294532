//go:build unix

package journey

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/template"
)

// Who may pass, by kind of route. Kinds of credential that are not listed are
// refused.
var (
	anyToken = []string{
		rightToken, restrictedToken, weakToken, readToken, writeToken, otherInstallation, otherVCS, otherVCSMember, outsider,
		memberSession, vouchedSession, formerSession, lapsedSession, outsiderSession,
	}
	// A VCS that the route is about lets no token pass that is restricted to another.
	anyTokenOfVCS = without(anyToken, otherVCS)
	// Likewise of GitLab, where the installation has a twin of the same id.
	anyGitlabToken = without(anyToken, restrictedToken, otherInstallation)
	gitlabCreators = without(anyGitlabToken, weakToken, readToken, writeToken)
	creators       = without(anyTokenOfVCS, weakToken, readToken, writeToken)
	readers        = []string{rightToken, restrictedToken, readToken, memberSession, vouchedSession}
	writers        = []string{rightToken, restrictedToken, writeToken, memberSession, vouchedSession}
	both           = []string{rightToken, restrictedToken, memberSession, vouchedSession}
	// A token or session of a member reaches the installation, whatever its capabilities.
	reaching = []string{rightToken, restrictedToken, weakToken, readToken, writeToken, memberSession, vouchedSession}
)

func without(list []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(names, n) })
}

// row is what the walk sends to a route, and who gets what answer.
type row struct {
	// target has {in} for the start of the installation's paths in the store, {of} for that of its lists, {id} for its id, {upload} for
	// the id of an upload of which nothing has arrived, and {who} for a word of
	// its own for each kind of credential.
	target, body string
	// passes lists the kinds of credential that are let in; nil is everyone.
	passes []string
	// status is the answer to those who are let in.
	status int
}

// walk has a row for every route of template.yaml.
var walk = map[string]row{
	"POST /api/v1/access-token/refresh":                       {"/api/v1/access-token/refresh", "", []string{apiKey}, 200},
	"GET /api/v1/{vcs}/access-token":                          {"/api/v1/github/access-token", "", creators, 200},
	"POST /api/v1/{vcs}/access-token":                         {"/api/v1/github/access-token", `{"name":"walk","capabilities":[]}`, creators, 200},
	"DELETE /api/v1/{vcs}/access-token":                       {"/api/v1/github/access-token?id=5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", "", creators, 200},
	"GET /api/v1/whoami":                                      {"/api/v1/whoami", "", append(anyToken, apiKey), 200},
	"GET /api/v1/{vcs}/whoami":                                {"/api/v1/github/whoami", "", append(without(anyTokenOfVCS, otherVCSMember), apiKey), 200},
	"POST /api/v1/logout":                                     {"/api/v1/logout", "", anyToken, 200},
	"GET /api/v1/{vcs}/login":                                 {"/api/v1/gitlab/login", "", nil, 404},
	"GET /api/v1/{vcs}/callback":                              {"/api/v1/gitlab/callback?code=x", "", nil, 404},
	"GET /api/github/v1/callback":                             {"/api/github/v1/callback?code=x", "", nil, 404},
	"GET /api/v1/tasks/{id}":                                  {"/api/v1/tasks/5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", "", anyToken, 404},
	"GET /api/v1/audit":                                       {"/api/v1/audit?vcs=github&installation_id={id}", "", without(both, memberSession, vouchedSession), 200},
	"GET /api/v1/server/config":                               {"/api/v1/server/config", "", nil, 200},
	"GET /api/v1/{vcs}/client_id":                             {"/api/v1/gitlab/client_id", "", nil, 404},
	"GET /health":                                             {"/health", "", nil, 200},
	"GET /api/v1/openapi.json":                                {"/api/v1/openapi.json", "", nil, 200},
	"GET /api/v1/user/{vcs}/installations":                    {"/api/v1/user/github/installations", "", anyTokenOfVCS, 200},
	"GET /api/v1/{vcs}/installations":                         {"/api/v1/github/installations", "", anyTokenOfVCS, 200},
	"GET " + ofInstallation + "/repos":                        {"{of}/repos", "", reaching, 200},
	"GET " + ofInstallation + "/pull-requests":                {"{of}/pull-requests", "", reaching, 200},
	"GET /api/v1/{vcs}/groups":                                {"/api/v1/gitlab/groups", "", anyGitlabToken, 400},
	"GET /api/v1/{vcs}/groups/{id}/is-member":                 {"/api/v1/gitlab/groups/{id}/is-member", "", without(anyGitlabToken, outsider, memberSession, vouchedSession, formerSession, lapsedSession, outsiderSession), 200},
	"GET /api/v1/{vcs}/whoareyou":                             {"/api/v1/gitlab/whoareyou", "", anyGitlabToken, 404},
	"GET " + ofInstallation + "/webhook":                      {"/api/v1/gitlab/installations/5/webhook", "", gitlabCreators, 400},
	"PUT " + ofInstallation + "/access-token":                 {"/api/v1/gitlab/installations/5/access-token", `{"access_token":"x"}`, gitlabCreators, 400},
	"POST " + ofInstallation + "/repos/refresh":               {"{of}/repos/refresh", "", reaching, 200},
	"DELETE " + ofInstallation + "/repos/{repo_id}":           {"{of}/repos/7", "", reaching, 400},
	"POST /api/github/v1/events":                              {"/api/github/v1/events", "{}", nil, 403},
	"POST /api/v1/{vcs}/events":                               {"/api/v1/gitlab/events", "{}", nil, 403},
	"GET " + store + "/key/{key+}":                            {"{in}/key/walk", "", readers, 200},
	"GET " + store + "/key":                                   {"{in}/key", "", readers, 200},
	"PUT " + store + "/key/{key+}":                            {"{in}/key/set-{who}", `{"data":1}`, writers, 200},
	"PUT " + store + "/key":                                   {"{in}/key", `{"data":1,"idx":7}`, writers, 200},
	"DELETE " + store + "/key/{key+}":                         {"{in}/key/walk?idx=9", "", both, 200},
	"DELETE " + store + "/key":                                {"{in}/key?idx=9", "", both, 200},
	"PUT " + store + "/cas/key/{key+}":                        {"{in}/cas/key/cas-{who}", `{"data":1}`, both, 200},
	"PUT " + store + "/cas/key":                               {"{in}/cas/key", `{"data":1,"idx":8}`, both, 400},
	"GET " + store + "/count/key/{key+}":                      {"{in}/count/key/walk", "", readers, 200},
	"GET " + store + "/count/key":                             {"{in}/count/key", "", readers, 200},
	"GET " + store + "/size/key/{key+}":                       {"{in}/size/key/walk", "", readers, 200},
	"GET " + store + "/size/key":                              {"{in}/size/key", "", readers, 200},
	"GET " + store + "/iter/{key+}":                           {"{in}/iter/walk", "", readers, 200},
	"GET " + store + "/iter":                                  {"{in}/iter", "", readers, 200},
	"POST " + store + "/commit":                               {"{in}/commit", `{"keys":[{"key":"draft"}]}`, writers, 200},
	"POST " + store + "/artifact/key/{key+}":                  {"{in}/artifact/key/file", announcement, writers, 201},
	"POST " + store + "/artifact/key":                         {"{in}/artifact/key", announcement, writers, 201},
	"GET " + store + "/artifact/key/{key+}":                   {"{in}/artifact/key/file", "", readers, 302},
	"GET " + store + "/artifact/key":                          {"{in}/artifact/key", "", readers, 400},
	"GET " + store + "/artifact/upload/{upload_id}":           {"{in}/artifact/upload/{upload}", "", writers, 200},
	"DELETE " + store + "/artifact/upload/{upload_id}":        {"{in}/artifact/upload/00000000000000000000000000000000", "", writers, 404},
	"POST " + store + "/artifact/upload/{upload_id}/complete": {"{in}/artifact/upload/{upload}/complete", "", writers, 400},
}

const (
	store          = "/api/v1/{vcs}/kv/{installation_id}"
	ofInstallation = "/api/v1/{vcs}/installations/{installation_id}"
)

// announcement is the body of a request for an upload.
var announcement = Announcement([]byte("walk"), "")

// fill writes what the rows read: key walk and the empty key with idx 0 (and 8,
// so that an insert fails in form and not in right), a draft and a file. It
// answers the id of an upload that nobody sends.
func fill(t *testing.T, c *Client, in Installation) (upload string) {
	t.Helper()
	for _, body := range []string{`{"data":1}`, `{"data":1,"idx":8}`} {
		written(t, c.Do(t, "PUT", in.Path("key", ""), body))
		written(t, c.Do(t, "PUT", in.Path("key", "walk"), body))
	}
	written(t, c.Do(t, "PUT", in.Path("key", "draft"), `{"data":1,"committed":false}`))
	c.Store(t, in, "file", []byte("walk"), "")
	return c.Announce(t, in, "unsent", announcement).ID
}

func TestEveryRouteAnswersEveryKindOfCredentialAsItsRowSays(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	tmpl, err := template.Load(s.programs.root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, in := s.Member(t)
	upload := fill(t, c, in)
	proofs := proofsFor(t, s, in)

	walked := map[string]bool{}
	end := func() {} // what ends sessions comes last
	for _, f := range tmpl.Functions {
		for _, r := range f.Routes {
			route := r.Method + " " + r.Path
			walked[route] = true
			row, ok := walk[route]
			if !ok {
				t.Errorf("%s has no row in this test: add one that says who may pass", route)
				continue
			}
			if public := r.Authorizer == ""; public != (row.passes == nil) {
				t.Errorf("%s: the template lets everyone pass = %v, its row %v", route, public, row.passes == nil)
			}
			try := func() {
				t.Run(strings.ReplaceAll(route, "/", "|"), func(t *testing.T) { row.try(t, s, r.Method, in, upload, proofs) })
			}
			if r.Path == "/api/v1/logout" {
				end = try
				continue
			}
			try()
		}
	}
	end()
	for route := range walk {
		if !walked[route] {
			t.Errorf("%s has a row in this test and is not in the template", route)
		}
	}
}

// try sends the row's request with every kind of credential. The refused come
// first, so that the draft stays one for as long as only they have been here.
func (r row) try(t *testing.T, s *Stack, method string, in Installation, upload string, proofs map[string]proof) {
	names := slices.Sorted(maps.Keys(proofs))
	slices.SortStableFunc(names, func(a, b string) int { return r.rank(a) - r.rank(b) })
	for _, name := range names {
		target := strings.NewReplacer("{in}", in.Base(), "{of}", strings.Replace(in.Base(), "/kv/", "/installations/", 1), "{id}", in.ID, "{upload}", upload, "{who}", url.PathEscape(name)).Replace(r.target)
		resp := s.Do(t, proofs[name].onto(Request{Method: method, Target: target, Body: r.body}))
		switch {
		case r.rank(name) == 0 && (resp.Status != 403 || len(resp.Body) > 0):
			t.Errorf("%s: got %v, want 403 without a body", name, resp)
		case r.rank(name) == 1 && resp.Status != r.status:
			t.Errorf("%s: got %v, want status %d", name, resp, r.status)
		}
		if strings.Contains(r.target, "{who}") {
			r.checkEffect(t, s, name, strings.Replace(target, "/cas/key/", "/key/", 1), proofs)
		}
	}
}

// rank is 0 for who is refused and 1 for who passes.
func (r row) rank(name string) int {
	if r.passes == nil || slices.Contains(r.passes, name) {
		return 1
	}
	return 0
}

// checkEffect makes sure that a refused write wrote nothing.
func (r row) checkEffect(t *testing.T, s *Stack, name, target string, proofs map[string]proof) {
	t.Helper()
	want := 404
	if r.rank(name) == 1 {
		want = 200
	}
	if resp := s.Do(t, Request{Method: "GET", Target: target, Authorization: proofs[rightToken].header}); resp.Status != want {
		t.Errorf("%s: after its write got %v, want status %d", name, resp, want)
	}
}
