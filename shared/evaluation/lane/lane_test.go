package lane_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestRequestsComeInTheOrderOfTheirTime(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	late := pull(1)
	late.At = born.Add(time.Second)
	ask(t, s, late, command("9"), pull(2))
	h := enter(t, s, 0)
	if got, want := names(t, h), []string{"pull#2", "command#9", "pull#1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	leave(t, h, false)
}

func TestRequestKeepsAllThatItSays(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	want := lane.Request{
		Kind: lane.Command, Repository: repository, Number: 17, Sender: "ann", SenderID: "5", Comment: "9", Text: "terrateam plan dir:a\n", At: born,
	}
	ask(t, s, want)
	if got := only(t, enter(t, s, 0)); got.Request != want || !got.Since.Equal(born) || got.Failed != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestRequestsOfOneStateCoalesceAndStayAutomatic(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	pushed := pull(1)
	pushed.Automatic, pushed.Sender = true, "ann"
	edited := pull(1)
	edited.At, edited.Sender = born.Add(time.Minute), "bob"
	ask(t, s, pushed, edited)
	h := enter(t, s, 0)
	got := only(t, h)
	if !got.Automatic || got.Sender != "ann" || !got.At.Equal(edited.At) || !got.Since.Equal(born) {
		t.Errorf("got %+v", got)
	}
	decide(t, h, got, decision())
	ask(t, s, edited)
	if got := only(t, h); got.Automatic {
		t.Error("a request is automatic because one before it was, which is decided about")
	}
}

func TestRequestWithoutRepositoryOrTimeIsRefused(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	for name, r := range map[string]lane.Request{
		"no time":         {Kind: lane.Push, Repository: repository},
		"no repository":   {Kind: lane.Push, Repository: acme.Repository(""), At: born},
		"no installation": {Kind: lane.Push, Repository: vcs.Installation{VCS: vcs.GitHub}.Repository("7"), At: born},
	} {
		if err := s.Ask(t.Context(), r, born); err == nil {
			t.Errorf("%s: it was stored", name)
		}
	}
}

func TestLaneHasOneHolder(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	first := enter(t, s, 0)
	if _, ok, err := s.Enter(t.Context(), repository, born.Add(lane.Lease-time.Millisecond)); ok || err != nil {
		t.Errorf("entered a lane that is taken: %v", err)
	}
	if _, ok, err := s.Enter(t.Context(), acme.Repository("8"), born); !ok || err != nil {
		t.Errorf("another repository waits: %v", err)
	}
	leave(t, first, false)
	second := enter(t, s, 0)
	leave(t, first, false) // it has left before, and takes nothing from the second
	if _, ok, err := s.Enter(t.Context(), repository, born); ok || err != nil {
		t.Errorf("entered a lane that is taken: %v", err)
	}
	_ = enter(t, s, lane.Lease)
	refused(t, "rest of a lane that was lost", second.Postpone(t.Context(), born), lane.ErrLost)
}

func TestHolderWhoseLeaseIsOverChangesNothing(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1), pull(2))
	old := enter(t, s, 0)
	list, err := old.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := decide(t, old, list[0], decision("comment", "status"))
	if _, err := old.Decisions(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := enter(t, s, lane.Lease)
	if got := unfinished(t, h); len(got) != 2 {
		t.Fatalf("the next holder finds %v", got)
	}
	d.Next = 1
	_, err = old.Decide(t.Context(), list[1], decision("comment"))
	refused(t, "decide", err, lane.ErrLost)
	refused(t, "progress", old.Progress(t.Context(), d), lane.ErrLost)
	refused(t, "finish", old.Finish(t.Context(), d), lane.ErrLost)
	_, err = old.Park(t.Context(), d, born.Add(time.Hour))
	refused(t, "park", err, lane.ErrLost)
	_, err = old.Decisions(t.Context())
	refused(t, "take the decisions back", err, lane.ErrLost)
	if got := unfinished(t, h); len(got) != 2 {
		t.Errorf("the next holder has %v afterwards", got)
	}
	if got := names(t, h); !slices.Equal(got, []string{"pull#2"}) {
		t.Errorf("the next holder has the requests %v afterwards", got)
	}
}

func TestRequestMadeAgainWhileItIsEvaluatedIsEvaluatedAgain(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	p := only(t, h)
	ask(t, s, pull(1))
	_, err := h.Decide(t.Context(), p, decision("comment"))
	refused(t, "decide about what has changed", err, lane.ErrChanged)
	if got := unfinished(t, h); got != nil {
		t.Errorf("stored %v", got)
	}
	decide(t, h, only(t, h), decision("comment"))
	if got := names(t, h); got != nil {
		t.Errorf("left are %v", got)
	}
}

func TestWhatIsDecidedOnceIsNotDecidedAgain(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	list := []lane.Request{
		command("9"),
		{Kind: lane.Ended, Repository: repository, Run: "r", At: born},
		{Kind: lane.Drift, Repository: repository, At: born},
	}
	states := []lane.Request{pull(1), {Kind: lane.Push, Repository: repository, At: born}}
	h := enter(t, s, 0)
	for _, again := range []bool{false, true} {
		ask(t, s, list...)
		ask(t, s, states...)
		found, err := h.Requests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := len(states)
		if !again {
			want += len(list)
		}
		if len(found) != want {
			t.Errorf("again %t: %d requests, want %d", again, len(found), want)
		}
		for _, p := range found {
			decide(t, h, p, decision())
		}
	}
	if got := names(t, h); got != nil {
		t.Errorf("left are %v", got)
	}
	if got := due(t, s, time.Hour); len(got) != 0 {
		t.Errorf("due are %v", got)
	}
}

func TestLaneIsLeftWithAWordAboutWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	_ = only(t, h) // it stays: the evaluation has failed
	leave(t, h, false)
	h = enter(t, s, 0)
	_ = only(t, h)
	ask(t, s, pull(1))
	leave(t, h, true)
	h = enter(t, s, 0)
	decide(t, h, only(t, h), decision())
	ask(t, s, pull(2))
	leave(t, h, true)
}

