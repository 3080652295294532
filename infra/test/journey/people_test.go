//go:build unix

package journey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
)

// The people in the walk of the hosted routes, and their names. All except lapsed and stranger
// have an account at both hosts. lapsed is linked with accounts whose host grants the hosts no
// longer accept.
const (
	maintainer = "maintainer" // of the installation, and a member of the neighbouring installation
	developer  = "developer"  // of the installation
	former     = "former member"
	lapsed     = "member whose host grants are no longer accepted"
	other      = "member of the neighbour"
	stranger   = "stranger"
)

// The credentials of each person: a session, an API key with every capability, and an access
// token of the key. The maintainer also has restricted tokens, and a token without any
// capability.
const (
	asSession, asKey, asToken = "session", "API key", "token"
	restrictedHere            = "token restricted to the group"
	restrictedElsewhere       = "token restricted to the neighbour"
	restrictedVCS             = "token restricted to GitHub"
	powerless                 = "token without a capability"
)

// who returns the name of one of a person's credentials.
func who(person, credential string) string { return person + ", " + credential }

// scene is two installations of each host, with their people.
type scene struct {
	stack  *Stack
	hosts  *hosts
	here   map[string]Installation // by VCS
	beside map[string]Installation
	proofs map[string]proof
	tokens map[string]*Client // the keys whose tokens are proofs: a token lives for a minute
	order  []string           // the names of the proofs
	task   string             // id of the maintainer's task at the group
	runs   map[string]string  // ids of the maintainer's runs, by VCS
}

const bot = 9

func newScene(t *testing.T, s *Stack, h *hosts) *scene {
	c := &scene{stack: s, hosts: h, here: map[string]Installation{}, beside: map[string]Installation{}, proofs: map[string]proof{}, tokens: map[string]*Client{}, runs: map[string]string{}}
	// Lists are ordered by id, and the ids of the neighbouring installations are the larger
	// ones.
	for n, list := range []map[string]Installation{c.here, c.beside} {
		for _, system := range []string{"github", "gitlab"} {
			list[system] = s.Named(t, system, strconv.Itoa(7000+1000*n+len(system)))
		}
	}
	number := func(i Installation) int64 { n, _ := strconv.ParseInt(i.ID, 10, 64); return n }
	levels := map[string]int64{maintainer: 101, developer: 102, former: 103, lapsed: 104, other: 105}
	c.person(t, maintainer, levels[maintainer], c.here, c.beside)
	c.person(t, developer, levels[developer], c.here)
	c.person(t, former, levels[former])
	c.person(t, other, levels[other], c.beside)
	h.github.Role("acme", maintainer, levels[maintainer], "admin")
	group := vcstest.Group{
		ID: number(c.here["gitlab"]), FullPath: "acme", FullName: "Acme", Direct: map[int64]int{levels[maintainer]: 40, levels[developer]: 30},
		Inherited: map[int64]int{levels[maintainer]: 40, levels[developer]: 30, bot: 30},
	}
	var repositories []vcstest.Repository
	c.lapsed(t, levels[lapsed])
	c.bearers(t, stranger, s.User(t))
	c.restrict(t)
	for i := range c.order {
		id := strconv.Itoa(i + 1)
		group.Projects = append(group.Projects, vcstest.Project{ID: int64(i + 1), PathWithNamespace: "acme/r" + id, Archived: true})
		repositories = append(repositories, vcstest.Repository{ID: int64(i + 1), Owner: "acme", Name: "r" + id, Archived: true})
		for _, in := range c.here {
			s.Repository(t, in, vcs.Description{ID: vcs.ID(id), Owner: "acme", Name: "r" + id})
		}
	}
	content := vcstest.NewMemory()
	content.SetBranch("feature", content.Commit("main", map[string][]byte{githubhost.Workflow: []byte("on: workflow_dispatch"), "net/main.tf": []byte("# no resources")}))
	changes := []vcstest.Change{
		{Number: 17, Title: "Add bucket", Base: "main", Head: "feature", From: liveRepository},
		{Number: 18, Title: "Closed", State: "closed", Base: "main", Head: "feature", From: liveRepository},
	}
	group.Projects = append(group.Projects, vcstest.Project{ID: liveRepository, PathWithNamespace: "acme/live", DefaultBranch: "main", Content: content, Changes: changes})
	repositories = append(repositories, vcstest.Repository{ID: liveRepository, Owner: "acme", Name: "live", DefaultBranch: "main", Content: content, Changes: changes})
	for _, in := range c.here {
		s.Repository(t, in, vcs.Description{ID: vcs.ID(strconv.Itoa(liveRepository)), Owner: "acme", Name: "live"})
	}
	h.github.Permit("acme", "live", maintainer, levels[maintainer], "admin")
	h.github.Permit("acme", "live", developer, levels[developer], "write")
	h.github.Install(c.here["github"].ID, repositories...)
	h.gitlab.Set(group)
	h.gitlab.Set(vcstest.Group{
		ID: number(c.beside["gitlab"]), FullPath: "beta", FullName: "Beta", Inherited: map[int64]int{levels[maintainer]: 30, levels[other]: 50},
	})
	token := h.gitlab.Account(bot, "acme-bot")
	h.gitlab.Limit(token, time.Now().AddDate(1, 0, 0), "api")
	s.GroupToken(t, c.here["gitlab"], token)
	var started struct{ ID string }
	c.ask(t, who(maintainer, asSession), "POST", c.of("gitlab")+"/repos/refresh", "").Want(t, 200).Read(t, &started)
	c.task = started.ID
	for system := range c.here {
		var made struct{ ID string }
		resp := c.ask(t, who(maintainer, asSession), "POST", c.live(system)+"/work-manifests", planOfNet)
		if err := json.Unmarshal(resp.Body, &made); err != nil || resp.Status != http.StatusCreated {
			t.Fatalf("start a run: %v (%v)", resp, err)
		}
		c.runs[system] = made.ID
	}
	return c
}

