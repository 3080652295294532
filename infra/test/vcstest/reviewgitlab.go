package vcstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Job is an external status of a commit at GitLab, or a job of a pipeline. Both have ids of one
// sequence.
type Job struct {
	ID, Pipeline int64
	Name         string
	// State is GitLab's own word, such as "pending", "success", "failed" and "manual".
	State            string
	Description, URL string
	AllowFailure     bool
	// External is true for an external status. Author is the account that sent it.
	External bool
	Author   int64
	// Bridge is true for a job that starts another pipeline.
	Bridge bool
	// Retried is true for one that a later one of the same name replaces.
	Retried bool
}

// reviewRoutes are the endpoints about reviews, statuses and jobs.
func (g *GitLab) reviewRoutes(mux *http.ServeMux) {
	const project = "/api/v4/projects/{project}/"
	mux.HandleFunc("GET "+project+"merge_requests/{number}/approvals", g.as(g.approvals))
	mux.HandleFunc("GET "+project+"merge_requests/{number}/reviewers", g.as(g.reviewers))
	mux.HandleFunc("GET "+project+"repository/commits/{commit}/statuses", g.as(g.listStatuses))
	mux.HandleFunc("POST "+project+"statuses/{commit}", g.as(g.setStatus))
	mux.HandleFunc("GET "+project+"pipelines/{run}/jobs", g.as(g.jobs(false)))
	mux.HandleFunc("GET "+project+"pipelines/{run}/bridges", g.as(g.jobs(true)))
}

func (g *GitLab) approvals(_ http.ResponseWriter, r *http.Request, account int64) any {
	_, c := g.request(r, account)
	if c == nil {
		return nil
	}
	by := []any{}
	for _, review := range c.Reviews {
		if review.State == "approved" {
			by = append(by, map[string]any{"user": map[string]any{"id": review.AuthorID, "username": review.Author}})
		}
	}
	return map[string]any{"approved_by": by}
}

func (g *GitLab) reviewers(w http.ResponseWriter, r *http.Request, account int64) any {
	_, c := g.request(r, account)
	if c == nil {
		return nil
	}
	list := []any{}
	for _, review := range c.Reviews {
		list = append(list, map[string]any{"user": map[string]any{"id": review.AuthorID, "username": review.Author}, "state": review.State})
	}
	return cut(w, r, list)
}

// knows reports whether the project has a commit.
func (p *Project) knows(commit string) bool {
	if p.Content != nil {
		_, ok := p.Content.Files(commit)
		return ok
	}
	for _, tip := range p.Branches {
		if tip == commit {
			return true
		}
	}
	return false
}

// began keeps that a pipeline began for a commit.
func (p *Project) began(commit string, pipeline int64) {
	if p.Pipelines == nil {
		p.Pipelines = map[string][]int64{}
	}
	p.Pipelines[commit] = append(p.Pipelines[commit], pipeline)
}

func (j Job) object() any {
	var address any // null for a job
	if j.URL != "" {
		address = j.URL
	}
	return map[string]any{
		"id": j.ID, "name": j.Name, "status": j.State, "description": j.Description, "target_url": address, "allow_failure": j.AllowFailure, "pipeline_id": j.Pipeline,
	}
}

func (g *GitLab) listStatuses(w http.ResponseWriter, r *http.Request, account int64) any {
	p, name := g.projectOf(r, account), r.FormValue("name")
	if p == nil || !p.knows(r.PathValue("commit")) {
		return nil
	}
	list := []any{}
	for _, j := range g.jobsAt(p, r.PathValue("commit")) {
		if !j.Retried && (name == "" || j.Name == name) {
			list = append(list, j.object())
		}
	}
	return cut(w, r, list)
}

// jobsAt returns the external statuses of a commit and the jobs of pipelines. Each pipeline of
// CI has one job.
func (g *GitLab) jobsAt(p *Project, commit string) []Job {
	all := slices.Clone(p.Jobs[commit])
	for _, run := range g.CI.of(p.PathWithNamespace, commit) {
		all = append(all, Job{ID: JobOf(run), Pipeline: run.ID, Name: "terrateam", State: run.Status})
	}
	return all
}

