package source_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/opsplane/opsplane/shared/evaluation/matching"
	"github.com/opsplane/opsplane/shared/evaluation/rules"
	"github.com/opsplane/opsplane/shared/evaluation/source"
	"github.com/opsplane/opsplane/shared/repoconfig"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// configured returns a configuration, and the dirspaces of the directories a and b.
func configured(t interface {
	Helper()
	Fatal(...any)
}, text string,
) (*repoconfig.Config, []*matching.Dirspace) {
	t.Helper()
	c, err := repoconfig.LoadDefaultBranch(repoconfig.File{Name: yml, Text: []byte(text)})
	if err != nil {
		t.Fatal(text, err)
	}
	r, err := matching.New(matching.Input{Config: c, Files: []string{"a/x.tf", "b/x.tf"}, Source: "f", Destination: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return c, r.Dirspaces
}

// reviews returns the reviews that a text such as "ann+ bob- cyd0" stands for.
func reviews(text string) (list []vcshost.Review) {
	for _, each := range strings.Fields(text) {
		login, verdict := each[:len(each)-1], map[byte]vcshost.Verdict{'+': vcshost.Approves, '-': vcshost.RequestsChanges, '0': vcshost.VerdictDismissed}[each[len(each)-1]]
		list = append(list, vcshost.Review{Author: vcshost.Profile{ID: "1", Login: login}, Verdict: verdict})
	}
	return list
}

// policies returns the text of an access control with one policy.
func policies(policy string) string {
	return "access_control: {policies: [{tag_query: '', " + policy + "}]}"
}

// approved returns the text of requirements with one entry.
func approved(text string) string {
	return "apply_requirements: {checks: [{tag_query: '', approved: {enabled: true, " + text + "}}]}"
}

func TestHostIsAskedOnlyForWhatTheRulesNeed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config    string
		operation rules.Operation
		automatic bool
		change    func(*vcshost.PullRequest)
		reviews   string
		changed   string // a file
		dirs      string // those at hand; empty for all
		want      string // the calls
	}{
		"plan":                                        {operation: rules.OpPlan},
		"apply":                                       {operation: rules.OpApply, want: "Checks h"},
		"apply by force":                              {operation: rules.OpApplyForce},
		"apply by itself":                             {operation: rules.OpApply, automatic: true},
		"apply after the merge":                       {operation: rules.OpApply, change: func(p *vcshost.PullRequest) { p.Open, p.Merged = false, true }},
		"no status checks":                            {config: "apply_requirements: {checks: [{tag_query: '', status_checks: {enabled: false}}]}", operation: rules.OpApply},
		"no entry for the directories":                {config: "apply_requirements: {checks: [{tag_query: 'dir:z', approved: {enabled: true}}]}", operation: rules.OpApply},
		"entry for another directory":                 {config: "apply_requirements: {checks: [{tag_query: 'dir:b', approved: {enabled: true}}, {tag_query: ''}]}", operation: rules.OpApply, dirs: "a", want: "Checks h"},
		"entry for one directory":                     {config: "apply_requirements: {checks: [{tag_query: 'dir:b', status_checks: {enabled: false}, approved: {enabled: true}}, {tag_query: ''}]}", operation: rules.OpApply, want: "Checks h; Reviews"},
		"number of approvals":                         {config: "apply_requirements: {checks: {approved: {enabled: true, count: 2}}}", operation: rules.OpApply, reviews: "eve+ cyd+", want: "Checks h; Reviews"},
		"people by name":                              {config: approved("any_of: ['user:eve', '*']"), operation: rules.OpApply, reviews: "eve+ cyd+", want: "Checks h; Reviews"},
		"nobody approves":                             {config: approved("any_of: ['team:sre', 'role:admin']"), operation: rules.OpApply, reviews: "eve- cyd+ cyd0 ann+", want: "Checks h; Reviews"},
		"team":                                        {config: approved("any_of: ['team:sre']"), operation: rules.OpApply, reviews: "eve+", want: "Checks h; Reviews; InTeam sre eve"},
		"newest approval is asked about first":        {config: approved("any_of: ['team:sre']"), operation: rules.OpApply, reviews: "eve+ cyd+", want: "Checks h; Reviews; InTeam sre cyd"},
		"until there are enough":                      {config: approved("any_of: ['team:dev'], any_of_count: 2"), operation: rules.OpApply, reviews: "eve+ cyd+ dan+", want: "Checks h; Reviews; InTeam dev dan; InTeam dev cyd; InTeam dev eve"},
		"name is enough":                              {config: approved("any_of: ['team:sre', 'user:eve']"), operation: rules.OpApply, reviews: "eve+ cyd+", want: "Checks h; Reviews"},
		"role before team":                            {config: approved("any_of: ['team:dev', 'role:write']"), operation: rules.OpApply, reviews: "cyd+", want: "Checks h; Reviews; Role cyd"},
		"role is asked for once":                      {config: approved("all_of: ['role:admin', 'repo:maintain', 'team:dev']"), operation: rules.OpApply, reviews: "eve+", want: "Checks h; Reviews; Role eve; InTeam dev eve"},
		"team is asked for once":                      {config: "apply_requirements: {checks: [{tag_query: 'dir:a', approved: {enabled: true, all_of: ['team:sre']}}, {tag_query: '', approved: {enabled: true, any_of: ['team:SRE']}}]}", operation: rules.OpApply, reviews: "eve+", want: "Checks h; Reviews; InTeam sre eve"},
		"policies, everybody":                         {config: policies("plan: ['*']"), operation: rules.OpPlan},
		"policies, by name":                           {config: policies("plan: ['team:x', 'role:admin', 'user:Bob']"), operation: rules.OpPlan},
		"policies, by role":                           {config: policies("plan: ['team:x', 'role:write']"), operation: rules.OpPlan, want: "Role bob"},
		"policies, by team":                           {config: policies("plan: ['team:x', 'role:admin']"), operation: rules.OpPlan, want: "Role bob; InTeam x bob"},
		"policies of another operation":               {config: policies("plan: ['team:x']"), operation: rules.OpApplyForce},
		"policies, off":                               {config: "access_control: {enabled: false, policies: [{tag_query: '', plan: ['team:x']}]}", operation: rules.OpPlan},
		"policies for other directories":              {config: "access_control: {policies: [{tag_query: 'dir:b', plan: ['team:x']}, {tag_query: '', plan: ['role:read']}]}", operation: rules.OpPlan, dirs: "a", want: "Role bob"},
		"superapproval that is not needed":            {config: policies("apply: ['user:bob'], apply_with_superapproval: ['team:x'], superapproval: ['team:y']"), operation: rules.OpApplyForce},
		"superapproval by somebody else":              {config: policies("apply: ['user:zoe'], apply_with_superapproval: ['team:x'], superapproval: ['team:y']"), operation: rules.OpApply, automatic: true, reviews: "eve+", want: "Reviews; InTeam x bob"},
		"superapproval":                               {config: policies("apply: ['user:zoe'], apply_with_superapproval: ['team:dev'], superapproval: ['team:y']"), operation: rules.OpApply, automatic: true, reviews: "eve+", want: "Reviews; InTeam dev bob; InTeam y eve"},
		"file that nobody changes":                    {config: "access_control: {terrateam_config_update: ['team:x'], policies: [{tag_query: ''}]}", operation: rules.OpPlan, changed: "a/x.tf"},
		"configuration that is changed":               {config: "access_control: {terrateam_config_update: ['team:x'], policies: [{tag_query: ''}]}", operation: rules.OpPlan, changed: yml, want: "InTeam x bob"},
		"workflow file that is changed":               {config: "access_control: {ci_config_update: ['role:admin'], policies: [{tag_query: ''}]}", operation: rules.OpPlan, changed: "ci.yml", want: "Role bob"},
		"file that is changed":                        {config: "access_control: {files: {a/x.tf: ['team:x']}, policies: [{tag_query: ''}]}", operation: rules.OpPlan, changed: "a/x.tf", want: "InTeam x bob"},
		"changed files matter to an apply that plans": {config: "access_control: {files: {a/x.tf: ['team:x']}, policies: [{tag_query: '', apply_autoapprove: ['*']}]}", operation: rules.OpApplyAutoapprove, changed: "a/x.tf", want: "Checks h; InTeam x bob"},
		"changed files do not matter to an apply":     {config: "access_control: {files: {a/x.tf: ['team:x']}, policies: [{tag_query: ''}]}", operation: rules.OpApplyForce, changed: "a/x.tf"},
	} {
		config, list := configured(t, c.config)
		p := vcshost.PullRequest{Number: 17, Open: true, SHA: "h", Author: vcshost.Profile{ID: "1", Login: "ann"}, Merge: vcshost.MergePossible}
		if c.change != nil {
			c.change(&p)
		}
		if c.dirs != "" {
			list = slices.DeleteFunc(list, func(d *matching.Dirspace) bool { return d.Dir != c.dirs })
		}
		h := &host{reviews: vcshost.Reviews{List: reviews(c.reviews)}, roles: map[string]string{"bob": "write", "cyd": "write"}, teams: map[string][]string{"dev": {"bob", "cyd", "dan"}, "sre": {"eve", "cyd"}}}
		if name == "until there are enough" {
			h.teams["dev"] = []string{"cyd", "eve"}
		}
		_, _, err := source.Facts(t.Context(), h, place.Described, p, source.Asking{
			Operation: c.operation, Automatic: c.automatic, Config: config, Dirspaces: list, Changed: strings.Fields(c.changed), CIFile: "ci.yml", Actor: vcshost.Profile{ID: "1", Login: "bob"},
		})
		if got := strings.Join(h.texts, "; "); err != nil || got != c.want {
			t.Errorf("%s: calls %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestFactsSayWhatTheHostSays(t *testing.T) {
	t.Parallel()
	config, list := configured(t, approved("all_of: ['team:sre', 'role:admin']"))
	h := &host{
		reviews: vcshost.Reviews{List: reviews("Eve+ cyd-"), Requested: 2}, roles: map[string]string{"eve": "maintain"}, teams: map[string][]string{"sre": {"eve"}},
		checks: []vcshost.Check{{Name: "ci", State: vcshost.CheckSuccess}, {Name: "lint", State: vcshost.CheckPending}, {Name: "plan", State: vcshost.CheckFailure, HostCI: true}},
	}
	for merge, c := range map[vcshost.Mergeability]struct{ mergeable, unknown bool }{vcshost.MergePossible: {true, false}, vcshost.MergeConflict: {false, false}, vcshost.MergeUnknown: {false, true}} {
		p := vcshost.PullRequest{Number: 17, Open: true, Draft: true, SHA: "h", Author: vcshost.Profile{ID: "1", Login: "ann"}, Merge: merge}
		got, actor, err := source.Facts(t.Context(), h, place.Described, p, source.Asking{Operation: rules.OpApply, Config: config, Dirspaces: list, Actor: vcshost.Profile{ID: "1", Login: "Bob"}})
		want := rules.Facts{
			State: rules.Open, Draft: true, Mergeable: c.mergeable, MergeUnknown: c.unknown, Author: "ann", Requested: 2,
			Statuses: []rules.Status{{Name: "ci", Success: true}, {Name: "lint"}, {Name: "plan", Runner: true}},
			Reviews:  []rules.Review{{Login: "Eve", Verdict: rules.Approves}, {Login: "cyd", Verdict: rules.Rejects}},
			People:   rules.People{"eve": {Role: "maintain", Teams: []string{"sre"}}},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v, %v; want %+v", merge, got, err, want)
		}
		if wanted := (rules.Actor{Login: "Bob", People: want.People, Approvers: []string{"eve"}}); !reflect.DeepEqual(actor, wanted) {
			t.Errorf("%v: actor %+v, want %+v", merge, actor, wanted)
		}
	}
	for state, p := range map[rules.State]vcshost.PullRequest{rules.Open: {Open: true}, rules.Closed: {}, rules.Merged: {Merged: true}} {
		if got, _, err := source.Facts(t.Context(), h, place.Described, p, source.Asking{Operation: rules.OpPlan, Config: config}); err != nil || got.State != state {
			t.Errorf("%s: got %+v, %v", state, got, err)
		}
	}
	for _, method := range []string{"Checks", "Reviews", "Role", "InTeam"} {
		down := errors.New("down")
		h.fails = map[string]error{method: down}
		if _, _, err := source.Facts(t.Context(), h, place.Described, vcshost.PullRequest{Open: true}, source.Asking{Operation: rules.OpApply, Config: config, Dirspaces: list}); !errors.Is(err, down) {
			t.Errorf("%s: got %v", method, err)
		}
	}
}

func TestUnlockerIsAskedAboutAsFarAsNeeded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{}":                              "true ",
		"access_control: {unlock: ['*']}": "true ",
		"access_control: {unlock: []}":    "false ",
		"access_control: {unlock: ['role:write', 'team:x']}":               "true Role bob",
		"access_control: {unlock: ['role:admin', 'team:x']}":               "false Role bob; InTeam x bob",
		"access_control: {enabled: false, unlock: ['team:x']}":             "true ",
		"access_control: {unlock: ['user:zoe', 'user:BOB', 'role:admin']}": "true ",
		"access_control: {unlock: ['team:dev', 'team:x'], policies: []}":   "true InTeam dev bob",
	} {
		config, _ := configured(t, text)
		h := &host{roles: map[string]string{"bob": "write"}, teams: map[string][]string{"dev": {"bob"}}}
		actor, err := source.Unlocker(t.Context(), h, place.Described, config.AccessControl, vcshost.Profile{ID: "1", Login: "bob"})
		if got := fmt.Sprint(rules.MayUnlock(config.AccessControl, actor), " ", strings.Join(h.texts, "; ")); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
	config, _ := configured(t, "access_control: {unlock: ['role:write']}")
	down := errors.New("down")
	if _, err := source.Unlocker(t.Context(), &host{fails: map[string]error{"Role": down}}, place.Described, config.AccessControl, vcshost.Profile{ID: "1", Login: "bob"}); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

// TestManyApprovalsCannotCauseManyCalls lets a thousand strangers approve, as on a public
// repository, and then somebody who counts.
func TestManyApprovalsCannotCauseManyCalls(t *testing.T) {
	t.Parallel()
	config, list := configured(t, approved("any_of: ['team:sre', 'role:admin'], any_of_count: 2"))
	h := &host{teams: map[string][]string{"sre": {"eve"}}}
	for i := range 1000 {
		h.reviews.List = append(h.reviews.List, reviews(fmt.Sprintf("stranger%d+", i))...)
	}
	h.reviews.List = append(h.reviews.List, reviews("eve+")...)
	facts, _, err := source.Facts(t.Context(), h, place.Described, vcshost.PullRequest{Open: true, Merge: vcshost.MergePossible}, source.Asking{Operation: rules.OpApply, Config: config, Dirspaces: list})
	if err != nil {
		t.Fatal(err)
	}
	if r := rules.Requirements(config.Requirements, list, facts)[0]; r.Met() || r.Have != 1 {
		t.Errorf("%d approvals count, want that of eve", r.Have)
	}
	if n := h.calls["Role"] + h.calls["InTeam"]; n != 100 {
		t.Errorf("the host was asked about people %d times, want 100", n)
	}
}

// TestFewQuestionsDecideAsAllWould compares the rules with what Facts found out, and the
// rules with all that there is to know.
func TestFewQuestionsDecideAsAllWould(t *testing.T) {
	t.Parallel()
	logins := []string{"ann", "bob", "cyd", "dan", "eve"}
	rapid.Check(t, func(t *rapid.T) {
		entry := rapid.SampledFrom([]string{"*", "user:ann", "user:bob", "user:eve", "team:x", "team:y", "team:z", "role:admin", "repo:write", "role:read"})
		list := func(label string) string {
			return "['" + strings.Join(rapid.SliceOfN(entry, 1, 3).Draw(t, label), "', '") + "']"
		}
		var text strings.Builder
		if rapid.Bool().Draw(t, "access control") {
			fmt.Fprintf(&text, "access_control: {files: {a/x.tf: %s}, terrateam_config_update: %s, policies: [", list("files"), list("config"))
			for _, query := range []string{"dir:a", ""} {
				fmt.Fprintf(&text, "{tag_query: '%s', plan: %s, apply: %s, apply_force: %s, apply_with_superapproval: %s, superapproval: %s},",
					query, list("plan"), list("apply"), list("force"), list("with"), list("super"))
			}
			text.WriteString("]}\n")
		}
		text.WriteString("apply_requirements: {checks: [")
		for _, query := range []string{"dir:a", ""} {
			fmt.Fprintf(&text, "{tag_query: '%s', status_checks: {enabled: %t}, approved: {enabled: %t, ", query, rapid.Bool().Draw(t, "checks"), rapid.Bool().Draw(t, "approved"))
			switch rapid.IntRange(0, 2).Draw(t, "form") {
			case 0:
				text.WriteString("}},") // anybody's approval is enough
			case 1:
				fmt.Fprintf(&text, "all_of: %s}},", list("all"))
			case 2:
				fmt.Fprintf(&text, "all_of: %s, any_of: %s, any_of_count: %d}},", list("all"), list("any"), rapid.IntRange(1, 3).Draw(t, "any count"))
			}
		}
		text.WriteString("]}\n")
		config, dirspaces := configured(t, text.String())

		h := &host{roles: map[string]string{}, teams: map[string][]string{}, checks: []vcshost.Check{{Name: "ci", State: rapid.SampledFrom([]vcshost.CheckState{vcshost.CheckSuccess, vcshost.CheckFailure}).Draw(t, "ci")}}}
		full := rules.People{}
		for _, login := range logins {
			person := rules.Person{Role: rapid.SampledFrom([]string{"admin", "write", "read", ""}).Draw(t, "role")}
			h.roles[login] = person.Role
			for _, team := range []string{"x", "y", "z"} {
				if rapid.Bool().Draw(t, "member") {
					person.Teams, h.teams[team] = append(person.Teams, team), append(h.teams[team], login)
				}
			}
			full[login] = person
		}
		for _, login := range rapid.SliceOfN(rapid.SampledFrom(logins), 0, 6).Draw(t, "reviews") {
			h.reviews.List = append(h.reviews.List, reviews(login+rapid.SampledFrom([]string{"+", "+", "-", "0"}).Draw(t, "verdict"))...)
		}
		operation := rapid.SampledFrom([]rules.Operation{rules.OpPlan, rules.OpApply, rules.OpApplyForce, rules.OpApplyAutoapprove}).Draw(t, "operation")
		login, changed := rapid.SampledFrom(logins).Draw(t, "actor"), []string{"a/x.tf", yml}[:rapid.IntRange(0, 2).Draw(t, "changed")]
		p := vcshost.PullRequest{Open: true, Merge: vcshost.MergePossible, Author: vcshost.Profile{ID: "1", Login: "dan"}}
		facts, actor, err := source.Facts(t.Context(), h, place.Described, p, source.Asking{Operation: operation, Config: config, Dirspaces: dirspaces, Changed: changed, Actor: vcshost.Profile{ID: "1", Login: login}})
		if err != nil {
			t.Fatal(err)
		}

		all := rules.Facts{State: rules.Open, Mergeable: true, Author: "dan", People: full}
		for _, c := range h.checks {
			all.Statuses = append(all.Statuses, rules.Status{Name: c.Name, Success: c.State == vcshost.CheckSuccess})
		}
		for _, r := range h.reviews.List {
			all.Reviews = append(all.Reviews, rules.Review{Login: r.Author.Login, Verdict: rules.Verdict(r.Verdict)})
		}
		knowing := rules.Actor{Login: login, People: full, Approvers: all.Approvers()}
		got, want := rules.Access(config.AccessControl, operation, dirspaces, actor), rules.Access(config.AccessControl, operation, dirspaces, knowing)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n%s by %s: denied %v, want %v", text.String(), operation, login, got, want)
		}
		if operation == rules.OpPlan || operation == rules.OpApplyAutoapprove {
			got, want := rules.FileAccess(config.AccessControl, changed, "ci.yml", actor), rules.FileAccess(config.AccessControl, changed, "ci.yml", knowing)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s\n%s changed %v: denied %v, want %v", text.String(), login, changed, got, want)
			}
		}
		if operation == rules.OpApply || operation == rules.OpApplyAutoapprove {
			want := rules.Requirements(config.Requirements, dirspaces, all)
			for i, r := range rules.Requirements(config.Requirements, dirspaces, facts) {
				if r.Met() != want[i].Met() || r.Approved != want[i].Approved || !slices.Equal(r.Missing, want[i].Missing) {
					t.Fatalf("%s\n%s: got %+v, want %+v", text.String(), r, r, want[i])
				}
			}
		}
	})
}
