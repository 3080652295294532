//go:build unix

package journey

import (
	"context"
	"testing"
	"time"

	"github.com/opsplane/opsplane/infra/measure/load"
)

// "make load" does the same for a longer time, with more connections.
func TestMixedTrafficOfManyConnectionsIsAnsweredRightly(t *testing.T) {
	t.Parallel()
	s := theStack(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	report, err := load.Run(ctx, load.Config{URL: s.URL, APIKey: s.APIKey, Connections: 20, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, o := range report.Operations {
		done += o.Count
	}
	if report.Errors() > 0 || done == 0 {
		t.Errorf("got %d requests answered and %d errors, want some and none: %q", done, report.Errors(), report.Failures)
	}
}
