package main

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/task"
)

// A delivery may be processed days after it arrived. The task that it makes has
// a whole life before it all the same.
func TestTaskOfALateDeliveryLivesFromItsMaking(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	invoke(t, r.worker, r.arrive(t, github("a", "installation_repositories", 0), given("infra")))
	d := github("b", "installation_repositories", time.Second)
	record := r.arrive(t, d, taken("infra"))
	r.clock = born.Add(3 * 24 * time.Hour)
	invoke(t, r.worker, record)
	ids, err := r.facts.tasks.Due(t.Context(), task.Hosts, r.clock, 10)
	if err != nil || len(ids) != 1 {
		t.Fatalf("tasks %v, %v", ids, err)
	}
	run, err := r.facts.tasks.Begin(t.Context(), ids[0], r.clock)
	if err != nil {
		t.Fatal(err)
	}
	if !run.MovedAt.Equal(r.clock) {
		t.Errorf("it counts its age from %s, want from %s", run.MovedAt, r.clock)
	}
}
