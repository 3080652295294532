//go:build unix

package stack

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/opsplane/opsplane/infra/local/expiry"
	"github.com/opsplane/opsplane/infra/local/schedule"
	"github.com/opsplane/opsplane/infra/local/state"
	"github.com/opsplane/opsplane/infra/local/streams"
)

// sweepEvery is the time between two searches for expired items. Each search reads every table
// completely.
const sweepEvery = 10 * time.Minute

// startEvents starts what invokes functions apart from the gateway: streams and schedules. It
// also starts the expiry of items, whose deletions streams deliver. All of them end with ctx.
func (s *stack) startEvents(ctx context.Context, background *sync.WaitGroup) {
	client := dynamodbstreams.NewFromConfig(s.storage.config, func(o *dynamodbstreams.Options) {
		o.BaseEndpoint = aws.String(s.servers.DynamoDBURL)
	})
	report := func(line string) { s.Console.Say("%s", line) }
	for _, f := range s.template.Functions {
		for _, stream := range f.Streams {
			if stream.Disabled {
				continue
			}
			source := &streams.Source{
				Stream: stream, TableName: s.template.Table(stream.Table).Name, FunctionName: f.LogicalID, Function: s.functions[f.LogicalID],
				DynamoDB: s.storage.dynamoDB, Streams: client, Dir: s.Path(state.Streams), Report: report,
			}
			background.Go(func() { source.Run(ctx) })
		}
		for _, event := range f.Schedules {
			if event.Disabled {
				continue
			}
			every, err := schedule.Every(event.Expression)
			if err != nil {
				s.Console.Say("%s: %v", f.LogicalID, err)
				continue
			}
			background.Go(func() { schedule.Run(ctx, event, every, s.functions[f.LogicalID], report) })
		}
	}
	if s.servers.KeepsExpired {
		background.Go(func() { s.sweep(ctx) })
	}
}

func (s *stack) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, table := range s.template.Tables {
				if _, err := expiry.Sweep(ctx, s.storage.dynamoDB, table, now); err != nil && ctx.Err() == nil {
					s.Console.Say("expired items of %s: %v", table.LogicalID, err)
				}
			}
		}
	}
}
