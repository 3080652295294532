package vcsevent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// asking returns the facts of an event that lead to evaluations, in one line. Of a pull
// request it shows the action and the sender.
func asking(e vcsevent.Event) string {
	var list []string
	for _, f := range e.Facts {
		switch f := f.(type) {
		case *vcsevent.Commented, *vcsevent.Pushed:
			list = append(list, text(f))
		case *vcsevent.PullRequestSeen:
			list = append(list, strings.TrimSpace(string(f.Action)+" by "+f.Sender+"/"+string(f.SenderID)))
		}
	}
	return strings.Join(list, "; ")
}

func TestNewCommentOfAPullRequestIsAFact(t *testing.T) {
	t.Parallel()
	const (
		pull   = `"issue":{"number":17,"pull_request":{"url":"x"}}`
		ann    = `"user":{"login":"ann","id":6,"type":"User"},"created_at":"2026-11-03T09:00:00Z"`
		plan   = `"comment":{"id":5,"body":"terrateam plan",` + ann + `}`
		sender = `"sender":{"login":"ann","id":6,"type":"User"},` + aRepository
		want   = `comment 5 on 7#17 by ann/6, bot false: "terrateam plan" @03T09:00.0`
	)
	said := func(body string) string { return strings.Replace(plan, "terrateam plan", body, 1) }
	for _, c := range []struct{ members, want string }{
		{`"action":"created",` + pull + "," + plan + "," + sender, want},
		{`"action":"edited",` + pull + "," + plan + "," + sender, ""},
		{`"action":"deleted",` + pull + "," + plan + "," + sender, ""},
		{`"action":"created","issue":{"number":17},` + plan + "," + sender, ""},
		{`"action":"created","issue":{"number":17,"pull_request":null},` + plan + "," + sender, ""},
		{`"action":"created",` + pull + "," + strings.Replace(plan, "User", "Bot", 1) + "," + sender, strings.Replace(want, "false", "true", 1)},
		{`"action":"created",` + pull + "," + plan + "," + strings.Replace(sender, "User", "Bot", 1), strings.Replace(want, "false", "true", 1)},
		{`"action":"created",` + pull + "," + strings.Replace(plan, `"id":5`, `"performed_via_github_app":{"id":9},"id":5`, 1) + "," + sender, strings.Replace(want, "false", "true", 1)},
		{`"action":"created",` + pull + "," + strings.Replace(plan, `"id":5`, `"performed_via_github_app":null,"id":5`, 1) + "," + sender, want},
		{`"action":"created",` + pull + "," + strings.Replace(plan, `,"created_at":"2026-11-03T09:00:00Z"`, "", 1) + "," + sender, strings.Replace(want, "03T09:00", "arrival", 1)},
		{`"action":"created",` + pull + "," + said("") + "," + sender, ""},
		{`"action":"created",` + pull + "," + said(`a\u0000b`) + "," + sender, ""},
		{`"action":"created",` + pull + "," + said(long(64<<10)) + "," + sender, strings.Replace(want, "terrateam plan", long(64<<10), 1)},
		{`"action":"created",` + pull + "," + said(long(64<<10+1)) + "," + sender, ""},
	} {
		if got := asking(onGitHub(t, "issue_comment", string(with(c.members)))); got != c.want {
			t.Errorf("%.300s:\ngot  %.200s\nwant %.200s", c.members, got, c.want)
		}
	}
	for _, members := range []string{
		`"action":"created",` + pull + "," + sender,
		`"action":"created",` + pull + "," + strings.Replace(plan, `"id":5`, `"id":"5"`, 1) + "," + sender,
		`"action":"created",` + pull + "," + strings.Replace(plan, `"id":6`, `"id":null`, 1) + "," + sender,
		`"action":"created",` + strings.Replace(pull, "17", "0", 1) + "," + plan + "," + sender,
		`"action":"created",` + pull + "," + plan,
	} {
		var wrong *vcsevent.Undecodable
		if e, err := vcsevent.GitHub("issue_comment", with(members)); !errors.As(err, &wrong) || len(e.Facts) > 0 {
			t.Errorf("%s: got %q, %v", members, asking(e), err)
		}
	}
}