// of returns the start of the paths of the installation.
func (c *scene) of(system string) string {
	return "/api/v1/" + system + "/installations/" + c.here[system].ID
}

// liveRepository is the repository that is not archived.
const liveRepository = 100

// live returns the start of the paths of the repository that is not archived.
func (c *scene) live(system string) string {
	return c.of(system) + "/repos/" + strconv.Itoa(liveRepository)
}

// person makes a user with accounts at both hosts who sees installations there. The statements
// of both hosts are stored. A user who sees no installation has an earlier statement about one:
// that is the former member.
func (c *scene) person(t *testing.T, name string, id int64, sees ...map[string]Installation) {
	var github []Installation
	for _, list := range sees {
		github = append(github, list["github"])
	}
	tokens := c.hosts.account(id, strings.ReplaceAll(name, " ", "-"), github...)
	u := c.stack.User(t)
	now := time.Now()
	for system, token := range tokens {
		c.stack.Link(t, u, vcs.VCS(system), user.Identity{ID: vcs.ID(strconv.FormatInt(id, 10)), Login: strings.ReplaceAll(name, " ", "-")}, token)
		if len(sees) == 0 {
			c.stack.Vouch(t, u, vcs.VCS(system), now.Add(-time.Hour), c.here[system])
		}
		var present []Installation
		for _, list := range sees {
			present = append(present, list[system])
		}
		c.stack.Vouch(t, u, vcs.VCS(system), now, present...)
	}
	c.bearers(t, name, u)
}

// lapsed makes a user whose memberships both hosts stated long ago, and whose host grants they
// no longer accept.
func (c *scene) lapsed(t *testing.T, id int64) {
	u := c.stack.User(t)
	for _, system := range []string{"github", "gitlab"} {
		c.stack.Link(t, u, vcs.VCS(system), user.Identity{ID: vcs.ID(strconv.FormatInt(id, 10)), Login: "lapsed"}, "taken back")
		c.stack.Vouch(t, u, vcs.VCS(system), time.Now().Add(-user.KeyLapse), c.here[system])
	}
	c.bearers(t, lapsed, u)
}

// bearers makes the credentials of a user.
func (c *scene) bearers(t *testing.T, person, user string) {
	key := c.stack.Client(c.stack.Key(t, user, Capabilities()...))
	c.add(who(person, asSession), proof{session: c.stack.Session(t, user, time.Now())})
	c.add(who(person, asKey), proof{header: Bearer(key.Key)})
	c.bearer(who(person, asToken), key)
}

// bearer adds the access tokens of a key.
func (c *scene) bearer(name string, key *Client) {
	c.add(name, proof{})
	c.tokens[name] = key
}

func (c *scene) add(name string, p proof) {
	c.proofs[name] = p
	c.order = append(c.order, name)
}

// restrict makes the maintainer's restricted tokens.
func (c *scene) restrict(t *testing.T) {
	full := c.stack.Client(strings.TrimPrefix(c.proofs[who(maintainer, asKey)].header, "Bearer "))
	all := quoted(Capabilities())
	for credential, key := range map[string]*Client{
		restrictedHere:      restricted(t, full, "gitlab", append(all[:len(all):len(all)], only(c.here["gitlab"]))),
		restrictedElsewhere: restricted(t, full, "gitlab", append(all[:len(all):len(all)], only(c.beside["gitlab"]))),
		restrictedVCS:       restricted(t, full, "github", all),
		powerless:           restricted(t, full, "gitlab", []any{}),
	} {
		c.bearer(who(maintainer, credential), key)
	}
}

