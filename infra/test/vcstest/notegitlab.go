package vcstest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// award is a reaction to a comment at GitLab.
type award struct {
	note, account int64
	name          string
}

// noteRoutes are the endpoints about comments.
func (g *GitLab) noteRoutes(mux *http.ServeMux) {
	const notes = "/api/v4/projects/{project}/merge_requests/{number}/notes"
	mux.HandleFunc("GET "+notes, g.as(g.notes))
	mux.HandleFunc("POST "+notes, g.as(g.createNote))
	mux.HandleFunc("PUT "+notes+"/{note}", g.as(g.editNote))
	mux.HandleFunc("DELETE "+notes+"/{note}", g.as(g.deleteNote))
	mux.HandleFunc("GET "+notes+"/{note}/award_emoji", g.as(g.listAwards))
	mux.HandleFunc("POST "+notes+"/{note}/award_emoji", g.as(g.giveAward))
}

// Say adds a comment of a person and returns its id. It returns 0 if there is no such merge
// request.
func (g *GitLab) Say(project, number int64, author string, account int64, text string) (id int64) {
	g.Update(project, func(p *Project) {
		for i := range p.Changes {
			if c := &p.Changes[i]; c.Number == number {
				id = g.next()
				c.Comments = append(c.Comments, Comment{ID: id, Author: author, AuthorID: account, Text: text})
			}
		}
	})
	return id
}

// Award adds a reaction of a person to a comment.
func (g *GitLab) Award(note, account int64, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.awards = append(g.awards, award{note, account, name})
}

// note returns the comment that a path names, and the change that has it.
func (g *GitLab) note(r *http.Request, account int64) (*Change, *Comment) {
	_, c := g.request(r, account)
	if c == nil {
		return nil, nil
	}
	i := slices.IndexFunc(c.Comments, func(each Comment) bool { return strconv.FormatInt(each.ID, 10) == r.PathValue("note") })
	if i < 0 {
		return nil, nil
	}
	return c, &c.Comments[i]
}

func (c Comment) note() any {
	return map[string]any{"id": c.ID, "body": c.Text, "author": map[string]any{"id": c.AuthorID, "username": c.Author}, "system": false}
}

// notes serves the comments, the newest first.
func (g *GitLab) notes(w http.ResponseWriter, r *http.Request, account int64) any {
	_, c := g.request(r, account)
	if c == nil {
		return nil
	}
	list := []any{}
	for _, each := range slices.Backward(c.Comments) {
		list = append(list, each.note())
	}
	return cut(w, r, list)
}

// noteText decodes the text of a comment.
func noteText(r *http.Request) (string, bool) {
	var body struct {
		Body string `json:"body"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	return body.Body, err == nil && body.Body != ""
}

// emptyNote is the refusal of a comment without a text.
var emptyNote = reply{http.StatusBadRequest, map[string]any{"message": map[string]any{"note": []string{"can't be blank"}}}}

func (g *GitLab) createNote(_ http.ResponseWriter, r *http.Request, account int64) any {
	p, c := g.request(r, account)
	if c == nil {
		return nil
	}
	text, ok := noteText(r)
	if !ok {
		return emptyNote
	}
	g.deed(p, c).comment(Account{account, g.names[account]}, text)
	return reply{http.StatusCreated, c.Comments[len(c.Comments)-1].note()}
}

func (g *GitLab) editNote(_ http.ResponseWriter, r *http.Request, account int64) any {
	_, comment := g.note(r, account)
	if comment == nil {
		return nil
	}
	text, ok := noteText(r)
	switch {
	case comment.AuthorID != account:
		return reply{http.StatusForbidden, map[string]any{"message": "403 Forbidden"}}
	case !ok:
		return emptyNote
	}
	comment.Text = text
	return comment.note()
}

func (g *GitLab) deleteNote(_ http.ResponseWriter, r *http.Request, account int64) any {
	c, comment := g.note(r, account)
	if comment == nil {
		return nil
	}
	id := comment.ID
	c.Comments = slices.DeleteFunc(c.Comments, func(each Comment) bool { return each.ID == id })
	return reply{status: http.StatusNoContent}
}

func (g *GitLab) listAwards(w http.ResponseWriter, r *http.Request, account int64) any {
	_, comment := g.note(r, account)
	if comment == nil {
		return nil
	}
	list := []any{}
	for _, a := range g.awards {
		if a.note == comment.ID {
			list = append(list, map[string]any{"name": a.name, "user": map[string]any{"id": a.account, "username": g.names[a.account]}})
		}
	}
	return cut(w, r, list)
}

// giveAward adds a reaction. The second one of a name and an account is a 404.
func (g *GitLab) giveAward(_ http.ResponseWriter, r *http.Request, account int64) any {
	_, comment := g.note(r, account)
	var body struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || comment == nil {
		return nil
	}
	given := award{comment.ID, account, body.Name}
	if slices.Contains(g.awards, given) {
		return reply{http.StatusNotFound, map[string]any{"message": "404 Award Emoji Name has already been taken Not Found"}}
	}
	g.awards = append(g.awards, given)
	comment.Reactions = append(comment.Reactions, body.Name)
	return reply{http.StatusCreated, map[string]any{"name": body.Name, "user": map[string]any{"id": account, "username": g.names[account]}}}
}
