package vcstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// projectOf returns the project that a path names, if the account may work in it.
func (g *GitLab) projectOf(r *http.Request, account int64) *Project {
	for _, m := range g.groups {
		for i, p := range m.Projects {
			if strconv.FormatInt(p.ID, 10) == r.PathValue("project") && m.Inherited[account] > 0 {
				return &m.Projects[i]
			}
		}
	}
	return nil
}

func (g *GitLab) createPipeline(_ http.ResponseWriter, r *http.Request, account int64) any {
	p := g.projectOf(r, account)
	if p == nil {
		return nil
	}
	var body struct {
		Ref    string         `json:"ref"`
		Inputs map[string]any `json:"inputs"`
	}
	refused := func(message string) any {
		return reply{http.StatusBadRequest, map[string]any{"message": map[string]any{"base": []string{message}}}}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refused("the body cannot be read")
	}
	if p.tip(body.Ref) == "" {
		return refused("Reference not found")
	}
	if name, ok := g.CI.undeclared(body.Inputs); ok {
		return refused(fmt.Sprintf("Given inputs not defined in the `spec` section of the included configuration file: `%s`", name))
	}
	run := g.CI.start(CIRun{Repository: p.PathWithNamespace, Branch: body.Ref, Commit: p.tip(body.Ref), Inputs: body.Inputs, Status: "created"})
	p.began(p.tip(body.Ref), run.ID)
	return reply{http.StatusCreated, pipeline(run)}
}

func pipeline(run CIRun) any {
	return map[string]any{
		"id": run.ID, "ref": run.Branch, "status": run.Status,
		"web_url": fmt.Sprintf("https://gitlab.example.com/%s/-/pipelines/%d", run.Repository, run.ID),
	}
}

// pipelineOf returns the pipeline that a path names.
func (g *GitLab) pipelineOf(r *http.Request, account int64) (CIRun, bool) {
	p := g.projectOf(r, account)
	if p == nil {
		return CIRun{}, false
	}
	return g.CI.find(p.PathWithNamespace, r.PathValue("run"))
}

func (g *GitLab) pipeline(_ http.ResponseWriter, r *http.Request, account int64) any {
	run, ok := g.pipelineOf(r, account)
	if !ok {
		return nil
	}
	return pipeline(run)
}

// cancelPipeline cancels a pipeline. For one that has ended, GitLab responds with the
// pipeline as it is.
func (g *GitLab) cancelPipeline(_ http.ResponseWriter, r *http.Request, account int64) any {
	run, ok := g.pipelineOf(r, account)
	if !ok {
		return nil
	}
	if run.Status != "success" && run.Status != "failed" {
		run.Status = "canceled"
		g.CI.cancel(run, run.Status, "")
	}
	return reply{http.StatusCreated, pipeline(run)}
}
