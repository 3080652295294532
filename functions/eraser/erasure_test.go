package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/opsplane/opsplane/infra/test/functiontest"
	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/audit/change"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/kv"
	"github.com/opsplane/opsplane/shared/kv/artifact"
	"github.com/opsplane/opsplane/shared/kv/garbage"
	"github.com/opsplane/opsplane/shared/login/user"
	"github.com/opsplane/opsplane/shared/vcs"
)

// without returns the lines that are not among others.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		_, there := slices.BinarySearch(others, line)
		return there
	})
}

// ofCollector reports whether an erasure leaves a line to the collector, or until
// it expires.
func ofCollector(line, vcs, id string) bool {
	ns := vcs + ":" + id
	if strings.Contains(line, "pk=NAMESPACE ") && strings.Contains(line, "sk="+ns+" ") {
		return true
	}
	for _, known := range []string{"pk=RETIRED:", "pk=" + ns + ":", "pk=UPLOAD:" + ns + " ", "pk=UPLOADER:" + ns + " "} {
		if strings.Contains(line, known) {
			return true
		}
	}
	return false
}

func TestAllOfAnInstallationGoesAndNothingOfAnother(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"github", "gitlab"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			twin := map[string]string{"github": "gitlab", "gitlab": "github"}[system]
			r.settleIn(t, system, "7700") // a number with the same beginning
			r.settleIn(t, twin, "77")     // the same number at the other VCS
			r.person(t, "77")
			r.runOf(t, vcs.Installation{VCS: vcs.VCS(system), ID: "7700"})
			r.runOf(t, vcs.Installation{VCS: vcs.VCS(twin), ID: "77"})
			before, objects := r.lines(), r.objects(t)
			r.settleIn(t, system, "77")
			ns := vcs.Installation{VCS: vcs.VCS(system), ID: "77"}
			r.runOf(t, ns)
			file, page := r.announce(t, ns, "file", []byte("file"))
			if !send(t, page, []byte("file")) {
				t.Fatal("the file was not taken")
			}
			if _, err := r.files.Complete(t.Context(), kv.Caller{Installation: ns, Author: r.author()}, file.ID); err != nil {
				t.Fatal(err)
			}
			id := r.start(t, ofInstallation(system, "77"))
			r.finish(t, id)
			after := r.lines()
			if lost := without(before, after); len(lost) > 0 {
				t.Errorf("of others is gone or changed: %v", lost)
			}
			for _, line := range without(after, before) {
				if !ofCollector(line, system, "77") {
					t.Errorf("left: %s", line)
				}
			}
			if got := r.task(t, id); got.Progress.Done != got.Progress.Total || got.Progress.Done < 17 {
				t.Errorf("progress %+v", got.Progress)
			}
			// All that is left is garbage.
			collector := garbage.New(r.records, r.files, r.Env.S3, r.Env.Bucket("KvBucket"), garbage.Rest{Write: garbage.WriteRest, Keep: garbage.MinKeep})
			for _, later := range []time.Duration{2 * time.Hour, 4 * time.Hour} {
				by := change.Author{Principal: "collector", Request: uuid.NewString(), At: r.Clock.Now().Add(later)}
				if _, err := collector.Run(t.Context(), by); err != nil {
					t.Fatal(err)
				}
			}
			for _, line := range r.lines() {
				counts := strings.Contains(line, "pk=UPLOADER:") && strings.Contains(line, "ub=0 un=0 ")
				if ofCollector(line, system, "77") && !counts && !strings.Contains(line, "pk=NAMESPACE") && !(strings.Contains(line, "pk=UPLOAD:") && strings.Contains(line, "ttl=")) {
					t.Errorf("left behind the collector: %s", line)
				}
			}
			for _, name := range r.objects(t) {
				if !slices.Contains(objects, name) && !strings.HasPrefix(name, "collector/") {
					t.Errorf("object %s is left", name)
				}
			}
		})
	}
}

