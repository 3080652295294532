package apikey_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/credential/apikey"
)

// A person who has only an account makes and revokes keys as fast as possible, from
// many places.
func TestMakingAndRevokingKeysInALoopIsBounded(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	at := now.Truncate(10 * time.Minute)
	const workers, rounds, want = 10, 25, 200
	var made atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				_, k, err := h.Create(ctx, apikey.New{User: h.user}, h.author(at))
				if f := new(fault.Error); errors.As(err, &f) && f.Kind == fault.TooMany && f.ID == "TOO_MANY_NEW_KEYS" && f.RetryAfter == 10*time.Minute {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				made.Add(1)
				if err := h.Revoke(ctx, h.user, k.ID, h.author(at)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := made.Load(); n != want {
		t.Errorf("got %d keys made of %d asked for at once, want %d", n, workers*rounds, want)
	}
	if n := h.revocations(t); n != 0 {
		t.Errorf("verifiers are told of %d keys that never had a token", n)
	}
	if _, _, err := h.Create(ctx, apikey.New{User: uuid.NewString()}, h.author(at)); err != nil {
		t.Errorf("another user: got %v", err)
	}
	if _, _, err := h.Create(ctx, apikey.New{User: h.user}, h.author(at.Add(10*time.Minute))); err != nil {
		t.Errorf("ten minutes later: got %v", err)
	}
}

func TestKeyThatIsNotMadeForItsFormIsNotCounted(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for range 250 {
		if _, _, err := h.Create(ctx, apikey.New{User: h.user, Name: "\x00"}, h.author(now)); err == nil {
			t.Fatal("got a key of an odd name")
		}
	}
	h.create(t, "n")
}
