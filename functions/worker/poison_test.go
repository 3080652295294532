package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// wake is the schedule's event.
var wake = json.RawMessage(`{"source":"aws.events"}`)

func (r *rig) sweepOnce(t *testing.T, w *worker) *tally {
	t.Helper()
	answer, err := w.handle(t.Context(), wake)
	if err != nil {
		t.Fatal(err)
	}
	return answer.(*tally)
}

// about is a push to a repository of an installation.
func about(id, installation, repository string, after time.Duration) delivery.Delivery {
	d := github(id, "push", after)
	d.Installation.ID, d.Repository = vcs.ID(installation), vcs.ID(repository)
	return d
}

// failing returns a worker whose writes of facts are refused.
func (r *rig) failing() *worker {
	broken := r.over(r.Role)
	broken.facts.installations.DB, broken.facts.installations.Table = r.Env.DynamoDB, "no-such-table" // no role names it
	return broken
}

func TestUnreadableDeliveryIsStuckAtOnceAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad, good := github("bad", "pull_request", 0), github("good", "push", time.Second)
	records := []events.DynamoDBEventRecord{
		r.arrive(t, bad, `{"installation":{"id":42},"repository":{"id":7`), r.arrive(t, good, push("infra", born)),
	}
	if n := invoke(t, r.worker, records...); n != 2 {
		t.Fatalf("%d of 2 records done", n)
	}
	got := r.state(t, bad)
	if got.State != delivery.Parked || !strings.Contains(got.Problem, "cannot be read") || !got.NextTry.IsZero() || got.Tries != 1 {
		t.Errorf("the bad one: %+v", got)
	}
	if got := r.state(t, good); got.State != delivery.Done {
		t.Errorf("its neighbour: %+v", got)
	}
	r.Clock.Set(born.Add(1000 * time.Hour))
	if run := r.sweepOnce(t, r.worker); run.Stuck != 1 || run.Due != 0 || r.state(t, bad).Tries != 1 {
		t.Errorf("the schedule: %+v, %+v", run, r.state(t, bad))
	}
}

func TestFailedDeliveryIsTriedAgainByTheSchedule(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := github("a", "push", 0)
	if n := invoke(t, r.failing(), r.arrive(t, d, push("infra", born))); n != 1 {
		t.Fatal("what fails is handed back")
	}
	got := r.state(t, d)
	if got.State != delivery.Parked || got.NextTry.IsZero() {
		t.Fatalf("got %+v", got)
	}
	r.Clock.Set(got.NextTry.Add(-time.Second))
	if run := r.sweepOnce(t, r.worker); run.Due != 0 {
		t.Errorf("tried before its time: %+v", run)
	}
	r.Clock.Set(got.NextTry)
	if run := r.sweepOnce(t, r.worker); run.Done != 1 || r.state(t, d).State != delivery.Done {
		t.Errorf("after the schedule: %+v, %+v", run, r.state(t, d))
	}
}

func TestDeliveryThatTheStreamLostIsSwept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := github("a", "push", 0)
	r.arrive(t, d, push("infra", born)) // the stream's record is not used
	r.Clock.Set(born.Add(48 * time.Hour))
	if run := r.sweepOnce(t, r.worker); run.Due != 1 || run.Done != 1 {
		t.Errorf("swept: %+v", run)
	}
	if got := r.state(t, d); got.State != delivery.Done {
		t.Errorf("got %+v", got)
	}
	if run := r.sweepOnce(t, r.worker); run.Due != 0 {
		t.Errorf("swept again: %+v", run)
	}
}