func TestAllOfAPersonGoesAndNothingOfAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.settleIn(t, "github", "1")
	ben := r.person(t, "20")
	before := r.lines()
	ann := r.person(t, "2")
	r.finish(t, r.start(t, ofUser(ann.ID)))
	after := r.lines()
	if lost := without(before, after); len(lost) > 0 {
		t.Errorf("of others is gone or changed: %v", lost)
	}
	for _, line := range without(after, before) {
		// Both expire within minutes, and then the table removes them.
		if !strings.Contains(line, "pk=REVOKED#") && !strings.Contains(line, "sk=RATE#") {
			t.Errorf("left: %s", line)
		}
	}
	again, err := r.users.SignIn(t.Context(), "github", user.Identity{ID: "2", Login: "ann"}, r.author())
	if err != nil || again.ID == ann.ID || again.ID == ben.ID {
		t.Errorf("who logs in with the account is %+v, %v; want a new user", again, err)
	}
}

// TestErasureThatFailedBehindTheUserIsMadeGoodByAnother makes the first erasure end
// when only the user is removed.
func TestErasureThatFailedBehindTheUserIsMadeGoodByAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.person(t, "2")
	failed := r.start(t, ofUser(ann.ID))
	_, err := r.users.Erase(t.Context(), ann.ID, r.author())
	must(t, err)
	run, err := r.Tasks.Begin(t.Context(), failed, r.Clock.Now())
	must(t, err)
	must(t, r.Tasks.End(t.Context(), run, task.Failed, "words", r.Clock.Now()))
	r.finish(t, r.start(t, ofUser(ann.ID)))
	for _, line := range r.lines() {
		if !strings.Contains(line, "pk=REVOKED#") && !strings.Contains(line, "sk=RATE#") {
			t.Errorf("left: %s", line)
		}
	}
}

// TestWhatIsWrittenDuringAnErasureGoesToo lets earlier requests write after the
// first pass.
func TestWhatIsWrittenDuringAnErasureGoesToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.settleIn(t, "gitlab", "77")
	before := r.lines()
	body := []byte("bytes")
	ns := vcs.Installation{VCS: "gitlab", ID: "77"}
	_, page := r.announce(t, ns, "announced", body)
	ann := r.person(t, "2")
	ids := []string{r.start(t, ofInstallation("gitlab", "77")), r.start(t, ofUser(ann.ID))}
	r.run(t)
	for _, id := range ids {
		if got := r.task(t, id); got.State != task.Running {
			t.Fatalf("it does not wait for writers: %+v", got)
		}
	}
	if left := without(r.lines(), before); len(left) == 0 {
		t.Error("the first pass changed nothing")
	}
	if _, err := r.users.Get(t.Context(), ann.ID); err == nil {
		t.Error("the person's credentials are admitted until the end")
	}
	r.Clock.Add(artifact.PutLifetime)
	r.settleIn(t, "gitlab", "77")
	r.runOf(t, ns)
	r.credentials(t, ann.ID)
	if !send(t, page, body) {
		t.Error("the address did not live as long as it may") // otherwise the test shows nothing
	}
	for _, id := range ids {
		r.finish(t, id)
	}
	for _, line := range r.lines() {
		over := strings.Contains(line, "pk=REVOKED#") || strings.Contains(line, "sk=RATE#")
		if !over && !ofCollector(line, "gitlab", "77") {
			t.Errorf("left: %s", line)
		}
	}
}

func TestErasureThatIsAskedForAgainIsOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.settleIn(t, "github", "77")
	first := r.start(t, ofInstallation("github", "77"))
	if again := r.start(t, ofInstallation("github", "77")); again != first {
		t.Error("another erasure was started beside the first")
	}
	if other := r.start(t, ofInstallation("gitlab", "77")); other == first {
		t.Error("the erasure of another installation is taken for this one")
	}
	r.finish(t, first)
	if again := r.start(t, ofInstallation("github", "77")); again == first {
		t.Error("what has ended is answered for a new erasure")
	} else {
		r.finish(t, again) // nothing is left to erase
	}
}

