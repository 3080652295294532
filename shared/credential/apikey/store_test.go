package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/fault"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/credential/apikey"
	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/storage/attr"
	"github.com/opsplane/opsplane/shared/vcs"
)

var (
	ctx = context.Background()
	now = time.Unix(4_000_000_000, 123_456_789).UTC()
)

// rig holds the table of one test, its store, and a second store whose calls can
// be made to fail.
type rig struct {
	*apikey.Store
	faulty *apikey.Store
	faults storagetest.Faults
	user   string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	env := storagetest.New(t)
	h := &rig{user: uuid.NewString()}
	h.Store = &apikey.Store{DB: env.DynamoDB, Table: env.Table("TokensTable")}
	h.faulty = &apikey.Store{DB: env.WithFaults(&h.faults).DynamoDB, Table: h.Store.Table}
	return h
}

func (h *rig) author(at time.Time) change.Author {
	return change.Author{Principal: h.user, Credential: "credential", Request: uuid.NewString(), Source: "192.0.2.1", At: at}
}

func (h *rig) create(t *testing.T, name string, caps ...access.Capability) (string, apikey.Key) {
	t.Helper()
	text, k, err := h.Create(ctx, apikey.New{User: h.user, Name: name, Capabilities: caps}, h.author(now))
	if err != nil {
		t.Fatalf("create %q: %v", name, err)
	}
	return text, k
}

