//go:build unix

package journey

import (
	"bytes"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/template"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runtoken"
)

// The credentials that are admitted, by kind of route. Other kinds of credential are refused.
var (
	anyToken = []string{
		rightToken, restrictedToken, weakToken, readToken, writeToken, otherInstallation, otherVCS, otherVCSMember, outsider,
		memberSession, vouchedSession, formerSession, lapsedSession, outsiderSession,
	}
	// A route with a VCS refuses a token that is restricted to another VCS.
	anyTokenOfVCS = without(anyToken, otherVCS)
	// The same for GitLab, where an installation with the same id exists.
	anyGitlabToken = without(anyToken, restrictedToken, otherInstallation)
	// No user here has logged in at a host. For some sessions a host's statement is stored, and
	// nothing else.
	nobody   = []string{}
	creators = without(anyTokenOfVCS, weakToken, readToken, writeToken)
	readers  = []string{rightToken, restrictedToken, readToken, memberSession, vouchedSession, runToken, applyToken}
	writers  = []string{rightToken, restrictedToken, writeToken, memberSession, vouchedSession, runToken, applyToken}
	both     = []string{rightToken, restrictedToken, memberSession, vouchedSession, runToken, applyToken}
	// Members who may read and write.
	members = without(both, runToken, applyToken)
	// Tokens need the capability for runs, sessions of members need none.
	runReaders = members
	// A token that names no installation needs the capability, and lists what it reaches.
	tokensOfRuns = []string{rightToken, restrictedToken, otherInstallation, otherVCS, otherVCSMember, outsider}
	// A token or session of a member reaches the installation, whatever its capabilities are.
	reaching = []string{rightToken, restrictedToken, weakToken, readToken, writeToken, memberSession, vouchedSession}
)

func without(list []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(names, n) })
}

// row is a request of the walk to a route, and the expected responses.
type row struct {
	// target may have placeholders: {in} for the start of the installation's paths in the
	// store, {of} for the start of the paths of its lists, {id} for its id, {upload} for the id
	// of an upload of which nothing has arrived, {sent} for the id of an upload of which
	// everything has arrived, and {who} for a text of its own for each kind of credential.
	target, body string
	// passes lists the kinds of credential that are admitted. Nil means all kinds.
	passes []string
	// status is the response to the admitted kinds.
	status int
	// good is a request with the right token that succeeds, if the request above does not. It
	// is the zero value if success needs people. The walk of the hosted routes has people.
	good Request
	// ends says that the request ends a session or a run, so that the row comes last.
	ends bool

	names *strings.Replacer
}

