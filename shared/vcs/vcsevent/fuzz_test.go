package vcsevent_test

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

var idForm = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

// FuzzDelivery reads any bytes as a delivery of each host. Nothing panics. Facts
// have valid ids and texts within the limits. If there is an error, there are no
// facts.
func FuzzDelivery(f *testing.F) {
	for _, p := range payloads(f) {
		f.Add(p.Event, []byte(p.Body))
	}
	f.Add("installation_repositories", with(`"repositories_added":[{"id":8,"full_name":"acme/new"}],"repositories_removed":[{"id":9}]`))
	f.Add("installation_repositories", with(`"action":"removed","repositories_removed":[{"id":8,"full_name":"acme/old"},{"id":0}]`))
	f.Add("installation_target", with(`"action":"renamed","account":{"login":"acme2","updated_at":"2026-11-02T09:00:00Z"}`))
	f.Add("repository", with(`"action":"deleted",`+aRepository))
	f.Add("Project Hook", []byte(`{"event_name":"project_destroy","project_id":501,"path_with_namespace":"acme/infra","updated_at":"2026-11-02T09:00:00Z"}`))
	f.Add("Subgroup Hook", []byte(`{"event_name":"subgroup_destroy","group_id":78,"full_path":"acme/sub","parent_group_id":77}`))
	f.Add("Merge Request Hook", []byte(`{"project":{"id":1,"path_with_namespace":"a/b"},"object_attributes":{"iid":1,"state":"closed","source_branch":"a",`+
		`"target_branch":"b","updated_at":"2026-11-03 13:00:00 UTC","last_commit":null}}`))
	for _, account := range []string{"null", enterprise, `{"login":5}`, "7"} {
		f.Add("installation", []byte(`{"action":"deleted","installation":{"id":42,"account":`+account+`}}`))
		f.Add("installation_target", []byte(`{"action":"renamed","account":`+account+`,"installation":{"id":42}}`))
	}
	f.Add("installation_repositories", with(`"action":"added","repositories_added":[{"id":8},null,"x",{"id":9,"full_name":"acme/new","private":0}]`))
	f.Add("repository", with(`"action":"deleted","starred_at":null,`+aRepository))
	f.Add("push", with(`"action":[],"repository":{"id":7,"name":"infra","owner":{"login":"acme","type":5},"default_branch":null}`))
	f.Add("pull_request", with(aRepository+`,"pull_request":{"number":1.5,"user":{"type":5},"base":[],"head":null}`))
	f.Add("System Hook", []byte(`{"object_kind":"merge_request","object_attributes":{"target_project_id":501,"target":{"path_with_namespace":"a/b/c"}}}`))
	f.Add("System Hook", []byte(`{"event_name":"group_rename","group_id":78}`))
	f.Add("issue_comment", with(`"action":"created","issue":{"number":1,"pull_request":{}},"comment":{"id":5,"body":"x","user":{"id":6,"login":"ann"}},`+aRepository))
	f.Add("push", with(`"ref":"refs/heads/main","sender":{"login":7,"id":-1},`+aRepository))
	f.Add("Note Hook", []byte(`{"object_kind":"note","user":{"username":"ann"},"project":{"id":501,`+aProject+`},"merge_request":{"iid":3},`+
		`"object_attributes":{"id":5,"note":"x","noteable_type":"MergeRequest","author_id":6}}`))
	f.Add("Issue Hook", []byte(`{"object_kind":"issue","project":{`+aProject+`},"object_attributes":{"project_id":501,"iid":"x"}}`))
	f.Add("push", []byte("payload=%7B%22installation%22%3A%7B%7D%7D"))
	f.Add("push", []byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		for _, read := range []func(string, []byte) (vcsevent.Event, error){vcsevent.GitHub, gitlab} {
			e, err := read(event, body)
			var u *vcsevent.Undecodable
			if err != nil && (!errors.As(err, &u) || len(e.Facts)+len(e.Skipped) > 0) {
				t.Fatalf("%v with %d facts", err, len(e.Facts))
			}
			if err != nil && (u.Reason == "" || len(u.Reason) > 200) || len(e.Skipped) > 11 {
				t.Fatalf("%v, skipped %q", err, e.Skipped)
			}
			if again, _ := read(event, body); !reflect.DeepEqual(e, again) {
				t.Fatal("read twice it tells something else")
			}
			if err != nil {
				continue
			}
			for _, id := range []string{string(e.Installation), string(e.Repository)} {
				if id != "" && !idForm.MatchString(id) {
					t.Fatalf("id %q", id)
				}
			}
			for _, c := range e.Facts {
				check(t, c)
			}
		}
	})
}

func check(t *testing.T, c vcsevent.Fact) {
	t.Helper()
	need := func(most int, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if text == "" || len(text) > most || !utf8.ValidString(text) {
				t.Fatalf("%T has the text %.100q", c, text)
			}
		}
	}
	ids := func(list ...string) {
		t.Helper()
		for _, id := range list {
			if !idForm.MatchString(id) {
				t.Fatalf("%T has the id %q", c, id)
			}
		}
	}
	described := func(r vcs.Description) {
		t.Helper()
		ids(string(r.ID))
		need(1024, r.Owner, r.Name)
		if strings.Contains(r.Name, "\x00") {
			t.Fatal("a name has the sign that parts it from the id")
		}
	}
	switch c := c.(type) {
	case *vcsevent.InstallationSeen:
		ids(string(c.ID))
		if c.Name != "" || c.State == "" { // an installation that is only mentioned has a name
			need(255, c.Name)
		}
	case *vcsevent.InstallationRenamed:
		ids(string(c.ID))
		need(255, c.Name)
	case *vcsevent.RepositorySeen:
		described(c.Description)
		if c.There.Before(c.At) {
			t.Fatal("it is described as of a time at which it may not have been there")
		}
	case *vcsevent.RepositoriesListed:
		for _, r := range c.List {
			described(r)
		}
	case *vcsevent.RepositoriesGone:
		for _, id := range c.IDs {
			ids(string(id))
		}
	case *vcsevent.PullRequestSeen:
		ids(string(c.Repository))
		need(1024, c.BaseBranch, c.Branch)
		if c.Number <= 0 || len(c.Title) > 1024 || !utf8.ValidString(c.Title+c.SHA) || len(c.SHA) > 64 || c.At.IsZero() || c.Action == "" {
			t.Fatalf("%+v", c)
		}
	case *vcsevent.Commented:
		ids(string(c.Repository), c.Comment, string(c.SenderID))
		need(255, c.Sender)
		need(64<<10, c.Text)
		if c.Number <= 0 {
			t.Fatalf("%+v", c)
		}
	case *vcsevent.Pushed:
		ids(string(c.Repository))
		if len(c.Sender) > 255 || c.SenderID != "" && !idForm.MatchString(string(c.SenderID)) {
			t.Fatalf("%+v", c)
		}
	}
}
