package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/opsplane/opsplane/shared/background/delivery"
	"github.com/opsplane/opsplane/shared/vcs"
)

// delayed is a delivery with its body, and the times at which it arrives on a calm
// day and on a wild day.
type delayed struct {
	delivery.Delivery
	body       string
	calm, wild time.Time
}

// world is both hosts with one clock, and their true state. A host reports what
// happens up to five minutes late and in any order. Hosts state times in whole
// seconds. If two facts about one thing contradict each other, have the same second
// and arrive in the wrong order, no receiver can find their order. So in this world
// such pairs have different seconds, or arrive in their order. The same holds for
// facts without a time: that an installation was given a repository or has lost it.
type world struct {
	random *rand.Rand
	now    time.Time
	told   []*delayed

	account   string
	state     string
	suspended time.Time // updated_at of the installation
	repos     map[string]*repo
}

// repo is a repository of GitHub or a project of GitLab.
type repo struct {
	system, id, name, branch string
	archived, there          bool
	updated, pushed          time.Time // whole seconds
	lost                     time.Time // arrival of the last fact that it was lost or given
	pulls                    map[int]*simulated
	busy                     int // number of the pull request that somebody works at
}

// simulated is a pull request, as the host reported it since its repository exists.
type simulated struct {
	state, title, merged string
	updated              time.Time
	last                 *delayed // states its present form
}

func newWorld(seed uint64) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), now: born, account: "acme", state: "installed", suspended: born, repos: map[string]*repo{}}
	for _, id := range []string{"7", "8", "9", "501", "502"} {
		system := "github"
		if len(id) == 3 {
			system = "gitlab"
		}
		w.repos[id] = &repo{system: system, id: id, name: "name" + id, branch: "main", there: true, updated: born, pulls: map[int]*simulated{}}
	}
	w.tell("github", "installation", "", `{"action":"created","installation":{"id":42,"account":{"login":"acme","type":"Organization"},"updated_at":%q},
		"repositories":[{"id":7,"full_name":"acme/name7"},{"id":8,"full_name":"acme/name8"},{"id":9,"full_name":"acme/name9"}]}`, stamp(born))
	for _, id := range []string{"501", "502"} {
		w.project(w.repos[id], "create")
	}
	return w
}

func stamp(at time.Time) string { return at.Truncate(time.Second).Format(time.RFC3339) }

// tell makes a delivery about what has just happened.
func (w *world) tell(system, event, repository, body string, args ...any) *delayed {
	id := fmt.Sprintf("%016x", w.random.Uint64())
	d := &delayed{body: fmt.Sprintf(body, args...), calm: w.now.Add(100 * time.Millisecond)}
	d.wild = d.calm.Add(time.Duration(w.random.IntN(300_000)) * time.Millisecond)
	d.Delivery = delivery.Delivery{ID: id, Event: event, Installation: vcs.Installation{VCS: vcs.VCS(system), ID: "42"}, Repository: vcs.ID(repository)}
	if system == "gitlab" {
		d.ID, d.Installation.ID = acmeGroup+"."+id, acmeGroup
	}
	w.told = append(w.told, d)
	return d
}

// behind makes a delivery arrive after another one.
func (d *delayed) behind(other *delayed) {
	if other != nil && !d.wild.After(other.wild) {
		d.wild = other.wild.Add(time.Millisecond)
	}
}

// nextSecond moves the clock to the next second, unless the present second is later
// than that of the last fact about a thing.
func (w *world) nextSecond(last time.Time) time.Time {
	if second := w.now.Truncate(time.Second); !second.After(last) {
		w.now = second.Add(time.Second)
	}
	return w.now.Truncate(time.Second)
}

// live lets some time pass and something happen.
func (w *world) live() {
	w.now = w.now.Add(time.Duration(1+w.random.IntN(700)) * time.Millisecond)
	id := []string{"7", "7", "7", "8", "9", "501", "501", "502"}[w.random.IntN(8)]
	r := w.repos[id]
	switch what := w.random.IntN(100); {
	case what < 3:
		w.suspend()
	case what == 3:
		w.now = w.now.Truncate(time.Second).Add(time.Second)
		w.account = fmt.Sprint("acme", len(w.told))
		w.tell("github", "installation_target", "", `{"action":"renamed","account":{"login":%q,"updated_at":%q},"installation":{"id":42}}`, w.account, stamp(w.now))
	case what == 4:
		w.tell("gitlab", "Subgroup Hook", "", `{"event_name":"subgroup_create","group_id":78,"parent_group_id":77}`)
	case what < 8:
		w.giveOrTake(w.repos["9"])
	case !r.there:
	case what == 8 && len(w.told) > 300 && (id == "8" || id == "502"):
		w.delete(r)
	case what < 15:
		w.settle(r)
	case what < 25:
		w.push(r)
	default:
		w.pull(r)
	}
}