// JobOf returns the id of the one job of a run.
func JobOf(run CIRun) int64 { return run.ID*10 + 1 }

// jobs serves the jobs of a pipeline, or those that start other pipelines.
func (g *GitLab) jobs(bridges bool) func(http.ResponseWriter, *http.Request, int64) any {
	return func(w http.ResponseWriter, r *http.Request, account int64) any {
		p := g.projectOf(r, account)
		if p == nil {
			return nil
		}
		for commit, pipelines := range p.Pipelines {
			for _, id := range pipelines {
				if strconv.FormatInt(id, 10) != r.PathValue("run") {
					continue
				}
				list := []any{}
				for _, j := range g.jobsAt(p, commit) {
					if j.Pipeline == id && !j.External && j.Bridge == bridges && !j.Retried {
						list = append(list, map[string]any{"id": j.ID, "name": j.Name, "status": j.State})
					}
				}
				return cut(w, r, list)
			}
		}
		return nil
	}
}

// setStatus sets an external status as GitLab does ("External commit statuses", GitLab
// documentation): in the pipeline that the body names, or in the newest one of the commit, or in
// a new one. A status of the same name and author that has not ended is changed. Another one is
// replaced.
func (g *GitLab) setStatus(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, commit := g.projectOf(r, account), r.PathValue("commit")
	if p == nil || !p.knows(commit) {
		return nil
	}
	var body struct {
		State       string `json:"state"`
		Name        string `json:"name"`
		Description string `json:"description"`
		URL         string `json:"target_url"`
		Pipeline    int64  `json:"pipeline_id"`
	}
	refused := func(status int, message string) any { return reply{status, map[string]any{"message": message}} }
	err := json.NewDecoder(r.Body).Decode(&body)
	if err != nil || !slices.Contains([]string{"pending", "running", "success", "failed", "canceled", "skipped"}, body.State) || utf8.RuneCountInString(body.Description) > 255 || len(body.URL) > 255 {
		return refused(http.StatusBadRequest, "the status is not valid")
	}
	pipelines := p.Pipelines[commit]
	pipeline := body.Pipeline
	switch {
	case pipeline != 0 && !slices.Contains(pipelines, pipeline):
		return refused(http.StatusNotFound, "404 Pipeline for pipeline_id, sha and ref Not Found")
	case pipeline == 0 && len(pipelines) > 0:
		pipeline = pipelines[len(pipelines)-1]
	case pipeline == 0:
		pipeline = g.next()
		p.began(commit, pipeline)
	}
	if p.Jobs == nil {
		p.Jobs = map[string][]Job{}
	}
	set := Job{Pipeline: pipeline, Name: body.Name, State: body.State, Description: body.Description, URL: body.URL, External: true, Author: account}
	list := p.Jobs[commit]
	for i := range list {
		j := &list[i]
		switch {
		case j.Pipeline != pipeline || j.Name != body.Name || j.Retried:
		case !j.External:
			return refused(http.StatusBadRequest, "Name has already been taken")
		case j.Author == account && (j.State == "pending" || j.State == "running"):
			if body.State == "pending" {
				return refused(http.StatusBadRequest, `Cannot transition status via :enqueue from :`+j.State+` (Reason(s): Status cannot transition via "enqueue")`)
			}
			set.ID = j.ID
			*j = set
			return reply{http.StatusCreated, set.object()}
		default:
			j.Retried = true
		}
	}
	set.ID = g.next()
	p.Jobs[commit] = append(list, set)
	return reply{http.StatusCreated, set.object()}
}

// next returns an id that no other comment, job and external pipeline has. The ids are below
// those of the pipelines of CI. The caller holds the lock.
func (g *GitLab) next() int64 {
	g.made++
	return 3000 + g.made
}
