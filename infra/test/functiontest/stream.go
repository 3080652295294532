package functiontest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// Stream gives records of a table's stream to a handler, as Lambda does, and returns how many
// of them the handler processed: all that come before the first one that its response names as
// failed. handler is a function of any form that package lambda takes. If it returns an error,
// Stream ends the test.
func Stream(ctx context.Context, t testing.TB, handler any, records ...events.DynamoDBEventRecord) (done int) {
	t.Helper()
	event, err := json.Marshal(events.DynamoDBEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	text, err := lambda.NewHandler(handler).Invoke(ctx, event)
	if err != nil {
		t.Fatalf("give %d records: %v", len(records), err)
	}
	var response events.DynamoDBEventResponse
	if err := json.Unmarshal(text, &response); err != nil {
		t.Fatalf("got %s, want the response to a stream: %v", text, err)
	}
	if len(response.BatchItemFailures) == 0 {
		return len(records)
	}
	failed := response.BatchItemFailures[0].ItemIdentifier
	done = slices.IndexFunc(records, func(r events.DynamoDBEventRecord) bool { return r.Change.SequenceNumber == failed })
	if done < 0 {
		t.Fatalf("the response names the record %q, which was not given", failed)
	}
	return done
}