// suspend begins or ends a suspension. The end has the time of the beginning, as at
// GitHub, and may be delivered before it.
func (w *world) suspend() {
	if w.state == "installed" {
		w.suspended, w.state = w.nextSecond(w.suspended), "suspended"
		w.tell("github", "installation", "", `{"action":"suspend","installation":{"id":42,"account":{"login":%q,"type":"Organization"},"updated_at":%q,"suspended_at":%[2]q}}`,
			w.account, stamp(w.suspended))
		return
	}
	w.state = "installed"
	w.tell("github", "installation", "", `{"action":"unsuspend","installation":{"id":42,"account":{"login":%q,"type":"Organization"},"updated_at":%q,"suspended_at":null}}`,
		w.account, stamp(w.suspended))
}

// giveOrTake takes the repository from the installation. Or it gives it back, some
// time after the loss was delivered.
func (w *world) giveOrTake(r *repo) {
	event, list := "removed", "repositories_removed"
	if !r.there {
		event, list = "added", "repositories_added"
		if w.random.IntN(2) == 0 && r.name != "home" {
			r.name, r.updated = fmt.Sprint("elsewhere", len(w.told)), w.now.Truncate(time.Second)
		}
	}
	if !w.now.After(r.lost.Add(time.Second)) {
		w.now = r.lost.Add(time.Second)
	}
	d := w.tell("github", "installation_repositories", "", `{"action":%q,"installation":{"id":42,"account":{"login":"acme"}},%q:[{"id":9,"full_name":"acme/%s"}]}`,
		event, list, r.name)
	r.there, r.lost, r.pulls = !r.there, d.wild, map[int]*simulated{}
	w.now = w.now.Add(time.Second)
}

func (w *world) delete(r *repo) {
	r.there, r.pulls = false, nil
	if r.system == "gitlab" {
		w.project(r, "destroy")
		return
	}
	w.tell("github", "repository", r.id, `{"action":"deleted","installation":{"id":42},%s}`, r.json())
}

// settle changes a repository's settings.
func (w *world) settle(r *repo) {
	r.updated = w.nextSecond(later(r.updated, r.pushed))
	switch action := w.random.IntN(2); {
	case action == 0 || r.system == "gitlab":
		r.name = fmt.Sprint("renamed", len(w.told))
		if r.system == "gitlab" {
			w.project(r, "rename")
			return
		}
		w.tell("github", "repository", r.id, `{"action":"renamed","installation":{"id":42},%s}`, r.json())
	default:
		r.archived = !r.archived
		w.tell("github", "repository", r.id, `{"action":%q,"installation":{"id":42},%s}`, map[bool]string{true: "archived", false: "unarchived"}[r.archived], r.json())
	}
}

func (w *world) project(r *repo, event string) {
	w.tell("gitlab", "Project Hook", r.id, `{"event_name":"project_%s","project_id":%s,"path_with_namespace":"acme/%s","project_visibility":"private","updated_at":%q}`,
		event, r.id, r.name, stamp(r.updated))
}

