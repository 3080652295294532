package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/background/task"
	"github.com/opsplane/opsplane/shared/vcs"
	"github.com/opsplane/opsplane/shared/vcs/pullrequest"
	"github.com/opsplane/opsplane/shared/vcs/repository"
	"github.com/opsplane/opsplane/shared/vcs/vcsevent"
)

// The installations of the payloads.
const (
	acme      = "424242"
	acmeGroup = "77"
)

// arrival is the time at which the first of the payloads' deliveries arrives. It is
// later than all times in the payloads, and in the future, because DynamoDB Local
// removes expired items.
var arrival = born.AddDate(-1, 0, 0)

// read returns a payload as a delivery: the nth that arrives, a minute after the
// one before. name is the name of a file in events/webhooks/payloads.
func read(t *testing.T, name string, n int) (delivery.Delivery, string) {
	t.Helper()
	files, err := filepath.Glob("../../events/webhooks/payloads/" + name + "*.json")
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v, %v", name, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Event string
		Body  json.RawMessage
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	// The order of the ids differs from the order of arrival.
	d := delivery.Delivery{Installation: vcs.Installation{VCS: vcs.GitHub}, ID: fmt.Sprintf("%02d-delivery", 99-n), ReceivedAt: arrival.Add(time.Duration(n) * time.Minute)}
	var e vcsevent.Event
	if strings.Contains(files[0], "gitlab-") {
		d.Installation.VCS, d.ID = "gitlab", acmeGroup+"."+d.ID
		e, err = vcsevent.GitLab(p.Event, acmeGroup, p.Body)
	} else {
		e, err = vcsevent.GitHub(p.Event, p.Body)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	d.Event, d.Action, d.Installation.ID, d.Repository = e.Name, e.Action, e.Installation, e.Repository
	return d, string(p.Body)
}

// stored returns all that deliveries have left at an installation, one thing in a
// line. The time at which it became known and the ids of tasks are left out.
func (r *rig) stored(t *testing.T, in vcs.Installation) []string {
	t.Helper()
	var lines []string
	if i, err := r.facts.installations.Get(t.Context(), in); err == nil {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("installation %s %s %s", i.Name, i.State, i.TargetType)))
	}
	is := func(word string, holds bool) string {
		if holds {
			return " " + word
		}
		return ""
	}
	repositories, err := r.facts.repositories.List(t.Context(), in, repository.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, repo := range repositories {
		lines = append(lines, fmt.Sprintf("repository %s %s/%s %s", repo.ID, repo.Owner, repo.Name, repo.DefaultBranch)+
			is("private", repo.Private)+is("archived", repo.Archived))
	}
	pulls, err := r.facts.pullRequests.List(t.Context(), in, pullrequest.Query{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pulls {
		line := fmt.Sprintf("pull %s#%d %s%s %q by %s: %s %.4s to %s %.4s", p.Repository, p.Number, p.State, is("draft", p.Draft), p.Title, p.User,
			p.Branch, p.SHA, p.BaseBranch, p.BaseSHA)
		if !p.MergedAt.IsZero() {
			line += fmt.Sprintf(", as %.4s at %s", p.MergedSHA, p.MergedAt.Format(time.RFC3339))
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	for _, made := range r.tasksOf(t) {
		if made.Installation == in {
			var what repository.Removal
			if made.Note != "" && json.Unmarshal([]byte(made.Note), &what) != nil {
				t.Fatalf("note %s", made.Note)
			}
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("task %s %s", made.Kind, what.Repository)))
		}
	}
	slices.Sort(lines)
	return lines
}

// tasksOf returns the tasks that have not ended.
func (r *rig) tasksOf(t *testing.T) []task.Task {
	t.Helper()
	ids, err := r.facts.tasks.Due(t.Context(), task.Hosts, born.Add(1000*time.Hour), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]task.Task, len(ids))
	for i, id := range ids {
		if list[i], err = r.facts.tasks.Get(t.Context(), id, arrival); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// lack returns the lines of one that other does not have.
func lack(one, other []string) (missing []string) {
	for _, line := range one {
		if !slices.Contains(other, line) {
			missing = append(missing, line)
		}
	}
	return missing
}
