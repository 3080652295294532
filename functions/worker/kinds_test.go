package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/storagetest"
	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs/installation"
)

// kind is a delivery that follows others, and the changes that it makes to what
// they have left.
type kind struct {
	// after are the payloads that come before, separated by spaces.
	after, name   string
	gone, instead []string
}

const (
	infra    = "repository 99001122 acme/infra main private"
	shortly  = "repository 99001122 acme/infra  private"
	opened   = `pull 99001122#17 open "Add bucket" by alice: feature/bucket 3d5f to main 9f2c`
	pushed   = `pull 99001122#17 open "Add bucket" by alice: feature/bucket 77ab to main 9f2c`
	network  = "repository 501 acme-group/network main private"
	dns      = "repository 502 acme-group/dns main private"
	storage  = "repository 503 acme-group/storage  private"
	peering  = `pull 501#3 open "Peer the networks" by bob: peering 77ab to main`
	account  = "installation acme installed Organization"
	platform = "repository 99001133 acme/platform  private"
	legacy   = "repository 99001144 acme/legacy  private"
)

// kinds are all kinds of events that are handled.
var kinds = []kind{
	{"", "01", nil, []string{account, shortly, platform, legacy}},
	{"01", "kinds/github-installation-suspend", []string{account}, []string{"installation acme suspended Organization"}},
	{"01 kinds/github-installation-suspend", "kinds/github-installation-unsuspend", []string{"installation acme suspended Organization"}, []string{account}},
	{"01 kinds/github-installation-unsuspend", "kinds/github-installation-suspend", nil, nil}, // the suspension had ended before this delivery arrived
	{"01", "kinds/github-installation-new-permissions-accepted", nil, nil},
	{"01 kinds/github-installation-suspend", "kinds/github-installation-deleted", []string{"installation acme suspended Organization"}, []string{"installation acme uninstalled Organization"}},
	{"01", "kinds/github-installation-deleted", []string{account}, []string{"installation acme uninstalled Organization"}},
	{"kinds/github-installation-deleted", "01", nil, []string{shortly, platform, legacy}},
	{"01", "kinds/github-installation-of-no-account-deleted", []string{account}, []string{"installation acme uninstalled Organization"}},
	{"", "kinds/github-installation-of-no-account-deleted", nil, []string{"installation 424242 uninstalled Organization"}},
	{"kinds/github-installation-of-no-account-deleted", "01", []string{"installation 424242 uninstalled Organization"}, []string{"installation acme uninstalled Organization", shortly, platform, legacy}},
	{"", "kinds/github-enterprise-installation-created", nil, []string{"installation acme installed Enterprise"}},
	{"kinds/github-enterprise-installation-created", "kinds/github-enterprise-renamed", []string{"installation acme installed Enterprise"}, []string{"installation acme-inc installed Enterprise"}},
	{"01", "kinds/github-installation-target-renamed", []string{account}, []string{"installation acme-corp installed Organization"}},
	{"kinds/github-installation-target-renamed", "01", []string{"installation acme-corp installed"}, []string{"installation acme-corp installed Organization", shortly, platform, legacy}},
	{"01", "kinds/github-installation-repositories-added", nil, []string{"repository 99001155 acme/tools  private"}},
	{"01 02", "kinds/github-installation-repositories-removed", []string{infra}, []string{"task REPO_REMOVAL 99001122"}},
	{"01 kinds/github-installation-repositories-removed", "02", nil, nil}, // it was removed since

	{"01", "kinds/github-repository-created", nil, []string{"repository 99001166 acme/fresh main private"}},
	{"01 02", "kinds/github-repository-renamed", []string{infra}, []string{"repository 99001122 acme/infrastructure main private"}},
	{"01 kinds/github-repository-renamed", "02", nil, []string{opened}},
	{"01 02", "kinds/github-repository-archived", []string{infra}, []string{infra + " archived"}},
	{"01 kinds/github-repository-archived", "kinds/github-repository-unarchived", []string{infra + " archived"}, []string{infra}},
	{"01 02", "kinds/github-repository-publicized", []string{infra}, []string{"repository 99001122 acme/infra main"}},
	{"01 kinds/github-repository-publicized", "kinds/github-repository-privatized", []string{"repository 99001122 acme/infra main"}, []string{infra}},
	{"01 02", "kinds/github-repository-edited", []string{infra}, []string{"repository 99001122 acme/infra trunk private"}},
	{"01 02", "kinds/github-repository-deleted", []string{infra}, []string{"task REPO_REMOVAL 99001122"}},
	{"01", "kinds/github-repository-transferred", nil, []string{"repository 99001177 acme/bought main private"}},
	{"01", "09", []string{legacy}, []string{"repository 99001144 acme/legacy main private archived"}},

	{"01", "02", []string{shortly}, []string{infra, opened}},
	{"01 02", "03", []string{opened}, []string{pushed}},
	{"01 03", "02", nil, nil}, // older
	{"01 03", "kinds/github-pull-request-edited", []string{pushed}, []string{strings.Replace(pushed, "bucket\"", "two buckets\"", 1)}},
	{"01 03", "kinds/github-pull-request-retargeted", nil, nil}, // the facts of the base branch are as before
	{"01 03", "kinds/github-pull-request-converted-to-draft", []string{pushed}, []string{strings.Replace(pushed, "open", "open draft", 1)}},
	{"01 kinds/github-pull-request-converted-to-draft", "kinds/github-pull-request-ready-for-review", []string{strings.Replace(pushed, "open", "open draft", 1)}, []string{pushed}},
	{"01 03", "kinds/github-pull-request-closed", []string{pushed}, []string{strings.Replace(pushed, "open", "closed", 1)}},
	{"01 kinds/github-pull-request-closed", "kinds/github-pull-request-reopened", []string{strings.Replace(pushed, "open", "closed", 1)}, []string{pushed}},
	{"01 03", "07", []string{pushed}, []string{strings.Replace(pushed, "open", "merged", 1) + ", as c0de at 2026-11-03T11:00:00Z"}},
	{"01 07", "kinds/github-pull-request-reopened", nil, nil},

	{"01", "08", []string{shortly}, []string{infra}},
	{"01", "kinds/github-push-to-another-branch", []string{shortly}, []string{infra}},
	{"01", "10", []string{shortly}, []string{infra}}, // stars and comments mention it
	{"01", "06", []string{shortly}, []string{infra}},

	{"", "11", nil, []string{dns}},
	{"11", "kinds/gitlab-push-to-another-branch", []string{dns}, []string{"repository 502 acme-group/dns trunk private"}},
	{"", "12", nil, []string{network, peering}},
	{"", "kinds/gitlab-system-hook-merge-request", nil, []string{network, peering}},
	{"12", "kinds/gitlab-note-on-a-merge-request", nil, nil}, // comments are not kept
	{"12", "kinds/gitlab-merge-request-update", []string{peering}, []string{strings.Replace(peering, "77ab", "88ab", 1)}},
	{"12", "kinds/gitlab-merge-request-close", []string{peering}, []string{strings.Replace(peering, "open", "closed", 1)}},
	{"12 kinds/gitlab-merge-request-close", "kinds/gitlab-merge-request-reopen", []string{strings.Replace(peering, "open", "closed", 1)}, []string{peering}},
	{"12", "kinds/gitlab-merge-request-without-commits", []string{peering}, []string{`pull 501#3 open "Nothing yet" by bob: peering  to main`}},
	{"12", "13", []string{peering}, []string{strings.Replace(peering, "open", "merged", 1) + " , as c0de at 2026-11-03T12:00:00Z"}},
	{"13", "12", []string{`pull 501#3 merged "Peer the networks" by : peering 77ab to main , as c0de at 2026-11-03T12:00:00Z`}, []string{strings.Replace(peering, "open", "merged", 1) + " , as c0de at 2026-11-03T12:00:00Z"}},
	{"", "14", nil, []string{storage}},
	{"14", "kinds/gitlab-project-rename", []string{storage}, []string{"repository 503 acme-group/archive  private"}},
	{"kinds/gitlab-project-rename", "14", nil, nil},
	{"14", "kinds/gitlab-project-transfer", []string{storage}, []string{"repository 503 acme-group/platform/storage  private"}},
	{"14", "kinds/gitlab-project-update", []string{storage}, []string{strings.TrimSuffix(storage, " private")}},
	{"14", "kinds/gitlab-system-hook-project-update", []string{storage}, []string{strings.TrimSuffix(storage, " private")}},
	{"14", "kinds/gitlab-system-hook-group-rename", nil, []string{"task REPO_REFRESH"}},
	{"14", "kinds/gitlab-project-destroy", []string{storage}, []string{"task REPO_REMOVAL 503"}},
	{"kinds/gitlab-project-destroy", "14", nil, nil},
	{"14", "kinds/gitlab-subgroup-create", nil, []string{"task REPO_REFRESH"}},
	{"14 kinds/gitlab-subgroup-create", "kinds/gitlab-subgroup-destroy", nil, nil}, // one refresh for both
}