func (c *scene) ask(t *testing.T, name, method, target, body string) Response {
	t.Helper()
	p := c.proofs[name]
	if key, ok := c.tokens[name]; ok {
		p.header = Bearer(key.Token(t))
	}
	return c.stack.Do(t, p.onto(Request{Method: method, Target: target, Body: body}))
}

// cell is the response to one credential: a status, and for a list also the ids.
type cell struct {
	status int
	sees   string
}

// hostedRow is a request with the responses to the credentials that are admitted. All other
// credentials are refused.
type hostedRow struct {
	route, target, body string
	cells               map[string]cell
}

// cells joins the responses of several credentials.
func cells(lists ...map[string]cell) map[string]cell {
	all := map[string]cell{}
	for _, list := range lists {
		for name, c := range list {
			all[name] = c
		}
	}
	return all
}

// bearing returns a response for a person's session and token.
func bearing(person string, c cell) map[string]cell {
	return map[string]cell{who(person, asSession): c, who(person, asToken): c}
}

func with(credential string, c cell) map[string]cell {
	return map[string]cell{who(maintainer, credential): c}
}

// rows returns the hosted routes. The lists of the two hosts differ in which of the
// maintainer's restricted tokens are admitted.
func (c *scene) rows() []hostedRow {
	ok, none := cell{status: 200}, cell{200, ""}
	gl, gh, glBeside, ghBeside := c.here["gitlab"].ID, c.here["github"].ID, c.beside["gitlab"].ID, c.beside["github"].ID
	github := cells(bearing(maintainer, cell{200, gh + " " + ghBeside}), with(restrictedVCS, cell{200, gh + " " + ghBeside}),
		bearing(developer, cell{200, gh}), bearing(former, none), bearing(other, cell{200, ghBeside}), bearing(stranger, none))
	groups := cells(bearing(maintainer, cell{200, gl + " " + glBeside}), with(powerless, cell{200, gl + " " + glBeside}), with(restrictedHere, cell{200, gl}),
		with(restrictedElsewhere, cell{200, glBeside}), bearing(developer, cell{200, gl}), bearing(former, none), bearing(other, cell{200, glBeside}))
	gitlab := cells(groups, bearing(stranger, none))
	members := cells(bearing(maintainer, ok), bearing(developer, ok), with(restrictedHere, ok), with(powerless, ok))
	rulers := cells(bearing(maintainer, ok), with(restrictedHere, ok))
	atGithub := cells(bearing(maintainer, ok), bearing(developer, ok), with(restrictedVCS, ok))
	missing := cell{status: 404}
	bots := cells(members, with(restrictedElsewhere, missing), bearing(other, missing), bearing(former, missing), bearing(lapsed, missing), bearing(stranger, missing))
	tasks := cells(bearing(maintainer, ok), with(restrictedHere, ok), with(powerless, ok), with(restrictedElsewhere, missing), with(restrictedVCS, missing))
	for _, person := range []string{developer, former, lapsed, other, stranger} {
		tasks = cells(tasks, bearing(person, missing))
	}
	own := map[string]cell{}
	for name := range tasks {
		own[name] = ok
	}
	created := cell{status: http.StatusCreated}
	var commands []hostedRow
	for system, restricted := range map[string]string{"github": restrictedVCS, "gitlab": restrictedHere} {
		may := func(want cell) map[string]cell {
			return cells(bearing(maintainer, want), bearing(developer, want), with(restricted, want))
		}
		of := c.of(system) + "/work-manifests/" + c.runs[system]
		commands = append(commands,
			hostedRow{"POST " + ofInstallation + "/repos/{repo_id}/work-manifests", c.live(system) + "/work-manifests", planOfNet, may(created)},
			hostedRow{"POST " + ofInstallation + "/work-manifests/{work_manifest_id}/rerun", of + "/rerun", "", may(created)},
			hostedRow{"POST " + ofInstallation + "/work-manifests/{work_manifest_id}/abort", of + "/abort", "", may(ok)},
			hostedRow{"POST " + ofInstallation + "/repos/{repo_id}/prs/{pull_request_id}/unlock", c.live(system) + "/prs/17/unlock", "", may(ok)},
			hostedRow{"GET " + ofInstallation + "/repos/{repo_id}/prs/{pull_request_id}/explain", c.live(system) + "/prs/18/explain", "", may(ok)},
			hostedRow{"POST " + ofInstallation + "/repos/{repo_id}/drift/unlock", c.live(system) + "/drift/unlock", "", may(ok)},
		)
	}
	token := fmt.Sprintf(`{"access_token":"glpat-%d-acme-bot"}`, bot)
	return append(commands, []hostedRow{
		{"GET /api/v1/user/{vcs}/installations", "/api/v1/user/github/installations", "", github},
		{"GET /api/v1/{vcs}/installations", "/api/v1/github/installations", "", github},
		{"GET /api/v1/user/{vcs}/installations", "/api/v1/user/gitlab/installations", "", gitlab},
		{"GET /api/v1/{vcs}/installations", "/api/v1/gitlab/installations", "", gitlab},
		{"GET /api/v1/{vcs}/groups", "/api/v1/gitlab/groups", "", groups},
		{"GET /api/v1/{vcs}/groups/{id}/is-member", "/api/v1/gitlab/groups/" + gl + "/is-member", "", members},
		{"GET /api/v1/{vcs}/whoareyou", "/api/v1/gitlab/whoareyou", "", bots},
		{"GET " + ofInstallation + "/webhook", c.of("gitlab") + "/webhook", "", rulers},
		{"PUT " + ofInstallation + "/access-token", c.of("gitlab") + "/access-token", token, rulers},
		{"GET " + ofInstallation + "/repos", c.of("gitlab") + "/repos?limit=1", "", members},
		{"GET " + ofInstallation + "/repos", c.of("github") + "/repos?limit=1", "", atGithub},
		{"GET " + ofInstallation + "/pull-requests", c.of("gitlab") + "/pull-requests", "", members},
		{"GET " + ofInstallation + "/pull-requests", c.of("github") + "/pull-requests", "", atGithub},
		{"POST " + ofInstallation + "/repos/refresh", c.of("gitlab") + "/repos/refresh", "", members},
		{"POST " + ofInstallation + "/repos/refresh", c.of("github") + "/repos/refresh", "", atGithub},
		{"DELETE " + ofInstallation + "/repos/{repo_id}", c.of("gitlab") + "/repos/{n}", "", rulers},
		{"DELETE " + ofInstallation + "/repos/{repo_id}", c.of("github") + "/repos/{n}", "", cells(bearing(maintainer, ok), with(restrictedVCS, ok))},
		{"GET " + ofInstallation + "/tasks", c.of("gitlab") + "/tasks", "", rulers},
		// The operator gave the installation a name that is not the organisation's login.
		{"GET " + ofInstallation + "/tasks", c.of("github") + "/tasks", "", nil},
		{"GET /api/v1/tasks", "/api/v1/tasks", "", own},
		{"GET /api/v1/tasks/{id}", "/api/v1/tasks/" + c.task, "", tasks},
		{"POST /api/v1/tasks/{id}/abort", "/api/v1/tasks/" + c.task + "/abort", "", tasks},
	}...)
}

