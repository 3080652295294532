// Package bench compares two ways of doing the same thing, as Go benchmarks. Its invariant: the
// two ways are measured in turns, in one process and one run. So other load of the machine
// affects both. Every sample is kept, so that a ratio can be reported with its confidence
// interval.
//
// A benchmark prints the medians and their ratio on its own line. If BENCH_SAMPLES names a
// file, the samples are appended to it. Command infra/local/cmd/bench prints them for
// benchstat, and as a table.
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
	// Name names the side, such as "handler" or "raw".
	Name string
	// Before prepares one call of Do. It is not measured. It may be nil.
	Before func() error
	// Do is one call, and its time is measured.
	Do func() error
}

// Comparison says what is measured and which goal it has.
type Comparison struct {
	// Subject is measured and compared with Reference. If Reference.Do is nil, only the subject
	// is measured.
	Subject, Reference Side
	// Goal is the maximum ratio of the subject's time to the reference's time, or 0 if there is
	// no goal. With Rate it is the minimum ratio of their rates, which is the inverse of the
	// ratio of the times.
	Goal float64
	Rate bool
	// Samples is the number of samples of each side. Each sample is the median of Calls calls.
	// If Calls is 0, a sample is one call.
	Samples, Calls int
	// Work is the amount of work in one call, counted in Unit ("chunk", "token"), for readers
	// of the table. Bytes is the amount of data that one call moves. Either may be 0.
	Work  int
	Unit  string
	Bytes int64
}

// Compare measures both sides in turns, after one call of each side that is not counted. It
// does so once, regardless of the running time that the benchmark is given.
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

// run takes the samples. The side that begins changes with every call.
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

// Together combines many calls in one: a number of goroutines together call do work times, with
// the numbers from 0 on.
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

// time makes one call and returns its time.
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

// Record reports a result on the benchmark's line, and appends its samples to the file that
// BENCH_SAMPLES names.
func Record(b *testing.B, r Result) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // without this, the line would show the time of the whole benchmark
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
