// Package load drives a running local stack with mixed traffic on many connections. It reports
// operations, errors, latencies, the delay of the audit trail, and the memory of the stack's
// processes over time.
//
// Its invariant: every response is checked against what the connection itself wrote. So an
// operation counts as done only if its response was right. A connection repeats a request only
// where the API's guides say that clients should.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/opsplane/opsplane/infra/apiclient"
)

// Config says which stack to drive, and how.
type Config struct {
	// URL is the stack's address, without a trailing slash.
	URL string
	// APIKey is a key that may read and write installation 1 of GitHub and read its audit
	// trail.
	APIKey string
	// Connections is the number of connections that work at the same time, each on records of
	// its own. One more connection follows the audit trail.
	Connections int
	// Seed determines the operations of every connection.
	Seed uint64
	// State is the stack's folder, by which the stack's processes are found. If it is empty,
	// the memory is not measured.
	State string
	// Progress receives one line about the run every SampleEvery. It may be nil.
	Progress func(line string)
}

// SampleEvery is the time between two measurements of the stack's memory.
const SampleEvery = 10 * time.Second

// Run drives the stack until ctx ends, lets every connection finish its current step, and
// returns the report. The error says why there is nothing to report.
func Run(ctx context.Context, c Config) (*Report, error) {
	artifacts, err := hasArtifacts(ctx, c.URL)
	if err != nil {
		return nil, fmt.Errorf("ask the stack for its API document: %w", err)
	}
	via := apiclient.NewHTTPClient(c.Connections)
	defer via.CloseIdleConnections()
	ledger := newLedger()
	run := fmt.Sprintf("load/%x", time.Now().UnixNano())
	var working sync.WaitGroup
	connect := func(n int) *worker {
		return &worker{
			client: newClient(c.URL, c.APIKey, via, ledger),
			rand:   rand.New(rand.NewPCG(c.Seed, uint64(n))), prefix: fmt.Sprintf("%s/%d", run, n), artifacts: artifacts,
		}
	}
	for n := range c.Connections {
		working.Go(func() { connect(n).run(ctx) })
	}
	working.Go(func() { connect(c.Connections).follow(ctx) })
	watching := make(chan []sample, 1)
	began := time.Now()
	go func() { watching <- watch(ctx, c, ledger, began) }()
	working.Wait()
	samples := <-watching
	return &Report{Connections: c.Connections, Duration: time.Since(began), Operations: ledger.operations(), Failures: ledger.failures(), samples: samples}, nil
}

// watch samples memory until ctx ends.
func watch(ctx context.Context, c Config, l *ledger, began time.Time) []sample {
	var samples []sample
	ticker := time.NewTicker(SampleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return samples
		case <-ticker.C:
		}
		s := sample{at: time.Since(began)}
		if c.State != "" {
			s.processes = family(c.State)
		}
		samples = append(samples, s)
		if c.Progress != nil {
			done, failed, refused := l.totals()
			c.Progress(fmt.Sprintf("%4.0f s  %8d operations  %d errors  %d refused for load  %d processes  %4d MB",
				s.at.Seconds(), done, failed, refused, len(s.processes), s.total()>>20))
		}
	}
}
