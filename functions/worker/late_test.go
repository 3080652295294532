package main

import (
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
)

// A delivery may be processed days after it arrived. The age of the task that it
// creates must count from the task's creation.
func TestTaskOfALateDeliveryLivesFromItsMaking(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	invoke(t, r.worker, r.arrive(t, github("a", "installation_repositories", 0), given("infra")))
	d := github("b", "installation_repositories", time.Second)
	record := r.arrive(t, d, taken("infra"))
	r.Clock.Set(born.Add(3 * 24 * time.Hour))
	invoke(t, r.worker, record)
	ids, err := r.facts.tasks.Due(t.Context(), task.Hosts, r.Clock.Now(), 10)
	if err != nil || len(ids) != 1 {
		t.Fatalf("tasks %v, %v", ids, err)
	}
	run, err := r.facts.tasks.Begin(t.Context(), ids[0], r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !run.MovedAt.Equal(r.Clock.Now()) {
		t.Errorf("it counts its age from %s, want from %s", run.MovedAt, r.Clock.Now())
	}
}

func TestRefreshOfALateDeliveryLivesFromItsMaking(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d    delivery.Delivery
		body string
	}{
		"copy of a loss":   {github("b", "installation_repositories", time.Second), taken("infra")},
		"projects' moving": {gitlab("b", "Subgroup Hook", time.Second), `{"event_name":"subgroup_create","group_id":78,"parent_group_id":77,"created_at":"2026-11-28T00:00:00Z","updated_at":"2026-11-28T00:00:00Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.d.Installation.VCS == "github" {
				first := github("a", "installation_repositories", 0)
				first.Timeless, c.d.Timeless = true, true
				invoke(t, r.worker, r.arrive(t, first, c.body)) // of an unknown repository: no task
			}
			record := r.arrive(t, c.d, c.body)
			r.Clock.Set(born.Add(3 * 24 * time.Hour))
			invoke(t, r.worker, record)
			r.Clock.Add(time.Hour)
			ids, err := r.facts.tasks.Due(t.Context(), task.Hosts, r.Clock.Now(), 10)
			if err != nil || len(ids) != 1 {
				t.Fatalf("tasks %v, %v; the delivery: %+v", ids, err, r.state(t, c.d))
			}
			made, err := r.facts.tasks.Begin(t.Context(), ids[0], r.Clock.Now())
			if err != nil || made.Kind != task.RefreshRepositories || !made.MovedAt.Equal(r.Clock.Now().Add(-time.Hour)) {
				t.Errorf("%s counts its age from %s, %v; want from %s", made.Kind, made.MovedAt, err, r.Clock.Now().Add(-time.Hour))
			}
		})
	}
}
