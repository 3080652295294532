package vcsevent_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// facts returns the facts of an event in one line.
func facts(e vcsevent.Event) string {
	var list []string
	for _, c := range e.Facts {
		list = append(list, text(c))
	}
	return strings.Join(list, "; ")
}

// onGitHub reads a body of GitHub that must be readable.
func onGitHub(t *testing.T, event, body string) vcsevent.Event {
	t.Helper()
	e, err := vcsevent.GitHub(event, []byte(body))
	if err != nil {
		t.Fatalf("%s %.200s: %v", event, body, err)
	}
	return e
}

const enterprise = `{"id":9001,"slug":"acme-inc","name":"Acme Inc","node_id":"E_9001"}`

func TestInstallationsWhoseAccountHasNoLogin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ event, body, want string }{
		{
			"installation", `{"action":"created","installation":{"id":42,"account":` + enterprise + `,"target_type":"Enterprise","updated_at":"2026-11-02T08:00:00Z"},"repositories":[]}`,
			"installation 42 acme-inc Enterprise installed @02T08:00.0; listed  @02T08:00.0",
		},
		{
			"installation_target", `{"action":"renamed","account":` + enterprise + `,"changes":{"slug":{"from":"acme"}},"target_type":"Enterprise","installation":{"id":42,"node_id":"x"}}`,
			"installation 42 is called acme-inc @arrival.0",
		},
		{
			"installation", `{"action":"deleted","installation":{"id":42,"account":null,"updated_at":"2026-11-02T08:00:00Z"}}`,
			"installation 42   uninstalled @02T08:00.2",
		},
		{
			"installation", `{"action":"suspend","installation":{"id":42,"account":null,"target_type":"Organization","updated_at":"2026-11-02T08:00:00Z"}}`,
			"installation 42  Organization suspended @02T08:00.0",
		},
		{ // an account of a wrong type counts as no account
			"installation", `{"action":"deleted","installation":{"id":42,"account":{"login":5},"updated_at":"2026-11-02T08:00:00Z"}}`,
			"installation 42   uninstalled @02T08:00.2",
		},
	} {
		if got := facts(onGitHub(t, c.event, c.body)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.body, got, c.want)
		}
	}
}

func TestEntryThatCannotBeReadIsLeftOutAlone(t *testing.T) {
	t.Parallel()
	const added, removed = `"action":"added","repositories_added":`, `"action":"removed","repositories_removed":`
	for _, c := range []struct{ members, want, skipped string }{
		{added + `[{"id":8},{"id":9,"full_name":"acme/new","private":true}]`, "listed 9 acme/new private true archived ? @arrival.0", "repositories_added.0.full_name is missing"},
		{added + `[{"id":8,"full_name":"acme"},{"id":9,"full_name":"acme/new"}]`, "listed 9 acme/new private false archived ? @arrival.0", "repositories_added.0.full_name (name) is missing"},
		{added + `[null,"x",{"id":"8","full_name":"acme/x"},{"id":9,"full_name":"acme/new","private":"no"}]`, "listed 9 acme/new private ? archived ? @arrival.0", "repositories_added.1 is a string, not an object"},
		{added + `[{"id":8}]`, "", "repositories_added.0.full_name is missing"},
		{removed + `[{"full_name":"acme/x"},{"id":9}]`, "gone 9 @arrival.3", "repositories_removed.0.id is missing"},
	} {
		e := onGitHub(t, "installation_repositories", string(with(c.members)))
		want := "installation 42 acme @arrival.0"
		if c.want != "" {
			want += "; " + c.want
		}
		if got := facts(e); got != want || !strings.Contains(strings.Join(e.Skipped, "; "), c.skipped) {
			t.Errorf("%s:\ngot  %s, skipped %q\nwant %s, skipped %q", c.members, got, e.Skipped, want, c.skipped)
		}
	}
	many := strings.Repeat(`{"id":1},`, 40) + `{"id":9,"full_name":"acme/new"}`
	if e := onGitHub(t, "installation_repositories", string(with(added+"["+many+"]"))); len(e.Skipped) != 11 || e.Skipped[10] != "30 more" {
		t.Errorf("told %q", e.Skipped)
	}
}

