package apiclient_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

func TestTokenIsExchangedOnceAndUsedUntilItIsOld(t *testing.T) {
	t.Parallel()
	s := serve(t, says(200, "a"), says(200, "b"))
	c, now := s.client(t)
	for _, want := range []string{"a", "b"} {
		if resp, err := c.Do(t.Context(), get("/x")); err != nil || string(resp.Body) != want {
			t.Fatalf("got %v, %v, want %s", resp, err, want)
		}
		now.pass(29 * time.Second)
	}
	if want := []string{exchange, "GET /x Bearer t1", "GET /x Bearer t1"}; !slices.Equal(s.requests(), want) {
		t.Errorf("got requests %q, want %q", s.requests(), want)
	}
}

func TestTokenThatIsUsedIsRenewedBeforeItEndsWhileCallersGoOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, now := s.client(t)
	token(t, c, "t1")
	now.pass(30 * time.Second)
	token(t, c, "t1") // and starts the renewal
	renewed(t, c, "t2")
	now.pass(54 * time.Second)
	token(t, c, "t2")
	renewed(t, c, "t3")
	if got := s.requests(); len(got) != 3 {
		t.Errorf("got %d exchanges, want 3", len(got))
	}
}

func TestTokenThatNobodyUsedForItsLifetimeIsNotUsed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, now := s.client(t)
	token(t, c, "t1")
	now.pass(55 * time.Second)
	token(t, c, "t2")
}

func TestRenewalThatFailsLeavesTheTokenUntilItsEnd(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, now := s.client(t)
	token(t, c, "t1")
	s.exchangeWith(says(403, "", "x-amzn-requestid", "r-1"))
	for range 3 {
		now.pass(16 * time.Second)
		token(t, c, "t1")
	}
	now.pass(16 * time.Second)
	_, err := c.Tokens.Token(t.Context())
	var refused *apiclient.Error
	if !errors.As(err, &refused) || refused.Status != 403 || refused.Request != "r-1" {
		t.Fatalf("got %v, want the refusal", err)
	}
	s.exchangeWith(nil)
	token(t, c, "t2")
}

func TestCallersAtOneTimeShareOneExchange(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, _ := s.client(t)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if got, err := c.Tokens.Token(t.Context()); err != nil || got != "t1" {
				t.Errorf("got %q, %v, want t1", got, err)
			}
		})
	}
	callers.Wait()
	for range 20 {
		callers.Go(func() {
			if got, err := c.Tokens.Replace(t.Context(), "t1"); err != nil || got != "t2" {
				t.Errorf("got %q, %v, want t2", got, err)
			}
		})
	}
	callers.Wait()
	if got := s.requests(); len(got) != 2 {
		t.Errorf("got requests %q, want two exchanges", got)
	}
}

func TestCallerThatGivesUpLeavesTheExchangeToTheOthers(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	tokens := apiclient.NewTokens(func(ctx context.Context) (string, error) {
		close(arrived)
		<-release
		return "t1", ctx.Err()
	}, nil)
	impatient, giveUp := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := tokens.Token(impatient)
		gone <- err
	}()
	<-arrived
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(release)
	if got, err := tokens.Token(t.Context()); err != nil || got != "t1" {
		t.Errorf("got %q, %v, want t1", got, err)
	}
}

func TestRefusedRequestIsSentOnceMoreWithAFreshToken(t *testing.T) {
	t.Parallel()
	s := serve(t, says(403, ""), says(200, "done"), says(403, ""), says(403, ""))
	c, _ := s.client(t)
	if resp, err := c.Do(t.Context(), get("/x")); err != nil || string(resp.Body) != "done" {
		t.Fatalf("got %v, %v, want done", resp, err)
	}
	if resp, err := c.Do(t.Context(), get("/y")); err != nil || resp.Status != http.StatusForbidden {
		t.Fatalf("refused twice: got %v, %v, want 403", resp, err)
	}
	want := []string{exchange, "GET /x Bearer t1", exchange, "GET /x Bearer t2", "GET /y Bearer t2", exchange, "GET /y Bearer t3"}
	if !slices.Equal(s.requests(), want) {
		t.Errorf("got requests %q, want %q", s.requests(), want)
	}
}

func TestExchangeThatReturnsNoTokenIsAnError(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answer{
		"no token": says(200, `{}`), "no JSON": says(200, "hello"), "an error": says(503, `{"id":"NO_SIGNING_KEY"}`, "Retry-After", "60"),
	} {
		s := serve(t)
		s.exchangeWith(a)
		c, _ := s.client(t)
		if resp, err := c.Do(t.Context(), get("/x")); err == nil {
			t.Errorf("%s: got %v, want an error", name, resp)
		}
	}
}

// token checks the token that a caller gets.
func token(t *testing.T, c *apiclient.Client, want string) {
	t.Helper()
	if got, err := c.Tokens.Token(t.Context()); err != nil || got != want {
		t.Fatalf("got %q, %v, want %s", got, err, want)
	}
}

// renewed waits for the end of a renewal.
func renewed(t *testing.T, c *apiclient.Client, want string) {
	t.Helper()
	for {
		got, err := c.Tokens.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
		runtime.Gosched()
	}
}