func TestNewCommentOfAMergeRequestIsAFact(t *testing.T) {
	t.Parallel()
	note := func(user, object string) string {
		return `{"object_kind":"note","event_type":"note","user":{` + user + `},"project_id":501,"project":{"id":501,` + aProject + `},"merge_request":{"iid":3},` +
			`"object_attributes":{"id":5,"author_id":6,"created_at":"2026-11-03 09:00:00 UTC","note":"terrateam plan",` + object + `}}`
	}
	const (
		ann   = `"id":6,"username":"ann"`
		merge = `"noteable_type":"MergeRequest"`
		want  = `comment 5 on 501#3 by ann/6, bot false: "terrateam plan" @03T09:00.0`
	)
	bot := func(name string) string {
		return strings.Replace(strings.Replace(want, "ann", name, 1), "false", "true", 1)
	}
	for _, c := range []struct{ body, want string }{
		{note(ann, merge+`,"action":"create"`), want},
		{note(ann, merge), want},
		{note(`"username":"ann"`, merge), want},
		{note(ann, merge+`,"action":"update"`), ""},
		{note(ann, merge+`,"system":true`), ""},
		{note(ann, `"noteable_type":"Commit","action":"create"`), ""},
		{note(ann, `"noteable_type":"Issue","action":"create"`), ""},
		{strings.Replace(note(ann, merge), "terrateam plan", "", 1), ""},
		{note(`"id":6,"username":"project_501_bot_4ffca233d8298ea1"`, merge), bot("project_501_bot_4ffca233d8298ea1")},
		{note(`"id":6,"username":"project_501_bot"`, merge), bot("project_501_bot")},
		{note(`"id":6,"username":"project_501_bot3"`, merge), bot("project_501_bot3")},
		{note(`"id":6,"username":"group_77_bot_c0ffee"`, merge), bot("group_77_bot_c0ffee")},
		{note(`"id":6,"username":"service_account_group_77_c0ffee"`, merge), bot("service_account_group_77_c0ffee")},
		{note(`"id":6,"username":"project_bot"`, merge), strings.Replace(want, "ann", "project_bot", 1)},
	} {
		e, err := gitlab("Note Hook", []byte(c.body))
		if got := asking(e); err != nil || got != c.want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", c.body, got, err, c.want)
		}
	}
	for _, body := range []string{
		note(`"id":6`, merge), strings.Replace(note(ann, merge), `"id":5`, `"id":0`, 1), strings.Replace(note(ann, merge), `"iid":3`, `"iid":"3"`, 1),
	} {
		var wrong *vcsevent.Undecodable
		if e, err := gitlab("Note Hook", []byte(body)); !errors.As(err, &wrong) || len(e.Facts) > 0 {
			t.Errorf("%s: got %q, %v", body, asking(e), err)
		}
	}
}

func TestOnlyAPushToTheDefaultBranchIsAFact(t *testing.T) {
	t.Parallel()
	const want = "push to 7 by ann/6 @02T11:00.0"
	for members, want := range map[string]string{
		`"ref":"refs/heads/main"`:                   want,
		`"ref":"refs/heads/main","deleted":false`:   want,
		`"ref":"refs/heads/main","deleted":true`:    "",
		`"ref":"refs/heads/topic"`:                  "",
		`"ref":"refs/tags/main"`:                    "",
		`"ref":"main"`:                              "",
		`"zen":1`:                                   "",
		`"ref":"refs/heads/main","sender":{"id":0}`: "push to 7 by / @02T11:00.0",
		`"ref":"refs/heads/","repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":""}`: "",
	} {
		for _, member := range []string{`"sender":{"login":"ann","id":6}`, strings.Replace(aRepository, `"updated_at"`, `"pushed_at":1793617200,"updated_at"`, 1)} {
			if name, _, _ := strings.Cut(member, ":"); !strings.Contains(members, name) {
				members += "," + member
			}
		}
		if got := asking(onGitHub(t, "push", string(with(members)))); got != want {
			t.Errorf("%s: got %q, want %q", members, got, want)
		}
	}
	const commit = `"after":"77ab02c4d6e8f0a1b3c5d7e9f1a3b5c7d9e1f3a5"`
	for members, want := range map[string]string{
		`"ref":"refs/heads/main",` + commit:                                          "push to 501 by ann/6 @arrival.0",
		`"ref":"refs/heads/topic",` + commit:                                         "",
		`"ref":"refs/heads/main","after":"0000000000000000000000000000000000000000"`: "",
		`"ref":"refs/tags/main",` + commit:                                           "",
	} {
		for _, event := range []string{"Push Hook", "System Hook"} {
			e, err := gitlab(event, []byte(`{"event_name":"push","user_id":6,"user_username":"ann","project":{"id":501,`+aProject+`},`+members+`}`))
			if got := asking(e); err != nil || got != want {
				t.Errorf("%s %s: got %q, %v, want %q", event, members, got, err, want)
			}
		}
	}
}