func TestDecisionsComeInOrderWithTheirProgress(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1), pull(2), pull(3))
	h := enter(t, s, 0)
	list, err := h.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var made []lane.Decision
	for i, p := range list {
		d := decision("run", fmt.Sprint("comment", i))
		d.At = born.Add(-time.Duration(i) * time.Hour) // a clock that goes back
		made = append(made, decide(t, h, p, d))
	}
	made[0].Next, made[0].Attempted, made[0].Tries = 1, true, 2
	if err := h.Progress(t.Context(), made[0]); err != nil {
		t.Fatal(err)
	}
	if err := h.Finish(t.Context(), made[1]); err != nil {
		t.Fatal(err)
	}
	if err := h.Finish(t.Context(), made[1]); err != nil {
		t.Errorf("finish twice: %v", err)
	}
	refused(t, "progress of what is finished", h.Progress(t.Context(), made[1]), lane.ErrLost)
	leave(t, h, false)
	h = enter(t, s, 0)
	found, err := h.Decisions(t.Context())
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v, %v", found, err)
	}
	first := found[0]
	if first.ID != made[0].ID || first.Next != 1 || !first.Attempted || first.Tries != 2 || first.Finished() || first.Request != list[0].Request || !first.At.Equal(born) {
		t.Errorf("got %+v", first)
	}
	if e := first.Effects[1]; e.Kind != "comment0" || !e.Content || string(e.Body) != `{"text":"comment0"}` {
		t.Errorf("got the effect %+v", e)
	}
	if found[1].ID != made[2].ID || found[1].ID <= found[0].ID {
		t.Errorf("got %s after %s", found[1].ID, found[0].ID)
	}
}

func TestLargeDecisionIsAnObject(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	d := decision("comment")
	var text strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&text, "%x ", i*i*i)
	}
	body, err := json.Marshal(text.String())
	if err != nil {
		t.Fatal(err)
	}
	d.Effects[0].Body = body
	stored := decide(t, h, only(t, h), d)
	found, err := h.Decisions(t.Context())
	if err != nil || len(found) != 1 || found[0].ID != stored.ID || string(found[0].Effects[0].Body) != string(body) {
		t.Errorf("got %d decisions, %v", len(found), err)
	}
}

func TestMoreIsWrittenWithTheDecisionOrNot(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	p := only(t, h)
	row, err := s.WritePull(repository.PullRequest(1), lane.Row{Body: json.RawMessage(`{"head":"aa"}`)})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, pull(1))
	_, err = h.Decide(t.Context(), p, decision("comment"), row)
	refused(t, "decide about what has changed", err, lane.ErrChanged)
	if got, err := s.Pull(t.Context(), repository.PullRequest(1)); err != nil || got.Version != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	d := decide(t, h, only(t, h), decision("comment"), row)
	got, err := s.Pull(t.Context(), repository.PullRequest(1))
	if err != nil || got.Version != 1 || string(got.Body) != `{"head":"aa"}` {
		t.Errorf("got %+v, %v", got, err)
	}
	got.Body, got.ExpiresAt = json.RawMessage(`{"head":"bb"}`), born.Add(time.Hour)
	if row, err = s.WritePull(repository.PullRequest(1), got); err != nil {
		t.Fatal(err)
	}
	d.Next = 1
	if err := h.Progress(t.Context(), d, row); err != nil {
		t.Fatal(err)
	}
	if err := h.Finish(t.Context(), d, row); err == nil {
		t.Error("a row was written over a newer one")
	}
	if got, err = s.Pull(t.Context(), repository.PullRequest(1)); err != nil || got.Version != 2 || string(got.Body) != `{"head":"bb"}` || !got.ExpiresAt.Equal(born.Add(time.Hour)) {
		t.Errorf("got %+v, %v", got, err)
	}
}
