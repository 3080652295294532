package lane_test

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/stream"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/vcs"
)

func TestWhatTheStreamDoesNotShowIsDueAMinuteLater(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1), pull(2), command("9"))
	if got := due(t, s, time.Minute-time.Second); len(got) != 0 {
		t.Errorf("due at once are %v", got)
	}
	got := due(t, s, time.Minute)
	if len(got) != 1 || got[0].Repository != repository {
		t.Fatalf("due are %v", got)
	}
	h := enter(t, s, time.Minute)
	list, err := h.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range list {
		if i == 0 {
			decide(t, h, p, decision("comment")) // it is not made: the worker dies
			continue
		}
		decide(t, h, p, decision())
	}
	if got := due(t, s, 2*time.Minute); len(got) != 1 {
		t.Errorf("an unfinished decision is not due: %v", got)
	}
	found, err := h.Decisions(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v", found, err)
	}
	if err := h.Finish(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	if got := due(t, s, time.Hour); len(got) != 0 {
		t.Errorf("due afterwards are %v", got)
	}
}

func TestLanesThatWaitLongestAreDueFirst(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	for n, id := range []string{"3", "1", "2"} {
		r := pull(1)
		r.Repository = acme.Repository(vcs.ID(id))
		if err := s.Ask(t.Context(), r, born.Add(time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Due(t.Context(), born.Add(time.Hour), 2)
	if err != nil || len(list) != 2 || list[0].Repository.ID != "3" || list[1].Repository.ID != "1" {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestReminderOfARequestThatWasMadeAgainWakesNobody(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	ask(t, s, pull(1))
	if err := s.Ask(t.Context(), pull(1), born.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := due(t, s, 30*time.Minute); len(got) != 0 {
		t.Errorf("due are %v", got)
	}
	if got := due(t, s, time.Hour+time.Minute); len(got) != 1 {
		t.Errorf("the request is not due: %v", got)
	}
	var f storagetest.Faults
	if _, err := over(env.WithFaults(&f)).Due(t.Context(), born.Add(30*time.Minute), 10); err != nil || f.Calls("") != 1 {
		t.Errorf("the old reminder is still there: %d calls, %v", f.Calls(""), err)
	}
}

func TestFailuresMoveWhatIsDueFurtherAndFurther(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	now, last := time.Minute, time.Duration(0)
	for n := range 7 {
		list := due(t, s, now)
		if len(list) != 1 {
			t.Fatalf("after %d failures, due are %v", n, list)
		}
		for range 2 { // a repetition changes nothing
			if err := s.Settle(t.Context(), list[0], true, born.Add(now)); err != nil {
				t.Fatal(err)
			}
		}
		h := enter(t, s, now)
		if got := only(t, h); got.Failed != n+1 {
			t.Errorf("failures: %d, want %d", got.Failed, n+1)
		}
		leave(t, h, false)
		last = 0
		for len(due(t, s, now+last)) == 0 {
			last += 15 * time.Second
		}
		now += last
	}
	if last < 7*time.Minute || last > 23*time.Minute {
		t.Errorf("after many failures, the pause is %s", last)
	}
	ask(t, s, pull(1))
	if got := only(t, enter(t, s, now)); got.Failed != 0 {
		t.Errorf("a request that was made again has %d failures", got.Failed)
	}
}

func TestWhatIsDueStaysWhereAnotherWorkerIsAtWork(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1), pull(2))
	list := due(t, s, time.Minute)
	h := enter(t, s, time.Minute)
	decide(t, h, first(t, h), decision("comment"))
	if err := s.Settle(t.Context(), list[0], true, born.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := only(t, h); got.Failed != 1 {
		t.Errorf("got %+v", got)
	}
	if got := unfinished(t, h); len(got) != 1 {
		t.Errorf("left are %v", got)
	}
}

func first(t *testing.T, h *lane.Held) lane.Pending {
	t.Helper()
	list, err := h.Requests(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("got %v, %v", list, err)
	}
	return list[0]
}

func TestNobodyEntersALaneThatRests(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	if err := h.Postpone(t.Context(), born.Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	leave(t, h, true) // it has not read the request
	if _, ok, err := s.Enter(t.Context(), repository, born.Add(10*time.Minute-time.Millisecond)); ok || err != nil {
		t.Errorf("entered: %v", err)
	}
	list := due(t, s, time.Minute)
	if len(list) != 1 {
		t.Fatalf("due are %v", list)
	}
	if err := s.Settle(t.Context(), list[0], false, born.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := due(t, s, 10*time.Minute-time.Millisecond); len(got) != 0 {
		t.Errorf("due while the lane rests: %v", got)
	}
	if got := due(t, s, 10*time.Minute); len(got) != 1 {
		t.Errorf("due after the rest: %v", got)
	}
	if got := only(t, enter(t, s, 10*time.Minute)); got.Failed != 0 {
		t.Errorf("the rest counts as a failure: %+v", got)
	}
}

func TestParkedDecisionIsDueWhenItsTimeComes(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	ask(t, s, pull(1))
	h := enter(t, s, 0)
	d := decide(t, h, only(t, h), decision("run", "comment"))
	d.Next, d.Tries = 1, 3
	d, err := h.Park(t.Context(), d, born.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := due(t, s, time.Hour-time.Second); len(got) != 0 {
		t.Errorf("due while it is parked: %v", got)
	}
	if got := due(t, s, time.Hour); len(got) != 1 {
		t.Errorf("due are %v", got)
	}
	found, err := h.Decisions(t.Context())
	if err != nil || len(found) != 1 || !found[0].Parked.Equal(born.Add(time.Hour)) || found[0].Next != 1 || found[0].Tries != 3 {
		t.Fatalf("got %+v, %v", found, err)
	}
	d.Next = 2
	if err := h.Progress(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if found, err = h.Decisions(t.Context()); err != nil || !found[0].Parked.IsZero() {
		t.Errorf("still parked: %+v, %v", found, err)
	}
	if err := h.Finish(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	if got := due(t, s, 2*time.Hour); len(got) != 0 {
		t.Errorf("due afterwards are %v", got)
	}
}

func TestRepositoryThatMovesLeavesItsOldRequestsBehind(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	moved := command("9")
	moved.Repository = vcs.Installation{VCS: vcs.GitHub, ID: "43"}.Repository(repository.ID)
	ask(t, s, pull(1), moved)
	h := enter(t, s, 0)
	if got := only(t, h); got.Kind != lane.Pull {
		t.Errorf("got %+v", got)
	}
	leave(t, h, false)
	h, ok, err := s.Enter(t.Context(), moved.Repository, born)
	if err != nil || !ok {
		t.Fatal(err)
	}
	if got := only(t, h); got.Request != moved {
		t.Errorf("got %+v", got)
	}
	if got := due(t, s, time.Hour); len(got) != 2 {
		t.Errorf("due are %v", got)
	}
}

// TestOnlyARequestWakesTheEvaluation compares what the stream would show.
func TestOnlyARequestWakesTheEvaluation(t *testing.T) {
	t.Parallel()
	env, s := open(t)
	changes := storagetest.Changes{Table: s.Table, At: born}
	woken := func() (n int) {
		t.Helper()
		list, err := changes.Since(t.Context(), env.DynamoDB)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if of, ok := lane.Wakes(stream.Of(r)); ok {
				n++
				if of != repository {
					t.Errorf("woken for %s", of)
				}
			}
		}
		return n
	}
	steps := []struct {
		name string
		do   func()
		want int
	}{
		{"asked", func() { ask(t, s, pull(1), command("9")) }, 2},
		{"asked again", func() { ask(t, s, pull(1)) }, 1},
		{"moved", func() {
			for _, d := range due(t, s, time.Hour) {
				if err := s.Settle(t.Context(), d, true, born.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		}, 0},
		{"decided", func() {
			h := enter(t, s, 0)
			decide(t, h, first(t, h), decision("comment"))
			leave(t, h, false)
		}, 0},
	}
	for _, step := range steps {
		step.do()
		if got := woken(); got != step.want {
			t.Errorf("%s: woken %d times, want %d", step.name, got, step.want)
		}
	}
}

// checks returns the checks that are due at a time.
func checks(t *testing.T, s lane.Store, after time.Duration) []lane.Check {
	t.Helper()
	list, err := s.Checks(t.Context(), born.Add(after), 10)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCheckThatIsDueBecomesARequestOnce(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	plan := func(from, to time.Time) {
		t.Helper()
		write(t, s, s.WriteCheck(repository, from, to)...)
	}
	plan(time.Time{}, born.Add(time.Hour))
	plan(born.Add(time.Hour), born.Add(2*time.Hour))
	if got := checks(t, s, 2*time.Hour-time.Millisecond); len(got) != 0 {
		t.Errorf("due are %v", got)
	}
	got := checks(t, s, 2*time.Hour)
	if len(got) != 1 || got[0].Repository != repository || !got[0].At.Equal(born.Add(2*time.Hour)) {
		t.Fatalf("due are %v", got)
	}
	for range 2 { // two invocations of the schedule
		must(t, s.AskCheck(t.Context(), got[0], born.Add(2*time.Hour)))
	}
	if left := checks(t, s, 3*time.Hour); len(left) != 0 {
		t.Errorf("still due are %v", left)
	}
	h := enter(t, s, 2*time.Hour)
	p := only(t, h)
	if p.Kind != lane.Drift || !p.At.Equal(got[0].At) {
		t.Errorf("got %+v", p)
	}
	decide(t, h, p, decision(), s.WriteCheck(repository, got[0].At, born.Add(4*time.Hour))...)
	if got := checks(t, s, 4*time.Hour); len(got) != 1 {
		t.Errorf("the next one is not planned: %v", got)
	}
	plan(born.Add(4*time.Hour), time.Time{})
	if got := checks(t, s, 5*time.Hour); len(got) != 0 {
		t.Errorf("due are %v", got)
	}
}