func TestActionsOfPullRequests(t *testing.T) {
	t.Parallel()
	const pull = `"sender":{"login":"ann","id":6},"pull_request":{"number":1,"state":"open","updated_at":"2026-11-02T09:00:00Z","base":{"ref":"main","sha":"aa"},"head":{"ref":"x","sha":"bb"}},` + aRepository
	for action, want := range map[string]vcsevent.PullAction{
		`"opened"`: vcsevent.PullOpened, `"reopened"`: vcsevent.PullReopened, `"synchronize"`: vcsevent.PullPushed, `"ready_for_review"`: vcsevent.PullReady,
		`"closed"`: vcsevent.PullClosed, `"converted_to_draft"`: vcsevent.PullOther, `"labeled"`: vcsevent.PullOther, `5`: vcsevent.PullOther,
		`"edited"`: vcsevent.PullOther,
		`"edited","changes":{"title":{"from":"x"}}`:         vcsevent.PullOther,
		`"edited","changes":{"base":{"ref":{"from":"x"}}}`:  vcsevent.PullRetargeted,
		`"labeled","changes":{"base":{"ref":{"from":"x"}}}`: vcsevent.PullOther,
	} {
		if got := asking(onGitHub(t, "pull_request", string(with(`"action":`+action+","+pull)))); got != string(want)+" by ann/6" {
			t.Errorf("%s: got %q, want %q", action, got, want)
		}
	}
	for members, want := range map[string]vcsevent.PullAction{
		`"action":"open"`: vcsevent.PullOpened, `"action":"reopen"`: vcsevent.PullReopened, `"action":"close"`: vcsevent.PullClosed, `"action":"merge"`: vcsevent.PullClosed,
		`"action":"approved"`: vcsevent.PullOther, `"action":"update"`: vcsevent.PullOther, `"zen":1`: vcsevent.PullOther,
		`"action":"update","oldrev":"77ab"`:                                                    vcsevent.PullPushed,
		`"action":"update"},"changes":{"draft":{"previous":true,"current":false}`:              vcsevent.PullReady,
		`"action":"update"},"changes":{"draft":{"previous":false,"current":true}`:              vcsevent.PullOther,
		`"action":"update"},"changes":{"draft":{"previous":true}`:                              vcsevent.PullOther,
		`"action":"update"},"changes":{"target_branch":{"previous":"main","current":"next"}`:   vcsevent.PullRetargeted,
		`"action":"update"},"changes":{"title":{"previous":"x","current":"y"}`:                 vcsevent.PullOther,
		`"action":"approved"},"changes":{"target_branch":{"previous":"main","current":"next"}`: vcsevent.PullOther,
	} {
		e, err := gitlab("Merge Request Hook", []byte(`{"object_kind":"merge_request","user":{"id":6,"username":"ann"},"project":{"id":501,`+aProject+`},"object_attributes":{"iid":3,`+
			`"state":"opened","source_branch":"x","target_branch":"main","updated_at":"2026-11-03 09:00:00 UTC",`+members+`}}`))
		if got := asking(e); err != nil || got != string(want)+" by ann/6" {
			t.Errorf("%s: got %q, %v, want %q", members, got, err, want)
		}
	}
}
