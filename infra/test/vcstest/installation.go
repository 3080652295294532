package vcstest

import (
	"net/http"
	"strconv"
	"time"
)

// Suspend suspends an installation, or ends the suspension, as its owner would do.
func (g *GitHub) Suspend(installation string, suspended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.suspended[installation] = suspended
}

// Withhold removes a permission from an installation: every request whose path contains the
// text, such as "/memberships/", is forbidden.
func (g *GitHub) Withhold(installation, path string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.withheld[installation] = path
}

// Allow sets how many requests an installation may make within the hour, and resets the counts.
func (g *GitHub) Allow(requests int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits.hourly, g.limits.used = requests, map[string]int{}
}

// installationOf returns the installation that has a repository. Only the App may request it.
func (g *GitHub) installationOf(r *http.Request) any {
	for id, list := range g.installations {
		for _, repo := range list {
			if n, err := strconv.ParseInt(id, 10, 64); err == nil && repo.Owner == r.PathValue("owner") && repo.Name == r.PathValue("name") {
				return map[string]any{"id": n}
			}
		}
	}
	return nil
}

// rates holds the limits of installations: a number of requests an hour. Requests with the
// response 304 do not count. Every response states how many remain.
type rates struct {
	hourly int
	used   map[string]int
	until  time.Time
}

// hourly is the smallest limit that GitHub gives an installation.
const hourly = 5000

// take counts a request and reports whether it is within the limit.
func (l *rates) take(w http.ResponseWriter, installation string) bool {
	if now := time.Now(); now.After(l.until) {
		l.until, l.used = now.Add(time.Hour), map[string]int{}
	}
	allowed := l.used[installation] < l.hourly
	if allowed {
		l.used[installation]++
	}
	l.tell(w, installation)
	return allowed
}

// give takes back the count of the last request.
func (l *rates) give(w http.ResponseWriter, installation string) {
	l.used[installation]--
	l.tell(w, installation)
}

func (l *rates) tell(w http.ResponseWriter, installation string) {
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(l.hourly))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(l.hourly-l.used[installation]))
	w.Header().Set("X-RateLimit-Used", strconv.Itoa(l.used[installation]))
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(l.until.Unix(), 10))
	w.Header().Set("X-RateLimit-Resource", "core")
}
