package signing_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

var (
	ctx = context.Background()
	now = time.Unix(4_000_000_000, 500_000_000).UTC()
)

// rig holds the tables of one test, their store, and a second store whose calls
// can be made to fail.
type rig struct {
	*signing.Store
	faulty *signing.Store
	faults storagetest.Faults
}

func newRig(t *testing.T) *rig {
	t.Helper()
	env := storagetest.New(t)
	h := &rig{}
	h.Store = &signing.Store{DB: env.DynamoDB, KeysTable: env.Table("SigningKeysTable"), TokensTable: env.Table("TokensTable")}
	h.faulty = &signing.Store{DB: env.WithFaults(&h.faults).DynamoDB, KeysTable: h.KeysTable, TokensTable: h.TokensTable}
	return h
}

func operator(at time.Time) change.Author {
	return change.Author{Principal: "operator:test", Request: uuid.NewString(), At: at}
}

func (h *rig) rotate(t *testing.T, how signing.Rotation, at time.Time) string {
	t.Helper()
	kid, err := h.Rotate(ctx, how, operator(at))
	if err != nil {
		t.Fatalf("rotate: %v", err)
	}
	return kid
}

// signs returns the id of the key that signs at a time. It is empty if there is
// none.
func (h *rig) signs(t *testing.T, at time.Time) string {
	t.Helper()
	keys, err := h.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := signing.Pick(keys, at)
	return k.ID
}

func (h *rig) verifies(t *testing.T, kid string, at time.Time) bool {
	t.Helper()
	a, err := h.Authority(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	_, ok := a.Key(kid, at)
	return ok
}

func TestFirstKeySignsAtOnce(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	if kid := h.signs(t, now); kid != "" {
		t.Errorf("got key %s of an empty table", kid)
	}
	kid := h.rotate(t, signing.Planned, now)
	if got := h.signs(t, now); got != kid {
		t.Errorf("got key %q, want %q", got, kid)
	}
	keys, err := h.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.Authority(ctx, now)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := a.Key(kid, now.Add(10*365*24*time.Hour))
	if !ok || !ed25519.Verify(public, []byte("m"), ed25519.Sign(keys[0].Private, []byte("m"))) {
		t.Error("the published key does not verify what the private key signs")
	}
}

func TestPlannedRotationHandsOverSlowly(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	first := h.rotate(t, signing.Planned, now)
	later := now.Add(time.Hour)
	second := h.rotate(t, signing.Planned, later)
	for _, c := range []struct {
		after       time.Duration
		signs       string
		firstStands bool
	}{
		{0, first, true},
		{8 * time.Second, first, true},
		{10 * time.Second, second, true},
		{4 * time.Minute, second, true},
		{5 * time.Minute, second, false},
		{24 * time.Hour, second, false},
	} {
		at := later.Add(c.after)
		if got := h.signs(t, at); got != c.signs {
			t.Errorf("%v after the rotation: %s signs, want %s", c.after, got, c.signs)
		}
		if got := h.verifies(t, first, at); got != c.firstStands {
			t.Errorf("%v after the rotation: the old key verifies: %t, want %t", c.after, got, c.firstStands)
		}
		if !h.verifies(t, second, at) {
			t.Errorf("%v after the rotation: the new key does not verify", c.after)
		}
	}
}

func TestCompromiseEndsEveryEarlierKeyAtOnce(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	first := h.rotate(t, signing.Planned, now)
	second := h.rotate(t, signing.Planned, now.Add(time.Minute))
	at := now.Add(2 * time.Minute)
	third := h.rotate(t, signing.Compromised, at)
	if h.verifies(t, first, at) || h.verifies(t, second, at) || !h.verifies(t, third, at) {
		t.Error("want the newest key alone to verify")
	}
	if got := h.signs(t, at); got != third {
		t.Errorf("got %s, want the newest key to sign at once", got)
	}
	keys, err := h.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.ID != third && (k.Private != nil || k.RetiredAt.IsZero()) {
			t.Errorf("key %s: got retired at %v, private key there: %t; want it destroyed", k.ID, k.RetiredAt, k.Private != nil)
		}
	}
	// Rotate again, with keys that are destroyed already.
	fourth := h.rotate(t, signing.Compromised, at.Add(time.Second))
	if got := h.signs(t, at.Add(time.Second)); got != fourth {
		t.Errorf("got %s, want %s", got, fourth)
	}
}

func TestRotationsAtOnceLeaveOneSuccession(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned, now)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var made []string
	for range 6 {
		wg.Go(func() {
			kid, err := h.Rotate(ctx, signing.Planned, operator(now.Add(time.Hour)))
			if err != nil {
				if !errors.Is(err, signing.ErrContended) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made = append(made, kid)
		})
	}
	wg.Wait()
	keys, err := h.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	active := 0
	for _, k := range keys {
		if k.RetiredAt.IsZero() {
			active++
		}
	}
	if len(made) == 0 || active != 1 || len(keys) != 1+len(made) {
		t.Errorf("got %d rotations, %d keys, %d of them active; want one active", len(made), len(keys), active)
	}
}

