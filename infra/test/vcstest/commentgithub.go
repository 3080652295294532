package vcstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// BotID is the id of the account that writes the App's comments.
const BotID = 41898300

// commentRoutes are the endpoints about comments.
func (g *GitHub) commentRoutes(mux *http.ServeMux) {
	const repo = "/api/v3/repos/{owner}/{name}/"
	// The patterns issues/{number}/comments and issues/comments/{id} exclude each other.
	mux.HandleFunc("GET "+repo+"issues/{a}/{b}", g.of(func(w http.ResponseWriter, r *http.Request, all []Repository) any {
		switch a, b := r.PathValue("a"), r.PathValue("b"); {
		case a == "comments":
			r.SetPathValue("id", b)
			return g.comment(w, r, all)
		case b == "comments":
			r.SetPathValue("number", a)
			return g.listComments(w, r, all)
		}
		return nil
	}))
	mux.HandleFunc("POST "+repo+"issues/{number}/comments", g.of(g.createComment))
	mux.HandleFunc("PATCH "+repo+"issues/comments/{id}", g.of(g.editComment))
	mux.HandleFunc("DELETE "+repo+"issues/comments/{id}", g.of(g.deleteComment))
	mux.HandleFunc("POST "+repo+"issues/comments/{id}/reactions", g.of(g.react))
	mux.HandleFunc("POST /api/graphql", g.of(g.minimize))
}

// Say adds a comment of a person and returns its id. It returns 0 if there is no such pull
// request.
func (g *GitHub) Say(owner, name string, number int64, author string, account int64, text string) (id int64) {
	g.Update(owner, name, func(repo *Repository) {
		for i := range repo.Changes {
			if c := &repo.Changes[i]; c.Number == number {
				id = g.add(c, Comment{Author: author, AuthorID: account, Text: text})
			}
		}
	})
	return id
}

// add adds a comment and returns its id. The caller holds the lock.
func (g *GitHub) add(c *Change, comment Comment) int64 {
	g.comments++
	comment.ID, comment.At = 7000+g.comments, g.Now.now()
	c.Comments = append(c.Comments, comment)
	return comment.ID
}

// bot returns the account that does what the App does.
func (g *GitHub) bot() Account { return Account{BotID, cmp.Or(g.app.Slug, "opsplane") + "[bot]"} }

// find returns the comment that a path names, and the change that has it.
func find(r *http.Request, all []Repository) (*Repository, *Change, *Comment) {
	repo := named(r, all)
	if repo == nil {
		return nil, nil, nil
	}
	c, comment := commentOf(repo, r.PathValue("id"))
	return repo, c, comment
}

func commentOf(repo *Repository, id string) (*Change, *Comment) {
	for i := range repo.Changes {
		c := &repo.Changes[i]
		for j := range c.Comments {
			if strconv.FormatInt(c.Comments[j].ID, 10) == id {
				return c, &c.Comments[j]
			}
		}
	}
	return nil, nil
}

// nodes is the beginning of the ids of comments in GraphQL.
const nodes = "IC_"

func (g *GitHub) commentObject(repo *Repository, c *Change, comment Comment) any {
	kind, app := "User", any(nil)
	if comment.App != 0 {
		kind, app = "Bot", map[string]any{"id": comment.App}
	}
	return map[string]any{
		"id": comment.ID, "node_id": fmt.Sprint(nodes, comment.ID), "body": comment.Text, "created_at": stamp(comment.At), "performed_via_github_app": app,
		"user":     map[string]any{"login": comment.Author, "id": comment.AuthorID, "type": kind},
		"html_url": fmt.Sprintf("https://github.example.com/%s/%s/pull/%d#issuecomment-%d", repo.Owner, repo.Name, c.Number, comment.ID),
	}
}

func (g *GitHub) listComments(w http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, c := pull(r, all)
	if c == nil {
		return nil
	}
	list := []any{}
	for _, comment := range paged(w, r, c.Comments) {
		list = append(list, g.commentObject(repo, c, comment))
	}
	return list
}

func (g *GitHub) comment(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, c, comment := find(r, all)
	if comment == nil {
		return nil
	}
	return g.commentObject(repo, c, *comment)
}

// maxComment is the number of characters that a comment may have.
const maxComment = 65_536

// textOf decodes the text of a comment. If it is not acceptable, it returns a refusal.
func textOf(r *http.Request) (string, any) {
	var body struct {
		Body string `json:"body"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return "", reply{http.StatusBadRequest, map[string]any{"message": "Problems parsing JSON"}}
	}
	if body.Body == "" || len([]rune(body.Body)) > maxComment {
		return "", reply{http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed"}}
	}
	return body.Body, nil
}

func (g *GitHub) createComment(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, c := pull(r, all)
	if c == nil {
		return nil
	}
	text, refused := textOf(r)
	if refused != nil {
		return refused
	}
	g.add(c, Comment{Author: g.bot().Login, AuthorID: BotID, App: AppID, Text: text})
	g.deed(repo, c).tellComment()
	return reply{http.StatusCreated, g.commentObject(repo, c, c.Comments[len(c.Comments)-1])}
}

func (g *GitHub) editComment(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	repo, c, comment := find(r, all)
	if comment == nil {
		return nil
	}
	text, refused := textOf(r)
	if refused != nil {
		return refused
	}
	comment.Text = text
	return reply{http.StatusOK, g.commentObject(repo, c, *comment)}
}

func (g *GitHub) deleteComment(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	_, c, comment := find(r, all)
	if comment == nil {
		return nil
	}
	id := comment.ID
	c.Comments = slices.DeleteFunc(c.Comments, func(other Comment) bool { return other.ID == id })
	return reply{status: http.StatusNoContent}
}

// react adds a reaction, unless the account has it there already.
func (g *GitHub) react(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	_, _, comment := find(r, all)
	if comment == nil {
		return nil
	}
	var body struct {
		Content string `json:"content"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Content == "" {
		return reply{http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed"}}
	}
	status := http.StatusOK
	if !slices.Contains(comment.Reactions, body.Content) {
		comment.Reactions, status = append(comment.Reactions, body.Content), http.StatusCreated
	}
	return reply{status, map[string]any{"content": body.Content}}
}

// minimize serves the mutation minimizeComment of the GraphQL API, and no other.
func (g *GitHub) minimize(_ http.ResponseWriter, r *http.Request, all []Repository) any {
	var body struct {
		Query     string `json:"query"`
		Variables struct {
			ID string `json:"id"`
		} `json:"variables"`
	}
	failed := func(kind, message string) any {
		return reply{http.StatusOK, map[string]any{"data": nil, "errors": []any{map[string]any{"type": kind, "message": message}}}}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !strings.Contains(body.Query, "minimizeComment(") || !strings.Contains(body.Query, "OUTDATED") {
		return failed("UNPROCESSABLE", "the query cannot be read")
	}
	id, ok := strings.CutPrefix(body.Variables.ID, nodes)
	for i := range all {
		if _, comment := commentOf(&all[i], id); ok && comment != nil {
			comment.Hidden = "OUTDATED"
			return reply{http.StatusOK, map[string]any{"data": map[string]any{"minimizeComment": map[string]any{"minimizedComment": map[string]any{"isMinimized": true}}}}}
		}
	}
	return failed("NOT_FOUND", "Could not resolve to a node with the global id of '"+body.Variables.ID+"'")
}
