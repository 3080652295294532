package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
	"github.com/opsplane/opsplane/infra/test/functiontest"
)

func TestExplanationsUseWhatTheDocumentSays(t *testing.T) {
	opened := func(t *testing.T, r *rig) int64 { return r.open(t, "one", map[string]string{"net/main.tf": "a1"}) }
	costs.Check(t, function, map[string]costs.Scenario{
		"explain a pull request, one directory": counting(func(t *testing.T, r *rig) string { return pull(opened(t, r), "") }),
		"list locks, one holds some": counting(func(t *testing.T, r *rig) string {
			r.apply(t, opened(t, r))
			return base + "/locks"
		}),
		"list what waits, one does": counting(func(t *testing.T, r *rig) string {
			opened(t, r)
			return base + "/waiting"
		}),
		"list what waits for the caller, one does": counting(func(t *testing.T, r *rig) string {
			opened(t, r)
			return base + "/waiting?for=me"
		}),
	}, "Explanations")
}

// counting counts a request, after the preparation, which returns its target.
func counting(prepare func(*testing.T, *rig) string) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := rigOn(t, functiontest.On(env, function), m.Role(function), twoDirs)
		target := prepare(t, r)
		m.Start()
		m.Request("GET", target)
		if got := r.Do(t, "GET", target, ""); got.StatusCode != 200 {
			t.Errorf("got %d %s", got.StatusCode, got.Body)
		}
		m.Stop()
		return m
	}
}
