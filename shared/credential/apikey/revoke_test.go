package apikey_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

func TestRevokedKeyIsDeadToldAndGoneFromTheList(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	k := h.used(t, "n")
	if !k.LiveAt(now) {
		t.Error("got a new key that is not live")
	}
	at := now.Add(time.Minute)
	author := h.author(at)
	if err := h.Revoke(ctx, h.user, k.ID, author); err != nil {
		t.Fatal(err)
	}
	got, err := h.Get(ctx, h.user, k.ID)
	if err != nil || got.LiveAt(at) || !got.RevokedAt.Equal(at.Truncate(time.Second)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if keys, err := h.List(ctx, h.user, apikey.Query{}); err != nil || len(keys) != 0 {
		t.Errorf("got %v, %v; want no key", keys, err)
	}
	if err := h.MarkUsed(ctx, h.user, k.ID, h.author(at)); !errors.Is(err, apikey.ErrRevoked) {
		t.Errorf("got %v, want ErrRevoked", err)
	}
	item := h.item(t, apikey.ItemKey(h.user, k.ID))
	wantAuthor(t, item, author)
	if ttl := attr.Read(item).Time("ttl"); !ttl.Equal(at.Add(30 * 24 * time.Hour).Truncate(time.Second)) {
		t.Errorf("got the item kept until %v", ttl)
	}
	if n := h.revocations(t); n != 1 {
		t.Errorf("got %d revocations, want 1", n)
	}
}

func TestRevokingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	k := h.used(t, "n")
	first := h.author(now)
	for _, author := range []time.Duration{0, time.Hour} {
		a := h.author(now.Add(author))
		if author == 0 {
			a = first
		}
		if err := h.Revoke(ctx, h.user, k.ID, a); err != nil {
			t.Fatal(err)
		}
	}
	wantAuthor(t, h.item(t, apikey.ItemKey(h.user, k.ID)), first)
	if n := h.revocations(t); n != 1 {
		t.Errorf("got %d revocations, want 1", n)
	}
}

func TestTwoRevocationsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	k := h.used(t, "n")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := h.Revoke(ctx, h.user, k.ID, h.author(now)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := h.revocations(t); n != 1 {
		t.Errorf("got %d revocations, want 1", n)
	}
}

func TestRevocationHoldsWhateverFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault storagetest.Fault
		fails bool
	}{
		"lost answer":           {fault: storagetest.Fault{Nth: 1, Kind: storagetest.LoseAnswer}},
		"lost request":          {fault: storagetest.Fault{Nth: 1, Kind: storagetest.LoseRequest}},
		"server error":          {fault: storagetest.Fault{Nth: 1, Kind: storagetest.ServerError}},
		"throttled":             {fault: storagetest.Fault{Nth: 1, Kind: storagetest.Throttle}},
		"conflict":              {fault: storagetest.Fault{Nth: 1, Kind: storagetest.Conflict}},
		"no end of conflicts":   {fault: storagetest.Fault{Kind: storagetest.Conflict}, fails: true},
		"no end of throttling":  {fault: storagetest.Fault{Kind: storagetest.Throttle}, fails: true},
		"no end of lost answer": {fault: storagetest.Fault{Kind: storagetest.LoseAnswer}, fails: true},
	} {
		for _, operation := range []string{"UpdateItem", "TransactWriteItems"} {
			t.Run(operation+"/"+name, func(t *testing.T) {
				t.Parallel()
				h := newRig(t)
				k := h.used(t, "n")
				c.fault.Operation = operation
				h.faults.Add(c.fault)
				err := h.faulty.Revoke(ctx, h.user, k.ID, h.author(now))
				if c.fails != (err != nil) {
					t.Errorf("got %v, want an error: %t", err, c.fails)
				}
				if errors.Is(err, apikey.ErrNotFound) {
					t.Errorf("got %v of a key that exists", err)
				}
				// After a failure, a new try succeeds.
				if err := h.Revoke(ctx, h.user, k.ID, h.author(now)); err != nil {
					t.Fatal(err)
				}
				if n := h.revocations(t); n != 1 {
					t.Errorf("got %d revocations, want 1", n)
				}
			})
		}
	}
}

