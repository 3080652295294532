package main

import (
	"testing"

	"github.com/opsplane/opsplane/infra/test/costs"
)

func TestEvaluationsUseWhatTheDocumentSays(t *testing.T) {
	costs.Check(t, function, map[string]costs.Scenario{
		"evaluation of a request, without what it reads and does": counted(func(t *testing.T, r *rig) func() {
			return func() { r.show(t) }
		}),
		"look at the lanes, one request is due": counted(func(t *testing.T, r *rig) func() {
			return func() { r.minute(t) }
		}),
		"look at the lanes, nothing is due": counted(func(t *testing.T, r *rig) func() {
			r.show(t)
			return func() { r.minute(t) }
		}),
	}, "Evaluations")
}

// counted counts what an invocation uses. A lane has a request before it.
func counted(prepare func(*testing.T, *rig) func()) costs.Scenario {
	return func(t *testing.T) *costs.Meter {
		env, m := costs.New(t)
		r := newRigOn(env)
		r.ask(t, "8", 1)
		r.show(t) // the lane is known afterwards
		r.ask(t, "8", 1)
		invoke := prepare(t, r)
		r.orchestrator = r.over(m.Role(function))
		m.Start()
		m.Invoke("orchestrator")
		invoke()
		m.Stop()
		return m
	}
}