// killing returns an env whose worker is killed at its nth call. That call takes
// effect, but its response is lost. Later calls are refused.
func (r *rig) killing(nth int) (ctx context.Context, env *storagetest.Env, calls *int) {
	calls = new(int)
	ctx, kill := context.WithCancel(context.Background())
	gate := make(chan struct{}, 1)
	return ctx, r.Role.WithFaults(&storagetest.Faults{Choose: func(string) storagetest.Fault {
		gate <- struct{}{}
		defer func() { <-gate }()
		switch *calls++; {
		case *calls == nth:
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		case *calls > nth:
			kill()
			return storagetest.Fault{Kind: storagetest.Refuse}
		}
		return storagetest.Fault{}
	}}), calls
}

// TestErasureThatIsKilledAnywhereIsMadeGood kills a worker at each of its calls,
// one after the other, in the first pass and in the second.
func TestErasureThatIsKilledAnywhereIsMadeGood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(t *testing.T, r *rig, n int) task.Task
		left func(line string, about task.Task) bool
	}{
		"installation": {func(t *testing.T, r *rig, n int) task.Task {
			r.settleIn(t, "gitlab", fmt.Sprint(700_000_000_000+n))
			return ofInstallation("gitlab", fmt.Sprint(700_000_000_000+n))
		}, func(line string, about task.Task) bool {
			return strings.Contains(line, string(about.Installation.ID)) && !ofCollector(line, string(about.Installation.VCS), string(about.Installation.ID))
		}},
		"user": {func(t *testing.T, r *rig, n int) task.Task {
			return ofUser(r.person(t, fmt.Sprint(700_000_000_000+n)).ID)
		}, func(line string, about task.Task) bool {
			return strings.Contains(line, about.Subject) && !strings.Contains(line, "pk=REVOKED#") && !strings.Contains(line, "sk=RATE#")
		}},
	} {
		for _, pass := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, pass %d", name, pass), func(t *testing.T) {
				t.Parallel()
				r := rigOn(functiontest.New(t, function), 100)
				var all []task.Task
				step := storagetest.Sample(1, 5)
				for n, ended := 1, false; !ended; n += step {
					about := c.make(t, r, n)
					all = append(all, about)
					id := r.start(t, about)
					if pass == 2 {
						r.run(t)
						r.Clock.Add(rest)
						if about.Subject != "" {
							r.credentials(t, about.Subject)
						} else {
							r.settleIn(t, string(about.Installation.VCS), string(about.Installation.ID))
						}
					}
					ctx, env, calls := r.killing(n)
					dying := r.over(env)
					_, _ = dying.Handle(ctx, []byte(`{}`)) // the worker is killed, so its error does not matter
					if ended = *calls < n; ended && n < 15 {
						t.Errorf("an undisturbed pass makes %d calls: that is not all of it", *calls)
					}
					r.finish(t, id)
				}
				for _, line := range r.lines() {
					for i, about := range all {
						if c.left(line, about) {
							t.Errorf("killed at call %d: left %s", 1+i*step, line)
						}
					}
				}
			})
		}
	}
}

// TestErasureContinuesAtTheStageOfItsNote begins with notes that other versions of
// the function have stored, behind the stage that removes the user.
func TestErasureContinuesAtTheStageOfItsNote(t *testing.T) {
	t.Parallel()
	for stage, whole := range map[string]bool{"appointments": false, "a stage that is no more": true} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ann := r.person(t, "2")
			about := ofUser(ann.ID)
			about.Note = `{"pass":2,"stage":"` + stage + `","after":"a cursor"}`
			r.finish(t, r.start(t, about))
			if _, err := r.users.Get(t.Context(), ann.ID); (err != nil) != whole {
				t.Errorf("reading the user: %v; want the whole pass made: %t", err, whole)
			}
			for _, system := range vcs.All() {
				if removed, err := r.renewals.Cancel(t.Context(), ann.ID, system); err != nil || removed {
					t.Errorf("the renewal at %s is left: %t, %v", system, removed, err)
				}
			}
		})
	}
}
