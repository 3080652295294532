package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/login/grant"
	"github.com/opsplane/opsplane/shared/login/membership"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/storage/table"
	"github.com/opsplane/opsplane/shared/vcs"
)

// bound is the promised time: after it, a person who was removed at the host has
// lost access here.
const bound = membership.RenewalInterval + time.Minute

func TestFormerMemberLosesAccessWithinTheBoundWithoutDoingAnything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, system := range vcs.All() {
		r.expect(t, "a member", system, true)
	}
	r.github.Person.Installations = nil
	r.member(0)
	r.pass(t, bound)
	for _, system := range vcs.All() {
		r.expect(t, "a former member", system, false)
	}
	r.github.Person.Installations = []int{1}
	r.pass(t, bound)
	r.expect(t, "a member again", "github", true)
	if got := r.waiting(t); len(got) != 2 {
		t.Errorf("renewals at %v, want both", got)
	}
}

func TestMemberKeepsAccessWhileAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 20 {
		r.pass(t, time.Hour)
	}
	r.expect(t, "after 20 hours", "github", true)
	r.expect(t, "after 20 hours", "gitlab", true)
	if n := r.gitlab.Asked("GET /groups"); n < 20 || n > 24 {
		t.Errorf("GitLab was asked %d times in 20 hours", n)
	}
	if r.github.Asked("POST ") == 0 {
		t.Error("a grant of 8 hours was never refreshed")
	}
}

func TestHostIsNotAskedAboutWhoHasListedThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pass(t, 30*time.Minute)
	r.login(t)
	asked := r.gitlab.Asked("GET /groups")
	r.pass(t, 32*time.Minute)
	if n := r.gitlab.Asked("GET /groups"); n != asked {
		t.Errorf("GitLab was asked %d times more", n-asked)
	}
	r.pass(t, 30*time.Minute)
	if n := r.gitlab.Asked("GET /groups"); n != asked+1 {
		t.Errorf("GitLab was asked %d times more, want once", n-asked)
	}
}

func TestWordHoldsWhileAHostIsDownUntilItLapses(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]vcstest.Failure{
		"down":     {Match: "GET /groups", Status: http.StatusBadGateway},
		"patience": {Match: "GET /groups", Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}},
		"address that is banned, for every person": {Match: "GET /groups", Status: http.StatusForbidden, Body: "Forbidden\n"},
		"page of a proxy that refuses":             {Match: "GET /groups", Status: http.StatusForbidden, Body: "<html><h1>403 Forbidden</h1></html>"},
		"page of maintenance":                      {Match: "GET /groups", Status: http.StatusNotFound, Body: "\n<!doctype html><h1>404 Not Found</h1>"},
		"page that asks for a login":               {Match: "GET /groups", Status: http.StatusUnauthorized, Body: "<html><h1>401 Unauthorized</h1></html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.gitlab.Fail(failure)
			sum := r.pass(t, 11*time.Hour)
			r.expect(t, "a host that fails", "gitlab", true)
			r.expect(t, "the other host", "github", true)
			// The pauses are about 5, 10, 20 and 40 minutes, and then 80 minutes
			// each time.
			if sum.Failed < 7 || sum.Failed > 18 {
				t.Errorf("tried %d times in ten hours", sum.Failed)
			}
			r.pass(t, user.SessionLapse-11*time.Hour)
			if r.allowed(t, "gitlab", access.KindSession) || !r.allowed(t, "gitlab", access.KindAccessToken) {
				t.Error("the old statement does not lapse as it should")
			}
			if !strings.Contains(r.Log.String(), "memberships not renewed") {
				t.Error("nothing is logged")
			}
		})
	}
}

func TestHostThatComesBackIsAskedSoon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Fail(vcstest.Failure{Match: "GET /groups", Status: http.StatusBadGateway, Times: 6}) // each request is tried three times
	r.pass(t, bound)
	r.member(0)
	r.pass(t, 25*time.Minute)
	r.expect(t, "after the host came back", "gitlab", false)
}

