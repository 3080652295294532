package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
	"github.com/opsplane/opsplane/shared/vcs/repository"
)

// pull returns the body of an event about a pull request of the repository.
func pull(number int, state, title string, at time.Time) string {
	merged, action := "", "opened"
	if state != "open" {
		action = "closed"
	}
	if state == "merged" {
		state, merged = "closed", fmt.Sprintf(`"merged":true,"merged_at":%q,"merge_commit_sha":"cc",`, at.Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"installation":{"id":42},"repository":{"id":7,"name":"infra","owner":{"login":"acme"},"default_branch":"main","updated_at":%q},
		"pull_request":{"number":%d,"state":%q,"title":%q,%s"user":{"login":"ann"},"updated_at":%[1]q,
		"base":{"ref":"main","sha":"aa"},"head":{"ref":"topic","sha":"bb"}},"action":%[6]q,"sender":{"login":"ann","id":5}}`, at.Format(time.RFC3339), number, state, title, merged, action)
}

// end does what the removal tasks of a rig do, and returns the installation's
// state.
func (r *rig) end(t *testing.T, system, id string) []string {
	t.Helper()
	r.remove(t, map[string]bool{}) // a task may run more than once
	var lines []string
	for _, line := range r.stored(t, vcs.Installation{VCS: vcs.VCS(system), ID: vcs.ID(id)}) {
		if !strings.HasPrefix(line, "task REPO_REFRESH") || !slices.Contains(lines, line) { // their number depends on the timing
			lines = append(lines, line)
		}
	}
	return lines
}

// TestDayInAnyOrderEndsWithTheTruth processes the deliveries of a day. They arrive
// in a wrong order, some much later than others, and a tenth of them twice. Twenty
// of the workers are killed. In the end, the stored state must equal the state of
// the simulated hosts. It must also equal the stored state after a day on which
// everything arrives at once and no worker is killed. DELIVERIES is the number of
// deliveries ("make busy-day": 10,000).
func TestDayInAnyOrderEndsWithTheTruth(t *testing.T) {
	t.Parallel()
	const batch, deaths = 25, 20
	n := 600
	if text := os.Getenv("DELIVERIES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("DELIVERIES=%s is no number", text)
		}
	}
	const seed = 20261124
	w := newWorld(seed)
	for len(w.told) < n-9 {
		w.live()
	}
	w.evening()
	if lines := len(w.truth("github")) + len(w.truth("gitlab")); lines < 40 {
		t.Fatalf("a day leaves only %d things", lines)
	}
	calm, wild := aDay(t), aDay(t)
	calmly := slices.Clone(w.told)
	for _, d := range calmly {
		d.ReceivedAt = d.calm
		record := calm.arrive(t, d.Delivery, d.body)
		// On a busy machine the storage may fail. Then the worker gives the record
		// back.
		for tries := 1; invoke(t, calm.worker, record) != 1; tries++ {
			if tries == 5 {
				t.Fatalf("%s %s is not done", d.Event, d.ID)
			}
		}
	}
	wild.live(t, w, rand.New(rand.NewPCG(seed, 2)), batch, deaths)
	for _, system := range []string{"github", "gitlab"} {
		id := map[string]string{"github": "42", "gitlab": acmeGroup}[system]
		undisturbed, got := calm.end(t, system, id), wild.end(t, system, id)
		if missing, more := lack(undisturbed, got), lack(got, undisturbed); len(missing) > 0 || len(more) > 0 {
			t.Errorf("%s: the disturbed day lacks\n%s\nand has\n%s", system, strings.Join(missing, "\n"), strings.Join(more, "\n"))
		}
		got = slices.DeleteFunc(got, func(l string) bool { return strings.HasPrefix(l, "task ") })
		if truth := w.truth(system); !slices.Equal(got, truth) {
			t.Errorf("%s: of the truth lack\n%s\nand untrue are\n%s", system, strings.Join(lack(truth, got), "\n"), strings.Join(lack(got, truth), "\n"))
		}
	}
	for _, d := range w.told {
		if got := wild.state(t, d.Delivery); got.State != delivery.Done {
			t.Errorf("delivery %s is %s: %s", d.ID, got.State, got.Problem)
		}
	}
}

// aDay returns a rig with the group that an operator has added.
func aDay(t *testing.T) *rig {
	r := newRig(t)
	if _, err := r.facts.installations.Save(t.Context(), author, installation.Installation{VCS: "gitlab", ID: acmeGroup, Name: "acme-group"}); err != nil {
		t.Fatal(err)
	}
	return r
}

// live processes the deliveries of a wild day. A tenth of them is processed much
// later than it arrives, as parked ones are, and a tenth twice.
func (r *rig) live(t *testing.T, w *world, random *rand.Rand, batch, deaths int) {
	t.Helper()
	type turn struct {
		at time.Time
		events.DynamoDBEventRecord
	}
	var turns []turn
	for _, d := range w.told {
		d.ReceivedAt = d.wild
		at := d.wild
		if random.IntN(10) == 0 {
			at = at.Add(time.Duration(random.IntN(3600)) * time.Second)
		}
		turns = append(turns, turn{at, r.arrive(t, d.Delivery, d.body)})
		if random.IntN(10) > 0 {
			continue
		}
		turns = append(turns, turn{at.Add(time.Duration(random.IntN(3600)) * time.Second), told(d.Delivery)}) // the stream may send a record again
		again := d.Delivery
		again.ReceivedAt = again.ReceivedAt.Add(time.Hour)
		if fresh, err := r.deliveries.Accept(t.Context(), again, []byte(d.body)); err != nil || fresh {
			t.Fatalf("the host repeats itself: new %t, %v", fresh, err)
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return a.at.Compare(b.at) })
	records := make([]events.DynamoDBEventRecord, len(turns))
	for i := range turns {
		records[i] = turns[i].DynamoDBEventRecord
	}
	died, removed := 0, map[string]bool{}
	for len(records) > 0 {
		worker := r.worker
		if died < deaths {
			died++
			faults, _ := killed(1 + random.IntN(4*batch))
			worker = r.over(r.Role.WithFaults(faults))
		}
		done := invoke(t, worker, records[:min(batch, len(records))]...)
		records = records[done:]
		if random.IntN(20) == 0 {
			r.remove(t, removed)
		}
	}
	if died < deaths {
		t.Errorf("only %d workers died", died)
	}
}

// remove does what the tasks do that remove pull requests, except for those in
// done. The tasks do not end, so stored still lists them.
func (r *rig) remove(t *testing.T, done map[string]bool) {
	t.Helper()
	for _, made := range r.tasksOf(t) {
		if made.Kind != task.RemovePullRequests || done[made.ID] {
			continue
		}
		done[made.ID] = true
		var what repository.Removal
		if err := json.Unmarshal([]byte(made.Note), &what); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.facts.pullRequests.Remove(t.Context(), made.Installation.Repository(what.Repository), what.Version, "", 1000); err != nil {
			t.Fatal(err)
		}
	}
}
