package demohost

import (
	_ "embed"
	"errors"
	htmltemplate "html/template"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/opsplane/opsplane/infra/test/vcstest"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.txt
	pageText string
	//go:embed index.html
	indexHTML string

	asHTML  = htmltemplate.Must(htmltemplate.New("page").Parse(pageHTML))
	asText  = texttemplate.Must(texttemplate.New("page").Funcs(texttemplate.FuncMap{"indent": indent}).Parse(pageText))
	asIndex = htmltemplate.Must(htmltemplate.New("index").Parse(indexHTML))
)

// indent moves the lines of a text to the right.
func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

// shown is a pull request as its page shows it.
type shown struct {
	vcstest.Pull
	Host  string
	State string
}

// show serves the page of a pull request. A client that takes only text gets a text.
func (d *desk) show(w http.ResponseWriter, r *http.Request) {
	at, ok := d.places[r.PathValue("host")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	number, err := numbered(r, at)
	var p vcstest.Pull
	if err == nil {
		p, err = at.Pull(repositoryOf(r), number)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	page := shown{p, r.PathValue("host"), stateOf(p)}
	if r.Header.Get("Accept") == "text/plain" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = asText.Execute(w, page)
		return
	}
	render(w, asHTML, page)
}

// stateOf says how a pull request is, in one word for both hosts.
func stateOf(p vcstest.Pull) string {
	switch {
	case p.State == "merged" || p.State == "closed":
		return p.State
	case p.Draft:
		return "draft"
	}
	return "open"
}

func render(w http.ResponseWriter, t interface {
	Execute(out io.Writer, data any) error
}, data any,
) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = t.Execute(w, data)
}

// index serves a list of all pull requests, by repository.
func (d *desk) index(w http.ResponseWriter, r *http.Request) {
	type row struct {
		Repository string
		Pulls      []shown
	}
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(d.git)) {
		host, repository, _ := strings.Cut(name, "/")
		one := row{Repository: name}
		numbers, err := d.places[host].Pulls(repository)
		for _, number := range numbers {
			p, problem := d.places[host].Pull(repository, number)
			err = errors.Join(err, problem)
			one.Pulls = append(one.Pulls, shown{p, host, stateOf(p)})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		rows = append(rows, one)
	}
	render(w, asIndex, rows)
}
