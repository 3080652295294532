package simulation

import (
	"fmt"
	"strings"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

// maxOpen is how many pull requests of a repository are open at once.
const maxOpen = 6

// person lets somebody do something at the host.
func (w *world) person() bool {
	r := w.some()
	var open []*pull
	for _, p := range r.pulls {
		if w.isOpen(p) {
			open = append(open, p)
		}
	}
	if len(open) == 0 || len(open) < maxOpen && w.draw.IntN(2) == 0 {
		return w.open(r)
	}
	p := open[w.draw.IntN(len(open))]
	if w.draw.IntN(8) == 0 { // one that may be closed
		p = r.pulls[max(0, len(r.pulls)-1-w.draw.IntN(8))]
	}
	by := people[w.draw.IntN(len(people)-1)]
	var err error
	n := w.draw.IntN(100)
	if w.draw.IntN(4) > 0 {
		n = w.sensible(p, n)
	}
	switch {
	case n == apply:
		return w.say(p, "terraform apply")
	case n == plan:
		return w.say(p, "terraform plan")
	case n < 45:
		return w.say(p, sentences[w.draw.IntN(len(sentences))])
	case n < 60:
		return w.push(p, by)
	case n < 76:
		w.note("%s approves %s", by.Login, p)
		err = w.host.ReviewPull(r.name, p.number, by, vcstest.Approve)
		p.approved = p.approved || err == nil
	case n < 90:
		w.note("%s merges %s", by.Login, p)
		_, err = w.host.MergePull(r.name, p.number, by, "merge")
	case n < 94:
		w.note("%s closes %s", by.Login, p)
		err = w.host.ClosePull(r.name, p.number, by)
	case n < 97:
		w.note("%s opens %s again", by.Login, p)
		if err = w.host.ReopenPull(r.name, p.number, by); err == nil {
			w.pin(p)
		}
	default:
		draft := w.page(p).Draft
		w.note("%s makes %s a draft: %t", by.Login, p, !draft)
		err = w.host.DraftPull(r.name, p.number, by, !draft)
	}
	return err == nil
}

// What a person does who reads the newest comment.
const (
	plan     = 1000
	apply    = 1001
	merges   = 85
	approves = 75
)

// sensible returns what a person does who reads the newest comment of the server.
func (w *world) sensible(p *pull, otherwise int) int {
	newest := ""
	for _, c := range w.page(p).Comments {
		if c.App != 0 && c.Hidden == "" && !strings.Contains(c.Text, "other runs work") && !strings.Contains(c.Text, "| Command |") {
			newest = c.Text
		}
	}
	switch {
	case strings.Contains(newest, "Unlocked") && w.draw.IntN(2) == 0:
		return apply
	case strings.Contains(newest, "failed") || strings.Contains(newest, "a plan is missing") || strings.Contains(newest, "no result") || strings.Contains(newest, "Unlocked"):
		return plan
	case strings.Contains(newest, "requirements are not met"):
		return approves
	case strings.Contains(newest, "locked by"):
		return merges
	case strings.Contains(newest, "## Plan"):
		return apply
	case strings.Contains(newest, "## Apply"):
		return merges
	}
	return otherwise
}

// String implements fmt.Stringer.
func (p *pull) String() string { return fmt.Sprintf("%s#%d", p.of.name, p.number) }

// isOpen reports whether a pull request is open.
func (w *world) isOpen(p *pull) (open bool) {
	owner, name, _ := strings.Cut(p.of.name, "/")
	w.host.Update(owner, name, func(r *vcstest.Repository) {
		for _, c := range r.Changes {
			open = open || c.Number == p.number && (c.State == "" || c.State == "open")
		}
	})
	return open
}

// page returns a pull request as its page shows it.
func (w *world) page(p *pull) vcstest.Pull {
	found, err := w.host.Pull(p.of.name, p.number)
	w.must(err)
	return found
}

// open opens a pull request.
func (w *world) open(r *repository) bool {
	if w.count.Pulls >= w.size.Pulls {
		return false
	}
	w.count.Pulls++
	p := &pull{of: r, branch: fmt.Sprintf("p%d", w.count.Pulls)}
	by := people[w.draw.IntN(len(people)-1)]
	_, err := w.host.Push(r.name, p.branch, by, w.files(p))
	w.must(err)
	p.number, err = w.host.OpenPull(r.name, by, vcstest.Opening{Title: "Change " + p.branch, Head: p.branch, Draft: w.draw.IntN(10) == 0})
	w.must(err)
	r.pulls = append(r.pulls, p)
	w.pin(p)
	w.note("%s opens %s: %v", by.Login, p, r.changed(w.page(p).BaseSHA, w.page(p).HeadSHA))
	return true
}

// pin keeps the commit that the host records as the base of a pull request: GitHub does not
// move it with the branch.
func (w *world) pin(p *pull) {
	owner, name, _ := strings.Cut(p.of.name, "/")
	tip, _ := p.of.git.Branch("main")
	w.host.Update(owner, name, func(r *vcstest.Repository) {
		for i := range r.Changes {
			if r.Changes[i].Number == p.number {
				r.Changes[i].BaseSHA = tip
			}
		}
	})
}

// files draws what is pushed.
func (w *world) files(p *pull) map[string][]byte {
	p.pushes++
	files := map[string][]byte{}
	text := fmt.Appendf(nil, "%s push %d", p.branch, p.pushes)
	switch n := w.draw.IntN(20); {
	case n == 0:
		files["README.md"] = text
	case n == 1:
		files["net/main.tf"] = text // others may change the same line
	default:
		for range 1 + w.draw.IntN(2) {
			files[dirs[w.draw.IntN(len(dirs))]+"/"+p.branch+".tf"] = text
		}
	}
	return files
}

func (w *world) push(p *pull, by vcstest.Account) bool {
	if !w.isOpen(p) {
		return false
	}
	_, err := w.host.Push(p.of.name, p.branch, by, w.files(p))
	w.must(err)
	w.pin(p)
	w.note("%s pushes to %s: %v", by.Login, p, p.of.changed(w.page(p).BaseSHA, w.page(p).HeadSHA))
	return true
}

// sentences are what people write. Those that are commands are written most often.
var sentences = []string{
	"terraform apply", "terraform apply", "terraform apply", "terraform apply", "terraform apply", "terraform plan", "terraform plan", "terraform plan",
	"terrateam apply dir:net", "tofu plan dir:db", "terraform apply-force", "terraform unlock", "terraform apply-autoapprove", "terraform unlock",
	"terraform destroy everything", "looks good to me", "terraform help", "```\nterraform apply\n```", "terraform apply workspace:blue",
}

func (w *world) say(p *pull, text string) bool {
	c := command{text: text, by: people[w.draw.IntN(len(people)-1)], tick: w.tick}
	if w.draw.IntN(12) == 0 {
		c.by = reader
	}
	var err error
	c.id, err = w.host.CommentOn(p.of.name, p.number, c.by, c.text)
	w.must(err)
	p.commands = append(p.commands, c)
	p.forced = p.forced || strings.Contains(c.text, "force")
	w.count.Commands++
	w.note("%s writes in %s: %q (%d)", c.by.Login, p, c.text, c.id)
	return true
}
