// Package streams gives functions the changes of their tables, as Lambda's event source for
// DynamoDB does: in order within a shard, in batches, and at least once. The next batch is not
// delivered before the last one is done. A batch has only the changes that match a filter of
// the event source.
package streams

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/opsplane/opsplane/infra/test/template"
)

// idle is the pause after a round in which nothing was read. Lambda polls four times a second.
const idle = 250 * time.Millisecond

// Invoker delivers an event to a function and returns its response.
type Invoker interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Source is one event source: a function and the stream of a table.
type Source struct {
	Stream       template.Stream
	TableName    string // physical
	FunctionName string
	Function     Invoker
	DynamoDB     *dynamodb.Client
	Streams      *dynamodbstreams.Client
	// Dir is the folder that keeps, between runs, how far the function has read.
	Dir string
	// Report receives one line for each failure.
	Report func(line string)

	arn       string
	position  *checkpoint
	listed    []types.Shard     // nil: the shards must be listed again
	iterators map[string]string // by shard
	begun     bool              // the first round is done, so shards found later are new
}

// Run delivers changes until ctx ends. It reports failures to read and tries again.
func (s *Source) Run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		busy, err := s.round(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			s.Report(fmt.Sprintf("%s: the stream of %s: %v", s.FunctionName, s.Stream.Table, err))
		}
		if failing = err != nil; busy && !failing {
			continue
		}
		select {
		case <-time.After(idle):
		case <-ctx.Done():
		}
	}
}

// round reads each shard once, parents before their children.
func (s *Source) round(ctx context.Context) (busy bool, err error) {
	if err := s.open(ctx); err != nil {
		return false, err
	}
	shards, err := s.shards(ctx)
	if err != nil {
		return false, err
	}
	for _, shard := range shards {
		id := aws.ToString(shard.ShardId)
		if s.position.Finished[id] {
			continue
		}
		more, err := s.read(ctx, id)
		if err != nil {
			delete(s.iterators, id) // it may have expired
			s.listed = nil          // the shard may be gone
			return busy, err
		}
		busy = busy || more
	}
	s.begun = true
	return busy, nil
}

func (s *Source) open(ctx context.Context) error {
	if s.position != nil {
		return nil
	}
	out, err := s.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(s.TableName)})
	if err != nil {
		return err
	}
	s.arn = aws.ToString(out.Table.LatestStreamArn)
	if s.arn == "" {
		return errors.New("the table has no stream: it was made when no function read one (make clean, and the next start makes it anew)")
	}
	s.iterators = map[string]string{}
	s.position, err = openCheckpoint(filepath.Join(s.Dir, s.FunctionName+"-"+s.Stream.Name+".json"), s.arn)
	return err
}

// shards returns the shards of the stream. New shards appear only when a shard ends. So the
// shards are listed again only then, and not in each round: listing is the most expensive
// request for the local server.
func (s *Source) shards(ctx context.Context) ([]types.Shard, error) {
	unread := func(shard types.Shard) bool { return !s.position.Finished[aws.ToString(shard.ShardId)] }
	if slices.ContainsFunc(s.listed, unread) {
		return s.listed, nil
	}
	all, err := s.list(ctx)
	s.listed = all
	return all, err
}

func (s *Source) list(ctx context.Context) ([]types.Shard, error) {
	var all []types.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(s.arn)}
	for {
		out, err := s.Streams.DescribeStream(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all, nil
		}
	}
}

// read delivers what a shard has now, at most one batch.
func (s *Source) read(ctx context.Context, shard string) (busy bool, err error) {
	iterator, err := s.iterator(ctx, shard)
	if err != nil {
		return false, err
	}
	out, err := s.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{
		ShardIterator: aws.String(iterator), Limit: aws.Int32(int32(min(s.Stream.BatchSize, 1000))),
	})
	if err != nil {
		return false, err
	}
	if n := len(out.Records); n > 0 {
		if err := s.deliver(ctx, s.arn, s.wanted(out.Records)); err != nil {
			return false, err
		}
		s.position.Position[shard] = aws.ToString(out.Records[n-1].Dynamodb.SequenceNumber)
	}
	next := aws.ToString(out.NextShardIterator)
	s.iterators[shard] = next
	if next == "" {
		s.position.Finished[shard] = true
		s.listed = nil // other shards follow it
	}
	if len(out.Records) > 0 || next == "" {
		return len(out.Records) > 0, s.position.save()
	}
	return false, nil
}

func (s *Source) iterator(ctx context.Context, shard string) (string, error) {
	if i := s.iterators[shard]; i != "" {
		return i, nil
	}
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: aws.String(s.arn), ShardId: aws.String(shard)}
	switch last, ok := s.position.Position[shard]; {
	case ok:
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, aws.String(last)
	case s.Stream.StartAtTrimHorizon || s.begun:
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon
	default:
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	}
	out, err := s.Streams.GetShardIterator(ctx, in)
	var trimmed *types.TrimmedDataAccessException
	if errors.As(err, &trimmed) {
		delete(s.position.Position, shard) // the position is older than a day, so the changes after it are gone too
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeTrimHorizon, nil
		out, err = s.Streams.GetShardIterator(ctx, in)
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ShardIterator), nil
}
