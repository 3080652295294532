// Package bench measures two ways of doing the same thing beside each other,
// as Go benchmarks. Its invariant: what is compared is measured in turns in
// one process and one run, so that whatever else the machine does falls on
// both, and every sample is kept, so that a ratio comes with its interval.
//
// A benchmark prints its medians and their ratio on its own line. Where
// BENCH_SAMPLES names a file, the samples are appended to it, and command
// infra/local/cmd/bench prints them for benchstat, with a table.
package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Side is one of the two ways.
type Side struct {
	// Name tells it from the other, such as "handler" and "raw".
	Name string
	// Before makes ready for one call of Do and is not measured; it may be nil.
	Before func() error
	// Do is what is measured. Its time is that of one call.
	Do func() error
}

// Comparison says what is measured and what it is held to.
type Comparison struct {
	// Subject is measured; Reference is what it is measured against. Without
	// one, of which Do is nil, the subject is measured by itself.
	Subject, Reference Side
	// Goal is the largest ratio of the subject's time to the reference's; 0
	// where there is none. With Rate it is the smallest ratio of their rates,
	// which is the inverse of that.
	Goal float64
	Rate bool
	// Samples is how many are taken of each; each is the median of Calls calls,
	// 1 if that is 0.
	Samples, Calls int
	// Work is how much one call does, in Unit ("chunk", "token"), for readers
	// of the table; Bytes is how much data it moves. Either may be 0.
	Work  int
	Unit  string
	Bytes int64
}

// Compare measures both sides in turns, after one call of each that is not
// counted. It does so once, however long the benchmark is asked to run.
func Compare(b *testing.B, c Comparison) {
	b.Helper()
	result := Result{
		Name: b.Name()[len("Benchmark"):], Subject: c.Subject.Name, Reference: c.Reference.Name,
		Goal: c.Goal, Rate: c.Rate, Work: max(c.Work, 1), Unit: c.Unit, Bytes: c.Bytes,
	}
	for first := true; b.Loop(); first = false {
		if !first {
			continue
		}
		var err error
		if result.Subjects, result.References, err = c.run(); err != nil {
			b.Fatal(err)
		}
	}
	Record(b, result)
}

// run takes the samples. Who begins changes with every call.
func (c Comparison) run() (subjects, references []time.Duration, err error) {
	sides := []Side{c.Subject, c.Reference}
	if c.Reference.Do == nil {
		sides = sides[:1]
	}
	var samples [2][]time.Duration
	calls := max(c.Calls, 1)
	for sample := range c.Samples + 1 {
		var took [2][]time.Duration
		for call := range calls {
			for step := range sides {
				which := (sample + call + step) % len(sides)
				one, err := sides[which].time()
				if err != nil {
					return nil, nil, fmt.Errorf("%s: %w", sides[which].Name, err)
				}
				took[which] = append(took[which], one)
			}
			if sample == 0 {
				break
			}
		}
		if sample > 0 {
			for which := range samples[:len(sides)] {
				samples[which] = append(samples[which], Median(took[which]))
			}
		}
	}
	return samples[0], samples[1], nil
}

// Together makes one call of many: work calls of do, numbered from 0, by a
// number of goroutines at once.
func Together(goroutines, work int, do func(n int) error) func() error {
	return func() error {
		var next atomic.Int64
		var group errgroup.Group
		for range goroutines {
			group.Go(func() error {
				for {
					n := int(next.Add(1)) - 1
					if n >= work {
						return nil
					}
					if err := do(n); err != nil {
						return err
					}
				}
			})
		}
		return group.Wait()
	}
}

// time makes one call.
func (s Side) time() (time.Duration, error) {
	if s.Before != nil {
		if err := s.Before(); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	err := s.Do()
	return time.Since(start), err
}

// Record reports a result on the benchmark's line, and keeps its samples where
// BENCH_SAMPLES says.
func Record(b *testing.B, r Result) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // the line would show the time of the whole benchmark
	b.ReportMetric(float64(Median(r.Subjects))/float64(r.Work), r.Subject+"-ns/op")
	if r.Reference != "" {
		b.ReportMetric(float64(Median(r.References))/float64(r.Work), r.Reference+"-ns/op")
		b.ReportMetric(r.Ratio().Value, "ratio")
	}
	path := os.Getenv("BENCH_SAMPLES")
	if path == "" {
		return
	}
	line, err := json.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	_, err = file.Write(append(line, '\n'))
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		b.Fatal(err)
	}
}
