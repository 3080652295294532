package simulation

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
)

// setting returns a number of the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s is not a number", name, text)
	}
	return n
}

// eventsPerWorld is how many events one world has. Each has its own seed, so that a world in
// which a rule was broken can be repeated alone.
const eventsPerWorld = 500

// TestRulesHoldWhateverGoesWrong lets worlds happen. PULLS, EVENTS and SEED make it larger:
// make simulate.
func TestRulesHoldWhateverGoesWrong(t *testing.T) {
	events := setting(t, "EVENTS", storagetest.Sample(250, 60))
	pulls := setting(t, "PULLS", 15)
	seed := uint64(setting(t, "SEED", 1))
	worlds := max(2, (events+eventsPerWorld-1)/eventsPerWorld)
	counts := make(chan Count, worlds)
	t.Run("worlds", func(t *testing.T) {
		for n := range uint64(worlds) {
			t.Run(fmt.Sprint("seed ", seed+n), func(t *testing.T) {
				t.Parallel()
				counts <- Run(t, seed+n, Size{Pulls: (pulls + worlds - 1) / worlds, Events: (events + worlds - 1) / worlds})
			})
		}
	})
	close(counts)
	var all Count
	said := map[string]int{}
	for c := range counts {
		all.Events += c.Events
		all.Pulls += c.Pulls
		all.Commands += c.Commands
		all.Runs += c.Runs
		all.Applies += c.Applies
		all.Deaths += c.Deaths
		all.Nested += c.Nested
		for line, n := range c.Said {
			said[line] += n
		}
	}
	t.Logf("%d events, %d pull requests, %d comments, %d runs with %d applies, %d evaluators killed, %d overtaken", all.Events, all.Pulls, all.Commands, all.Runs, all.Applies, all.Deaths, all.Nested)
	for _, line := range slices.Sorted(maps.Keys(said)) {
		t.Logf("%5d %s", said[line], line)
	}
	if all.Runs == 0 {
		t.Error("nothing was planned")
	}
}