// begin returns a rig that has processed the payloads that come before the kind's
// own.
func (k kind) begin(t *testing.T) (r *rig, next int) {
	t.Helper()
	r = newRig(t)
	group := installation.Installation{VCS: "gitlab", ID: acmeGroup, Name: "acme-group"}
	if _, err := r.facts.installations.Save(t.Context(), author, group); err != nil {
		t.Fatal(err)
	}
	before := strings.Fields(k.after)
	for n, name := range before {
		r.process(t, name, n)
	}
	return r, len(before)
}

func (r *rig) process(t *testing.T, name string, n int) delivery.Delivery {
	t.Helper()
	d, body := read(t, name, n)
	if done := invoke(t, r.worker, r.arrive(t, d, body)); done != 1 {
		t.Fatalf("%s is not done", name)
	}
	if got := r.state(t, d); got.State != delivery.Done {
		t.Fatalf("%s is %s: %s", name, got.State, got.Problem)
	}
	return d
}

func TestEachKindOfEventChangesWhatItTells(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.after+" then "+k.name, func(t *testing.T) {
			t.Parallel()
			r, n := k.begin(t)
			d, _ := read(t, k.name, n)
			before := r.stored(t, d.Installation)
			r.process(t, k.name, n)
			after := r.stored(t, d.Installation)
			gone, instead := lack(before, after), lack(after, before)
			if d.Installation.VCS == "gitlab" { // the worker records that its webhook works
				gone = slices.DeleteFunc(gone, func(l string) bool { return l == "installation acme-group" })
				instead = slices.DeleteFunc(instead, func(l string) bool { return l == "installation acme-group installed" })
			}
			if len(lack(gone, k.gone)) > 0 || len(lack(k.gone, gone)) > 0 || len(lack(instead, k.instead)) > 0 || len(lack(k.instead, instead)) > 0 {
				t.Errorf("gone\n%q, want\n%q\ninstead\n%q, want\n%q", gone, k.gone, instead, k.instead)
			}
		})
	}
}

