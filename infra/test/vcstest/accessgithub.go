package vcstest

import "net/http"

// member is an account with what it is in an organisation or repository.
type member struct {
	account int64
	role    string
	// permission is what GitHub folds the role of a repository into.
	permission string
}

// Role gives a person an active membership of an organisation.
func (g *GitHub) Role(organisation, login string, account int64, role string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members[organisation+"/"+login] = member{account: account, role: role}
}

// Team makes an account a member of a team, or removes it.
func (g *GitHub) Team(organisation, team, login string, is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.teams[organisation+"/"+team+"/"+login] = is
}

// Permit gives an account a role in a repository: "admin", "maintain", "write", "triage",
// "read" or "none".
func (g *GitHub) Permit(owner, name, login string, account int64, role string) {
	permission := role
	switch role {
	case "maintain":
		permission = "write"
	case "triage":
		permission = "read"
	}
	g.PermitCustom(owner, name, login, account, role, permission)
}

// PermitCustom gives an account a role with any name, which is based on a permission: "admin",
// "write", "read" or "none". A role without a name stands for a host that does not state it.
func (g *GitHub) PermitCustom(owner, name, login string, account int64, role, permission string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.collaborators[owner+"/"+name+"/"+login] = member{account, role, permission}
}

// accessRoutes are the endpoints about who may do what.
func (g *GitHub) accessRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v3/orgs/{org}/memberships/{login}", g.of(g.membership))
	mux.HandleFunc("GET /api/v3/orgs/{org}/teams/{team}/memberships/{login}", g.of(g.teamMembership))
	mux.HandleFunc("GET /api/v3/repos/{owner}/{name}/collaborators/{login}/permission", g.of(g.permission))
}

func (g *GitHub) membership(_ http.ResponseWriter, r *http.Request, _ []Repository) any {
	m, ok := g.members[r.PathValue("org")+"/"+r.PathValue("login")]
	if !ok {
		return nil
	}
	return map[string]any{"state": "active", "role": m.role, "user": map[string]any{"login": r.PathValue("login"), "id": m.account}}
}

func (g *GitHub) teamMembership(_ http.ResponseWriter, r *http.Request, _ []Repository) any {
	if !g.teams[r.PathValue("org")+"/"+r.PathValue("team")+"/"+r.PathValue("login")] {
		return nil
	}
	return map[string]any{"state": "active", "role": "member", "url": "https://github.example.com" + r.URL.Path}
}

func (g *GitHub) permission(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	m, ok := g.collaborators[r.PathValue("owner")+"/"+r.PathValue("name")+"/"+r.PathValue("login")]
	if !ok || named(r, all) == nil {
		return nil
	}
	body := map[string]any{"permission": m.permission, "user": map[string]any{"login": r.PathValue("login"), "id": m.account}}
	if m.role != "" {
		body["role_name"] = m.role
	}
	return body
}
