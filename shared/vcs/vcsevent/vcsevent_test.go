package vcsevent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// payload is a file of events/webhooks/payloads or of its folder kinds.
type payload struct {
	name  string
	Event string
	Body  json.RawMessage
}

func payloads(t testing.TB) []payload {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.json", "kinds/*.json"} {
		found, err := filepath.Glob("../../../events/webhooks/payloads/" + pattern)
		if err != nil || len(found) < 10 {
			t.Fatalf("%d payloads, %v", len(found), err)
		}
		files = append(files, found...)
	}
	list := make([]payload, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list[i].name = filepath.Base(file)
		if err := json.Unmarshal(text, &list[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return list
}

// read reads a payload as the webhooks would.
func (p payload) read(t testing.TB) vcsevent.Event {
	t.Helper()
	read := vcsevent.GitHub
	if strings.Contains(p.name, "gitlab-") {
		read = gitlab
	}
	e, err := read(p.Event, p.Body)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	return e
}

func gitlab(event string, body []byte) (vcsevent.Event, error) {
	return vcsevent.GitLab(event, "77", body)
}

// text returns a fact in one line.
func text(c vcsevent.Fact) string {
	at := func(v vcs.Moment) string {
		if v.At.IsZero() {
			return fmt.Sprintf(" @arrival.%d", v.Rank)
		}
		return fmt.Sprintf(" @%s.%d", v.At.Format("02T15:04"), v.Rank)
	}
	switch c := c.(type) {
	case *vcsevent.InstallationSeen:
		return strings.TrimSpace(fmt.Sprint("installation ", c.ID, " ", c.Name, " ", c.TargetType, " ", c.State)) + at(c.Moment)
	case *vcsevent.RepositorySeen:
		there := ""
		if !c.There.Equal(c.At) {
			there = ", there " + c.There.Format("02T15:04")
		}
		return "repository " + describe(c.Description) + at(c.Moment) + there
	case *vcsevent.RepositoriesListed:
		list := make([]string, len(c.List))
		for i, r := range c.List {
			list[i] = describe(r)
		}
		return "listed " + strings.Join(list, ", ") + at(c.Moment)
	case *vcsevent.RepositoriesGone:
		return "gone " + strings.Trim(strings.ReplaceAll(fmt.Sprint(c.IDs), " ", ", "), "[]") + at(c.Moment)
	case *vcsevent.InstallationRenamed:
		return "installation " + string(c.ID) + " is called " + c.Name + at(c.Moment)
	case *vcsevent.ProjectsMoved:
		return "projects moved"
	case *vcsevent.CIEnded:
		return strings.TrimSpace(fmt.Sprintf("CI of %s: run %s job %s %s %s", c.Repository, c.Run, c.Job, c.Conclusion, c.URL))
	case *vcsevent.PullRequestSeen:
		s := fmt.Sprintf("pull %s#%d %s %q by %s, %s@%.4s to %s@%.4s", c.Repository, c.Number, c.State, c.Title, c.User, c.Branch, c.SHA, c.BaseBranch, c.BaseSHA)
		if !c.MergedAt.IsZero() {
			s += fmt.Sprintf(", merged as %.4s %s", c.MergedSHA, c.MergedAt.Format("02T15:04"))
		}
		return s + at(c.Moment)
	case *vcsevent.Commented:
		return fmt.Sprintf("comment %s on %s#%d by %s/%s, bot %t: %q", c.Comment, c.Repository, c.Number, c.Sender, c.SenderID, c.Bot, c.Text) + at(c.Moment)
	case *vcsevent.Pushed:
		return fmt.Sprintf("push to %s by %s/%s", c.Repository, c.Sender, c.SenderID) + at(c.Moment)
	}
	return fmt.Sprintf("%T", c)
}

func describe(r vcs.Description) string {
	optional := func(b *bool) string {
		if b == nil {
			return "?"
		}
		return fmt.Sprint(*b)
	}
	text := fmt.Sprint(r.ID, " ", r.Owner, "/", r.Name, " private ", optional(r.Private), " archived ", optional(r.Archived), " ", r.DefaultBranch)
	return strings.TrimSpace(text)
}

func TestDeliveriesTellTheirFacts(t *testing.T) {
	t.Parallel()
	const mention = "installation 424242 acme @arrival.0; "
	want := map[string]string{
		"01": "424242 : installation 424242 acme Organization installed @02T08:00.0; listed 99001122 acme/infra private true archived ?, " +
			"99001133 acme/platform private true archived ?, 99001144 acme/legacy private true archived ? @02T08:00.0; ",
		"02": "424242 99001122: " + mention + "repository 99001122 acme/infra private true archived false main @02T08:10.0, there 03T09:00; " +
			`pull 99001122#17 open "Add bucket" by alice, feature/bucket@3d5f to main@9f2c @03T09:00.0; `,
		"07": "424242 99001122: " + mention + "repository 99001122 acme/infra private true archived false main @03T11:00.0; " +
			`pull 99001122#17 merged "Add bucket" by alice, feature/bucket@77ab to main@9f2c, merged as c0de 03T11:00 @03T11:00.2; `,
		"06": "424242 99001122: " + mention + "repository 99001122 acme/infra private true archived false main @02T08:10.0; " +
			`comment 1 on 99001122#17 by alice/501, bot false: "terrateam plan" @arrival.0; `,
		"08": "424242 99001122: " + mention + "repository 99001122 acme/infra private true archived false main @03T11:00.0; push to 99001122 by alice/501 @02T11:00.0; ",
		"09": "424242 99001144: " + mention + "repository 99001144 acme/legacy private true archived true main @04T08:00.0; ",
		"11": "77 502: repository 502 acme-group/dns private true archived ? main @arrival.0; push to 502 by bob/8 @arrival.0; ",
		"12": `77 501: repository 501 acme-group/network private true archived ? main @03T09:00.0; pull 501#3 open "Peer the networks" by bob, peering@77ab to main@ @03T09:00.0; `,
		"13": `77 501: repository 501 acme-group/network private true archived ? main @03T12:00.0; pull 501#3 merged "Peer the networks" by , peering@77ab to main@, merged as c0de 03T12:00 @03T12:00.2; `,
		"14": "77 503: repository 503 acme-group/storage private true archived ? @03T13:00.0; ",
	}
	for _, p := range payloads(t) {
		e := p.read(t)
		got := fmt.Sprintf("%s %s: ", e.Installation, e.Repository)
		for _, c := range e.Facts {
			got += text(c) + "; "
		}
		if w, ok := want[p.name[:2]]; ok && got != w {
			t.Errorf("%s:\ngot  %s\nwant %s", p.name, got, w)
		}
		delete(want, p.name[:2])
	}
	if len(want) > 0 {
		t.Errorf("there is no payload for %v", want)
	}
}

// with returns the JSON of GitHub's payload with some members replaced.
func with(members string) []byte {
	return []byte(`{"installation":{"id":42,"account":{"login":"acme","type":"Organization"},"updated_at":"2026-11-02T08:00:00Z"},` + members + `}`)
}

const aRepository = `"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main","updated_at":"2026-11-02T08:00:00Z"}`

func TestGitHubsActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ event, members, want string }{
		{"installation", `"action":"deleted"`, "installation 42 acme Organization uninstalled @02T08:00.2"},
		{"installation", `"action":"suspend"`, "installation 42 acme Organization suspended @02T08:00.0"},
		{"installation", `"action":"unsuspend"`, "installation 42 acme Organization installed @02T08:00.1"},
		{"installation", `"action":"new_permissions_accepted"`, "installation 42 acme Organization installed @02T08:00.0"},
		{
			"installation_repositories", `"action":"added","repositories_added":[{"id":8,"full_name":"acme/new"}],"repositories_removed":[]`,
			"installation 42 acme @arrival.0; listed 8 acme/new private false archived ? @arrival.0",
		},
		{"installation_repositories", `"action":"removed","repositories_removed":[{"id":8,"full_name":"acme/new"}]`, "installation 42 acme @arrival.0; gone 8 @arrival.3"},
		{"repository", `"action":"deleted",` + aRepository, "installation 42 acme @arrival.0; gone 7 @02T08:00.3"},
		{"repository", `"action":"renamed",` + aRepository, "installation 42 acme @arrival.0; repository 7 acme/infra private false archived false main @02T08:00.0"},
		{"repository", `"action":"transferred",` + aRepository, "installation 42 acme @arrival.0; repository 7 acme/infra private false archived false main @02T08:00.0"},
		{"installation_target", `"action":"renamed","account":{"login":"acme2"}`, "installation 42 is called acme2 @arrival.0"},
		{"installation_target", `"action":"renamed","account":{"login":"acme2","updated_at":"2026-11-03T08:00:00Z"}`, "installation 42 is called acme2 @03T08:00.0"},
		{"installation_target", `"action":"other"`, ""},
		{"push", `"zen":1`, "installation 42 acme @arrival.0"},
	} {
		e, err := vcsevent.GitHub(c.event, with(c.members))
		if err != nil {
			t.Errorf("%s %s: %v", c.event, c.members, err)
		}
		var got []string
		for _, change := range e.Facts {
			got = append(got, text(change))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.event, c.members, strings.Join(got, "; "), c.want)
		}
	}
	if e, err := vcsevent.GitHub("ping", []byte(`{"zen":"x"}`)); err != nil || len(e.Facts) > 0 || e.Installation != "" {
		t.Errorf("no installation: %+v, %v", e, err)
	}
}

func TestAbsurdDeliveriesAreUndecodableAndSayWhy(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-in-the-payload"
	pull := func(members string) string { return aRepository + `,"pull_request":{` + members + `}` }
	const rest = `"updated_at":"2026-11-02T08:00:00Z","base":{"ref":"main","sha":"aa"},"head":{"ref":"x","sha":"bb"}`
	for members, want := range map[string]string{
		`"repository":{"id":-7}`: "repository.id",
		`"repository":{"id":7,"name":"` + strings.Repeat("n", 256) + `"}`:         "repository.owner.login",
		`"repository":{"id":"` + secret + `"}`:                                    "repository.id is a string, not a whole number",
		`"repository":[]`:                                                         "repository is an array, not an object",
		`"installation":7`:                                                        "installation is a number, not an object",
		aRepository + `,"pull_request":"` + secret + `"`:                          "pull_request is a string, not an object",
		pull(`"number":1.5,"state":"open",` + rest):                               "pull_request.number is a number, not a whole number",
		pull(`"number":1,"state":{},` + rest):                                     "pull_request.state is an object, not a string",
		pull(strings.Replace(`"number":1,"state":"open",`+rest, `"aa"`, `[]`, 1)): "pull_request.base.sha is an array, not a string",
		`"zen":1`:   "repository is missing",
		aRepository: "pull_request is missing",
		pull(`"number":0,"state":"open",` + rest):                                 "pull_request.number",
		pull(`"number":1,"state":"` + secret + `",` + rest):                       "pull_request.state",
		pull(`"number":1,"state":"open"`):                                         "pull_request.updated_at",
		pull(`"number":1,"state":"open","updated_at":"` + secret + `"`):           "pull_request.updated_at",
		pull(`"number":1,"state":"open","updated_at":"9999-01-01T00:00:00Z"`):     "pull_request.updated_at",
		pull(strings.Replace(`"number":1,"state":"open",`+rest, `"aa"`, `""`, 1)): "pull_request.base.sha",
	} {
		e, err := vcsevent.GitHub("pull_request", with(members))
		var u *vcsevent.Undecodable
		if !errors.As(err, &u) || !strings.Contains(u.Reason, want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%.80s: %v, want %s", members, err, want)
		}
		if len(e.Facts) > 0 {
			t.Errorf("%.80s: tells %v", members, e.Facts)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"project":{"id":0}}`, `{"project":{"id":1,"path_with_namespace":"infra"}}`} {
		if e, err := gitlab("Merge Request Hook", []byte(body)); len(e.Facts) > 0 {
			t.Errorf("GitLab, %s: tells %v, %v", body, e.Facts, err)
		}
	}
}

func TestActionsArePlainWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"opened": "opened", `push\n2026-01-01 done \u001b[2J`: "", "geöffnet": "", strings.Repeat("a", 256): "",
	} {
		g, err := gitlab("Push Hook", []byte(`{"event_name":"`+text+`","project":{"id":501,"path_with_namespace":"acme/infra"}}`))
		if h, err2 := vcsevent.GitHub("push", with(`"action":"`+text+`"`)); g.Action != want || h.Action != want || err != nil || err2 != nil {
			t.Errorf("%.40s: %q of GitLab, %q of GitHub, %v, %v", text, g.Action, h.Action, err, err2)
		}
	}
}

func TestTitlesAreCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	body := with(aRepository + `,"pull_request":{"number":1,"state":"open","title":"` + strings.Repeat("ä", 2000) +
		`","updated_at":"2026-11-02T08:00:00Z","base":{"ref":"main","sha":"aa"},"head":{"ref":"x","sha":"bb"}}`)
	e, err := vcsevent.GitHub("pull_request", body)
	if err != nil {
		t.Fatal(err)
	}
	p := e.Facts[2].(*vcsevent.PullRequestSeen)
	if p.Title != strings.Repeat("ä", 512) {
		t.Errorf("title of %d bytes", len(p.Title))
	}
}

func TestFormsOfTimes(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	for _, form := range []string{
		`"2026-11-03T09:00:00Z"`, `"2026-11-03 09:00:00 UTC"`, `"2026-11-03T10:00:00.123+01:00"`, `"2026-11-03 10:00:00 +0100"`, `1793696400`,
	} {
		e, err := vcsevent.GitHub("push", with(strings.Replace(aRepository, `"2026-11-02T08:00:00Z"`, form, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Facts[1].(*vcsevent.RepositorySeen).At; !got.Equal(want) {
			t.Errorf("%s: %s, want %s", form, got, want)
		}
	}
}
