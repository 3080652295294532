package grant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// ended is a grant whose access token has just ended.
var ended = grant.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now}

// result is the outcome of a call for a token.
type result struct {
	token string
	err   error
}

// ask asks for a token in another goroutine.
func (r *rig) ask(ctx context.Context, refresh grant.Refresher, at time.Time) <-chan result {
	done := make(chan result, 1)
	go func() {
		token, err := r.Token(ctx, u1, refresh, author(at))
		done <- result{token, err}
	}()
	return done
}

// until waits until something becomes true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came about: %s", what)
		}
	}
}

func TestOthersWaitWhileOneRefreshes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Patience = time.Minute
	r.put(t, u1, ended)
	remote := &host{good: "ghr_0"}
	taken, late := make(chan struct{}), make(chan struct{})
	first := r.ask(t.Context(), func(ctx context.Context, refresh string) (grant.Grant, error) {
		next, err := remote.refresh(ctx, refresh)
		close(taken) // the host has ended the old tokens, and its response is on its way
		<-late
		return next, err
	}, now)
	<-taken
	var others []<-chan result
	reads := r.faults.Calls("GetItem")
	for range 3 {
		others = append(others, r.ask(t.Context(), remote.refresh, now))
	}
	until(t, "the others have looked more than once", func() bool { return r.faults.Calls("GetItem") >= reads+9 })
	close(late)
	for i, each := range append(others, first) {
		if got := <-each; got.err != nil || got.token != "ghu_1" {
			t.Errorf("call %d: got %q, %v; want ghu_1", i, got.token, got.err)
		}
	}
	if remote.asked != 1 {
		t.Errorf("the host was asked %d times, want once", remote.asked)
	}
}

func TestManyCallersRefreshOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Patience = time.Minute
	r.put(t, u1, ended)
	remote := &host{good: "ghr_0"}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if got, err := r.Token(t.Context(), u1, remote.refresh, author(now)); err != nil || got != "ghu_1" {
				t.Errorf("got %q, %v; want ghu_1", got, err)
			}
		})
	}
	wg.Wait()
	if remote.asked != 1 {
		t.Errorf("the host was asked %d times, want once", remote.asked)
	}
}

func TestWaitForAnotherCallIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Patience = time.Millisecond
	r.put(t, u1, ended)
	before := r.item(t, u1)
	dead := errors.New("died")
	// A call dies at the host: it neither stores a grant nor ends its lease.
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 2, Kind: storagetest.Refuse})
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 3, Kind: storagetest.Refuse})
	r.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 4, Kind: storagetest.Refuse})
	if got := <-r.ask(t.Context(), func(context.Context, string) (grant.Grant, error) { return grant.Grant{}, dead }, now); !errors.Is(got.err, dead) {
		t.Fatalf("got %v", got.err)
	}
	r.faults.Clear()
	during := r.item(t, u1)
	if !attr.Read(during).Has("refreshing_until") || !reflect.DeepEqual(during["version"], before["version"]) || !reflect.DeepEqual(during["sealed"], before["sealed"]) {
		t.Errorf("got %v, want the same grant under a lease", during)
	}
	remote := &host{good: "ghr_0"}
	if got := <-r.ask(t.Context(), remote.refresh, now.Add(10*time.Second)); !errors.Is(got.err, grant.ErrRefreshing) {
		t.Errorf("during the lease: got %q, %v; want ErrRefreshing", got.token, got.err)
	}
	if got := <-r.ask(t.Context(), remote.refresh, now.Add(16*time.Second)); got.err != nil || got.token != "ghu_1" {
		t.Errorf("behind the lease: got %q, %v; want ghu_1", got.token, got.err)
	}
	if after := r.item(t, u1); attr.Read(after).Has("refreshing_until") || reflect.DeepEqual(after["version"], before["version"]) {
		t.Errorf("got %v, want another grant without a lease", after)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := <-r.ask(ctx, remote.refresh, now); !errors.Is(got.err, context.Canceled) {
		t.Errorf("of a request that is over: got %v", got.err)
	}
}