func TestMembersThatAnEventDoesNotNeedMayBeAnything(t *testing.T) {
	t.Parallel()
	const full = `"id":7,"name":"infra","owner":{"login":"acme"},"updated_at":"2026-11-02T08:00:00Z"`
	const seen = "repository 7 acme/infra private false archived false"
	const pull = `,"pull_request":{"number":1,"state":"open","updated_at":"2026-11-02T09:00:00Z","base":{"ref":"main","sha":"aa"},"head":{"ref":"x","sha":"bb"}`
	const pulled = seen + ` @02T08:00.0, there 02T09:00; pull 7#1 open "" by , x@bb to main@aa @02T09:00.0`
	for _, c := range []struct{ event, members, want string }{
		{"push", `"repository":{` + full + `,"default_branch":null}`, seen + " @02T08:00.0"},
		{"repository", `"action":"edited","repository":{` + full + `,"default_branch":null}`, seen + " @02T08:00.0"},
		{"repository", `"action":"edited","repository":{` + full + `,"archived":"no","private":3}`, "repository 7 acme/infra private ? archived ? @02T08:00.0"},
		{"pull_request", `"action":5,"repository":{` + full + `}` + pull + `,"user":{"login":"ann","type":5}}`, strings.Replace(pulled, "by ,", "by ann,", 1)},
		{"pull_request", `"action":"opened","repository":{` + full + `}` + pull + `,"user":5,"title":["x"],"draft":"no","merged":{},"merge_commit_sha":7}`, pulled},
		{"pull_request", `"action":"opened","repository":{` + full + `,"owner":{"login":"acme","type":7}}` + pull + `},"repositories":7,"account":[]`, pulled},
		{"star", `"action":{"x":[1]},"starred_at":7,"repository":{` + full + `}`, seen + " @02T08:00.0"},
		{"label", `"action":["deleted"],"repository":"x"`, ""},
		{"issues", `"action":"` + strings.Repeat("x", 300) + `","repository":{"id":"7"}`, ""},
		{"installation_target", `"action":"other","account":7`, ""},
		{"fork", `"pull_request":7,"repository":{` + full + `}`, seen + " @02T08:00.0"},
	} {
		got := strings.TrimPrefix(strings.TrimPrefix(facts(onGitHub(t, c.event, string(with(c.members)))), "installation 42 acme @arrival.0"), "; ")
		if got != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.event, c.members, got, c.want)
		}
	}
}

func TestBodiesThatAreNoJSONObjectSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"[]": "the body is an array, not an object", `"x"`: "the body is a string, not an object", "7": "the body is a number, not an object",
		"true": "the body is a boolean, not an object", "{": "the body is not JSON: error at byte 1", "": "the body is not JSON",
		"payload=%7B%7D": "the body is not JSON: error at byte 1", strings.Repeat("[", 20_000): "the body is not JSON",
	} {
		for _, read := range []func(string, []byte) (vcsevent.Event, error){vcsevent.GitHub, gitlab} {
			_, err := read("push", []byte(body))
			var u *vcsevent.Undecodable
			if !errors.As(err, &u) || !strings.Contains(u.Reason, want) {
				t.Errorf("%.20q: %v, want %s", body, err, want)
			}
		}
	}
}

