package vcstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// workflowID is the id of the workflow of each repository that has one.
const workflowID = 501

// workflowFile returns the path of the workflow on the repository's default branch, or the
// empty text.
func (r *Repository) workflowFile() string {
	paths := r.Files
	if r.Content != nil {
		paths = nil
		files, _ := r.Content.Files(r.tip(r.DefaultBranch))
		for _, f := range files {
			paths = append(paths, f.Path)
		}
	}
	i := slices.IndexFunc(paths, func(file string) bool { return strings.HasPrefix(file, ".github/workflows/") })
	if i < 0 {
		return ""
	}
	return paths[i]
}

// named returns the repository that a path names.
func named(r *http.Request, all []Repository) *Repository {
	i := slices.IndexFunc(all, func(repo Repository) bool {
		return repo.Owner == r.PathValue("owner") && repo.Name == r.PathValue("name")
	})
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (g *GitHub) workflows(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil {
		return nil
	}
	list := []any{}
	if file := repo.workflowFile(); file != "" {
		list = append(list, map[string]any{"id": workflowID, "name": "Terrateam Workflow", "path": file, "state": "active"})
	}
	return map[string]any{"total_count": len(list), "workflows": list}
}

func (g *GitHub) dispatch(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil || repo.workflowFile() == "" {
		return nil
	}
	if w := r.PathValue("workflow"); w != path.Base(repo.workflowFile()) && w != fmt.Sprint(workflowID) {
		return nil
	}
	var body struct {
		Ref     string         `json:"ref"`
		Inputs  map[string]any `json:"inputs"`
		Details *bool          `json:"return_run_details"`
	}
	refused := func(status int, message string) any { return reply{status, map[string]any{"message": message}} }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refused(http.StatusBadRequest, "Problems parsing JSON")
	}
	if body.Details != nil && g.CI.WithoutDetails {
		return refused(http.StatusBadRequest, "Invalid request. \"return_run_details\" is not a permitted key.")
	}
	if repo.tip(body.Ref) == "" {
		return refused(http.StatusUnprocessableEntity, "No ref found for: "+body.Ref)
	}
	if name, ok := g.CI.undeclared(body.Inputs); ok {
		return refused(http.StatusUnprocessableEntity, fmt.Sprintf("Unexpected inputs provided: [%q]", name))
	}
	run := g.CI.start(CIRun{Repository: repo.Owner + "/" + repo.Name, Branch: body.Ref, Commit: repo.tip(body.Ref), Inputs: body.Inputs, Status: "queued"})
	if body.Details == nil {
		return reply{status: http.StatusNoContent}
	}
	return map[string]any{"workflow_run_id": run.ID, "html_url": fmt.Sprintf("https://github.example.com/%s/actions/runs/%d", run.Repository, run.ID)}
}

func (g *GitHub) workflowRun(_ http.ResponseWriter, r *http.Request, _ []Repository) any {
	run, ok := g.CI.find(r.PathValue("owner")+"/"+r.PathValue("name"), r.PathValue("run"))
	if !ok {
		return nil
	}
	var conclusion any // null while the run is active
	if run.Conclusion != "" {
		conclusion = run.Conclusion
	}
	return map[string]any{"id": run.ID, "status": run.Status, "conclusion": conclusion, "html_url": fmt.Sprintf("https://github.example.com/%s/actions/runs/%d", run.Repository, run.ID)}
}

func (g *GitHub) cancelRun(_ http.ResponseWriter, r *http.Request, _ []Repository) any {
	run, ok := g.CI.find(r.PathValue("owner")+"/"+r.PathValue("name"), r.PathValue("run"))
	switch {
	case !ok:
		return nil
	case run.Status == "completed":
		return reply{http.StatusConflict, map[string]any{"message": "Cannot cancel a workflow run that is completed."}}
	}
	g.CI.cancel(run, "completed", "cancelled")
	return reply{http.StatusAccepted, map[string]any{}}
}