func TestCompromiseMissesNoKeyMadeMeanwhile(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned, now)
	var between string
	h.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Before: func() {
		between = h.rotate(t, signing.Planned, now.Add(time.Minute))
	}})
	_, err := h.faulty.Rotate(ctx, signing.Compromised, operator(now.Add(time.Minute)))
	if !errors.Is(err, signing.ErrContended) {
		t.Fatalf("got %v, want ErrContended: key %s would have lived on", err, between)
	}
}

func TestRotationHoldsWhateverFails(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]storagetest.Kind{
		"lost answer": storagetest.LoseAnswer, "lost request": storagetest.LoseRequest,
		"throttled": storagetest.Throttle, "server error": storagetest.ServerError,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			h.rotate(t, signing.Planned, now)
			h.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Nth: 1, Kind: kind})
			kid, err := h.faulty.Rotate(ctx, signing.Planned, operator(now.Add(time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			if keys, err := h.Keys(ctx); err != nil || len(keys) != 2 || keys[0].ID != kid {
				t.Errorf("got %v, %v; want two keys, %s first", keys, err, kid)
			}
		})
	}
	t.Run("conflict", func(t *testing.T) {
		t.Parallel()
		h := newRig(t)
		h.faults.Add(storagetest.Fault{Operation: "TransactWriteItems", Kind: storagetest.Conflict})
		if _, err := h.faulty.Rotate(ctx, signing.Planned, operator(now)); !errors.Is(err, signing.ErrContended) {
			t.Errorf("got %v, want ErrContended", err)
		}
	})
}

func TestEveryItemOfARotationHasItsAuthor(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.rotate(t, signing.Planned, now)
	author := operator(now.Add(time.Hour))
	if _, err := h.Rotate(ctx, signing.Planned, author); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, table := range []string{h.KeysTable, h.TokensTable} {
		out, err := h.DB.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(table)})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Items {
			n++
			r := attr.Read(item)
			if r.String(change.AttrPrincipal) != author.Principal || r.String(change.AttrRequest) != author.Request {
				t.Errorf("%s %s: got request %s, want %s", r.String("pk"), r.String("sk"), r.String(change.AttrRequest), author.Request)
			}
			if r.Has("seed") && table != h.KeysTable {
				t.Errorf("%s: a private key is where verifiers read", r.String("sk"))
			}
		}
	}
	if n != 5 {
		t.Errorf("got %d items, want 5", n)
	}
}

func TestAuthorityIsOneCallHoweverManyKeysAreRevoked(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	kid := h.rotate(t, signing.Planned, now)
	for range 3 {
		h.tell(t, uuid.NewString(), uuid.NewString(), now)
	}
	a, err := h.faulty.Authority(ctx, now)
	if err != nil || h.faults.Calls("") != 1 {
		t.Errorf("got %d calls, %v; want 1", h.faults.Calls(""), err)
	}
	if _, ok := a.Key(kid, now); !ok {
		t.Error("the key is missing")
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	a, err := h.Authority(ctx, now)
	if err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]struct{ fresh, bearable bool }{
		-time.Nanosecond: {}, 0: {true, true}, 4999 * time.Millisecond: {true, true}, 5 * time.Second: {false, true},
		29999 * time.Millisecond: {false, true}, 30 * time.Second: {}, time.Hour: {},
	} {
		if fresh, bearable := a.FreshAt(now.Add(age)), a.BearableAt(now.Add(age)); fresh != want.fresh || bearable != want.bearable {
			t.Errorf("at age %v: fresh %t, bearable %t, want %+v", age, fresh, bearable, want)
		}
	}
	if new(signing.Authority).FreshAt(now) || new(signing.Authority).FreshAt(time.Time{}) {
		t.Error("got an authority fresh that was never read")
	}
}

func TestKeyIsNotReadWithAWrongType(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for table, item := range map[string]attr.Item{
		h.KeysTable:   {"pk": attr.String("SIGNING"), "sk": attr.String("k"), "signs_from": attr.String("soon")},
		h.TokensTable: {"pk": attr.String("AUTHORITY"), "sk": attr.String("V#k"), "public": attr.String("text")},
	} {
		if _, err := h.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	if keys, err := h.Keys(ctx); err == nil {
		t.Errorf("got keys %v", keys)
	}
	if a, err := h.Authority(ctx, now); err == nil {
		t.Errorf("got %v", reflect.ValueOf(a))
	}
}
