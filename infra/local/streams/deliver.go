package streams

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// deliver gives a batch to the function until the function is done with it. A batch that fails
// is tried again, and is split into halves if the template says so. After the number of
// attempts that the template allows, the batch is given up. deliver returns early when ctx
// ends.
func (s *Source) deliver(ctx context.Context, streamARN string, records []types.Record) error {
	pause := firstPause
	for attempt := 0; len(records) > 0; attempt++ {
		done, err := s.try(ctx, streamARN, records)
		if done > 0 {
			attempt, pause = 0, firstPause
			records = records[done:]
			if err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		s.Report(fmt.Sprintf("%s: %d changes of %s: %v", s.FunctionName, len(records), s.Stream.Table, err))
		if s.Stream.BisectOnError && len(records) > 1 {
			half := len(records) / 2
			if err := s.deliver(ctx, streamARN, records[:half]); err != nil {
				return err
			}
			records = records[half:]
			attempt = -1
			continue
		}
		if most := s.Stream.MaximumRetryAttempts; most >= 0 && attempt >= most {
			s.Report(fmt.Sprintf("%s: gives up on %d changes of %s", s.FunctionName, len(records), s.Stream.Table))
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// try delivers records once. It returns how many of them, counted from the first, the function
// is done with.
func (s *Source) try(ctx context.Context, streamARN string, records []types.Record) (done int, err error) {
	payload, err := event(records, streamARN)
	if err != nil {
		return 0, err
	}
	answer, err := s.Function.Invoke(ctx, payload)
	if err != nil {
		return 0, err
	}
	if !s.Stream.ReportsBatchFailures {
		return len(records), nil
	}
	var report struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	// An empty response, or null, means that every record succeeded.
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &report); err != nil {
			return 0, fmt.Errorf("the function's answer: %w", err)
		}
	}
	if len(report.BatchItemFailures) == 0 {
		return len(records), nil
	}
	failed := map[string]bool{}
	for _, f := range report.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	// The first failure stops the batch, as in Lambda, to keep the order.
	for i, r := range records {
		if failed[aws.ToString(r.Dynamodb.SequenceNumber)] {
			return i, fmt.Errorf("the function reports change %d of %d as failed", i+1, len(records))
		}
	}
	return 0, fmt.Errorf("the function reports a failure of %q, which is not in the batch", report.BatchItemFailures[0].ItemIdentifier)
}
