//go:build unix

package storagetest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func item(sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberB{Value: []byte(sk)},
	}
}

func put(e *Env, sk string) error {
	_, err := e.DynamoDB.PutItem(context.Background(), &dynamodb.PutItemInput{
		TableName: aws.String(e.Table("KvTable")), Item: item(sk), ConditionExpression: aws.String("attribute_not_exists(pk)"),
	})
	return err
}

func has(t *testing.T, e *Env, sk string) bool {
	t.Helper()
	out, err := e.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(e.Table("KvTable")), Key: item(sk), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item != nil
}

func TestTablesAndBucketsAreRealAndATestsOwn(t *testing.T) {
	t.Parallel()
	one, two := New(t), New(t)
	for _, id := range []string{"TokensTable", "SigningKeysTable", "OperationsTable", "KvTable"} {
		first, again, other := one.Table(id), one.Table(id), two.Table(id)
		if first != again || first == other {
			t.Errorf("%s: names %s, %s and, of another test, %s", id, first, again, other)
		}
	}
	if err := put(one, "a"); err != nil {
		t.Fatal(err)
	}
	if !has(t, one, "a") || has(t, two, "a") {
		t.Errorf("item: in its own table %v, in the other %v", has(t, one, "a"), has(t, two, "a"))
	}
	bucket := aws.String(one.Bucket("KvBucket"))
	if _, err := one.S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k/1"), Body: strings.NewReader("body")}); err != nil {
		t.Fatal(err)
	}
	object, err := one.S3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k/1")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(object.Body); string(got) != "body" || err != nil {
		t.Errorf("object: got %q, %v", got, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	plain := New(t)
	for name, c := range map[string]struct {
		kind     Kind
		code     string // of the API error if every attempt fails
		effect   bool   // whether the item exists afterwards
		attempts int
	}{
		"throttle":     {Throttle, "ProvisionedThroughputExceededException", false, 3},
		"conflict":     {Conflict, "TransactionConflictException", false, 1},
		"server error": {ServerError, "InternalServerError", false, 3},
		"lost answer":  {LoseAnswer, "", true, 3},
		"lost request": {LoseRequest, "", false, 3},
		"refused":      {Refuse, "", false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f Faults
			f.Add(Fault{Operation: "PutItem", Kind: c.kind})
			err := put(plain.WithFaults(&f), name)
			if err == nil {
				t.Fatal("the write succeeded")
			}
			var api interface{ ErrorCode() string }
			if c.code != "" && (!errors.As(err, &api) || api.ErrorCode() != c.code) {
				t.Errorf("error: got %v, want %s", err, c.code)
			}
			if got := has(t, plain, name); got != c.effect {
				t.Errorf("took effect: got %v, want %v", got, c.effect)
			}
			if got := f.Calls("PutItem"); got != c.attempts {
				t.Errorf("attempts: got %d, want %d", got, c.attempts)
			}
		})
	}
}

func TestNthFaultHitsOneRequestAndTheRetryPasses(t *testing.T) {
	t.Parallel()
	plain := New(t)
	var f Faults
	f.Add(Fault{Operation: "PutItem", Nth: 2, Kind: Throttle})
	faulty := plain.WithFaults(&f)
	for _, sk := range []string{"a", "b"} {
		if err := put(faulty, sk); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Calls(""); got != 3 {
		t.Errorf("requests: got %d, want 3", got)
	}
	f.Clear()
	if got := f.Calls(""); got != 0 {
		t.Errorf("requests after Clear: got %d, want 0", got)
	}
}

func TestBeforeLetsAnotherWriterIn(t *testing.T) {
	t.Parallel()
	plain := New(t)
	var f Faults
	f.Add(Fault{Operation: "PutItem", Nth: 1, Delay: time.Millisecond, Before: func() {
		if err := put(plain, "k"); err != nil {
			t.Errorf("the other writer: %v", err)
		}
	}})
	var lost *types.ConditionalCheckFailedException
	if err := put(plain.WithFaults(&f), "k"); !errors.As(err, &lost) {
		t.Errorf("error: got %v, want a failed condition", err)
	}
}

func TestConflictOfATransactionNamesItsItems(t *testing.T) {
	t.Parallel()
	plain := New(t)
	var f Faults
	f.Add(Fault{Operation: "TransactWriteItems", Nth: 1, Kind: Conflict})
	table := aws.String(plain.Table("KvTable"))
	_, err := plain.WithFaults(&f).DynamoDB.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: table, Item: item("a")}}, {Put: &types.Put{TableName: table, Item: item("b")}},
	}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) != 2 || aws.ToString(cancelled.CancellationReasons[0].Code) != "TransactionConflict" {
		t.Errorf("error: got %v, want two reasons, the first a conflict", err)
	}
}

func TestDuplicateIsAnsweredByItsSecondDelivery(t *testing.T) {
	t.Parallel()
	plain := New(t)
	var f Faults
	f.Choose = func(operation string) Fault {
		if operation == "PutItem" {
			return Fault{Kind: Duplicate}
		}
		return Fault{}
	}
	var lost *types.ConditionalCheckFailedException
	if err := put(plain.WithFaults(&f), "k"); !errors.As(err, &lost) {
		t.Errorf("error: got %v, want a failed condition: the item is there since the first delivery", err)
	}
	if !has(t, plain, "k") {
		t.Error("the item is not there")
	}
}

func TestS3Faults(t *testing.T) {
	t.Parallel()
	plain := New(t)
	var f Faults
	f.Add(Fault{Operation: "s3:PUT", Nth: 1, Kind: Throttle})
	f.Add(Fault{Operation: "s3:PUT", Nth: 2, Kind: ServerError})
	_, err := plain.WithFaults(&f).S3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(plain.Bucket("KvBucket")), Key: aws.String("k"), Body: strings.NewReader("x")})
	if err != nil || f.Calls("s3:PUT") != 3 {
		t.Errorf("got %v after %d requests, want success after 3", err, f.Calls("s3:PUT"))
	}
}

func TestDumpShowsWhatIsInBinaryValuesToo(t *testing.T) {
	t.Parallel()
	e := New(t)
	if got := e.Dump("KvTable"); got != "" {
		t.Errorf("of an empty table: got %q", got)
	}
	of := item("a-key")
	for name, value := range map[string]types.AttributeValue{
		"b": &types.AttributeValueMemberB{Value: []byte("secret-1")}, "s": &types.AttributeValueMemberS{Value: "secret-2"},
		"n": &types.AttributeValueMemberN{Value: "3003"}, "bs": &types.AttributeValueMemberBS{Value: [][]byte{[]byte("secret-4")}},
		"ss": &types.AttributeValueMemberSS{Value: []string{"secret-5"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"6006"}},
		"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberB{Value: []byte("secret-7")}}},
		"m": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"deep-8": &types.AttributeValueMemberBOOL{Value: true}}},
		"0": &types.AttributeValueMemberNULL{Value: true},
	} {
		of[name] = value
	}
	if _, err := e.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(e.Table("KvTable")), Item: of}); err != nil {
		t.Fatal(err)
	}
	got := e.Dump("KvTable")
	for _, want := range []string{"a-key", "secret-1", "secret-2", "3003", "secret-4", "secret-5", "6006", "secret-7", "deep-8=true", "0=null"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, which lacks %q", got, want)
		}
	}
}
