package vcstest

import (
	"net/http"
	"slices"
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

// contentLimit limits requests that make content, as the secondary limit of GitHub does ("Rate
// limits for the REST API", GitHub documentation). Without limits, it counts nothing.
type contentLimit struct {
	minutely, hourly int
	now              func() time.Time
	made             map[string][]time.Time // of the last hour, by installation or account
}

// LimitContent sets how many writes an installation may send in a minute and in an hour, by a
// clock. What starts and cancels runs does not count. GitHub's own limits are 80 and 500. The response does not have the link by which the
// client's library would remember the limit: the library knows the real time only.
func (g *GitHub) LimitContent(minutely, hourly int, now func() time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.content = contentLimit{minutely, hourly, now, map[string][]time.Time{}}
}

// take counts a write and reports whether it is within the limits.
func (l *contentLimit) take(w http.ResponseWriter, installation string) bool {
	if l.now == nil {
		return true
	}
	now := l.now()
	made := slices.DeleteFunc(l.made[installation], func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	l.made[installation] = made
	var wait time.Duration
	for most, span := range map[int]time.Duration{l.minutely: time.Minute, l.hourly: time.Hour} {
		if len(made) >= most {
			wait = max(wait, span-now.Sub(made[len(made)-most]))
		}
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		return false
	}
	l.made[installation] = append(made, now)
	return true
}
