//go:build unix

package storagetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/opsplane/opsplane/infra/test/testclock"
	"github.com/opsplane/opsplane/shared/storage/table"
)

// bounded returns clients with few units and a clock that does not move by itself.
func bounded(t *testing.T, e *Env, write, read float64) (*Env, *testclock.Clock) {
	t.Helper()
	c := testclock.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	return e.WithThroughput(Throughput{WriteUnits: write, ReadUnits: read, Now: c.Now}), c
}

// of returns an item of a partition with a size in bytes.
func of(partition string, n, size int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: partition}, "sk": &types.AttributeValueMemberS{Value: fmt.Sprint(n)},
		"text": &types.AttributeValueMemberS{Value: strings.Repeat("x", size)},
	}
}

func keyOf(item map[string]types.AttributeValue) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]}
}

// TestPartitionAdmitsItsUnits makes each kind of request six times on a partition of 6 write
// and 6 read units, and then once on another partition.
func TestPartitionAdmitsItsUnits(t *testing.T) {
	t.Parallel()
	const operations = "OperationsTable"
	for name, c := range map[string]struct {
		do   func(ctx context.Context, e *Env, partition string, n int) error
		want int // requests of 6 that are admitted
	}{
		"writes of a kilobyte": {func(ctx context.Context, e *Env, p string, n int) error {
			_, err := e.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(e.Table(operations)), Item: of(p, n, 500)})
			return err
		}, 6},
		"writes of three": {func(ctx context.Context, e *Env, p string, n int) error {
			_, err := e.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(e.Table(operations)), Item: of(p, n, 2500)})
			return err
		}, 2},
		"updates": {func(ctx context.Context, e *Env, p string, _ int) error {
			_, err := e.DynamoDB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: aws.String(e.Table(operations)), Key: keyOf(of(p, 0, 0)), UpdateExpression: aws.String("ADD n :one"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
			})
			return err
		}, 6},
		"conditions that fail": {func(ctx context.Context, e *Env, p string, n int) error {
			_, err := e.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: aws.String(e.Table(operations)), Key: keyOf(of(p, n, 0)), ConditionExpression: aws.String("attribute_exists(pk)"),
			})
			if failed := new(types.ConditionalCheckFailedException); errors.As(err, &failed) {
				return nil
			}
			return err
		}, 6},
		"transactions, each item twice": {func(ctx context.Context, e *Env, p string, n int) error {
			_, err := e.DynamoDB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{TableName: aws.String(e.Table(operations)), Item: of(p, n, 500)}},
				{Put: &types.Put{TableName: aws.String(e.Table(operations)), Item: of("elsewhere"+p+fmt.Sprint(n), n, 500)}},
			}})
			return err
		}, 3},
		"consistent reads": {func(ctx context.Context, e *Env, p string, _ int) error {
			_, err := e.DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(e.Table(operations)), Key: keyOf(of(p, 0, 0)), ConsistentRead: aws.Bool(true)})
			return err
		}, 6},
		"queries of 8 KB": {func(ctx context.Context, e *Env, p string, _ int) error {
			for n := range 2 {
				if _, err := e.names.plain.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(e.Table(operations)), Item: of(p, n, 4000)}); err != nil {
					return err
				}
			}
			_, err := e.DynamoDB.Query(ctx, &dynamodb.QueryInput{
				TableName: aws.String(e.Table(operations)), KeyConditionExpression: aws.String("#p = :pk AND sk >= :from"), ConsistentRead: aws.Bool(true),
				ExpressionAttributeNames: map[string]string{"#p": "pk"},
				ExpressionAttributeValues: map[string]types.AttributeValue{
					":pk": &types.AttributeValueMemberS{Value: p}, ":from": &types.AttributeValueMemberS{Value: "0"},
				},
			})
			return err
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := bounded(t, New(t), 6, 6)
			admitted := 0
			for n := range 6 {
				switch err := c.do(t.Context(), e, "hot", n); {
				case err == nil:
					admitted++
				case !table.Throttled(err):
					t.Fatal(err)
				}
			}
			want := c.want
			if strings.HasPrefix(name, "transactions") && os.Getenv("DYNAMODB") == "dynamodb-local" {
				want = 6 // that server reports the units of a single write for a transaction, and the report is used
			}
			if admitted != want {
				t.Errorf("got %d of 6 admitted, want %d", admitted, want)
			}
			if err := c.do(t.Context(), e, "other", 0); err != nil {
				t.Errorf("another partition: %v", err)
			}
		})
	}
}

func TestUnitsComeBackWithTime(t *testing.T) {
	t.Parallel()
	e, clock := bounded(t, New(t), 2, 2)
	write := func() bool {
		_, err := e.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(e.Table("OperationsTable")), Item: of("hot", 0, 500)})
		if err != nil && !table.Throttled(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	for i, c := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{0, true},
		{0, false},
		{time.Second / 2, true},
		{0, false},
		{time.Hour, true},
		{0, true},
		{0, false}, // an hour brings back no more than a second
	} {
		clock.Add(c.after)
		if got := write(); got != c.want {
			t.Errorf("write %d: admitted %t, want %t", i+1, got, c.want)
		}
	}
	// Writes do not use the units of reads.
	_, err := e.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(e.Table("OperationsTable")), Key: keyOf(of("hot", 0, 0))})
	if err != nil {
		t.Errorf("a read: %v", err)
	}
}

func TestBatchLeavesTheItemsOfAnExhaustedPartition(t *testing.T) {
	t.Parallel()
	e, _ := bounded(t, New(t), 1, 1)
	name := e.Table("OperationsTable")
	put := func(p string) types.WriteRequest {
		return types.WriteRequest{PutRequest: &types.PutRequest{Item: of(p, 1, 10)}}
	}
	if _, err := e.DynamoDB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{name: {put("hot")}}}); err != nil {
		t.Fatal(err)
	}
	written, err := e.DynamoDB.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{name: {put("hot"), put("cold")}}})
	if err != nil || len(written.UnprocessedItems[name]) != 1 || written.UnprocessedItems[name][0].PutRequest.Item["pk"].(*types.AttributeValueMemberS).Value != "hot" {
		t.Errorf("writing: got %+v, %v, want the item of the hot partition back", written, err)
	}
	get := func(partitions ...string) *dynamodb.BatchGetItemInput {
		keys := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
		for _, p := range partitions {
			keys.Keys = append(keys.Keys, keyOf(of(p, 1, 0)))
		}
		return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{name: keys}}
	}
	if _, err := e.DynamoDB.BatchGetItem(t.Context(), get("hot")); err != nil {
		t.Fatal(err)
	}
	read, err := e.DynamoDB.BatchGetItem(t.Context(), get("hot", "cold"))
	if err != nil || len(read.Responses[name]) != 1 || len(read.UnprocessedKeys[name].Keys) != 1 {
		t.Fatalf("reading: got %+v, %v, want one item and one key back", read, err)
	}
	// None of the keys has any units left.
	if _, err := e.DynamoDB.BatchGetItem(t.Context(), get("hot", "cold")); !table.Throttled(err) {
		t.Errorf("reading again: got %v, want it throttled", err)
	}
}
