package main

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/storage/attr"
)

// handlerGoal is the maximum ratio of the time of a whole invocation to that of its
// storage call.
const handlerGoal = 1.15

// benchmarked is the function, and the inputs of its calls to the table. Its log is
// written, but to a writer that discards it.
type benchmarked struct {
	*httpapi.Lambda
	db     *dynamodb.Client
	inputs bench.Inputs
}

func newBenchmarked(b *testing.B) *benchmarked {
	b.Helper()
	env := storagetest.New(b)
	f := &benchmarked{db: env.DynamoDB}
	watched := dynamodb.New(env.DynamoDB.Options(), f.inputs.Watch)
	table := env.Table("KvTable")
	s := kv.New(watched, env.S3, table, env.Bucket("KvBucket"))
	f.Lambda = httpapi.NewLambda(routes(s, nil), slog.New(slog.NewJSONHandler(io.Discard, nil)), time.Now, keyInOneSegment)
	return f
}

// handler returns the function called with an event of events/kv.
func (f *benchmarked) handler(b *testing.B, event string) *bench.Handler {
	b.Helper()
	h, err := bench.NewHandler(f.Lambda, bench.OK, "../../events/kv/"+event+".json", "{{user}}", "user-1", "{{key}}", "key-1")
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// BenchmarkSet stores a small value over an earlier one.
func BenchmarkSet(b *testing.B) {
	f := newBenchmarked(b)
	set := f.handler(b, "set")
	if err := set.Invoke(); err != nil {
		b.Fatal(err)
	}
	in, err := bench.Last[*dynamodb.UpdateItemInput](&f.inputs, "UpdateItem")
	if err != nil {
		b.Fatal(err)
	}
	id := regexp.MustCompile(`#ch_req = (:[0-9]+)`).FindStringSubmatch(*in.UpdateExpression)
	if id == nil {
		b.Fatalf("no request is recorded by %s", *in.UpdateExpression)
	}
	request := in.ExpressionAttributeValues[id[1]]
	bench.Compare(b, bench.Comparison{
		Subject: bench.Side{Name: "handler", Do: set.Invoke},
		Reference: bench.Side{
			Name: "raw",
			// The update refuses to be applied twice by the same request, whose id is
			// in several of its values.
			Before: func() error {
				next := attr.String(uuid.NewString())
				err := bench.Replace(in.ExpressionAttributeValues, request, next)
				request = next
				return err
			},
			Do: func() error {
				_, err := f.db.UpdateItem(b.Context(), in)
				return err
			},
		},
		Goal: handlerGoal, Samples: 50, Calls: 100,
	})
}

// BenchmarkGet reads a small value.
func BenchmarkGet(b *testing.B) {
	f := newBenchmarked(b)
	if err := f.handler(b, "set").Invoke(); err != nil {
		b.Fatal(err)
	}
	get := f.handler(b, "get")
	if err := get.Invoke(); err != nil {
		b.Fatal(err)
	}
	in, err := bench.Last[*dynamodb.GetItemInput](&f.inputs, "GetItem")
	if err != nil {
		b.Fatal(err)
	}
	bench.Compare(b, bench.Comparison{
		Subject: bench.Side{Name: "handler", Do: get.Invoke},
		Reference: bench.Side{Name: "raw", Do: func() error {
			out, err := f.db.GetItem(b.Context(), in)
			if err == nil && out.Item == nil {
				err = fmt.Errorf("there is no such item")
			}
			return err
		}},
		Goal: handlerGoal, Samples: 50, Calls: 100,
	})
}