func TestGrantThatTheHostTakesNoMoreEndsMembershipAtTheSecondLook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vcs     vcs.VCS
		failure func(*rig)
	}{
		"token refused":   {"gitlab", func(r *rig) { r.gitlab.Fail(vcstest.Failure{Match: "GET /groups", Status: http.StatusUnauthorized}) }},
		"account blocked": {"gitlab", func(r *rig) { r.gitlab.Fail(vcstest.Failure{Match: "GET /groups", Status: http.StatusForbidden}) }},
		"grant ended": {"github", func(r *rig) {
			ended := grant.Grant{Access: "old", ExpiresAt: born.Add(time.Minute)}
			if err := r.grants.Put(context.Background(), r.holder("github"), ended, r.author()); err != nil {
				panic(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.failure(r)
			for a := born; ; {
				r.pass(t, time.Minute)
				known, err := r.people.Renewals.Get(t.Context(), r.ann, c.vcs)
				if err != nil {
					t.Fatal(err)
				}
				if known.Refused {
					r.expect(t, "at the first refusal", c.vcs, true)
					break
				}
				if r.Clock.Now().Sub(a) > bound {
					t.Fatal("no refusal was noted within the bound")
				}
			}
			r.pass(t, again+time.Minute)
			r.expect(t, "at the second refusal", c.vcs, false)
			if got := r.waiting(t); slices.Contains(got, c.vcs) || len(got) != 1 {
				t.Errorf("renewals at %v", got)
			}
			if !strings.Contains(r.Log.String(), "memberships ended") {
				t.Error("nothing is logged")
			}
		})
	}
}

func TestNewLoginBetweenTwoRefusalsKeepsMembership(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.gitlab.Fail(vcstest.Failure{Match: "GET /groups", Status: http.StatusUnauthorized, Times: 1})
	r.pass(t, bound+again+time.Minute)
	r.expect(t, "a refusal that was a mistake", "gitlab", true)
	if got := r.waiting(t); len(got) != 2 {
		t.Errorf("renewals at %v", got)
	}
}

func TestRenewalStopsForWhoIsAwayAndUsesNoKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key   bool
		used  time.Duration // before the end
		stays bool
	}{
		"no key":            {},
		"key in use":        {key: true, used: 24 * time.Hour, stays: true},
		"key nobody uses":   {key: true, used: away + 24*time.Hour},
		"key, used somehow": {key: true, used: away - time.Hour, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			end := born.Add(2*away + time.Hour)
			if c.key {
				_, k, err := r.keys.Create(t.Context(), apikey.New{User: r.ann}, r.author())
				if err != nil {
					t.Fatal(err)
				}
				r.Clock.Set(end.Add(-c.used))
				if err := r.keys.MarkUsed(t.Context(), r.ann, k.ID, r.author()); err != nil {
					t.Fatal(err)
				}
			}
			// The grant of GitHub ended long ago. This test is about the group.
			r.Clock.Set(end)
			r.pass(t, time.Minute)
			if got := slices.Contains(r.waiting(t), "gitlab"); got != c.stays {
				t.Errorf("goes on: %t, want %t", got, c.stays)
			}
			r.Clock.Set(end.Add(time.Hour))
			for _, system := range vcs.All() {
				if err := r.people.Renewals.Expect(t.Context(), r.ann, system, r.Clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.waiting(t); len(got) != 2 {
				t.Errorf("back again, with renewals at %v", got)
			}
		})
	}
}

