package vcstest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Failure says what happens to a request in place of the normal response.
type Failure struct {
	// Match is a part of the method and path, such as "GET /repos/". If it is empty, it matches
	// every request except those for tokens.
	Match string
	// Times is the number of requests that fail. 0 means every request.
	Times int
	// Late lets the request take effect before its response is replaced.
	Late bool
	// Status and Header are the status and the headers of the response. Status 0 closes the
	// connection.
	Status int
	Header http.Header
	// Body is the body of the response. It may be incomplete JSON.
	Body string
}

// gate is in front of a stand-in's endpoints. It records the requests and makes requests fail.
type gate struct {
	door     sync.Mutex
	failures []*Failure
	asked    []string
	choose   func(line string) *Failure
}

// Choose sets a function that decides about every request to which no failure of Fail applies.
// It receives the method and path. If it returns nil, the request passes. It is called before
// the response, and several requests may call it at once.
func (g *gate) Choose(choose func(line string) *Failure) {
	g.door.Lock()
	defer g.door.Unlock()
	g.choose = choose
}

// Fail makes requests fail. If several failures match a request, the first one applies.
func (g *gate) Fail(f Failure) {
	g.door.Lock()
	defer g.door.Unlock()
	g.failures = append(g.failures, &f)
}

// Heal removes the failures of Fail.
func (g *gate) Heal() {
	g.door.Lock()
	defer g.door.Unlock()
	g.failures = nil
}

// Asked returns the number of requests whose recorded line (method and path) begins with
// prefix. The line of a request with response 304 ends with " 304".
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

// unchanged records that the response to the last request was 304.
func (g *gate) unchanged() {
	g.door.Lock()
	defer g.door.Unlock()
	g.asked[len(g.asked)-1] += " 304"
}

// failure records a request and returns its failure, or nil.
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

// behind serves endpoints below a path, with the gate in front.
func (g *gate) behind(base string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := g.failure(r.Method + " " + strings.TrimPrefix(r.URL.Path, base))
		if f != nil && f.Late {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
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
