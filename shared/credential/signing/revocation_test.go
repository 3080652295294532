package signing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/shared/credential/signing"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// tell writes a revocation for verifiers, as large as on AWS.
func (h *rig) tell(t *testing.T, user, key string, at time.Time) {
	t.Helper()
	author := operator(at)
	author.Principal, author.Credential, author.Source = uuid.NewString(), uuid.NewString(), "203.0.113.127"
	if _, err := h.DB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(h.TokensTable), Item: signing.Revocation(user, key, author)}); err != nil {
		t.Fatal(err)
	}
}

// told reads the list that holds a user's revocations.
func (h *rig) told(t *testing.T, user string, at time.Time) signing.Revocations {
	t.Helper()
	l, err := h.Revocations(ctx, signing.RevocationList(user), at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRevocationIsToldForTwoMinutes(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	user, revoked := uuid.NewString(), uuid.NewString()
	h.tell(t, user, revoked, now)
	for after, want := range map[time.Duration]bool{
		0: true, 90 * time.Second: true, 119 * time.Second: true, 121 * time.Second: false, time.Hour: false,
	} {
		l := h.told(t, user, now.Add(after))
		if got := l.Has(revoked); got != want || !l.Complete {
			t.Errorf("%v after: told %t, complete %t; want %t in a complete list", after, got, l.Complete, want)
		}
		if l.Has(uuid.NewString()) {
			t.Error("got a key revoked that is not")
		}
	}
}

func TestListOfRevocationsIsReadInBounds(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	flooded := uuid.NewString()
	other := uuid.NewString()
	for signing.RevocationList(other) == signing.RevocationList(flooded) {
		other = uuid.NewString()
	}
	const n = 300
	for i := range n {
		h.tell(t, flooded, fmt.Sprint("key-", i), now.Add(time.Duration(i)*100*time.Millisecond))
	}
	at := now.Add(n * 100 * time.Millisecond)
	out, err := h.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(h.TokensTable), ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("pk = :pk"), Limit: aws.Int32(200),
		ExpressionAttributeValues: attr.Item{":pk": signing.Revocation(flooded, "", operator(now))["pk"]},
		ReturnConsumedCapacity:    "TOTAL",
	})
	if err != nil || aws.ToFloat64(out.ConsumedCapacity.CapacityUnits) > 20 {
		t.Errorf("200 revocations take %v, %v; want at most 20 read units", out.ConsumedCapacity, err)
	}
	l, err := h.faulty.Revocations(ctx, signing.RevocationList(flooded), at)
	if err != nil || h.faults.Calls("") != 1 {
		t.Fatalf("got %d calls, %v; want 1", h.faults.Calls(""), err)
	}
	if l.Complete || l.ClearsAt(at) || !l.FreshAt(at) || l.Has("key-0") || !l.Has(fmt.Sprint("key-", n-1)) {
		t.Errorf("got complete %t, clears %t, fresh %t, the oldest %t, the newest %t; want the newest of a list that clears nobody",
			l.Complete, l.ClearsAt(at), l.FreshAt(at), l.Has("key-0"), l.Has(fmt.Sprint("key-", n-1)))
	}
	if l := h.told(t, other, at); !l.ClearsAt(at) {
		t.Error("the list of another user is filled as well")
	}
}

func TestListClearsForFiveSeconds(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	l := h.told(t, "ann", now)
	for age, want := range map[time.Duration]bool{
		-time.Nanosecond: false, 0: true, 4999 * time.Millisecond: true, 5 * time.Second: false, time.Hour: false,
	} {
		if got := l.ClearsAt(now.Add(age)); got != want {
			t.Errorf("at age %v: clears %t, want %t", age, got, want)
		}
	}
	if new(signing.Revocations).ClearsAt(time.Time{}) {
		t.Error("a list that was never read clears keys")
	}
}