func TestEachPayloadIsOfAKind(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../events/webhooks/payloads/kinds/*.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	for _, file := range files {
		name := "kinds/" + strings.TrimSuffix(filepath.Base(file), ".json")
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
			t.Errorf("no test looks at what %s changes", name)
		}
	}
}

// TestWorkerThatIsKilledAfterAnyCallOfAnyKind kills a worker after each of its
// calls, and another one continues. What is stored is the same, and each task
// exists once.
func TestWorkerThatIsKilledAfterAnyCallOfAnyKind(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{
		{after: "", name: "01"},
		{after: "01", name: "kinds/github-installation-deleted"},
		{after: "01", name: "kinds/github-installation-target-renamed"},
		{after: "01", name: "kinds/github-installation-repositories-added"},
		{after: "01 02", name: "kinds/github-installation-repositories-removed"},
		{after: "01 02", name: "kinds/github-repository-deleted"},
		{after: "12", name: "13"},
		{after: "14", name: "kinds/gitlab-project-destroy"},
		{after: "14", name: "kinds/gitlab-subgroup-destroy"},
	} {
		t.Run(k.after+" then "+k.name, func(t *testing.T) {
			t.Parallel()
			calm, next := k.begin(t)
			d := calm.process(t, k.name, next)
			want := calm.stored(t, d.Installation)
			for n, survived := 1, false; !survived; n++ {
				r, _ := k.begin(t)
				d, body := read(t, k.name, next)
				record := r.arrive(t, d, body)
				faults, calls := killed(n)
				survived = invoke(t, r.over(r.Role.WithFaults(faults)), record) == 1 && calls() < n
				if !survived && invoke(t, r.worker, record) != 1 {
					t.Fatalf("killed at call %d: the next worker does not end it", n)
				}
				if got := r.stored(t, d.Installation); !slices.Equal(got, want) {
					t.Fatalf("killed at call %d:\n%q, want\n%q", n, got, want)
				}
				if got := r.state(t, d); got.State != delivery.Done {
					t.Fatalf("killed at call %d: %s, %s", n, got.State, got.Problem)
				}
			}
		})
	}
}

// killed returns the faults of a worker that dies when its nth call has taken
// effect, and a function that returns how many calls it made. Parallel calls run
// one by one.
func killed(n int) (*storagetest.Faults, func() int) {
	turn := make(chan int, 1)
	turn <- 0
	count := func() int {
		calls := <-turn
		turn <- calls
		return calls
	}
	return &storagetest.Faults{Choose: func(string) storagetest.Fault {
		calls := <-turn + 1
		turn <- calls
		switch {
		case calls > n:
			return storagetest.Fault{Kind: storagetest.Refuse}
		case calls == n:
			return storagetest.Fault{Kind: storagetest.LoseAnswer}
		}
		return storagetest.Fault{}
	}}, count
}