// TestDeadlyDeliveryComesToAnEndAndStarvesNobody makes the worker die each time it
// begins one delivery. First the stream wakes the worker, and then the schedule,
// when other deliveries of the installation are due too.
func TestDeadlyDeliveryComesToAnEndAndStarvesNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := github("bad", "push", 0)
	record := r.arrive(t, bad, push("infra", born))
	die := func(begin func(context.Context, delivery.Key, time.Time) (delivery.Delivery, error)) {
		if _, err := begin(t.Context(), bad.Key(), r.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range maxDeaths {
		die(r.deliveries.Begin)
	}
	if n := invoke(t, r.worker, record); n != 1 {
		t.Fatalf("%d of 1 records done", n)
	}
	got := r.state(t, bad)
	if got.State != delivery.Parked || !strings.Contains(got.Problem, "begun several times") || got.NextTry.IsZero() {
		t.Fatalf("through the stream: %+v", got)
	}
	good := github("good", "push", time.Second)
	r.arrive(t, good, push("infra", born.Add(time.Second)))
	r.Clock.Set(born.Add(24 * time.Hour))
	die(r.deliveries.BeginDue) // it is the first that is due
	if r.sweepOnce(t, r.worker); r.state(t, good).State != delivery.Done {
		t.Fatalf("its neighbour waits for it: %+v", r.state(t, good))
	}
	for n := 0; ; n++ {
		if got = r.state(t, bad); got.State == delivery.Parked && got.NextTry.IsZero() {
			break
		}
		if n > 2*delivery.MaxTries {
			t.Fatalf("it never ends: %+v", got)
		}
		r.Clock.Add(24 * time.Hour)
		if got.Begun < maxDeaths && got.Tries < delivery.MaxTries {
			die(r.deliveries.BeginDue)
			continue
		}
		r.sweepOnce(t, r.worker)
	}
	if got.Tries > delivery.MaxTries+1 {
		t.Errorf("begun %d times", got.Tries)
	}
	if run := r.sweepOnce(t, r.worker); run.Stuck != 1 {
		t.Errorf("not counted as stuck: %+v", run)
	}
}

// slow returns a worker whose n-th read of a body never ends.
func (r *rig) slow(n int) *worker {
	var f storagetest.Faults
	f.Add(storagetest.Fault{Operation: "GetItem", Nth: n, Delay: 24 * time.Hour})
	w := r.over(r.Role.WithFaults(&f))
	w.share = 10 * time.Second // enough for the other deliveries, also on a busy machine
	return w
}

func TestDeliveryUsesUpNoMoreThanItsShareOfTime(t *testing.T) {
	t.Parallel()
	for name, through := range map[string]func(*testing.T, *rig, ...events.DynamoDBEventRecord){
		"stream": func(t *testing.T, r *rig, records ...events.DynamoDBEventRecord) {
			if n := invoke(t, r.slow(1), records...); n != len(records) {
				t.Fatalf("%d of %d records done", n, len(records))
			}
		},
		"schedule": func(t *testing.T, r *rig, _ ...events.DynamoDBEventRecord) {
			r.Clock.Set(born.Add(time.Hour))
			r.sweepOnce(t, r.slow(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			bad, good := github("bad", "push", 0), github("good", "push", time.Second)
			through(t, r, r.arrive(t, bad, push("infra", born)), r.arrive(t, good, push("infra", born)))
			if got := r.state(t, bad); got.State != delivery.Parked || !strings.Contains(got.Problem, "used up its 10s") {
				t.Errorf("the slow one: %+v", got)
			}
			if got := r.state(t, good); got.State != delivery.Done {
				t.Errorf("its neighbour: %+v", got)
			}
		})
	}
}

// TestScheduleGoesOnBehindWhatCannotBeEnded makes each write of the first
// delivery's outcome fail.
func TestScheduleGoesOnBehindWhatCannotBeEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad, good := github("bad", "star", 0), github("good", "star", time.Second)
	r.arrive(t, bad, `{"action":"created"}`)
	r.arrive(t, good, `{"action":"created"}`)
	r.Clock.Set(born.Add(time.Hour))
	var updates atomic.Int32 // the first update begins the bad delivery; the next ones, with the client's own retries, end it
	faults := &storagetest.Faults{Choose: func(operation string) storagetest.Fault {
		if operation == "UpdateItem" {
			if n := updates.Add(1); n > 1 && n < 5 {
				return storagetest.Fault{Kind: storagetest.Refuse}
			}
		}
		return storagetest.Fault{}
	}}
	answer, err := r.over(r.Role.WithFaults(faults)).handle(t.Context(), wake)
	if err == nil {
		t.Error("nothing is said of what could not be written")
	}
	if run := answer.(*tally); run.Ignored != 1 || r.state(t, good).State != delivery.Ignored {
		t.Errorf("the other one: %+v, %+v", run, r.state(t, good))
	}
	if got := r.state(t, bad); got.State != delivery.Received || got.Begun != 1 {
		t.Errorf("the one without an outcome: %+v", got)
	}
}

func TestGroupIsInstalledByItsFirstDeliveryEvenAnUnreadableOne(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"readable": `{"object_kind":"note","project":{"id":501,"path_with_namespace":"acme/infra"}}`, "unreadable": `{"project":`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			group := installation.Installation{VCS: "gitlab", ID: "77", Name: "acme"}
			if _, err := r.facts.installations.Save(t.Context(), author, group); err != nil {
				t.Fatal(err)
			}
			if i, err := r.facts.installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil || i.State != "" {
				t.Fatalf("before: %+v, %v", i, err)
			}
			if n := invoke(t, r.worker, r.arrive(t, gitlab("77.a", "Note Hook", 0), body)); n != 1 {
				t.Fatal("not done")
			}
			if i, err := r.facts.installations.Get(t.Context(), vcs.Installation{VCS: "gitlab", ID: "77"}); err != nil || i.State != installation.Installed {
				t.Errorf("after: %+v, %v", i, err)
			}
		})
	}
}

func TestWhatIsLeftOutOfADeliveryIsSaidAndTheRestIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var log strings.Builder
	r.log = slog.New(slog.NewJSONHandler(&log, nil))
	d := github("a", "installation_repositories", 0)
	body := `{"action":"added","installation":{"id":42,"account":{"login":"acme"}},"repositories_added":[{"id":8},{"id":9,"full_name":"acme/new","private":true}]}`
	if n := invoke(t, r.worker, r.arrive(t, d, body)); n != 1 {
		t.Fatal("not done")
	}
	if got := r.state(t, d); got.State != delivery.Done || !strings.Contains(got.Problem, "left out: repositories_added.0.full_name is missing") {
		t.Errorf("%s: %s", got.State, got.Problem)
	}
	if got := strings.Join(r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: "42"}), "; "); got != "installation acme installed; repository 9 acme/new  private" {
		t.Errorf("kept %s", got)
	}
	if !strings.Contains(log.String(), `"msg":"left out"`) || !strings.Contains(log.String(), "repositories_added.0.full_name") {
		t.Errorf("log %s", log.String())
	}
}
