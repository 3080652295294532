package vcstest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Failure is what happens to requests instead of an answer.
type Failure struct {
	// Match is a part of the method and path, such as "GET /repos/"; empty is
	// every request but those for tokens.
	Match string
	// Times is how many requests fail; 0 is every one.
	Times int
	// Status and Header answer the request; Status 0 ends the connection.
	Status int
	Header http.Header
	// Body is what is answered; it may be cut JSON.
	Body string
}

// gate stands before a stand-in's endpoints: it remembers what was asked, and
// lets requests fail.
type gate struct {
	door     sync.Mutex
	failures []*Failure
	asked    []string
	choose   func(line string) *Failure
}

// Choose has a function decide about every request, by its method and path, for
// which no failure does: nil lets it pass. It is called before the request is
// answered, by several at once.
func (g *gate) Choose(choose func(line string) *Failure) {
	g.door.Lock()
	defer g.door.Unlock()
	g.choose = choose
}

// Fail lets requests fail; the first failure that matches happens.
func (g *gate) Fail(f Failure) {
	g.door.Lock()
	defer g.door.Unlock()
	g.failures = append(g.failures, &f)
}

// Asked counts the requests whose method and path begin with a text. Requests
// that were answered 304 have " 304" behind.
func (g *gate) Asked(prefix string) int {
	g.door.Lock()
	defer g.door.Unlock()
	n := 0
	for _, line := range g.asked {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// unchanged notes that the last request was answered 304.
func (g *gate) unchanged() {
	g.door.Lock()
	defer g.door.Unlock()
	g.asked[len(g.asked)-1] += " 304"
}

// failure notes a request and answers what is to happen to it, or nil.
func (g *gate) failure(line string) *Failure {
	found, choose := g.added(line)
	if found == nil && choose != nil {
		return choose(line)
	}
	return found
}

func (g *gate) added(line string) (*Failure, func(string) *Failure) {
	g.door.Lock()
	defer g.door.Unlock()
	g.asked = append(g.asked, line)
	i := slices.IndexFunc(g.failures, func(f *Failure) bool {
		return f.Match != "" && strings.Contains(line, f.Match) || f.Match == "" && !strings.Contains(line, "/access_tokens")
	})
	if i < 0 {
		return nil, g.choose
	}
	f := g.failures[i]
	if f.Times == 1 {
		g.failures = slices.Delete(g.failures, i, i+1)
	}
	f.Times = max(0, f.Times-1)
	return f, nil
}

// behind serves endpoints below a path behind the gate.
func (g *gate) behind(base string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := g.failure(r.Method + " " + strings.TrimPrefix(r.URL.Path, base))
		switch {
		case f == nil:
			next.ServeHTTP(w, r)
		case f.Status == 0:
			panic(http.ErrAbortHandler)
		default:
			for name, values := range f.Header {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(f.Status)
			_, _ = w.Write([]byte(f.Body))
		}
	})
}