func (w *world) push(r *repo) {
	if r.system == "gitlab" {
		if w.random.IntN(4) == 0 {
			r.branch = fmt.Sprint("branch", len(w.told))
		}
		w.tell("gitlab", "Push Hook", r.id, `{"event_name":"push",%s}`, r.json())
		return
	}
	r.pushed = w.nextSecond(later(r.updated, r.pushed))
	w.tell("github", "push", r.id, `{"installation":{"id":42},%s}`, r.json())
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// json returns the repository as payloads have it.
func (r *repo) json() string {
	if r.system == "gitlab" {
		return fmt.Sprintf(`"project":{"id":%s,"path_with_namespace":"acme/%s","default_branch":%q,"visibility_level":0}`, r.id, r.name, r.branch)
	}
	return fmt.Sprintf(`"repository":{"id":%s,"name":%q,"owner":{"login":"acme"},"default_branch":%q,"private":false,"archived":%t,"updated_at":%q,"pushed_at":%q}`,
		r.id, r.name, r.branch, r.archived, stamp(r.updated), stamp(later(r.pushed, r.updated)))
}

// pull opens a pull request, or changes one. Often it is the same one as before, as
// if somebody works at it.
func (w *world) pull(r *repo) {
	number := 1 + w.random.IntN(40)
	if w.random.IntN(2) == 0 {
		number = max(r.busy, 1)
	}
	r.busy = number
	p := r.pulls[number]
	if p == nil {
		p = &simulated{state: "open"}
		r.pulls[number] = p
	}
	if p.state == "merged" {
		return
	}
	before := *p
	action := "update"
	switch what := w.random.IntN(8); {
	case before.last == nil:
		action, p.title = "open", fmt.Sprint("title ", len(w.told))
	case what == 0:
		action, p.state = "merge", "merged"
	case what < 3 && p.state == "open":
		action, p.state = "close", "closed"
	case what < 3:
		action, p.state = "reopen", "open"
	default:
		p.title = fmt.Sprint("title ", len(w.told))
	}
	if w.random.IntN(2) == 0 {
		w.nextSecond(before.updated)
	}
	p.updated = w.now.Truncate(time.Second)
	if p.state == "merged" {
		p.merged = stamp(p.updated)
	}
	p.last = w.tellPull(r, number, p, action)
	if p.updated.Equal(before.updated) && p.state != "merged" {
		p.last.behind(before.last)
	}
}

func (w *world) tellPull(r *repo, number int, p *simulated, action string) *delayed {
	if r.system == "gitlab" {
		state := map[string]string{"open": "opened"}[p.state]
		if state == "" {
			state = p.state
		}
		return w.tell("gitlab", "Merge Request Hook", r.id, `{"user":{"username":"ann"},%s,"object_attributes":{"iid":%d,"action":%q,"state":%q,"title":%q,
			"source_branch":"topic","target_branch":"main","updated_at":%q,"last_commit":{"id":"bb"},"merge_commit_sha":"cc"}}`,
			r.json(), number, action, state, p.title, stamp(p.updated))
	}
	state, merged := p.state, ""
	if state == "merged" {
		state, merged = "closed", fmt.Sprintf(`"merged":true,"merged_at":%q,"merge_commit_sha":"cc",`, p.merged)
	}
	return w.tell("github", "pull_request", r.id, `{"action":%q,"installation":{"id":42},%s,"pull_request":{"number":%d,"state":%q,"title":%q,%s
		"user":{"login":"ann"},"updated_at":%q,"base":{"ref":"main","sha":"aa"},"head":{"ref":"topic","sha":"bb"}}}`,
		action, r.json(), number, state, p.title, merged, stamp(p.updated))
}

// truth returns what must be stored, in the form of stored, without the tasks.
func (w *world) truth(system string) (lines []string) {
	lines = []string{"installation acme-group installed"}
	if system == "github" {
		lines = []string{strings.TrimSpace(fmt.Sprintf("installation %s %s Organization", w.account, w.state))}
	}
	for _, r := range w.repos {
		if r.system != system || !r.there {
			continue
		}
		line := fmt.Sprintf("repository %s acme/%s %s", r.id, r.name, r.branch)
		if system == "gitlab" {
			line += " private"
		}
		if r.archived {
			line += " archived"
		}
		lines = append(lines, line)
		for number, p := range r.pulls {
			line := fmt.Sprintf("pull %s#%d %s %q by ann: topic bb to main", r.id, number, p.state, p.title)
			if system == "github" {
				line += " aa"
			} else if p.merged != "" {
				line += " "
			}
			if p.merged != "" {
				line += ", as cc at " + p.merged
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// evening moves the clock by an hour and pushes to each project, because deliveries
// without a time count as ten minutes older than they are. Then come events that no
// later fact must hide: a suspension whose end is delivered before its beginning,
// and a repository that comes back with another name.
func (w *world) evening() {
	w.now = w.now.Add(time.Hour)
	for _, id := range []string{"501", "502"} {
		if r := w.repos[id]; r.there {
			w.push(r)
		}
	}
	if w.state == "suspended" {
		w.suspend()
	}
	w.suspend()
	begin := w.told[len(w.told)-1]
	w.suspend()
	w.told[len(w.told)-1].wild = begin.wild.Add(-time.Millisecond)
	r := w.repos["9"]
	if !r.there {
		w.giveOrTake(r)
	}
	w.pull(r)
	w.giveOrTake(r)
	r.name, r.updated = "home", w.now.Truncate(time.Second)
	w.giveOrTake(r)
}