func TestRevocationWinsAgainstUses(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, k := h.create(t, "n")
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			err := h.MarkUsed(ctx, h.user, k.ID, h.author(now.Add(time.Duration(i)*2*time.Minute)))
			if err != nil && !errors.Is(err, apikey.ErrRevoked) {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		if err := h.Revoke(ctx, h.user, k.ID, h.author(now)); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	got, err := h.Get(ctx, h.user, k.ID)
	if err != nil || got.RevokedAt.IsZero() {
		t.Errorf("got %+v, %v; want it revoked", got, err)
	}
	if err := h.MarkUsed(ctx, h.user, k.ID, h.author(now.Add(time.Hour))); !errors.Is(err, apikey.ErrRevoked) {
		t.Errorf("got %v, want ErrRevoked", err)
	}
}

func TestKeyWithoutALivingTokenIsRevokedInSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		used bool
		ends time.Duration // 0: never
		at   time.Duration // of the revocation
		told int
	}{
		"never exchanged":                    {false, 0, time.Hour, 0},
		"never exchanged, with an end":       {false, time.Hour, time.Minute, 0},
		"exchanged":                          {true, 0, time.Hour, 1},
		"exchanged, ends later":              {true, time.Hour, time.Minute, 1},
		"exchanged, ended just now":          {true, time.Hour, time.Hour + 30*time.Second, 1},
		"exchanged, ended over a minute ago": {true, time.Hour, time.Hour + 62*time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			n := apikey.New{User: h.user}
			if c.ends > 0 {
				n.ExpiresAt = now.Add(c.ends)
			}
			_, k, err := h.Create(ctx, n, h.author(now))
			if err != nil {
				t.Fatal(err)
			}
			if c.used {
				if err := h.MarkUsed(ctx, h.user, k.ID, h.author(now)); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.Revoke(ctx, h.user, k.ID, h.author(now.Add(c.at))); err != nil {
				t.Fatal(err)
			}
			if got := h.revocations(t); got != c.told {
				t.Errorf("got %d revocations told, want %d", got, c.told)
			}
			if got, err := h.Get(ctx, h.user, k.ID); err != nil || got.RevokedAt.IsZero() {
				t.Errorf("got %+v, %v; want it revoked", got, err)
			}
		})
	}
}

// If a first exchange and a revocation happen at the same time, either the exchange
// is refused, or verifiers learn of the revocation. The test lets them meet at
// every moment.
func TestFirstExchangeThatMeetsARevocationIsRefusedOrTold(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]storagetest.Fault{
		"before the revocation's first write":       {Operation: "UpdateItem", Nth: 1},
		"before its second":                         {Operation: "TransactWriteItems", Nth: 1},
		"the revocation's first answer was lost":    {Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer},
		"the revocation's first request was lost":   {Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseRequest},
		"the revocation's first request came twice": {Operation: "UpdateItem", Nth: 1, Kind: storagetest.Duplicate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			_, k := h.create(t, "n")
			var exchanged error
			mark := sync.OnceFunc(func() { exchanged = h.MarkUsed(ctx, h.user, k.ID, h.author(now)) })
			fault.Before = mark
			h.faults.Add(fault)
			if err := h.faulty.Revoke(ctx, h.user, k.ID, h.author(now)); err != nil {
				t.Fatal(err)
			}
			mark() // if the revocation never made the second write
			told := h.revocations(t)
			if exchanged == nil && told != 1 {
				t.Errorf("the key was exchanged, and %d revocations are told, want 1", told)
			}
			if exchanged != nil && !errors.Is(exchanged, apikey.ErrRevoked) {
				t.Errorf("got %v, want ErrRevoked", exchanged)
			}
		})
	}
}

func TestExchangesAndRevocationsAtOnceLeaveNoTokenUntold(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	const n = 24
	var exchanged [n]bool
	var ids [n]string
	var wg sync.WaitGroup
	for i := range n {
		_, k := h.create(t, "n")
		ids[i] = k.ID
		wg.Go(func() {
			err := h.MarkUsed(ctx, h.user, k.ID, h.author(now))
			exchanged[i] = err == nil
			if err != nil && !errors.Is(err, apikey.ErrRevoked) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := h.Revoke(ctx, h.user, k.ID, h.author(now)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := (&signing.Store{DB: h.DB, TokensTable: h.Table}).Revocations(ctx, signing.RevocationList(h.user), now)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if exchanged[i] != list.Has(id) {
			t.Errorf("key %d: exchanged %t, told %t; want both or neither", i, exchanged[i], list.Has(id))
		}
	}
}
