package lane_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/evaluation/lane"
	"github.com/opsplane/opsplane/shared/vcs"
)

// faults are the ways in which requests fail.
var faults = map[string]storagetest.Kind{
	"throttle": storagetest.Throttle, "conflict": storagetest.Conflict, "server error": storagetest.ServerError,
	"lost response": storagetest.LoseAnswer, "lost request": storagetest.LoseRequest, "refused": storagetest.Refuse, "duplicate": storagetest.Duplicate,
}

// TestOneFailureOfARequestToTheTableIsNoticedByNobody lets each request of the whole
// life of a command fail once, in each way. The client's own retries hide it, and a
// write that was made twice is recognised.
func TestOneFailureOfARequestToTheTableIsNoticedByNobody(t *testing.T) {
	t.Parallel()
	for way, kind := range faults {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			env := storagetest.New(t)
			calm := over(env)
			operation := ""
			if kind == storagetest.Conflict {
				operation = "TransactWriteItems" // the test's clients do not repeat other requests
			}
			for nth, there := 1, true; there; nth += storagetest.Sample(1, 3) {
				var f storagetest.Faults
				f.Add(storagetest.Fault{Operation: operation, Nth: nth, Kind: kind})
				s := over(env.WithFaults(&f))
				r := command("9")
				r.Repository = acme.Repository(vcs.ID(fmt.Sprint(nth)))
				if err := life(t, s, r, nil); err != nil {
					t.Fatalf("request %d: %v", nth, err)
				}
				h, ok, err := calm.Enter(t.Context(), r.Repository, born)
				if err != nil || !ok {
					t.Fatalf("request %d: the lane is taken: %v", nth, err)
				}
				if left := append(names(t, h), unfinished(t, h)...); len(left) > 0 {
					t.Errorf("request %d: left are %v", nth, left)
				}
				row, err := calm.Pull(t.Context(), r.Repository.PullRequest(17))
				if err != nil || row.Version != 1 {
					t.Errorf("request %d: %+v, %v", nth, row, err)
				}
				there = f.Calls(operation) >= nth
			}
		})
	}
}

// life asks for a command, decides about it, and makes its two effects. made is called
// for each effect that is made. It returns the first error.
func life(t *testing.T, s lane.Store, r lane.Request, made func(lane.Decision)) error {
	t.Helper()
	ctx := t.Context()
	if err := s.Ask(ctx, r, born); err != nil {
		return err
	}
	h, ok, err := s.Enter(ctx, r.Repository, born)
	if err != nil || !ok {
		return fmt.Errorf("entered: %t, %w", ok, err)
	}
	if err := work(t, s, h, made); err != nil {
		return err
	}
	_, err = h.Leave(ctx)
	return err
}

// work decides about the requests of a lane, and makes the effects of its decisions. An
// effect that was attempted before is given up.
func work(t *testing.T, s lane.Store, h *lane.Held, made func(lane.Decision)) error {
	t.Helper()
	ctx := t.Context()
	list, err := h.Requests(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		of := h.Repository().PullRequest(17)
		row, err := s.Pull(ctx, of)
		if err != nil {
			return err
		}
		row.Body = json.RawMessage(`1`)
		write, err := s.WritePull(of, row)
		if err != nil {
			return err
		}
		if _, err := h.Decide(ctx, p, decision("first", "second"), write); err != nil {
			return err
		}
	}
	decisions, err := h.Decisions(ctx)
	if err != nil {
		return err
	}
	for _, d := range decisions {
		if err := effects(t, h, d, made); err != nil {
			return err
		}
	}
	return nil
}

func effects(t *testing.T, h *lane.Held, d lane.Decision, made func(lane.Decision)) error {
	t.Helper()
	for ; !d.Finished(); d.Next++ {
		if !d.Attempted {
			d.Attempted, d.Tries = true, 1
			if err := h.Progress(t.Context(), d); err != nil {
				return err
			}
			if made != nil {
				made(d)
			}
		}
		d.Attempted, d.Tries = false, 0
	}
	return h.Finish(t.Context(), d)
}

// TestWorkerThatIsKilledAnywhereIsReplaced kills a worker at each of its requests. That
// request takes effect, but its response is lost, and later ones are refused. Then
// another worker comes because of the reminders alone.
func TestWorkerThatIsKilledAnywhereIsReplaced(t *testing.T) {
	t.Parallel()
	env := storagetest.New(t)
	calm := over(env)
	for nth, ended := 1, false; !ended; nth++ {
		r := command("9")
		r.Repository = acme.Repository(vcs.ID(fmt.Sprint(nth)))
		var f storagetest.Faults
		f.Add(storagetest.Fault{Nth: nth, Kind: storagetest.LoseAnswer})
		for later := range 40 {
			f.Add(storagetest.Fault{Nth: nth + 1 + later, Kind: storagetest.Refuse})
		}
		effects := map[int]int{}
		made := func(d lane.Decision) { effects[d.Next]++ }
		_ = life(t, over(env.WithFaults(&f)), r, made) // the worker is killed, so its error does not matter
		ended = f.Calls("") < nth
		now := born
		for range 5 {
			now = now.Add(time.Minute)
			list, err := calm.Due(t.Context(), now, 10)
			must(t, err)
			for _, d := range list {
				h, ok, err := calm.Enter(t.Context(), d.Repository, now)
				must(t, err)
				if ok {
					must(t, work(t, calm, h, made))
					leave(t, h, false)
				}
			}
		}
		if len(effects) > 2 || effects[0] > 1 || effects[1] > 1 {
			t.Errorf("killed at request %d: effects were made twice: %v", nth, effects)
		}
		if len(effects) == 0 && nth > 1 {
			t.Errorf("killed at request %d: no effect was made", nth)
		}
		h, ok, err := calm.Enter(t.Context(), r.Repository, now.Add(time.Minute))
		if err != nil || !ok {
			t.Fatalf("killed at request %d: the lane is taken: %v", nth, err)
		}
		if left := append(names(t, h), unfinished(t, h)...); len(left) > 0 {
			t.Errorf("killed at request %d: left are %v", nth, left)
		}
	}
	if got := due(t, calm, time.Hour); len(got) != 0 {
		t.Errorf("due are %v", got)
	}
}
