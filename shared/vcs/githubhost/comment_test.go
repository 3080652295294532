package githubhost_test

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

const marker = "<!-- opsplane 01J -->"

func TestCommentIsCreatedEditedHiddenReactedToAndDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	made, err := r.client.CreateComment(ctx, infra, 5, "**first** <b>&</b>")
	if err != nil || made.ID == "" || !strings.HasPrefix(made.URL, "https://github.example.com/acme/infra/pull/5#issuecomment-") {
		t.Fatalf("got %+v, %v", made, err)
	}
	if got := r.comments(); len(got) != 1 || got[0].Text != "**first** <b>&</b>" || got[0].App != vcstest.AppID {
		t.Fatalf("got %+v", got)
	}
	for range 2 { // each may be repeated
		for name, do := range map[string]func() error{
			"edit":  func() error { return r.client.EditComment(ctx, infra, 5, made.ID, "second") },
			"hide":  func() error { return r.client.HideComment(ctx, infra, 5, made.ID) },
			"react": func() error { return r.client.React(ctx, infra, 5, made.ID) },
		} {
			if err := do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if got := r.comments(); len(got) != 1 || got[0].Text != "second" || got[0].Hidden != "OUTDATED" || !reflect.DeepEqual(got[0].Reactions, []string{"rocket"}) {
		t.Errorf("got %+v", got)
	}
	for range 2 {
		if err := r.client.DeleteComment(ctx, infra, 5, made.ID); err != nil || len(r.comments()) != 0 {
			t.Errorf("%v; %+v are left", err, r.comments())
		}
	}
}

func TestCommentThatIsGoneIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	for _, id := range []string{"1", "", "abc", "1/../2"} {
		for name, err := range map[string]error{"edit": r.client.EditComment(ctx, infra, 5, id, "x"), "react": r.client.React(ctx, infra, 5, id)} {
			if !errors.Is(err, vcshost.ErrGone) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
		for name, err := range map[string]error{"hide": r.client.HideComment(ctx, infra, 5, id), "delete": r.client.DeleteComment(ctx, infra, 5, id)} {
			if err != nil {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
	if _, err := r.client.CreateComment(ctx, infra, 6, "x"); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("of a pull request that is gone: %v", err)
	}
	var rejected *vcshost.Rejection
	if _, err := r.client.CreateComment(ctx, infra, 5, strings.Repeat("x", 65_537)); !errors.As(err, &rejected) || !vcshost.NothingDone(err) {
		t.Errorf("with a text that is too long: %v", err)
	}
}

func TestErrorsOfTheGraphQLAPIAreUnderstood(t *testing.T) {
	t.Parallel()
	for body, check := range map[string]func(error) bool{
		`{"data":{"minimizeComment":null},"errors":[{"type":"NOT_FOUND","message":"Could not resolve to a node"}]}`: func(err error) bool { return err == nil },
		`{"data":null,"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration"}]}`: func(err error) bool {
			var refusal *vcshost.Refusal
			return errors.As(err, &refusal) && refusal.Words == "Resource not accessible by integration"
		},
		`{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`:               limitedTo(1, 1<<62),
		`{"errors":[{"type":"FORBIDDEN","message":"You have exceeded a secondary rate limit"}]}`: limitedTo(1, 1<<62),
		`{"errors":[{"message":"Something went wrong while executing your query."}]}`:            func(err error) bool { var r *vcshost.Rejection; return errors.As(err, &r) },
		`{}`: func(err error) bool { return err != nil && !vcshost.NothingDone(err) },
		``:   func(err error) bool { return err != nil && !vcshost.NothingDone(err) },
	} {
		r, comment := prepared(t)
		r.host.Fail(vcstest.Failure{Match: "/api/graphql", Times: 1, Status: 200, Body: body})
		if err := r.client.HideComment(t.Context(), infra, 5, comment); !check(err) {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestCommentIsFoundByTheMarkerInItsFirstOrLastLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	say := func(text string) string {
		t.Helper()
		made, err := r.client.CreateComment(ctx, infra, 5, text)
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	find := func(want string) {
		t.Helper()
		got, err := r.client.FindComment(ctx, infra, 5, marker+"\n")
		if want == "" && !errors.Is(err, vcshost.ErrGone) || want != "" && (err != nil || got.ID != want || got.URL == "") {
			t.Errorf("got %+v, %v, want %q", got, err, want)
		}
	}
	find("")
	say("text\n<!-- opsplane 02K -->")
	say("text\n```\n" + marker + "\n```\ntext")
	r.host.Say("acme", "infra", 5, "eve", 6, "text\n"+marker)
	find("")
	first := say(marker + "\r\ntext")
	find(first)
	last := say("text\n" + marker + "\n")
	find(last)
	r.host.Say("acme", "infra", 5, "eve", 6, "text\n"+marker)
	find(last)
	if got, err := r.client.FindComment(ctx, infra, 5, ""); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("without a marker: got %+v, %v", got, err)
	}
}

func TestOnlyTheNewestHundredCommentsAreSearched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after, requests int // comments after the one that is looked for
		found           bool
	}{{0, 1, true}, {99, 1, true}, {100, 2, false}, {250, 3, false}} {
		r, _ := prepared(t)
		for i := range c.after {
			r.host.Say("acme", "infra", 5, "ann", 1, fmt.Sprint("comment ", i))
		}
		before := r.requests()
		got, err := r.client.FindComment(t.Context(), infra, 5, marker)
		if sent := r.requests() - before; errors.Is(err, vcshost.ErrGone) == c.found || c.found && err != nil || sent != c.requests {
			t.Errorf("after %d: got %+v, %v with %d requests, want %d", c.after, got, err, sent, c.requests)
		}
	}
	r := newRig(t)
	for i := range 250 {
		r.host.Say("acme", "infra", 5, "ann", 1, fmt.Sprint("comment ", i))
	}
	made, err := r.client.CreateComment(t.Context(), infra, 5, marker)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 99 {
		r.host.Say("acme", "infra", 5, "ann", 1, fmt.Sprint("comment ", i))
	}
	if got, err := r.client.FindComment(t.Context(), infra, 5, marker); err != nil || got != made {
		t.Errorf("the hundredth: got %+v, %v, want %+v", got, err, made)
	}
}

func TestCommentOfAnotherAccountIsNeverOurs(t *testing.T) {
	t.Parallel()
	const comment = `[{"id":9,"html_url":"https://x","body":"` + marker + `","user":%s,"performed_via_github_app":%s}]`
	ours := strconv.Itoa(vcstest.AppID)
	for name, c := range map[string]struct {
		user, app string
		slug      string
		want      bool
	}{
		"App's bot":                    {`{"login":"ops[bot]","type":"Bot"}`, `{"id":` + ours + `}`, "ops", true},
		"App's bot, renamed":           {`{"login":"old[bot]","type":"Bot"}`, `{"id":` + ours + `}`, "ops", true},
		"person who uses our App":      {`{"login":"eve","type":"User"}`, `{"id":` + ours + `}`, "ops", false},
		"other App":                    {`{"login":"ops[bot]","type":"Bot"}`, `{"id":7}`, "ops", false},
		"person":                       {`{"login":"eve","type":"User"}`, `null`, "ops", false},
		"person named as our bot":      {`{"login":"ops[bot]","type":"User"}`, `null`, "ops", false},
		"account that is gone":         {`null`, `null`, "ops", false},
		"bot of an old server":         {`{"login":"ops[bot]","type":"Bot"}`, `null`, "ops", true},
		"other's bot of an old server": {`{"login":"dependabot[bot]","type":"Bot"}`, `null`, "ops", false},
		"App without a name":           {`{"login":"[bot]","type":"Bot"}`, `null`, "", false},
	} {
		r := newRig(t)
		r.host.SetApp(vcstest.App{Slug: c.slug})
		r.host.Fail(vcstest.Failure{Match: "/issues/5/comments", Status: 200, Body: fmt.Sprintf(comment, c.user, c.app)})
		got, err := r.client.FindComment(t.Context(), infra, 5, marker)
		if c.want && (err != nil || got.ID != "9") || !c.want && err == nil {
			t.Errorf("%s: got %+v, %v, want it found: %t", name, got, err, c.want)
		}
	}
}