func TestGrantThatTheHostGaveIsUsedAndKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(t, u1, ended)
	remote := &host{good: "ghr_0"}
	// The request is over when the host responds. The grant is stored all the same.
	ctx, over := context.WithCancel(t.Context())
	got := <-r.ask(ctx, func(ctx context.Context, refresh string) (grant.Grant, error) {
		defer over()
		return remote.refresh(ctx, refresh)
	}, now)
	if got.err != nil || got.token != "ghu_1" {
		t.Errorf("got %q, %v; want ghu_1", got.token, got.err)
	}
	if got := <-r.ask(t.Context(), remote.refresh, now); got.err != nil || got.token != "ghu_1" || remote.asked != 1 {
		t.Errorf("the next call: got %q, %v and %d requests of the host; want ghu_1 and one", got.token, got.err, remote.asked)
	}
	// If the grant cannot be stored, the caller still gets its token. The log
	// reports it without the token.
	r.put(t, u1, grant.Grant{Access: "ghu_1", Refresh: "ghr_1", ExpiresAt: now})
	var log bytes.Buffer
	r.Log = slog.New(slog.NewJSONHandler(&log, nil))
	r.faults.Add(storagetest.Fault{Operation: "PutItem", Kind: storagetest.ServerError})
	if got := <-r.ask(t.Context(), remote.refresh, now); got.err != nil || got.token != "ghu_2" {
		t.Errorf("with a put that fails: got %q, %v; want ghu_2", got.token, got.err)
	}
	if !strings.Contains(log.String(), "grant not stored") || strings.Contains(log.String(), "ghu_") || strings.Contains(log.String(), "ghr_") {
		t.Errorf("the log has %s", log.String())
	}
}

func TestTokenThatARefreshEndedIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Patience = time.Minute
	old := grant.Grant{Access: "ghu_0", Refresh: "ghr_0", ExpiresAt: now.Add(2*time.Minute + time.Second)}
	r.put(t, u1, old)
	remote := &host{good: "ghr_0"}
	renewed := func(refused string, at time.Time) (string, error) {
		return r.Renewed(t.Context(), u1, refused, remote.refresh, author(at))
	}
	if got, err := renewed("ghu_0", now); !errors.Is(err, grant.ErrNone) || remote.asked != 0 {
		t.Errorf("nobody refreshed: got %q, %v; want ErrNone, and the host not asked", got, err)
	}
	// This call finds a valid token. Two seconds later another call refreshes the
	// grant.
	if got, err := r.Token(t.Context(), u1, remote.refresh, author(now)); err != nil || got != "ghu_0" {
		t.Fatalf("got %q, %v", got, err)
	}
	taken, late := make(chan struct{}), make(chan struct{})
	other := r.ask(t.Context(), func(ctx context.Context, refresh string) (grant.Grant, error) {
		next, err := remote.refresh(ctx, refresh)
		close(taken)
		<-late
		return next, err
	}, now.Add(2*time.Second))
	<-taken
	done := make(chan result, 1)
	reads := r.faults.Calls("GetItem")
	go func() {
		token, err := renewed("ghu_0", now)
		done <- result{token, err}
	}()
	until(t, "it has looked more than once", func() bool { return r.faults.Calls("GetItem") >= reads+3 })
	close(late)
	for _, each := range []<-chan result{other, done} {
		if got := <-each; got.err != nil || got.token != "ghu_1" {
			t.Errorf("got %q, %v; want ghu_1", got.token, got.err)
		}
	}
}

func TestLoginDuringARefreshStands(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]string{"taken by the host": "ghr_0", "refused by the host": "ghr_other"} {
		r := newRig(t)
		r.put(t, u1, ended)
		remote := &host{good: good}
		late := func(ctx context.Context, refresh string) (grant.Grant, error) {
			r.put(t, u1, grant.Grant{Access: "ghu_login", ExpiresAt: now.Add(time.Hour)})
			return remote.refresh(ctx, refresh)
		}
		for range 2 {
			if got, err := r.Token(t.Context(), u1, late, author(now)); err != nil || got != "ghu_login" {
				t.Errorf("%s: got %q, %v; want the login's token", name, got, err)
			}
		}
	}
}

func TestFailureAtTheHostIsNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(t, u1, ended)
	down := errors.New("host is down")
	_, err := r.Token(t.Context(), u1, func(context.Context, string) (grant.Grant, error) { return grant.Grant{}, down }, author(now))
	if !errors.Is(err, down) || errors.Is(err, grant.ErrNone) {
		t.Errorf("got %v, want the host's failure", err)
	}
	// The next call does not have to wait for the first, and recognises its own
	// writes.
	for i, operation := range []string{"UpdateItem", "PutItem"} {
		r.faults.Clear()
		r.put(t, u1, ended)
		r.faults.Add(storagetest.Fault{Operation: operation, Nth: 1, Kind: storagetest.LoseAnswer})
		remote := &host{good: "ghr_0"}
		if got, err := r.Token(t.Context(), u1, remote.refresh, author(now)); err != nil || got != "ghu_1" {
			t.Errorf("%d, with a lost response to %s: got %q, %v; want ghu_1", i, operation, got, err)
		}
		if got, err := r.Token(t.Context(), u1, remote.refresh, author(now)); err != nil || got != "ghu_1" || remote.asked != 1 {
			t.Errorf("%s: stored is %q, %v; want ghu_1", operation, got, err)
		}
	}
	if text := fmt.Sprint(ended); strings.Contains(text, "ghu_") {
		t.Errorf("a grant prints as %s", text)
	}
}
