package vcstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"unicode/utf8"
)

// reviewRoutes are the endpoints about reviews, statuses and checks.
func (g *GitHub) reviewRoutes(mux *http.ServeMux) {
	const repo = "/api/v3/repos/{owner}/{name}/"
	mux.HandleFunc("GET "+repo+"pulls/{number}/reviews", g.of(g.reviews))
	mux.HandleFunc("GET "+repo+"pulls/{number}/requested_reviewers", g.of(g.requested))
	mux.HandleFunc("GET "+repo+"commits/{commit}/status", g.of(g.combined))
	mux.HandleFunc("GET "+repo+"commits/{commit}/check-runs", g.of(g.checkRuns))
	mux.HandleFunc("POST "+repo+"statuses/{commit}", g.of(g.setStatus))
}

// pull returns the repository and the pull request that a path names.
func pull(r *http.Request, all []Repository) (*Repository, *Change) {
	repo := named(r, all)
	if repo == nil {
		return nil, nil
	}
	return repo, changeOf(r, repo.Changes)
}

func (g *GitHub) reviews(w http.ResponseWriter, r *http.Request, all []Repository) any {
	_, c := pull(r, all)
	if c == nil {
		return nil
	}
	list := []any{}
	for i, review := range paged(w, r, c.Reviews) {
		var user any // null for an account that is gone
		if review.AuthorID != 0 {
			user = map[string]any{"login": review.Author, "id": review.AuthorID}
		}
		list = append(list, map[string]any{"id": i + 1, "user": user, "state": review.State})
	}
	return list
}

func (g *GitHub) requested(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	_, c := pull(r, all)
	if c == nil {
		return nil
	}
	users := []any{}
	for _, login := range c.Requested {
		users = append(users, map[string]any{"login": login})
	}
	return map[string]any{"users": users, "teams": []any{}}
}

// combined serves the newest status of each context.
func (g *GitHub) combined(w http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil {
		return nil
	}
	newest := []Status{}
	for _, s := range slices.Backward(repo.Statuses[r.PathValue("commit")]) {
		if !slices.ContainsFunc(newest, func(other Status) bool { return other.Context == s.Context }) {
			newest = append(newest, s)
		}
	}
	list := []any{}
	for _, s := range paged(w, r, newest) {
		list = append(list, map[string]any{"context": s.Context, "state": s.State, "description": s.Description, "target_url": s.URL})
	}
	return map[string]any{"state": "pending", "total_count": len(newest), "statuses": list}
}

func (g *GitHub) checkRuns(w http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil {
		return nil
	}
	runs := slices.Clone(repo.CheckRuns[r.PathValue("commit")])
	for _, run := range g.CI.of(repo.Owner+"/"+repo.Name, r.PathValue("commit")) {
		runs = append(runs, CheckRun{Name: "run", Status: run.Status, Conclusion: run.Conclusion, App: "github-actions"})
	}
	list := []any{}
	for _, run := range paged(w, r, runs) {
		var conclusion any // null while the run is active
		if run.Conclusion != "" {
			conclusion = run.Conclusion
		}
		list = append(list, map[string]any{"name": run.Name, "status": run.Status, "conclusion": conclusion, "app": map[string]any{"slug": run.App}})
	}
	return map[string]any{"total_count": len(runs), "check_runs": list}
}

func (g *GitHub) setStatus(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo := named(r, all)
	if repo == nil {
		return nil
	}
	var s struct {
		Context     string `json:"context"`
		State       string `json:"state"`
		Description string `json:"description"`
		URL         string `json:"target_url"`
	}
	err := json.NewDecoder(r.Body).Decode(&s)
	switch {
	case err != nil:
		return reply{http.StatusBadRequest, map[string]any{"message": "Problems parsing JSON"}}
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, s.State), utf8.RuneCountInString(s.Description) > 140:
		return reply{http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed"}}
	}
	if repo.Statuses == nil {
		repo.Statuses = map[string][]Status{}
	}
	commit := r.PathValue("commit")
	repo.Statuses[commit] = append(repo.Statuses[commit], Status(s))
	return reply{http.StatusCreated, map[string]any{"id": len(repo.Statuses[commit]), "state": s.State}}
}
