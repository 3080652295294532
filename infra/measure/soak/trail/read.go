// Package trail checks a history against the audit trail. Every acknowledged change has its
// record, and every record has its change. The last record of each row agrees with the row's
// final state.
package trail

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit"
	"github.com/opsplane/opsplane/shared/kv/kvitem"
)

// recorded makes records of the changes of the key-value store, as the auditor does.
var recorded = audit.Source{Table: audit.KV, Owners: kvitem.Owners()}

// Reader reads the stream of a table of the key-value store, and makes the records that the
// auditor makes from that stream.
type Reader struct {
	streams *dynamodbstreams.Client
	next    *string // shard iterator
}

// NewReader returns a reader that begins at the start of a table's stream. The local server
// keeps a stream in one shard, so that its order is the order of the changes.
func NewReader(ctx context.Context, env *storagetest.Env, table string) (*Reader, error) {
	about, err := env.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		return nil, fmt.Errorf("describe table: %w", err)
	}
	streams := dynamodbstreams.NewFromConfig(env.Config, func(o *dynamodbstreams.Options) { o.BaseEndpoint = &env.DynamoDBURL })
	stream, err := streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: about.Table.LatestStreamArn})
	if err != nil {
		return nil, fmt.Errorf("describe stream: %w", err)
	}
	shards := stream.StreamDescription.Shards
	if len(shards) != 1 {
		return nil, fmt.Errorf("the stream has %d shards, whose changes are in no order", len(shards))
	}
	begin, err := streams.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: about.Table.LatestStreamArn, ShardId: shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		return nil, fmt.Errorf("begin stream: %w", err)
	}
	return &Reader{streams, begin.ShardIterator}, nil
}

// Records returns the records of all changes since the last call, in the order of the changes.
func (r *Reader) Records(ctx context.Context) (list []audit.Record, err error) {
	for r.next != nil {
		page, err := r.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: r.next})
		if err != nil {
			return nil, fmt.Errorf("read stream: %w", err)
		}
		r.next = page.NextShardIterator
		if len(page.Records) == 0 {
			return list, nil
		}
		for _, told := range page.Records {
			c, err := changed(told)
			if err != nil {
				return nil, err
			}
			if one, ok := recorded.Record(c); ok {
				list = append(list, one)
			}
		}
	}
	return list, nil
}

// changed returns a change in the form in which Lambda gives it to the auditor.
func changed(r types.Record) (events.DynamoDBEventRecord, error) {
	c := events.DynamoDBEventRecord{Change: events.DynamoDBStreamRecord{SequenceNumber: aws.ToString(r.Dynamodb.SequenceNumber)}}
	if at := r.Dynamodb.ApproximateCreationDateTime; at != nil {
		c.Change.ApproximateCreationDateTime.Time = *at
	}
	for to, from := range map[*map[string]events.DynamoDBAttributeValue]map[string]types.AttributeValue{
		&c.Change.Keys: r.Dynamodb.Keys, &c.Change.OldImage: r.Dynamodb.OldImage, &c.Change.NewImage: r.Dynamodb.NewImage,
	} {
		if from == nil {
			continue
		}
		*to = map[string]events.DynamoDBAttributeValue{}
		for name, value := range from {
			switch v := value.(type) {
			case *types.AttributeValueMemberS:
				(*to)[name] = events.NewStringAttribute(v.Value)
			case *types.AttributeValueMemberN:
				(*to)[name] = events.NewNumberAttribute(v.Value)
			case *types.AttributeValueMemberB:
				(*to)[name] = events.NewBinaryAttribute(v.Value)
			case *types.AttributeValueMemberBOOL:
				(*to)[name] = events.NewBooleanAttribute(v.Value)
			default:
				return c, fmt.Errorf("attribute %s is %T", name, value)
			}
		}
	}
	return c, nil
}