// TestBodyUnderAnotherEventsNameTellsNothingWrong sends bodies that GitHub has
// signed under each other event name, because the signature does not cover the
// name. Under another name, a body may still describe things. It must not state a
// loss or an end that it does not state under its own name.
func TestBodyUnderAnotherEventsNameTellsNothingWrong(t *testing.T) {
	t.Parallel()
	bodies := map[string][]byte{}
	events := []string{"installation", "installation_target", "installation_repositories", "repository", "pull_request", "push", "star"}
	for _, p := range payloads(t) {
		if strings.Contains(p.name, "github-") {
			bodies[p.Event+" "+p.name] = p.Body
		}
	}
	const short = `"installation":{"id":42,"node_id":"x"},"sender":{"login":"ann"}`
	for event, members := range map[string]string{
		"star":                   `"starred_at":null,` + aRepository,
		"issue_comment":          `"issue":{"number":1},"comment":{"id":1},` + aRepository,
		"label":                  `"label":{"name":"bug"},` + aRepository,
		"milestone":              `"milestone":{"number":1},` + aRepository,
		"release":                `"release":{"id":1},` + aRepository,
		"issues":                 `"issue":{"number":1},` + aRepository,
		"repository_ruleset":     `"repository_ruleset":{"id":1},` + aRepository,
		"branch_protection_rule": `"rule":{"id":1},` + aRepository,
		"deploy_key":             `"key":{"id":1},` + aRepository,
		"meta":                   `"hook_id":1,"hook":{"type":"App"},` + aRepository,
		"team":                   `"team":{"id":1},"organization":{"login":"acme"}`,
		"organization":           `"membership":{},"organization":{"login":"acme"}`,
		"projects_v2":            `"projects_v2":{"id":1},"organization":{"login":"acme"}`,
	} {
		bodies[event+" deleted"] = []byte(`{"action":"deleted",` + members + `,` + short + `}`)
	}
	losses := func(e vcsevent.Event) (found []string) {
		for _, c := range e.Facts {
			switch c := c.(type) {
			case *vcsevent.RepositoriesGone:
				found = append(found, text(c))
			case *vcsevent.InstallationSeen:
				if c.State == "suspended" || c.State == "uninstalled" {
					found = append(found, text(c))
				}
			}
		}
		return found
	}
	told := 0
	for name, body := range bodies {
		own, _, _ := strings.Cut(name, " ")
		e, err := vcsevent.GitHub(own, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		told += len(losses(e))
		for _, event := range events {
			if event == own {
				continue
			}
			if e, _ := vcsevent.GitHub(event, body); len(losses(e)) > 0 {
				t.Errorf("%s as %s tells %v", name, event, losses(e))
			}
		}
	}
	if told < 5 {
		t.Errorf("%d losses under their own names", told)
	}
}

// aProject describes the project 501 without its id.
const aProject = `"name":"deep","web_url":"https://gitlab.example.com/acme/platform/deep","visibility_level":0,"path_with_namespace":"acme/platform/deep","default_branch":"main"`

// TestKindsOfGitLabsEvents reads a body of each kind that GitLab documents
// ("Webhook events", "Group webhooks", "System hooks"). The project's id is in the
// member in which one version of GitLab or another has it.
func TestKindsOfGitLabsEvents(t *testing.T) {
	t.Parallel()
	const (
		withID  = `"project":{"id":501,` + aProject + `}`
		without = `"project":{` + aProject + `}`
		known   = "repository 501 acme/platform/deep private true archived ? main @arrival.0"
		merge   = `"object_kind":"merge_request","event_type":"merge_request","user":{"username":"bob"},"object_attributes":{"id":90,"iid":3,"source_project_id":14,` +
			`"target_project_id":501,"title":"T","state":"opened","action":"open","source_branch":"x","target_branch":"main","updated_at":"2026-11-03 09:00:00 UTC",` +
			`"last_commit":{"id":"77ab"},"target":{` + aProject + `}}`
		merged = `repository 501 acme/platform/deep private true archived ? main @03T09:00.0; pull 501#3 open "T" by bob, x@77ab to main@ @03T09:00.0`
		moved  = `"project_id":501,"path_with_namespace":"acme/platform/deep","project_visibility":"visibilitylevel|private","updated_at":"2026-11-03T09:00:00Z"`
	)
	for _, c := range []struct{ event, members, repository, want string }{
		{"Push Hook", `"object_kind":"push","event_name":"push","project_id":501,` + withID, "501", known},
		{"Push Hook", `"object_kind":"push","event_name":"push","project_id":501,` + without, "501", known},
		{"System Hook", `"event_name":"push","project_id":501,` + without, "501", known},
		{"Tag Push Hook", `"object_kind":"tag_push","event_name":"tag_push","project_id":501,` + without, "501", known},
		{"System Hook", `"event_name":"tag_push","project_id":501,` + without, "501", known},
		{"System Hook", `"event_name":"repository_update","user_id":1,"project_id":501,` + without + `,"changes":[],"refs":[]`, "501", known},
		{"Issue Hook", `"object_kind":"issue","event_type":"issue",` + without + `,"object_attributes":{"id":301,"iid":23,"project_id":501,"state":"opened","action":"open"}`, "501", known},
		{"Confidential Issue Hook", `"object_kind":"issue","event_type":"confidential_issue",` + withID + `,"object_attributes":{"iid":"x","draft":7}`, "501", known},
		{"Note Hook", `"object_kind":"note","event_type":"note","project_id":501,` + without + `,"object_attributes":{"noteable_type":"Commit","action":"create"},"merge_request":{"iid":3}`, "501", known},
		{"Note Hook", `"object_kind":"note",` + without + `,"object_attributes":{"project_id":501}`, "501", known},
		{"Wiki Page Hook", `"object_kind":"wiki_page",` + without + `,"object_attributes":{"title":"Home","action":"create"}`, "", ""},
		{"Wiki Page Hook", `"object_kind":"wiki_page",` + withID + `,"object_attributes":{"title":"Home","action":"create"}`, "501", known},
		{"Pipeline Hook", `"object_kind":"pipeline","object_attributes":{"id":31,"iid":3,"status":"success","source":"merge_request_event"},` + withID, "501", known},
		{"Job Hook", `"object_kind":"build","build_id":1,"project_id":501,"project_name":"Acme / Deep","user":{"id":3}`, "501", ""},
		{"Job Hook", `"object_kind":"build","project_id":501,` + withID, "501", known},
		{"Deployment Hook", `"object_kind":"deployment","status":"success",` + withID, "501", known},
		{"Release Hook", `"object_kind":"release","id":1,"action":"create",` + withID, "501", known},
		{"Feature Flag Hook", `"object_kind":"feature_flag",` + withID + `,"object_attributes":{"active":true}`, "501", known},
		{"Emoji Hook", `"object_kind":"emoji","event_type":"award","project_id":501,` + without + `,"object_attributes":{"name":"x"}`, "501", known},
		{"Milestone Hook", `"object_kind":"milestone","action":"create",` + without + `,"object_attributes":{"iid":1,"project_id":501,"group_id":null}`, "501", known},
		{"Vulnerability Hook", `"object_kind":"vulnerability","object_attributes":{"project_id":501}`, "501", ""},
		{"Resource Access Token Hook", `"object_kind":"access_token","group":{"group_id":35},"object_attributes":{"id":25}`, "", ""},
		{"Resource Access Token Hook", `"object_kind":"access_token",` + withID + `,"object_attributes":{"id":25}`, "501", known},
		{"Member Hook", `"event_name":"user_add_to_group","group_id":100,"user_id":64,"group_access":"Guest"`, "", ""},
		{"System Hook", `"event_name":"user_create","user_id":41,"email":"js@example.com","project":"x"`, "", ""},
		{"System Hook", `"event_name":"key_create","key":"ssh-rsa","id":4`, "", ""},
		{"System Hook", `"event_name":"user_add_to_team","project_id":501,"project_path_with_namespace":"acme/deep","project_visibility":"visibilitylevel|private"`, "501", ""},
		{"System Hook", `"event_name":"group_create","group_id":78,"path":"x","full_path":"acme/x"`, "", ""},
		{"System Hook", `"event_name":"group_rename","group_id":78,"path":"y","full_path":"acme/y","old_full_path":"acme/x"`, "", "projects moved"},
		{"System Hook", `"event_name":"group_destroy","group_id":78,"full_path":"acme/y"`, "", "projects moved"},
		{"Subgroup Hook", `"event_name":"subgroup_create","group_id":78,"full_path":"acme/sub","parent_group_id":77`, "", "projects moved"},
		{"System Hook", `"event_name":"project_create",` + moved, "501", "repository 501 acme/platform/deep private true archived ? @03T09:00.0"},
		{"System Hook", `"event_name":"project_update",` + strings.Replace(moved, "|private", "|public", 1), "501", "repository 501 acme/platform/deep private false archived ? @03T09:00.0"},
		{"System Hook", `"event_name":"project_destroy",` + moved, "501", "gone 501 @03T09:00.3"},
		{"Project Hook", `"event_name":"project_rename",` + moved, "501", "repository 501 acme/platform/deep private true archived ? @03T09:00.0"},
		{"System Hook", merge + `,` + without, "501", merged},
		{"System Hook", merge, "501", merged},
		{"Merge Request Hook", merge + `,` + withID, "501", merged},
		{"Push Hook", merge + `,` + withID, "501", merged}, // the body states its kind
		{"Merge Request Hook", `"object_kind":"push","event_name":"push","project_id":501,` + withID, "501", known},
	} {
		e, err := gitlab(c.event, []byte("{"+c.members+"}"))
		if got := facts(e); err != nil || got != c.want || string(e.Repository) != c.repository {
			t.Errorf("%s {%s}:\ngot  %s of %q, %v\nwant %s of %q", c.event, c.members, got, e.Repository, err, c.want, c.repository)
		}
	}
}

func TestGitLabsBodiesNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	merge := func(members string) string {
		return `"object_kind":"merge_request","project":{"id":501,` + aProject + `},"object_attributes":{` + members + `}`
	}
	const rest = `,"iid":1,"source_branch":"x","target_branch":"main","updated_at":"2026-11-03 09:00:00 UTC"`
	for members, want := range map[string]string{
		`"object_kind":"merge_request"`:                                                               "object_attributes is missing",
		`"object_kind":"merge_request","object_attributes":[]`:                                        "object_attributes is an array, not an object",
		`"object_kind":"merge_request","project":"x","object_attributes":{}`:                          "project is a string, not an object",
		merge(`"state":"opened","iid":"1"`):                                                           "object_attributes.iid is a string, not a whole number",
		merge(`"state":"opened","iid":1,"source_branch":"x","target_branch":"main"`):                  "object_attributes.updated_at is missing or is no time",
		merge(`"state":7` + rest):                                                                     "object_attributes.state is a number, not a string",
		merge(`"state":"odd"` + rest):                                                                 "object_attributes.state is none that GitLab documents",
		strings.Replace(merge(`"state":"opened"`+rest), `"acme/platform/deep","d`, `5,"d`, 1):         "project.path_with_namespace is a number, not a string",
		`"event_name":"project_rename","project_id":{}`:                                               "project_id is an object, not a whole number",
		`"event_name":"project_rename","project_id":501,"path_with_namespace":"acme"`:                 "path_with_namespace (name) is missing",
		`"event_name":"project_rename","project_id":501,"path_with_namespace":"a/` + long(1001) + `"`: "path_with_namespace (name)",
	} {
		e, err := gitlab("System Hook", []byte("{"+members+"}"))
		var u *vcsevent.Undecodable
		if !errors.As(err, &u) || !strings.Contains(u.Reason, want) || len(e.Facts) > 0 {
			t.Errorf("%.200s: %v, %v, want %s", members, e.Facts, err, want)
		}
	}
	e, err := gitlab("Wiki Page Hook", []byte(`{"object_kind":"wiki_page","project":{`+aProject+`}}`))
	if err != nil || fmt.Sprint(e.Skipped) != "[project.id is missing or is not above 0]" {
		t.Errorf("skipped %q, %v", e.Skipped, err)
	}
}

func long(n int) string { return strings.Repeat("n", n) }

func TestOwnerOfANestedProjectIsItsTopGroup(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{
		"acme/infra": {"acme", "infra"}, "acme/platform/deep": {"acme", "platform/deep"}, "acme/a/b/c/d": {"acme", "a/b/c/d"},
	} {
		for _, body := range []string{
			`{"object_kind":"push","project":{"id":501,"path_with_namespace":"` + path + `"}}`,
			`{"event_name":"project_transfer","project_id":501,"path_with_namespace":"` + path + `","updated_at":"2026-11-03T09:00:00Z"}`,
		} {
			e, err := gitlab("System Hook", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if r := e.Facts[0].(*vcsevent.RepositorySeen); r.Owner != want[0] || r.Name != want[1] {
				t.Errorf("%s: owner %q, name %q", path, r.Owner, r.Name)
			}
		}
	}
}