func TestRenewalOfAPersonWhoIsGoneEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.people.Renewals.Expect(t.Context(), "nobody", "gitlab", r.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	machine, err := r.people.Users.Create(t.Context(), "machine", r.author())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.people.Renewals.Expect(t.Context(), machine.ID, "gitlab", r.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if sum := r.pass(t, bound); sum.Ended != 2 || sum.Renewed < 2 {
		t.Errorf("got %+v, want 2 ended", sum)
	}
	if got := r.waiting(t); len(got) != 2 {
		t.Errorf("renewals at %v", got)
	}
}

// TestWorkerThatIsKilledAnywhereIsMadeUpForByTheNext kills a worker after each of
// its calls, one after the other.
func TestWorkerThatIsKilledAnywhereIsMadeUpForByTheNext(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		r := newRig(t)
		r.github.Person.Installations = nil
		r.gitlab.Fail(vcstest.Failure{Match: "GET /groups", Status: http.StatusUnauthorized})
		r.Clock.Set(born.Add(bound))
		var faults storagetest.Faults
		ctx, kill := context.WithCancel(t.Context())
		call := 0
		var mu sync.Mutex
		faults.Choose = func(string) storagetest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if call++; call < n {
				return storagetest.Fault{}
			}
			kill()
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		}
		_, _ = r.over(r.Role.WithFaults(&faults)).handle(ctx, nil)
		kill()
		r.pass(t, 2*again)
		r.expect(t, "after the next", "github", false)
		r.expect(t, "after the next", "gitlab", false)
		if got := r.waiting(t); !slices.Equal(got, []vcs.VCS{vcs.GitHub}) {
			t.Fatalf("killed at call %d: renewals at %v", n, got)
		}
		mu.Lock()
		last := call < n
		mu.Unlock()
		if last {
			if n < 10 {
				t.Fatalf("the worker made %d calls: it did nothing", n)
			}
			return
		}
	}
}

func TestWorkersAtTheSameTimeDoNoHarm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Clock.Set(born.Add(9 * time.Hour)) // GitHub's grant must be refreshed, and each refresh token works once
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := r.over(r.Role).handle(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r.pass(t, 2*again)
	r.expect(t, "after four workers", "github", true)
	r.expect(t, "after four workers", "gitlab", true)
	if got := r.waiting(t); len(got) != 2 {
		t.Errorf("renewals at %v", got)
	}
}

// crowd creates people whose memberships at GitLab are to be renewed now.
func (r *rig) crowd(t *testing.T, people int) {
	t.Helper()
	for n := range people {
		u, err := r.people.Users.SignIn(t.Context(), "gitlab", user.Identity{ID: vcs.ID(strconv.Itoa(1000 + n)), Login: "x"}, r.author())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.grants.Put(t.Context(), grant.Holder{User: u.ID, Account: vcs.Account{VCS: "gitlab", ID: vcs.ID(strconv.Itoa(1000 + n))}}, grant.Grant{Access: "x"}, r.author()); err != nil {
			t.Fatal(err)
		}
		if err := r.people.Renewals.Expect(t.Context(), u.ID, "gitlab", r.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunLeavesAHostAloneThatFailsAndGoesOnWithTheOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.crowd(t, 60)
	r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusTooManyRequests})
	r.Clock.Set(born.Add(bound))
	got, err := r.handle(t.Context(), nil)
	if err != nil || got.Renewed != 1 || got.Failed < maxFailures || got.Failed > maxFailures+maxConcurrent {
		t.Errorf("got %+v, %v: want GitHub's renewed, and GitLab not asked after %d failures", got, err, maxFailures)
	}
}

// TestReminderThatCannotBeDecodedIsAnErrorHoweverTheRunEnds puts a bad reminder into
// the list of a host that fails. The run ends before it reads the list again.
func TestReminderThatCannotBeDecodedIsAnErrorHoweverTheRunEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.crowd(t, maxFailures)
	operations := table.Table{DB: r.Env.DynamoDB, Name: r.Env.Table("OperationsTable")}
	bad := table.Item{"pk": attr.String("RENEWALS#gitlab"), "sk": attr.String("0000000000001#")}
	if err := operations.Put(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	r.gitlab.Fail(vcstest.Failure{Match: "GET ", Status: http.StatusTooManyRequests})
	r.Clock.Set(born.Add(bound))
	got, err := r.handle(t.Context(), nil)
	if !errors.Is(err, errFailed) || got.Failed < maxFailures || !strings.Contains(r.Log.String(), "decode reminder") {
		t.Errorf("got %+v, %v, and the log %s", got, err, r.Log.String())
	}
}

func TestStorageThatFailsIsAnErrorThatSaysNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var faults storagetest.Faults
	faults.Add(storagetest.Fault{Operation: "Query", Kind: storagetest.ServerError})
	if _, err := r.over(r.Role.WithFaults(&faults)).handle(t.Context(), nil); !errors.Is(err, errFailed) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(r.Log.String(), `"level":"ERROR"`) {
		t.Error("nothing is logged")
	}
}