// walk has a row for every route of template.yaml.
var walk = withRunners(map[string]row{
	"POST /api/v1/access-token/refresh":                            {target: "/api/v1/access-token/refresh", passes: []string{apiKey}, status: 200},
	"GET /api/v1/{vcs}/access-token":                               {target: "/api/v1/github/access-token", passes: creators, status: 200},
	"POST /api/v1/{vcs}/access-token":                              {target: "/api/v1/github/access-token", body: `{"name":"walk","capabilities":[]}`, passes: creators, status: 200},
	"DELETE /api/v1/{vcs}/access-token":                            {target: "/api/v1/github/access-token?id=5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", passes: creators, status: 200},
	"GET /api/v1/whoami":                                           {target: "/api/v1/whoami", passes: append(anyToken, apiKey), status: 200},
	"GET /api/v1/{vcs}/whoami":                                     {target: "/api/v1/github/whoami", passes: append(without(anyTokenOfVCS, otherVCSMember), apiKey), status: 200},
	"POST /api/v1/logout":                                          {target: "/api/v1/logout", passes: anyToken, status: 200, ends: true},
	"GET /api/v1/{vcs}/login":                                      {target: "/api/v1/gitlab/login", status: 303},
	"GET /api/v1/{vcs}/callback":                                   {target: "/api/v1/gitlab/callback?code=x", status: 303},
	"GET /api/github/v1/callback":                                  {target: "/api/github/v1/callback?code=x", status: 303},
	"GET /api/v1/tasks":                                            {target: "/api/v1/tasks", passes: anyToken, status: 200},
	"GET /api/v1/tasks/{id}":                                       {target: "/api/v1/tasks/5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d", passes: anyToken, status: 404},
	"POST /api/v1/tasks/{id}/abort":                                {target: "/api/v1/tasks/5b0e7f7a-8b1c-4f57-9d0e-0f8e1a2b3c4d/abort", passes: anyToken, status: 404},
	"GET /api/v1/audit":                                            {target: "/api/v1/audit?vcs=github&installation_id={id}", passes: without(members, memberSession, vouchedSession), status: 200},
	"GET /api/v1/server/config":                                    {target: "/api/v1/server/config", status: 200},
	"GET /api/v1/{vcs}/client_id":                                  {target: "/api/v1/github/client_id", status: 200},
	"GET /":                                                        {target: "/", status: 200},
	"HEAD /health":                                                 {target: "/health", status: 200},
	"GET /health":                                                  {target: "/health", status: 200},
	"GET /api/v1/openapi.json":                                     {target: "/api/v1/openapi.json", status: 200},
	"GET /api/v1/user/{vcs}/installations":                         {target: "/api/v1/user/github/installations", passes: anyTokenOfVCS, status: 200},
	"GET /api/v1/{vcs}/installations":                              {target: "/api/v1/github/installations", passes: anyTokenOfVCS, status: 200},
	"GET " + ofInstallation + "/repos":                             {target: "{of}/repos", passes: reaching, status: 200},
	"GET " + ofInstallation + "/work-manifests":                    {target: "{of}/work-manifests", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/work-manifests/{work_manifest_id}": {target: "{of}/work-manifests/{run}", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/workspaces":                        {target: "{of}/workspaces", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/dirspaces":                         {target: "{of}/dirspaces", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/work-manifests/{work_manifest_id}/outputs":            {target: "{of}/work-manifests/{run}/outputs", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/work-manifests/{work_manifest_id}/outputs/{idx}/text": {target: "{of}/work-manifests/{run}/outputs/0/text", passes: runReaders, status: 404, good: Request{Target: "{of}/work-manifests/{done}/outputs/0/text"}},
	"GET " + ofInstallation + "/work-manifests/{work_manifest_id}/text":               {target: "{of}/work-manifests/{run}/text", passes: runReaders, status: 404, good: Request{Target: "{of}/work-manifests/{done}/text"}},
	"GET /api/v1/admin/drifts": {target: "/api/v1/admin/drifts", passes: tokensOfRuns, status: 200},
	"GET " + ofInstallation + "/repos/{repo_id}/prs/{pull_request_id}/stacks":  {target: "{of}/repos/9/prs/17/stacks", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/repos/{repo_id}/prs/{pull_request_id}/explain": {target: "{of}/repos/9/prs/17/explain", passes: runReaders, status: 404},
	"GET " + ofInstallation + "/locks":                                         {target: "{of}/locks", passes: runReaders, status: 200},
	"GET " + ofInstallation + "/waiting":                                       {target: "{of}/waiting", passes: runReaders, status: 200},
	"POST " + ofInstallation + "/repos/{repo_id}/work-manifests":               {target: "{of}/repos/9/work-manifests", body: planOfNet, passes: members, status: 400},
	"POST " + ofInstallation + "/work-manifests/{work_manifest_id}/rerun":      {target: "{of}/work-manifests/{run}/rerun", passes: members, status: 400},
	"POST " + ofInstallation + "/work-manifests/{work_manifest_id}/abort":      {target: "{of}/work-manifests/{run}/abort", passes: members, status: 400},
	"POST " + ofInstallation + "/repos/{repo_id}/prs/{pull_request_id}/unlock": {target: "{of}/repos/9/prs/17/unlock", passes: members, status: 400},
	"POST " + ofInstallation + "/repos/{repo_id}/drift/unlock":                 {target: "{of}/repos/9/drift/unlock", passes: members, status: 400},
	"GET " + ofInstallation + "/pull-requests":                                 {target: "{of}/pull-requests", passes: reaching, status: 200},
	"GET /api/v1/{vcs}/groups":                                                 {target: "/api/v1/gitlab/groups", passes: nobody, status: 0},
	"GET /api/v1/{vcs}/groups/{id}/is-member":                                  {target: "/api/v1/gitlab/groups/{id}/is-member", passes: without(anyGitlabToken, outsider, memberSession, vouchedSession, formerSession, lapsedSession, outsiderSession), status: 200},
	"GET /api/v1/{vcs}/whoareyou":                                              {target: "/api/v1/gitlab/whoareyou", passes: anyGitlabToken, status: 404},
	"GET " + ofInstallation + "/webhook":                                       {target: "/api/v1/gitlab/installations/5/webhook", passes: nobody, status: 0},
	"PUT " + ofInstallation + "/access-token":                                  {target: "/api/v1/gitlab/installations/5/access-token", body: `{"access_token":"x"}`, passes: nobody, status: 0},
	"POST " + ofInstallation + "/repos/refresh":                                {target: "{of}/repos/refresh", passes: reaching, status: 200},
	"DELETE " + ofInstallation + "/repos/{repo_id}":                            {target: "{of}/repos/7", passes: members, status: 400},
	"POST /api/github/v1/events":                                               {target: "/api/github/v1/events", body: "{}", status: 403},
	"POST /api/v1/{vcs}/events":                                                {target: "/api/v1/gitlab/events", body: "{}", status: 403},
	"GET " + store + "/key/{key+}":                                             {target: "{in}/key/walk", passes: readers, status: 200},
	"GET " + store + "/key":                                                    {target: "{in}/key", passes: readers, status: 200},
	"PUT " + store + "/key/{key+}":                                             {target: "{in}/key/set-{who}", body: `{"data":1}`, passes: writers, status: 200},
	"PUT " + store + "/key":                                                    {target: "{in}/key", body: `{"data":1,"idx":7}`, passes: writers, status: 200},
	"DELETE " + store + "/key/{key+}":                                          {target: "{in}/key/walk?idx=9", passes: both, status: 200},
	"DELETE " + store + "/key":                                                 {target: "{in}/key?idx=9", passes: both, status: 200},
	"PUT " + store + "/cas/key/{key+}":                                         {target: "{in}/cas/key/cas-{who}", body: `{"data":1}`, passes: both, status: 200},
	"PUT " + store + "/cas/key":                                                {target: "{in}/cas/key", body: `{"data":1,"idx":8}`, passes: both, status: 400, good: Request{Target: "{in}/cas/key", Body: `{"data":1,"idx":10}`}},
	"GET " + store + "/count/key/{key+}":                                       {target: "{in}/count/key/walk", passes: readers, status: 200},
	"GET " + store + "/count/key":                                              {target: "{in}/count/key", passes: readers, status: 200},
	"GET " + store + "/size/key/{key+}":                                        {target: "{in}/size/key/walk", passes: readers, status: 200},
	"GET " + store + "/size/key":                                               {target: "{in}/size/key", passes: readers, status: 200},
	"GET " + store + "/iter/{key+}":                                            {target: "{in}/iter/walk", passes: readers, status: 200},
	"GET " + store + "/iter":                                                   {target: "{in}/iter", passes: readers, status: 200},
	"POST " + store + "/commit":                                                {target: "{in}/commit", body: `{"keys":[{"key":"draft"}]}`, passes: writers, status: 200},
	"POST " + store + "/read":                                                  {target: "{in}/read", body: `{"get":{"key":"walk"}}`, passes: readers, status: 200},
	"POST " + store + "/write":                                                 {target: "{in}/write", body: `{"set":{"key":"written","data":1}}`, passes: writers, status: 200},
	"POST " + store + "/artifact/key/{key+}":                                   {target: "{in}/artifact/key/file", body: announcement, passes: writers, status: 201},
	"POST " + store + "/artifact/key":                                          {target: "{in}/artifact/key", body: announcement, passes: writers, status: 201},
	"GET " + store + "/artifact/key/{key+}":                                    {target: "{in}/artifact/key/file", passes: readers, status: 302},
	"GET " + store + "/artifact/key":                                           {target: "{in}/artifact/key", passes: readers, status: 400, good: Request{Target: "{in}/artifact/key?idx=11"}},
	"GET " + store + "/artifact/upload":                                        {target: "{in}/artifact/upload", passes: writers, status: 200},
	"GET " + store + "/artifact/upload/{upload_id}":                            {target: "{in}/artifact/upload/{upload}", passes: writers, status: 200},
	"DELETE " + store + "/artifact/upload/{upload_id}":                         {target: "{in}/artifact/upload/00000000000000000000000000000000", passes: writers, status: 404, good: Request{Target: "{in}/artifact/upload/{upload}"}},
	"POST " + store + "/artifact/upload/{upload_id}/complete":                  {target: "{in}/artifact/upload/{upload}/complete", passes: writers, status: 400, good: Request{Target: "{in}/artifact/upload/{sent}/complete"}},
	"GET " + ofInstallation + "/tasks":                                         {target: "{of}/tasks", passes: without(members, memberSession, vouchedSession), status: 200},
})

// withRunners adds the rows of the routes that runners call, for each host. Each route is for the
// run of the token only. The apply fetches a plan, and the plan does all else.
func withRunners(rows map[string]row) map[string]row {
	start := `{"run_id":"77","sha":"` + Commit + `"}`
	for _, at := range []struct{ vcs, plan, apply, id, applyID string }{
		{"github", runToken, applyToken, "{work}", "{apply work}"}, {"gitlab", twinRunToken, twinApplyToken, "{twin work}", "{twin apply work}"},
	} {
		pattern, target := "/api/"+at.vcs+"/v1/work-manifests/{work_manifest_id}", "/api/"+at.vcs+"/v1/work-manifests/"+at.id
		plan, apply := []string{at.plan}, []string{at.apply}
		rows["POST "+pattern+"/initiate"] = row{target: target + "/initiate", body: start, status: 200}
		rows["POST "+pattern+"/plans"] = row{target: target + "/plans", body: `{"path":"net","workspace":"default","plan_data":""}`, passes: plan, status: 200}
		rows["GET "+pattern+"/plans"] = row{target: strings.Replace(target, at.id, at.applyID, 1) + "/plans?path=net&workspace=default", passes: apply, status: 200}
		rows["POST "+pattern+"/plans/upload"] = row{target: target + "/plans/upload", body: `{"path":"net","workspace":"default","size":0,"sha256":"` + emptySHA256 + `"}`, passes: plan, status: 200}
		rows["GET "+pattern+"/plans/download"] = row{target: strings.Replace(target, at.id, at.applyID, 1) + "/plans/download?path=net&workspace=default", passes: apply, status: 200}
		rows["PUT "+pattern] = row{target: target, body: `{"steps":[]}`, passes: plan, status: 200, ends: true}
		rows["GET "+pattern+"/workspaces"] = row{target: target + "/workspaces", passes: plan, status: 200}
		rows["POST "+pattern+"/workspaces"] = row{target: target + "/workspaces", passes: plan, status: 200}
	}
	rows["POST /api/github/v1/work-manifests/{work_manifest_id}/access-token"] = row{target: "/api/github/v1/work-manifests/{work}/access-token", passes: []string{runToken}, status: 200}
	return rows
}

// emptySHA256 is the SHA-256 of no bytes.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const (
	store          = "/api/v1/{vcs}/kv/{installation_id}"
	ofInstallation = "/api/v1/{vcs}/installations/{installation_id}"
)

// planOfNet is the body of a request that starts a plan.
const planOfNet = `{"run_type":"plan","branch":"main","dirspaces":[{"dir":"net"}]}`

// announcement is the body of a request that announces an upload.
var announcement = Announcement([]byte("walk"), "")

// fill writes what the rows read: the key walk and the empty key with idx 0, a draft, two files
// and the change set of a pull request. It also writes idx 8, so that an insert fails because of its form and not for
// authority. It returns the ids of an upload that nobody sends, and of one that is sent.
func fill(t *testing.T, c *Client, in Installation) (upload, sent string) {
	t.Helper()
	for _, body := range []string{`{"data":1}`, `{"data":1,"idx":8}`} {
		written(t, c.Do(t, "PUT", in.Path("key", ""), body))
		written(t, c.Do(t, "PUT", in.Path("key", "walk"), body))
	}
	written(t, c.Do(t, "PUT", in.Path("key", "draft"), `{"data":1,"committed":false}`))
	c.Store(t, in, "file", []byte("walk"), "")
	c.Store(t, in, "", []byte("walk"), `,"idx":11`)
	c.stack.ChangeSet(t, in, "9", 17)
	whole := c.Announce(t, in, "sent", announcement)
	whole.send(t, []byte("walk"))
	return c.Announce(t, in, "unsent", announcement).ID, whole.ID
}

// TestRoutesOfAStackWithHosts sends requests to every route with every kind of credential, and
// to the hosted routes as people of the hosts, on one stack.
func TestRoutesOfAStackWithHosts(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	s := h.launch(t)
	tmpl, err := template.Load(s.programs.root+"/template.yaml", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]bool{}
	t.Run("every route answers every kind of credential as its row says", func(t *testing.T) { walkAll(t, s, h, tmpl, done) })
	t.Run("hosted routes answer people as the hosts say", func(t *testing.T) {
		c := newScene(t, s, h)
		c.walk(t, done)
		c.deliver(t, done)
	})
	for route := range walk {
		if !done[route] {
			t.Errorf("%s never did what it is for: no cell of the walks succeeded", route)
		}
	}
	t.Run("runners are served as their protocol says", func(t *testing.T) { serveRunners(t, s, h) })
	t.Run("a person logs in, works and logs out", func(t *testing.T) { logIn(t, s, h) })
	t.Run("a former member is found out by the schedule", func(t *testing.T) { beFoundOut(t, s, h) })
}

// walkAll sends every row with every kind of credential, and records the routes that have
// succeeded.
func walkAll(t *testing.T, s *Stack, h *hosts, tmpl *template.Template, done map[string]bool) {
	c, in := s.Member(t)
	h.github.Install(in.ID)
	upload, sent := fill(t, c, in)
	proofs := proofsFor(t, s, in)
	walked := map[string]bool{}
	var last []func()
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
			row.names = strings.NewReplacer("{in}", in.Base(), "{of}", strings.Replace(in.Base(), "/kv/", "/installations/", 1),
				"{id}", in.ID, "{upload}", upload, "{sent}", sent, "{run}", string(runOf(t, proofs[runToken])),
				"{work}", s.workToken(t, runOf(t, proofs[runToken])), "{apply work}", s.workToken(t, runOf(t, proofs[applyToken])),
				"{twin work}", s.workToken(t, runOf(t, proofs[twinRunToken])), "{twin apply work}", s.workToken(t, runOf(t, proofs[twinApplyToken])))
			try := func() {
				t.Run(strings.ReplaceAll(route, "/", "|"), func(t *testing.T) { done[route] = row.try(t, s, r.Method, proofs) })
			}
			if row.ends {
				last = append(last, try)
				continue
			}
			try()
		}
	}
	// Beyond what Lambda takes, the gateway says what to do: the runner shows the text.
	large := Request{Method: "POST", Target: "/api/github/v1/work-manifests/" + s.workToken(t, runOf(t, proofs[runToken])) + "/plans", Authorization: proofs[runToken].header, Body: strings.Repeat("x", 7<<20)}
	if resp := s.Do(t, large).Want(t, 413); !strings.Contains(string(resp.Body), "parameter PlanUploads of the stack to on") {
		t.Errorf("got %v, want what to do", resp)
	}
	for _, try := range last {
		try()
	}
	if printed, err := s.output(); err != nil || bytes.Contains(printed, []byte(SecretOfPlan)) || bytes.Contains(printed, []byte(SecretOfOutput)) {
		t.Errorf("the stack printed a secret of a run (%v)", err)
	}
	for route := range walk {
		if !walked[route] {
			t.Errorf("%s has a row in this test and is not in the template", route)
		}
	}
	finished := s.Run(t, in)
	s.Runner(t, in, finished, "POST", "/initiate", `{"run_id":"1","sha":"`+Commit+`"}`).Want(t, 200)
	s.Runner(t, in, finished, "PUT", "", netPlanned).Want(t, 200)
	for route, row := range walk {
		if method, _, _ := strings.Cut(route, " "); row.good.Target != "" {
			names := strings.NewReplacer("{in}", in.Base(), "{of}", strings.Replace(in.Base(), "/kv/", "/installations/", 1), "{upload}", upload, "{sent}", sent, "{done}", string(finished.ID))
			resp := c.Do(t, method, names.Replace(row.good.Target), row.good.Body)
			if done[route] = resp.Status < 400; !done[route] {
				t.Errorf("%s: got %v, want a success", route, resp)
			}
		}
	}
}

// try sends the row's request with every kind of credential, and reports whether one of them
// succeeded. The refused kinds come first, so that the draft stays a draft until a kind is
// admitted.
func (r row) try(t *testing.T, s *Stack, method string, proofs map[string]proof) (succeeded bool) {
	names := slices.Sorted(maps.Keys(proofs))
	slices.SortStableFunc(names, func(a, b string) int { return r.rank(a) - r.rank(b) })
	for _, name := range names {
		target := strings.ReplaceAll(r.names.Replace(r.target), "{who}", url.PathEscape(name))
		resp := s.Do(t, proofs[name].fresh(t).onto(Request{Method: method, Target: target, Body: r.body}))
		switch {
		case r.rank(name) == 0 && (resp.Status != 403 || len(resp.Body) > 0):
			t.Errorf("%s: got %v, want 403 without a body", name, resp)
		case r.rank(name) == 1 && resp.Status != r.status:
			t.Errorf("%s: got %v, want status %d", name, resp, r.status)
		}
		checkSecrets(t, name, resp)
		succeeded = succeeded || resp.Status < 400
		if strings.Contains(r.target, "{who}") {
			r.checkEffect(t, s, name, strings.Replace(target, "/cas/key/", "/key/", 1), proofs)
		}
	}
	return succeeded
}

// checkSecrets fails the test if a response has what the runners of runs have planted: the plan,
// unless the response is that to the runner of its apply, or the sensitive output.
func checkSecrets(t *testing.T, name string, resp Response) {
	t.Helper()
	fetches := (name == applyToken || name == twinApplyToken) && strings.HasSuffix(resp.request.URL.Path, "/plans")
	for _, secret := range []string{SecretOfPlan, base64.StdEncoding.EncodeToString([]byte(SecretOfPlan)), SecretOfOutput} {
		if strings.Contains(string(resp.Body), secret) && !(fetches && secret != SecretOfOutput) {
			t.Errorf("%s: got %v, which has a secret of a run", name, resp)
		}
	}
}

// runOf returns the id of the run to which a proof belongs.
func runOf(t *testing.T, p proof) run.ID {
	t.Helper()
	id, ok := runtoken.RunOf(strings.TrimPrefix(p.header, "Bearer "))
	if !ok {
		t.Fatal("the proof is not the token of a run")
	}
	return id
}

// rank returns 0 for a kind that is refused and 1 for a kind that is admitted.
func (r row) rank(name string) int {
	if r.passes == nil || slices.Contains(r.passes, name) {
		return 1
	}
	return 0
}

// checkEffect checks that a refused write wrote nothing.
func (r row) checkEffect(t *testing.T, s *Stack, name, target string, proofs map[string]proof) {
	t.Helper()
	want := 404
	if r.rank(name) == 1 {
		want = 200
	}
	if resp := s.Do(t, Request{Method: "GET", Target: target, Authorization: proofs[rightToken].fresh(t).header}); resp.Status != want {
		t.Errorf("%s: after its write got %v, want status %d", name, resp, want)
	}
}