// item reads a stored item.
func (h *rig) item(t *testing.T, key attr.Item) attr.Item {
	t.Helper()
	out, err := h.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(h.Table), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

// used makes a key and exchanges it, so that it may have a token.
func (h *rig) used(t *testing.T, name string) apikey.Key {
	t.Helper()
	_, k := h.create(t, name)
	if err := h.MarkUsed(ctx, h.user, k.ID, h.author(now)); err != nil {
		t.Fatal(err)
	}
	return k
}

// revocations counts the revocations of the user's keys that verifiers can read.
func (h *rig) revocations(t *testing.T) int {
	t.Helper()
	out, err := h.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(h.Table), KeyConditionExpression: aws.String("pk = :pk"),
		ExpressionAttributeValues: attr.Item{":pk": signing.Revocation(h.user, "", h.author(now))["pk"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	return int(out.Count)
}

func wantAuthor(t *testing.T, item attr.Item, author change.Author) {
	t.Helper()
	for name, want := range author.Item() {
		if got := item[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %s %v, want %v", name, got, want)
		}
	}
}

func TestCreatedKeyIsReadBackWithoutItsSecret(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	author := h.author(now)
	expires := now.Add(time.Hour)
	text, made, err := h.Create(ctx, apikey.New{
		User: h.user, Name: "ci", Description: "nightly", ExpiresAt: expires,
		Capabilities: access.Set{access.KVStoreRead, access.VCS("github"), access.KVStoreRead},
	}, author)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Get(ctx, h.user, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "ci" || got.Description != "nightly" || got.User != h.user ||
		!got.CreatedAt.Equal(now.Truncate(time.Second)) || !got.ExpiresAt.Equal(expires.Truncate(time.Second)) ||
		!got.LastUsedAt.IsZero() || !got.RevokedAt.IsZero() {
		t.Errorf("got %+v", got)
	}
	if want := (access.Set{access.VCS("github"), access.KVStoreRead}); !slices.Equal(got.Capabilities, want) {
		t.Errorf("got capabilities %v, want %v", got.Capabilities, want)
	}
	secret, err := apikey.Parse(text)
	if err != nil || !secret.Matches(got) {
		t.Errorf("the text %q does not match the stored key: %v", text, err)
	}
	item := h.item(t, apikey.ItemKey(h.user, made.ID))
	wantAuthor(t, item, author)
	for name := range item {
		if stored := attr.Read(item).String(name); strings.Contains(stored, text[len(apikey.Prefix)+43:]) {
			t.Errorf("attribute %s holds the key's text", name)
		}
	}
	if r := attr.Read(item); !r.Time("ttl").Equal(expires.Add(30 * 24 * time.Hour).Truncate(time.Second)) {
		t.Errorf("got the item kept until %v", r.Time("ttl"))
	}
}

func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	many := make(access.Set, 33)
	for i := range many {
		many[i] = access.Installation(vcs.ID(fmt.Sprint(i)))
	}
	for id, n := range map[string]apikey.New{
		"NAME_TOO_LONG":         {Name: strings.Repeat("é", 101)},
		"INVALID_NAME":          {Name: "a\x00b"},
		"DESCRIPTION_TOO_LONG":  {Description: strings.Repeat("d", 1001)},
		"TOO_MANY_CAPABILITIES": {Capabilities: many},
		"INVALID_EXPIRY":        {ExpiresAt: now.Truncate(time.Second)},
	} {
		n.User = h.user
		_, _, err := h.Create(ctx, n, h.author(now))
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.ID != id {
			t.Errorf("%s: got %v", id, err)
		}
	}
	n := apikey.New{
		User: h.user, Name: strings.Repeat("é", 100), Description: strings.Repeat("d", 1000),
		Capabilities: many[:32], ExpiresAt: now.Truncate(time.Second).Add(time.Second),
	}
	if _, _, err := h.Create(ctx, n, h.author(now)); err != nil {
		t.Errorf("at the limits: %v", err)
	}
}

func TestExpiredKeysLeaveRoom(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	end := now.Truncate(time.Second).Add(time.Hour)
	for range apikey.MaxPerUser {
		if _, _, err := h.Create(ctx, apikey.New{User: h.user, ExpiresAt: end}, h.author(now)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := h.Create(ctx, apikey.New{User: h.user}, h.author(end.Add(-time.Second))); err == nil {
		t.Error("a key beyond the limit was made while all others were live")
	}
	if _, _, err := h.Create(ctx, apikey.New{User: h.user}, h.author(end)); err != nil {
		t.Errorf("with nothing but expired keys: %v", err)
	}
}

func TestAUserCanHaveSoManyKeys(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var last apikey.Key
	for i := range apikey.MaxPerUser {
		_, last = h.create(t, fmt.Sprint(i))
	}
	_, _, err := h.Create(ctx, apikey.New{User: h.user}, h.author(now))
	if f := new(fault.Error); !errors.As(err, &f) || f.ID != "TOO_MANY_KEYS" {
		t.Errorf("got %v, want TOO_MANY_KEYS", err)
	}
	if err := h.Revoke(ctx, h.user, last.ID, h.author(now)); err != nil {
		t.Fatal(err)
	}
	h.create(t, "after one was revoked")
}

func TestCreateSurvivesALostAnswer(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.faults.Add(storagetest.Fault{Operation: "PutItem", Nth: 1, Kind: storagetest.LoseAnswer})
	text, k, err := h.faulty.Create(ctx, apikey.New{User: h.user, Name: "n"}, h.author(now))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := apikey.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := h.Get(ctx, h.user, k.ID)
	if err != nil || !secret.Matches(stored) {
		t.Errorf("got %v, %v; want the key of the text", stored, err)
	}
	if keys, err := h.List(ctx, h.user, apikey.Query{}); err != nil || len(keys) != 1 {
		t.Errorf("got %v, %v; want one key", keys, err)
	}
}

func TestMissingKeyIsNotFound(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, k := h.create(t, "mine")
	for name, where := range map[string][2]string{
		"unknown id":   {h.user, uuid.NewString()},
		"another user": {uuid.NewString(), k.ID},
	} {
		if _, err := h.Get(ctx, where[0], where[1]); !errors.Is(err, apikey.ErrNotFound) {
			t.Errorf("get, %s: got %v, want ErrNotFound", name, err)
		}
		if err := h.Revoke(ctx, where[0], where[1], h.author(now)); !errors.Is(err, apikey.ErrNotFound) {
			t.Errorf("revoke, %s: got %v, want ErrNotFound", name, err)
		}
		if err := h.MarkUsed(ctx, where[0], where[1], h.author(now)); !errors.Is(err, apikey.ErrRevoked) {
			t.Errorf("mark, %s: got %v, want ErrRevoked", name, err)
		}
	}
	if n := h.revocations(t); n != 0 {
		t.Errorf("got %d revocations of keys that do not exist", n)
	}
}

func TestListIsSortedAndBounded(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var want []string
	for _, name := range []string{"b", "", "a", "a", "é", "ab", "B"} {
		_, k := h.create(t, name)
		want = append(want, k.Cursor())
	}
	slices.Sort(want)
	cursors := func(q apikey.Query) []string {
		t.Helper()
		keys, err := h.List(ctx, h.user, q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range keys {
			got = append(got, k.Cursor())
		}
		return got
	}
	if got := cursors(apikey.Query{}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for i, at := range want {
		for limit := 1; limit <= len(want)+1; limit++ {
			after := want[i+1:]
			if got := cursors(apikey.Query{After: at, Limit: limit}); !slices.Equal(got, after[:min(limit, len(after))]) {
				t.Errorf("%d after %q: got %q", limit, at, got)
			}
			before := slices.Clone(want[:i])
			slices.Reverse(before)
			if got := cursors(apikey.Query{Before: at, Limit: limit}); !slices.Equal(got, before[:min(limit, len(before))]) {
				t.Errorf("%d before %q: got %q", limit, at, got)
			}
		}
	}
}

func TestListLeavesOutWhatReachesFurther(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	for i := range 10 {
		h.create(t, fmt.Sprintf("wide %d", i), access.VCS("github"))
	}
	h.create(t, "narrow", access.VCS("github"), access.Installation("1"))
	h.create(t, "other", access.VCS("github"), access.Installation("2"))
	h.create(t, "wide at the end", access.VCS("github"))
	keys, err := h.List(ctx, h.user, apikey.Query{Limit: 2, Within: access.Set{access.Installation("1")}})
	if err != nil || len(keys) != 1 || keys[0].Name != "narrow" {
		t.Errorf("got %v, %v; want the narrow key alone", keys, err)
	}
}

func TestUseIsRecordedAtMostOnceAnInterval(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, k := h.create(t, "n")
	var last time.Time
	for _, step := range []time.Duration{0, time.Second, apikey.UseInterval - time.Second, apikey.UseInterval, 2*apikey.UseInterval - time.Second, 2*apikey.UseInterval + time.Second} {
		at := now.Truncate(time.Second).Add(step)
		author := h.author(at)
		if err := h.MarkUsed(ctx, h.user, k.ID, author); err != nil {
			t.Fatal(err)
		}
		due := last.IsZero() || at.Sub(last) >= apikey.UseInterval
		if due {
			last = at
			wantAuthor(t, h.item(t, apikey.ItemKey(h.user, k.ID)), author)
		}
		if got, err := h.Get(ctx, h.user, k.ID); err != nil || !got.LastUsedAt.Equal(last) {
			t.Errorf("after %v: got %v, %v; want %v", step, got.LastUsedAt, err, last)
		}
	}
}

func TestManyUsesAtOnceAreOneRecord(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, k := h.create(t, "n")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := h.MarkUsed(ctx, h.user, k.ID, h.author(now.Add(time.Duration(i)*time.Second))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first, err := h.Get(ctx, h.user, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := first.LastUsedAt.Sub(now.Truncate(time.Second)); d < 0 || d > 19*time.Second {
		t.Errorf("got last used at %v", first.LastUsedAt)
	}
}

func TestLostAnswerOfAUseIsNoRevocation(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	_, k := h.create(t, "n")
	h.faults.Add(storagetest.Fault{Operation: "UpdateItem", Nth: 1, Kind: storagetest.LoseAnswer})
	if err := h.faulty.MarkUsed(ctx, h.user, k.ID, h.author(now)); err != nil {
		t.Errorf("got %v", err)
	}
	if n := h.faults.Calls("UpdateItem"); n != 2 {
		t.Errorf("got %d calls, want 2", n)
	}
	if got, err := h.Get(ctx, h.user, k.ID); err != nil || !got.LastUsedAt.Equal(now.Truncate(time.Second)) {
		t.Errorf("got %v, %v", got.LastUsedAt, err)
	}
}