// walk sends every row with every credential, and records the routes that have succeeded.
func (c *scene) walk(t *testing.T, done map[string]bool) {
	for _, row := range c.rows() {
		method, _, _ := strings.Cut(row.route, " ")
		t.Run(strings.ReplaceAll(method+" "+row.target, "/", "|"), func(t *testing.T) {
			for n, name := range c.order {
				resp := c.ask(t, name, method, strings.Replace(row.target, "{n}", strconv.Itoa(n+1), 1), row.body)
				want, passes := row.cells[name]
				switch {
				case !passes && (resp.Status != http.StatusForbidden || len(resp.Body) > 0):
					t.Errorf("%s: got %v, want 403 without a body", name, resp)
				case passes && resp.Status != want.status:
					t.Errorf("%s: got %v, want status %d", name, resp, want.status)
				case passes && lists(row.target) && listed(t, resp) != want.sees:
					t.Errorf("%s: got %v, want to see %q", name, resp, want.sees)
				}
				done[row.route] = done[row.route] || resp.Status < http.StatusMultipleChoices
			}
		})
	}
}

// lists reports whether the response of a target is a list of installations or groups.
func lists(target string) bool {
	return strings.HasSuffix(target, "/installations") || strings.HasSuffix(target, "/groups")
}

// listed returns the ids of such a list.
func listed(t *testing.T, resp Response) string {
	t.Helper()
	type item struct{ ID json.RawMessage }
	var wrapped struct{ Installations []item }
	if strings.HasPrefix(string(resp.Body), "[") {
		resp.Read(t, &wrapped.Installations)
	} else {
		resp.Read(t, &wrapped)
	}
	var ids []string
	for _, i := range wrapped.Installations {
		ids = append(ids, strings.Trim(string(i.ID), `"`))
	}
	return strings.Join(ids, " ")
}
