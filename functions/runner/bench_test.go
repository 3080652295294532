package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/opsplane/opsplane/infra/measure/bench"
	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/api/httpapi"
	"github.com/opsplane/opsplane/shared/api/httpapi/httpapitest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/vcs"
)

// benchmarked is the function without its role, and the time of its calls to storage.
type benchmarked struct {
	*rig
	function *httpapi.Lambda
	calls    bench.Calls
}

func newBenchmarked(b *testing.B) *benchmarked {
	b.Helper()
	// On AWS each request has a function instance with connections of its own.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: runners}}
	env, f := storagetest.New(b).WithClient(client), &benchmarked{}
	watched := *env
	watched.DynamoDB, watched.S3 = dynamodb.New(env.DynamoDB.Options(), f.calls.WatchDynamoDB), s3.New(env.S3.Options(), f.calls.WatchS3)
	f.rig = rigOn(b, functiontest.On(env, "RunnerFunction"), &watched)
	f.function = f.Serve(routes(f.server))
	return f
}

// request returns a request of a run's runner. A nil caller is the CI job.
func (f *benchmarked) request(b *testing.B, j job, caller *access.Caller, method, rest, body string) *bench.Handler {
	b.Helper()
	h, err := bench.NewEventHandler(f.function, bench.OK, httpapitest.Event(b, method, j.path(rest), caller, body))
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// beside measures requests beside their calls. next returns the next request.
func (f *benchmarked) beside(b *testing.B, samples, size int, next func() *bench.Handler) {
	b.Helper()
	var h *bench.Handler
	bench.BesideCalls(b, bench.Operation{
		Before: func() error { h = next(); return nil },
		Do:     func() error { return h.Invoke() },
		Calls:  &f.calls, Samples: samples, Bytes: int64(size),
	})
}

// BenchmarkInitiate asks for the work of a run for the first time.
func BenchmarkInitiate(b *testing.B) {
	f := newBenchmarked(b)
	f.beside(b, 100, 0, func() *bench.Handler {
		return f.request(b, f.create(b, vcs.GitHub, run.Plan), nil, "POST", "/initiate", started)
	})
}

// BenchmarkPlan stores a plan, and fetches it for its apply.
func BenchmarkPlan(b *testing.B) {
	f := newBenchmarked(b)
	for _, c := range []struct {
		name          string
		size, samples int
	}{{"10KB", 10_000, 100}, {"4MB", 4_000_000, 10}} {
		j := f.start(b, vcs.GitHub, run.Plan)
		store := f.request(b, j, j.caller(b), "POST", "/plans", planBody(net, strings.Repeat("x", c.size), ""))
		b.Run("post/"+c.name, func(b *testing.B) {
			f.beside(b, c.samples, c.size, func() *bench.Handler { return store })
		})
		j.store(b, net, strings.Repeat("x", c.size), "").WantBody(b, 200, "")
		apply := f.start(b, vcs.GitHub, run.Apply, j.chosen(b)...)
		fetch := f.request(b, apply, apply.caller(b), "GET", "/plans?path=net&workspace=default", "")
		b.Run("get/"+c.name, func(b *testing.B) {
			f.beside(b, c.samples, c.size, func() *bench.Handler { return fetch })
		})
	}
}

// printed returns the body of a result of about size bytes: what the plans of two directories
// print.
func printed(size int) string {
	const line = `  \u001b[32m+\u001b[0m resource \"aws_instance\" \"web\" { name = \"wéb\" }\n`
	text := strings.Repeat(line, size/2/len(line)) + "Plan: 1 to add, 0 to change, 0 to destroy."
	var steps []string
	for _, d := range []run.Dirspace{net, app} {
		scope := fmt.Sprintf(`"success":true,"ignore_errors":false,"scope":{"type":"dirspace","dir":%q,"workspace":%q}`, d.Dir, d.Workspace)
		steps = append(steps, `{"step":"tf/init",`+scope+`,"payload":{"text":"ok","visible_on":"error"}}`,
			`{"step":"tf/plan",`+scope+`,"payload":{"text":"`+text+`","has_changes":true,"visible_on":"always"}}`)
	}
	return `{"steps":[` + strings.Join(steps, ",") + `]}`
}

// BenchmarkResult reports the results of a run.
func BenchmarkResult(b *testing.B) {
	f := newBenchmarked(b)
	for _, c := range []struct {
		name          string
		size, samples int
	}{{"10KB", 10_000, 100}, {"5MB", 5_000_000, 10}} {
		body := printed(c.size)
		b.Run(c.name, func(b *testing.B) {
			f.beside(b, c.samples, len(body), func() *bench.Handler {
				j := f.start(b, vcs.GitHub, run.Plan)
				return f.request(b, j, j.caller(b), "PUT", "", body)
			})
		})
	}
}

// runners is how many runners work at once.
const runners = 200

// BenchmarkRunners lets 200 runners, each of a run of its own, ask for their work, store a plan of
// 10 KB and report a result of 10 KB: all at once, beside one after the other. It also reports how
// long a request takes among so many.
func BenchmarkRunners(b *testing.B) {
	f := newBenchmarked(b)
	plan, result := planBody(net, strings.Repeat("x", 10_000), ""), printed(10_000)
	var work [runners][]*bench.Handler
	prepare := func() error {
		for n := range work {
			j := f.create(b, vcs.GitHub, run.Plan)
			caller := j.caller(b)
			work[n] = []*bench.Handler{
				f.request(b, j, nil, "POST", "/initiate", started), f.request(b, j, caller, "POST", "/plans", plan), f.request(b, j, caller, "PUT", "", result),
			}
		}
		return nil
	}
	var mu sync.Mutex
	var latencies []time.Duration
	side := func(name string, goroutines int, measure bool) bench.Side {
		return bench.Side{Name: name, Before: prepare, Do: bench.Together(goroutines, runners, func(n int) error {
			for _, h := range work[n] {
				start := time.Now()
				if err := h.Invoke(); err != nil {
					return err
				}
				if measure {
					mu.Lock()
					latencies = append(latencies, time.Since(start))
					mu.Unlock()
				}
			}
			return nil
		})}
	}
	bench.Compare(b, bench.Comparison{
		Subject: side("at-once", runners, true), Reference: side("one-by-one", 1, false), Rate: true, Samples: 3, Work: runners, Unit: "runner",
	})
	slices.Sort(latencies)
	b.ReportMetric(float64(bench.Quantile(latencies, 0.5).Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(bench.Quantile(latencies, 0.99).Microseconds())/1e3, "p99-ms")
}
