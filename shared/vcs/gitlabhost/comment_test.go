package gitlabhost_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// commentsOf returns the comments of the merge request.
func commentsOf(host *vcstest.GitLab) (all []vcstest.Comment) {
	host.Update(7, func(p *vcstest.Project) { all = slices.Clone(p.Changes[0].Comments) })
	return all
}

func TestCommentIsCreatedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	made, err := client.CreateComment(t.Context(), infra, 5, "first\n<!-- opsplane 1 -->")
	if err != nil || made.ID == "" {
		t.Fatalf("got %+v, %v", made, err)
	}
	for range 2 {
		if err := client.EditComment(t.Context(), infra, 5, made.ID, "second"); err != nil {
			t.Error(err)
		}
	}
	if err := client.HideComment(t.Context(), infra, 5, made.ID); err != nil {
		t.Error(err)
	}
	if got := commentsOf(host); len(got) != 1 || got[0].Text != "second" || got[0].Author != "bob" {
		t.Errorf("GitLab has %+v", got)
	}
	for range 2 {
		if err := client.DeleteComment(t.Context(), infra, 5, made.ID); err != nil {
			t.Error(err)
		}
	}
	if got := commentsOf(host); len(got) != 0 {
		t.Errorf("GitLab has %+v", got)
	}
	for _, id := range []string{made.ID, "", "x", "1/../2"} {
		if err := client.EditComment(t.Context(), infra, 5, id, "third"); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%q: %v", id, err)
		}
		if err := client.DeleteComment(t.Context(), infra, 5, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		if err := client.React(t.Context(), infra, 5, id); !errors.Is(err, vcshost.ErrGone) {
			t.Errorf("%q: %v", id, err)
		}
	}
	host.Fail(vcstest.Failure{Match: "/notes", Times: 1, Status: 201, Body: `{}`})
	if got, err := client.CreateComment(t.Context(), infra, 5, "x"); err == nil || vcshost.NothingDone(err) {
		t.Errorf("without an id: got %+v, %v", got, err)
	}
}

func TestNewestOwnCommentWithTheMarkerIsFound(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	const marker = "<!-- opsplane 1 -->"
	host.Say(7, 5, "eve", 66, "not ours "+marker)
	if got, err := client.FindComment(t.Context(), infra, 5, marker); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("a comment of another account was found: %+v, %v", got, err)
	}
	var newest vcshost.Comment
	for _, text := range []string{"a " + marker, "b " + marker, "c <!-- opsplane 2 -->"} {
		made, err := client.CreateComment(t.Context(), infra, 5, text)
		if err != nil {
			t.Fatal(err)
		}
		if text[0] == 'b' {
			newest = made
		}
	}
	host.Say(7, 5, "eve", 66, "not ours "+marker)
	if got, err := client.FindComment(t.Context(), infra, 5, marker); err != nil || got != newest {
		t.Errorf("got %+v, %v, want %+v", got, err, newest)
	}
	if n := host.Asked("GET /user"); n != 1 {
		t.Errorf("the account was asked for %d times, want once", n)
	}
	for i := range 98 {
		host.Say(7, 5, "eve", 66, fmt.Sprint(i))
	}
	if got, err := client.FindComment(t.Context(), infra, 5, marker); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("beyond the newest 100: got %+v, %v", got, err)
	}
	host.Fail(vcstest.Failure{Match: "/notes", Times: 1, Status: 200, Body: `[{"body":"x"}]`})
	if got, err := client.FindComment(t.Context(), infra, 5, marker); err == nil || errors.Is(err, vcshost.ErrGone) {
		t.Errorf("a comment without an id: got %+v, %v", got, err)
	}
}

func TestRocketIsGivenOnce(t *testing.T) {
	t.Parallel()
	client, host, _ := withContent(t)
	id := host.Say(7, 5, "ann", 1, "terraform plan")
	for i := range 120 {
		host.Award(id, int64(1000+i), "rocket") // more than a page of others
	}
	for range 2 {
		if err := client.React(t.Context(), infra, 5, strconv.FormatInt(id, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if got := commentsOf(host)[0].Reactions; !slices.Equal(got, []string{"rocket"}) {
		t.Errorf("GitLab has the reactions %v", got)
	}
	other := host.Say(7, 5, "ann", 1, "terraform plan")
	host.Award(other, 1, "rocket")
	host.Award(other, 8, "eyes")
	host.Fail(vcstest.Failure{Match: "POST ", Times: 1, Status: 404, Body: `{"message":"404 Award Emoji Not Found"}`})
	if err := client.React(t.Context(), infra, 5, strconv.FormatInt(other, 10)); !errors.Is(err, vcshost.ErrGone) {
		t.Errorf("a reaction that GitLab does not allow: %v", err)
	}
}
