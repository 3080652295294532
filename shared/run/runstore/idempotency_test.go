package runstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// keyed returns a creation with an idempotency key.
func keyed(principal, key, request string) runstore.Creation {
	c := creation(run.Plan, dirs("net"))
	c.Idempotency = runstore.Idempotency{Principal: principal, Key: key, Request: sha256.Sum256([]byte(request))}
	return c
}

func TestRepeatedRequestGetsTheFirstRun(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	first := create(t, s, keyed("ann", "k", "plan net"), 0)
	for name, c := range map[string]struct {
		creation runstore.Creation
		after    time.Duration
		existing bool
	}{
		"again":             {keyed("ann", "k", "plan net"), time.Hour, true},
		"last moment":       {keyed("ann", "k", "plan net"), 24*time.Hour - time.Second, true},
		"another key":       {keyed("ann", "l", "plan net"), 0, false},
		"another principal": {keyed("bob", "k", "plan net"), 0, false},
	} {
		got, err := s.Create(t.Context(), c.creation, at(c.after))
		if err != nil || got.Existing != c.existing || (got.Run.ID == first.ID) != c.existing {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	var refused *fault.Error
	if got, err := s.Create(t.Context(), keyed("ann", "k", "plan app"), at(0)); !errors.As(err, &refused) || refused.ID != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another request: %+v, %v", got, err)
	}
	if got, err := s.Create(t.Context(), keyed("ann", "k", "plan app"), at(24*time.Hour)); err != nil || got.Existing {
		t.Errorf("after a day: %+v, %v", got, err)
	}
}

func TestKeyOfARemovedRunCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	first := create(t, s, keyed("ann", "k", "plan net"), 0)
	if err := s.Remove(t.Context(), first.ID, nil, at(0)); err != nil {
		t.Fatal(err)
	}
	second, err := s.Create(t.Context(), keyed("ann", "k", "plan net"), at(time.Hour))
	if err != nil || second.Existing || second.Run.ID == first.ID {
		t.Fatalf("after the removal: %+v, %v", second, err)
	}
	if again, err := s.Create(t.Context(), keyed("ann", "k", "plan net"), at(2*time.Hour)); err != nil || !again.Existing || again.Run.ID != second.Run.ID {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestRequestsAtTheSameTimeMakeOneRun holds two creations with one key until both
// have begun.
func TestRequestsAtTheSameTimeMakeOneRun(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	const requests = 4
	var begun, ended sync.WaitGroup
	begun.Add(requests)
	found := make([]runstore.Created, requests)
	for n := range requests {
		ended.Go(func() {
			c := keyed("ann", "k", "plan net")
			c.Before = func(context.Context) error {
				begun.Done()
				begun.Wait()
				return nil
			}
			var err error
			if found[n], err = s.Create(t.Context(), c, at(0)); err != nil {
				t.Error(err)
			}
		})
	}
	ended.Wait()
	made := 0
	for _, f := range found {
		if f.Run.ID != found[0].Run.ID {
			t.Errorf("two runs: %s and %s", f.Run.ID, found[0].Run.ID)
		}
		if !f.Existing {
			made++
		}
	}
	if got := active(t, s); made != 1 || len(got) != 1 {
		t.Errorf("%d requests made a run, and %d are active", made, len(got))
	}
	if got := due(t, s, runstore.CreatingList, time.Hour); len(got) != requests-1 {
		t.Errorf("%d creations are left to remove, want %d", len(got), requests-1)
	}
}
