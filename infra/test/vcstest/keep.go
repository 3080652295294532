package vcstest

import "encoding/json"

// kept is what a stand-in keeps of its repositories, by id.
type kept struct {
	// Made is the number of ids that were given to comments and others.
	Made         int64
	Repositories map[int64]keptRepository
}

type keptRepository struct {
	Changes   []Change
	Statuses  map[string][]Status   `json:",omitempty"`
	CheckRuns map[string][]CheckRun `json:",omitempty"`
	Jobs      map[string][]Job      `json:",omitempty"`
	Pipelines map[string][]int64    `json:",omitempty"`
}

// Save returns the pull requests, with comments, reviews and statuses, in a form that Load
// reads. It does not have the repositories themselves.
func (g *GitHub) Save() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := kept{Made: g.comments, Repositories: map[int64]keptRepository{}}
	for _, list := range g.installations {
		for _, r := range list {
			all.Repositories[r.ID] = keptRepository{Changes: r.Changes, Statuses: r.Statuses, CheckRuns: r.CheckRuns}
		}
	}
	return json.Marshal(all)
}

// Load replaces the pull requests of the repositories that a text of Save names, and that the
// stand-in has.
func (g *GitHub) Load(text []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all kept
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	g.comments = max(g.comments, all.Made)
	for _, list := range g.installations {
		for i := range list {
			r := &list[i]
			if was, ok := all.Repositories[r.ID]; ok {
				r.Changes, r.Statuses, r.CheckRuns = was.Changes, was.Statuses, was.CheckRuns
			}
		}
	}
	return nil
}

// Save returns the merge requests, as GitHub.Save does. Reactions of the product are not among
// them.
func (g *GitLab) Save() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := kept{Made: g.made, Repositories: map[int64]keptRepository{}}
	for _, group := range g.groups {
		for _, p := range group.Projects {
			all.Repositories[p.ID] = keptRepository{Changes: p.Changes, Jobs: p.Jobs, Pipelines: p.Pipelines}
		}
	}
	return json.Marshal(all)
}

// Load replaces the merge requests, as GitHub.Load does.
func (g *GitLab) Load(text []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all kept
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	g.made = max(g.made, all.Made)
	for _, group := range g.groups {
		for i := range group.Projects {
			p := &group.Projects[i]
			if was, ok := all.Repositories[p.ID]; ok {
				p.Changes, p.Jobs, p.Pipelines = was.Changes, was.Jobs, was.Pipelines
			}
		}
	}
	return nil
}
