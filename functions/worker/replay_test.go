package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

// day are GitHub's payloads of one day, in their order.
var day = []string{
	"01", "02", "03", "kinds/github-pull-request-edited", "kinds/github-pull-request-closed", "kinds/github-pull-request-reopened", "07", "08", "09", "10", "06",
	"kinds/github-repository-renamed", "kinds/github-installation-suspend", "kinds/github-installation-unsuspend", "kinds/github-installation-target-renamed",
}

// TestReplayOfADayUnderOtherIDsAndNamesChangesNothing sends each body of a day
// again at the end of the day: under another id, and under the name of each event
// that the server handles. The signature covers neither id nor name.
func TestReplayOfADayUnderOtherIDsAndNamesChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, name := range day {
		r.process(t, name, n)
	}
	want := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: acme})
	n := len(day)
	for _, name := range day {
		d, body := read(t, name, n)
		for _, event := range []string{d.Event, "installation", "installation_target", "installation_repositories", "repository", "pull_request", "push", "star"} {
			n++
			replayed := d
			replayed.Event, replayed.ID = event, delivery.ID(acme, "replay-"+event+"-"+strings.ReplaceAll(name, "/", "-"))
			replayed.ReceivedAt = arrival.Add(time.Duration(n) * time.Minute)
			if event == d.Event {
				replayed.ID += "-own"
			}
			if invoke(t, r.worker, r.arrive(t, replayed, body)) != 1 {
				t.Fatal("not done")
			}
			if got := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: acme}); !slices.Equal(got, want) {
				t.Fatalf("%s as %s leaves\n%q\nwant\n%q", name, event, got, want)
			}
		}
	}
}

// TestDeletionOfAStarRemovesNoRepository sends the body that GitHub signs when
// somebody removes a star. It sends it as the event of a deleted repository.
func TestDeletionOfAStarRemovesNoRepository(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n, name := range []string{"01", "02"} {
		r.process(t, name, n)
	}
	want := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: acme})
	files, err := filepath.Glob("../../events/webhooks/payloads/10-*.json")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Body map[string]any }
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	p.Body["action"], p.Body["starred_at"] = "deleted", nil
	body, err := json.Marshal(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	for n, event := range []string{"repository", "installation", "installation_repositories"} {
		d, _ := read(t, "10", 2+n)
		d.Event = event
		if invoke(t, r.worker, r.arrive(t, d, string(body))) != 1 {
			t.Fatal("not done")
		}
		if got := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: acme}); !slices.Equal(got, want) {
			t.Errorf("as %s leaves\n%q\nwant\n%q", event, got, want)
		}
	}
}

// TestCopyOfALossIsAskedOfTheHostInsteadOfBelieved sends again the deliveries that
// took a repository away and that gave it. A refresh must ask the host.
func TestCopyOfALossIsAskedOfTheHostInsteadOfBelieved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ first, then, event string }{
		"taken, and given back": {taken("infra"), given("infra"), "installation_repositories"},
		"given, and taken":      {given("infra"), taken("infra"), "installation_repositories"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			send := func(id, body string, after time.Duration) delivery.Delivery {
				d := github(id, c.event, after)
				d.Timeless = true
				if invoke(t, r.worker, r.arrive(t, d, body)) != 1 {
					t.Fatal("not done")
				}
				return r.state(t, d)
			}
			send("a", c.first, 0)
			if got := send("b", c.then, time.Hour); got.Repeated || got.Problem != "" {
				t.Errorf("the second body is taken for the first: %q", got.Problem)
			}
			want := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: "42"})
			if got := send("c", c.first, 30*24*time.Hour); !got.Repeated || got.State != delivery.Done || got.Problem != "its body came before: the installation is refreshed instead" {
				t.Errorf("the copy: %+v", got)
			}
			got := r.stored(t, vcs.Installation{VCS: vcs.GitHub, ID: "42"})
			if gone, instead := lack(want, got), lack(got, want); len(gone) > 0 || !slices.Equal(instead, []string{"task REPO_REFRESH"}) {
				t.Errorf("lost %q, and instead %q", gone, instead)
			}
		})
	}
}
