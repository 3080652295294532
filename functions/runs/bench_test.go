package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
)

// benchmarked is the function without its role, and the time of its calls to storage.
type benchmarked struct {
	*rig
	function *httpapi.Lambda
	calls    bench.Calls
}

// benchmark makes the function of a rig a benchmarked one.
func benchmark(r *rig) *benchmarked {
	f := &benchmarked{rig: r}
	watched := *r.Env
	watched.DynamoDB, watched.S3 = dynamodb.New(r.Env.DynamoDB.Options(), f.calls.WatchDynamoDB), s3.New(r.Env.S3.Options(), f.calls.WatchS3)
	f.function = r.Serve(routes(over(&watched)))
	return f
}

// beside measures a request beside its calls. size is what it moves, in bytes, or 0.
func (f *benchmarked) beside(b *testing.B, samples, size int, target string) {
	b.Helper()
	h, err := bench.NewEventHandler(f.function, bench.OK, httpapitest.Event(b, "GET", target, f.Caller, ""))
	if err != nil {
		b.Fatal(err)
	}
	bench.BesideCalls(b, bench.Operation{Do: h.Invoke, Calls: &f.calls, Samples: samples, Bytes: int64(size)})
}

// BenchmarkFirstPage reads the first page of typical lists among 1,000 runs.
func BenchmarkFirstPage(b *testing.B) {
	g := newGrown(b, 1000)
	f := benchmark(g.plain)
	for _, what := range slices.Sorted(maps.Keys(lists)) {
		b.Run(what, func(b *testing.B) {
			if err := g.ask(b, g.plain, lists[what]); err != nil {
				b.Fatal(err)
			}
			f.beside(b, 50, 0, lists[what])
		})
	}
}

// BenchmarkOutputsPage reads the first page of the outputs of a run, twenty of its steps.
func BenchmarkOutputsPage(b *testing.B) {
	f := benchmark(rigOn(functiontest.On(storagetest.New(b), function)))
	for _, c := range []struct {
		name                  string
		printed, steps, count int
	}{{"100KB", 5_000, 200, 50}, {"4MB", 200_000, 25, 10}} {
		id := f.create(b, "42", "net")
		var steps []string
		for n := range c.steps {
			steps = append(steps, fmt.Sprintf(`{"scope":{"type":"dirspace","dir":"net","workspace":"default"},"step":"tf/step-%d","success":true,"payload":{"text":%q}}`,
				n, strings.Repeat("a line of a log\n", c.printed/16)))
		}
		f.send(b, id, steps)
		target := base + "/work-manifests/" + string(id) + "/outputs"
		if got := f.Do(b, "GET", target, ""); got.StatusCode != 200 || len(got.Body) < 20*c.printed {
			b.Fatalf("got %d with %d bytes", got.StatusCode, len(got.Body))
		}
		b.Run(c.name, func(b *testing.B) { f.beside(b, c.count, 20*c.printed, target) })
		b.Run(c.name+"-lite", func(b *testing.B) { f.beside(b, c.count, 0, target+"?lite=true") })
	}
}
