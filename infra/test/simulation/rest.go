package simulation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/run"
	"github.com/opsplane/opsplane/shared/run/runstore"
)

// rest lets everything come to an end without faults, and checks what is left.
func (w *world) rest() {
	w.note("everybody goes home")
	w.calm = true
	for round := 0; round < 60 && (round < 3 || !w.quiet()); round++ {
		w.tick++
		w.outer = w.tick
		w.clock.Add(2 * time.Minute)
		if round > 0 && round%15 == 0 {
			w.clock.Add(25 * time.Hour) // runners that are silent are given up
		}
		for w.deliver() {
		}
		w.sweep()
		for w.runner() {
		}
		w.sweep()
		w.observe()
		if len(w.problems) > 0 {
			return
		}
	}
	if !w.quiet() {
		w.wrong("something is still under way: %v", w.left())
		return
	}
	for _, r := range w.repositories {
		for _, p := range r.pulls {
			w.end(p)
		}
		w.statuses(r)
	}
}

// quiet reports whether nothing is under way.
func (w *world) quiet() bool { return len(w.left()) == 0 }

// left returns what is under way.
func (w *world) left() (list []string) {
	ctx := w.t.Context()
	for _, r := range w.repositories {
		active, err := w.safe.Runs.Active(ctx, r.Repository)
		w.must(err)
		for _, a := range active {
			list = append(list, "run "+short(a.ID)+" "+string(a.State))
		}
		held, ok, err := w.safe.Lanes.Enter(ctx, r.Repository, w.clock.Now())
		w.must(err)
		if !ok {
			list = append(list, "the lane of "+r.name+" is taken")
			continue
		}
		requests, err := held.Requests(ctx)
		w.must(err)
		for _, p := range requests {
			list = append(list, "request "+p.Name())
		}
		decisions, err := held.Decisions(ctx)
		w.must(err)
		for _, d := range decisions {
			list = append(list, "decision "+d.ID+" about "+d.Request.Name())
		}
		_, err = held.Leave(ctx)
		w.must(err)
	}
	ended, err := w.safe.Runs.Due(ctx, runstore.EndedList, w.clock.Now().Add(time.Hour), 100)
	w.must(err)
	for _, e := range ended {
		list = append(list, "the end of run "+short(e.ID))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for range w.inFlight {
		list = append(list, "delivery")
	}
	return list
}

// marker is the line by which the server finds its comments. It names the decision.
var marker = regexp.MustCompile(`<!-- opsplane (\S+)-(\d+|merge) -->`)

// end checks a pull request at the end.
func (w *world) end(p *pull) {
	page := w.page(p)
	shown, results := 0, 0
	answers, seen := map[string]int{}, map[string]bool{}
	refused := false
	for _, c := range page.Comments {
		if c.App == 0 {
			continue
		}
		m := marker.FindStringSubmatch(c.Text)
		if m == nil {
			w.wrong("%s: a comment has no marker:\n%s", p, c.Text)
			continue
		}
		w.count.Said[strings.TrimSpace(strings.SplitN(c.Text, "\n", 2)[0])]++
		if seen[m[0]] {
			w.wrong("%s: a comment was written twice:\n%s", p, c.Text)
		}
		seen[m[0]] = true
		if name, is := strings.CutPrefix(m[1], "command#"); is {
			id, _, _ := strings.Cut(name, "-")
			answers[id]++
		}
		if id, is := strings.CutPrefix(m[1], "ended#"); is && p.of.book.byID[run.ID(id[:min(36, len(id))])] == nil {
			refused = true
		}
		if strings.Contains(c.Text, "## Plan:") || strings.Contains(c.Text, "## Apply:") {
			results++
			if c.Hidden == "" {
				shown++
			}
		}
	}
	if results > 0 && shown != 1 {
		w.wrong("%s: %d of %d results are not folded", p, shown, results)
	}
	for _, c := range p.commands {
		w.answered(p, page, c, answers[strconv.FormatInt(c.id, 10)], refused)
	}
	w.aggregate(p, page)
}

// answered checks that a command was answered once.
func (w *world) answered(p *pull, page vcstest.Pull, c command, comments int, refused bool) {
	i := slices.IndexFunc(page.Comments, func(other vcstest.Comment) bool { return other.ID == c.id })
	reactions := len(page.Comments[i].Reactions)
	said := func(what string) {
		w.wrong("%s: %q of %s (%d) has %d reactions and %d comments: %s", p, c.text, c.by.Login, c.id, reactions, comments, what)
	}
	words := strings.Fields(strings.Trim(c.text, "`\n"))
	action := words[1]
	switch {
	case !slices.Contains([]string{"terraform", "terrateam", "tofu"}, words[0]):
		if reactions+comments > 0 {
			said("want nothing")
		}
	case action == "destroy":
		if reactions != 0 || comments != 1 {
			said("want a help")
		}
	case c.by == reader || tooLate(page, c):
		if reactions != 0 || comments != 1 {
			said("want a comment and no reaction")
		}
	case action == "help" || action == "unlock":
		if reactions != 1 || comments != 1 {
			said("want one of each")
		}
	case reactions != 1 || comments > 1:
		said("want a reaction, and a comment at most")
	case comments == 0 && !refused && !slices.ContainsFunc(p.of.book.runs, func(e *entry) bool {
		return e.pull == p.number && e.user == c.by.Login && e.created >= c.tick
	}):
		said("want a comment, or a run")
	}
}

// aggregate checks the status of a whole pull request that is open.
func (w *world) aggregate(p *pull, page vcstest.Pull) {
	if !w.isOpen(p) {
		return
	}
	state := ""
	for _, s := range page.Statuses {
		if s.Context == "terrateam apply" {
			state = s.State
		}
	}
	set := p.of.changed(page.BaseSHA, page.HeadSHA)
	void := p.of.book.void(p.number, 1<<62)
	for _, e := range p.of.book.runs {
		if e.pull != p.number || !e.apply || e.seq <= void {
			continue
		}
		for _, d := range e.dirs {
			if e.changes(d) {
				set = append(set, d) // what was applied stays a part of the change
			}
		}
	}
	var waiting []run.Dirspace
	for _, d := range set {
		if !p.of.book.applied(p.number, d, page.BaseSHA, page.HeadSHA) {
			waiting = append(waiting, d)
		}
	}
	if green := state == "success"; green != (len(waiting) == 0) {
		w.wrong("%s: the aggregate is %q, and %v wait", p, state, waiting)
	}
}

// statuses checks that nothing is shown as under way.
func (w *world) statuses(r *repository) {
	owner, name, _ := strings.Cut(r.name, "/")
	w.host.Update(owner, name, func(at *vcstest.Repository) {
		for commit, list := range at.Statuses {
			last := map[string]string{}
			for _, s := range list {
				last[s.Context] = s.State
			}
			for context, state := range last {
				if state == "pending" && context != "terrateam apply" {
					w.wrong("%s: the status %q of %.7s is pending", r.name, context, commit)
				}
			}
		}
	})
}

// tooLate reports whether a command was refused because it arrived long after it was
// written.
func tooLate(page vcstest.Pull, c command) bool {
	return slices.ContainsFunc(page.Comments, func(other vcstest.Comment) bool {
		return strings.Contains(other.Text, fmt.Sprintf("command#%d-", c.id)) && strings.Contains(other.Text, "more than an hour")
	})
}
